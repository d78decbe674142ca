"""What the simulated patients were given, what they suffered from it, and what they took against that.

Doses are invented, since the trial's are not public; the order of the drugs is published: in stage 1
doxorubicin begins with the second cycle, in stage 2 with the first. Toxicity agrees with the two
published rates, patient by patient: treatment-related grade 3 or 4, and an immune-mediated event that
needed systemic immunosuppression. The rest is there to be told apart from those: antiemetic
dexamethasone, hormone replacement, a topical steroid, a severe event that no drug caused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["treatment_tables"]

_CYCLE = 21
_NEXT_SCAN = 42  # who was progression-free at the last scan before the data cut is still treated
_DOXORUBICIN_CYCLES = 6
_STREAM = 2000  # far from the streams of the expression and of the scans
_DOX, _PD1, _CTLA4 = "doxorubicin", "balstilimab", "zalifrelimab"
_IMMUNE = f"{_PD1}; {_CTLA4}"
_DOSES = {_DOX: (75.0, "mg/m2", 1), _PD1: (300.0, "mg", 1), _CTLA4: (1.0, "mg/kg", 2)}
"""Amount, unit, and every how many cycles."""

_SEVERE = (
    ("Neutrophil count decreased", 4.0),
    ("Neutrophil count decreased", 3.0),
    ("Anemia", 3.0),
    ("Febrile neutropenia", 3.0),
    ("Platelet count decreased", 3.0),
)
_MILD = (("Nausea", _DOX), ("Alopecia", _DOX), ("Fatigue", f"{_DOX}; {_IMMUNE}"), ("Pruritus", _IMMUNE))
_SUPPRESSED = ("Colitis", "Hepatitis", "Pneumonitis")


@dataclass(frozen=True)
class _Course:
    """One patient's days: each drug's doses, and the last day on which anything is known."""

    patient: str
    doses: dict[str, list[int]]
    known_until: int

    def after(self, drug: str, random: np.random.Generator) -> float:
        """A day between one and two weeks after the first dose, while the patient is known alive."""
        first = self.doses[drug][0]
        return float(min(first + int(random.integers(6, 15)), self.known_until))


def treatment_tables(trial: pd.DataFrame, *, seed: int) -> dict[str, pd.DataFrame]:
    """Return the tables ``exposures``, ``medications`` and ``adverse_events``.

    Parameters
    ----------
    trial : DataFrame
        See ``read_trial``.
    seed : int
        At least 0; doses are the same for every seed, events are not.
    """
    exposures: list[dict[str, Any]] = []
    medications: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for number, (patient, row) in enumerate(trial.iterrows()):
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, number)))
        course = _Course(str(patient), _dose_days(row), _known_until(row))
        exposures += _exposures(course)
        happened = [{"patient_id": course.patient, **event} for event in _events(course, row, random)]
        events += happened
        medications += _medications(course, happened)
    return {
        "exposures": pd.DataFrame(exposures),
        "medications": pd.DataFrame(medications).astype({"event_term": "string"}),
        "adverse_events": pd.DataFrame(events).astype({"immune_mediated": "boolean", "related_to": "string"}),
    }


def _known_until(row: pd.Series) -> int:
    return int(np.nanmin(row[["death_day", "last_alive_day", "data_cut_day"]].astype(float)))


def _dose_days(row: pd.Series) -> dict[str, list[int]]:
    """Cycles go on to the last scan, or to the data cut; one cycle where nobody looked again."""
    unseen = row["best_overall_response"] == "NE"
    ongoing = not row["pfs_event"] and row["data_cut_day"] - row["pfs_days"] < _NEXT_SCAN
    last = _known_until(row) if ongoing else int(row["pfs_days"])
    cycles = [1] if unseen else list(range(1, max(last, 2), _CYCLE))
    late = 1 if row["schedule_stage"] == "1" else 0
    days = {drug: cycles[:: every[2]] for drug, every in _DOSES.items() if drug != _DOX}
    return {_DOX: cycles[late : late + _DOXORUBICIN_CYCLES], **days}


def _exposures(course: _Course) -> list[dict[str, Any]]:
    return [
        {
            "patient_id": course.patient,
            "study_day": float(day),
            "drug": drug,
            "dose": _DOSES[drug][0],
            "dose_unit": _DOSES[drug][1],
            "planned_dose": _DOSES[drug][0],
        }
        for drug, days in course.doses.items()
        for day in days
    ]


def _events(course: _Course, row: pd.Series, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    for term, drugs in _MILD:
        cause = drugs.split("; ")[0]
        if course.doses[cause] and random.random() < 0.5:
            yield _event(course, term, float(random.integers(1, 3)), cause, random, related_to=drugs)
    if row["treatment_related_grade_3_4"]:
        term, grade = _SEVERE[int(random.integers(len(_SEVERE)))]
        yield _event(course, term, grade, _DOX, random, related_to=_DOX)
    elif random.random() < 0.15:
        yield _event(course, "Tumor pain", 3.0, _PD1, random, related_to="none")
    if row["immune_event_immunosuppression"]:
        grade = 3.0 if row["treatment_related_grade_3_4"] else 2.0
        term = str(random.choice(_SUPPRESSED))
        yield _event(course, term, grade, _PD1, random, related_to=_IMMUNE, immune_mediated=True)
        return
    if random.random() < 0.2:
        term = str(random.choice(["Hypothyroidism", "Rash maculo-papular"]))
        yield _event(course, term, 2.0, _PD1, random, related_to=_IMMUNE, immune_mediated=True)


def _event(
    course: _Course,
    term: str,
    grade: float,
    after: str,
    random: np.random.Generator,
    *,
    related_to: str,
    immune_mediated: bool = False,
) -> dict[str, Any]:
    return {
        "study_day": course.after(after, random),
        "term": term,
        "grade": grade,
        "related_to": related_to,
        "immune_mediated": immune_mediated,
    }


_ANTIEMETIC = "antiemetic prophylaxis"
_TREATED_WITH = {
    "Hypothyroidism": ("levothyroxine", "oral", 180),
    "Rash maculo-papular": ("hydrocortisone cream", "topical", 14),
    **dict.fromkeys(_SUPPRESSED, ("prednisone", "oral", 42)),
}
"""Drug, route and days against each immune-mediated event; prednisone alone suppresses."""


def _medications(course: _Course, events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for day in course.doses[_DOX]:
        yield _medication(course, "dexamethasone", "intravenous", float(day), 1, indication=_ANTIEMETIC)
    for event in events:
        if event["term"] in _TREATED_WITH:
            drug, route, days = _TREATED_WITH[event["term"]]
            yield _medication(
                course,
                drug,
                route,
                event["study_day"],
                days,
                indication=event["term"],
                event_term=event["term"],
            )


def _medication(
    course: _Course,
    drug: str,
    route: str,
    day: float,
    days: int,
    *,
    indication: str,
    event_term: str | None = None,
) -> dict[str, Any]:
    return {
        "patient_id": course.patient,
        "study_day": day,
        "end_day": float(min(day + days - 1, course.known_until)),
        "drug": drug,
        "route": route,
        "indication": indication,
        "event_term": event_term,
    }
