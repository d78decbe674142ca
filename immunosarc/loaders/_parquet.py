"""A parquet table as tab-separated text, so that clinical tables are read by one set of rules."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunosarc.loaders._unpacking import unpacks_too_much
from immunosarc.loaders._workbook import cell_text

__all__ = ["parquet_text"]


def parquet_text(data: bytes, fault: Callable[[str], None]) -> bytes | None:
    """Return a parquet table as tab-separated UTF-8 text; None when it cannot be, and why is told.

    Line 1 is the column names; row r of the table is line r + 1. An index that pandas stored is
    not a column.

    Parameters
    ----------
    data : bytes
        The file.
    fault : callable
        Takes the sentence about what is wrong.
    """
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        fault("parquet needs pyarrow: pip install 'immunosarc[parquet]'")
        return None
    try:
        with parquet.ParquetFile(io.BytesIO(data)) as file:
            if (reason := unpacks_too_much(file.metadata, len(data))) is not None:
                fault(reason)
                return None
            table = file.read()
        columns = {name: _texts(table.column(name)) for name in _columns(table.column_names)}
    except Exception as failure:  # pyarrow has no common class for what damaged files raise
        what = f"cannot be read as parquet ({type(failure).__name__}: {str(failure)[:200]})"
        fault(f"{what}; export it again")
        return None
    alone = len(columns) == 1
    header = "\t".join(_quoted(name, alone=alone) for name in columns)
    cells = ([_quoted(cell, alone=alone) for cell in texts] for texts, _ in columns.values())
    laid = [np.array(texts, dtype=object)[at] for texts, (_, at) in zip(cells, columns.values(), strict=True)]
    return "\n".join([header, *map("\t".join, zip(*laid, strict=True)), ""]).encode()


def _texts(column: Any) -> tuple[list[str], NDArray[np.intp]]:
    """Return the different values of a column as text, and which of them stands in each row."""
    whole = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    kind = str(whole.type)
    if kind.startswith(("list", "large_list", "struct", "map", "fixed_size_list")):
        return [_cell(value) for value in whole.to_pylist()], np.arange(len(whole))
    coded = whole if kind.startswith("dictionary") else whole.dictionary_encode()
    values = [*(_cell(value) for value in coded.dictionary.to_pylist()), ""]
    return values, coded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False).astype(np.intp)


def _quoted(cell: str, *, alone: bool) -> str:
    """Return a cell as RFC 4180 writes it; an empty row of one column is a pair of quotes."""
    if any(mark in cell for mark in '\t"\n\r') or (alone and not cell):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _columns(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith("__index_level_")]


def _cell(value: Any) -> str:
    if isinstance(value, float) and value != value:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return cell_text(value)
