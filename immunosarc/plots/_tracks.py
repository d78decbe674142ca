"""What is known of each sample, as colored strips above a figure of samples, and the keys beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.patches import Patch, Rectangle

from immunosarc import schema
from immunosarc.plots._axes import plain
from immunosarc.plots._palette import ABSENT, MUTED, Style, category_styles, response_style

__all__ = ["BLANK", "Track", "draw_keys", "draw_tracks", "track"]

BLANK = Style(ABSENT, "", "", "////")
"""How a missing value is drawn: hatched grey, never a color of a scale."""

_MISSING = "missing"
_LINE = 11.5


@dataclass(frozen=True)
class Track:
    """One clinical track: the category of each sample, and how each category looks."""

    name: str
    values: list[str]
    styles: dict[str, Style]


def track(values: pd.Series, name: str) -> Track:
    """Return a column of text as a track; responses and timepoints have looks of their own."""
    found = values.astype("string").fillna(_MISSING).astype(str).tolist()
    known = [one for one in dict.fromkeys(found) if one != _MISSING]
    if set(known) <= set(schema.RESPONSES):
        styles = {one: response_style(one) for one in schema.RESPONSES if one in known}
    elif set(known) <= set(schema.TIMEPOINTS):
        styles = category_styles(one for one in schema.TIMEPOINTS if one in known)
    else:
        styles = category_styles(sorted(known))
    if _MISSING in found:
        styles[_MISSING] = BLANK
    return Track(name, found, styles)


def draw_tracks(ax: Axes, tracks: list[Track], *, thick: float) -> list[float]:
    """Draw the tracks above the cells, which begin at -0.5, and return the middle of each."""
    heights = []
    for i, one in enumerate(tracks):
        top = -0.5 - thick * (0.4 + 1.15 * (len(tracks) - i))
        for sample, value in enumerate(one.values):
            style = one.styles[value]
            ax.add_patch(
                Rectangle(
                    (sample - 0.5, top),
                    1,
                    thick,
                    facecolor=style.color,
                    hatch=style.hatch,
                    edgecolor="white",
                    linewidth=0.4,
                )
            )
        heights.append(top + thick / 2)
    return heights


def draw_keys(ax: Axes, keys: Iterable[tuple[str, Mapping[str, Style]]], *, left: float, below: float) -> None:
    """Place one legend under the other: from ``left`` in parts of the Axes, ``below`` its top in points."""
    height = ax.get_window_extent().height / ax.figure.dpi * 72
    for title, styles in keys:
        handles = [
            Patch(facecolor=style.color, hatch=style.hatch, edgecolor="#9a9a9a" if style is BLANK else "white")
            for style in styles.values()
        ]
        key = Legend(
            ax,
            handles,
            [plain(name) for name in styles],
            title=plain(title) if title else None,
            loc="upper left",
            bbox_to_anchor=(left, 1 - below / height),
            borderaxespad=0,
            fontsize=7.5,
            title_fontproperties={"size": 8, "weight": "bold"},
            alignment="left",
            frameon=False,
            labelcolor=MUTED,
            handlelength=1.6,
        )
        ax.add_artist(key)
        key.set_clip_on(False)  # else it does not count as part of the figure, and is cut off
        below += _LINE * (len(handles) + bool(title)) + 9
