"""Whom the plan leaves out of every analysis, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.errors import did_you_mean

__all__ = ["exclusion_problems", "planned_patients", "planned_status"]

Exclusions = Mapping[str, tuple[str, ...]]


def planned_status(cohort: Cohort, exclude: Exclusions) -> list[pd.DataFrame]:
    """Return a table with a status for each patient; none where the plan leaves nobody out.

    Parameters
    ----------
    cohort : Cohort
    exclude : mapping of str to tuple of str
        Column of the patients -> values of those who stay out. A missing value stays in.
    """
    if not exclude:
        return []
    status = pd.Series("ok", index=cohort.patients.index, dtype="string")
    for column, values in reversed(list(exclude.items())):
        found = cohort.patients[column].astype("string")
        status = status.mask(found.isin(values).fillna(False).astype(bool), column + " is " + found)
    return [pd.DataFrame({"plan_status": status.where(status == "ok", status + ": left out by the plan")})]


def planned_patients(cohort: Cohort, exclude: Exclusions) -> Cohort:
    """Return the cohort of those whom the plan analyzes."""
    for table in planned_status(cohort, exclude):
        return cohort.select(patients=table["plan_status"] == "ok")
    return cohort


def exclusion_problems(cohort: Cohort, exclude: Exclusions) -> list[str]:
    """Return columns and values that no patient of the cohort has."""
    found = []
    for column, values in exclude.items():
        if column not in cohort.patients:
            hint = did_you_mean(column, cohort.patients.columns)
            found.append(f"exclude: patients have no column '{column}'.{hint}")
            continue
        known = cohort.patients[column].dropna().astype(str).unique()
        found += [
            f"exclude: no patient has {column} '{value}'.{did_you_mean(value, known)}"
            for value in values
            if value not in known
        ]
    return found
