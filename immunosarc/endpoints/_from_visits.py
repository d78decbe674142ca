"""The outcomes that a cohort's visits give, where nobody has read them ready-made."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._recist import RECIST_RULES, derive_recist
from immunosarc.endpoints._visit_reasons import EXCLUDED

__all__ = ["FromVisits", "course_of", "filled_from_visits", "visits_of"]


class FromVisits(NamedTuple):
    """What the visits give: patients filled in, the rules by patient, the course, and who had to be left out."""

    patients: pd.DataFrame
    added: pd.Series
    course: pd.DataFrame | None
    excluded: pd.Series


def visits_of(cohort: Cohort) -> pd.DataFrame | None:
    """Return the visit calls of a cohort: from its lesions, or else as they were called.

    Parameters
    ----------
    cohort : Cohort
        Patients whose lesion rows contradict each other get that status.
    """
    lesions, called = cohort.tables.get("lesions"), cohort.tables.get("assessments")
    return called if lesions is None else derive_recist(lesions, called, on_conflict="exclude_patient")


def course_of(
    cohort: Cohort, patients: pd.DataFrame, *, rules: ResponseRules, reader: str | None
) -> pd.DataFrame | None:
    """Return the course of every patient, or None without lesions and visits.

    Parameters
    ----------
    cohort : Cohort
    patients : DataFrame
        Its patients with every declared column.
    rules, reader
        See :func:`derive_course`.
    """
    visits = visits_of(cohort)
    if visits is None:
        return None
    return derive_course(visits, patients, rules=rules, reader=reader, on_conflict="exclude_patient")


def filled_from_visits(
    patients: pd.DataFrame, cohort: Cohort, *, rules: ResponseRules, reader: str | None
) -> FromVisits:
    """Return the patients with what their visits add, and the names of the rules that added it.

    Parameters
    ----------
    patients : DataFrame
        Every column of ``schema.PATIENTS``. A ready-made best response, or pair of
        progression-free days and event, stays as it is.
    cohort : Cohort
        Its table ``lesions`` goes before ``assessments``; without either, or where everything was
        read, nothing is added.
    rules, reader
        See :func:`derive_course`.
    """
    added = pd.Series(pd.NA, index=patients.index, dtype="string")
    complete = patients[["best_overall_response", "pfs_days"]].notna().all(axis=None)
    course = None if complete else course_of(cohort, patients, rules=rules, reader=reader)
    if course is None:
        return FromVisits(patients, added, None, added.dropna())
    best = course["best_overall_response_confirmed" if rules.confirmation else "best_overall_response"]
    no_best = patients["best_overall_response"].isna() & best.notna()
    no_pfs = patients["pfs_days"].isna() & course["pfs_days"].notna()
    names = f"{RECIST_RULES} + {rules.label}" if "lesions" in cohort.tables else rules.label
    filled = patients.assign(
        best_overall_response=patients["best_overall_response"].mask(no_best, best),
        pfs_days=patients["pfs_days"].mask(no_pfs, course["pfs_days"]),
        pfs_event=patients["pfs_event"].mask(no_pfs, course["pfs_event"]),
    )
    out = course["status"][course["status"].str.startswith(EXCLUDED)]
    return FromVisits(filled, added.mask(no_best | no_pfs, names), course, out)
