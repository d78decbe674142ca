"""Before-after lines of each patient, by response group."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from immunosarc import schema
from immunosarc.errors import UnknownNameError, did_you_mean
from immunosarc.plots._axes import current, plain, say_why, titled
from immunosarc.plots._palette import GRID, INK, MUTED, response_style
from immunosarc.plots._words import counted, p_text, signed_text

__all__ = ["paired_change"]

_ORDER = ("CR/PR", "CR", "PR", "SD", "SD/PD", "PD", "NE")
_UNKNOWN = "response not known"
_BLOCK = 2.0
_HEAD = 54.0


def paired_change(
    paired: pd.DataFrame, changes: pd.DataFrame | None = None, *, feature: str, ax: Axes | None = None
) -> Axes:
    """Draw how one feature moved in each patient, side by side for each response group.

    A thin line is a patient, the thick black line joins the medians. Above each group stand its
    pairs and, when ``changes`` is given, the Hodges-Lehmann shift with its interval and the
    family-wise p.

    Parameters
    ----------
    paired : DataFrame
        ``schema.PAIRED``; patients without both values are counted, not drawn.
    changes : DataFrame, optional
        ``schema.CHANGE``.
    feature : str
        Which feature of the tables.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        When the table has rows, but none of this feature.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> pairs = pd.DataFrame(
    ...     {"patient_id": ["P1", "P2"], "feature": "cyt", "group": "SD", "before": [1.0, 2.0],
    ...      "after": [2.0, 2.5], "change": [1.0, 0.5], "status": "ok"}
    ... )
    >>> ax = paired_change(pairs, feature="cyt", ax=Figure().add_subplot())
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['before', 'after']
    """
    table = schema.PAIRED.check(paired)
    shifts = None if changes is None else schema.CHANGE.check(changes)
    ax = current(ax)
    if len(table) and feature not in set(table["feature"]):
        raise UnknownNameError(
            f"no pairs of feature {feature!r}.{did_you_mean(feature, table['feature'].unique())}"
        )
    mine = table[table["feature"] == feature]
    whole = mine.dropna(subset=["before", "after"])
    lost = len(mine) - len(whole)
    titled(ax, _title(feature, len(whole), lost), paired, above=_HEAD)
    if whole.empty:
        return say_why(ax, f"no patient has {feature} before and after")
    groups = whole["group"].fillna(_UNKNOWN).astype(str)
    names = sorted(groups.unique(), key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    rows = None if shifts is None else shifts[shifts["feature"] == feature].set_index("group")
    ticks = []
    for block, name in enumerate(names):
        ticks += _panel(ax, whole[groups == name], name=name, left=_BLOCK * block, shifts=rows)
    _finish(ax, ticks, feature=feature, changes=rows)
    return ax


def _title(feature: str, pairs: int, lost: int) -> str:
    tail = f"; {counted(lost, 'patient')} without both" if lost else ""
    return f"{plain(feature)}: change per patient, n = {counted(pairs, 'pair')}{tail}"


def _panel(
    ax: Axes, part: pd.DataFrame, *, name: str, left: float, shifts: pd.DataFrame | None
) -> list[tuple[float, str]]:
    style = response_style(name)
    before, after = part["before"].to_numpy(float), part["after"].to_numpy(float)
    lines = ax.plot(
        [left, left + 1],
        np.vstack([before, after]),
        color=style.color,
        linestyle=style.linestyle,
        marker=style.marker,
        markersize=4.5,
        linewidth=1,
        alpha=0.8,
    )
    lines[0].set_label(plain(name))
    ax.plot([left, left + 1], [np.median(before), np.median(after)], color=INK, linewidth=3, marker="_",
            markersize=14, markeredgewidth=3, zorder=4, label=f"_median {name}")  # fmt: skip
    ax.annotate(
        "\n".join([plain(name), f"n = {counted(len(part), 'pair')}", *_shift_lines(name, shifts)]),
        (left + 0.5, 1),
        xycoords=ax.get_xaxis_transform(),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        color=INK,
        annotation_clip=False,
    )
    return [(left, "before"), (left + 1, "after")]


def _shift_lines(name: str, shifts: pd.DataFrame | None) -> list[str]:
    if shifts is None or name not in shifts.index:
        return []
    row = shifts.loc[[name]].iloc[0]
    if pd.isna(row["hodges_lehmann"]):
        return [plain(row["status"]), ""]
    limits = [signed_text(row[end]) for end in ("conf_low", "conf_high")]
    return [f"shift {signed_text(row['hodges_lehmann'])} [{', '.join(limits)}]", f"p maxT {p_text(row['p_maxt'])}"]


def _finish(ax: Axes, ticks: list[tuple[float, str]], *, feature: str, changes: pd.DataFrame | None) -> None:
    ax.set_xticks([place for place, _ in ticks], [label for _, label in ticks])
    ax.set_xlim(-0.45, ticks[-1][0] + 0.45)
    scoring = None
    if changes is not None and len(changes) and pd.notna(changes["scoring"].iloc[0]):
        scoring = str(changes["scoring"].iloc[0])
    ax.set_ylabel(plain(f"{feature} ({scoring})" if scoring else feature))
    for block in range(1, len(ticks) // 2):
        ax.axvline(_BLOCK * block - 0.5, color=GRID, linewidth=1)
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if changes is not None and "all" in changes.index:
        row = changes.loc[["all"]].iloc[0]
        shift = f"shift {signed_text(row['hodges_lehmann'])}, p maxT {p_text(row['p_maxt'])}"
        ax.set_xlabel(f"all groups: n = {row['n']:.0f}, {shift}", fontsize=8, color=MUTED)
