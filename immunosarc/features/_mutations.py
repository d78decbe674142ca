"""Mutation burden and neoantigens of each sample: counts, and per megabase where the size is declared."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.errors import CohortError
from immunosarc.features._consequences import NONSYNONYMOUS, of_variants

__all__ = ["neoantigen_burden", "sequenced_samples", "tumor_mutational_burden"]

_CURE = "declare callable_mb (of [tables.variants], or a column of [samples])"


def tumor_mutational_burden(
    cohort: Cohort, *, callable_mb: float | pd.Series | None = None, synonymous: bool = False
) -> pd.DataFrame:
    r"""Say how many mutations each tumor carries, per megabase in which one could have been found.

    .. math:: TMB = \text{variants that change the protein} / \text{callable megabases}

    Panels of another size or other rules are another scale: 10 per Mb on one is not 10 on the other
    (doi 10.1136/jitc-2019-000147). Without a declared size there are counts and no burden.

    Parameters
    ----------
    cohort : Cohort
        With the table ``variants``, its consequences in words of MAF or Sequence Ontology.
    callable_mb : float or Series, optional
        Megabases in which a variant could be called, for all samples or by sample; the column of the samples
        unless given. A sample with a size and no row was sequenced and carries none; a sample with neither is
        not known.
    synonymous : bool
        Count silent variants too, as some panels do.

    Returns
    -------
    DataFrame
        Index ``sample_id``; counts ``variants, indels, frameshifts``, and ``tmb_per_mb, indels_per_mb,
        frameshifts_per_mb`` (NaN without a size), ``status``.

    Raises
    ------
    CohortError
        When there is no table of variants, or a size is not above 0.
    SchemaError
        When a consequence is not known.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": "S1", "gene": ["TP53", "RB1", "TTN"]})
    >>> rows["consequence"] = ["Missense_Mutation", "Frame_Shift_Del", "Silent"]
    >>> samples = pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), samples, tables={"variants": rows})
    >>> tumor_mutational_burden(toy, callable_mb=38)[["variants", "tmb_per_mb"]].round(3).values.tolist()
    [[2.0, 0.053]]
    >>> tumor_mutational_burden(toy)["status"].tolist()
    ['callable size unknown: counts only']
    """
    sizes = _sizes(cohort, callable_mb)
    samples = sequenced_samples(cohort, sizes)
    table = of_variants(cohort.tables["variants"])
    counted = table[table["kind"].isin([*NONSYNONYMOUS, "silent"] if synonymous else NONSYNONYMOUS)]
    indel = counted["indel"].to_numpy(dtype=bool)
    parts = {
        "variants": counted,
        "indels": counted[indel],
        "frameshifts": counted[counted["kind"] == "frameshift"],
    }
    counts = {
        name: part["sample_id"].value_counts().reindex(samples, fill_value=0) for name, part in parts.items()
    }
    result = pd.DataFrame(counts, index=samples).astype(float)
    size = sizes.reindex(samples)
    for name in parts:
        result["tmb_per_mb" if name == "variants" else f"{name}_per_mb"] = result[name] / size
    result["status"] = pd.Series("ok", index=samples, dtype="string").mask(
        size.isna(), "callable size unknown: counts only"
    )
    words = "all coding variants" if synonymous else "nonsynonymous variants"
    result.attrs = {"scoring": {name: f"{words} ({name})" for name in result.columns if name != "status"}}
    return result.rename_axis("sample_id")


def _sizes(cohort: Cohort, given: float | pd.Series | None) -> pd.Series:
    """Return the callable megabases of each sample of the cohort; NaN where nobody says them."""
    index = cohort.samples.index
    if isinstance(given, pd.Series):
        sizes = given.reindex(index).astype(float)
    elif given is not None:
        size = float(given)
        rows = cohort.tables.get("variants", pd.DataFrame({"sample_id": []}))
        sizes = pd.Series(size, index=index).where(index.isin(rows["sample_id"].unique()))
        if not size > 0:
            raise CohortError(f"callable_mb: a size above 0 is needed, found {given!r}")
    else:
        sizes = cohort.samples.get("callable_mb", pd.Series(np.nan, index=index)).astype(float)
    if (sizes <= 0).any():
        wrong = list(sizes.index[sizes <= 0][:5])
        raise CohortError(
            f"callable_mb: a size above 0 is needed, not so of samples {wrong}; leave it empty there"
        )
    return sizes


def sequenced_samples(cohort: Cohort, sizes: pd.Series) -> pd.Index:
    """Return the samples of which variants are known: those with a row, and those with a callable size.

    Parameters
    ----------
    cohort : Cohort
    sizes : Series
        Callable megabases by sample.

    Raises
    ------
    CohortError
        When there is no table of variants.
    """
    if "variants" not in cohort.tables:
        raise CohortError(
            "the cohort has no table 'variants'; declare [tables.variants] in the manifest, "
            "or pass tables={'variants': ...}"
        )
    index = cohort.samples.index
    found = index.isin(cohort.tables["variants"]["sample_id"].unique()) | sizes.reindex(index).notna().to_numpy()
    return pd.Index(index[found], name="sample_id")


def neoantigen_burden(
    cohort: Cohort, *, max_affinity_nm: float = 500.0, max_rank_percent: float | None = None
) -> pd.DataFrame:
    """Say how many mutated peptides of each tumor are predicted to be shown to T cells.

    A row counts when its peptide binds at least this well, or when no binding is given; predictions are no
    proof that any T cell sees it.

    Parameters
    ----------
    cohort : Cohort
        With the table ``neoantigens``.
    max_affinity_nm : float
        Weakest affinity that counts; 500 nM is the usual limit (doi 10.4049/jimmunol.153.12.5586).
    max_rank_percent : float, optional
        Largest rank that counts; not looked at unless given.

    Returns
    -------
    DataFrame
        Index ``sample_id``; ``neoantigens``, ``mutated_genes`` (NaN where rows name no gene), ``status``.

    Raises
    ------
    CohortError
        When there is no table of neoantigens.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": "S1", "peptide": ["KLVF", "AAGV"]})
    >>> rows["affinity_nm"] = [40.0, 2100.0]
    >>> samples = pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), samples, tables={"neoantigens": rows})
    >>> neoantigen_burden(toy)["neoantigens"].tolist()
    [1.0]
    """
    if "neoantigens" not in cohort.tables:
        raise CohortError("the cohort has no table 'neoantigens'; declare [tables.neoantigens] in the manifest")
    table = cohort.tables["neoantigens"]
    binds = pd.Series(True, index=table.index)
    for name, limit in (("affinity_nm", max_affinity_nm), ("rank_percent", max_rank_percent)):
        if limit is not None and name in table:
            binds &= ~(table[name] > limit)
    each = table["count"] if "count" in table else pd.Series(1.0, index=table.index)
    unknown = table.loc[each.isna(), "sample_id"].unique()
    samples = cohort.samples.index[cohort.samples.index.isin(table["sample_id"].unique())]
    result = pd.DataFrame(index=pd.Index(samples, name="sample_id"))
    result["neoantigens"] = each.where(binds, 0.0).groupby(table["sample_id"]).sum().reindex(samples).astype(float)
    if "gene" in table:
        genes = table[binds & table["gene"].notna()].groupby("sample_id")["gene"].nunique()
        result["mutated_genes"] = genes.reindex(samples, fill_value=0).astype(float)
    result.loc[result.index.isin(unknown), "neoantigens"] = np.nan
    status = pd.Series("ok", index=result.index, dtype="string")
    result["status"] = status.mask(result.index.isin(unknown), "the count is missing")
    words = f"neoantigens up to {max_affinity_nm:g} nM"
    result.attrs = {"scoring": {name: words for name in result.columns if name != "status"}}
    return result
