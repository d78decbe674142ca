"""What a cohort's events, medications and doses say of each patient, where nobody has read it ready-made."""

from __future__ import annotations

import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.endpoints._patient_toxicity import derive_patient_toxicity
from immunosarc.endpoints._resistance import RESISTANCE_RULES, derive_resistance
from immunosarc.endpoints._toxicity import derive_toxicity

__all__ = ["FLAGS", "resistance_of", "resistance_table", "safety_of"]

FLAGS = ("treatment_related_grade_3_4", "immune_event_immunosuppression")
"""The two numbers of a safety paragraph, as columns of ``schema.PATIENTS``."""


def safety_of(cohort: Cohort, patients: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return the patients with the safety flags that their events give, and the rules that gave them.

    Parameters
    ----------
    cohort : Cohort
        Without a table of adverse events nothing is added.
    patients : DataFrame
        Every column of ``schema.PATIENTS``. A ready-made flag stays as it is.
    """
    events = cohort.tables.get("adverse_events")
    added = pd.Series(pd.NA, index=patients.index, dtype="string")
    if events is None or patients[list(FLAGS)].notna().all(axis=None):
        return patients, added
    doses = cohort.tables.get("exposures")
    terms = derive_toxicity(
        events, exposures=doses, medications=cohort.tables.get("medications"), on_conflict="exclude_patient"
    )
    safety = derive_patient_toxicity(terms, patients, exposures=doses)
    filled = patients
    for name in FLAGS:
        fresh = patients[name].isna() & safety[name].notna()
        filled = filled.assign(**{name: patients[name].mask(fresh, safety[name])})
        added = added.mask(fresh, safety["rule_set"])
    return filled, added


def resistance_table(cohort: Cohort, course: pd.DataFrame | None, patients: pd.DataFrame) -> pd.DataFrame | None:
    """Return ``schema.RESISTANCE`` by the default definition, or None without visits or inhibitor doses.

    Parameters
    ----------
    cohort : Cohort
    course : DataFrame or None
        ``schema.RESPONSE_COURSE``.
    patients : DataFrame
        One row per patient.
    """
    doses = cohort.tables.get("exposures")
    rules = next(iter(RESISTANCE_RULES.values()))
    if course is None or doses is None or not doses["drug"].str.lower().isin(rules.checkpoint_inhibitors).any():
        return None
    # a death before the first dose is a contradiction that find_conflicts tells; nothing follows from it here
    told = course["pfs_days"].isna() | (course["pfs_days"] >= 0)
    return derive_resistance(course.assign(pfs_days=course["pfs_days"].where(told)), doses, patients, rules=rules)


def resistance_of(cohort: Cohort, course: pd.DataFrame | None, patients: pd.DataFrame) -> pd.DataFrame | None:
    """Return each patient's resistance by the default definition, or None without visits or inhibitor doses.

    Parameters
    ----------
    cohort : Cohort
    course : DataFrame or None
        ``schema.RESPONSE_COURSE``.
    patients : DataFrame
        Every column of ``schema.PATIENTS``.
    """
    table = resistance_table(cohort, course, patients)
    if table is None:
        return None
    shown = table[["resistance", "primary_resistance", "secondary_resistance", "progression_phase", "status"]]
    unclassified = table["resistance"].astype("string") + ": " + table["status"]
    known = table["primary_resistance"].notna()
    return shown.assign(status=unclassified.mask(known, "ok")).rename(columns={"status": "resistance_status"})
