"""Quality before any test: how much was read, whose sample it seems to be, and what stands apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.cohort import Cohort
from immunosarc.features._alignment import dense
from immunosarc.features._units import log_expression, unit_of

__all__ = ["sample_concerns", "sample_quality"]

FloatArray = NDArray[np.float64]

_Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "EIF1AY", "UTY", "USP9Y", "ZFY")
_X_GENE = "XIST"
_FAR = 4.0
_TO_SIGMA = 1.4826
_LEAST = 0.01  # of the median: where nearly all are equal, the spread is no yardstick
_VARIABLE = 1000
_FEWEST = 5


def sample_quality(cohort: Cohort, assay: str) -> pd.DataFrame:
    """Return what speaks against a sample before it is used: little read, the wrong sex, the wrong patient.

    Nothing is left out or corrected; a concern is a reason to ask the laboratory. The sex is read from
    XIST against the genes of the Y chromosome that the assay has: the higher mean wins (log2 scale).
    A swap shows in pairs: a patient's samples before and on treatment resemble each other more than
    those of strangers, so the correlation of the pair (the 1,000 most variable genes, each centered
    within its timepoint) is ranked among those of the same samples with every other patient's.

    Index ``sample_id``; ``patient_id``, ``timepoint``; ``library_size`` (counts only);
    ``detected_genes`` (above the lowest value that the unit has); ``sex_by_expression`` (missing
    without XIST or without a Y gene); ``partner_rank`` (1 = no stranger resembles it more; missing
    without a pair or with fewer than 5 pairs); ``median_correlation`` with all other samples of its
    timepoint. Outliers are more than 4 robust standard deviations below the median.
    """
    adata = cohort[assay]
    unit = unit_of(adata)
    logs = pd.DataFrame(dense(log_expression(adata).X), index=adata.obs_names.astype(str), columns=adata.var_names)
    about = cohort.samples.reindex(logs.index)
    raw = dense(adata.X)
    return pd.DataFrame(
        {
            "patient_id": about["patient_id"],
            "timepoint": about["timepoint"],
            "library_size": raw.sum(axis=1) if unit == "counts" else np.nan,
            "detected_genes": (raw > np.nanmin(raw)).sum(axis=1)
            if unit.startswith("log2")
            else (raw > 0).sum(axis=1),
            "sex_by_expression": _sex(logs),
            "partner_rank": _partner_ranks(logs, about),
            "median_correlation": _median_correlations(logs, about["timepoint"]),
        },
        index=logs.index.rename("sample_id"),
    )


def _sex(logs: pd.DataFrame) -> pd.Series:
    y_genes = [gene for gene in _Y_GENES if gene in logs.columns]
    if _X_GENE not in logs.columns or not y_genes:
        return pd.Series(pd.NA, index=logs.index, dtype="string")
    difference = logs[_X_GENE] - logs[y_genes].mean(axis=1, skipna=False)
    called = pd.Series(np.where(difference > 0, "female", "male"), index=logs.index, dtype="string")
    return called.mask(difference.isna() | (difference == 0))


def _variable_genes(logs: pd.DataFrame) -> FloatArray:
    """Return the most variable genes without gaps."""
    values = logs.to_numpy(dtype=float)
    values = values[:, ~np.isnan(values).any(axis=0)]
    order = np.argsort(-values.var(axis=0), kind="stable")
    return values[:, order[:_VARIABLE]]


def _standardized(values: FloatArray) -> FloatArray:
    """Return rows of length 1 around their mean, so that products are correlations."""
    centered = values - values.mean(axis=1, keepdims=True)
    length = np.sqrt((centered**2).sum(axis=1, keepdims=True))
    return np.divide(centered, length, out=np.full_like(centered, np.nan), where=length > 0)


def _partner_ranks(logs: pd.DataFrame, about: pd.DataFrame) -> pd.Series:
    """Return how many samples of the other timepoint are at least as like as the patient's own."""
    ranks = pd.Series(np.nan, index=logs.index)
    values = _variable_genes(logs)
    sides = []
    for timepoint in ("pre", "on"):
        rows = np.flatnonzero((about["timepoint"] == timepoint).to_numpy(dtype=bool))
        patients = about["patient_id"].to_numpy()[rows]
        single = rows[~pd.Series(patients).duplicated(keep=False).to_numpy()]
        sides.append(pd.Series(single, index=about["patient_id"].to_numpy()[single]))
    shared = sides[0].index.intersection(sides[1].index)
    if len(shared) < _FEWEST:
        return ranks
    first, second = (side[shared].to_numpy() for side in sides)
    before, after = (_standardized(values[side] - values[side].mean(axis=0)) for side in (first, second))
    alike = before @ after.T
    own = np.diag(alike)
    ranks.iloc[first] = (alike >= own[:, None]).sum(axis=1)
    ranks.iloc[second] = (alike >= own[None, :]).sum(axis=0)
    return ranks


def _median_correlations(logs: pd.DataFrame, timepoints: pd.Series) -> pd.Series:
    medians = pd.Series(np.nan, index=logs.index)
    values = _variable_genes(logs)
    for timepoint in timepoints.dropna().unique():
        rows = np.flatnonzero((timepoints == timepoint).to_numpy(dtype=bool))
        if len(rows) < _FEWEST:
            continue
        unit = _standardized(values[rows])
        alike = unit @ unit.T
        np.fill_diagonal(alike, np.nan)
        medians.iloc[rows] = np.nanmedian(alike, axis=1)
    return medians


def _low(values: pd.Series) -> NDArray[np.bool_]:
    """Return which values are far below the median, in robust standard deviations."""
    if values.isna().all():
        return np.zeros(len(values), dtype=bool)
    middle = values.median()
    spread = max(_TO_SIGMA * (values - middle).abs().median(), _LEAST * abs(middle))
    return ((values - middle) < -_FAR * spread).fillna(False).to_numpy(dtype=bool)


def sample_concerns(table: pd.DataFrame, cohort: Cohort) -> dict[str, pd.Series]:
    """Return, by check, the sentence that speaks against each sample; an empty text where nothing does."""
    sizes = np.log2(table["library_size"].where(table["library_size"] > 0))
    wrong: dict[str, tuple[Any, str]] = {
        "library_size": (
            _low(sizes) | (table["library_size"] == 0).to_numpy(),
            "far fewer reads than the others",
        ),
        "detected_genes": (
            _low(table["detected_genes"].astype(float)),
            "far fewer detected genes than the others",
        ),
        "sex_by_expression": (
            _is_other_sex(table, cohort),
            "expression says another sex than the clinical table",
        ),
        "partner_rank": (
            (table["partner_rank"] > 1).to_numpy(),
            "a stranger's sample resembles it more than the same patient's other sample",
        ),
        "median_correlation": (
            _low(table["median_correlation"]),
            "resembles the others far less than they resemble each other",
        ),
    }
    return {
        check: pd.Series(np.where(np.asarray(found, dtype=bool), words, ""), index=table.index)
        for check, (found, words) in wrong.items()
    }


def _is_other_sex(table: pd.DataFrame, cohort: Cohort) -> NDArray[np.bool_]:
    if "sex" not in cohort.patients:
        return np.zeros(len(table), dtype=bool)
    known = cohort.patients["sex"].reindex(table["patient_id"]).set_axis(table.index).astype("string")
    read = table["sex_by_expression"]
    return (known.notna() & read.notna() & (known != read).fillna(False)).to_numpy(dtype=bool)
