"""One palette that a color-blind reader can use (Okabe and Ito 2008), never color alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

__all__ = ["ABSENT", "DIVERGING", "GRID", "INK", "MUTED", "Style", "category_styles", "response_style"]

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW = "#E69F00", "#56B4E9", "#F0E442"
INK = "#222222"
MUTED = "#6b6b6b"
GRID = "#d9d9d9"
ABSENT = "#e6e6e6"
DIVERGING = "RdBu_r"
"""Red and blue of equal lightness either side of white; readable without seeing red from green."""


@dataclass(frozen=True)
class Style:
    """How one category looks: a color, and beside it a marker, a line and a hatch."""

    color: str
    marker: str
    linestyle: Any
    hatch: str


_RESPONSES = {
    "CR": Style(BLUE, "o", "-", ""),
    "PR": Style(SKY, "s", "-", ".."),
    "CR/PR": Style(BLUE, "o", "-", ""),
    "SD": Style(ORANGE, "^", "--", "//"),
    "PD": Style(VERMILION, "v", "-.", "xx"),
    "SD/PD": Style(VERMILION, "v", "-.", "xx"),
    "NE": Style(MUTED, "D", ":", "--"),
}
_COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, INK, SKY, YELLOW)
_MARKERS = ("o", "s", "^", "v", "D", "P", "X")
_LINES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--", "**")


def response_style(group: str) -> Style:
    """Return how a response group is drawn; a name that RECIST does not know is drawn muted."""
    return _RESPONSES.get(group, _RESPONSES["NE"])


def category_styles(names: Iterable[str]) -> dict[str, Style]:
    """Return one style per category, in order; the combination repeats after 2520 names."""
    looks = zip(cycle(_COLORS), cycle(_MARKERS), cycle(_LINES), cycle(_HATCHES), strict=False)
    return {name: Style(*look) for name, look in zip(dict.fromkeys(names), looks, strict=False)}
