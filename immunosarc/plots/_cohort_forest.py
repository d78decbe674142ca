"""One question in several cohorts: each effect, their average, and where the next cohort's may lie."""

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
from immunosarc.plots._palette import BLUE, GRID, INK, MUTED, VERMILION
from immunosarc.plots._words import Measure, interval_text, measure, p_text

__all__ = ["cohort_forest"]

_COLUMNS = (("n (events)", 34.0), ("weight", 80.0), ("estimate [interval]", 150.0))
"""Heading and distance of its center from the right edge of the Axes, in points."""
_HEAD = 16.0
_WIDEST = np.log(50.0)
_LONGEST = 58


def cohort_forest(effects: pd.DataFrame, pooled: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw one question in several cohorts, the average effect, and where a new cohort's effect may lie.

    The area of a square is the weight of its cohort. The diamond is the average with its confidence interval; the
    bar under it is the prediction interval, dashed where so few cohorts say little of their spread. A cohort
    without an effect keeps its row and says why; an arrow leaves the axis.

    Parameters
    ----------
    effects : DataFrame
        ``schema.COHORT_EFFECTS`` of one question: one family and one feature.
    pooled : DataFrame
        ``schema.POOLED_EFFECTS`` of the same question, one row.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Raises
    ------
    SchemaError
        When there is more than one question.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> tables = schema.COHORT_EFFECTS.empty(), schema.POOLED_EFFECTS.empty()
    >>> cohort_forest(*tables, ax=Figure().add_subplot()).texts[0].get_text()
    'no cohort has this effect'
    """
    rows = _one_question(schema.COHORT_EFFECTS.check(effects)).reset_index(drop=True)
    summary = _one_question(schema.POOLED_EFFECTS.check(pooled))
    ax = current(ax)
    if rows.empty or summary.empty or not rows["estimate"].notna().any():
        titled(ax, "Cohorts, n = 0", effects)
        return say_why(ax, "no cohort has this effect")
    average = summary.iloc[0]
    how = measure(str(average["measure"]))
    font = fitted_font(ax, len(rows) + 4)
    limits = _limits(rows, average, how)
    _scales(ax, rows, how=how, limits=limits, font=font)
    for place, row in rows.iterrows():
        _cohort(ax, float(place), row, how=how, limits=limits, font=font)
    _average(ax, len(rows) + 0.2, average, how=how, limits=limits, font=font)
    _prediction(ax, len(rows) + 1.2, average, how=how, limits=limits, font=font)
    _cells(ax, -0.6, tuple(name for name, _ in _COLUMNS), font=font, weight="bold", va="bottom")
    n_cohorts = int(average["n_cohorts"])
    lines = [
        plain(f"{average['feature']}: {average['family']}"),
        f"{n_cohorts} cohort{'s' if n_cohorts != 1 else ''}, n = {average['n']:.0f}; {_scatter(average)}",
    ]
    titled(ax, "\n".join(lines), effects, above=_HEAD)
    footnote(ax, "square: weight; diamond: average; bar under it: a new cohort; arrow: beyond the axis", below=36)
    return ax


def _one_question(table: pd.DataFrame) -> pd.DataFrame:
    if len(table[["family", "feature"]].drop_duplicates()) > 1:
        raise SchemaError(
            "cohort_forest draws one question at a time: pass the rows of one family and one feature"
        )
    return table


def _scatter(average: pd.Series) -> str:
    if pd.isna(average["q_p_value"]):
        return "heterogeneity is not known"
    return (
        f"tau {average['tau']:.2f}, I² {100 * average['i_squared']:.0f}%, p of heterogeneity "
        f"{p_text(average['q_p_value'])}"
    )


def _limits(rows: pd.DataFrame, average: pd.Series, how: Measure) -> tuple[float, float]:
    """Axis limits as the reader sees them: every estimate, and intervals up to a fiftyfold ratio."""
    ends = np.abs([*rows[["conf_low", "conf_high"]].to_numpy(float).ravel(), average["conf_high"]])
    far = float(np.nanmax(np.abs(rows["estimate"].to_numpy(float))))
    reach = max(min(float(np.nanmax(ends)), _WIDEST), 1.05 * far, float(np.log(2.0)))
    low, high = (float(value) for value in how.shown([-reach, reach]))
    return low, high


def _scales(ax: Axes, rows: pd.DataFrame, *, how: Measure, limits: tuple[float, float], font: float) -> None:
    ratio_axis(ax, limits)
    n = len(rows)
    ax.set_ylim(n + 1.8, -0.6)
    names = [plain(name) for name in rows["cohort"]]
    names[0] += " (original)"
    ax.set_yticks([*range(n), n + 0.2, n + 1.2], [*names, "all cohorts", "a new cohort"], fontsize=font)
    ax.tick_params(axis="y", length=0)
    ax.axvline(how.null, color=INK, linewidth=1)
    ax.axhline(n - 0.4, color=GRID, linewidth=0.8)
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel(f"{how.label} ({how.null:g} = no association)", fontsize=9)


def _cohort(
    ax: Axes, place: float, row: pd.Series, *, how: Measure, limits: tuple[float, float], font: float
) -> None:
    count = (
        f"{0 if pd.isna(row['n']) else row['n']:.0f} ({0 if pd.isna(row['n_events']) else row['n_events']:.0f})"
    )
    if pd.isna(row["estimate"]):
        reason = str(row["status"])
        _say(ax, place, reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…", limits, font)
        _cells(ax, place, (count, "", ""), font=font)
        return
    low, high = how.shown([row["conf_low"], row["conf_high"]])
    clipped_interval(ax, place, (low, high), limits=limits, color=BLUE)
    size = 3.0 + 10.0 * float(np.sqrt(row["weight"]))
    ax.plot(how.shown([row["estimate"]]), [place], "s", markersize=size, color=BLUE, zorder=3)
    text = interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how)
    _cells(ax, place, (count, f"{100 * row['weight']:.0f}%", text), font=font)


def _average(
    ax: Axes, place: float, row: pd.Series, *, how: Measure, limits: tuple[float, float], font: float
) -> None:
    if row["status"] != "ok":
        _say(ax, place, str(row["status"]), limits, font)
        return
    low, middle, high = how.shown([row["conf_low"], row["estimate"], row["conf_high"]])
    inside = np.clip([low, high], *limits)
    x = [inside[0], middle, inside[1], middle]
    ax.fill(x, [place, place - 0.28, place, place + 0.28], color=VERMILION, zorder=3)
    clipped_interval(ax, place, (low, high), limits=limits, color=VERMILION)
    count = f"{row['n']:.0f} ({row['n_events']:.0f})"
    text = interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how)
    _cells(ax, place, (count, "100%", text), font=font, weight="bold")


def _prediction(
    ax: Axes, place: float, row: pd.Series, *, how: Measure, limits: tuple[float, float], font: float
) -> None:
    if pd.isna(row["predict_low"]):
        _say(ax, place, f"no prediction interval: {row['prediction']}", limits, font)
        return
    few = str(row["prediction"]).startswith("uninformative")
    low, high = how.shown([row["predict_low"], row["predict_high"]])
    clipped_interval(ax, place, (low, high), limits=limits, color=VERMILION, style="--" if few else "-")
    text = f"[{how.text(row['predict_low'])}, {how.text(row['predict_high'])}]"
    _cells(ax, place, ("uninformative" if few else "", "", text), font=font)


def _say(ax: Axes, place: float, text: str, limits: tuple[float, float], font: float) -> None:
    ax.text(
        float(np.sqrt(limits[0] * limits[1])),
        place,
        plain(text),
        fontsize=0.9 * font,
        color=MUTED,
        ha="center",
        va="center",
        style="italic",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def _cells(
    ax: Axes, place: float, texts: tuple[str, ...], *, font: float, weight: str = "normal", va: str = "center"
) -> None:
    shifts = [shift for _, shift in _COLUMNS]
    beside(ax, place, dict(zip(shifts, texts, strict=True)), font=font, weight=weight, va=va)
