"""Change of the target lesions of every patient over the days of the scans."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from immunosarc import schema
from immunosarc.plots._axes import current, footnote, say_why, titled
from immunosarc.plots._palette import GRID, INK, MUTED, response_style

__all__ = ["spider"]

_WEEK = 7
_ENDS = (
    ("death", "X", "death"),
    ("progression", "v", "progression"),
    ("another therapy", "D", "another therapy"),
    ("missed", "P", "scans missed, then event"),
)
"""Words in the reason, the mark at the end of the line, and its name; else the line goes on."""
_GOES_ON = ("o", "censored at the last adequate scan")


def spider(change: pd.DataFrame, outcomes: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each patient's target lesions as a line over the true scan days, with what ended it.

    Color and line style are the best overall response; the mark at the end says why the line
    stops there. A visit at which a target was not assessed leaves a gap.

    Parameters
    ----------
    change : DataFrame
        ``schema.TUMOR_CHANGE``.
    outcomes : DataFrame
        ``schema.OUTCOMES``, indexed by patient.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> spider(schema.TUMOR_CHANGE.empty(), schema.OUTCOMES.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no patient has target lesions measured at baseline and after it'
    """
    table, treated = schema.TUMOR_CHANGE.check(change), schema.OUTCOMES.check(outcomes)
    ax = current(ax)
    rows = table[table["study_day"].notna()]
    followed = rows[rows["change_percent"].notna() & (rows["study_day"] > 1)]["patient_id"].unique()
    titled(ax, f"Target lesions over time, n = {len(followed)} of {len(treated)} treated", change, outcomes)
    if not len(followed):
        return say_why(ax, "no patient has target lesions measured at baseline and after it")
    response = treated["best_overall_response"].reindex(followed).fillna("NE").astype(str)
    used = {_line(ax, rows[rows["patient_id"] == patient], name=response[patient]) for patient in followed}
    _scales(ax, rows)
    handles = _legend(response, used)
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7.5, frameon=False)
    footnote(ax, "points are scans on their true day; a line ends at the last sum that was complete", below=36)
    return ax


def _line(ax: Axes, rows: pd.DataFrame, *, name: str) -> str:
    """Draw one patient; return the mark at the end."""
    style = response_style(name)
    days, change = rows["study_day"].to_numpy(float), rows["change_percent"].to_numpy(float)
    ax.plot(
        days,
        change,
        color=style.color,
        linestyle=style.linestyle,
        linewidth=1.1,
        marker=".",
        markersize=3,
        alpha=0.9,
    )
    reason = str(rows["ended"].dropna().iloc[-1]) if rows["ended"].notna().any() else ""
    mark = _mark(reason)
    measured = rows[rows["change_percent"].notna()]
    ax.plot(
        [float(measured["study_day"].iloc[-1])],
        [float(measured["change_percent"].iloc[-1])],
        marker=mark,
        color=style.color,
        markeredgecolor=INK,
        markeredgewidth=0.6,
        markersize=6,
        linestyle="",
        zorder=3,
    )
    return mark


def _mark(reason: str) -> str:
    if "missed" in reason:
        return "P"
    return next((mark for words, mark, _ in _ENDS if words in reason), _GOES_ON[0])


def _scales(ax: Axes, rows: pd.DataFrame) -> None:
    last = float(rows["study_day"].max())
    first = float(rows["study_day"].min())
    step = next((weeks for weeks in (6, 12, 24, 52, 104) if last / _WEEK / weeks <= 10), 260)
    ticks = range(0, int(last / _WEEK) + step, step)
    ax.set_xticks([week * _WEEK for week in ticks], [str(week) for week in ticks])
    ax.set_xlim(first - 8, last + 12)
    ax.set_xlabel("Weeks since first dose")
    ax.set_ylabel("Change from baseline, %")
    ax.axhline(0, color=INK, linewidth=0.8, zorder=0)
    for limit in (20, -30):
        ax.axhline(limit, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    ax.grid(axis="y", color=GRID, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _legend(response: pd.Series, used: set[str]) -> list[Line2D]:
    counts = response.value_counts()
    handles = [
        Line2D(
            [],
            [],
            color=response_style(name).color,
            linestyle=response_style(name).linestyle,
            label=f"{name}: {counts[name]}",
        )
        for name in schema.RESPONSES
        if name in counts
    ]
    ends = [*((mark, words) for _, mark, words in _ENDS), _GOES_ON]
    return handles + [
        Line2D([], [], linestyle="", marker=mark, color="white", markeredgecolor=INK, markersize=6, label=words)
        for mark, words in ends
        if mark in used
    ]
