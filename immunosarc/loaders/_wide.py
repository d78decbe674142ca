"""Features that are some columns of a wide table: one row per sample, other things beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import DataFileError, ManifestError, UnitError, did_you_mean
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._cells import ColumnPlan, read_cells
from immunosarc.loaders._expression import Matrix
from immunosarc.loaders._fault import Fault, in_lines
from immunosarc.loaders._rows import kept_rows
from immunosarc.loaders._rules import RULES
from immunosarc.loaders._source import TextFile
from immunosarc.loaders._table import RawTable, read_table

__all__ = ["read_features"]

_NUMBER = schema.Column("number", "a feature")
_ID = schema.Column("text", "id", filled=True)


def read_features(
    text: TextFile, block: AssayBlock, faults: list[Fault], *, where: str
) -> tuple[Matrix, list[tuple[str, str, str]]] | None:
    """Read the declared features of an assay; None when a column is absent or no row stays.

    Parameters
    ----------
    text : TextFile
    block : AssayBlock
        With ``features`` and ``id_column``.
    faults : list of Fault
        What is wrong is added here.
    where : str
        ``"[assays.scores]"``, for the messages.

    Returns
    -------
    Matrix and list of tuple
        The numbers, and what ``keep`` and ``drop`` left out as (patient, sample, reason).
    """
    raw = read_table(text, faults)
    if raw is None or not _has_columns(raw, block, faults, where=where):
        return None
    kept = kept_rows(block, raw, faults, where=where)
    if kept is None:
        return None
    stays = kept == ""
    if not stays.any():
        faults.append(Fault(ManifestError, f"{block.file}: {where} no row stays; {kept.iloc[0]}"))
        return None
    names = _ids(raw, block, stays, faults, where=where)
    values = {
        name: read_cells(block.file, raw.cells.loc[stays, name], _plan(name, block, where), faults)[0]
        for name in block.features
    }
    numbers = pd.DataFrame(values).to_numpy(dtype=np.float64)
    faults += _unit_faults(raw, numbers, block, stays)
    left_out = [("", str(raw.cells.loc[line, block.id_column]), reason) for line, reason in kept[~stays].items()]
    return Matrix(names, list(block.features), numbers), left_out


def _plan(name: str, block: AssayBlock, where: str) -> ColumnPlan:
    return ColumnPlan(name, name, where, column=_NUMBER, missing=tuple(block.missing))


def _has_columns(raw: RawTable, block: AssayBlock, faults: list[Fault], *, where: str) -> bool:
    asked = [("id_column", block.id_column), *(("features", name) for name in block.features)]
    found = [
        Fault(
            ManifestError,
            f"{raw.file} line 1: there is no column {name!r} ({where} {key})."
            f"{did_you_mean(str(name), raw.cells.columns)}",
        )
        for key, name in asked
        if name not in raw.cells.columns
    ]
    if len(set(block.features)) < len(block.features):
        found.append(Fault(ManifestError, f"{where} features: a column is named twice; name each once"))
    faults += found
    return not found


def _ids(raw: RawTable, block: AssayBlock, stays: pd.Series, faults: list[Fault], *, where: str) -> list[str]:
    rule = RULES[block.id_rule] if block.id_rule else None
    column = str(block.id_column)
    plan = ColumnPlan(column, column, where, column=_ID, is_id=True, rule=rule, gate=raw.gate)
    names, wrong = read_cells(block.file, raw.cells.loc[stays, column], plan, faults)
    blank = names.index[names.isna() & ~wrong]
    if len(blank):
        at = f"{block.file} {in_lines(blank)}, column {column!r}"
        faults.append(Fault(DataFileError, f"{at}: no sample id; fill it in"))
    filled = names.dropna()
    for name in dict.fromkeys(filled[filled.duplicated()]):
        at = f"{block.file} {in_lines(filled.index[filled == name])}, column {column!r}"
        cure = "drop the rows that do not count, or choose the column that tells them apart"
        faults.append(Fault(DataFileError, f"{at}: sample {name!r} has several rows; {cure}"))
    return names.fillna("").tolist()


def _unit_faults(raw: RawTable, numbers: np.ndarray, block: AssayBlock, stays: pd.Series) -> list[Fault]:
    lines = raw.cells.index[stays]
    return [
        Fault(
            UnitError,
            f"{raw.file} line {lines[row]}, column {block.features[column]!r}: {what}: "
            f"{numbers[row, column]:.10g}; declare the unit that the numbers have, or correct the file",
        )
        for what, row, column in schema.unit_problems(numbers, block.unit)
    ]
