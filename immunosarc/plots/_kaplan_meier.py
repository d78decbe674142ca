"""Kaplan-Meier curves with numbers at risk under the axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from immunosarc import schema
from immunosarc.errors import UnknownNameError, did_you_mean
from immunosarc.plots._axes import current, plain, say_why, titled
from immunosarc.plots._palette import GRID, INK, Style, category_styles
from immunosarc.plots._words import counted, endpoint_label, stratum_label

__all__ = ["kaplan_meier"]

_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
_MOST_TICKS = 9
_ROW_POINTS = 12.0
_TABLE_BELOW = 40.0


def kaplan_meier(curves: pd.DataFrame, *, endpoint: str = "pfs", ax: Axes | None = None) -> Axes:
    """Draw the share of patients still free of the event, with the numbers still at risk.

    Steps with their confidence band, a tick where a patient was censored, one color and one
    line style per stratum, and under the axis the patients at risk at each tick.

    Parameters
    ----------
    curves : DataFrame
        ``schema.SURVIVAL_CURVE``; every stratum of the endpoint is drawn, in order.
    endpoint : {"pfs", "os"}
        Which endpoint of the table.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        When the table has rows, but none of this endpoint.

    Notes
    -----
    The number at risk at tick t is ``at_risk`` of the first row at or after t, and 0 after the last.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> curve = pd.DataFrame(
    ...     {"endpoint": "pfs", "stratum": "all", "time": [0.0, 2.0, 5.0], "at_risk": [3, 3, 2],
    ...      "n_events": [0, 1, 0], "n_censored": [0, 0, 2], "survival": [1, 2 / 3, 2 / 3],
    ...      "conf_low": [1, 0.05, 0.05], "conf_high": [1, 0.95, 0.95]}
    ... )
    >>> kaplan_meier(curve, ax=Figure().add_subplot()).get_xlabel()
    'Months since first dose'
    """
    table = schema.SURVIVAL_CURVE.check(curves)
    ax = current(ax)
    label = endpoint_label(endpoint)
    if len(table) and endpoint not in set(table["endpoint"]):
        known = table["endpoint"].unique()
        raise UnknownNameError(f"no curve of endpoint {endpoint!r}.{did_you_mean(endpoint, known)}")
    rows = table[table["endpoint"] == endpoint].dropna(subset=["time", "survival"])
    if rows.empty:
        titled(ax, f"{label}, n = 0", curves)
        return say_why(ax, f"no patient with {label.lower()}")
    parts = {str(name): part.sort_values("time") for name, part in rows.groupby("stratum", sort=False)}
    styles = category_styles(parts)
    handles = [_curve(ax, part, name=name, style=styles[name]) for name, part in parts.items()]
    ticks = _ticks(float(rows["time"].max()))
    _scales(ax, ticks)
    _numbers_at_risk(ax, parts, ticks, styles=styles)
    ax.legend(handles=handles, loc="upper right", fontsize=8, frameon=True, framealpha=0.85, edgecolor="none")
    n = sum(_patients(part) for part in parts.values())
    titled(
        ax,
        f"{label}, n = {n:.0f}" if "all" not in parts else f"{label}, n = {_patients(parts['all']):.0f}",
        curves,
    )
    return ax


def _patients(part: pd.DataFrame) -> float:
    return float(part["at_risk"].iloc[0])


def _curve(ax: Axes, part: pd.DataFrame, *, name: str, style: Style) -> Line2D:
    time, survival = part["time"].to_numpy(float), part["survival"].to_numpy(float)
    if time[0] > 0:  # the table may start at the first event
        time, survival = np.r_[0.0, time], np.r_[1.0, survival]
    label = f"{plain(stratum_label(name))}: n = {_patients(part):.0f}, {counted(part['n_events'].sum(), 'event')}"
    (line,) = ax.plot(
        time,
        survival,
        drawstyle="steps-post",
        color=style.color,
        linestyle=style.linestyle,
        linewidth=1.8,
        label=label,
    )
    limits = ["conf_low", "conf_high"]
    band = part.assign(**part[limits].ffill()).dropna(subset=limits)  # up to where the curve ends at 0
    ax.fill_between(
        band["time"].to_numpy(float),
        band["conf_low"].to_numpy(float),
        band["conf_high"].to_numpy(float),
        step="post",
        color=style.color,
        alpha=0.13,
        linewidth=0,
    )
    censored = part[part["n_censored"] > 0]
    ax.plot(
        censored["time"].to_numpy(float),
        censored["survival"].to_numpy(float),
        linestyle="none",
        marker="|",
        markersize=8,
        markeredgewidth=1.4,
        color=style.color,
        label="_censored",
    )
    return line


def _ticks(last: float) -> np.ndarray:
    step = next((step for step in _STEPS if last / step < _MOST_TICKS), _STEPS[-1])
    return np.arange(0.0, last + step, step)[: int(np.ceil(last / step)) + 1]


def _scales(ax: Axes, ticks: np.ndarray) -> None:
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xlim(0, max(ticks[-1], 1.0))
    ax.set_ylim(0, 1.02)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel("Months since first dose")
    ax.set_ylabel("Patients free of the event")
    ax.spines[["top", "right"]].set_visible(False)


def _numbers_at_risk(
    ax: Axes, parts: dict[str, pd.DataFrame], ticks: np.ndarray, *, styles: dict[str, Style]
) -> None:
    _below(ax, (0, 0), "At risk", row=0, color=INK, weight="bold", ha="left")
    for row, (name, part) in enumerate(parts.items(), start=1):
        _below(ax, (0, 0), plain(stratum_label(name)), row=row, color=styles[name].color, ha="right", shift=-14)
        for tick in ticks:
            _below(ax, (tick, 0), f"{_at_risk(part, tick):.0f}", row=row, color=INK, ha="center")


def _at_risk(part: pd.DataFrame, tick: float) -> float:
    later = part.loc[part["time"] >= tick, "at_risk"]
    return float(later.iloc[0]) if len(later) else 0.0


def _below(
    ax: Axes,
    where: tuple[float, float],
    text: str,
    *,
    row: int,
    color: str,
    ha: str,
    shift: float = 0,
    weight: str = "normal",
) -> None:
    """Write under the axis; points below, so that the rows line up at every size of the figure."""
    ax.annotate(
        text,
        where,
        xycoords=ax.get_xaxis_transform(),
        xytext=(shift, -_TABLE_BELOW - _ROW_POINTS * row),
        textcoords="offset points",
        ha=ha,
        va="top",
        fontsize=8,
        color=color,
        fontweight=weight,
        annotation_clip=False,
    )
