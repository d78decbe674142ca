"""A SAS data set (transport file, version 5, or sas7bdat) as tab-separated text."""

from __future__ import annotations

import csv
import io
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pandas as pd

from immunosarc.loaders._workbook import cell_text

__all__ = ["SAS_FORMATS", "sas_text"]

SAS_FORMATS: Mapping[str, Literal["xport", "sas7bdat"]] = {".xpt": "xport", ".sas7bdat": "sas7bdat"}
"""Endings of names -> how pandas calls the format."""

_ZERO = 16.0**-65
"""What pandas makes of the eight zero bytes that mean 0 in a transport file."""
_CARD = 80
_EPOCH = pd.Timestamp("1960-01-01")
_DATES = ("DATE", "E8601DA", "YYMMDD", "DDMMYY", "MMDDYY", "IS8601DA", "B8601DA")
_MOMENTS = ("DATETIME", "E8601DT", "IS8601DT", "B8601DT", "E8601DN")


def sas_text(data: bytes, form: Literal["xport", "sas7bdat"], fault: Callable[[str], None]) -> bytes | None:
    """Return a SAS data set as tab-separated UTF-8 text; None when it cannot be, and why is told.

    Line 1 is the names of the variables; row r of the data set is line r + 1. Numbers with a date
    format become YYYY-MM-DD, missing ones are empty.

    Parameters
    ----------
    data : bytes
        The file.
    form : {"xport", "sas7bdat"}
        A transport file of version 5, or a data set as SAS stores it.
    fault : callable
        Takes the sentence about what is wrong.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about dates that pandas cannot hold; they are told below
            frame = _frame(data, form)
        text = io.StringIO()
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        writer.writerow(frame.columns)
        writer.writerows([_cell(value) for value in row] for row in frame.itertuples(index=False, name=None))
    except Exception as failure:  # pandas has no common class for what damaged files raise
        what = f"cannot be read as a SAS data set ({type(failure).__name__}: {str(failure)[:200]})"
        fault(f"{what}; export it again, as transport file version 5 (.xpt) or as text (.csv)")
        return None
    return text.getvalue().encode()


def _frame(data: bytes, form: Literal["xport", "sas7bdat"]) -> pd.DataFrame:
    if form == "sas7bdat":
        return pd.read_sas(io.BytesIO(data), format=form, encoding="utf-8")
    if len(data) % _CARD:
        raise ValueError(f"its length is no multiple of {_CARD} bytes, so it was cut or altered")
    reader: Any
    with pd.read_sas(io.BytesIO(data), format=form, iterator=True) as reader:
        reader.nobs = _records(data, reader.record_start, reader.record_length)
        fields: list[Mapping[str, Any]] = list(reader.fields)
        frame = reader.read()
    for column, one in zip(frame.columns, fields, strict=True):
        frame[column] = _typed(frame[column], _format(one))
    return frame


def _records(data: bytes, start: int, length: int) -> int:
    """Count the records by the last byte that is no blank.

    pandas takes the blanks of an empty last variable for the padding of the file, and loses the row.
    """
    return -(-len(data[start:].rstrip(b" ")) // length)


def _format(one: Mapping[str, Any]) -> str:
    name = one.get("nform", b"")
    return (name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)).strip(" \0").upper()


def _typed(values: pd.Series, form: str) -> pd.Series:
    """Numbers that SAS would print as dates become dates; a transport file keeps only the number."""
    if not pd.api.types.is_numeric_dtype(values):
        return values
    values = values.mask(values == _ZERO, 0.0)
    unit = "s" if form.startswith(_MOMENTS) else "D" if form.startswith(_DATES) else None
    if unit is None:
        return values
    dates: pd.Series = _EPOCH + pd.to_timedelta(values, unit=unit)
    return dates


def _cell(value: Any) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes):
        return cell_text(value.decode("utf-8").rstrip(" \0"))
    return cell_text(value.to_pydatetime() if isinstance(value, pd.Timestamp) else value)
