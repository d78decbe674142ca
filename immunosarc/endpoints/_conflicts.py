"""Rows of a cohort that cannot all be true: collected over all tables, with patient, table and row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort
from immunosarc.endpoints._contradictions import contradictions
from immunosarc.endpoints._dosing import mixed_units
from immunosarc.endpoints._recist import lesion_conflicts
from immunosarc.endpoints._reported import called_twice
from immunosarc.endpoints._toxicity import wrong_grades
from immunosarc.endpoints._visit_reasons import EXCLUDED
from immunosarc.errors import SchemaError, raise_together

__all__ = ["OnConflict", "beside_lesions", "exclusions", "find_conflicts", "of_patients", "refuse"]

OnConflict = Literal["raise", "exclude_patient"]

Finding = tuple[str, str, float, str]
"""Patient, table, row, words."""

_CURE = (
    "Correct the dates and rows in the source; every day counts from the first dose = day 1. Or leave these "
    "patients without result with on_conflict='exclude_patient'."
)


def find_conflicts(cohort: Cohort) -> pd.DataFrame:
    """List every row of a cohort that contradicts another: who, in which table, which row, and how.

    Looked for: dates of a patient that exclude each other; anything after death or after the data
    cut; a response called on or before the first day of treatment; two calls of one visit; two sizes
    of one lesion on one day by one reader; lesions that the baseline does not have; sizes not in mm;
    doses of one drug in several units; grades that CTCAE does not have.

    Parameters
    ----------
    cohort : Cohort
        Left unchanged.

    Returns
    -------
    DataFrame
        ``schema.CONFLICTS``: one row per contradiction, in the order of tables and rows; empty when
        there is none. ``row`` counts from 0.

    Examples
    --------
    >>> patients = pd.DataFrame({"death_day": [100]}, index=pd.Index(["P1"], name="patient_id"))
    >>> visits = pd.DataFrame({"patient_id": ["P1"], "study_day": [127], "overall_response": ["SD"]})
    >>> find_conflicts(Cohort(patients=patients, tables={"assessments": visits}))["problem"].tolist()
    ['study_day 127 is after death_day 100']
    """
    lesions, called = cohort.tables.get("lesions"), cohort.tables.get("assessments")
    among_lesions = [] if lesions is None else lesion_conflicts(lesions, called)
    return _table([*among_lesions, *beside_lesions(cohort)])


def _table(found: list[Finding]) -> pd.DataFrame:
    frame = pd.DataFrame(found, columns=list(schema.CONFLICTS.columns)).drop_duplicates(ignore_index=True)
    order = {name: place for place, name in enumerate(["patients", *schema.LONG_TABLES])}
    frame = frame.sort_values(
        ["table", "row"], key=lambda c: c.map(order) if c.name == "table" else c, kind="stable"
    )
    return schema.CONFLICTS.check(frame.reset_index(drop=True))


def beside_lesions(cohort: Cohort) -> list[Finding]:
    """Return all that :func:`find_conflicts` looks for beside the lesions, whose reading takes longest.

    Parameters
    ----------
    cohort : Cohort
    """
    absent = {name: pd.NA for name in schema.PATIENTS.columns if name not in cohort.patients}
    numbers = {name: np.nan for name in absent if schema.PATIENTS.columns[name].kind == "number"}
    patients = schema.PATIENTS.check(cohort.patients.assign(**{**absent, **numbers}))
    found = of_patients(patients)
    called = cohort.tables.get("assessments")
    if called is not None:
        found += _called_too_early(called) + _at_rows("assessments", called, called_twice(called))
    for name, table in cohort.tables.items():
        found += _too_late(name, table, patients)
    events, doses = cohort.tables.get("adverse_events"), cohort.tables.get("exposures")
    found += [] if events is None else _at_rows("adverse_events", events, wrong_grades(events))
    return found + ([] if doses is None else _at_rows("exposures", doses, mixed_units(doses)))


def of_patients(patients: pd.DataFrame) -> list[Finding]:
    """Return the dates of each patient that exclude each other.

    Parameters
    ----------
    patients : DataFrame
        Every column of ``schema.PATIENTS``.
    """
    place = {str(patient): float(row) for row, patient in enumerate(patients.index)}
    return [(patient, "patients", place[patient], words) for patient, words in contradictions(patients)]


def _findings(table: str, frame: pd.DataFrame, wrong: pd.Series, words: pd.Series) -> list[Finding]:
    rows = np.flatnonzero(wrong.fillna(False).to_numpy(dtype=bool))
    who, said = frame["patient_id"], words
    return [(str(who.iloc[row]), table, float(row), str(said.iloc[row])) for row in rows]


def _too_late(name: str, table: pd.DataFrame, patients: pd.DataFrame) -> list[Finding]:
    found: list[Finding] = []
    for column in ("study_day", "end_day"):
        if column not in table or (name == "medications" and column == "end_day"):
            continue
        day = table[column]
        for limit in ("death_day", "data_cut_day"):
            last = table["patient_id"].map(patients[limit]).astype("float64")
            late = day > last
            if late.any():
                words = f"{column} " + day.map("{:g}".format) + f" is after {limit} " + last.map("{:g}".format)
                found += _findings(name, table, late, words)
    return found


def _called_too_early(called: pd.DataFrame) -> list[Finding]:
    if "overall_response" not in called:
        return []
    response = called["overall_response"]
    early = (called["study_day"] <= 1) & response.notna() & (response != "NE")
    words = response.astype("string") + " called on day " + called["study_day"].map("{:g}".format)
    return _findings("assessments", called, early, words + ", before there was anything to compare")


def _at_rows(name: str, table: pd.DataFrame, wrong: Iterable[tuple[int, str]]) -> list[Finding]:
    who = table["patient_id"]
    return [(str(who.iloc[row]), name, float(row), words) for row, words in wrong]


def refuse(conflicts: Iterable[Finding]) -> None:
    """Raise one error with every conflict; do nothing when there is none.

    Parameters
    ----------
    conflicts : iterable of tuple
        Patient, table, row, words.
    """
    distinct = dict.fromkeys(conflicts)
    lines = [f"{patient}: {words} (table '{table}', row {row:g})" for patient, table, row, words in distinct]
    raise_together(SchemaError, "cohort", lines, cure=_CURE)


def exclusions(conflicts: Iterable[Finding]) -> pd.Series:
    """Return for each patient with conflicts the status that says so.

    Parameters
    ----------
    conflicts : iterable of tuple
        Patient, table, row, words.
    """
    said: dict[str, list[str]] = {}
    for patient, _, _, words in dict.fromkeys(conflicts):
        said.setdefault(patient, []).append(words)
    status = [EXCLUDED + "; ".join(dict.fromkeys(lines)) for lines in said.values()]
    return pd.Series(status, index=pd.Index(list(said), dtype=object), dtype="string")
