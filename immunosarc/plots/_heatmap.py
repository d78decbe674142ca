"""Signature heatmap under clinical tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.legend import Legend
from matplotlib.patches import Patch, Rectangle

from immunosarc import schema
from immunosarc.plots._axes import current, fitted_font, plain, say_why, titled
from immunosarc.plots._palette import ABSENT, DIVERGING, MUTED, Style, category_styles, response_style
from immunosarc.plots._words import counted, spelled

__all__ = ["heatmap"]

_LIMIT = 2.5
_SMALLEST = 4.0
_LINE = 11.5
_MISSING = "missing"
_BLANK = Style(ABSENT, "", "", "////")


@dataclass(frozen=True)
class _Track:
    """One clinical track: the category of each sample, and how each category looks."""

    name: str
    values: list[str]
    styles: dict[str, Style]


def heatmap(scores: pd.DataFrame, tracks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw signatures by samples, with what is known of each sample above.

    Each signature is scaled to mean 0 and standard deviation 1 over the samples shown, for display
    only; a missing score is hatched grey, never a color of the scale.

    Parameters
    ----------
    scores : DataFrame of shape (n_samples, n_features)
        Index ``sample_id``; drawn in the given order. ``patient_id`` and other columns that are not
        numbers are no features.
    tracks : DataFrame
        Index ``sample_id``; one clinical track per column, text.
    ax : Axes, optional
        Where to draw; pyplot's current Axes when absent.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> scores = pd.DataFrame({"cyt": [1.0, 2.0], "tis": [0.5, np.nan]}, index=["S1", "S2"])
    >>> tracks = pd.DataFrame({"timepoint": ["pre", "on"]}, index=["S1", "S2"])
    >>> heatmap(scores, tracks, ax=Figure().add_subplot()).get_title(loc="left")
    '2 signatures, n = 2 samples'
    """
    ax = current(ax)
    features = [name for name in scores.columns if pd.api.types.is_numeric_dtype(scores[name])]
    patients = f" of {counted(scores['patient_id'].nunique(), 'patient')}" if "patient_id" in scores else ""
    titled(
        ax,
        f"{counted(len(features), 'signature')}, n = {counted(len(scores), 'sample')}{patients}",
        scores,
        tracks,
    )
    if not len(features) or scores.empty:
        return say_why(ax, "no scores to show")
    matrix = _standardized(scores[features].to_numpy(float)).T
    clinical = [_track(tracks[name].reindex(scores.index), str(name)) for name in tracks if name != "simulated"]
    _cells(ax, matrix)
    thick = max(1.0, len(features) / 45)
    heights = _strips(ax, clinical, thick=thick)
    _labels(ax, scores, features, clinical=clinical, heights=heights, thick=thick)
    _keys(ax, clinical, missing=bool(np.isnan(matrix).any()))
    return ax


def _standardized(values: np.ndarray) -> np.ndarray:
    """Return each column as z-scores over what is there; a constant column is all zero."""
    there = np.isfinite(values)
    kept = np.where(there, values, 0.0)
    n = np.maximum(there.sum(axis=0), 1)
    centered = np.where(there, kept - kept.sum(axis=0) / n, 0.0)
    spread = np.sqrt((centered**2).sum(axis=0) / n)
    scaled = centered / np.where(spread > 0, spread, 1.0)
    return np.where(there, scaled, np.nan)


def _track(values: pd.Series, name: str) -> _Track:
    found = values.astype("string").fillna(_MISSING).astype(str).tolist()
    known = [one for one in dict.fromkeys(found) if one != _MISSING]
    if set(known) <= set(schema.RESPONSES):
        styles = {one: response_style(one) for one in schema.RESPONSES if one in known}
    elif set(known) <= set(schema.TIMEPOINTS):
        styles = category_styles(one for one in schema.TIMEPOINTS if one in known)
    else:
        styles = category_styles(sorted(known))
    if _MISSING in found:
        styles[_MISSING] = _BLANK
    return _Track(name, found, styles)


