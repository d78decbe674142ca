"""Volcano plot of one family, with the noise ceiling drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from immunosarc import schema
from immunosarc.plots._axes import current, footnote, plain, ratio_axis, say_why, titled
from immunosarc.plots._forest import check_family
from immunosarc.plots._palette import BLUE, GRID, INK, MUTED, ORANGE
from immunosarc.plots._words import (
    Measure,
    alpha_text,
    counted,
    family_condition,
    family_title,
    measure,
    number_text,
)

__all__ = ["volcano"]

_LABEL_SIZE = 7.5
_FLOOR = 1e-12
_ALIKE = 0.05
_KEY_BELOW = 38.0


def volcano(associations: pd.DataFrame, *, ax: Axes | None = None, top: int = 6) -> Axes:
    """Draw every feature of a family at once, against what pure noise would have shown.

    Right and left of the middle is the effect, upward its own p-value. The shaded band is the noise
    ceiling: the best of as many noise features stays in it in 1 - alpha of the permutations, so a
    point inside it is what chance gives to somebody who looks at a whole panel.

    Parameters
    ----------
    associations : DataFrame
        ``schema.ASSOCIATION``, one family and one measure.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.
    top : int
        How many of the smallest p-values get their name; planned features always do.

    Returns
    -------
    Axes

    Raises
    ------
    SchemaError
        When families or measures are mixed.

    Notes
    -----
    The ceiling is that of the permuted statistic, drawn at the height of its normal p-value; a model
    whose own p-value comes from another statistic may differ from it by a little. The gray band holds the
    effects too weak to be found with 80% power: those of the whole family where it shares a limit (within
    5%), else of its median feature.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from immunosarc import schema
    >>> volcano(schema.ASSOCIATION.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no association was computed'
    """
    table = check_family(associations, figure="volcano")
    ax = current(ax)
    if table.empty:
        titled(ax, "Associations, n = 0", associations)
        return say_why(ax, "no association was computed")
    lines = [plain(family_title(table)), _size(table), family_condition(table)]
    titled(ax, "\n".join(filter(None, lines)), associations)
    drawn = table[np.isfinite(table["estimate"]) & table["p_value"].notna()].reset_index(drop=True)
    if drawn.empty:
        return say_why(ax, f"none of {counted(len(table), 'feature')} could be estimated")
    how = measure(str(table["measure"].iloc[0]))
    x = how.shown(drawn["estimate"])
    y = -np.log10(drawn["p_value"].clip(lower=_FLOOR).to_numpy(float))
    reach = _reach(drawn, how)
    _scales(ax, np.append(y, np.nan_to_num(_ceiling(drawn))), how=how, reach=reach)
    handles = _chance(ax, drawn, how=how) + _points(ax, drawn, x, y)
    _names(ax, drawn, x, y, top=top)
    _key(ax, handles)
    lost = len(table) - len(drawn)
    text = f"family: {plain(table['family'].iloc[0])}" + (f"; {lost} not estimable" if lost else "")
    footnote(ax, text, below=_KEY_BELOW + 8 + 12.5 * math.ceil(len(handles) / 2))
    return ax


def _key(ax: Axes, handles: list[Any]) -> None:
    """Place the legend so many points under the Axes, whatever its height."""
    height = ax.get_window_extent().height / ax.figure.dpi * 72
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, -_KEY_BELOW / height),
        borderaxespad=0,
        borderpad=0,
        ncols=2,
        fontsize=7.5,
        frameon=False,
    )


def _size(table: pd.DataFrame) -> str:
    n, events = table["n"].max(), table["n_events"].max()
    counts = f"n = {0 if pd.isna(n) else n:.0f} ({0 if pd.isna(events) else events:.0f} with the endpoint)"
    return f"{counted(len(table), 'feature')} in the family, {counts}"


def _detectable(drawn: pd.DataFrame, how: Measure) -> tuple[float, bool]:
    """Return the detectable effect and whether the whole family shares it; else it is the median feature's."""
    values = np.abs(drawn["detectable_80"][np.isfinite(drawn["detectable_80"])].to_numpy(float))
    if 2 * len(values) <= len(drawn):
        return float("nan"), False  # most features cannot reach the threshold
    null = 0.0 if how.ratio else how.null
    shared = bool(np.ptp(values) <= _ALIKE * abs(values.max() - null))
    return float(values.max() if shared else np.median(values)), shared


def _either_side(value: float, how: Measure) -> tuple[float, float]:
    """Return an effect and its mirror image, as the reader sees them."""
    null = 0.0 if how.ratio else how.null
    low, high = (float(x) for x in how.shown([2 * null - value, value]))
    return low, high


def _reach(drawn: pd.DataFrame, how: Measure) -> tuple[float, float]:
    null = 0.0 if how.ratio else how.null
    far = np.nanmax(np.abs(drawn["estimate"].to_numpy(float) - null))
    detectable = _detectable(drawn, how)[0] - null
    far = 1.12 * (detectable if far < detectable < 2 * far else far)
    if not how.ratio and how.name.startswith("auc"):
        far = min(0.52, max(far, 0.3))
    return _either_side(null + max(float(far), 1e-3), how)


def _scales(ax: Axes, y: np.ndarray, *, how: Measure, reach: tuple[float, float]) -> None:
    if how.ratio:
        ratio_axis(ax, reach)
    else:
        ax.set_xlim(reach)
    ax.set_ylim(0, max(1.08 * float(y.max()), 1.6))
    ax.axvline(how.null, color=INK, linewidth=0.8)
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(f"{how.label} ({how.null:g} = no association)")
    ax.set_ylabel("-log10 p of the feature alone")


def _ceiling(drawn: pd.DataFrame) -> float:
    """Return the noise ceiling as a height: -log10 of the two-sided normal p of that statistic."""
    statistic = drawn["noise_ceiling"].max()
    return float("nan") if pd.isna(statistic) else -math.log10(max(math.erfc(statistic / math.sqrt(2)), _FLOOR))


def _chance(ax: Axes, drawn: pd.DataFrame, *, how: Measure) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = []
    ceiling, (detectable, shared) = _ceiling(drawn), _detectable(drawn, how)
    if np.isfinite(ceiling):
        ax.axhspan(0, ceiling, color=ORANGE, alpha=0.16, linewidth=0, zorder=0)
        ax.axhline(ceiling, color=ORANGE, linewidth=1.2, zorder=1)
        share = f"{drawn['alpha'].max():.0%}"
        handles.append(
            Patch(facecolor=ORANGE, alpha=0.3, label=f"noise ceiling: passed by chance in {share} of shuffles")
        )
    if np.isfinite(detectable):
        pair = _either_side(detectable, how)
        look: dict[str, Any] = {"color": MUTED, "linestyle": (0, (4, 3))}
        ax.axvspan(*pair, color=MUTED, alpha=0.1, linewidth=0, zorder=0)
        for edge in pair:
            ax.axvline(edge, linewidth=1, zorder=1, **look)
        beyond = ", beyond the axis" if pair[1] > ax.get_xlim()[1] else ""
        whose = "" if shared else "; median feature"
        label = f"weaker than detectable with 80% power ({_seen(pair[1], how)}{beyond}{whose})"
        handles.append(Patch(facecolor=MUTED, alpha=0.3, label=label))
    return handles


def _seen(value: float, how: Measure) -> str:
    return number_text(value) if how.ratio else number_text(value, decimals=2)


def _points(ax: Axes, drawn: pd.DataFrame, x: np.ndarray, y: np.ndarray) -> list[Line2D]:
    alpha = alpha_text(drawn["alpha"].max())
    survives, planned = schema.significant(drawn), (drawn["stamp"] == "confirmatory").to_numpy(bool)
    handles = []
    for filled in (False, True):
        for marker, mine in (("o", ~planned), ("D", planned)):
            chosen = mine & (survives == filled)
            face = BLUE if filled else "white"
            look: dict[str, Any] = {
                "linestyle": "none",
                "marker": marker,
                "markersize": 6.5 if marker == "D" else 5.5,
                "markeredgecolor": BLUE,
                "markerfacecolor": face,
                "markeredgewidth": 1.1,
            }
            if chosen.any():
                ax.plot(x[chosen], y[chosen], zorder=3, **look)
            if chosen.any() or (marker == "o" and not filled):
                words = (
                    f"{'planned' if marker == 'D' else 'explored'}, p maxT {'' if filled else 'not '}below {alpha}"
                )
                handles.append(Line2D([], [], label=f"{words}: {int(chosen.sum())}", **look))
    return handles


def _names(ax: Axes, drawn: pd.DataFrame, x: np.ndarray, y: np.ndarray, *, top: int) -> None:
    """Name the leading points in a column beside the Axes, ordered as the points are, joined by thin lines."""
    first = set(drawn["p_value"].sort_values(kind="stable").index[:top])
    planned = drawn["stamp"] == "confirmatory"
    chosen = sorted(first | set(drawn.index[planned]), key=lambda i: (-y[i], -x[i]))
    for i, place in zip(chosen, _apart(ax, y[chosen]), strict=True):
        ax.annotate(
            plain(drawn["feature"].iloc[i]),
            (x[i], y[i]),
            xytext=(1.03, place),
            textcoords="axes fraction",
            fontsize=_LABEL_SIZE,
            fontweight="bold" if planned.iloc[i] else "normal",
            va="center",
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 3},
            annotation_clip=False,
        )


def _apart(ax: Axes, heights: np.ndarray) -> np.ndarray:
    """Return label heights (axes fraction, falling) near the wanted ones and a line of text apart."""
    wanted = heights / ax.get_ylim()[1]
    box = ax.get_window_extent()
    gap = 1.35 * _LABEL_SIZE / (box.height / ax.figure.dpi * 72)
    places = wanted.astype(float).copy()
    for i in range(1, len(places)):
        places[i] = min(places[i], places[i - 1] - gap)
    if len(places) and places[-1] < 0:  # ran out at the bottom: push the column up again
        places[-1] = 0.0
        for i in range(len(places) - 2, -1, -1):
            places[i] = max(places[i], places[i + 1] + gap)
    return places
