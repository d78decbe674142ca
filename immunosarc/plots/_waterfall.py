"""Best change of the target lesions of every patient, largest growth first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from immunosarc import schema
from immunosarc.plots._axes import current, footnote, plain, say_why, titled
from immunosarc.plots._palette import GRID, INK, MUTED, category_styles, response_style
from immunosarc.plots._words import counted

__all__ = ["waterfall"]

_GROWTH, _RESPONSE = 20, -30
_MOST_COLORS = 6
_CELL = 0.055
_UNKNOWN = "NE"
_TAKEN = (" blue", " vermilion")
"""Colors of the responses, which a track does not use."""


def waterfall(
    change: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    tracks: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the best change of each patient's target lesions from baseline, one bar per patient.

    Color and hatch are the best overall response; lines at -30% and +20%; an N over a bar means a
    new lesion at some visit up to progression, which no bar shows. Under the bars one row per
    track: up to six categories are colored cells, more are written out.

    Parameters
    ----------
    change : DataFrame
        ``schema.TUMOR_CHANGE``; the rows marked ``best`` are the bars.
    outcomes : DataFrame
        ``schema.OUTCOMES``, indexed by patient: everybody treated, and the best response.
    tracks : DataFrame, optional
        Text columns indexed by patient, for example histology and immune class.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> change = schema.TUMOR_CHANGE.empty()
    >>> waterfall(change, schema.OUTCOMES.empty(), ax=Figure().add_subplot()).get_title(loc="left")
    'Best change of target lesions, n = 0 of 0 treated'
    """
    table, treated = schema.TUMOR_CHANGE.check(change), schema.OUTCOMES.check(outcomes)
    ax = current(ax)
    bars = table[table["best"].astype("boolean").fillna(False).astype(bool) & table["change_percent"].notna()]
    bars = bars.sort_values(["change_percent", "patient_id"], ascending=[False, True], ignore_index=True)
    titled(ax, f"Best change of target lesions, n = {len(bars)} of {len(treated)} treated", change, outcomes)
    if bars.empty:
        return say_why(ax, "no patient has target lesions measured at baseline and after it")
    response = treated["best_overall_response"].reindex(bars["patient_id"]).fillna(_UNKNOWN).astype(str)
    new = set(table.loc[(table["new_lesion"] == "yes").fillna(False).astype(bool), "patient_id"])
    for place, (row, name) in enumerate(zip(bars.itertuples(), response, strict=True)):
        _bar(ax, place, float(row.change_percent), name=name, new=row.patient_id in new)
    _scales(ax, bars["change_percent"].to_numpy(float))
    handles = _legend(response, has_new=bool(new & set(bars["patient_id"])))
    below = _tracks(ax, [str(one) for one in bars["patient_id"]], tracks, handles=handles)
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.06, 1.0), fontsize=7.5, frameon=False)
    absent = [str(one) for one in treated.index if one not in set(bars["patient_id"])]
    if absent:
        named = ", ".join(absent[:6]) + (" ..." if len(absent) > 6 else "")
        footnote(ax, plain(f"without a bar: {counted(len(absent), 'patient')} ({named})"), below=below)
    return ax


def _bar(ax: Axes, place: int, change: float, *, name: str, new: bool) -> None:
    style = response_style(name)
    ax.bar(place, change, width=0.82, color=style.color, hatch=style.hatch, edgecolor="white", linewidth=0.4)
    if change == 0:
        ax.plot([place - 0.41, place + 0.41], [0, 0], color=style.color, linewidth=2)
    if new:
        ax.annotate(
            "N",
            (place, max(change, 0)),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            fontweight="bold",
            color=INK,
        )


def _scales(ax: Axes, changes: np.ndarray) -> None:
    ax.set_xlim(-0.8, len(changes) - 0.2)
    ax.set_ylim(min(-60.0, float(changes.min())) - 5, max(40.0, float(changes.max())) * 1.12 + 4)
    ax.axhline(0, color=INK, linewidth=0.8)
    for limit, words in ((_GROWTH, "+20%"), (_RESPONSE, "-30%")):
        ax.axhline(limit, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        ax.annotate(
            words,
            (1.0, limit),
            xycoords=ax.get_yaxis_transform(),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=MUTED,
        )
    ax.set_xticks([])
    ax.set_ylabel("Change from baseline, %")
    ax.grid(axis="y", color=GRID, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "bottom"]].set_visible(False)


def _legend(response: pd.Series, *, has_new: bool) -> list[Patch | Line2D]:
    counts = response.value_counts()
    handles: list[Patch | Line2D] = [
        Patch(
            facecolor=response_style(name).color,
            hatch=response_style(name).hatch,
            edgecolor="white",
            label=f"{name}: {counts[name]}",
        )
        for name in schema.RESPONSES
        if name in counts
    ]
    if has_new:
        handles.append(Line2D([], [], linestyle="", marker="$N$", color=INK, markersize=5, label="new lesion"))
    return handles


def _tracks(ax: Axes, patients: list[str], tracks: pd.DataFrame | None, *, handles: list[Patch | Line2D]) -> float:
    """Draw the tracks under the bars; return how many points below the Axes they end."""
    names = [] if tracks is None else list(tracks.columns)
    colored = [name for name in names if tracks is not None and tracks[name].nunique() <= _MOST_COLORS]
    for level, name in enumerate(colored):
        assert tracks is not None  # noqa: S101 - there are columns
        values = tracks[name].reindex(patients).astype("string")
        _cells(ax, values, level=level, name=str(name), handles=handles)
    below = 6.0 + len(colored) * _CELL * ax.get_window_extent().height / ax.figure.dpi * 72
    for name in [one for one in names if one not in colored]:
        assert tracks is not None  # noqa: S101 - there are columns
        below = _written(ax, tracks[name].reindex(patients).astype("string"), below=below)
    return below + 4


def _cells(ax: Axes, values: pd.Series, *, level: int, name: str, handles: list[Patch | Line2D]) -> None:
    across = ax.get_xaxis_transform()
    top = -0.02 - level * _CELL
    known = sorted(values.dropna().unique())
    styles = {one: style for one, style in category_styles([*_TAKEN, *known]).items() if one in known}
    for place, value in enumerate(values):
        if pd.isna(value):
            continue
        style = styles[str(value)]
        cell = Rectangle(
            (place - 0.41, top - _CELL * 0.8),
            0.82,
            _CELL * 0.8,
            transform=across,
            clip_on=False,
            facecolor=style.color,
            hatch=style.hatch,
            edgecolor="white",
            linewidth=0.3,
        )
        ax.add_patch(cell)
    label = plain(name.replace("_", " "))
    ax.text(-0.9, top - _CELL * 0.4, label, transform=across, ha="right", va="center", fontsize=7, color=INK)
    handles.append(Line2D([], [], linestyle="", label=label))
    handles += [
        Patch(facecolor=style.color, hatch=style.hatch, edgecolor="white", label=plain(value))
        for value, style in styles.items()
    ]


def _written(ax: Axes, values: pd.Series, *, below: float) -> float:
    for place, value in enumerate(values):
        if not pd.isna(value):
            ax.annotate(
                plain(value),
                (place, 0),
                xycoords=ax.get_xaxis_transform(),
                xytext=(0, -below),
                textcoords="offset points",
                ha="center",
                va="top",
                rotation=90,
                fontsize=6.5,
                annotation_clip=False,
            )
    longest = max((len(str(value)) for value in values.dropna()), default=0)
    return below + 3.7 * longest + 4
