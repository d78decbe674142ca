"""Why a patient has the value that the endpoints say: rows, rule, version, day, and what was rejected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort
from immunosarc.endpoints._course_rules import ResponseRules, chosen_rules
from immunosarc.endpoints._derive import derive
from immunosarc.endpoints._explained_case import (
    Case,
    course_of,
    day_called,
    recorded,
    rows_of,
    rows_used,
    rule_set_of,
    table_of,
)
from immunosarc.endpoints._explanation import Explanation
from immunosarc.endpoints._immune_course import derive_irecist_course
from immunosarc.endpoints._immune_recist import derive_irecist
from immunosarc.endpoints._rejected import rejected_ends, rejected_responses
from immunosarc.endpoints._resistance import derive_resistance
from immunosarc.endpoints._toxicity import derive_toxicity
from immunosarc.errors import UnknownNameError, did_you_mean

__all__ = ["explain"]


def explain(
    cohort: Cohort,
    patient_id: str,
    name: str,
    *,
    rules: ResponseRules | str | None = None,
    reader: str | None = None,
) -> Explanation:
    """Say why a patient has a value: the rows used, the rule and its version, the day, and what was rejected.

    Parameters
    ----------
    cohort : Cohort
        Left unchanged.
    patient_id : str
        Whose value.
    name : str
        ``best_overall_response``, ``best_overall_response_confirmed``, ``objective_response``,
        ``disease_control``, ``durable_clinical_benefit``, ``pfs``, ``pfs6``, ``os``, ``ttr``, ``dor``,
        ``immune_best_response``, ``ipfs``, ``resistance``, ``treatment_related_grade_3_4`` or
        ``immune_event_immunosuppression``.
    rules : ResponseRules or str, optional
        The rules of response and censoring, or their name.
    reader : str, optional
        Whose lesions or calls count.

    Returns
    -------
    Explanation
        Prints as text, and as a table in Jupyter.

    Raises
    ------
    UnknownNameError
        When the patient or the name is not known.
    SchemaError
        When the cohort has no rows from which the value could come.

    Examples
    --------
    >>> patients = pd.DataFrame({"death_day": [300.0]}, index=pd.Index(["P1"], name="patient_id"))
    >>> visits = pd.DataFrame({"patient_id": "P1", "study_day": [43, 190], "overall_response": ["PR", "PD"]})
    >>> why = explain(Cohort(patients=patients, tables={"assessments": visits}), "P1", "pfs")
    >>> why.value, why.rejected[0]
    ('43 days, censored', 'progression on day 190: more than 91 days after the last adequate scan on day 43')
    """
    if patient_id not in cohort.patients.index:
        raise UnknownNameError(f"no patient {patient_id!r}.{did_you_mean(patient_id, cohort.patients.index)}")
    if name not in _EXPLAINED:
        raise UnknownNameError(f"nothing to explain is called {name!r}.{did_you_mean(name, _EXPLAINED)}")
    return _EXPLAINED[name](Case(_alone(cohort, patient_id), name, chosen_rules(rules), reader))


def _alone(cohort: Cohort, patient_id: str) -> Cohort:
    """Return the cohort of one patient, whose rows remember their place in the whole table."""
    tables = {
        name: table.assign(row=np.arange(len(table)))[table["patient_id"] == patient_id]
        for name, table in cohort.tables.items()
    }
    return Cohort(patients=cohort.patients.loc[[patient_id]], tables=tables)


def _of_response(case: Case) -> Explanation:
    """Explain a best response, from visits or as somebody read it."""
    recorded = case.cohort.patients.get("best_overall_response")
    if case.name == "best_overall_response" and recorded is not None and recorded.notna().all():
        return _ready_made(case, str(recorded.iloc[0]), "best_overall_response")
    visits, course = course_of(case)
    value = course[case.name]
    confirmed = case.name.endswith("confirmed")
    rule = "best of CR > PR > SD > PD > NE up to the first progression or another therapy"
    if confirmed:
        rule += f"; CR and PR confirmed by another at least {case.rules.confirm_days} days later"
    day = course["response_day_confirmed" if confirmed else "response_day"]
    return _explanation(
        case,
        _text(value),
        status=course["status"],
        rule=rule,
        rule_set=rule_set_of(visits, course),
        day=day if not pd.isna(day) else day_called(visits, value),
        rows=rows_used(case),
        rejected=rejected_responses(
            visits, str(value), case.cohort.patients.iloc[0], rules=case.rules, confirmed=confirmed
        ),
    )


def _of_time(case: Case) -> Explanation:
    """Explain progression-free survival, duration of response and time to response."""
    column = f"{case.name}_days"
    recorded = case.cohort.patients.get(column)
    if recorded is not None and recorded.notna().all():
        event = case.cohort.patients[f"{case.name}_event"].iloc[0]
        return _ready_made(case, _duration(recorded.iloc[0], event), column)
    visits, course = course_of(case)
    value = _duration(course[column], course.get(f"{case.name}_event", True))
    rule = {
        "pfs": "first dose to the first of progression and death, or else the last adequate scan",
        "dor": "first response to the end of progression-free survival, both days included",
        "ttr": "first dose to the first response",
    }[case.name]
    responder_only = "no response" if case.name != "pfs" and value == "missing" else course["status"]
    return _explanation(
        case,
        value,
        status=responder_only,
        rule=rule + ("" if case.name == "ttr" else f": {_text(course['pfs_reason'])}"),
        rule_set=rule_set_of(visits, course),
        day=course["ttr_days"] if case.name == "ttr" else course["pfs_days"],
        rows=rows_used(case),
        rejected=rejected_ends(visits, course, case.cohort.patients.iloc[0], rules=case.rules),
    )


_OUTCOME_RULES = MappingProxyType(
    {
        "objective_response": "CR or PR among those whose best response is known",
        "disease_control": "CR, PR or SD among those whose best response is known",
        "durable_clinical_benefit": "CR or PR, or SD and progression-free for at least 183 days",
        "pfs6": "progression-free beyond day 183",
        "os": "first dose to death, or to the last day known alive",
    }
)
_STATUS_OF = MappingProxyType(
    {"disease_control": "response_status", "objective_response": "response_status"}
    | {"durable_clinical_benefit": "durable_status", "pfs6": "pfs6_status", "os": "os_status"}
)


def _of_outcome(case: Case) -> Explanation:
    """Explain what :func:`derive` concludes from response, days and death."""
    outcomes = derive(case.cohort, rules=case.rules, reader=case.reader, on_conflict="exclude_patient").iloc[0]
    if case.name == "os":
        value = _duration(outcomes["os_days"], outcomes["os_event"])
        names = ("os_days", "os_event", "death_day", "last_alive_day", "data_cut_day")
        rejected = _other_days(case.cohort.patients.iloc[0], outcomes["os_days"])
        rows = recorded(case, names)
    else:
        value = _text(outcomes[case.name])
        rejected = (f"{not outcomes[case.name]}: {_facts(outcomes)}",) if value != "missing" else ()
        rows = pd.concat([recorded(case, ("best_overall_response", "pfs_days", "pfs_event")), rows_used(case)])
    return _explanation(
        case,
        value,
        status=outcomes[_STATUS_OF[case.name]],
        rule=_OUTCOME_RULES[case.name],
        rule_set=outcomes["rule_set"],
        day=outcomes["os_days"] if case.name == "os" else outcomes["pfs_days"],
        rows=rows,
        rejected=rejected,
    )


def _facts(outcomes: pd.Series) -> str:
    free = _duration(outcomes["pfs_days"], outcomes["pfs_event"])
    return f"best response {_text(outcomes['best_overall_response'])}, progression-free {free}"


def _other_days(patient: pd.Series, chosen: float) -> tuple[str, ...]:
    days = {name: patient.get(name) for name in ("death_day", "last_alive_day", "data_cut_day")}
    return tuple(
        f"{name} {day:g}: not the day that ends follow-up"
        for name, day in days.items()
        if day is not None and not pd.isna(day) and day != chosen
    )


def _of_immunity(case: Case) -> Explanation:
    """Explain iRECIST's best response and progression-free survival."""
    lesions = table_of(case, "lesions")
    visits = derive_irecist(lesions, case.cohort.tables.get("assessments"), on_conflict="exclude_patient")
    course = derive_irecist_course(
        visits, case.cohort.patients, rules=case.rules, reader=case.reader, on_conflict="exclude_patient"
    ).iloc[0]
    best = case.name == "immune_best_response"
    value = _text(course["immune_best_response"])
    if not best:
        value = _duration(course["ipfs_days"], course["ipfs_event"])
    seen = visits.dropna(subset=["immune_response"])
    rejected = tuple(
        f"{row.immune_response} on day {row.study_day:g}{'' if pd.isna(row.cause) else f' ({row.cause})'}"
        for row in seen.itertuples()
        if row.immune_response != value
    )
    order = "best of iCR > iPR > iSD until confirmed progression, else iCPD or iUPD"
    return _explanation(
        case,
        value,
        status=course["status"],
        rule=order if best else _text(course["ipfs_reason"]),
        rule_set=course["rule_set"],
        day=course["immune_response_day"] if best else course["ipfs_days"],
        rows=rows_used(case),
        rejected=rejected,
    )


