"""A parquet table as tab-separated text, so that clinical tables are read by one set of rules."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

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
        columns = {name: table.column(name).to_pylist() for name in _columns(table.column_names)}
    except Exception as failure:  # pyarrow has no common class for what damaged files raise
        what = f"cannot be read as parquet ({type(failure).__name__}: {str(failure)[:200]})"
        fault(f"{what}; export it again")
        return None
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def _columns(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith("__index_level_")]


def _cell(value: Any) -> str:
    if isinstance(value, float) and value != value:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return cell_text(value)
