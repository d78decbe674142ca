"""One patient whose value is explained: what was asked, and the rows that it rests on."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._from_visits import visits_of
from immunosarc.errors import SchemaError

__all__ = [
    "Case",
    "course_of",
    "day_called",
    "recorded",
    "rows_of",
    "rows_used",
    "rule_set_of",
    "table_of",
]


class Case(NamedTuple):
    """One patient's cohort, with what was asked of it."""

    cohort: Cohort
    name: str
    rules: ResponseRules
    reader: str | None

    @property
    def patient(self) -> str:
        """The only patient."""
        return str(self.cohort.patients.index[0])


def course_of(case: Case) -> tuple[pd.DataFrame, pd.Series]:
    visits = visits_of(case.cohort)
    if visits is None:
        raise SchemaError(f"{case.name} is not recorded, and the cohort has neither lesions nor assessments.")
    course = derive_course(
        visits, case.cohort.patients, rules=case.rules, reader=case.reader, on_conflict="exclude_patient"
    )
    if case.reader is not None and "reader" in visits:
        visits = visits[(visits["reader"] == case.reader).fillna(False)]
    return visits, course.iloc[0]


def table_of(case: Case, name: str) -> pd.DataFrame:
    if name not in case.cohort.tables:
        raise SchemaError(f"{case.name} needs the table '{name}', which the cohort does not have.")
    return case.cohort.tables[name]


def rule_set_of(visits: pd.DataFrame, course: pd.Series) -> str:
    of_visits = [*visits["rule_set"].unique()[:1]] if "rule_set" in visits else []
    return " + ".join([*map(str, of_visits), str(course["rule_set"])])


def day_called(visits: pd.DataFrame, value: object) -> float:
    if pd.isna(value):
        return float("nan")
    days = visits.loc[(visits["overall_response"] == value).fillna(False), "study_day"]
    return float(days.min()) if len(days) else float("nan")


def rows_used(case: Case) -> pd.DataFrame:
    """Return the lesion rows, or else the calls, that a response rests on."""
    name = "lesions" if "lesions" in case.cohort.tables else "assessments"
    shown = ("reader", "study_day", "lesion_id", "role", "diameter_mm", "status", "overall_response")
    rows = rows_of(case, name, shown)
    return rows if case.reader is None or "reader" not in rows else rows[rows["reader"] == case.reader]


def rows_of(case: Case, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    table = case.cohort.tables.get(name)
    if table is None:
        return pd.DataFrame()
    kept = table[["row", *(one for one in columns if one in table)]].dropna(axis=1, how="all")
    kept.insert(0, "table", name)
    return kept.sort_values(["study_day", "row"] if "study_day" in kept else ["row"], ignore_index=True)


def recorded(case: Case, names: tuple[str, ...]) -> pd.DataFrame:
    """Return the patient's own columns that were given."""
    patient = case.cohort.patients
    kept = patient[[name for name in names if name in patient]].dropna(axis=1, how="all")
    if kept.shape[1] == 0:
        return pd.DataFrame()
    return kept.assign(table="patients")[["table", *kept.columns]].reset_index(drop=True)
