"""A table schema: which columns, of what kind, with which values, and the sentence when not.

pandera does the checking; its failure cases become :class:`Problem` records that name the
column, the values and the rows, so that a loader can add the file and the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray

from immunosarc.errors import SchemaError, raise_together

__all__ = ["Column", "Problem", "Table"]

Kind = Literal["text", "number", "flag"]
_DTYPES: dict[str, str] = {"text": "string", "number": "float64", "flag": "boolean"}
_KIND_WORDS = {"text": "text", "number": "a number", "flag": "true or false"}
_SHOWN = 5


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    kind : {"text", "number", "flag"}
        Text is pandas ``string``, a number ``float64`` (missing = NaN), a flag ``boolean``.
    meaning : str
        What it holds, with its unit.
    required : bool
        Whether the column must be there.
    filled : bool
        Whether every row must have a value.
    values : tuple of str
        The allowed values; empty means any.
    low, high : float, optional
        Inclusive limits of a number.
    """

    kind: Kind
    meaning: str
    required: bool = False
    filled: bool = False
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a table.

    Attributes
    ----------
    column : str
        Where.
    what : str
        What is wrong, without the place.
    rows : tuple of int
        Positions in the table (0 = first row); empty when it concerns the whole column.
    """

    column: str
    what: str
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.rows:
            return f"{self.column}: {self.what}"
        more = f" and {len(self.rows) - _SHOWN} more" if len(self.rows) > _SHOWN else ""
        return f"{self.column}: {self.what} at rows {list(self.rows[:_SHOWN])}{more}"


RowRule = Callable[[pd.DataFrame], list[Problem]]


@dataclass(frozen=True)
class Table:
    """The schema of one table; columns that it does not name are kept as they are.

    Parameters
    ----------
    name : str
        What the table is called in messages.
    columns : mapping of str to Column
        In their order.
    index : str, optional
        The name of the index, which must then be unique text.
    rules : tuple of callable, optional
        Checks that look at several columns; each returns its problems.
    only_declared : bool, optional
        Refuse columns that are not declared.

    Examples
    --------
    >>> table = Table("doses", {"dose_mg": Column("number", "mg", required=True, low=0)})
    >>> table.check(pd.DataFrame({"dose_mg": [75]}))["dose_mg"].tolist()
    [75.0]
    """

    name: str
    columns: Mapping[str, Column]
    index: str | None = None
    rules: tuple[RowRule, ...] = field(default=())
    only_declared: bool = False

    def check(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the table with its declared types, or raise with every problem at once.

        Parameters
        ----------
        frame : DataFrame
            Left unchanged. The index column may stand among the columns.

        Returns
        -------
        DataFrame
            Declared columns first and in the declared order, then the others.

        Raises
        ------
        SchemaError
            When anything is missing, of the wrong kind or not allowed.
        """
        table, found = self.examined(frame)
        raise_together(SchemaError, f"table '{self.name}'", [str(problem) for problem in found])
        return table

    def problems(self, frame: pd.DataFrame) -> list[Problem]:
        """Return every problem of a table; the list is empty when it is right."""
        return self.examined(frame)[1]

    def examined(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
        """Return the table with its declared types and no problem; or as it came, with every problem."""
        placed = self._prepared(frame)
        found = self._structure_problems(placed) + self._value_problems(placed)
        if found:
            return frame, found
        table = self._coerce(placed)
        found = [problem for rule in self.rules for problem in rule(table)]
        return (frame, found) if found else (table, found)

    def empty(self) -> pd.DataFrame:
        """Return the table with its required columns and no rows."""
        names = [name for name, column in self.columns.items() if column.required]
        return self._coerce(
            pd.DataFrame(
                {name: pd.Series(dtype=_DTYPES[self.columns[name].kind]) for name in names},
                index=pd.Index([], name=self.index, dtype=object) if self.index else None,
            )
        )

    def dictionary(self) -> pd.DataFrame:
        """Return the data dictionary: one row per declared column."""
        return pd.DataFrame(
            [
                {
                    "column": name,
                    "kind": column.kind,
                    "required": column.required,
                    "values": ", ".join(column.values),
                    "meaning": column.meaning,
                }
                for name, column in self.columns.items()
            ]
        )

    def _prepared(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With the index in its place; an empty cell of a text column is a missing value."""
        placed = frame.set_index(self.index) if self.index and self.index in frame.columns else frame
        blank = {
            name: placed[name].mask(empty)
            for name, column in self.columns.items()
            if column.kind == "text" and name in placed.columns and not placed.columns.has_duplicates
            if (empty := _blank_cells(placed[name])).any()
        }
        unknown = {
            name: placed[name].astype(object).where(placed[name].notna(), np.nan)
            for name, column in self.columns.items()
            if column.kind == "number" and name in placed.columns and not placed.columns.has_duplicates
            if placed[name].dtype == object
        }
        return placed.assign(**blank, **unknown) if blank or unknown else placed

    def _structure_problems(self, frame: pd.DataFrame) -> list[Problem]:
        found = [
            Problem(name, "column is missing")
            for name, column in self.columns.items()
            if column.required and name not in frame.columns
        ]
        if self.only_declared:
            found += [
                Problem(str(name), "column is not part of this table")
                for name in frame.columns
                if name not in self.columns
            ]
        repeated_columns = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        found += [Problem(name, "column occurs twice") for name in repeated_columns]
        return found + self._index_problems(frame)

    def _index_problems(self, frame: pd.DataFrame) -> list[Problem]:
        if self.index is None:
            return []
        if len(frame) and isinstance(frame.index, pd.RangeIndex) and frame.index.name != self.index:
            return [Problem(self.index, "column is missing")]
        ids = pd.Series(frame.index, dtype=object)
        blank = ids.isna() | (ids.astype(str).str.strip() == "")
        found = []
        if blank.any():
            found.append(Problem(self.index, "no value", _positions(blank)))
        repeated = ids.duplicated(keep=False) & ~blank
        if repeated.any():
            names = list(dict.fromkeys(ids[repeated].astype(str)))
            found.append(Problem(self.index, f"repeated {names[:_SHOWN]}", _positions(repeated)))
        return found

    def _value_problems(self, frame: pd.DataFrame) -> list[Problem]:
        if frame.columns.has_duplicates:
            return []
        doubtful = {
            name: _pandera_column(column)
            for name, column in self.columns.items()
            if name in frame.columns and not _plainly_right(frame[name], column)
        }
        if not doubtful:
            return []
        plain = frame[list(doubtful)].reset_index(drop=True)
        try:
            pa.DataFrameSchema(doubtful, strict=False).validate(plain, lazy=True)
        except pa.errors.SchemaErrors as failure:
            return self._translate(plain, failure.failure_cases)
        return []

    def _translate(self, frame: pd.DataFrame, cases: pd.DataFrame) -> list[Problem]:
        found = []
        for name in dict.fromkeys(cases["column"].dropna()):
            if name not in frame.columns:
                continue
            in_words = _column_problems(frame[name], self.columns[name], name)
            checks = ", ".join(map(str, cases.loc[cases["column"] == name, "check"].unique()))
            found += in_words or [Problem(str(name), f"fails {checks}")]
        return found

    def _coerce(self, frame: pd.DataFrame) -> pd.DataFrame:
        declared = [name for name in self.columns if name in frame.columns]
        others = [name for name in frame.columns if name not in self.columns]
        wanted = {name: _DTYPES[self.columns[name].kind] for name in declared}
        types = {name: dtype for name, dtype in wanted.items() if frame.dtypes[name] != dtype}
        result = frame[[*declared, *others]].astype(types)
        if self.index:
            result.index = pd.Index(result.index.astype(str), name=self.index, dtype=object)
        result.attrs = dict(frame.attrs)
        return result


def _blank_cells(values: pd.Series) -> NDArray[np.bool_]:
    """Return which cells hold nothing but spaces; each distinct text is looked at once."""
    try:
        codes, texts = pd.factorize(values)
    except TypeError:  # cells such as lists, which the kind of the column refuses next
        codes, texts = pd.factorize(values.astype("string"))
    return np.array([*(str(text).strip() == "" for text in texts), False], dtype=bool)[codes]


def _positions(mask: pd.Series) -> tuple[int, ...]:
    return tuple(int(i) for i in mask.to_numpy(dtype=bool).nonzero()[0])


def _plainly_right(values: pd.Series, column: Column) -> bool:
    """Say whether a column is right at a glance; only the others need pandera, which is slow for small tables."""
    if column.filled and values.isna().any():
        return False
    if column.kind == "number":
        if not pd.api.types.is_float_dtype(values) and not pd.api.types.is_integer_dtype(values):
            return False
        known = values.dropna()
        return (column.low is None or bool((known >= column.low).all())) and (
            column.high is None or bool((known <= column.high).all())
        )
    if column.kind == "flag":
        return pd.api.types.is_bool_dtype(values)
    if not isinstance(values.dtype, pd.StringDtype) and pd.api.types.infer_dtype(values) not in (
        "string",
        "empty",
    ):
        return False
    return not column.values or bool(values.dropna().isin(column.values).all())


def _pandera_column(column: Column) -> pa.Column:
    checks: list[Any] = []
    if column.values:
        checks.append(pa.Check.isin(column.values))
    if column.low is not None:
        checks.append(pa.Check.ge(column.low))
    if column.high is not None:
        checks.append(pa.Check.le(column.high))
    return pa.Column(
        _DTYPES[column.kind], checks, nullable=not column.filled, required=column.required, coerce=True
    )


def _column_problems(values: pd.Series, column: Column, name: str) -> list[Problem]:
    """Say in words what pandera found in one column."""
    found = []
    missing = values.isna()
    if column.filled and missing.any():
        found.append(Problem(name, "no value", _positions(missing)))
    converted, wrong = _convert(values, column.kind)
    if wrong.any():
        shown = list(dict.fromkeys(map(str, values[wrong])))[:_SHOWN]
        found.append(Problem(name, f"{shown} is not {_KIND_WORDS[column.kind]}", _positions(wrong)))
        missing = missing | wrong
    if column.values:
        outside = ~converted.isin(column.values) & ~missing
        if outside.any():
            shown = list(dict.fromkeys(map(str, values[outside])))[:_SHOWN]
            found.append(Problem(name, f"{shown} not in {list(column.values)}", _positions(outside)))
    if column.low is not None and (below := (converted < column.low) & ~missing).any():
        found.append(Problem(name, f"below {column.low:g}", _positions(below)))
    if column.high is not None and (above := (converted > column.high) & ~missing).any():
        found.append(Problem(name, f"above {column.high:g}", _positions(above)))
    return found


def _convert(values: pd.Series, kind: Kind) -> tuple[pd.Series, pd.Series]:
    if kind == "number":
        converted = pd.to_numeric(values, errors="coerce")
        return converted, converted.isna() & values.notna()
    if kind == "flag":
        return values, ~values.isin([True, False, 0, 1]) & values.notna()
    return values.astype("string"), pd.Series(False, index=values.index)
