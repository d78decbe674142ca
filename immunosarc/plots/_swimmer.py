"""One lane per patient: doses, response, progression, biopsies, immune events, death, data cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from immunosarc import schema
from immunosarc.plots._axes import current, fitted_font, footnote, plain, say_why, titled
from immunosarc.plots._palette import ABSENT, GRID, INK, MUTED, PURPLE, VERMILION, category_styles, response_style

__all__ = ["swimmer"]

_WEEK = 7
_LANE, _RESPONSE_LANE = 0.74, 0.3
_MARKS: dict[str, dict[str, Any]] = {
    "biopsy": {"marker": "d", "color": "white", "markeredgecolor": INK, "markersize": 4.6},
    "immune_event": {"marker": "*", "color": PURPLE, "markeredgecolor": INK, "markersize": 7},
    "progression": {"marker": "v", "color": VERMILION, "markeredgecolor": INK, "markersize": 5.5},
    "new_therapy": {"marker": "s", "color": MUTED, "markeredgecolor": INK, "markersize": 4.6},
    "death": {"marker": "X", "color": INK, "markeredgecolor": INK, "markersize": 5.5},
    "ongoing": {"marker": ">", "color": INK, "markeredgecolor": INK, "markersize": 5.5},
}
_NAMES = {
    "biopsy": "biopsy",
    "immune_event": "immune-mediated event",
    "progression": "progression",
    "new_therapy": "another therapy",
    "death": "death",
    "ongoing": "ongoing, progression-free",
}


def swimmer(timeline: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw every patient's time in the study as a lane, longest first.

    The lane reaches from the first dose to the last day known; on it the interval of response, a
    tick for each dose (one row per drug), and marks for biopsies, immune-mediated events,
    progression, another therapy and death; an arrow where the patient goes on. The data cut is one
    line when it fell on the same study day for everybody, else a bar at the end of each lane.

    Parameters
    ----------
    timeline : DataFrame
        ``schema.TIMELINE``.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> swimmer(schema.TIMELINE.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no patient was followed'
    """
    table = schema.TIMELINE.check(timeline)
    ax = current(ax)
    lanes = table[(table["kind"] == "follow_up") & table["end_day"].notna()]
    lanes = lanes.sort_values(["end_day", "patient_id"], ascending=[False, True], ignore_index=True)
    n = table.loc[table["kind"] == "follow_up", "patient_id"].nunique()
    titled(ax, f"Course of each patient, n = {len(lanes)} of {n}", timeline)
    if lanes.empty:
        return say_why(ax, "no patient was followed")
    place = {str(patient): i for i, patient in enumerate(lanes["patient_id"])}
    rows = table[table["patient_id"].isin(list(place)) & table["study_day"].notna()]
    rows = rows.assign(place=rows["patient_id"].map(place).astype(float))
    handles: list[Patch | Line2D] = [*_lanes(ax, lanes), *_responses(ax, rows)]
    handles += _doses(ax, rows[rows["kind"] == "dose"])
    handles += _marked(ax, rows)
    handles += _data_cut(ax, rows[rows["kind"] == "data_cut"])
    _scales(ax, [str(one) for one in lanes["patient_id"]], rows)
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7.5, frameon=False)
    footnote(ax, "lane color: best overall response", below=36)
    return ax


def _lanes(ax: Axes, lanes: pd.DataFrame) -> Iterable[Patch]:
    best = lanes["label"].fillna("NE").astype(str)
    for place, (row, name) in enumerate(zip(lanes.itertuples(), best, strict=True)):
        style = response_style(name)
        ax.barh(place, row.end_day, height=_LANE, color=style.color, alpha=0.35, edgecolor="none", zorder=1)
    counts = best.value_counts()
    for name in [one for one in schema.RESPONSES if one in counts]:
        yield Patch(facecolor=response_style(name).color, alpha=0.35, label=f"{name}: {counts[name]}")


def _responses(ax: Axes, rows: pd.DataFrame) -> Iterable[Patch]:
    held = rows[rows["kind"] == "response"]
    for row in held.itertuples():
        style = response_style(str(row.label))
        width = row.end_day - row.study_day
        ax.barh(
            row.place,
            width,
            left=row.study_day,
            height=_RESPONSE_LANE,
            color=style.color,
            edgecolor=INK,
            linewidth=0.4,
            zorder=2,
        )
    if len(held):
        yield Patch(facecolor=response_style("PR").color, edgecolor=INK, linewidth=0.4, label="in response")


def _doses(ax: Axes, doses: pd.DataFrame) -> Iterable[Line2D]:
    styles = category_styles(sorted(doses["label"].dropna().astype(str).unique()))
    height = _LANE / max(len(styles), 1)
    for level, (drug, style) in enumerate(styles.items()):
        mine = doses[doses["label"] == drug]
        low = mine["place"] - _LANE / 2 + level * height
        ax.vlines(mine["study_day"], low, low + 0.8 * height, color=style.color, linewidth=0.9, zorder=3)
        yield Line2D(
            [],
            [],
            linestyle="",
            marker="|",
            color=style.color,
            markersize=7,
            label=f"dose of {plain(drug)}, row {level + 1}",
        )


def _marked(ax: Axes, rows: pd.DataFrame) -> Iterable[Line2D]:
    for kind, look in _MARKS.items():
        mine = rows[rows["kind"] == kind]
        if mine.empty:
            continue
        shift = 6.0 if kind == "ongoing" else 0.0
        ax.plot(mine["study_day"] + shift, mine["place"], linestyle="", markeredgewidth=0.6, zorder=5, **look)
        yield Line2D([], [], linestyle="", markeredgewidth=0.6, label=f"{_NAMES[kind]}: {len(mine)}", **look)


def _data_cut(ax: Axes, cuts: pd.DataFrame) -> Iterable[Line2D]:
    if cuts.empty:
        return
    days = cuts["study_day"].unique()
    look: dict[str, Any] = {"color": INK, "linewidth": 1.1, "linestyle": (0, (2, 2))}
    if len(days) == 1:
        ax.axvline(float(days[0]), zorder=4, **look)
    else:
        ax.vlines(cuts["study_day"], cuts["place"] - _LANE / 2, cuts["place"] + _LANE / 2, zorder=4, **look)
    yield Line2D([], [], label="data cut" if len(days) == 1 else "data cut of the patient", **look)


def _scales(ax: Axes, patients: list[str], rows: pd.DataFrame) -> None:
    ax.set_ylim(len(patients) - 0.3, -0.7)
    ax.set_yticks(
        range(len(patients)), [plain(one) for one in patients], fontsize=fitted_font(ax, len(patients), largest=8)
    )
    ax.tick_params(axis="y", length=0)
    last = float(rows[["study_day", "end_day"]].max().max())
    step = next((weeks for weeks in (6, 12, 24, 52, 104) if last / _WEEK / weeks <= 12), 260)
    ticks = range(0, int(last / _WEEK) + step, step)
    ax.set_xticks([week * _WEEK for week in ticks], [str(week) for week in ticks])
    ax.set_xlim(min(0.0, float(rows["study_day"].min())) - 8, last + 22)
    ax.set_xlabel("Weeks since first dose")
    ax.axvline(1, color=INK, linewidth=0.8)
    ax.grid(axis="x", color=ABSENT if len(patients) > 1 else GRID, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