def _of_resistance(case: Case) -> Explanation:
    """Explain primary and secondary resistance."""
    _, course = course_of(case)
    table = derive_resistance(
        schema.RESPONSE_COURSE.check(course.to_frame().T), table_of(case, "exposures"), case.cohort.patients
    )
    row = table.iloc[0]
    classes = ("primary", "secondary", "sensitive_ongoing")
    day, exposure = row["progression_day"], row["exposure_days"]
    facts = "no progression" if pd.isna(day) else f"progression on day {day:g}"
    facts += ", no exposure" if pd.isna(exposure) else f", exposure {exposure:g} days"
    doses = rows_of(case, "exposures", ("study_day", "drug", "dose"))
    return _explanation(
        case,
        str(row["resistance"]),
        status=row["status"],
        rule=facts,
        rule_set=row["rule_set"],
        day=row["progression_day"],
        rows=pd.concat([rows_used(case), doses], ignore_index=True),
        rejected=tuple(f"{name}: {facts}" for name in classes if name != row["resistance"]),
    )


def _of_toxicity(case: Case) -> Explanation:
    """Explain the two safety flags from the events and medications."""
    recorded = case.cohort.patients.get(case.name)
    if recorded is not None and recorded.notna().all():
        return _ready_made(case, str(bool(recorded.iloc[0])), case.name)
    events = table_of(case, "adverse_events")
    given = {name: case.cohort.tables.get(name) for name in ("exposures", "medications")}
    terms = derive_toxicity(events, **given, on_conflict="exclude_patient")
    if case.name == "treatment_related_grade_3_4":
        decisive, rule = (
            terms["grade_related"].isin([3, 4]),
            "a treatment-related term whose highest grade is 3 or 4",
        )
    else:
        decisive = terms["immunosuppression"].fillna(False).astype(bool)
        rule = "an immune-mediated event for which systemic immunosuppression was given"
    outcomes = derive(case.cohort, rules=case.rules, reader=case.reader, on_conflict="exclude_patient").iloc[0]
    shown = ("study_day", "term", "grade", "related_to", "immune_mediated")
    drugs = rows_of(case, "medications", ("study_day", "drug", "route", "indication", "event_term"))
    return _explanation(
        case,
        _text(outcomes[case.name]),
        status="ok" if not pd.isna(outcomes[case.name]) else "; ".join(terms["status"].unique()),
        rule=rule,
        rule_set=str(terms["rule_set"].iloc[0]) if len(terms) else "ctcae_5/1",
        day=terms.loc[decisive, "onset_day"].min() if decisive.any() else None,
        rows=pd.concat([rows_of(case, "adverse_events", shown), drugs], ignore_index=True),
        rejected=tuple(f"{row.term}: {row.status}" for row in terms[~decisive].itertuples()),
    )


