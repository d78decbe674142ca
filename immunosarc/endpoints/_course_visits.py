"""The called visits of one reader as arrays, one segment per patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.endpoints._segments import Segments
from immunosarc.endpoints._visit_calls import CALLS
from immunosarc.errors import SchemaError, UnknownNameError, did_you_mean, raise_together

__all__ = ["CourseVisits", "course_visits", "days_between", "of_reader"]

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


def course_visits(
    visits: pd.DataFrame, patients: pd.Index, reader: str | None
) -> tuple[CourseVisits, FloatArray, BoolArray]:
    """Return the called visits, the baseline day of each patient (1 unless listed), and who has any row.

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
    if "status" in visits:
        at_baseline = (visits["status"] == "baseline").to_numpy(dtype=bool, na_value=False)
        baseline[row[at_baseline]] = day[at_baseline]
    codes, words = pd.factorize(visits["overall_response"])
    place = np.array([*(CALLS.index(word) for word in words), -1], dtype=np.int64)
    call = place[codes]
    kept = np.flatnonzero((call >= 0) & (day > 1))
    order = kept[np.argsort(row[kept] * (1 << 20) + day[kept].astype(np.int64), kind="stable")]
    found = CourseVisits(row[order].astype(np.int64), day[order].astype(np.int64), call[order], len(patients))
    return _once(found, patients), baseline, seen


def of_reader(visits: pd.DataFrame, reader: str | None) -> pd.DataFrame:
    """Return the visits of one reader; without a choice there must be only one."""
    names = sorted(visits["reader"].dropna().unique()) if "reader" in visits else []
    if reader is None:
        if len(names) > 1:
            raise SchemaError(f"visits have {len(names)} readers ({', '.join(names)}). Choose one with reader=.")
        return visits
    if reader not in names:
        raise UnknownNameError(f"no visit of reader {reader!r}.{did_you_mean(reader, names)}")
    return visits[(visits["reader"] == reader).to_numpy(dtype=bool, na_value=False)]


def _once(visits: CourseVisits, patients: pd.Index) -> CourseVisits:
    """Drop repeated visits; refuse two calls on one day."""
    same = (visits.patient[1:] == visits.patient[:-1]) & (visits.day[1:] == visits.day[:-1])
    differ = np.flatnonzero(same & (visits.call[1:] != visits.call[:-1]))
    lines = [f"{patients[visits.patient[i]]}: day {visits.day[i]} is called twice" for i in differ]
    raise_together(SchemaError, "visits", lines, cure="Keep one call per visit.")
    return visits.where(np.append([True], ~same)) if len(visits.day) else visits


def days_between(start: NDArray[Any], end: NDArray[Any]) -> NDArray[Any]:
    """Return the days from one study day to another; there is no day 0."""
    elapsed: NDArray[Any] = end - start - ((start < 0) & (end > 0))
    return elapsed
