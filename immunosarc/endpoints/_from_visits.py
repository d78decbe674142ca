"""The outcomes that a cohort's visits give, where nobody has read them ready-made."""

from __future__ import annotations

import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._recist import RECIST_RULES, derive_recist

__all__ = ["filled_from_visits"]


def filled_from_visits(
    patients: pd.DataFrame, cohort: Cohort, *, rules: ResponseRules, reader: str | None
) -> tuple[pd.DataFrame, pd.Series]:
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

    Returns
    -------
    patients : DataFrame
    added : Series of text
        Of each patient: the rules, or missing where nothing was added.
    """
    added = pd.Series(pd.NA, index=patients.index, dtype="string")
    if patients[["best_overall_response", "pfs_days"]].notna().all(axis=None):
        return patients, added
    lesions, called = cohort.tables.get("lesions"), cohort.tables.get("assessments")
    visits = called if lesions is None else derive_recist(lesions, called)
    if visits is None:
        return patients, added
    course = derive_course(visits, patients, rules=rules, reader=reader)
    best = course["best_overall_response_confirmed" if rules.confirmation else "best_overall_response"]
    no_best = patients["best_overall_response"].isna() & best.notna()
    no_pfs = patients["pfs_days"].isna() & course["pfs_days"].notna()
    names = rules.label if lesions is None else f"{RECIST_RULES} + {rules.label}"
    filled = patients.assign(
        best_overall_response=patients["best_overall_response"].mask(no_best, best),
        pfs_days=patients["pfs_days"].mask(no_pfs, course["pfs_days"]),
        pfs_event=patients["pfs_event"].mask(no_pfs, course["pfs_event"]),
    )
    return filled, added.mask(no_best | no_pfs, names)
