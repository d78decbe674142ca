"""Every table of a trial that the rows of a cohort give."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from immunosarc.cohort import Cohort, marked
from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._event_counts import count_adverse_events
from immunosarc.endpoints._recist import derive_recist
from immunosarc.endpoints._timeline import derive_timeline
from immunosarc.endpoints._tumor_change import derive_tumor_change

__all__ = ["derive_trial_tables"]


def derive_trial_tables(
    cohort: Cohort,
    *,
    rules: ResponseRules | str | None = None,
    reader: str | None = None,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> dict[str, pd.DataFrame]:
    """Give the visits, the course of each patient and the adverse events, as far as the cohort has rows of them.

    Parameters
    ----------
    cohort : Cohort
        Its table ``lesions``, or else ``assessments``, gives ``course`` and ``timeline``; lesions also
        ``visits`` and ``tumor_change``; ``adverse_events`` gives ``event_counts``.
    rules : ResponseRules or str, optional
        The choices of the protocol, or the name of a rule set.
    reader : str, optional
        Whose lesions or calls count; needed when there are several readers.
    on_conflict : {"raise", "exclude_patient"}
        What becomes of patients whose rows contradict each other.

    Returns
    -------
    dict of str to DataFrame
        By name; empty for a cohort without such rows.

    Raises
    ------
    SchemaError
        When rows contradict each other, or several readers wait for a choice.

    Examples
    --------
    >>> import immunosarc as ims
    >>> sorted(derive_trial_tables(ims.simulate_cohort(seed=7)))
    ['course', 'event_counts', 'timeline', 'tumor_change', 'visits']
    """
    lesions, called = cohort.tables.get("lesions"), cohort.tables.get("assessments")
    made: dict[str, pd.DataFrame] = {}
    visits = called if lesions is None else derive_recist(lesions, called, on_conflict=on_conflict)
    if visits is not None:
        course = derive_course(visits, cohort.patients, rules=rules, reader=reader, on_conflict=on_conflict)
        made |= {"course": course, "timeline": derive_timeline(cohort, course, rules=rules)}
        if lesions is not None:
            made |= {"visits": visits, "tumor_change": derive_tumor_change(visits, course, reader=reader)}
    if "adverse_events" in cohort.tables:
        made["event_counts"] = count_adverse_events(cohort)
    return {name: marked(table, simulated=cohort.simulated) for name, table in made.items()}