def _ready_made(case: Case, value: str, column: str) -> Explanation:
    return _explanation(
        case,
        value,
        status="ok",
        rule="recorded by the trial team; a recorded value goes before what rows would give",
        rule_set="ready_made/1",
        day=None,
        rows=recorded(case, tuple(dict.fromkeys((column, column.replace("_days", "_event"))))),
        rejected=(),
    )


def _explanation(
    case: Case,
    value: str,
    *,
    status: object,
    rule: str,
    rule_set: object,
    day: float | None,
    rows: pd.DataFrame,
    rejected: tuple[str, ...],
) -> Explanation:
    return Explanation(
        patient_id=case.patient,
        name=case.name,
        value=value,
        status=str(status),
        rule=rule,
        rule_set=str(rule_set),
        day=None if day is None or pd.isna(day) else float(day),
        rows=rows.reset_index(drop=True),
        rejected=rejected,
    )


def _duration(days: float, event: object) -> str:
    if pd.isna(days):
        return "missing"
    return f"{days:g} days, {'event' if event else 'censored'}"


def _text(value: object) -> str:
    return "missing" if pd.isna(value) else str(value)


_EXPLAINED: Mapping[str, Callable[[Case], Explanation]] = MappingProxyType(
    dict.fromkeys(("best_overall_response", "best_overall_response_confirmed"), _of_response)
    | dict.fromkeys(("pfs", "dor", "ttr"), _of_time)
    | dict.fromkeys(_OUTCOME_RULES, _of_outcome)
    | dict.fromkeys(("immune_best_response", "ipfs"), _of_immunity)
    | dict.fromkeys(("treatment_related_grade_3_4", "immune_event_immunosuppression"), _of_toxicity)
    | {"resistance": _of_resistance}
)
