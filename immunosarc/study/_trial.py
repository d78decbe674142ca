"""The trial patient by patient, from the rows of visits, doses and events that the cohort has."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from immunosarc import endpoints
from immunosarc.cohort import Cohort

__all__ = ["trial_tables"]


def trial_tables(cohort: Cohort, *, on_conflict: Literal["raise", "exclude_patient"]) -> dict[str, pd.DataFrame]:
    """Return the tables that can be made of what the cohort has; none without such rows.

    Parameters
    ----------
    cohort : Cohort
        Tables ``lesions`` and ``assessments`` give the visits, their course and the change of the
        tumors, together with doses the time line; ``adverse_events`` gives the counts of events.
    on_conflict : {"raise", "exclude_patient"}
        What becomes of patients whose rows contradict each other.
    """
    lesions, called = cohort.tables.get("lesions"), cohort.tables.get("assessments")
    made: dict[str, pd.DataFrame] = {}
    visits = called if lesions is None else endpoints.derive_recist(lesions, called, on_conflict=on_conflict)
    if visits is not None:
        course = endpoints.derive_course(visits, cohort.patients, on_conflict=on_conflict)
        made |= {"course": course, "timeline": endpoints.derive_timeline(cohort, course)}
        if lesions is not None:
            made |= {"visits": visits, "tumor_change": endpoints.derive_tumor_change(visits, course)}
    if "adverse_events" in cohort.tables:
        made["event_counts"] = endpoints.count_adverse_events(cohort)
    return made
