"""Every path of analysis in the order of its effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from mpl_toolkits.axes_grid1 import make_axes_locatable

from immunosarc import schema
from immunosarc.plots._axes import current, footnote, plain, say_why, titled
from immunosarc.plots._palette import GRID, INK, MUTED, VERMILION
from immunosarc.plots._words import p_text

__all__ = ["specification_curve"]

_CROWDED = 60
"""Paths from which on the marks are small."""
_WORDS = {"rule_set": "rules", "covariates": "adjusted for", "landmark_day": "clock starts"}


def specification_curve(paths: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what each path of analysis finds, from worst to best, with the declared primary path marked.

    The height is z, positive where higher is better for the patient, so that odds and hazard ratios share an
    axis. Under the curve a mark stands for each choice that a path makes, where paths differ in it. No path has a
    p of its own: the joint one is in the title, with the number of paths and of patients.

    Parameters
    ----------
    paths : DataFrame
        ``schema.MULTIVERSE``; paths without an effect are counted and not drawn.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> specification_curve(schema.MULTIVERSE.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no path has an effect'
    """
    table = schema.MULTIVERSE.check(paths)
    rows = table[table["z"].notna()].sort_values("z", kind="stable").reset_index(drop=True)
    ax = current(ax)
    if rows.empty:
        titled(ax, "No path", paths)
        return say_why(ax, "no path has an effect")
    total = f"{len(table)} paths" if len(rows) == len(table) else f"{len(rows)} of {len(table)} paths"
    size = " to ".join(dict.fromkeys(f"{n:.0f}" for n in (rows["n"].min(), rows["n"].max())))
    said = f"{total}, n = {size}, joint p {p_text(rows['p_joint'].iloc[0])}"
    titled(ax, f"{plain(rows['signature'].iloc[0])}: {said}", paths)
    _curve(ax, rows)
    _choices(ax, rows, table)
    if not rows["primary"].any():
        footnote(ax, "the declared primary path has no effect", below=34)
    return ax


def _curve(ax: Axes, rows: pd.DataFrame) -> None:
    marks = rows["primary"].to_numpy(dtype=bool)
    place, z = np.arange(len(rows)), rows["z"].to_numpy(dtype=float)
    size = 4.0 if len(rows) < _CROWDED else 2.0
    ax.axhline(0.0, color=INK, linewidth=0.8)
    ax.axhline(float(np.median(z)), color=MUTED, linewidth=0.8, linestyle="--", label="median of all paths")
    ax.plot(place[~marks], z[~marks], "o", color=INK, markersize=size, label="path")
    ax.plot(place[marks], z[marks], "D", color=VERMILION, markersize=7, label="declared primary path")
    ax.set_ylabel("z, up: better for the patient", fontsize=9)
    ax.set_xlim(-0.7, len(rows) - 0.3)
    ax.set_xticks([])
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=7.5, loc="upper left", bbox_to_anchor=(1.01, 1.0))


def _choices(ax: Axes, rows: pd.DataFrame, declared: pd.DataFrame) -> None:
    """Under each path, what it chooses; choices in the order of their declaration."""
    said = {name: rows[name].map(schema.choice_text) for name in schema.PATH_DIMENSIONS}
    all_said = {name: declared[name].map(schema.choice_text).unique() for name in said}
    lines = [(name, choice) for name, found in all_said.items() if len(found) > 1 for choice in found]
    if not lines:
        return
    share = min(55.0, 7.0 * len(lines))
    below = make_axes_locatable(ax).append_axes("bottom", size=f"{100 * share / (100 - share):.0f}%", pad=0.1)
    marks = rows["primary"].to_numpy(dtype=bool)
    for line, (name, choice) in enumerate(lines):
        made = (said[name] == choice).to_numpy()
        below.axhline(line, color=GRID, linewidth=0.6, zorder=0)
        for kind, color, marker in ((~marks, INK, "|"), (marks, VERMILION, "D")):
            places = np.flatnonzero(made & kind)
            below.plot(places, np.full(len(places), line), marker, color=color, markersize=5)
    below.set_yticks(range(len(lines)), [plain(f"{_WORDS.get(n, n)}: {c}") for n, c in lines], fontsize=7)
    below.set_ylim(len(lines) - 0.4, -0.6)
    below.set_xlim(ax.get_xlim())
    below.set_xticks([])
    below.tick_params(axis="y", length=0)
    below.spines[:].set_visible(False)
