"""Scores with and without the genes that the sarcoma cells of a histology make themselves."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunosarc import catalog, schema
from immunosarc.errors import CoverageError, SchemaError
from immunosarc.features._score import score

if TYPE_CHECKING:
    import anndata

__all__ = ["conflicts_of", "histologies_in_conflict", "lineage_guard"]

_ANY = "any"
_OF_THE_TUMOR = ("tumor_antigen", "tumor_intrinsic")
"""Categories of signatures that are meant to read the tumor cell."""


def lineage_guard(
    adata: anndata.AnnData,
    histology: pd.Series,
    signatures: Any = None,
    *,
    method: str = "published",
    min_coverage: float = 0.8,
) -> pd.DataFrame:
    """Return every score twice where sarcoma cells make some of its genes: as it is, and without these genes.

    MAL is a T cell marker and a gene of synovial sarcoma, CD276 a gene of nearly every sarcoma; a score that reads
    them measures the tumor too. Which genes, and why, is in :func:`immunosarc.catalog.load_lineage_conflicts`. The
    two scores are different quantities: compare patients within one column, and ask whether they agree.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        As for :func:`score`.
    histology : Series
        Sample id to histology: a code of :func:`immunosarc.catalog.histologies`, its label or a synonym. A code
        inherits the conflicts of its wider diagnosis. Missing or unknown: only what holds for any sarcoma.
    signatures : Signatures, mapping or path, optional
        As for :func:`score`. Signatures about the tumor cell itself are never flagged.
    method : str, default "published"
        As for :func:`score`.
    min_coverage : float, default 0.8
        As for :func:`score`; of the genes that are left too.

    Returns
    -------
    DataFrame
        ``schema.LINEAGE``, one row for each sample and signature: ``score``, ``score_without``, ``flagged``, and
        the ``genes`` in conflict. ``status`` says why there is no second score.

    Raises
    ------
    SchemaError
        When a sample of the assay is not in ``histology``.
    CoverageError
        When no signature at all is covered.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> frame = pd.DataFrame({"CD3D": [3.0, 3.0], "MAL": [15.0, 15.0]}, index=["S1", "S2"])
    >>> kinds = pd.Series({"S1": "synovial sarcoma", "S2": "UPS"})
    >>> found = lineage_guard(make_assay(frame, unit="tpm"), kinds, {"t": ["CD3D", "MAL"]}, method="mean_log2")
    >>> found[["score", "score_without", "flagged"]].values.tolist()
    [[3.0, 2.0, True], [3.0, 3.0, False]]
    """
    absent = [str(sample) for sample in adata.obs_names if sample not in histology.index]
    if absent or histology.index.has_duplicates:
        raise SchemaError(f"histology needs one value for each sample; none, or several, for {absent[:5]}")
    sets = catalog.load_signatures() if signatures is None else catalog.as_signatures(signatures)
    how: dict[str, Any] = {"method": method, "min_coverage": min_coverage}
    whole = score(adata, sets, **how)
    written = _codes()
    codes = histology.reindex(adata.obs_names).map(lambda kind: written.get(str(kind).lower()))
    rows = []
    for code in dict.fromkeys(codes.fillna("")):
        inside = codes.fillna("").eq(code).to_numpy()
        conflicts = {name: found for name, one in sets.items() if (found := conflicts_of(one, code))}
        less = _scores_without(adata, sets, conflicts, how)
        for sample in adata.obs_names[inside]:
            rows += [
                _row(str(sample), code, one, whole=whole, less=less, conflicts=conflicts)
                for one in sets.values()
                if one.name in whole
            ]
    table = pd.DataFrame(rows, columns=list(schema.LINEAGE.columns))
    order = {str(sample): place for place, sample in enumerate(adata.obs_names)}
    table = table.sort_values("sample_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True)
    return schema.LINEAGE.check(table.assign(method=method))


def conflicts_of(signature: catalog.Signature, histology: str) -> tuple[str, ...]:
    """Return which of a signature's genes the cells of a histology make, its wider diagnoses included."""
    if signature.category in _OF_THE_TUMOR:
        return ()
    made = _made().get(histology) or _made()[_ANY]
    return tuple(gene for gene in (*signature.genes, *signature.genes_down) if gene in made)


