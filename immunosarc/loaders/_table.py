"""A delimited text file as cells of text, each row with its line in the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from immunosarc.errors import DataFileError, PrivacyError
from immunosarc.loaders._fault import Fault, in_lines, listed
from immunosarc.loaders._privacy import Gate, identifying
from immunosarc.loaders._source import TextFile

__all__ = ["RawTable", "header_faults", "read_header", "read_rows", "read_table"]


@dataclass(frozen=True)
class RawTable:
    """The cells of a table.

    Attributes
    ----------
    file : str
        As the manifest names it.
    cells : DataFrame of str
        One column per column of the file; the index is the line of each row.
    head : int
        The line of the header.
    gate : Gate
        What the user lets through by name.
    """

    file: str
    cells: pd.DataFrame
    head: int = 1
    gate: Gate = field(default_factory=Gate)

    @property
    def lines(self) -> np.ndarray:
        """The 1-based line of each row; the header is line 1."""
        return self.cells.index.to_numpy()


def read_rows(text: TextFile) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line it starts on; quotes follow RFC 4180.

    Raises ``csv.Error`` at a quote that is not closed.
    """
    reader = csv.reader(
        io.StringIO(text.text.decode("utf-8"), newline="\n"), delimiter=text.delimiter, strict=True
    )
    line = text.head
    for row in reader:
        yield line, row
        line = text.head + reader.line_num


def read_header(text: TextFile) -> list[str]:
    """Return the names in the first line; an empty list when its quotes are broken."""
    first = text.text.split(b"\n", 1)[0]
    try:
        return next((row for _, row in read_rows(TextFile(text.file, first, text.delimiter))), [])
    except csv.Error:
        return []


def header_faults(file: str, header: Sequence[str], gate: Gate) -> list[Fault]:
    """Return what is wrong with column names: repeated, or the name of a person's identity."""
    faults = []
    names = pd.Series(list(header), dtype=object)
    for name in dict.fromkeys(names[names.duplicated()]):
        places = " and ".join(str(i + 1) for i in np.flatnonzero(names == name))
        faults.append(
            Fault(
                DataFileError, f"{file} line 1: column name {name!r} occurs twice (columns {places}); rename one"
            )
        )
    persons = [name for name in identifying(header) if not gate.lets(name)]
    if persons:
        what = (
            f"column {listed(persons)} identifies" if len(persons) == 1 else f"columns {listed(persons)} identify"
        )
        cure = "delete from the file what names people before it is read here; patient_id holds a study number"
        cure += " (one that does not name anybody may be let through by --allow-column)"
        faults.append(Fault(PrivacyError, f"{file} line 1: {what} a person; {cure}"))
    return faults


def read_table(text: TextFile, faults: list[Fault]) -> RawTable | None:
    """Read a table of text cells; None when its shape is wrong, and why is added."""
    try:
        rows = list(read_rows(text))
    except csv.Error as failure:
        line = _unclosed_quote(text)
        faults.append(
            Fault(DataFileError, f"{text.file} line {line}: {failure}; close or remove the quotation mark")
        )
        return None
    while rows and not "".join(rows[-1][1]).strip():
        rows.pop()
    header = rows[0][1] if rows else []
    if not "".join(header).strip():
        faults.append(Fault(DataFileError, f"{text.file}: line 1 is empty; the column names belong there"))
        return None
    found = header_faults(text.file, header, text.gate) + _ragged(text.file, rows)
    if len(rows) == 1:
        found.append(Fault(DataFileError, f"{text.file}: there is a header and no row below it; rows are needed"))
    faults += found
    if found:
        return None
    body = rows[1:]
    lines = pd.Index([line for line, _ in body])
    cells = pd.DataFrame([row for _, row in body], columns=header, index=lines, dtype=object)
    return RawTable(text.file, cells, text.head, text.gate)


def _ragged(file: str, rows: list[tuple[int, list[str]]]) -> list[Fault]:
    width = len(rows[0][1])
    wrong: dict[int, list[int]] = {}
    for line, row in rows[1:]:
        if len(row) != width:
            wrong.setdefault(len(row), []).append(line)
    return [
        Fault(
            DataFileError,
            f"{file} {in_lines(lines)}: {cells} cell{'' if cells == 1 else 's'}, the header has {width}; "
            "add or remove cells (or delimiters) so that they agree",
        )
        for cells, lines in wrong.items()
    ]


def _unclosed_quote(text: TextFile) -> int:
    """Return the line on which the record that cannot be read starts."""
    line = 0
    rows = read_rows(text)
    while True:
        try:
            line, row = next(rows)
            line += 1 + sum(cell.count("\n") for cell in row)
        except (csv.Error, StopIteration):
            return max(line, 1)
