"""Forest plot of one family of associations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from immunosarc import schema
from immunosarc.errors import SchemaError
from immunosarc.plots._axes import (
    beside,
    clipped_interval,
    current,
    fitted_font,
    footnote,
    plain,
    ratio_axis,
    say_why,
    titled,
)
from immunosarc.plots._palette import BLUE, GRID, INK, MUTED
from immunosarc.plots._words import (
    Measure,
    alpha_text,
    family_condition,
    family_title,
    interval_text,
    measure,
    p_text,
)

__all__ = ["check_family", "forest"]

_COLUMNS = (("n (events)", 34.0), ("estimate [interval]", 118.0), ("p maxT", 198.0))
"""Heading and distance of its center from the right edge of the Axes, in points."""
_LONGEST = 58
_HEAD = 16.0


def check_family(associations: pd.DataFrame, *, figure: str) -> pd.DataFrame:
    """Return the checked table; refuse more than one family or one measure.

    Raises
    ------
    SchemaError
        When families or measures are mixed.
    """
    table = schema.ASSOCIATION.check(associations)
    for column in ("family", "measure"):
        found = list(table[column].unique())
        if len(found) > 1:
            raise SchemaError(
                f"{figure} draws one {column} at a time, the table has {len(found)}: {', '.join(found[:5])}. "
                f"Pass table[table['{column}'] == {found[0]!r}]."
            )
    return table


def forest(associations: pd.DataFrame, *, ax: Axes | None = None, top: int = 20) -> Axes:
    """Draw how strongly each feature goes with the outcome, with its interval and its counts.

    The features with the smallest family-wise p come first. A filled marker stays below alpha after
    correction for the whole family, a diamond was planned; an arrow leaves the axis. A feature
    without an estimate keeps its row and says why.

    Parameters
    ----------
    associations : DataFrame
        ``schema.ASSOCIATION``, one family and one measure. Ratios are drawn on a log axis.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.
    top : int
        How many features at most.

    Returns
    -------
    Axes

    Raises
    ------
    SchemaError
        When families or measures are mixed.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> forest(schema.ASSOCIATION.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no association was computed'
    """
    table = check_family(associations, figure="forest")
    ax = current(ax)
    if table.empty:
        titled(ax, "Associations, n = 0", associations)
        return say_why(ax, "no association was computed")
    shown = _ordered(table).head(top).reset_index(drop=True)
    how = measure(str(table["measure"].iloc[0]))
    font = fitted_font(ax, len(shown) + 1)
    limits = _limits(shown, how)
    _scales(ax, shown, how=how, limits=limits, font=font)
    for place, row in shown.iterrows():
        _effect(ax, float(place), row, how=how, limits=limits, font=font)
    _headings(ax, font)
    left = len(table) - len(shown)
    scope = f"{len(shown)} of {len(table)} features" if left else f"{len(table)} features"
    lines = [plain(family_title(table)), f"{scope}, {_patients(table)}", family_condition(table)]
    titled(ax, "\n".join(filter(None, lines)), associations, above=_HEAD)
    alpha = alpha_text(table["alpha"].max())
    key = f"filled: p maxT below {alpha} in this family; diamond: planned and locked; arrow: beyond the axis"
    footnote(ax, key, below=36)
    return ax


def _patients(table: pd.DataFrame) -> str:
    counts = table.loc[table["estimate"].notna(), "n"]
    if counts.empty:
        return "n = 0"
    low, high = counts.min(), counts.max()
    return f"n = {high:.0f}" if low == high else f"n = {low:.0f} to {high:.0f}"


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    keyed = table.assign(_hopeless=table["estimate"].isna())
    return keyed.sort_values(["_hopeless", "p_maxt", "p_value"], kind="stable", na_position="last")


def _limits(shown: pd.DataFrame, how: Measure) -> tuple[float, float]:
    """Return axis limits as the reader sees them; one endless interval must not flatten the rest."""
    if not how.ratio and how.name.startswith("auc"):
        return 0.0, 1.0
    null = 0.0 if how.ratio else how.null
    far = np.abs(shown["estimate"].dropna().to_numpy(float) - null)
    ends = np.abs(shown[["conf_low", "conf_high"]].to_numpy(float) - null)
    ends = ends[np.isfinite(ends)]
    reach = min(ends.max(initial=0.0), max(1.6 * far.max(initial=0.0), np.log(20.0)))
    reach = max(float(reach), 1.05 * float(far.max(initial=0.0)), np.log(2.0))
    low, high = (float(value) for value in how.shown([null - reach, null + reach]))
    return low, high


def _scales(ax: Axes, shown: pd.DataFrame, *, how: Measure, limits: tuple[float, float], font: float) -> None:
    if how.ratio:
        ratio_axis(ax, limits)
    else:
        ax.set_xlim(limits)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_yticks(range(len(shown)), [plain(name) for name in shown["feature"]], fontsize=font)
    ax.tick_params(axis="y", length=0)
    ax.axvline(how.null, color=INK, linewidth=1)
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel(f"{how.label} ({'1' if how.ratio else f'{how.null:g}'} = no association)", fontsize=9)


def _effect(
    ax: Axes, place: float, row: pd.Series, *, how: Measure, limits: tuple[float, float], font: float
) -> None:
    if pd.isna(row["estimate"]):
        reason = str(row["status"])
        reason = reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"
        middle = float(np.sqrt(limits[0] * limits[1])) if how.ratio else sum(limits) / 2
        note = f"not estimable: {plain(reason)}"
        ax.text(
            middle,
            place,
            note,
            fontsize=0.9 * font,
            color=MUTED,
            ha="center",
            va="center",
            style="italic",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
        _cells(ax, place, (_counts(row), "", ""), font=font)
        return
    low, value, high = (float(x) for x in how.shown([row["conf_low"], row["estimate"], row["conf_high"]]))
    clipped_interval(ax, place, (low, high), limits=limits, color=BLUE)
    filled = bool(schema.significant(row.to_frame().T)[0])
    ax.plot(
        [value],
        [place],
        marker="D" if row["stamp"] == "confirmatory" else "o",
        markersize=6,
        color=BLUE,
        markerfacecolor=BLUE if filled else "white",
        markeredgewidth=1.4,
        zorder=3,
    )
    text = interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how)
    _cells(ax, place, (_counts(row), text, p_text(row["p_maxt"])), font=font)


def _counts(row: pd.Series) -> str:
    n, events = (0 if pd.isna(row[name]) else int(row[name]) for name in ("n", "n_events"))
    return f"{n} ({events})"


def _headings(ax: Axes, font: float) -> None:
    _cells(ax, -0.6, tuple(name for name, _ in _COLUMNS), font=font, weight="bold", va="bottom")


def _cells(
    ax: Axes, place: float, texts: tuple[str, ...], *, font: float, weight: str = "normal", va: str = "center"
) -> None:
    shifts = [shift for _, shift in _COLUMNS]
    beside(ax, place, dict(zip(shifts, texts, strict=True)), font=font, weight=weight, va=va)
