"""Every path of analysis in the order of its effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from immunosarc import schema
from immunosarc.plots._axes import current, footnote, plain, say_why, titled
from immunosarc.plots._palette import INK, MUTED, VERMILION
from immunosarc.plots._words import p_text

__all__ = ["specification_curve"]

_CHOICES = ("method", "endpoint", "rule_set", "covariates", "population", "landmark_day")


def specification_curve(paths: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw what each path of analysis finds, from worst to best, with the declared primary path marked.

    The height is z, positive where higher is better for the patient, so that odds and hazard ratios share an
    axis. Under each path stand the choices that differ between paths. No path has a p of its own: the joint one is
    in the title, with the number of paths.

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
    titled(ax, f"{plain(rows['signature'].iloc[0])}: {total}, joint p {p_text(rows['p_joint'].iloc[0])}", paths)
    marks = rows["primary"].to_numpy(dtype=bool)
    place = np.arange(len(rows))
    z = rows["z"].to_numpy(dtype=float)
    ax.axhline(0.0, color=MUTED, linewidth=0.8)
    ax.axhline(float(np.median(z)), color=MUTED, linewidth=0.8, linestyle="--", label="median")
    ax.plot(place[~marks], z[~marks], "o", color=INK, markersize=4, label="path")
    ax.plot(place[marks], z[marks], "D", color=VERMILION, markersize=7, label="declared primary path")
    ax.set_ylabel("z, up: better for the patient")
    differ = [name for name in _CHOICES if len(set(rows[name].astype(str))) > 1]
    labels = [plain(" | ".join(str(row[name]) for name in differ)) for _, row in rows.iterrows()]
    ax.set_xticks(place, labels, rotation=90, fontsize=6)
    ax.legend(frameon=False, fontsize=7, loc="upper left")
    if not marks.any():
        footnote(ax, "the declared primary path has no effect", below=34)
    return ax
