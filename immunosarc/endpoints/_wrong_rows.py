"""Rows of one table that cannot be: told together, or as the status of their patients."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from immunosarc.endpoints._visit_reasons import EXCLUDED
from immunosarc.errors import SchemaError, raise_together

__all__ = ["by_patient", "refuse_rows"]


def by_patient(table: pd.DataFrame, wrong: Iterable[tuple[int, str]]) -> dict[str, str]:
    """Return for each patient with wrong rows the status that says so.

    Parameters
    ----------
    table : DataFrame
        With ``patient_id``.
    wrong : iterable of (int, str)
        Row and words.
    """
    said: dict[str, list[str]] = {}
    for row, words in wrong:
        said.setdefault(str(table["patient_id"].iloc[row]), []).append(words)
    return {patient: EXCLUDED + "; ".join(dict.fromkeys(lines)) for patient, lines in said.items()}


def refuse_rows(name: str, table: pd.DataFrame, wrong: Iterable[tuple[int, str]], *, cure: str) -> None:
    """Raise one error with every wrong row, its patient and table; do nothing when there is none.

    Parameters
    ----------
    name : str
        What the table is called.
    table : DataFrame
        With ``patient_id``.
    wrong : iterable of (int, str)
        Row and words.
    cure : str
        How to mend it.
    """
    who = table["patient_id"] if "patient_id" in table else pd.Series(dtype=object)
    lines = [f"{who.iloc[row]}: {words} (table '{name}', row {row})" for row, words in wrong]
    raise_together(SchemaError, f"table '{name}'", lines, cure=cure)
