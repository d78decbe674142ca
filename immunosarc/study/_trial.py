"""The trial patient by patient, from the rows of visits, doses and events that the cohort has."""

from __future__ import annotations

import pandas as pd

from immunosarc import endpoints
from immunosarc.cohort import Cohort
from immunosarc.study._plan import Plan

__all__ = ["trial_tables"]


def trial_tables(cohort: Cohort, plan: Plan) -> dict[str, pd.DataFrame]:
    """Return the tables that can be made of what the cohort has; none without such rows.

    Parameters
    ----------
    cohort : Cohort
        Tables ``lesions`` and ``assessments`` give the visits, their course and the change of the
        tumors, together with doses the time line; ``adverse_events`` gives the counts of events.
    plan : Plan
        Its rule set and reader, and what becomes of patients whose rows contradict each other.
    """
    lesions, called = cohort.tables.get("lesions"), cohort.tables.get("assessments")
    made: dict[str, pd.DataFrame] = {}
    visits = called if lesions is None else endpoints.derive_recist(lesions, called, on_conflict=plan.on_conflict)
    if visits is not None:
        course = endpoints.derive_course(
            visits, cohort.patients, rules=plan.rule_set, reader=plan.reader, on_conflict=plan.on_conflict
        )
        made |= {"course": course, "timeline": endpoints.derive_timeline(cohort, course)}
        if lesions is not None:
            made |= {
                "visits": visits,
                "tumor_change": endpoints.derive_tumor_change(visits, course, reader=plan.reader),
            }
    if "adverse_events" in cohort.tables:
        made["event_counts"] = endpoints.count_adverse_events(cohort)
    return made
