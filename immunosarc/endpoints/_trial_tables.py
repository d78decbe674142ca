"""Every table of a trial that the rows of a cohort give."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import pandas as pd

from immunosarc.cohort import Cohort, marked
from immunosarc.endpoints._conflicts import OnConflict
from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._dosing import derive_dosing
from immunosarc.endpoints._event_counts import count_adverse_events
from immunosarc.endpoints._from_events import resistance_table
from immunosarc.endpoints._immune_course import derive_irecist_course
from immunosarc.endpoints._immune_recist import derive_irecist
from immunosarc.endpoints._patient_toxicity import derive_patient_toxicity
from immunosarc.endpoints._recist import derive_recist
from immunosarc.endpoints._timeline import derive_timeline
from immunosarc.endpoints._toxicity import derive_toxicity
from immunosarc.endpoints._toxicity_rates import summarize_toxicity
from immunosarc.endpoints._tumor_change import derive_tumor_change
from immunosarc.endpoints._visit_reasons import EXCLUDED

__all__ = ["derive_trial_tables"]

_CYCLE = 21
_USUAL: Mapping[str, int] = MappingProxyType({})


def derive_trial_tables(
    cohort: Cohort,
    *,
    rules: ResponseRules | str | None = None,
    reader: str | None = None,
    by: pd.Series | None = None,
    dosing_interval_days: Mapping[str, int] = _USUAL,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> dict[str, pd.DataFrame]:
    """Give visits, course, resistance, doses and toxicity of each patient, as far as the cohort has rows of them.

    Parameters
    ----------
    cohort : Cohort
        Its table ``lesions``, or else ``assessments``, gives ``course`` and ``timeline``; lesions also
        ``visits`` and ``tumor_change``, and by iRECIST ``immune_visits`` and ``immune_course``.
        ``exposures`` gives ``dosing``, and with a course and a checkpoint inhibitor ``resistance``.
        ``adverse_events`` gives ``event_counts``, ``toxicity`` and ``patient_toxicity``, with exposures
        ``toxicity_rates``.
    rules : ResponseRules or str, optional
        The choices of the protocol, or the name of a rule set.
    reader : str, optional
        Whose lesions or calls count; needed when there are several readers.
    by : Series, optional
        Stratum of each patient, indexed by patient, by which ``toxicity_rates`` is repeated.
    dosing_interval_days : mapping of str to int
        Drug -> days from one planned dose to the next; 21 for every other drug.
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
    >>> made = derive_trial_tables(ims.simulate_cohort(seed=7))
    >>> made["resistance"]["resistance"].value_counts().to_dict()
    {'primary': 13, 'secondary': 9, 'not_evaluable': 5, 'sensitive_ongoing': 4, 'unclassified': 2}
    """
    made = _response_tables(cohort, rules=rules, reader=reader, on_conflict=on_conflict)
    resistance = resistance_table(cohort, made.get("course"), cohort.patients)
    made |= {} if resistance is None else {"resistance": resistance}
    if "exposures" in cohort.tables:
        doses = cohort.tables["exposures"]
        every = dict.fromkeys(doses["drug"].unique(), _CYCLE) | dict(dosing_interval_days)
        made["dosing"] = derive_dosing(doses, dosing_interval_days=every, on_conflict=on_conflict)
    if "adverse_events" in cohort.tables:
        made |= _safety_tables(cohort, by=by, on_conflict=on_conflict)
    return {name: marked(table, simulated=cohort.simulated) for name, table in made.items()}


def _response_tables(
    cohort: Cohort, *, rules: ResponseRules | str | None, reader: str | None, on_conflict: OnConflict
) -> dict[str, pd.DataFrame]:
    lesions, called = cohort.tables.get("lesions"), cohort.tables.get("assessments")
    made: dict[str, pd.DataFrame] = {}
    visits = called if lesions is None else derive_recist(lesions, called, on_conflict=on_conflict)
    if visits is not None:
        course = derive_course(visits, cohort.patients, rules=rules, reader=reader, on_conflict=on_conflict)
        made |= {"course": course, "timeline": derive_timeline(cohort, course, rules=rules)}
    if visits is not None and lesions is not None:
        made |= {"visits": visits, "tumor_change": derive_tumor_change(visits, course, reader=reader)}
        immune = derive_irecist(lesions, called, on_conflict=on_conflict)
        made["immune_visits"] = immune
        made["immune_course"] = derive_irecist_course(
            immune, cohort.patients, rules=rules, reader=reader, on_conflict=on_conflict
        )
    return made


def _safety_tables(cohort: Cohort, *, by: pd.Series | None, on_conflict: OnConflict) -> dict[str, pd.DataFrame]:
    doses, drugs = cohort.tables.get("exposures"), cohort.tables.get("medications")
    events = cohort.tables["adverse_events"]
    toxicity = derive_toxicity(events, exposures=doses, medications=drugs, on_conflict=on_conflict)
    made = {
        "event_counts": count_adverse_events(cohort, on_conflict=on_conflict),
        "toxicity": toxicity,
        "patient_toxicity": derive_patient_toxicity(toxicity, cohort.patients, exposures=doses),
    }
    if doses is not None:
        out = toxicity["status"].str.startswith(EXCLUDED)
        kept = cohort.patients.drop(toxicity.loc[out, "patient_id"].unique())
        strata = None if by is None else by.reindex(kept.index)
        made["toxicity_rates"] = summarize_toxicity(toxicity[~out], kept, doses, by=strata)
    return made
