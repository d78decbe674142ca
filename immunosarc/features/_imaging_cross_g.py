"""Whether the cells of one kind gather around those of another more than chance would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import UnknownNameError, did_you_mean, raise_together
from immunosarc.features._imaging_cells import (
    MAX_UNKNOWN,
    Bools,
    Cells,
    Floats,
    Populations,
    cells_of,
    first_reason,
    imaging_table,
    rows_of,
)
from immunosarc.features._imaging_neighbors import nearest, population_problems, unknown_reasons
from immunosarc.features._imaging_window import edge_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immunosarc.cohort import Cohort

__all__ = ["cross_g", "cross_g_excess"]

Correction = Literal["kaplan_meier", "border", "none"]
_CORRECTIONS = ("kaplan_meier", "border", "none")
RADII = tuple(float(radius) for radius in range(0, 105, 5))


def cross_g(
    cohort: Cohort,
    pairs: Sequence[tuple[str, str]],
    assay: str = "mif",
    *,
    radii_um: Sequence[float] = RADII,
    correction: Correction = "kaplan_meier",
    populations: Populations | None = None,
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    r"""Return the share of one kind of cells that has a cell of another kind within a distance, by distance.

    .. math:: \hat G(r) = 1 - \prod_{s \le r}
              \Bigl(1 - \frac{\#\{d_i = s \le c_i\}}{\#\{\min(d_i, c_i) \ge s\}}\Bigr)

    with d the distance to the nearest target and c that to the edge of the image: behind the edge there may be
    a nearer target, so that the distance is censored there, as time is at a last visit (Kaplan-Meier). ``border``
    looks, for each r, only at cells further than r from the edge. Cells of all images of a sample are pooled.
    ``g_random`` is what targets scattered at random would give, ``1 - exp(-intensity pi r^2)``, the intensity
    being that of the target in the same image; the images are weighted by their source cells.

    Parameters
    ----------
    cohort : Cohort
    pairs : sequence of (str, str)
        (source, target) populations; a population with itself gives the G function.
    assay : str
        Of the cells of images.
    radii_um : sequence of float
        Distances, rising.
    correction : {"kaplan_meier", "border", "none"}
        For cells near the edge of their image; the window is the convex hull of all its cells.
    populations : mapping, optional
        As for :func:`densities`.
    max_unknown : float
        As for :func:`nearest_neighbors`.

    Returns
    -------
    DataFrame
        ``schema.SPATIAL``: one row for each sample, pair and distance. There is no p-value: cells are not
        patients.

    Raises
    ------
    CohortError, UnknownNameError
        When the assay holds no cells of images, or a population or a correction does not exist.

    References
    ----------
    Baddeley A, Gill RD. Ann Stat 1997;25:263. doi:10.1214/aos/1034276629

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> rng = np.random.default_rng(0)
    >>> obs = pd.DataFrame(rng.uniform(0, 500, (2000, 2)), columns=["x_um", "y_um"])
    >>> obs = obs.assign(sample_id="S1", field_id="F1", phenotype=["cd8", "tumor"] * 1000)
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     assays={"mif": ims.make_cells(obs)},
    ... )
    >>> cross_g(cohort, [("cd8", "tumor")], radii_um=[10.0])[["g", "g_random"]].round(2).values.tolist()
    [[0.7, 0.72]]
    """
    cells, radii = _asked(cohort, pairs, assay, populations, radii_um, correction)
    parts = [
        _curves(cells, source, target, radii, correction=correction, max_unknown=max_unknown)
        for source, target in dict.fromkeys(tuple(pair) for pair in pairs)
    ]
    return schema.SPATIAL.check(pd.concat(parts, ignore_index=True)) if parts else schema.SPATIAL.empty()


def cross_g_excess(
    cohort: Cohort,
    pairs: Sequence[tuple[str, str]],
    assay: str = "mif",
    *,
    radius_um: float = 20.0,
    correction: Correction = "kaplan_meier",
    populations: Populations | None = None,
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    """Return how much larger the share with a neighbor in reach is than chance would make it, for each sample.

    Parameters
    ----------
    cohort : Cohort
    pairs : sequence of (str, str)
        (source, target) populations.
    assay : str
        Of the cells of images.
    radius_um : float
        Reach, micrometers; choose it before looking.
    correction : {"kaplan_meier", "border", "none"}
        As for :func:`cross_g`.
    populations : mapping, optional
        As for :func:`densities`.
    max_unknown : float
        As for :func:`nearest_neighbors`.

    Returns
    -------
    DataFrame
        ``schema.IMAGING``: ``g_excess_SOURCE_to_TARGET``, between -1 and 1: ``g - g_random`` of :func:`cross_g`;
        0 where both lie at random, above where they gather, below where they keep apart.

    Raises
    ------
    CohortError, UnknownNameError
        As for :func:`cross_g`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> corners = pd.DataFrame({"x_um": [0.0, 100, 0, 100], "y_um": [0.0, 0, 100, 100], "phenotype": "other"})
    >>> inside = pd.DataFrame({"x_um": [50.0, 52.0], "y_um": 50.0, "phenotype": ["cd8", "tumor"]})
    >>> obs = pd.concat([corners, inside]).assign(sample_id="S1", field_id="F1").set_axis(list("abcdef"))
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     assays={"mif": ims.make_cells(obs)},
    ... )
    >>> cross_g_excess(cohort, [("cd8", "tumor")], radius_um=5)["value"].round(4).tolist()
    [0.9922]
    """
    cells, radii = _asked(cohort, pairs, assay, populations, [radius_um], correction)
    parts = []
    for source, target in dict.fromkeys(tuple(pair) for pair in pairs):
        curve = _curves(cells, source, target, radii, correction=correction, max_unknown=max_unknown)
        parts.append(
            rows_of(
                cells,
                f"g_excess_{source}_to_{target}",
                (curve["g"] - curve["g_random"]).to_numpy(),
                unit="fraction",
                n_cells=curve["n_source"].to_numpy(),
                n_of=curve["n_source"].to_numpy() + curve["n_target"].to_numpy(),
                status=curve["status"].to_numpy(),
            )
        )
    return imaging_table(parts)


def _asked(
    cohort: Cohort,
    pairs: Sequence[tuple[str, str]],
    assay: str,
    populations: Populations | None,
    radii_um: Sequence[float],
    correction: str,
) -> tuple[Cells, Floats]:
    cells = cells_of(cohort, assay, populations)
    problems = population_problems(cells, *(name for pair in pairs for name in pair))
    radii = np.asarray(list(radii_um), dtype=np.float64)
    if not len(radii) or not np.isfinite(radii).all() or (radii < 0).any() or (np.diff(radii) <= 0).any():
        problems.append(f"radii_um: rising distances from 0 are needed, found {list(radii_um)[:5]}")
    if correction not in _CORRECTIONS:
        problems.append(f"unknown correction {correction!r}.{did_you_mean(correction, _CORRECTIONS)}")
    raise_together(UnknownNameError, "cross_g", problems)
    return cells, radii


def _curves(
    cells: Cells, source: str, target: str, radii: Floats, *, correction: str, max_unknown: float
) -> pd.DataFrame:
    """Return the curves of one pair, a row for each sample and distance."""
    distance, is_source, is_target = nearest(cells, source, target), cells.has(source), cells.has(target)
    edge = np.full(len(cells.field), np.nan)
    expected = np.zeros((len(cells.samples), len(radii)))
    owner = cells.fields["sample"].to_numpy()
    flat = np.zeros(len(cells.samples), dtype=bool)
    for place, inside in cells.by_field():
        mine = inside[is_source[inside]]
        if not len(mine):
            continue
        window = edge_distances(cells.places[inside])
        if window is None:
            flat[owner[place]] = True
            continue
        edge[inside] = window[0]
        intensity = (is_target[inside].sum() - is_target[mine]) / window[1]  # a cell is not its own neighbor
        expected[owner[place]] += (1 - np.exp(-np.pi * np.outer(intensity, radii**2))).sum(axis=0)
    n_source, n_target = cells.count(is_source), cells.count(is_target)
    found = np.full(expected.shape, np.nan)
    sample = cells.sample
    for at in np.flatnonzero((n_source > 0) & ~flat):
        mine = is_source & (sample == at)
        found[at] = _estimated(distance[mine], edge[mine], radii, correction)
    status = first_reason(
        (n_source == 0, f"no {source!r} cell"),
        (flat, "an image whose cells span no area"),
        (np.isnan(found).all(axis=1), "no source cell lies far enough from the edge of its image"),
        *unknown_reasons(cells, dict.fromkeys((source, target)), max_unknown),
    )
    fine = status == "ok"
    rows = np.repeat(np.arange(len(cells.samples)), len(radii))
    with np.errstate(invalid="ignore", divide="ignore"):
        random = expected / n_source[:, None]
    return pd.DataFrame(
        {
            "sample_id": np.array(cells.samples, dtype=object)[rows],
            "source": source,
            "target": target,
            "radius_um": np.tile(radii, len(cells.samples)),
            "g": np.where(fine[:, None], found, np.nan).ravel(),
            "g_random": np.where(fine[:, None], random, np.nan).ravel(),
            "n_source": n_source[rows],
            "n_target": n_target[rows],
            "correction": correction,
            "status": status[rows],
        }
    )


def _estimated(distance: Floats, edge: Floats, radii: Floats, correction: str) -> Floats:
    if correction == "none":
        return np.searchsorted(np.sort(distance), radii, side="right") / len(distance)
    if correction == "kaplan_meier":
        return _kaplan_meier(distance, edge, radii)
    return _border(distance, edge, radii)


def _kaplan_meier(distance: Floats, edge: Floats, radii: Floats) -> Floats:
    """Return 1 - the product-limit estimate of distances censored at the edge; missing behind the last of them."""
    seen, event = np.minimum(distance, edge), distance <= edge
    order = np.argsort(seen, kind="stable")
    times, first = np.unique(seen[order], return_index=True)
    events = np.add.reduceat(event[order].astype(np.float64), first)
    at_risk = len(seen) - first
    survival = np.cumprod(1.0 - events / at_risk)
    place = np.searchsorted(times, radii, side="right") - 1
    result = np.where(place >= 0, 1.0 - survival[np.maximum(place, 0)], 0.0)
    return np.where((radii > times[-1]) & (survival[-1] > 0), np.nan, result)


def _border(distance: Floats, edge: Floats, radii: Floats) -> Floats:
    result = np.full(len(radii), np.nan)
    for place, radius in enumerate(radii):
        far: Bools = edge >= radius
        if far.any():
            result[place] = float((distance[far] <= radius).mean())
    return result
