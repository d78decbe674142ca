"""Altered genes by tumors, under clinical tracks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from immunosarc import schema
from immunosarc.plots._axes import current, fitted_font, plain, say_why, titled
from immunosarc.plots._palette import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILION, Style
from immunosarc.plots._tracks import BLANK, Track, draw_keys, draw_tracks, track
from immunosarc.plots._words import counted, spelled

__all__ = ["oncoprint"]

_KINDS: Mapping[str, tuple[str, str, float, str]] = MappingProxyType(
    {
        # what: color, hatch, height within the row, words
        "amplification": (VERMILION, "", 0.86, "amplification"),
        "deep_deletion": (BLUE, "", 0.86, "deep deletion"),
        "truncating": (INK, "", 0.72, "truncating"),
        "frameshift": (PURPLE, "", 0.58, "frameshift"),
        "splice": (ORANGE, "", 0.46, "splice site"),
        "start_stop": (SKY, "..", 0.38, "start or stop lost"),
        "inframe": (SKY, "", 0.30, "in frame"),
        "missense": (GREEN, "", 0.20, "missense"),
    }
)
_NO = "#efefef"
_ABOVE = 0.5


def oncoprint(alterations: pd.DataFrame, tracks: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw which genes are altered in which tumor; a gene that was not looked at is hatched, never blank.

    The more a change breaks the protein, the taller its mark; changes of copy number fill the row.
    Genes stand with the most often altered above, tumors so that those altered alike stand together. Shares
    are of the tumors in which the gene was looked at.

    Parameters
    ----------
    alterations : DataFrame
        ``schema.ALTERATIONS``.
    tracks : DataFrame, optional
        Index ``sample_id``; one clinical track per column, text.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> rows = pd.DataFrame({"sample_id": ["S1", "S2"], "patient_id": ["P1", "P2"], "gene": "TP53"})
    >>> rows = rows.assign(kind=["missense", "none"], protein_change=[None, None], status="ok")
    >>> oncoprint(rows, ax=Figure().add_subplot()).get_title(loc="left")
    '1 gene, altered in 1 of n = 2 samples of 2 patients'
    """
    ax = current(ax)
    table = schema.ALTERATIONS.check(alterations)
    samples, genes = list(dict.fromkeys(table["sample_id"])), list(dict.fromkeys(table["gene"]))
    altered = ~table["kind"].isin(["none", "not_assessed"])
    whose = counted(table["patient_id"].nunique(), "patient")
    some = table.loc[altered, "sample_id"].nunique()
    words = f"{counted(len(genes), 'gene')}, altered in {some} of n = {counted(len(samples), 'sample')} of {whose}"
    titled(ax, words, alterations, tracks)
    if not len(samples):
        return say_why(ax, "no sample was looked at")
    genes, samples = _ordered(table[altered], genes, samples)
    clinical = [] if tracks is None else _clinical(tracks, samples)
    _cells(ax, table, genes, samples)
    heights = draw_tracks(ax, clinical, thick=0.8)
    _labels(ax, _shares(table, genes), genes, samples, clinical=clinical, heights=heights)
    _keys(ax, table, clinical)
    return ax


def _ordered(altered: pd.DataFrame, genes: list[str], samples: list[str]) -> tuple[list[str], list[str]]:
    """Genes by how many tumors they are altered in; tumors by their genes in that order, as a staircase."""
    pairs = altered[["gene", "sample_id"]].drop_duplicates()
    many = pairs["gene"].value_counts().to_dict()
    genes = sorted(genes, key=lambda gene: -many.get(gene, 0))
    has = set(zip(pairs["gene"], pairs["sample_id"], strict=True))
    return genes, sorted(samples, key=lambda sample: tuple((gene, sample) not in has for gene in genes))


def _clinical(tracks: pd.DataFrame, samples: list[str]) -> list[Track]:
    return [track(tracks[name].reindex(samples), str(name)) for name in tracks if name != "simulated"]


