"""A long table checked by its schema, without looking at every row twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema

__all__ = ["checked_table"]


def checked_table(table: schema.Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table that its schema accepts, its text columns as categories.

    Looking at each distinct text once is much faster than looking at each row; the schema itself
    is asked, and speaks, only when something is wrong.
    """
    light = _light(table, frame)
    if light is None or any(rule(light) for rule in table.rules):
        light = _light(table, table.check(frame))
    if light is None:
        raise RuntimeError(f"table '{table.name}' passes its schema but not the quick look")
    return light


def _light(table: schema.Table, frame: pd.DataFrame) -> pd.DataFrame | None:
    if frame.columns.has_duplicates:
        return None
    columns: dict[str, Any] = {}
    for name, column in table.columns.items():
        if name not in frame.columns:
            if column.required:
                return None
            continue
        taken = _COLUMN_READERS[column.kind](frame[name], column)
        if taken is None:
            return None
        columns[name] = taken
    return pd.DataFrame(columns)


def _categories(values: pd.Series, column: schema.Column) -> pd.Categorical | None:
    codes, names = pd.factorize(values)
    plain = all(isinstance(name, str) and name.strip() for name in names)
    allowed = not column.values or set(names) <= set(column.values)
    if not (plain and allowed) or (column.filled and (codes < 0).any()):
        return None
    return pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype=object))


def _numbers(values: pd.Series, column: schema.Column) -> NDArray[np.float64] | None:
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return None
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    wrong = (numbers < low) | (numbers > high) | (np.isnan(numbers) & column.filled)
    return None if wrong.any() else numbers


def _flags(values: pd.Series, column: schema.Column) -> NDArray[np.bool_] | None:
    if not pd.api.types.is_bool_dtype(values.dtype):
        return None
    return values.to_numpy(dtype=bool, na_value=False)


_COLUMN_READERS: dict[str, Any] = {"text": _categories, "number": _numbers, "flag": _flags}
