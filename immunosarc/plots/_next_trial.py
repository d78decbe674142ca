"""The candidate next trials, and the rates that this one could be compared with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from immunosarc import schema
from immunosarc.plots._axes import beside, current, fitted_font, footnote, plain, rate_axis, say_why, titled
from immunosarc.plots._palette import GRID, INK, MUTED, VERMILION, category_styles
from immunosarc.plots._words import DASH, endpoint_label, p_text

__all__ = ["historical_controls", "next_trial"]

_COLUMNS = (("treat", 10), ("screen", 46), ("power", 88), ("assurance", 124))


def next_trial(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw for each rule of selection the rate to expect, the rate to beat, and what the trial takes.

    The dot and its interval are what is left after shrinkage; the open mark is the rate as seen, too good where
    the rule was searched for. The red bar is the rate to beat. At the right: patients to treat and to screen,
    power, and assurance.

    Parameters
    ----------
    table : DataFrame
        ``schema.NEXT_TRIAL``.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> next_trial(schema.NEXT_TRIAL.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no rule of selection'
    """
    rows = schema.NEXT_TRIAL.check(table).reset_index(drop=True)
    ax = current(ax)
    if rows.empty:
        titled(ax, "The next trial", table)
        return say_why(ax, "no rule of selection")
    titled(ax, f"The next trial: {_measured(rows)} in the selected", table, above=16)
    styles = category_styles([f"{rate:g}" for rate in rows["p0"]])
    font = fitted_font(ax, len(rows) + 1)
    for place, row in rows.iterrows():
        style = styles[f"{row['p0']:g}"]
        _believed(ax, float(place), row, color=style.color, marker=style.marker)
        _numbers(ax, float(place), row, font=font)
    for name, shift in _COLUMNS:
        beside(ax, -0.85, {shift: plain(name)}, font=font, ha="left", color=MUTED)
    rate_axis(ax, [_rule(row) for _, row in rows.iterrows()], font=font)
    footnote(
        ax, "red bar: rate to beat; open mark: as seen here; dot and line: after shrinkage, 95% interval", below=34
    )
    return ax


def historical_controls(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each historical rate beside what this trial saw: which of them it beats.

    The band is the exact interval of this trial's rate, the line its rate, the dashed line the highest rate that
    it would beat. A filled mark is beaten, an open one is not.

    Parameters
    ----------
    table : DataFrame
        ``schema.HISTORICAL_CONTROL`` of one endpoint.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> historical_controls(schema.HISTORICAL_CONTROL.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no rate to compare with'
    """
    rows = schema.HISTORICAL_CONTROL.check(table).reset_index(drop=True)
    ax = current(ax)
    if rows.empty:
        titled(ax, "Historical controls", table)
        return say_why(ax, "no rate to compare with")
    first = rows.iloc[0]
    seen = f"{first['x']:.0f}/{first['n']:.0f}"
    titled(ax, f"{plain(endpoint_label(str(first['endpoint'])))}: {seen} against each control", table, above=16)
    ax.axvspan(100 * first["conf_low"], 100 * first["conf_high"], color=GRID, alpha=0.6, linewidth=0)
    ax.axvline(100 * first["rate"], color=INK, linewidth=1.4)
    ax.axvline(100 * first["break_even"], color=MUTED, linewidth=1.1, linestyle="--")
    font = fitted_font(ax, len(rows) + 1)
    for place, row in rows.iterrows():
        beaten = bool(row["superior"])
        style = category_styles(["beaten", "not beaten"])["beaten" if beaten else "not beaten"]
        face = style.color if beaten else "white"
        ax.plot(100 * row["p0"], place, marker=style.marker, color=style.color, markerfacecolor=face, markersize=7)
        beside(ax, float(place), {8: plain(f"{100 * row['p0']:.1f}%")}, font=font, ha="left", color=INK)
        beside(ax, float(place), {48: plain(p_text(row["p_value"]))}, font=font, ha="left", color=INK)
        beside(ax, float(place), {86: "beaten" if beaten else "not beaten"}, font=font, ha="left", color=INK)
    for name, shift in (("control", 8), ("one-sided p", 48)):
        beside(ax, -0.85, {shift: plain(name)}, font=font, ha="left", color=MUTED)
    rate_axis(ax, [plain(f"{row['control']}") for _, row in rows.iterrows()], font=font)
    footnote(
        ax,
        f"line and band: this trial with its interval; dashed: the highest rate it beats at {first['alpha']:g}, "
        f"{100 * first['break_even']:.1f}%",
        below=34,
    )
    return ax


def _measured(rows: pd.DataFrame) -> str:
    if "endpoint" not in rows or rows["endpoint"].isna().all():
        return "rate"
    return plain(endpoint_label(str(rows["endpoint"].iloc[0])).lower())


def _rule(row: pd.Series) -> str:
    return plain(f"{row['rule']}  (beat {100 * row['p0']:.1f}%)")


def _believed(ax: Axes, place: float, row: pd.Series, *, color: str, marker: str) -> None:
    ax.plot([100 * row["p0"]] * 2, [place - 0.36, place + 0.36], color=VERMILION, linewidth=2.2, zorder=1)
    if pd.notna(row["rate_raw"]):
        ax.plot(100 * row["rate_raw"], place, marker=marker, color=MUTED, markerfacecolor="white", markersize=6)
    ends = [100 * row["rate_low"], 100 * row["rate_high"]]
    ax.plot(ends, [place, place], color=color, linewidth=1.8, zorder=2)
    ax.plot(100 * row["rate"], place, marker=marker, color=color, markersize=6, zorder=3)


def _numbers(ax: Axes, place: float, row: pd.Series, *, font: float) -> None:
    if np.isnan(row["n"]):
        beside(ax, place, {_COLUMNS[0][1]: plain(str(row["status"]))}, font=font, ha="left", color=MUTED)
        return
    shown = (f"{row['n']:.0f}", f"{row['screened']:.0f}", _share(row["power"]), _share(row["assurance"]))
    for text, (_, shift) in zip(shown, _COLUMNS, strict=True):
        beside(ax, place, {shift: plain(text)}, font=font, ha="left", color=INK)


def _share(value: float) -> str:
    return DASH if np.isnan(value) else f"{value:.2f}"
