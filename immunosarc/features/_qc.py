"""Quality before any test: units, batches, and every sample; nothing is left out or corrected."""

from __future__ import annotations

from typing import Any

import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort, marked
from immunosarc.features._batches import batch_checks
from immunosarc.features._sample_quality import sample_concerns, sample_quality
from immunosarc.features._unit_check import check_units

__all__ = ["qc"]

_READY_MADE = ("score", "fraction")
_EXPECTED = {
    "library_size": "as many reads as the others",
    "detected_genes": "as many genes as in the others",
    "sex_by_expression": "the sex of the clinical table",
    "partner_rank": "1: no stranger's sample resembles it more than the patient's own other sample",
    "median_correlation": "as like the others as they are like each other",
}
_WITHOUT = {
    "library_size": "the unit is not counts",
    "detected_genes": "no values",
    "sex_by_expression": "XIST or every Y gene is absent or undecided",
    "partner_rank": "no pair, or fewer than 5 pairs",
    "median_correlation": "fewer than 5 samples of its timepoint",
}


def qc(
    cohort: Cohort,
    outcomes: pd.DataFrame | None = None,
    *,
    gene_lengths: pd.Series | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what speaks against the data before they are used: wrong unit, sex, patient or batch.

    Nothing is left out or corrected; a concern is a reason to ask the laboratory. Of each expression
    assay: the unit (:func:`check_units`). Of the batches: whether they can be told from timepoint
    and response. Of each sample: reads and genes seen (more than 4 robust standard deviations below
    the median is of concern); sex, read from XIST against the genes of the Y chromosome; resemblance
    to the other samples; and whether the samples before and on treatment of a patient resemble each
    other more than those of strangers (the 1,000 most variable genes, each centered within its
    timepoint; the correlation of the pair is ranked among those with every other patient's).

    Parameters
    ----------
    cohort : Cohort
    outcomes : DataFrame, optional
        ``schema.OUTCOMES``, for batches that go with response.
    gene_lengths : Series, optional
        Gene symbol to exon length, for the unit check.
    seed : int
        For the permutation p of the batches.

    Returns
    -------
    DataFrame
        ``schema.QC``, one row for each check of each assay, of the batches and of each sample;
        ``status`` is ``"ok"``, the concern, or why it was not assessed.

    Raises
    ------
    UnitError
        When an assay holds numbers that its unit cannot have.

    Examples
    --------
    >>> from immunosarc.simulate import simulate_cohort
    >>> table = qc(simulate_cohort(seed=7))
    >>> table.query("check == 'partner_rank' and value == 1").shape[0] > 0
    True
    """
    names = [
        name
        for name, adata in cohort.assays.items()
        if adata.uns["immunosarc"]["level"] == "sample" and adata.uns["immunosarc"]["unit"] not in _READY_MADE
    ]
    rows: list[Any] = []
    for name in names:
        rows += check_units(cohort[name], gene_lengths=gene_lengths).assign(assay=name).to_dict("records")
    if len(cohort.samples):
        rows += batch_checks(cohort, outcomes, seed=seed)
    for name in names:
        wide = sample_quality(cohort, name)
        sexless = _clinical_sex(cohort, wide["patient_id"]).isna()
        for check, concern in sample_concerns(wide, cohort).items():
            part = _of_check(wide, check, concern)
            if check == "sex_by_expression":
                unknown = sexless & (part["status"] == "ok")
                part["status"] = part["status"].mask(unknown, "not assessed: the clinical table does not say it")
            rows += part.assign(level="sample", assay=name).to_dict("records")
    table = pd.DataFrame(rows, columns=list(schema.QC.columns)) if rows else schema.QC.empty()
    return marked(schema.QC.check(table), simulated=cohort.simulated)


def _clinical_sex(cohort: Cohort, owners: pd.Series) -> pd.Series:
    known = cohort.patients.get("sex", pd.Series(pd.NA, index=cohort.patients.index))
    return known.reindex(owners).set_axis(owners.index)


def _of_check(wide: pd.DataFrame, check: str, concern: pd.Series) -> pd.DataFrame:
    read = wide[check]
    numeric = pd.api.types.is_numeric_dtype(read.dtype)
    status = pd.Series("ok", index=wide.index).mask(read.isna(), f"not assessed: {_WITHOUT[check]}")
    columns: dict[str, Any] = {
        "check": check,
        "sample_id": wide.index,
        "patient_id": wide["patient_id"],
        "timepoint": wide["timepoint"],
        "value": read.astype(float) if numeric else float("nan"),
        "found": pd.NA if numeric else read,
        "expected": _EXPECTED[check],
        "concern": concern != "",
        "status": status.mask(concern != "", concern),
    }
    return pd.DataFrame(columns, index=wide.index)