def _cells(ax: Axes, matrix: np.ndarray) -> None:
    rows, columns = matrix.shape
    frame = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    ax.add_patch(
        Rectangle((-0.5, -0.5), columns, rows, facecolor=ABSENT, edgecolor="#9a9a9a", hatch="////", linewidth=0)
    )
    shades = colormaps[DIVERGING].with_extremes(bad=(0, 0, 0, 0))
    ax.imshow(
        np.ma.masked_invalid(matrix),
        cmap=shades,
        norm=Normalize(-_LIMIT, _LIMIT),
        extent=frame,
        aspect="auto",
        interpolation="none",
        zorder=2,
    )


def _strips(ax: Axes, clinical: list[_Track], *, thick: float) -> list[float]:
    """Draw the tracks above the cells and return the middle of each."""
    heights = []
    for i, track in enumerate(clinical):
        top = -0.5 - thick * (0.4 + 1.15 * (len(clinical) - i))
        for sample, value in enumerate(track.values):
            style = track.styles[value]
            ax.add_patch(
                Rectangle(
                    (sample - 0.5, top),
                    1,
                    thick,
                    facecolor=style.color,
                    hatch=style.hatch,
                    edgecolor="white",
                    linewidth=0.4,
                )
            )
        heights.append(top + thick / 2)
    return heights


def _labels(
    ax: Axes,
    scores: pd.DataFrame,
    features: list[str],
    *,
    clinical: list[_Track],
    heights: list[float],
    thick: float,
) -> None:
    top = -0.5 - thick * (0.4 + 1.15 * len(clinical)) - 0.1 if clinical else -0.5
    ax.set_ylim(len(features) - 0.5, top)
    ax.set_xlim(-0.5, len(scores) - 0.5)
    font = fitted_font(ax, len(features) - 0.5 - top, largest=8.5)
    names = [*(spelled(track.name) for track in clinical), *map(str, features)]
    ax.set_yticks([*heights, *range(len(features))], [plain(name) for name in names], fontsize=font)
    for text in ax.get_yticklabels()[: len(clinical)]:
        text.set_fontsize(min(8.5, font * thick))
        text.set_fontweight("bold")
    width = ax.get_window_extent().width / ax.figure.dpi * 72
    size = min(7.5, 0.8 * width / len(scores))
    shown = scores.index if size >= _SMALLEST else []
    ax.set_xticks(range(len(shown)), [plain(name) for name in shown], rotation=90, fontsize=size)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _keys(ax: Axes, clinical: list[_Track], *, missing: bool) -> None:
    """Place the color bar and one legend per track in a column at the right."""
    box = ax.get_window_extent()
    width, height = (side / ax.figure.dpi * 72 for side in (box.width, box.height))
    left = 1 + 14 / width
    bar = ax.inset_axes((left, 1 - 10 / height, 90 / width, 10 / height))
    ax.figure.colorbar(ax.images[0], cax=bar, orientation="horizontal", extend="both", ticks=[-2, 0, 2])
    bar.tick_params(labelsize=7.5)
    bar.set_title("z-score within signature", fontsize=7.5, loc="left")
    below = 34.0
    absent = [("", {"no score": _BLANK})] if missing else []
    for title, styles in absent + [(spelled(track.name), track.styles) for track in clinical]:
        handles = [
            Patch(facecolor=style.color, hatch=style.hatch, edgecolor="#9a9a9a" if style is _BLANK else "white")
            for style in styles.values()
        ]
        key = Legend(
            ax,
            handles,
            [plain(name) for name in styles],
            title=plain(title) if title else None,
            loc="upper left",
            bbox_to_anchor=(left - 4 / width, 1 - below / height),
            borderaxespad=0,
            fontsize=7.5,
            title_fontproperties={"size": 8, "weight": "bold"},
            alignment="left",
            frameon=False,
            labelcolor=MUTED,
            handlelength=1.6,
        )
        ax.add_artist(key)
        key.set_clip_on(False)  # else it does not count as part of the figure, and is cut off
        below += _LINE * (len(handles) + bool(title)) + 9
