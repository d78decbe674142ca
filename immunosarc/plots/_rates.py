"""Rates with exact intervals, one row per endpoint and stratum."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from immunosarc import schema
from immunosarc.plots._axes import beside, current, fitted_font, footnote, plain, rate_axis, say_why, titled
from immunosarc.plots._palette import INK, MUTED, VERMILION, category_styles
from immunosarc.plots._words import endpoint_label, percent_text, stratum_label

__all__ = ["rates"]

_ALL = "all"


def rates(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of patients with each endpoint, its interval, its counts and its null rate.

    Parameters
    ----------
    summary : DataFrame
        ``schema.SUMMARY``; rows in months, and rates recorded of no patient, are not drawn.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> rates(schema.SUMMARY.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no rate was computed'
    """
    table = schema.SUMMARY.check(summary)
    recorded = table["measure"].isin(table.loc[table["n"] > 0, "measure"])
    rows = table[(table["unit"] == "proportion") & recorded].reset_index(drop=True)
    ax = current(ax)
    most = rows["n"].max() if len(rows) else np.nan
    titled(ax, f"Rates with their intervals, n up to {0 if pd.isna(most) else most:.0f}", summary)
    if rows.empty:
        return say_why(ax, "no rate was computed")
    styles = category_styles([_ALL, *rows["stratum"]])
    font = fitted_font(ax, len(rows) + 1)
    for place, row in rows.iterrows():
        style = styles[str(row["stratum"])]
        _rate(ax, float(place), row, color=style.color, marker=style.marker, font=font)
    rate_axis(ax, [_label(row) for _, row in rows.iterrows()], font=font)
    if rows["null_value"].notna().any():
        footnote(ax, "red bar: rate it is compared with (exact one-sided p in the table)", below=34)
    return ax


def _label(row: pd.Series) -> str:
    stratum = "" if row["stratum"] == _ALL else f", {stratum_label(str(row['stratum']))}"
    return plain(f"{endpoint_label(str(row['measure']))}{stratum}")


def _is_kaplan_meier(row: pd.Series) -> bool:
    return "kaplan" in str(row["method"]).lower()


def _rate(ax: Axes, place: float, row: pd.Series, *, color: str, marker: str, font: float) -> None:
    if pd.notna(row["null_value"]):
        ax.plot(
            [100 * row["null_value"]] * 2, [place - 0.36, place + 0.36], color=VERMILION, linewidth=2.2, zorder=1
        )
    n = 0 if pd.isna(row["n"]) else int(row["n"])
    tail = ""
    if pd.isna(row["estimate"]):
        text = f"n = {n}: {row['status']}"
    else:
        ends = [100 * row["conf_low"], 100 * row["conf_high"]]
        ax.plot(ends, [place, place], color=color, linewidth=1.8, zorder=2)
        ax.plot(
            [100 * row["estimate"]], [place], color=color, marker=marker, markersize=6.5, zorder=3, clip_on=False
        )
        shown = percent_text(row["estimate"], row["conf_low"], row["conf_high"])
        counts = f"n = {n}" if _is_kaplan_meier(row) or pd.isna(row["n_events"]) else f"{row['n_events']:.0f}/{n}"
        text, tail = counts, shown
    for shift, words in ((8, text), (54, tail)):
        if words:
            beside(ax, place, {shift: plain(words)}, font=font, ha="left", color=INK if tail else MUTED)
