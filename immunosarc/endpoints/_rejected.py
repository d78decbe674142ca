"""The values that were possible for a patient, each with the reason why it was not taken."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._course_visits import days_between

__all__ = ["rejected_ends", "rejected_responses"]

_ORDER = ("CR", "PR", "SD", "PD", "NE")


def rejected_responses(
    visits: pd.DataFrame, value: str, patient: pd.Series, *, rules: ResponseRules, confirmed: bool
) -> tuple[str, ...]:
    """Return every better response than the one taken, with the reason against it.

    Parameters
    ----------
    visits : DataFrame
        The visit calls of one patient.
    value : str
        The best response taken.
    patient : Series
        The patient's own columns.
    rules : ResponseRules
    confirmed : bool
        Whether CR and PR needed confirmation.
    """
    called = visits[visits["overall_response"].notna() & (visits["study_day"] > 1)].sort_values("study_day")
    calls = called["overall_response"].replace({"NON-CR/NON-PD": "SD"})
    limits = _limits(called, visits, patient)
    better = _ORDER[: _ORDER.index(value)] if value in _ORDER else _ORDER
    found = []
    for name in better:
        days = called.loc[calls == name, "study_day"].tolist()
        found += [
            f"{name} on day {day:g}: {_against(name, day, limits, rules, confirmed=confirmed)}" for day in days
        ]
        if not days:
            found.append(f"{name}: no visit was called {name}")
    return tuple(found)


class Limits(NamedTuple):
    """Days between which a response counts; missing where nothing ends them."""

    baseline: float
    progression: float
    therapy: float


def _limits(called: pd.DataFrame, visits: pd.DataFrame, patient: pd.Series) -> Limits:
    at_baseline = visits.loc[visits["status"] == "baseline", "study_day"] if "status" in visits else called[:0]
    progression = called.loc[called["overall_response"] == "PD", "study_day"].min()
    return Limits(
        float(at_baseline.iloc[0]) if len(at_baseline) else 1.0,
        float(progression),
        float(patient.get("new_therapy_day", np.nan)),
    )


def _against(name: str, day: float, limits: Limits, rules: ResponseRules, *, confirmed: bool) -> str:
    if day > limits.progression:
        return f"after progression on day {limits.progression:g}"
    if day > limits.therapy:
        return f"after another therapy on day {limits.therapy:g}"
    elapsed = float(days_between(np.array(limits.baseline), np.array(day)))
    if elapsed < rules.min_sd_days and name == "SD":
        return f"only {elapsed:g} days after baseline, needs {rules.min_sd_days}"
    if confirmed and name in ("CR", "PR"):
        return f"no later response at least {rules.confirm_days} days after it confirms it"
    return "a reappearance after CR came before it"


def rejected_ends(
    visits: pd.DataFrame, course: pd.Series, patient: pd.Series, *, rules: ResponseRules
) -> tuple[str, ...]:
    """Return every day on which progression-free survival might have ended, with the reason against it.

    Parameters
    ----------
    visits : DataFrame
        The visit calls of one patient.
    course : Series
        The patient's row of ``schema.RESPONSE_COURSE``.
    patient : Series
        The patient's own columns.
    rules : ResponseRules
    """
    end, reason = course["pfs_days"], str(course["pfs_reason"])
    if pd.isna(end):
        return ()
    candidates = {
        "progression": course["progression_day"],
        "death": patient.get("death_day"),
        "another therapy": patient.get("new_therapy_day"),
        "clinical progression": patient.get("clinical_progression_day"),
    }
    found = [
        f"{name} on day {day:g}: {_not_the_end(name, day, course=course, patient=patient, rules=rules)}"
        for name, day in candidates.items()
        if day is not None and not pd.isna(day) and reason != name
    ]
    unclear = visits.loc[
        (visits["overall_response"] == "NE").fillna(False) & (visits["study_day"] > end), "study_day"
    ]
    found += [f"scan on day {day:g}: NE is not an adequate scan" for day in unclear]
    return tuple(found)


def _not_the_end(name: str, day: float, *, course: pd.Series, patient: pd.Series, rules: ResponseRules) -> str:
    end, reason = course["pfs_days"], str(course["pfs_reason"])
    cut = patient.get("data_cut_day")
    if cut is not None and day > cut:
        return f"after the data cut on day {cut:g}"
    if f"missed before {name}" in reason:
        return f"more than {rules.longest_gap_days} days after the last adequate scan on day {end:g}"
    therapy = patient.get("new_therapy_day")
    if name == "another therapy":
        return f"the rules say: new_therapy={rules.new_therapy}"
    if name == "clinical progression" and rules.clinical_progression == "ignore":
        return "nobody imaged it, and the rules ignore such progression"
    if reason.endswith("before another therapy") and therapy is not None:
        return f"after another therapy on day {therapy:g}"
    return f"day {end:g} came first ({reason})"
