"""What every figure does with its Axes: find it, title it, and say why when there is nothing to draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from immunosarc.plots._palette import GRID, INK, MUTED
from immunosarc.plots._words import number_text

__all__ = [
    "beside",
    "clipped_interval",
    "current",
    "fitted_font",
    "footnote",
    "plain",
    "rate_axis",
    "ratio_axis",
    "say_why",
    "titled",
]

SIMULATED = "SIMULATED"
_FEWEST_TICKS = 3
_FINER = ((0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0), (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6), (0.95, 1.0, 1.05))
_FINE_DECADES, _MOST_DECADES = 2.2, 7
_PLAIN = 10000


def current(ax: Axes | None) -> Axes:
    """Return the Axes to draw on; without one, the current one of pyplot."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # only here: choosing a backend is the caller's affair

    return plt.gca()


def plain(text: object) -> str:
    """Return text that matplotlib draws as it stands: no formula between dollars, no hidden label."""
    shown = str(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def titled(ax: Axes, text: str, *tables: pd.DataFrame | None, above: float = 6.0) -> None:
    """Set the title, so many points above the Axes; what was made from a simulated table says so first."""
    lead = f"{SIMULATED}: " if any(_is_simulated(table) for table in tables) else ""
    ax.set_title(lead + text, loc="left", fontsize=10, fontweight="bold", pad=above)


def _is_simulated(table: pd.DataFrame | None) -> bool:
    if table is None or "simulated" not in table.columns:
        return False
    return table.empty or bool((table["simulated"] == SIMULATED).any())


def say_why(ax: Axes, reason: str) -> Axes:
    """Leave the Axes without a scale and write why there is nothing on it."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, plain(reason), transform=ax.transAxes, ha="center", va="center", color=MUTED, wrap=True)
    return ax


def footnote(ax: Axes, text: str, *, below: float) -> None:
    """Write small text under the Axes, ``below`` points under its lower edge."""
    ax.annotate(
        text,
        (0, 0),
        xycoords="axes fraction",
        xytext=(0, -below),
        textcoords="offset points",
        fontsize=7.5,
        color=MUTED,
        va="top",
        annotation_clip=False,
    )


def fitted_font(ax: Axes, rows: float, *, largest: float = 9.0) -> float:
    """Return the font size, in points, at which so many rows of text fit into the Axes."""
    box = ax.get_window_extent()
    height = box.height / ax.figure.dpi * 72
    return float(min(largest, max(2.0, 0.72 * height / max(rows, 1))))


def ratio_axis(ax: Axes, limits: tuple[float, float]) -> None:
    """Make the x axis logarithmic and label it with plain numbers, few enough to stay apart."""
    ax.set_xscale("log")
    ax.set_xlim(limits)
    first, last = (float(np.log10(end)) for end in limits)
    steps = (1, 2, 5) if last - first < _FINE_DECADES else (1,)
    every = max(1, int(np.ceil((last - first) / _MOST_DECADES)))
    decades = range(int(np.floor(first)), int(np.ceil(last)) + 1)
    ticks = [step * 10.0**decade for decade in decades if decade % every == 0 for step in steps]
    shown = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
    for finer in _FINER:  # a narrow axis still needs three numbers to be read
        if len(shown) >= _FEWEST_TICKS:
            break
        shown = [tick for tick in finer if limits[0] <= tick <= limits[1]]
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(shown, [f"{tick:,.10g}" if tick < _PLAIN else number_text(tick) for tick in shown])


def beside(
    ax: Axes,
    place: float,
    texts: dict[float, str],
    *,
    font: float,
    weight: str = "normal",
    va: str = "center",
    ha: str = "center",
    color: str = INK,
) -> None:
    """Write texts to the right of the Axes at height ``place``; keys are points from the edge to their ``ha``."""
    for shift, text in texts.items():
        ax.annotate(
            text,
            (1, place),
            xycoords=ax.get_yaxis_transform(),
            xytext=(shift, 0),
            textcoords="offset points",
            fontsize=0.92 * font,
            ha=ha,
            va=va,
            color=color,
            fontweight=weight,
            annotation_clip=False,
        )


def clipped_interval(
    ax: Axes,
    place: float,
    ends: tuple[float, float],
    *,
    limits: tuple[float, float],
    color: str,
    style: str = "-",
) -> None:
    """Draw an interval at height ``place``, with an arrow where it leaves the limits."""
    if np.isnan(ends).any():
        return
    inside = (max(ends[0], limits[0]), min(ends[1], limits[1]))
    if style:
        ax.plot(inside, [place, place], style, color=color, linewidth=1.6, solid_capstyle="butt", zorder=2)
    lost = (ends[0] < limits[0], ends[1] > limits[1])
    for beyond, marker, end in zip(lost, "<>", limits, strict=True):
        if beyond:
            ax.plot([end], [place], marker=marker, markersize=6, color=color, clip_on=False, zorder=3)


def rate_axis(ax: Axes, labels: list[str], *, font: float) -> None:
    """Scale the x axis from 0 to 100% and give every row its label, the first at the top."""
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_yticks(range(len(labels)), labels, fontsize=font)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, 100)
    ax.set_xticks(range(0, 101, 20), [f"{tick}%" for tick in range(0, 101, 20)])
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel("Share of patients")
    ax.spines[["top", "right", "left"]].set_visible(False)
