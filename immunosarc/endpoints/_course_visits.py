"""The called visits of one reader as arrays, one segment per patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.endpoints._segments import Segments
from immunosarc.endpoints._visit_calls import CALLS
from immunosarc.endpoints._visit_reasons import EXCLUDED, NO_BASELINE
from immunosarc.errors import SchemaError, UnknownNameError, did_you_mean, raise_together

__all__ = ["CourseVisits", "VisitsOfPatients", "course_visits", "days_between", "of_reader"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class CourseVisits:
    """Visits after baseline with a call, in the order of patient and day.

    Attributes
    ----------
    patient : ndarray of int
        Row of each visit's patient.
    day : ndarray of int
        Study day of each visit.
    call : ndarray of int
        Index into ``CALLS``.
    n : int
        Number of patients.
    """

    patient: IntArray
    day: IntArray
    call: IntArray
    n: int

    def where(self, keep: BoolArray) -> CourseVisits:
        """Return some of the visits."""
        return CourseVisits(self.patient[keep], self.day[keep], self.call[keep], self.n)

    def called(self, *names: str) -> BoolArray:
        """Return which visits have one of these calls."""
        return np.isin(self.call, [CALLS.index(name) for name in names])

    def any(self, which: BoolArray) -> BoolArray:
        """Return which patients have such a visit."""
        found = np.zeros(self.n, dtype=bool)
        found[self.patient[which]] = True
        return found

    def first_day(self, which: BoolArray) -> FloatArray:
        """Return the day of each patient's first such visit, missing without one."""
        day = np.full(self.n, np.nan)
        day[self.patient[which][::-1]] = self.day[which][::-1]
        return day

    def last_day(self, which: BoolArray) -> FloatArray:
        """Return the day of each patient's last such visit, missing without one."""
        day = np.full(self.n, np.nan)
        day[self.patient[which]] = self.day[which]
        return day

    @property
    def segments(self) -> Segments:
        """The visits of each patient that has any."""
        return Segments.by(self.patient)


class VisitsOfPatients(NamedTuple):
    """The called visits, and of each patient what the rows say beside the calls.

    Attributes
    ----------
    called : CourseVisits
        Visits after day 1 with a call, each once.
    baseline : ndarray of float
        Day of the baseline; 1 unless listed.
    seen, without_baseline : ndarray of bool
        Whether there is any row; whether the rows say that there was no baseline.
    excluded : dict of int to str
        Status of the patients already left out because their rows contradict each other, by position.
    called_twice : dict of int to list of str
        Days with two calls, by position of the patient.
    """

    called: CourseVisits
    baseline: FloatArray
    seen: BoolArray
    without_baseline: BoolArray
    excluded: dict[int, str]
    called_twice: dict[int, list[str]]


def course_visits(visits: pd.DataFrame, patients: pd.Index, reader: str | None) -> VisitsOfPatients:
    """Return the visits of one reader.

    Parameters
    ----------
    visits : DataFrame
        ``schema.RECIST`` or ``schema.ASSESSMENTS``.
    patients : Index
        Every patient, in order.
    reader : str or None
        Whose calls count; needed when there are several readers.
    """
    visits = of_reader(visits, reader)
    row = patients.get_indexer(visits["patient_id"])
    unknown = sorted(set(visits["patient_id"][row < 0]))
    raise_together(SchemaError, "visits", [f"patient {one!r} is not among the patients" for one in unknown[:5]])
    day = visits["study_day"].to_numpy(dtype=np.float64)
    baseline = np.full(len(patients), 1.0)
    seen = np.zeros(len(patients), dtype=bool)
    seen[row] = True
    status_code, statuses = pd.factorize(visits["status"]) if "status" in visits else (np.full(len(row), -1), [])
    at_baseline = _has(status_code, [word == "baseline" for word in statuses])
    baseline[row[at_baseline]] = day[at_baseline]
    without = np.zeros(len(patients), dtype=bool)
    unfounded = _has(status_code, [word == NO_BASELINE for word in statuses])
    without[row[unfounded]] = True
    shut = _has(status_code, [str(word).startswith(EXCLUDED) for word in statuses])
    excluded = dict(zip(row[shut].tolist(), (statuses[code] for code in status_code[shut]), strict=True))
    codes, words = pd.factorize(visits["overall_response"])
    place = np.array([*(CALLS.index(word) for word in words), -1], dtype=np.int64)
    # what was seen without a baseline shows no progression: there is nothing to compare it with
    call = np.where(unfounded & (codes >= 0), CALLS.index("NE"), place[codes])
    kept = np.flatnonzero((call >= 0) & (day > 1))
    order = kept[np.argsort(row[kept] * (1 << 20) + day[kept].astype(np.int64), kind="stable")]
    found = CourseVisits(row[order].astype(np.int64), day[order].astype(np.int64), call[order], len(patients))
    found, twice = _once(found)
    return VisitsOfPatients(found, baseline, seen, without, excluded, twice)


def _has(code: NDArray[Any], wanted: list[bool]) -> BoolArray:
    return np.array([*wanted, False], dtype=bool)[code]


def of_reader(visits: pd.DataFrame, reader: str | None) -> pd.DataFrame:
    """Return the visits of one reader, who must be named when there are several.

    Parameters
    ----------
    visits : DataFrame
        With or without a column ``reader``.
    reader : str or None
    """
    names = sorted(visits["reader"].dropna().unique()) if "reader" in visits else []
    if reader is None:
        if len(names) > 1:
            raise SchemaError(f"visits have {len(names)} readers ({', '.join(names)}). Choose one with reader=.")
        return visits
    if reader not in names:
        raise UnknownNameError(f"no visit of reader {reader!r}.{did_you_mean(reader, names)}")
    return visits[(visits["reader"] == reader).to_numpy(dtype=bool, na_value=False)]


def _once(visits: CourseVisits) -> tuple[CourseVisits, dict[int, list[str]]]:
    """Drop repeated visits; return also the patients with two calls on one day."""
    same = (visits.patient[1:] == visits.patient[:-1]) & (visits.day[1:] == visits.day[:-1])
    differ = np.flatnonzero(same & (visits.call[1:] != visits.call[:-1]))
    twice: dict[int, list[str]] = {}
    for i in differ:
        twice.setdefault(int(visits.patient[i]), []).append(f"day {visits.day[i]} is called twice")
    kept = visits.where(np.append([True], ~same)) if len(visits.day) else visits
    return kept, twice


def days_between(start: NDArray[Any], end: NDArray[Any]) -> NDArray[Any]:
    """Return the days from one study day to another; there is no day 0."""
    elapsed: NDArray[Any] = end - start - ((start < 0) & (end > 0))
    return elapsed
