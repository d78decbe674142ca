"""A text table of measurements: fast when it is right, exact about the cell when it is not."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.errors import DataFileError
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._cells import parse_number
from immunosarc.loaders._fault import Fault, in_lines, listed
from immunosarc.loaders._source import TextFile
from immunosarc.loaders._table import header_faults, read_header, read_rows

__all__ = ["checked_header", "name_faults", "read_frame", "read_numbers", "text_columns", "unreadable_cells"]

_SHOWN = 5


def checked_header(text: TextFile, faults: list[Fault]) -> list[str] | None:
    """Return the names in the first line; None when they or the rows' lengths are wrong, and why is added."""
    header = read_header(text)
    found = header_faults(text.file, header, text.gate) or _shape_faults(text, header)
    faults += found
    return None if found else header


def text_columns(header: Sequence[str], block: AssayBlock) -> list[int]:
    """Return the places of columns that hold no numbers: the declared symbols, and what is ignored."""
    words = {block.symbol_column, *block.ignore_columns}
    return [place for place, name in enumerate(header) if place and name in words]


def read_numbers(
    text: TextFile, header: Sequence[str], missing: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]] | None:
    """Return the row names and the numbers; None when a cell is neither a number nor missing."""
    read = read_frame(text, header, missing, [])
    return read[:2] if read is not None else None


def read_frame(
    text: TextFile, header: Sequence[str], missing: Sequence[str], aside: Sequence[int]
) -> tuple[list[str], NDArray[np.float64], dict[int, list[str]]] | None:
    """Return the row names, the numbers, and the text columns by their place."""
    words = [0, *aside]
    numeric = [place for place in range(len(header)) if place not in words]
    try:
        frame = pd.read_csv(
            io.BytesIO(text.text),
            sep=text.delimiter,
            header=None,
            skiprows=1,
            dtype={**dict.fromkeys(numeric, float), **dict.fromkeys(words, str)},
            float_precision="round_trip",
            keep_default_na=False,
            na_values={column: ["", *missing] for column in numeric},
            skip_blank_lines=False,
            encoding="utf-8",
        )
    except (ValueError, OverflowError):  # what pandas says does not name the cell
        return None
    texts = {place: frame[place].tolist() for place in aside}
    return frame[0].tolist(), frame[numeric].to_numpy(dtype=np.float64), texts


def unreadable_cells(
    text: TextFile,
    header: Sequence[str],
    missing: Sequence[str],
    *,
    words: tuple[str, str],
    aside: Sequence[int] = (),
) -> list[Fault]:
    """Name the first cells that are not numbers: the slow way, only after the fast one failed."""
    allowed = {"", *missing}
    places = (
        (f"{text.file} line {line}, {words[0]} {row[0]!r}, {words[1]} {header[column]!r}", cell)
        for line, row in itertools.islice(read_rows(text), 1, None)
        for column, cell in enumerate(row)
        if column not in (0, *aside) and cell not in allowed and parse_number(cell) is None
    )
    cure = "write a decimal point and no thousands separator, or list a code in missing = [...]"
    found = []
    try:
        found += [f"{place}: {cell!r} is not a number; {cure}" for place, cell in itertools.islice(places, _SHOWN)]
    except csv.Error as failure:  # a cell larger than any name or number can be
        found.append(f"{text.file}: {failure}; export the file again")
    reasons = found or [f"{text.file}: the numbers cannot be read; export the file again"]
    return [Fault(DataFileError, reason) for reason in reasons]


def name_faults(text: TextFile, names: list[str], *, what: str, repeat: bool) -> list[Fault]:
    """Return what is wrong with row names: blank, or repeated where that is not allowed."""
    rows = pd.Series(names, index=range(2, len(names) + 2), dtype=object)
    faults = []
    blank = rows.index[rows.str.strip() == ""]
    if len(blank):
        faults.append(Fault(DataFileError, f"{text.file} {in_lines(blank)}: no {what} name; fill it in"))
    repeated = rows[rows.duplicated(keep=False) & (rows.str.strip() != "")]
    if len(repeated) and not repeat:
        first = repeated.iloc[0]
        faults.append(
            Fault(
                DataFileError,
                f"{text.file}: {repeated.nunique()} {what} name(s) are repeated, {listed(repeated.unique())} "
                f"({first!r} in {in_lines(repeated.index[repeated == first])}); each may stand there once: "
                f"merge or remove the rows",
            )
        )
    return faults


def _shape_faults(text: TextFile, header: list[str]) -> list[Fault]:
    file = text.file
    if len(header) < 2:
        return [
            Fault(
                DataFileError,
                f"{file} line 1: the header has {len(header)} column(s), found {listed(header)}; a name column "
                "and one column per sample or gene are needed (is the delimiter right?)",
            )
        ]
    if b"\n" not in text.text.strip(b"\n"):
        return [Fault(DataFileError, f"{file}: there is a header and no row below it; rows are needed")]
    try:
        wrong = _ragged_lines(text, len(header))
    except csv.Error as failure:
        return [Fault(DataFileError, f"{file}: {failure}; close or remove the quotation mark")]
    rows = text.text.rstrip(b"\n").count(b"\n")
    if len(wrong) == rows and set(wrong.values()) == {len(header) + 1}:
        return [
            Fault(
                DataFileError,
                f"{file} line 1: the header has one name less than each row has cells, as R's write.table writes "
                'it; declare row_names = "...", the name that the first column shall have',
            )
        ]
    return [
        Fault(
            DataFileError,
            f"{file} {in_lines([line for line, n in wrong.items() if n == cells])}: {cells} cell"
            f"{'' if cells == 1 else 's'}, the header has {len(header)}; the file was cut or edited, "
            "export it again",
        )
        for cells in dict.fromkeys(wrong.values())
    ]


def _ragged_lines(text: TextFile, width: int) -> dict[int, int]:
    """Return the lines that do not have ``width`` cells, and how many they have."""
    data = text.text.rstrip(b"\n")
    if b'"' in data:
        rows = read_rows(TextFile(text.file, data, text.delimiter))
        lines = [(line, len(row), line + sum(cell.count("\n") for cell in row)) for line, row in rows]
        return {line: cells for line, cells, last in lines if cells != width or last != line}
    codes = np.frombuffer(data, dtype=np.uint8)
    ends = np.append(np.flatnonzero(codes == ord("\n")), len(codes))
    marks = np.flatnonzero(codes == ord(text.delimiter))
    cells = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
    return {int(row) + 1: int(cells[row]) for row in np.flatnonzero(cells != width)}
