"""Adverse events by term: any cause to the left, treatment-related to the right."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from immunosarc import schema
from immunosarc.plots._axes import current, fitted_font, footnote, plain, say_why, titled
from immunosarc.plots._palette import GRID, INK
from immunosarc.plots._words import counted

__all__ = ["butterfly"]

_SEVERE = 3
_GRADES = {
    1: ("#d9e6f2", ""),
    2: ("#9ecae1", ".."),
    3: ("#E69F00", "//"),
    4: ("#D55E00", "xx"),
    5: ("#222222", ""),
}
"""Light to dark with the grade, and a hatch beside the color."""


def butterfly(counts: pd.DataFrame, *, most: int = 25, ax: Axes | None = None) -> Axes:
    """Draw how many of those treated had each adverse event, by the highest grade.

    Left every event, right those that a drug caused. Beside each bar the patients with any grade
    and with grade 3 or higher.

    Parameters
    ----------
    counts : DataFrame
        ``schema.EVENT_COUNTS``.
    most : int
        How many terms are drawn, the most frequent first; the rest is counted under the axis.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> butterfly(schema.EVENT_COUNTS.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no adverse event was recorded'
    """
    table = schema.EVENT_COUNTS.check(counts)
    ax = current(ax)
    rows = table.dropna(subset=["grade", "n_patients", "n_treated"])
    n = float(rows["n_treated"].max()) if len(rows) else 0.0
    titled(ax, f"Adverse events, n = {n:.0f} treated", counts, above=16)
    if not n:
        return say_why(ax, "no adverse event was recorded")
    terms = list(dict.fromkeys(rows["term"].astype(str)))
    shown = terms[:most]
    font = fitted_font(ax, len(shown) + 1, largest=8.5)
    for place, term in enumerate(shown):
        for side, attribution in zip((-1, 1), schema.ATTRIBUTIONS, strict=True):
            part = rows[(rows["term"] == term) & (rows["attribution"] == attribution)]
            _side(ax, place, part, side=side, n=n, font=font)
    _scales(ax, [plain(one) for one in shown], rows, n=n, font=font)
    present = sorted(int(grade) for grade in rows["grade"].unique())
    handles = [
        Patch(facecolor=_GRADES[g][0], hatch=_GRADES[g][1], edgecolor="white", label=f"grade {g}") for g in present
    ]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7.5, frameon=False)
    more = len(terms) - len(shown)
    rest = f"; not drawn: {counted(more, 'rarer term')}" if more else ""
    footnote(ax, f"numbers: patients with any grade / with grade 3 or higher{rest}", below=36)
    return ax


def _side(ax: Axes, place: int, part: pd.DataFrame, *, side: int, n: float, font: float) -> None:
    if part.empty:
        return
    reach = 0.0
    for row in part.sort_values("grade", ascending=False).itertuples():
        color, hatch = _GRADES[int(row.grade)]
        width = 100 * row.n_patients / n
        ax.barh(
            place,
            side * width,
            left=side * reach,
            height=0.78,
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.3,
        )
        reach += width
    severe = part.loc[part["grade"] >= _SEVERE, "n_patients"].sum()
    ax.annotate(
        f"{part['n_patients'].sum():.0f} / {severe:.0f}",
        (side * reach, place),
        xytext=(3 * side, 0),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="center",
        fontsize=0.85 * font,
        color=INK,
    )


def _scales(ax: Axes, terms: list[str], rows: pd.DataFrame, *, n: float, font: float) -> None:
    shares = 100 * rows.groupby(["term", "attribution"])["n_patients"].sum() / n
    step = next((one for one in (5, 10, 20, 25) if shares.max() / one <= 4), 50)
    reach = step * (int(shares.max() // step) + 1)
    ax.set_xlim(-1.18 * reach, 1.18 * reach)
    ticks = range(-reach, reach + 1, step)
    ax.set_xticks(list(ticks), [f"{abs(tick)}%" for tick in ticks], fontsize=8)
    ax.set_ylim(len(terms) - 0.4, -0.6)
    ax.set_yticks(range(len(terms)), terms, fontsize=font)
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=INK, linewidth=0.9)
    for side, words in zip((-1, 1), schema.ATTRIBUTIONS, strict=True):
        ax.annotate(
            words,
            (0.5 + 0.02 * side, 1.0),
            xycoords="axes fraction",
            xytext=(0, 3),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            fontsize=8,
            color=INK,
        )
    ax.set_xlabel("Share of patients treated")
    ax.grid(axis="x", color=GRID, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
