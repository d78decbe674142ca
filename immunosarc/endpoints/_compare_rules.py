"""Which patients change when a rule changes."""

from __future__ import annotations

import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort
from immunosarc.endpoints._course_rules import ResponseRules, chosen_rules
from immunosarc.endpoints._from_visits import course_of
from immunosarc.errors import SchemaError

__all__ = ["compare_rules"]

_WATCHED = {
    "best_overall_response": "status",
    "best_overall_response_confirmed": "status",
    "pfs_days": "pfs_reason",
    "pfs_event": "pfs_reason",
    "ttr_days": "status",
    "dor_days": "pfs_reason",
    "dor_event": "pfs_reason",
}
"""The columns that are compared, and which column says why."""


def compare_rules(
    cohort: Cohort, first: ResponseRules | str, second: ResponseRules | str, *, reader: str | None = None
) -> pd.DataFrame:
    """Show which patients' response or progression-free survival changes from one rule set to another.

    Parameters
    ----------
    cohort : Cohort
        With the table ``lesions`` or ``assessments``. Left unchanged.
    first, second : ResponseRules or str
        The rules, or the names of rule sets (``endpoints.RULE_SETS``).
    reader : str, optional
        Whose lesions or calls count; needed when the visits have several readers.

    Returns
    -------
    DataFrame
        ``schema.RULE_CHANGES``: one row per patient and value that differs, with both values and both
        reasons; empty when nobody changes. Patients whose rows contradict each other never change.

    Raises
    ------
    SchemaError
        When the cohort has neither lesions nor assessments.

    Examples
    --------
    >>> patients = pd.DataFrame({"new_therapy_day": [60.0]}, index=pd.Index(["P1"], name="patient_id"))
    >>> visits = pd.DataFrame({"patient_id": "P1", "study_day": [43, 85], "overall_response": ["SD", "PD"]})
    >>> cohort = Cohort(patients=patients, tables={"assessments": visits})
    >>> changes = compare_rules(cohort, "recist_1.1_course/1", "every_event/1")
    >>> changes[["column", "before", "after"]].values.tolist()
    [['pfs_days', '43', '85'], ['pfs_event', 'False', 'True']]
    """
    courses = [
        course_of(cohort, cohort.patients, rules=chosen_rules(one), reader=reader) for one in (first, second)
    ]
    if courses[0] is None or courses[1] is None:
        raise SchemaError(
            "the cohort has neither lesions nor assessments: there is nothing that rules could change."
        )
    before, after = courses
    parts = [_changed(before, after, column, reason) for column, reason in _WATCHED.items()]
    table = pd.concat(parts, ignore_index=True)
    place = {patient: row for row, patient in enumerate(cohort.patients.index)}
    ordered = table.sort_values("patient_id", key=lambda ids: ids.map(place), kind="stable", ignore_index=True)
    return schema.RULE_CHANGES.check(ordered)


def _changed(before: pd.DataFrame, after: pd.DataFrame, column: str, reason: str) -> pd.DataFrame:
    one, other = (_words(table[column]) for table in (before, after))
    differ = one.fillna("") != other.fillna("")
    return pd.DataFrame(
        {
            "patient_id": before.index[differ].astype(str),
            "column": column,
            "before": one[differ].to_numpy(),
            "after": other[differ].to_numpy(),
            "reason_before": before.loc[differ, reason].to_numpy(),
            "reason_after": after.loc[differ, reason].to_numpy(),
        }
    ).astype("string")


def _words(values: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(values.dtype):
        return values.map("{:g}".format, na_action="ignore").astype("string")
    return values.astype("string")
