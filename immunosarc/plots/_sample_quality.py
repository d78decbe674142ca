"""How much was seen in each sample, and in which there is something to ask about."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import schema
from immunosarc.plots._axes import current, plain, say_why, titled
from immunosarc.plots._palette import GRID, INK, MUTED, category_styles

__all__ = ["sample_quality"]

_LOG_FROM = 20.0
_NAMED = 12
_ASIDE = 0.04


def sample_quality(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw genes seen against reads of each sample, those of concern ringed and named.

    Parameters
    ----------
    table : DataFrame
        ``schema.QC`` of one assay. Without library sizes the resemblance to the other samples (the
        median correlation) takes their place.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> sample_quality(schema.QC.empty(), ax=Figure().add_subplot()).texts[0].get_text()
    'no sample was looked at'
    """
    samples = schema.QC.check(table).query("level == 'sample'")
    ax = current(ax)
    wide = samples.pivot_table(index="sample_id", columns="check", values="value", aggfunc="first")
    across = next((name for name in ("library_size", "median_correlation") if name in wide), None)
    if across is None or "detected_genes" not in wide:
        titled(ax, "Samples, n = 0", table)
        return say_why(ax, "no sample was looked at")
    drawn = wide[[across, "detected_genes"]].dropna()
    titled(ax, f"Samples, n = {len(drawn)}", table)
    when = samples.drop_duplicates("sample_id").set_index("sample_id")["timepoint"].reindex(drawn.index)
    styles = category_styles(one for one in schema.TIMEPOINTS if (when == one).any())
    for name, style in styles.items():
        mine = drawn[(when == name).to_numpy(dtype=bool)]
        label = f"{name} ({len(mine)})"
        ax.scatter(mine[across], mine["detected_genes"], s=26, color=style.color, marker=style.marker, label=label)
    _ring(ax, drawn, samples, across)
    _scales(ax, drawn, across)
    return ax


def _ring(ax: Axes, drawn: pd.DataFrame, samples: pd.DataFrame, across: str) -> None:
    asked = samples.loc[samples["concern"].astype(bool), "sample_id"].unique()
    ringed = drawn[drawn.index.isin(asked)]
    if ringed.empty:
        return
    ax.scatter(
        ringed[across],
        ringed["detected_genes"],
        s=110,
        facecolors="none",
        edgecolors=INK,
        linewidths=1.4,
        label=f"of concern ({len(ringed)})",
    )
    lowest = ringed.nsmallest(_NAMED, "detected_genes") if len(ringed) <= _NAMED else ringed.iloc[:0]
    for name, row in lowest.iterrows():
        where = (row[across], row["detected_genes"])
        ax.annotate(plain(str(name)), where, xytext=(7, 4), textcoords="offset points", fontsize=7.5, color=INK)


def _scales(ax: Axes, drawn: pd.DataFrame, across: str) -> None:
    reads = across == "library_size"
    if reads and (drawn[across] > 0).all() and drawn[across].max() > _LOG_FROM * drawn[across].min():
        ax.set_xscale("log")
    ax.set_xlabel("Reads" if reads else "Median correlation with the other samples")
    ax.set_ylabel("Genes seen")
    ax.margins(x=_ASIDE + 0.04, y=_ASIDE + 0.04)
    formatter = "{x:,.0f}" if reads else "{x:.2f}"
    ax.xaxis.set_major_formatter(formatter)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.grid(color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, labelcolor=MUTED, loc="upper left", bbox_to_anchor=(1.0, 1.0))
