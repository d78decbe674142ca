"""The two biopsies of each patient: their values, their sites and the day of the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.errors import CohortError, PlanError, did_you_mean

__all__ = ["BiopsyPair", "biopsy_covariates", "both_biopsies"]

_OFFERED = ("site", "study_day")


@dataclass(frozen=True)
class BiopsyPair:
    """One row per patient before and after, patients without a sample included.

    Attributes
    ----------
    before, after : DataFrame
        ``schema.PATIENT_FEATURES``.
    """

    before: pd.DataFrame
    after: pd.DataFrame

    @property
    def complete(self) -> np.ndarray:
        """Which patients have both samples."""
        return np.asarray((self.before["status"] == "ok") & (self.after["status"] == "ok"), dtype=bool)


def both_biopsies(cohort: Cohort, scores: pd.DataFrame, before: str, after: str) -> BiopsyPair:
    """Return each patient's scores at the two timepoints.

    Raises
    ------
    CohortError
        When the two are the same, or a patient has two samples at one of them.
    """
    if before == after:
        raise CohortError(f"before and after are both {before!r}; choose two timepoints.")
    return BiopsyPair(cohort.at(before).per_patient(scores), cohort.at(after).per_patient(scores))


def biopsy_covariates(
    cohort: Cohort, pair: BiopsyPair, when: tuple[str, str], adjust: Sequence[str] | None
) -> pd.DataFrame:
    """Return the covariates of a change; zero is a patient biopsied twice at one site, on the mean day.

    A site is an indicator after minus an indicator before, so that patients who stayed at their site are zero
    wherever that was. A patient whose site or day is not recorded has a missing value.

    Raises
    ------
    PlanError
        When a covariate is neither a site nor a number of the samples.
    """
    samples = cohort.samples
    offered = [name for name in _OFFERED if name in samples and samples[name].notna().any()]
    chosen = offered if adjust is None else list(adjust)
    for name in chosen:
        if name not in samples:
            raise PlanError(f"samples have no column {name!r} to adjust for.{did_you_mean(name, samples.columns)}")
    first, second = (_by_patient(cohort, timepoint, pair.before.index) for timepoint in when)
    parts = [_covariate(name, first, second, complete=pair.complete) for name in chosen]
    whole = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=pair.before.index)
    return whole.loc[:, (whole[pair.complete].abs() > 0).any()]


def _by_patient(cohort: Cohort, timepoint: str, patients: pd.Index) -> pd.DataFrame:
    samples = cohort.samples[cohort.samples["timepoint"] == timepoint]
    return samples.set_index("patient_id").reindex(patients)


def _covariate(name: str, first: pd.DataFrame, second: pd.DataFrame, *, complete: np.ndarray) -> pd.DataFrame:
    if pd.api.types.is_numeric_dtype(second[name]):
        return (second[[name]] - second.loc[complete, name].mean()).astype(float)
    known = (first[name].notna() & second[name].notna()).to_numpy(dtype=bool)
    sites = pd.concat([first.loc[complete, name], second.loc[complete, name]]).dropna()
    names = list(sites.value_counts(sort=True).index)
    moved = {
        f"{name} {one}": (second[name].eq(one).astype(float) - first[name].eq(one).astype(float)).where(known)
        for one in names[1:]  # the commonest site is the one that the others are compared with
    }
    return pd.DataFrame(moved, index=first.index)