@functools.cache
def histologies_in_conflict() -> tuple[str, ...]:
    """Return the codes of the histologies that have rows of their own."""
    return tuple(code for code in dict.fromkeys(catalog.load_lineage_conflicts()["histology"]) if code != _ANY)


@functools.cache
def _made() -> Mapping[str, frozenset[str]]:
    """What the cells of each histology make: what any sarcoma makes, its wider diagnoses' genes and its own."""
    table = catalog.load_lineage_conflicts()
    genes = {str(code): frozenset(part["gene"]) for code, part in table.groupby("histology")}
    parents = catalog.histologies()["parent"]
    found = {_ANY: genes[_ANY]}
    for code in {*genes, *map(str, parents.index)} - {_ANY}:
        wider = str(parents.get(code, ""))
        found[code] = genes[_ANY].union(genes.get(code, ()), genes.get(wider, ()))
    return found


def _codes() -> Mapping[str, str]:
    """Every way to write a histology, in lower case, to its code."""
    known = catalog.histologies()
    names = {code: code for code in catalog.load_lineage_conflicts()["histology"] if code != _ANY}
    for code, row in known.iterrows():
        written = [code, row["label"], *row["synonyms"].split("; "), *row["former_names"].split("; ")]
        names |= dict.fromkeys((name for name in written if name), str(code))
    return {name.lower(): code for name, code in names.items()}


def _scores_without(
    adata: anndata.AnnData,
    sets: catalog.Signatures,
    conflicts: Mapping[str, tuple[str, ...]],
    how: Mapping[str, Any],
) -> pd.DataFrame:
    """Score what is left of the signatures in conflict, in the company of all samples."""
    left = [_without(sets[name], frozenset(genes)) for name, genes in conflicts.items()]
    left = [one for one in left if one.genes]
    if not left:
        return pd.DataFrame(index=adata.obs_names)
    try:
        return score(adata, catalog.Signatures(left), **how)
    except CoverageError:
        return pd.DataFrame(np.nan, index=adata.obs_names, columns=[one.name for one in left])


def _without(signature: catalog.Signature, genes: frozenset[str]) -> catalog.Signature:
    classes = {
        category: {
            name: {**element, "genes": tuple(gene for gene in element["genes"] if gene not in genes)}
            for name, element in elements.items()
        }
        for category, elements in signature.classes.items()
        if isinstance(elements, Mapping)
    }
    return dataclasses.replace(
        signature,
        genes=tuple(gene for gene in signature.genes if gene not in genes),
        genes_down=tuple(gene for gene in signature.genes_down if gene not in genes),
        weights={gene: weight for gene, weight in signature.weights.items() if gene not in genes},
        pairs=tuple(pair for pair in signature.pairs if not genes.intersection(pair)),
        classes=classes or signature.classes,
    )


def _row(
    sample: str,
    code: str,
    signature: catalog.Signature,
    *,
    whole: pd.DataFrame,
    less: pd.DataFrame,
    conflicts: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    name, genes = signature.name, conflicts.get(signature.name, ())
    value = float(whole.loc[sample, name])
    second, status = value, "ok"
    if genes:
        second = float(less.loc[sample, name]) if name in less else np.nan
        n = len(signature.genes) + len(signature.genes_down)
        if name not in less:
            status = f"sarcoma cells make all of its {n} genes"
        elif np.isnan(second):
            status = "not covered without them"
    if np.isnan(value):
        second, status = np.nan, "no score"
    return {
        "sample_id": sample,
        "signature": name,
        "histology": code,
        "n_genes": len(signature.genes) + len(signature.genes_down),
        "n_conflict": len(genes),
        "genes": ", ".join(genes),
        "flagged": bool(genes),
        "score": value,
        "score_without": second,
        "status": status,
    }
