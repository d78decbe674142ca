"""RECIST 1.1 from lesion rows: one row per patient, reader and visit, with the reason where there is no call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.endpoints._lesion_conflicts import note_conflicts
from immunosarc.endpoints._lesion_rows import MICROMETERS, Contradiction, LesionRows, Problems, lesion_rows
from immunosarc.endpoints._quick_check import checked_table
from immunosarc.endpoints._reported import called_twice, with_reported
from immunosarc.endpoints._visit_calls import (
    CALLS,
    NONE,
    NonTargetCalls,
    TargetCalls,
    baseline_visits,
    new_lesions,
    non_target_calls,
    overall,
    targets,
)
from immunosarc.endpoints._visit_reasons import VisitReasons, text
from immunosarc.errors import SchemaError, raise_together

__all__ = ["RECIST_RULES", "derive_recist", "judge", "lesion_conflicts", "read_lesions", "refuse_lesions"]

IntArray = NDArray[np.int64]

RECIST_RULES = "recist_1.1/1"
"""The rules of :func:`derive_recist`, with their version: stored in every row of its result."""


def derive_recist(
    lesions: pd.DataFrame,
    assessments: pd.DataFrame | None = None,
    *,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> pd.DataFrame:
    r"""Call the response of every visit from the lesions measured, by RECIST 1.1.

    Rules ``recist_1.1/1``. Visits are ordered and keyed by day. With B the sum of diameters at
    baseline (the last visit on or before day 1), N the smallest complete sum before the visit and S
    the sum now, in whole micrometers so that no rounding turns a call:

    - CR: every target gone, every nodal target below 10 mm. PD: :math:`S - N \ge 0.2 N` and
      :math:`S - N \ge 5` mm. PR: :math:`B - S \ge 0.3 B`. SD otherwise. PD goes before PR.
    - A target not assessed, treated locally or imaged by another method makes the visit NE, unless
      the other targets alone prove PD. A visit that is not complete is never the nadir.
    - After CR a reappearing lesion is PD; a node only from 10 mm and 5 mm above its own nadir.
    - A new lesion counts from the day it was first seen, also when it was equivocal then and
      unequivocal later; seen on PET alone it is equivocal.

    Definitions: Eisenhauer 2009, doi 10.1016/j.ejca.2008.10.026.

    Parameters
    ----------
    lesions : DataFrame
        ``schema.LESIONS``: one row per lesion and visit, in any order. Rows that repeat another
        change nothing. Left unchanged.
    assessments : DataFrame, optional
        ``schema.ASSESSMENTS``: what the source called at each visit. Never copied: it is set beside
        the derived call, with the reason where the two differ; its visits without lesion rows get a
        row.
    on_conflict : {"raise", "exclude_patient"}
        What to do with a patient whose rows contradict each other: stop with all of them, or give
        the patient's visits no response and the contradiction as their status.

    Returns
    -------
    DataFrame
        ``schema.RECIST``: one row per patient, reader and visit; patients and readers in the order
        of their first row. Responses are missing at and before baseline.

    Raises
    ------
    SchemaError
        When a column is missing or wrong, or rows contradict each other: two sizes of one lesion, a
        lesion that the baseline does not have, more than five targets, a new lesion at baseline.

    Examples
    --------
    >>> lesions = pd.DataFrame(
    ...     {
    ...         "patient_id": "P1", "study_day": [-5, 43, 85, 127], "lesion_id": "T1", "role": "target",
    ...         "diameter_mm": [50.0, 35.0, 25.0, 30.0],
    ...     }
    ... )
    >>> visits = derive_recist(lesions)
    >>> visits["overall_response"].tolist()
    [<NA>, 'PR', 'PR', 'PD']
    >>> visits["status"].tolist()
    ['baseline', 'ok', 'ok', 'ok']
    """
    called, base, problems, rows = read_lesions(lesions, assessments)
    if on_conflict == "raise":
        refuse_lesions(problems, rows)
    visits, against_baseline = _visit_table(rows, base, problems)
    return visits if called is None else with_reported(visits, called, against_baseline)


_CURE = (
    "Correct the rows (one study_day per visit: its earliest scan), or leave these patients without response with "
    "on_conflict='exclude_patient'."
)


def refuse_lesions(problems: Problems, rows: LesionRows) -> None:
    """Stop with every contradiction among the lesions.

    Parameters
    ----------
    problems : dict
        By code of the patient.
    rows : LesionRows
    """
    raise_together(SchemaError, "table 'lesions'", _in_words(problems, rows), cure=_CURE)


def _in_words(problems: Problems, rows: LesionRows) -> list[str]:
    return [
        f"{rows.patients[patient]}: {line.words} (table '{line.table}', row {line.row})"
        for patient, lines in sorted(problems.items())
        for line in lines
    ]


def lesion_conflicts(lesions: pd.DataFrame, assessments: pd.DataFrame | None) -> list[tuple[str, str, int, str]]:
    """Return patient, table, row and words of every contradiction among the lesions.

    Parameters
    ----------
    lesions, assessments : DataFrame
        See :func:`derive_recist`.
    """
    _, _, problems, rows = read_lesions(lesions, assessments)
    return [
        (str(rows.patients[patient]), line.table, line.row, line.words)
        for patient, lines in sorted(problems.items())
        for line in lines
    ]


def read_lesions(
    lesions: pd.DataFrame, assessments: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, IntArray, Problems, LesionRows]:
    """Check both tables; return what was called, the baseline visits, what contradicts itself, and the rows.

    Parameters
    ----------
    lesions, assessments : DataFrame
        See :func:`derive_recist`.
    """
    looked = checked_table(schema.LESIONS, lesions)
    called = None if assessments is None else checked_table(schema.ASSESSMENTS, assessments)
    rows, problems = lesion_rows(looked, called)
    base = baseline_visits(rows)
    note_conflicts(rows, base, problems)
    if called is not None:
        code = {name: place for place, name in enumerate(rows.patients)}
        for row, words in called_twice(called):
            patient = code[called["patient_id"].iloc[row]]
            problems.setdefault(patient, []).append(Contradiction(words, "assessments", row))
    return called, base, problems, rows


class Judged(NamedTuple):
    """The three parts of every visit, and what they add up to; ``rows`` are those at and after baseline."""

    rows: LesionRows
    target: TargetCalls
    non_target: NonTargetCalls
    new: NDArray[np.bool_]
    equivocal: NDArray[np.bool_]
    call: IntArray


def judge(rows: LesionRows, base: IntArray) -> Judged:
    """Call the targets, the non-targets, the new lesions and the whole of every visit.

    Parameters
    ----------
    rows : LesionRows
        All rows.
    base : ndarray of int
        Baseline visit of each series.
    """
    start = base[rows.series]
    followed = rows.where((rows.visit >= start) & (start >= 0))
    target_rows = followed.of("target")
    later = target_rows.visit > base[target_rows.series]
    target = targets(replace(target_rows, changed_method=target_rows.changed_method & later), base)
    non_target = non_target_calls(followed.of("non_target"), base)
    new, equivocal = new_lesions(followed.of("new"))
    return Judged(followed, target, non_target, new, equivocal, overall(target.call, non_target.call, new))


def _visit_table(rows: LesionRows, base: IntArray, problems: Problems) -> tuple[pd.DataFrame, Any]:
    _, target, non_target, new, equivocal, call = judge(rows, base)
    reasons = VisitReasons.of_visits(rows, base)
    unclear = reasons.follow_up & (call == CALLS.index("NE"))
    reasons.explain(unclear, target, non_target)
    judged = reasons.follow_up & ~reasons.exclude(problems, rows)
    measured = target.expected > 0
    series = rows.visits.of
    frame = {
        "patient_id": text(rows.patients, rows.patient[series]),
        "reader": text(rows.readers, rows.reader[series]),
        "study_day": rows.day.astype(np.float64),
        "target_response": text(CALLS, np.where(judged, target.call, NONE)),
        "non_target_response": text(CALLS, np.where(judged, non_target.call, NONE)),
        "new_lesion": text(("no", "equivocal", "yes"), np.where(judged, np.where(new, 2, equivocal), NONE)),
        "overall_response": text(CALLS, np.where(judged, call, NONE)),
        "n_targets": target.expected.astype(np.float64),
        "n_assessed": target.assessed.astype(np.float64),
        "sum_mm": _millimeters(target.total, measured & (target.assessed > 0)),
        "baseline_mm": _millimeters(target.baseline, measured),
        "nadir_mm": _millimeters(target.nadir, measured & reasons.follow_up),
        "nadir_day": np.where(measured & reasons.follow_up, target.nadir_day, np.nan),
        "status": text(reasons.words, reasons.code),
        "rule_set": text((RECIST_RULES,), np.zeros(len(series), dtype=np.int64)),
    }
    visits = pd.DataFrame(frame)
    return visits, text(CALLS, np.where(judged, target.from_baseline, NONE))


def _millimeters(length: IntArray, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(known, length / MICROMETERS, np.nan)
