"""Signature heatmap under clinical tracks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from immunosarc.plots._axes import current, fitted_font, plain, say_why, titled
from immunosarc.plots._palette import ABSENT, DIVERGING
from immunosarc.plots._tracks import BLANK, Track, draw_keys, draw_tracks, track
from immunosarc.plots._words import counted, spelled

__all__ = ["heatmap"]

_LIMIT = 2.5
_SMALLEST = 4.0


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
    clinical = [track(tracks[name].reindex(scores.index), str(name)) for name in tracks if name != "simulated"]
    _cells(ax, matrix)
    thick = max(1.0, len(features) / 45)
    heights = draw_tracks(ax, clinical, thick=thick)
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


def _labels(
    ax: Axes,
    scores: pd.DataFrame,
    features: list[str],
    *,
    clinical: list[Track],
    heights: list[float],
    thick: float,
) -> None:
    top = -0.5 - thick * (0.4 + 1.15 * len(clinical)) - 0.1 if clinical else -0.5
    ax.set_ylim(len(features) - 0.5, top)
    ax.set_xlim(-0.5, len(scores) - 0.5)
    font = fitted_font(ax, len(features) - 0.5 - top, largest=8.5)
    names = [*(spelled(one.name) for one in clinical), *map(str, features)]
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


def _keys(ax: Axes, clinical: list[Track], *, missing: bool) -> None:
    """Place the color bar and one legend per track in a column at the right."""
    box = ax.get_window_extent()
    width, height = (side / ax.figure.dpi * 72 for side in (box.width, box.height))
    left = 1 + 14 / width
    bar = ax.inset_axes((left, 1 - 10 / height, 90 / width, 10 / height))
    ax.figure.colorbar(ax.images[0], cax=bar, orientation="horizontal", extend="both", ticks=[-2, 0, 2])
    bar.tick_params(labelsize=7.5)
    bar.set_title("z-score within signature", fontsize=7.5, loc="left")
    absent = [("", {"no score": BLANK})] if missing else []
    keys = absent + [(spelled(one.name), one.styles) for one in clinical]
    draw_keys(ax, keys, left=left - 4 / width, below=34.0)
