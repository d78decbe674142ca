"""From ready-made patient columns, or else visits, to one row of endpoints per patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort, marked
from immunosarc.endpoints._conflicts import beside_lesions, exclusions, find_conflicts, of_patients, refuse
from immunosarc.endpoints._course_rules import ResponseRules, chosen_rules
from immunosarc.endpoints._follow_up import overall_survival
from immunosarc.endpoints._from_events import resistance_of, safety_of
from immunosarc.endpoints._from_visits import FromVisits, filled_from_visits

__all__ = ["RULE_SET", "derive"]

RULE_SET = "ready_made/1"
"""The rules of :func:`derive`, with their version: stored in every row of its result."""

_RESPONDERS = ("CR", "PR")
_CONTROLLED = (*_RESPONDERS, "SD")


def derive(
    cohort: Cohort,
    *,
    rules: ResponseRules | str | None = None,
    reader: str | None = None,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> pd.DataFrame:
    r"""Say for each patient whether the tumor responded, and how long the patient did well.

    Rules ``ready_made/1``: the best response and the progression-free days were read by the
    trial team, everything else is derived here. A value that cannot be known is missing and
    its status column says why; it is never counted as a failure.

    - ``objective_response``: CR or PR. ``disease_control``: CR, PR or SD. Missing when the
      best response is NE or absent, or ``response_evaluable`` is false. A patient with NE whom
      ``response_evaluable`` declares evaluable is a non-responder without disease control.
    - ``durable_clinical_benefit``: CR or PR; or SD and progression-free for at least 183 days.
      SD censored earlier is missing, an event earlier is False; so are PD and a declared
      evaluable NE.
    - ``pfs6``: True when ``pfs_days`` > 183, whether an event or censoring followed; False
      after an event on or before day 183; censored on or before day 183 is missing.
    - ``os_days``: as given; else :math:`\text{death\_day} - 1 + 1`, or the last day known
      alive, censored. A death after ``data_cut_day`` is censored at the cut.
    - months are days / 30.4375, with no rounding in between.

    A best response or a progression-free survival that nobody has read is derived from the table
    ``lesions`` (:func:`derive_recist`), or else ``assessments``, by :func:`derive_course`;
    ``rule_set`` then names those rules too. The two safety flags come from ``adverse_events`` and
    ``medications`` in the same way (:func:`derive_toxicity`); resistance (:func:`derive_resistance`) where
    there are visits and doses of a checkpoint inhibitor.

    Definitions: Eisenhauer 2009, doi 10.1016/j.ejca.2008.10.026 (best response).

    Parameters
    ----------
    cohort : Cohort
        ``patients`` may hold any of the ready-made columns of ``schema.PATIENTS``; an absent
        column means missing for everybody. Left unchanged.
    rules : ResponseRules or str, optional
        The protocol's choices for what is derived from visits, or the name of a rule set of
        ``endpoints.RULE_SETS``.
    reader : str, optional
        Whose lesions or calls count; needed when the visits have several readers.
    on_conflict : {"raise", "exclude_patient"}
        What to do with patients whose rows contradict each other (:func:`find_conflicts`): stop with
        all of them, or leave every value of these patients missing, with the contradiction as status.

    Returns
    -------
    DataFrame
        ``schema.OUTCOMES``: one row for every patient, in the cohort's order; days and months,
        events true = happened. A simulated cohort adds a column ``simulated`` ("SIMULATED").

    Raises
    ------
    SchemaError
        When rows contradict each other, with every patient, table and row: alive after death,
        follow-up or visits beyond death or beyond the data cut, ``os_days`` against ``death_day``, and
        all else that :func:`find_conflicts` looks for.

    Examples
    --------
    >>> patients = pd.DataFrame(
    ...     {"best_overall_response": ["PR", "SD"], "pfs_days": [294, 126], "pfs_event": [True, False]},
    ...     index=pd.Index(["P1", "P2"], name="patient_id"),
    ... )
    >>> outcomes = derive(Cohort(patients=patients))
    >>> outcomes["objective_response"].tolist()
    [True, False]
    >>> outcomes["pfs6_status"].tolist()
    ['ok', 'censored progression-free on day 126, before day 183']
    """
    chosen = chosen_rules(rules)
    given = filled_from_visits(_with_every_column(cohort.patients), cohort, rules=chosen, reader=reader)
    excluded = _excluded(cohort, given, on_conflict)
    safe, events = safety_of(cohort, given.patients)
    patients = _without(safe, excluded.index)
    resistance = resistance_of(cohort, given.course, given.patients)
    outcomes = pd.concat(
        [
            patients["best_overall_response"],
            _response(patients),
            _durable_benefit(patients),
            _progression_free_at_six_months(patients),
            _survival(patients),
            patients[["treatment_related_grade_3_4", "immune_event_immunosuppression"]],
            _response_times(given.course, excluded.index),
            None if resistance is None else resistance.where(_kept(resistance, excluded.index), axis=0),
        ],
        axis=1,
    ).assign(rule_set=_rules(given.added, events))
    for name in (
        column for column in schema.OUTCOMES.columns if column.endswith("_status") and column in outcomes
    ):
        outcomes[name] = outcomes[name].mask(outcomes.index.isin(excluded.index), excluded.reindex(outcomes.index))
    return marked(schema.OUTCOMES.check(outcomes), simulated=cohort.simulated)


def _rules(*added: pd.Series) -> pd.Series:
    """Return the names of all rules that gave a patient something."""
    names = pd.Series(RULE_SET, index=added[0].index, dtype="string")
    for one in added:
        names = (names + " + " + one).fillna(names)
    return names


def _excluded(cohort: Cohort, given: FromVisits, on_conflict: str) -> pd.Series:
    """Return the status of the patients whose rows contradict each other, or stop with all of them."""
    found = [*beside_lesions(cohort), *of_patients(given.patients)]
    if on_conflict == "raise":
        among_lesions = len(given.excluded) > 0
        every = find_conflicts(cohort).itertuples(index=False, name=None) if among_lesions else ()
        refuse([*every, *found])
    return exclusions(found).combine_first(given.excluded)


def _without(patients: pd.DataFrame, excluded: pd.Index) -> pd.DataFrame:
    """Return the patients, with nothing recorded of those who are left out."""
    if excluded.empty:
        return patients
    return patients.where(_kept(patients, excluded), axis=0)


def _response_times(course: pd.DataFrame | None, excluded: pd.Index) -> pd.DataFrame | None:
    """Return when the response came and how long it held, where visits say so."""
    if course is None:
        return None
    times = course[["best_overall_response_confirmed", "pfs_reason", "ttr_days", "dor_days", "dor_event"]]
    months = times[["ttr_days", "dor_days"]] / schema.DAYS_PER_MONTH
    named = months.rename(columns=lambda name: name.replace("_days", "_time"))
    return times.join(named).where(_kept(times, excluded), axis=0)


def _kept(table: pd.DataFrame, excluded: pd.Index) -> pd.Series:
    return pd.Series(~table.index.isin(excluded), index=table.index)


def _with_every_column(patients: pd.DataFrame) -> pd.DataFrame:
    """Give the patients every declared column with its type; an absent one is missing."""
    absent = {name: pd.NA for name in schema.PATIENTS.columns if name not in patients}
    numbers = {name: np.nan for name in absent if schema.PATIENTS.columns[name].kind == "number"}
    return schema.PATIENTS.check(patients.assign(**{**absent, **numbers}))


def _response(patients: pd.DataFrame) -> pd.DataFrame:
    best = patients["best_overall_response"]
    status = _response_status(patients)
    known = status == "ok"
    return pd.DataFrame(
        {
            "objective_response": _flag(best.isin(_RESPONDERS), known),
            "disease_control": _flag(best.isin(_CONTROLLED), known),
            "response_status": status,
        }
    )


def _response_status(patients: pd.DataFrame) -> pd.Series:
    best = patients["best_overall_response"]
    declared = patients["response_evaluable"]
    return _first_reason(
        patients.index,
        (best.isna(), "no best overall response recorded"),
        (declared.eq(False), "declared not response-evaluable"),
        (best.eq("NE") & ~declared.eq(True).fillna(False), "best overall response is NE: not evaluable"),
    )


def _durable_benefit(patients: pd.DataFrame) -> pd.DataFrame:
    best = patients["best_overall_response"]
    stable = best.eq("SD").fillna(False)
    lasted = patients["pfs_days"] >= schema.SIX_MONTHS_DAYS
    judged = _response_status(patients)
    status = _first_reason(
        patients.index,
        (judged != "ok", judged),
        (stable & patients["pfs_days"].isna(), "stable disease without progression-free survival"),
        (stable & ~lasted & patients["pfs_event"].eq(False), _censored_early(patients)),
    )
    benefit = best.isin(_RESPONDERS) | (stable & lasted)
    return pd.DataFrame({"durable_clinical_benefit": _flag(benefit, status == "ok"), "durable_status": status})


def _progression_free_at_six_months(patients: pd.DataFrame) -> pd.DataFrame:
    beyond = patients["pfs_days"] > schema.SIX_MONTHS_DAYS
    status = _first_reason(
        patients.index,
        (patients["pfs_days"].isna(), "no progression-free survival recorded"),
        (~beyond & patients["pfs_event"].eq(False), _censored_early(patients)),
    )
    return pd.DataFrame({"pfs6": _flag(beyond, status == "ok"), "pfs6_status": status})


def _censored_early(patients: pd.DataFrame) -> pd.Series:
    limit = schema.SIX_MONTHS_DAYS
    days = patients["pfs_days"]
    place = np.where(days < limit, f"before day {limit}", "and not followed beyond it")
    return "censored progression-free on day " + days.map("{:g}".format).astype("string") + ", " + place


def _survival(patients: pd.DataFrame) -> pd.DataFrame:
    follow_up = {
        "pfs": (patients[["pfs_days", "pfs_event"]], "no progression-free survival recorded"),
        "os": (overall_survival(patients), "no overall survival recorded"),
    }
    parts = []
    for name, (frame, absent) in follow_up.items():
        days = frame[f"{name}_days"]
        status = _first_reason(patients.index, (days.isna(), absent))
        parts.append(frame.assign(**{f"{name}_time": days / schema.DAYS_PER_MONTH, f"{name}_status": status}))
    return pd.concat(parts, axis=1)


def _first_reason(index: pd.Index, *reasons: tuple[pd.Series, str | pd.Series]) -> pd.Series:
    """Return 'ok', or for each patient the first reason that holds."""
    status = pd.Series("ok", index=index, dtype="string")
    for holds, words in reversed(reasons):
        status = status.mask(holds.fillna(False).astype(bool), words)
    return status


def _flag(value: pd.Series, known: pd.Series | Sequence[bool]) -> pd.Series:
    return value.astype("boolean").where(known)
