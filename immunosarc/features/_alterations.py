"""Which genes each tumor has lost, broken or amplified: a declared panel, and no more than was looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CohortError
from immunosarc.features._consequences import NONSYNONYMOUS, of_variants
from immunosarc.features._mutations import sequenced_samples

__all__ = ["ALTERED_GENES", "alterations", "gene_alterations"]

ALTERED_GENES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("TP53", "RB1", "PTEN"), ("variant", "deep_deletion")),
        **dict.fromkeys(("MDM2", "CDK4"), ("amplification",)),
        **dict.fromkeys(("JAK1", "JAK2", "B2M", "STK11", "KEAP1"), ("variant", "deep_deletion")),
    }
)
"""Genes that sarcomas or resistance to checkpoint inhibitors are asked about, and how each is altered.

Source: sarcomas, doi 10.1016/j.cell.2017.10.014; JAK1, JAK2 and B2M, doi 10.1056/NEJMoa1604958; PTEN,
doi 10.1158/2159-8290.CD-15-0283; STK11, doi 10.1158/2159-8290.CD-18-0099.
"""

_COPY = ("amplification", "deep_deletion")


def alterations(cohort: Cohort, *, genes: Iterable[str] | None = None) -> pd.DataFrame:
    """List what is altered in each gene of a panel in each tumor; what was not looked at is not called unaltered.

    Variants that change the protein count for genes that are lost by them, deep deletions likewise, and
    amplification for genes that act by it (MDM2, CDK4). A MAF holds no copy numbers: without the table
    ``copy_numbers`` amplified genes are "not_assessed", and deletions are missed.

    Parameters
    ----------
    cohort : Cohort
        With the table ``variants``, ``copy_numbers``, or both.
    genes : iterable of str, optional
        Symbols; ``ALTERED_GENES`` unless given. Of other genes every kind counts.

    Returns
    -------
    DataFrame
        ``schema.ALTERATIONS``: a row for each alteration, and one for each gene of a sample without any.

    Raises
    ------
    CohortError
        When there is neither table, or no gene is named.
    SchemaError
        When a consequence is not known.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": "S1", "gene": ["TP53"], "consequence": ["Silent"]})
    >>> samples = pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), samples, tables={"variants": rows})
    >>> alterations(toy, genes=["TP53", "MDM2"])[["gene", "kind"]].values.tolist()
    [['TP53', 'none'], ['MDM2', 'not_assessed']]
    """
    names = list(ALTERED_GENES) if genes is None else list(dict.fromkeys(genes))
    if not names:
        raise CohortError("genes: name at least one")
    if not {"variants", "copy_numbers"} & set(cohort.tables):
        raise CohortError("the cohort has neither the table 'variants' nor 'copy_numbers'; declare one of them")
    parts = [part for part in (_variant_events(cohort, names), _copy_events(cohort, names)) if len(part)]
    sequenced, copied = _sequenced(cohort), _copied(cohort, names)
    seen: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
    for part in parts:
        for pair, events in part.groupby(["sample_id", "gene"], sort=False):
            seen.setdefault((str(pair[0]), str(pair[1])), []).extend(_merged(events))
    looked_at = sequenced | {sample for sample, _ in copied}
    rows = []
    for sample in cohort.samples.index[cohort.samples.index.isin(list(looked_at))]:
        for gene in names:
            if (sample, gene) in seen:
                rows += [(sample, gene, kind, change, "ok") for kind, change in seen[sample, gene]]
            else:
                kind, status = _unaltered(gene, variants=sample in sequenced, copies=(sample, gene) in copied)
                rows.append((sample, gene, kind, pd.NA, status))
    table = pd.DataFrame(rows, columns=["sample_id", "gene", "kind", "protein_change", "status"])
    table.insert(0, "patient_id", table["sample_id"].map(cohort.samples["patient_id"]))
    return marked(schema.ALTERATIONS.check(table), simulated=cohort.simulated)


def gene_alterations(cohort: Cohort, *, genes: Iterable[str] | None = None) -> pd.DataFrame:
    """Say of each tumor which genes of a panel are altered: 1, 0, or missing where nobody looked.

    Parameters
    ----------
    cohort : Cohort
        With the table ``variants``, ``copy_numbers``, or both.
    genes : iterable of str, optional
        Symbols; ``ALTERED_GENES`` unless given.

    Returns
    -------
    DataFrame
        Index ``sample_id``, one column per gene, ``status``. See :func:`alterations` for what counts.

    Raises
    ------
    CohortError, SchemaError
        As :func:`alterations`.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": "S1", "gene": ["TP53"]})
    >>> rows["consequence"] = "Nonsense_Mutation"
    >>> samples = pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), samples, tables={"variants": rows})
    >>> gene_alterations(toy, genes=["TP53", "RB1", "CDK4"])[["TP53", "RB1", "CDK4"]].values.tolist()
    [[1.0, 0.0, nan]]
    """
    table = alterations(cohort, genes=genes)
    value = (~table["kind"].isin(["none"])).astype(float).mask(table["kind"] == "not_assessed")
    long = table.assign(value=value.astype(float))
    names = list(dict.fromkeys(long["gene"]))
    wide = long.groupby(["sample_id", "gene"], sort=False)["value"].first().unstack("gene")
    wide = wide.reindex(index=list(dict.fromkeys(long["sample_id"])), columns=names).astype(float)
    wide = wide.rename_axis(index="sample_id", columns=None)
    status = pd.Series("ok", index=wide.index, dtype="string")
    wide["status"] = status.mask(wide[names].isna().all(axis=1), "no gene of the panel was looked at")
    wide.attrs = {"scoring": dict.fromkeys(names, "altered (1) or not (0)")}
    return wide


def _variant_events(cohort: Cohort, names: list[str]) -> pd.DataFrame:
    columns = ["sample_id", "gene", "kind", "protein_change"]
    if "variants" not in cohort.tables:
        return pd.DataFrame(columns=columns)
    wanted = [name for name in names if "variant" in _ways(name)]
    table = cohort.tables["variants"]
    table = of_variants(table[table["gene"].isin(wanted)].reset_index(drop=True))
    return table[table["kind"].isin(NONSYNONYMOUS)].reindex(columns=columns)


def _copy_events(cohort: Cohort, names: list[str]) -> pd.DataFrame:
    columns = ["sample_id", "gene", "kind", "protein_change"]
    if "copy_numbers" not in cohort.tables:
        return pd.DataFrame(columns=columns)
    table = cohort.tables["copy_numbers"]
    ways = table["gene"].map({name: _ways(name) for name in names})
    calls = table["call"].fillna("")
    fits = [isinstance(way, tuple) and call in way for way, call in zip(ways, calls, strict=True)]
    return table[fits].rename(columns={"call": "kind"}).reindex(columns=columns)


def _ways(gene: str) -> tuple[str, ...]:
    return ALTERED_GENES.get(gene, ("variant", *_COPY))


def _sequenced(cohort: Cohort) -> set[str]:
    if "variants" not in cohort.tables:
        return set()
    sizes = cohort.samples.get("callable_mb", pd.Series(np.nan, index=cohort.samples.index))
    return set(sequenced_samples(cohort, sizes))


def _copied(cohort: Cohort, names: list[str]) -> set[tuple[str, str]]:
    if "copy_numbers" not in cohort.tables:
        return set()
    table = cohort.tables["copy_numbers"]
    known = table[table["gene"].isin(names) & table["call"].notna()]
    return set(zip(known["sample_id"], known["gene"], strict=True))


def _merged(events: pd.DataFrame) -> list[tuple[str, str | None]]:
    """Return each kind once, with all its changes of the protein."""
    merged = []
    for kind, part in events.groupby("kind", sort=False):
        changes = ", ".join(dict.fromkeys(part["protein_change"].dropna()))
        merged.append((str(kind), changes or None))
    return merged


def _unaltered(gene: str, *, variants: bool, copies: bool) -> tuple[str, str]:
    """Return the kind of a gene without alteration, and what was not looked at."""
    by_variant, by_copy = "variant" in _ways(gene), bool(set(_COPY) & set(_ways(gene)))
    ways = (("variants", by_variant, variants), ("copy numbers", by_copy, copies))
    lacking = [name for name, needed, there in ways if needed and not there]
    if (by_variant and variants) or (by_copy and copies):
        return "none", f"{lacking[0]} were not looked at" if lacking else "ok"
    return "not_assessed", f"needs {' or '.join(lacking)}"
