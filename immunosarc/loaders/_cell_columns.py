"""Some columns of a table with a row for each cell: read fast, and exact about the cell when one is wrong."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.errors import DataFileError, PrivacyError
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._cells import ColumnPlan, read_cells
from immunosarc.loaders._fault import Fault, in_lines
from immunosarc.loaders._privacy import revealing
from immunosarc.loaders._rules import image_name
from immunosarc.loaders._source import Source, TextFile
from immunosarc.loaders._table import read_header
from immunosarc.loaders._text_matrix import checked_header

__all__ = ["CellFile", "CellRows", "open_cells"]

_NUMBER = schema.Column("number", "a number")
_HIDDEN = "column {} of the export"


@dataclass(frozen=True)
class CellRows:
    """Columns of a file, one value for each cell.

    Attributes
    ----------
    file : str
    words : mapping of str to Categorical
        By column; a missing one is no category.
    numbers : mapping of str to ndarray
        By column; missing = NaN.
    head : int
        The line of the header; row r stands on line head + 1 + r.
    """

    file: str
    words: Mapping[str, pd.Categorical]
    numbers: Mapping[str, NDArray[np.float64]]
    head: int = 1

    def lines(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the lines of some rows."""
        return np.flatnonzero(rows) + self.head + 1


@dataclass(frozen=True)
class CellFile:
    """A file whose header was read and whose rows all have its length."""

    text: TextFile
    header: Sequence[str]
    block: str

    def read(
        self,
        words: Sequence[str],
        numbers: Sequence[str],
        *,
        ids: Sequence[str] = (),
        missing: Sequence[str] = (),
        faults: list[Fault],
    ) -> CellRows | None:
        """Return columns as text and as numbers; None when a cell is wrong, and why is added.

        Parameters
        ----------
        words, numbers : sequence of str
            Columns of the header.
        ids : sequence of str
            Those of ``words`` that name a sample or an image, where the privacy gate looks closer.
        missing : sequence of str
            Codes that mean "missing", beside the empty cell.
        faults : list of Fault
        """
        before = len(faults)
        texts = self._frame(words, dtype="category")
        for name in ids:
            self._refuse_persons(name, texts[name], faults)
        found = self._numbers(numbers, missing, faults)
        if len(faults) > before:
            return None
        absent = {"", *missing}
        named = {name: _without(texts[name].array, absent) for name in words}
        return CellRows(self.text.file, named, found, self.text.head)

    def _frame(self, columns: Sequence[str], **how: Any) -> pd.DataFrame:
        places = {name: self.header.index(name) for name in dict.fromkeys(columns)}
        if not places:
            return pd.DataFrame()
        frame = pd.read_csv(
            io.BytesIO(self.text.text),
            sep=self.text.delimiter,
            header=None,
            skiprows=1,
            usecols=sorted(places.values()),
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8",
            **how,
        )
        return frame[list(places.values())].set_axis(list(places), axis=1)

    def _refuse_persons(self, column: str, cells: pd.Series, faults: list[Fault]) -> None:
        """The gate looks at each different text of a column once; an image may be called as its file is."""
        named = pd.Series([str(one) for one in cells.cat.categories], dtype=object)
        for found, what in revealing(named.map(image_name), are_ids=True, open_text=False):
            if found.any() and not self.text.gate.lets(column):
                lines = np.flatnonzero(cells.isin(named[found])) + self.text.head + 1
                at = f"{self.text.file} {in_lines(lines)}, column {column!r}"
                faults.append(Fault(PrivacyError, f"{at}: {what}"))

    def _numbers(
        self, columns: Sequence[str], missing: Sequence[str], faults: list[Fault]
    ) -> dict[str, NDArray[np.float64]]:
        try:
            frame = self._frame(columns, dtype=float, float_precision="round_trip", na_values=["", *missing])
            found = {name: frame[name].to_numpy(dtype=np.float64) for name in frame}
        except (ValueError, OverflowError):  # what pandas says does not name the cell
            found = {}
        if len(found) == len(set(columns)) and not any(np.isinf(values).any() for values in found.values()):
            return found
        texts = self._frame(columns, dtype=str)
        for name in texts:
            plan = ColumnPlan(str(name), str(name), self.block, column=_NUMBER, missing=tuple(missing))
            cells = texts[name].set_axis(texts.index + self.text.head + 1)
            values, _ = read_cells(self.text.file, cells, plan, faults)
            found[str(name)] = values.to_numpy(dtype=np.float64)
        return found


def _without(values: pd.Categorical, absent: set[str]) -> pd.Categorical:
    gone = [one for one in values.categories if one in absent]
    return values.remove_categories(gone) if gone else values


def open_cells(
    block: Block, source: Source, faults: list[Fault], *, where: str, own: Sequence[str] = ()
) -> CellFile | None:
    """Return a file of cells with a sound header and rows of one length; None when it has not, and why is added.

    Parameters
    ----------
    block : Block
    source : Source
    faults : list of Fault
    where : str
        ``"[assays.mif]"``, for the messages.
    own : sequence of str
        Columns of the vendor's that sound as if they named persons, and do not ("Name" of QuPath).
    """
    text = source.open(block, where, faults)
    if text is None:
        return None
    source.let_go(block)
    text, header = _with_own_names(text, own)
    if b"\n" not in text.text.strip(b"\n"):
        what = (
            "there is a header and no cell below it. Where the image truly holds none, leave the file out and "
            "list the image with its area in [tables.fields], so that its densities are zero and not unknown"
        )
        faults.append(Fault(DataFileError, f"{text.file}: {what}"))
        return None
    return CellFile(text, header, where) if checked_header(text, faults) is not None else None


def _with_own_names(text: TextFile, own: Sequence[str]) -> tuple[TextFile, list[str]]:
    """Return the file under a header that the privacy gate may read, and the header as it was."""
    header = read_header(text)
    if not set(own) & set(header):
        return text, header
    end = text.text.find(b"\n")
    shown = [_HIDDEN.format(place) if name in own else name for place, name in enumerate(header)]
    quoted = ('"' + name.replace('"', '""') + '"' for name in shown)
    rest = text.text[end:] if end >= 0 else b""
    return dataclasses.replace(text, text=text.delimiter.join(quoted).encode() + rest), header
