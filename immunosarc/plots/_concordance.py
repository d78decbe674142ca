"""Two measures of one thing in the same patients, and those on whom they are far apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from immunosarc import schema
from immunosarc.plots._axes import current, plain, say_why, titled
from immunosarc.plots._palette import GRID, INK, MUTED, category_styles

__all__ = ["concordance"]

_NAMED = 10


def concordance(ranks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each patient's rank by two measures; the discordant ones stand out and are named.

    Parameters
    ----------
    ranks : DataFrame
        ``schema.CONCORDANCE_RANKS`` of one pair of measures.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> concordance(schema.CONCORDANCE_RANKS.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no patient has both measures'
    """
    table = schema.CONCORDANCE_RANKS.check(ranks)
    ax = current(ax)
    if table.empty:
        titled(ax, "Concordance, n = 0", ranks)
        return say_why(ax, "no patient has both measures")
    titled(ax, f"{plain(str(table['quantity'].iloc[0]))}, n = {len(table)}", ranks)
    far = table["discordant"].astype(bool).to_numpy()
    styles = category_styles(["concordant", "discordant"])
    for name, mine in (("concordant", ~far), ("discordant", far)):
        part = table[mine]
        style = styles[name]
        ax.scatter(
            part["rank"],
            part["other_rank"],
            s=30,
            color=style.color,
            marker=style.marker,
            label=f"{name} ({len(part)})",
            zorder=3,
        )
    gap = (table["other_rank"] - table["rank"]).abs()[far].sort_values(ascending=False)
    for i in gap.index[:_NAMED]:
        where = (table.loc[i, "rank"], table.loc[i, "other_rank"])
        above = where[1] > where[0]
        ax.annotate(
            plain(str(table.loc[i, "patient_id"])),
            where,
            xytext=(-6, 3) if above else (6, -5),  # away from the line, where the others are
            ha="right" if above else "left",
            textcoords="offset points",
            fontsize=7.5,
            color=INK,
        )
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    ax.set(xlim=(-0.06, 1.12), ylim=(-0.06, 1.1), xticks=np.arange(0, 1.1, 0.25), yticks=np.arange(0, 1.1, 0.25))
    ax.set_xlabel(f"Rank by {plain(str(table['measure'].iloc[0]))}")
    ax.set_ylabel(f"Rank by {plain(str(table['other'].iloc[0]))}")
    ax.grid(color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, labelcolor=MUTED, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax
