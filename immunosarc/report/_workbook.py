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
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

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
    book = openpyxl.Workbook(write_only=True)
    book.properties.created = _EPOCH
    book.properties.creator = "immunosarc"
    book.properties.title = _text(title)
    _readme(tables, book.create_sheet("README"), [title, *lines])
    for name, table in tables.items():
        _sheet(book.create_sheet(name[:31]), indexed(table))
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_timeless(buffer.getvalue()))


def _readme(tables: Mapping[str, pd.DataFrame], sheet: WriteOnlyWorksheet, lines: list[str]) -> None:
    for letter, width in zip("ABC", (16, 8, 80), strict=True):
        sheet.column_dimensions[letter].width = width
    title, *others = lines
    sheet.append([_bold(sheet, title)])
    for line in [*others, "Ratios are logs. An empty cell is a missing value.", ""]:
        sheet.append([_content(sheet, line)])
    sheet.append([_bold(sheet, text) for text in ("sheet", "rows", "what it is")])
    for name, table in tables.items():
        sheet.append([_content(sheet, value) for value in (name, len(table), MEANINGS.get(name, ""))])


def _sheet(sheet: WriteOnlyWorksheet, table: pd.DataFrame) -> None:
    columns = [table.iloc[:, place].tolist() for place in range(table.shape[1])]
    for place, (name, values) in enumerate(zip(table.columns, columns, strict=True), start=1):
        sheet.column_dimensions[get_column_letter(place)].width = _width(str(name), values)
    sheet.freeze_panes = "B2"
    sheet.append([_bold(sheet, str(name)) for name in table.columns])
    for row in zip(*columns, strict=True):
        sheet.append([None if _missing(value) else _content(sheet, value) for value in row])


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _width(name: str, values: list[Any]) -> int:
    longest = max([len(name), *(len(str(value)) for value in values[:_LOOKED_AT] if not isinstance(value, float))])
    return min(_WIDEST, max(_NARROWEST, longest + 2))


def _content(sheet: WriteOnlyWorksheet, value: Any) -> Any:
    """Return what a cell holds; text stays text, also where a spreadsheet would read a formula or an error."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.integer | np.floating) and math.isfinite(value):
        return value
    text = _text(value)
    if not text.startswith((*_RISKY, "#")):
        return text
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    if text.startswith(_RISKY):
        cell.quotePrefix = True
    return cell


def _bold(sheet: WriteOnlyWorksheet, text: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, _text(text))
    cell.data_type = "s"
    cell.font = Font(bold=True)
    return cell


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
