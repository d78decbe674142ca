"""What predictions are worth: predicted beside observed risk, and the decision curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from immunosarc import schema
from immunosarc.plots._axes import current, footnote, say_why, titled
from immunosarc.plots._palette import BLUE, GRID, INK, MUTED, VERMILION

__all__ = ["calibration", "decision_curve"]

_ROOM = 12  # percent left of a point that its label needs


def calibration(groups: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the observed share of patients with the event against the risk that was predicted for them.

    Parameters
    ----------
    groups : DataFrame
        ``schema.RISK_GROUPS``, the ``calibration`` of ``models.cross_validate``.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> calibration(schema.RISK_GROUPS.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no risk was predicted'
    """
    table = schema.RISK_GROUPS.check(groups)
    ax = current(ax)
    titled(ax, f"Predicted and observed, n = {table['n'].sum():.0f}", groups)
    rows = table.dropna(subset=["predicted", "observed"])
    if rows.empty:
        return say_why(ax, "no risk was predicted")
    ax.plot([0, 100], [0, 100], color=GRID, linewidth=1.5, zorder=1)
    x, y, low, high = (100 * rows[name].to_numpy() for name in ("predicted", "observed", "conf_low", "conf_high"))
    ax.vlines(x, low, high, color=MUTED, linewidth=1.5, zorder=2)
    ax.plot(x, y, "o", color=BLUE, markersize=7, zorder=3)
    for i, (place, share, top, (_, row)) in enumerate(zip(x, y, high, rows.iterrows(), strict=True)):
        ax.annotate(f"{row['n_events']:.0f}/{row['n']:.0f}", color=INK, **_beside(i, len(x), (place, share, top)))
    ax.set(xlim=(-2, 102), ylim=(-2, 102), xlabel="Predicted risk (%)", ylabel="Observed share (%)")
    footnote(ax, "bars: exact 95% intervals; line: perfect calibration", below=38)
    return ax


def _beside(i: int, n: int, point: tuple[float, float, float]) -> dict[str, Any]:
    """The first label to the left, the last to the right, others above their bar: close points stay legible."""
    place, share, top = point
    offset = {"textcoords": "offset points"}
    if i == n - 1:
        return {"xy": (place, share), "xytext": (7, 4), "ha": "left"} | offset
    if i == 0 and place > _ROOM:
        return {"xy": (place, share), "xytext": (-7, 4), "ha": "right"} | offset
    return {"xy": (place, top), "xytext": (3, 4), "ha": "right"} | offset


def decision_curve(decisions: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what treating by the model is worth, beside treating everybody and nobody.

    Parameters
    ----------
    decisions : DataFrame
        ``schema.DECISION_CURVE``, of ``models.cross_validate``.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> decision_curve(schema.DECISION_CURVE.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no risk was predicted'
    """
    table = schema.DECISION_CURVE.check(decisions)
    ax = current(ax)
    titled(ax, "Decision curve", decisions)
    rows = table.dropna(subset=["threshold", "model"])
    if rows.empty:
        return say_why(ax, "no risk was predicted")
    at = 100 * rows["threshold"].to_numpy()
    for name, label, style, color in (
        ("model", "by the model", "-", BLUE),
        ("treat_all", "everybody", "--", VERMILION),
        ("treat_none", "nobody", ":", INK),
    ):
        ax.plot(at, rows[name].to_numpy(), linestyle=style, color=color, label=label)
    best = float(np.nanmax(rows[["model", "treat_all", "treat_none"]].to_numpy()))
    ax.set_ylim(-0.25 * max(best, 0.04), 1.1 * max(best, 0.04))  # treating everybody falls without end
    ax.set(xlabel="Threshold: risk at which a patient would be treated (%)", ylabel="Net benefit per patient")
    ax.legend(frameon=False, title="treated")
    return ax
