"""A table of patients or samples that stands in a file with a row for each cell."""

from __future__ import annotations

import io

import pandas as pd

from immunosarc.loaders._blocks import TableBlock
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._source import TextFile
from immunosarc.loaders._table import RawTable, read_table
from immunosarc.loaders._text_matrix import checked_header

__all__ = ["distinct_rows"]


def distinct_rows(text: TextFile, block: TableBlock, faults: list[Fault]) -> RawTable | None:
    """Return the rows that differ in a column that the block names, each on the line where it stands first.

    Parameters
    ----------
    text : TextFile
    block : TableBlock
        With ``columns``; what ``keep``, ``drop``, ``day_one`` and ``first_dose`` read counts too.
    faults : list of Fault
        What is wrong with the shape of the file is added here.
    """
    if b'"' in text.text:
        raw = read_table(text, faults)
        return None if raw is None else RawTable(raw.file, _distinct(raw.cells, block), raw.head, raw.gate)
    header = checked_header(text, faults)
    if header is None:
        return None
    places = [place for place, name in enumerate(header) if name in _named(block)] or [0]
    cells = pd.read_csv(
        io.BytesIO(text.text),
        sep=text.delimiter,
        header=None,
        skiprows=1,
        usecols=places,
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        encoding="utf-8",
    )
    cells = cells.set_axis([header[place] for place in cells.columns], axis=1).astype(object)
    cells.index = cells.index + text.head + 1
    cells = _distinct(cells, block)
    others = {name: "" for name in header if name not in cells.columns}
    return RawTable(text.file, cells.assign(**others)[header], text.head, text.gate)


def _named(block: TableBlock) -> set[str]:
    """Return the columns of the file that the block reads."""
    named = {*block.columns.values(), *block.keep, *block.drop, *block.first_dose}
    return named | ({block.day_one} if block.day_one is not None else set())


def _distinct(cells: pd.DataFrame, block: TableBlock) -> pd.DataFrame:
    columns = [name for name in cells.columns if name in _named(block)]
    return cells[~cells.duplicated(columns)] if columns else cells
