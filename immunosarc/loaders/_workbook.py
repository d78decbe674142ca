"""One sheet of an Excel workbook as tab-separated text: cells as they are, nothing computed, nothing guessed."""

from __future__ import annotations

import csv
import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

from immunosarc.errors import did_you_mean

__all__ = ["cell_text", "sheet_text"]

_LARGEST = 2_000_000_000
_RATIO = 200
_AREA = 20_000_000
_LINE_BREAK = re.compile(r"\r\n?|\n")


def sheet_text(data: bytes, sheet: str | None, fault: Callable[[str], None]) -> bytes | None:
    """Return a sheet as tab-separated UTF-8 text; None when it cannot be, and why is told.

    Row r of the sheet is line r of the text. Dates are written YYYY-MM-DD, true and false as such,
    line breaks within a cell as blanks. Merged cells, formulas and error values are refused: what
    they stand for is not in the file, or not in one cell.

    Parameters
    ----------
    data : bytes
        The workbook (.xlsx).
    sheet : str or None
        Its name; may be left out when there is one.
    fault : callable
        Takes the sentence about what is wrong.
    """
    if (reason := _bomb(data)) is not None:
        fault(reason)
        return None
    try:
        book = _opened(data)
    except Exception as failure:  # what openpyxl raises on damaged files has no common class
        fault(f"cannot be read as an Excel workbook ({type(failure).__name__}: {failure}); save it again as .xlsx")
        return None
    found = _sheet(book, sheet, fault)
    if found is None:
        return None
    if (reason := _too_wide(found)) is not None:
        fault(reason)
        return None
    wrong = _merged(found) + _unreadable(found)
    for reason in wrong:
        fault(reason)
    return None if wrong else _as_text(found)


def _opened(data: bytes) -> Any:
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about drawings and validations, which are not read
        return openpyxl.load_workbook(io.BytesIO(data), data_only=False, keep_links=False)


def _bomb(data: bytes) -> str | None:
    """Return why an archive is not unpacked; None when it may be."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as failure:
        return f"the workbook is damaged or cut short ({failure}); save it again as .xlsx"
    if size > _LARGEST or size > _RATIO * max(len(data), 100_000):
        return f"the workbook would unpack to {size:,} bytes; save the sheet as tab-separated text (.tsv)"
    return None


def _too_wide(sheet: Any) -> str | None:
    """Return why a sheet is not walked through: one cell far out makes millions of empty ones."""
    area = sheet.max_row * sheet.max_column
    if area <= _AREA:
        return None
    corner = f"{sheet.max_row:,} rows by {sheet.max_column:,} columns"
    cure = "delete the cells that lie far out, or save the sheet as tab-separated text (.tsv)"
    return f"sheet {sheet.title!r} reaches over {corner}; {cure}"


def _sheet(book: Any, name: str | None, fault: Callable[[str], None]) -> Any:
    names = [one.title for one in book.worksheets]
    if name is None and len(names) == 1:
        return book.worksheets[0]
    if name is None:
        listed = ", ".join(repr(one) for one in names)
        fault(
            f"the workbook has {len(names)} sheets ({listed}); say which: sheet = {names[0]!r}"
            if names
            else "the workbook has no sheet"
        )
        return None
    if name not in names:
        fault(f"there is no sheet {name!r}.{did_you_mean(name, names)}")
        return None
    return book.worksheets[names.index(name)]


def _merged(sheet: Any) -> list[str]:
    ranges = sorted(str(one) for one in sheet.merged_cells.ranges)
    if not ranges:
        return []
    shown = ", ".join(ranges[:3]) + (f" and {len(ranges) - 3} more" if len(ranges) > 3 else "")
    cure = "unmerge them, and give every column one name in row 1 and every row its own value"
    return [f"sheet {sheet.title!r}: cells are merged ({shown}); {cure}"]


def _unreadable(sheet: Any) -> list[str]:
    kinds = {
        "f": "holds a formula; copy the sheet and paste it as values",
        "e": "holds an Excel error; correct the cell, or empty it",
    }
    found: list[str] = []
    for kind, what in kinds.items():
        cells = [
            cell for row in sheet.iter_rows() for cell in row if cell.data_type == kind and cell.value is not None
        ]
        if cells:
            first, more = cells[0], f" (and {len(cells) - 1} more)" if len(cells) > 1 else ""
            found.append(f"sheet {sheet.title!r} line {first.row}, cell {first.coordinate}{more}: {what}")
    return found


def _as_text(sheet: Any) -> bytes:
    rows = [[cell_text(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((_filled(row) for row in rows), default=0)
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(row[:width] for row in rows)
    return text.getvalue().encode()


def _filled(row: Sequence[str]) -> int:
    """Return the number of cells up to the last that is not empty."""
    return next((place for place in range(len(row), 0, -1) if row[place - 1]), 0)


def cell_text(value: Any) -> str:
    """Return a typed cell as the text that a reader of text tables expects."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return _LINE_BREAK.sub(" ", value) if isinstance(value, str) else str(value)
