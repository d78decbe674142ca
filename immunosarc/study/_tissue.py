"""Which samples speak for the tumor."""

from __future__ import annotations

import pandas as pd

from immunosarc.cohort import Cohort

__all__ = ["repeated_biopsies", "specimen_status", "tumor_samples"]


def specimen_status(cohort: Cohort) -> list[pd.DataFrame]:
    """Return a table with a status for each sample; none where the cohort does not say what was taken."""
    if "specimen" not in cohort.samples:
        return []
    specimen = cohort.samples["specimen"].fillna("tumor")
    status = ("specimen is " + specimen + ", not tumor").mask(specimen == "tumor", "ok")
    return [pd.DataFrame({"tumor_status": status}, index=cohort.samples.index)]


def tumor_samples(cohort: Cohort) -> Cohort:
    """Return the cohort without the samples that are declared to be something else than tumor."""
    for table in specimen_status(cohort):
        return cohort.select(samples=table["tumor_status"] == "ok")
    return cohort


def repeated_biopsies(cohort: Cohort, timepoints: tuple[str, ...]) -> list[str]:
    """Return the patients who have two tumor samples at a planned timepoint, with the cure."""
    samples = tumor_samples(cohort).samples
    found = []
    for timepoint in timepoints:
        owner = samples.loc[samples["timepoint"] == timepoint, "patient_id"]
        twice = list(dict.fromkeys(owner[owner.duplicated()]))
        if twice:
            found.append(
                f"{len(twice)} patient(s) have more than one tumor sample at '{timepoint}' "
                f"({', '.join(twice[:5])}); choose one in the manifest by 'keep' under [samples], or by "
                'replicates = { of = "COLUMN", rule = "mean" }, or with cohort.select(samples=...)'
            )
    return found
