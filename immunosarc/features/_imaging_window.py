"""The window in which an image's cells were seen, and how near its edge each cell lies."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from immunosarc.features._imaging_cells import Floats

__all__ = ["edge_distances", "window_area"]


def edge_distances(places: Floats) -> tuple[Floats, float] | None:
    """Return how far each cell lies from the edge of its image, and the image's area in square micrometers.

    The window is the convex hull of all cells of the image, which fits a rectangle as well as the core of
    a tissue microarray. None where the cells span no area.

    Parameters
    ----------
    places : ndarray of shape (n_cells, 2)

    Returns
    -------
    ndarray of shape (n_cells,), float
    """
    if len(places) < 3:
        return None
    try:
        hull = ConvexHull(places)
    except QhullError:
        return None
    inward = np.full(len(places), np.inf)
    for *normal, offset in hull.equations:  # one side at a time: a million cells by fifty sides is too wide
        np.minimum(inward, -(places @ np.array(normal) + offset), out=inward)
    return np.maximum(inward, 0.0), float(hull.volume)  # in the plane, scipy calls the area a volume


def window_area(places: Floats) -> float:
    """Return the area of the window, square micrometers; missing where the cells span none."""
    found = edge_distances(places)
    return np.nan if found is None else found[1]
