"""Lesion rows as arrays: whole micrometers, visits in order of date, one row per lesion and visit."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.endpoints._segments import Segments

__all__ = ["MICROMETERS", "UNKNOWN", "Contradiction", "LesionRows", "Problems", "lesion_rows", "note"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
TextArray = NDArray[np.object_]


class Contradiction(NamedTuple):
    """What contradicts what, and where: position of the row in its table, 0 = first."""

    words: str
    table: str
    row: int


Problems = dict[int, list[Contradiction]]
"""By code of the patient."""

MICROMETERS = 1000
"""Per millimeter: sizes are whole numbers, so that exactly -30% is -30%."""

UNKNOWN = -1
"""The size of a lesion that was not assessed."""

_TOO_SMALL = 5 * MICROMETERS
_ROLES = list(schema.LESION_STATUS)
_DAY_BITS, _DAY_ZERO = 18, 1 << 17


@dataclass(frozen=True)
class LesionRows:
    """Lesion rows in the order of patient, reader, day and lesion.

    Attributes
    ----------
    visit, series, lesion, role, status, size : ndarray of int
        Of each row: position of the visit; its series (one patient, one reader); code of the
        lesion, unique over series; index into the roles; index into ``states``; micrometers or
        ``UNKNOWN``.
    nodal, pet, changed_method : ndarray of bool
        Of each row: a lymph node; seen on PET alone; imaged otherwise than at first.
    source : ndarray of int
        Position of each row in the table it came from.
    visits : Segments
        One entry per visit, one segment per series.
    day : ndarray of int
        Study day of each visit.
    listed : ndarray of bool
        Of each visit: whether any lesion was listed.
    patient, reader : ndarray of int
        Of each series; a reader of -1 is missing.
    patients, readers, names, states : ndarray of object
        The words of the codes; the name of a lesion is ``names[lesion % len(names)]``.
    """

    visit: IntArray
    series: IntArray
    lesion: IntArray
    role: IntArray
    status: IntArray
    size: IntArray
    nodal: BoolArray
    pet: BoolArray
    changed_method: BoolArray
    source: IntArray
    visits: Segments
    day: IntArray
    listed: BoolArray
    patient: IntArray
    reader: IntArray
    patients: TextArray
    readers: TextArray
    names: TextArray
    states: TextArray

    def where(self, keep: NDArray[Any]) -> LesionRows:
        """Return some of the rows, or the rows in another order; visits and names stay."""
        if keep.dtype == bool and keep.all():
            return self
        per_row = [field.name for field in fields(self)][:_PER_ROW]
        return replace(self, **{name: getattr(self, name)[keep] for name in per_row})

    def of(self, role: str) -> LesionRows:
        """Return the rows of a role."""
        return self.where(self.role == _ROLES.index(role))

    def stated(self, *names: str) -> BoolArray:
        """Return which rows have one of these statuses."""
        wanted = np.append(np.isin(self.states, names), [False])
        return wanted[self.status]

    def per_visit(self, counted: NDArray[Any]) -> IntArray:
        """Return the sum over the rows of each visit."""
        total = np.bincount(self.visit, weights=counted, minlength=len(self.day))
        return total.astype(np.int64)


_PER_ROW = 10


def lesion_rows(lesions: pd.DataFrame, assessments: pd.DataFrame | None) -> tuple[LesionRows, Problems]:
    """Return the rows as arrays, and by code of the patient what contradicts itself.

    Parameters
    ----------
    lesions : DataFrame
        ``schema.LESIONS`` as :func:`checked_table` returns it.
    assessments : DataFrame, optional
        ``schema.ASSESSMENTS``; adds the visits at which no lesion was listed.
    """
    tables = [lesions] if assessments is None else [lesions, assessments]
    patient, patients = _codes([table["patient_id"] for table in tables])
    reader, readers = _codes([_text(table, "reader") for table in tables])
    days = np.concatenate([table["study_day"].to_numpy() for table in tables])
    problems = _day_problems(patient, days, len(lesions))
    _unit_problems(lesions, patient, problems)
    slots = len(readers) + 1
    key = ((patient * slots + reader + 1) << _DAY_BITS) + np.clip(days, 1 - _DAY_ZERO, _DAY_ZERO - 1).astype(
        np.int64
    )
    key, visit = np.unique(key + _DAY_ZERO, return_inverse=True)
    visits = Segments.by(key >> _DAY_BITS)
    series_key = (key >> _DAY_BITS)[visits.start]
    visit = visit[: len(lesions)].astype(np.int64)
    name, parent, names = _names(lesions)
    rows = LesionRows(
        visit=visit,
        series=visits.of[visit],
        lesion=visits.of[visit] * len(names) + name,
        role=_recoded(lesions["role"], _ROLES),
        status=_text(lesions, "status").cat.codes.to_numpy().astype(np.int64),
        size=_sizes(lesions),
        nodal=_nodal(lesions),
        pet=_pet_alone(lesions),
        changed_method=np.zeros(len(lesions), dtype=bool),
        source=np.arange(len(lesions)),
        visits=visits,
        day=(key & (2 * _DAY_ZERO - 1)) - _DAY_ZERO,
        listed=np.bincount(visit, minlength=len(key)) > 0,
        patient=series_key // slots,
        reader=series_key % slots - 1,
        patients=patients,
        readers=readers,
        names=names,
        states=np.asarray(_text(lesions, "status").cat.categories, dtype=object),
    )
    return _distinct(rows, parent, _text(lesions, "method"), problems), problems


def _text(table: pd.DataFrame, name: str) -> pd.Series:
    if name in table:
        return table[name]
    nothing = np.full(len(table), -1)
    return pd.Series(pd.Categorical.from_codes(nothing, categories=pd.Index([], dtype=object)))


def _codes(columns: list[pd.Series]) -> tuple[IntArray, TextArray]:
    """Return one code per row over all columns, -1 where missing, and the words."""
    words = np.concatenate([np.asarray(column.cat.categories, dtype=object) for column in columns])
    new, names = pd.factorize(words)
    parts, at = [], 0
    for column in columns:
        size = len(column.cat.categories)
        recode = np.append(new[at : at + size], -1)
        parts.append(recode[column.cat.codes.to_numpy()])
        at += size
    return np.concatenate(parts).astype(np.int64), np.asarray(names, dtype=object)


def _recoded(column: pd.Series, words: list[str]) -> IntArray:
    recode = np.array([words.index(word) for word in column.cat.categories], dtype=np.int64)
    codes: IntArray = recode[column.cat.codes.to_numpy()]
    return codes


def _day_problems(patient: IntArray, days: NDArray[np.float64], n_lesions: int) -> Problems:
    wrong = np.flatnonzero((days != np.floor(days)) | (np.abs(days) >= _DAY_ZERO))
    problems: Problems = {}
    for i in wrong:
        table, row = ("lesions", int(i)) if i < n_lesions else ("assessments", int(i) - n_lesions)
        words = f"study_day {days[i]:g} is not a whole day of a trial"
        problems.setdefault(int(patient[i]), []).append(Contradiction(words, table, row))
    return problems


def _unit_problems(lesions: pd.DataFrame, patient: IntArray, problems: Problems) -> None:
    unit = _text(lesions, "diameter_unit")
    strange = unit.notna() & (unit != "mm")
    for i in np.flatnonzero(strange.to_numpy(dtype=bool)):
        words = f"diameter in {unit.iloc[i]!r}, need mm"
        problems.setdefault(int(patient[i]), []).append(Contradiction(words, "lesions", int(i)))


def _names(lesions: pd.DataFrame) -> tuple[IntArray, IntArray, TextArray]:
    """Return the code of each row's lesion and of the lesion it belongs to: a part's name ends in dot, part."""
    column = lesions["lesion_id"]
    words = list(column.cat.categories)
    whole = [word.rpartition(".")[0] or word for word in words]
    all_words = list(dict.fromkeys([*words, *whole]))
    place = {word: i for i, word in enumerate(all_words)}
    codes = column.cat.codes.to_numpy().astype(np.int64)
    split = (_text(lesions, "status") == "split").to_numpy(dtype=bool)
    parents = np.array([place[word] for word in whole], dtype=np.int64)
    return codes, np.where(split, parents[codes], codes), np.asarray(all_words, dtype=object)


def _sizes(lesions: pd.DataFrame) -> IntArray:
    """Return micrometers; absent and merged are 0, too small to measure is 5 mm unless a size is given."""
    given = lesions["diameter_mm"].to_numpy() if "diameter_mm" in lesions else np.full(len(lesions), np.nan)
    known = ~np.isnan(given)
    size = np.where(known, np.rint(np.where(known, given, 0.0) * MICROMETERS), UNKNOWN).astype(np.int64)
    said = _text(lesions, "status")
    size[said.isin(["absent", "merged"]).to_numpy()] = 0
    size[(said == "too_small").to_numpy(dtype=bool) & ~known] = _TOO_SMALL
    size[said.isin(["treated", "not_assessed"]).to_numpy()] = UNKNOWN
    return size


def _nodal(lesions: pd.DataFrame) -> BoolArray:
    return lesions["nodal"].to_numpy() if "nodal" in lesions else np.zeros(len(lesions), dtype=bool)


def _pet_alone(lesions: pd.DataFrame) -> BoolArray:
    method = _text(lesions, "method")
    alone = [str(word).upper() for word in method.cat.categories]
    codes = method.cat.codes.to_numpy()
    return np.array([*("PET" in word and "CT" not in word for word in alone), False], dtype=bool)[codes]


def _distinct(rows: LesionRows, parent: IntArray, method: pd.Series, problems: Problems) -> LesionRows:
    """Sort; drop repeated rows; note rows of one lesion and visit that differ; add the parts of a split lesion."""
    n_names = len(rows.names)
    imaging = method.cat.codes.to_numpy()
    order = np.argsort(rows.visit * n_names + rows.lesion % n_names, kind="stable")
    rows, parent, imaging = rows.where(order), parent[order], imaging[order]
    same = (rows.visit[1:] == rows.visit[:-1]) & (rows.lesion[1:] == rows.lesion[:-1])
    equal = same.copy()
    for values in (rows.role, rows.status, rows.size, rows.nodal, imaging):
        equal &= values[1:] == values[:-1]
    for i in np.flatnonzero(same & ~equal):
        note(problems, rows, int(i), "two different rows for lesion {lesion} on day {day}{reader}")
    keep = np.append([True], ~same) if len(rows.visit) else np.zeros(0, dtype=bool)
    rows, parent, imaging = rows.where(keep), parent[keep], imaging[keep]
    rows = replace(rows, changed_method=_changed(rows, imaging))
    return _with_parts_added(rows, parent)


def note(problems: Problems, rows: LesionRows, row: int, words: str) -> None:
    """Add a sentence about a row to the problems of its patient."""
    series = rows.series[row]
    reader = rows.readers[rows.reader[series]] if rows.reader[series] >= 0 else None
    said = words.format(
        lesion=rows.names[rows.lesion[row] % len(rows.names)],
        day=rows.day[rows.visit[row]],
        reader=f" (reader {reader})" if reader is not None else "",
    )
    lines = problems.setdefault(int(rows.patient[series]), [])
    if said not in [line.words for line in lines]:
        lines.append(Contradiction(said, "lesions", int(rows.source[row])))


def _changed(rows: LesionRows, imaging: NDArray[Any]) -> BoolArray:
    """Return which rows were imaged by another method than the lesion's first row."""
    if not len(imaging) or imaging.min() == imaging.max():
        return np.zeros(len(imaging), dtype=bool)
    order = np.lexsort((rows.visit, rows.lesion))
    lesions = Segments.by(rows.lesion[order])
    first = imaging[order][lesions.start][lesions.of]
    changed = np.zeros(len(imaging), dtype=bool)
    changed[order] = (first != imaging[order]) & (first >= 0) & (imaging[order] >= 0)
    return changed


def _with_parts_added(rows: LesionRows, parent: IntArray) -> LesionRows:
    split = rows.stated("split")
    if not split.any():
        return rows
    whole = rows.series * len(rows.names) + np.where(split, parent, rows.lesion % len(rows.names))
    key = rows.visit * len(rows.names) + whole % len(rows.names)
    order = np.argsort(key, kind="stable")
    groups = Segments.by(key[order])
    size = rows.size[order]
    total = np.where(groups.total(size == UNKNOWN) > 0, UNKNOWN, groups.total(size))
    first = replace(rows, lesion=whole).where(order[groups.start])
    return replace(first, size=total)
