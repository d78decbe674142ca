"""All tables in one workbook: text is never a formula, and the bytes do not depend on the clock."""

from __future__ import annotations

import datetime
import io
import math
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from immunosarc.report._results import indexed
from immunosarc.report._tables import MEANINGS

__all__ = ["write_workbook"]

_EPOCH = datetime.datetime(1980, 1, 1)
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")
_LONGEST_CELL = 32767
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_WIDEST, _NARROWEST, _LOOKED_AT = 48, 8, 200


def write_workbook(tables: Mapping[str, pd.DataFrame], path: Path, *, title: str, lines: Iterable[str]) -> None:
    """Write one sheet per table, and first a README: the title, the lines, and what each sheet is."""
    book = openpyxl.Workbook()
    book.properties.created = _EPOCH
    book.properties.creator = "immunosarc"
    book.properties.title = _text(title)
    _readme(tables, book.active, [title, *lines])
    for name, table in tables.items():
        _sheet(book.create_sheet(name[:31]), indexed(table))
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_timeless(buffer.getvalue()))


def _readme(tables: Mapping[str, pd.DataFrame], sheet: Worksheet, lines: list[str]) -> None:
    sheet.title = "README"
    head: list[list[Any]] = [
        *([line] for line in lines),
        ["Ratios are logs. An empty cell is a missing value."],
        [],
        ["sheet", "rows", "what it is"],
    ]
    body = [[name, len(table), MEANINGS.get(name, "")] for name, table in tables.items()]
    for number, row in enumerate([*head, *body], start=1):
        for column, value in enumerate(row, start=1):
            _put(sheet.cell(number, column), value)
    for cell in (sheet["A1"], *sheet[len(head)]):
        cell.font = Font(bold=True)
    for letter, width in zip("ABC", (16, 8, 80), strict=True):
        sheet.column_dimensions[letter].width = width


def _sheet(sheet: Worksheet, table: pd.DataFrame) -> None:
    for column, name in enumerate(table.columns, start=1):
        cell = sheet.cell(1, column)
        _put(cell, str(name))
        cell.font = Font(bold=True)
        values = table.iloc[:, column - 1].tolist()
        for row, value in enumerate(values, start=2):
            if not _missing(value):
                _put(sheet.cell(row, column), value)
        sheet.column_dimensions[get_column_letter(column)].width = _width(str(name), values)
    sheet.freeze_panes = "B2"


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _width(name: str, values: list[Any]) -> int:
    longest = max([len(name), *(len(str(value)) for value in values[:_LOOKED_AT] if not isinstance(value, float))])
    return min(_WIDEST, max(_NARROWEST, longest + 2))


def _put(cell: Cell, value: Any) -> None:
    """Write a value; text stays text, also where a spreadsheet would read a formula."""
    if isinstance(value, bool | np.bool_):
        cell.value = bool(value)
    elif isinstance(value, int | float | np.integer | np.floating) and math.isfinite(value):
        cell.value = value
    else:
        text = _text(value)
        cell.value = text
        cell.data_type = "s"
        cell.quotePrefix = text.startswith(_RISKY)


def _text(value: Any) -> str:
    return ILLEGAL_CHARACTERS_RE.sub("�", str(value))[:_LONGEST_CELL]


def _timeless(content: bytes) -> bytes:
    """Return the same archive with fixed times: inside its properties and of its members."""
    stamp = _EPOCH.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename == "docProps/core.xml":
                data = _MODIFIED.sub(rb"\g<1>" + stamp + rb"\g<2>", data)
            entry = zipfile.ZipInfo(item.filename, date_time=_EPOCH.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            new.writestr(entry, data)
    return buffer.getvalue()
