"""Every signature by the method of its publication, and what stands in the way where it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunosarc import catalog
from immunosarc.errors import CoverageError
from immunosarc.features._alignment import Alignment, align, dense, scored_assay
from immunosarc.features._coverage import coverage_rows
from immunosarc.features._scoring import SCORING, register
from immunosarc.features._units import unit_of

if TYPE_CHECKING:
    import anndata

__all__ = ["EXPRESSED", "published_alignments", "published_coverage", "published_scores"]

_CALL = "per_gene_call"
EXPRESSED = 1.0
"""TPM from which a gene is called expressed."""

_SUPPLIED = ("classes", "centroids")
"""Parts that a user may have to supply."""

_WHY_NOT = {
    "nearest_centroid": "a class scheme, not a score",
    "nearest_centroid_spearman": "needs user input: training centroids",
    "ipres_count": "needs user input: a GMT of its 26 sets",
    "": "states no published method",
}


@register(
    "published",
    label="The published form of each signature",
    single_sample=False,
    all_genes=True,
    scale="each method's own",
    reference="each signature's own",
    coverage_rule="each method's own",
    oracle="each method's own",
)
def published_scores(
    adata: anndata.AnnData, signatures: catalog.Signatures, *, min_coverage: float
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Score each signature by its own method; genes that are called get a column each.

    Returns the table, and how each column was scored.
    """
    aligned = published_alignments(adata, signatures, min_coverage)
    names = [name for one in signatures.values() for name in _columns(one)]
    table = pd.DataFrame(np.nan, index=adata.obs_names, columns=pd.Index(names, dtype=object))
    scoring = {name: f"published: {_why_not(one)}" for one in signatures.values() for name in _columns(one)}
    for part in aligned:
        chosen = [name for name, ok in zip(part.sets, part.covered, strict=True) if ok]
        if chosen:
            table[chosen] = part.scores()
        scoring |= dict.fromkeys(part.sets, f"{part.record.name}({part.unit})")
    for one in signatures.values():
        if one.method == _CALL:
            calls = _calls(adata, one)
            table[calls.columns] = calls
            scoring |= dict.fromkeys(calls.columns, f"{_CALL}(TPM >= {EXPRESSED:g})")
    if not table.notna().any(axis=None):
        _refuse(aligned, signatures)
    return table, scoring


def published_coverage(
    adata: anndata.AnnData, signatures: catalog.Signatures, *, min_coverage: float
) -> list[dict[str, Any]]:
    """Return one row of the coverage table for each signature, with the method of its publication."""
    rows = {
        row["signature"]: row
        for part in published_alignments(adata, signatures, min_coverage)
        for row in coverage_rows(part)
    }
    return [rows.get(name) or _uncounted(adata, one) for name, one in signatures.items()]


def published_alignments(
    adata: anndata.AnnData, signatures: catalog.Signatures, min_coverage: float
) -> list[Alignment]:
    """Return one alignment for each method that a published form names."""
    given, logged = unit_of(adata), scored_assay(adata)
    kinds = dict.fromkeys(one.method for one in signatures.values() if one.method in SCORING and not _why_not(one))
    return [
        align(
            logged,
            catalog.Signatures([one for one in signatures.values() if one.method == kind and not _why_not(one)]),
            SCORING[kind],
            min_coverage=min_coverage,
            given_unit=given,
        )
        for kind in kinds
    ]


def _columns(signature: catalog.Signature) -> list[str]:
    if signature.method != _CALL:
        return [signature.name]
    return [f"{signature.name}:{gene}" for gene in signature.genes]


def _calls(adata: anndata.AnnData, signature: catalog.Signature) -> pd.DataFrame:
    """1 where a gene has at least 1 TPM, 0 where it has less; missing in any other unit."""
    table = pd.DataFrame(np.nan, index=adata.obs_names, columns=_columns(signature))
    unit = unit_of(adata)
    if unit not in ("tpm", "log2_tpm"):
        return table
    least = EXPRESSED if unit == "tpm" else np.log2(EXPRESSED + 1.0)
    for gene, column in zip(signature.genes, table.columns, strict=True):
        if gene in adata.var_names:
            values = dense(adata[:, [gene]].X).ravel()
            table[column] = np.where(np.isnan(values), np.nan, values >= least)
    return table


def _uncounted(adata: anndata.AnnData, signature: catalog.Signature) -> dict[str, Any]:
    """Return the coverage row of a signature that no kernel scores."""
    missing = [gene for gene in signature.genes if gene not in adata.var_names]
    size = len(signature.genes)
    status = _why_not(signature)
    if signature.method == _CALL:
        status = "ok" if len(missing) < size else "covers none of its genes"
        if unit_of(adata) not in ("tpm", "log2_tpm"):
            status = f"{_CALL} needs TPM, the assay has {unit_of(adata)}"
    return {
        "signature": signature.name,
        "method": "published",
        "unit": unit_of(adata),
        "n_genes": size,
        "n_found": size - len(missing),
        "coverage": (size - len(missing)) / size if size else np.nan,
        "missing": ", ".join(missing),
        "status": status,
        "note": f"one column per gene: 1 from {EXPRESSED:g} TPM" if signature.method == _CALL else "",
    }


def _why_not(signature: catalog.Signature) -> str:
    """Why no kernel gives the published form; nothing where one does, or could with a better assay."""
    if signature.method in SCORING and signature.method != "published":
        needs = [part for part in SCORING[signature.method].requires if part in _SUPPLIED]
        if all(getattr(signature, part) for part in needs):
            return ""
    return _WHY_NOT.get(signature.method, f"method {signature.method} is not offered")


def _refuse(aligned: list[Alignment], signatures: catalog.Signatures) -> None:
    for part in aligned:
        part.refuse_if_nothing_is_covered()
    reasons = ", ".join(sorted({_why_not(one) for one in signatures.values()}))
    raise CoverageError(f"none of {len(signatures)} signatures has a published score here: {reasons}")