def _shares(table: pd.DataFrame, genes: list[str]) -> list[str]:
    texts = []
    for gene in genes:
        own = table[table["gene"] == gene]
        known = own.loc[own["kind"] != "not_assessed", "sample_id"].nunique()
        found = own.loc[~own["kind"].isin(["none", "not_assessed"]), "sample_id"].nunique()
        texts.append(f"{100 * found / known:.2g}% ({found}/{known})" if known else "not looked at")
    return texts


def _cells(ax: Axes, table: pd.DataFrame, genes: list[str], samples: list[str]) -> None:
    row = {gene: place for place, gene in enumerate(genes)}
    column = {sample: place for place, sample in enumerate(samples)}
    gap = 0.04 if len(samples) <= 120 else 0.0
    order = {kind: place for place, kind in enumerate(["not_assessed", "none", *_KINDS])}
    drawn = table.assign(_order=table["kind"].map(order)).sort_values("_order", kind="stable")
    for one in drawn.itertuples(index=False):
        x, y = column[one.sample_id], row[one.gene]
        if one.kind == "not_assessed":
            color, hatch, height = BLANK.color, BLANK.hatch, 0.86
        elif one.kind == "none":
            color, hatch, height = _NO, "", 0.86
        else:
            _rectangle(ax, (x, y), _NO, "", 0.86, gap)
            color, hatch, height, _ = _KINDS[one.kind]
        _rectangle(ax, (x, y), color, hatch, height, gap)
    ax.set_xlim(-0.5, len(samples) - 0.5)


def _rectangle(ax: Axes, at: tuple[int, int], color: str, hatch: str, height: float, gap: float) -> None:
    box = (at[0] - 0.5 + gap, at[1] - height / 2)
    shape = Rectangle(
        box, 1 - 2 * gap, height, facecolor=color, hatch=hatch or None, edgecolor="#9a9a9a", linewidth=0
    )
    ax.add_patch(shape)


def _labels(
    ax: Axes,
    shares: list[str],
    genes: list[str],
    samples: list[str],
    *,
    clinical: list[Track],
    heights: list[float],
) -> None:
    top = min([-_ABOVE, *(height - 0.5 for height in heights)])
    ax.set_ylim(len(genes) - 0.5, top)
    font = fitted_font(ax, len(genes) - 0.5 - top, largest=8.5)
    names = [*(spelled(one.name) for one in clinical), *genes]
    ax.set_yticks([*heights, *range(len(genes))], [plain(name) for name in names], fontsize=font)
    for text in ax.get_yticklabels()[: len(clinical)]:
        text.set_fontweight("bold")
    for place, share in enumerate(shares):
        ax.text(1.005, place, share, transform=ax.get_yaxis_transform(), fontsize=font, va="center", color=MUTED)
    width = ax.get_window_extent().width / ax.figure.dpi * 72
    size = min(7.5, 0.8 * width / len(samples))
    shown = samples if size >= 4.0 else []
    ax.set_xticks(range(len(shown)), [plain(name) for name in shown], rotation=90, fontsize=size)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _keys(ax: Axes, table: pd.DataFrame, clinical: list[Track]) -> None:
    """Place one legend for the kinds and one for each track in a column right of the shares."""
    there = set(table["kind"])
    kinds = {
        words: Style(color, "", "", hatch) for kind, (color, hatch, _, words) in _KINDS.items() if kind in there
    }
    kinds |= {"nothing found": Style(_NO, "", "", "")} if "none" in there else {}
    kinds |= {"not looked at": BLANK} if "not_assessed" in there else {}
    width = ax.get_window_extent().width / ax.figure.dpi * 72
    keys = [("Alteration", kinds), *((spelled(one.name), one.styles) for one in clinical)]
    draw_keys(ax, keys, left=1 + 84 / width, below=0.0)
