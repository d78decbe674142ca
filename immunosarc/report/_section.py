"""What a section of the page is made of: texts, grids, figures, settings, terms, parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots

__all__ = [
    "Block",
    "FigureOrder",
    "Grid",
    "Part",
    "Section",
    "Settings",
    "Terms",
    "Text",
    "cell",
    "count",
    "ordered",
]

_NOT_A_LETTER = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_NAME = 90


@dataclass(frozen=True)
class Text:
    """A paragraph; ``tone`` is "" or "note"."""

    text: str
    tone: str = ""
    kind: str = "text"


@dataclass(frozen=True)
class Grid:
    """A table of text: what it shows, headings, rows, which columns hold numbers, a note under it."""

    label: str
    head: list[str]
    rows: list[list[str]]
    numeric: frozenset[int] = frozenset()
    note: str = ""
    kind: str = "grid"

    @property
    def filled(self) -> list[int]:
        """The columns that hold anything; an empty one only takes room."""
        return [
            i
            for i in range(len(self.head))
            if not self.rows or any(row[i] not in ("", plots.DASH) for row in self.rows)
        ]


@dataclass(frozen=True)
class FigureOrder:
    """A figure to be drawn: its file name, its caption, its size in inches, and the hand that draws it.

    ``key`` says what it is of: a family, a feature, an endpoint.
    """

    name: str
    caption: str
    size: tuple[float, float]
    hand: Callable[[Axes], object]
    key: str = ""
    kind: str = "figure"


@dataclass(frozen=True)
class Settings:
    """Lines of key and text; with ``summary`` folded away behind it."""

    lines: list[tuple[str, str]]
    summary: str = ""
    kind: str = "settings"


@dataclass(frozen=True)
class Terms:
    """Words and what they mean."""

    lines: list[tuple[str, str]]
    kind: str = "terms"


@dataclass(frozen=True)
class Part:
    """A part of a section with its own heading; ``condition`` is printed in the color of a warning."""

    title: str
    blocks: tuple[Block, ...]
    under: str = ""
    condition: str = ""
    kind: str = "part"


Block = Text | Grid | FigureOrder | Settings | Terms | Part


@dataclass(frozen=True)
class Section:
    """One section of the page: the word in the contents, the heading, and its blocks in order.

    ``emphasis`` sets it apart from the others, as the first answer is.
    """

    key: str
    nav: str
    title: str
    blocks: tuple[Block, ...]
    emphasis: bool = False


def ordered(sections: Iterable[Section]) -> Iterator[tuple[str, Section, FigureOrder]]:
    """Yield every figure in the order of the page, with a file name that no other figure has."""
    taken: set[str] = set()
    for section in sections:
        for order in _figures(section.blocks):
            name = _free(order.name, taken)
            taken.add(name)
            yield name, section, order


def _figures(blocks: Iterable[Block]) -> Iterator[FigureOrder]:
    for block in blocks:
        if isinstance(block, FigureOrder):
            yield block
        elif isinstance(block, Part):
            yield from _figures(block.blocks)


def _free(name: str, taken: set[str]) -> str:
    """Return a file name made of plain letters that is not taken."""
    stem = _NOT_A_LETTER.sub("_", name).strip("_").lower()[:_LONGEST_NAME] or "figure"
    number, free = 1, stem
    while free in taken:
        number += 1
        free = f"{stem}_{number}"
    return free


def cell(value: Any) -> str:
    """Return a value as the page prints it; a missing one is a dash."""
    if pd.isna(value):
        return plots.DASH
    return f"{value:g}" if isinstance(value, float) else str(value)


def count(value: float) -> str:
    """Return a number of patients, or a dash."""
    return plots.DASH if pd.isna(value) else f"{value:,.0f}"
