"""Which rows of a table stay, and why the others leave."""

from __future__ import annotations

from typing import Any, Protocol

import pandas as pd

from immunosarc.errors import ManifestError, did_you_mean
from immunosarc.loaders._cells import FLAGS, parse_number
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._privacy import holds_free_text, revealing
from immunosarc.loaders._rules import row_matches
from immunosarc.loaders._table import RawTable

__all__ = ["kept_rows", "matching"]


class _Rows(Protocol):
    @property
    def keep(self) -> dict[str, Any]: ...

    @property
    def drop(self) -> dict[str, Any]: ...


def kept_rows(block: _Rows, raw: RawTable, faults: list[Fault], *, where: str) -> pd.Series | None:
    """Return, per row, why ``keep`` or ``drop`` leaves it out; an empty text where it stays."""
    reason = pd.Series("", index=raw.cells.index, dtype=object)
    asked = [("keep", *item) for item in block.keep.items()] + [("drop", *item) for item in block.drop.items()]
    for key, column, wanted in asked:
        if column not in raw.cells.columns:
            hint = did_you_mean(column, raw.cells.columns)
            faults.append(
                Fault(
                    ManifestError,
                    f"{raw.file} line {raw.head}: there is no column {column!r} ({where} {key}).{hint}",
                )
            )
            return None
        values = wanted if isinstance(wanted, list) else [wanted]
        cells = raw.cells[column]
        stays = matching(cells, values) == (key == "keep")
        words = " or ".join(_shown(value) for value in values)
        ending = f", not {words}" if key == "keep" else ""
        said = column + " is " + _told(cells, column) + ending
        reason = reason.where(stays | (reason != ""), said)
    return reason


def _told(cells: pd.Series, column: str) -> pd.Series:
    """Return cells as the reason may repeat them: it stays with the cohort, where no name or date may stand."""
    texts = pd.Series(cells.unique(), dtype=object)
    hidden = pd.Series(holds_free_text(column), index=texts.index)
    for found, _ in revealing(texts, are_ids=False, open_text=True):
        hidden |= found
    shown = texts.where(texts != "", "empty").mask(hidden, "a value that is not repeated")
    return cells.map(dict(zip(texts, shown, strict=True)))


def matching(cells: pd.Series, values: list[Any]) -> pd.Series:
    """Return which cells are one of the values that ``keep`` may name."""
    found = {text: any(_equals(text, value) for value in values) for text in cells.unique()}
    return cells.map(found).astype(bool)


def _shown(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return f"{value.get('starts_with', '')}...{value.get('ends_with', '')}"


def _equals(text: str, value: Any) -> bool:
    if isinstance(value, dict):
        return row_matches(text, value)
    if isinstance(value, bool):
        return FLAGS.get(text) is value and text not in ("0", "1")
    if isinstance(value, int | float):
        return parse_number(text) == value
    return text == value
