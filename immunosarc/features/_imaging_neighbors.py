"""How near the cells of one kind lie to those of another: distances, shares within reach, mixing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from immunosarc.errors import UnknownNameError, did_you_mean, raise_together
from immunosarc.features._imaging_cells import (
    MAX_UNKNOWN,
    Bools,
    Cells,
    Floats,
    Populations,
    Reason,
    cells_of,
    first_reason,
    imaging_table,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immunosarc.cohort import Cohort

__all__ = ["mixing_scores", "nearest", "nearest_neighbors", "population_problems", "unknown_reasons"]

WITHIN_UM = 20.0
"""Reach of a cell that touches its neighbor or its neighbor's neighbor; a convention, not a measurement."""


def nearest_neighbors(
    cohort: Cohort,
    pairs: Sequence[tuple[str, str]],
    assay: str = "mif",
    *,
    populations: Populations | None = None,
    within_um: float = WITHIN_UM,
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    """Return how near the cells of one kind lie to the nearest cell of another, for each sample.

    Distances never leave an image. The mean is over the cells in images that hold a target; the share within
    reach is over all source cells, and a cell whose image holds no target has none within reach. A mean
    distance falls where targets are dense: :func:`cross_g` compares with cells that lie at random.

    Parameters
    ----------
    cohort : Cohort
    pairs : sequence of (str, str)
        (source, target) populations. A population may be paired with itself: then a cell is not its own
        neighbor.
    assay : str
        Of the cells of images.
    populations : mapping, optional
        As for :func:`densities`.
    within_um : float
        Reach, micrometers.
    max_unknown : float
        Share of cells with a missing marker above which a population is not used.

    Returns
    -------
    DataFrame
        ``schema.IMAGING``: ``nearest_SOURCE_to_TARGET`` (unit ``um``) and ``near_SOURCE_to_TARGET`` (unit
        ``fraction``).

    Raises
    ------
    CohortError, UnknownNameError
        When the assay holds no cells of images, or a population does not exist.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0, 30.0, 100.0], "y_um": 0.0,
    ...                     "phenotype": ["cd8", "tumor", "cd8"]}, index=["a", "b", "c"])
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     assays={"mif": ims.make_cells(obs)},
    ... )
    >>> nearest_neighbors(cohort, [("cd8", "tumor")], within_um=40)["value"].tolist()
    [50.0, 0.5]
    """
    cells = cells_of(cohort, assay, populations)
    raise_together(
        UnknownNameError, "pairs", population_problems(cells, *(name for pair in pairs for name in pair))
    )
    if not within_um > 0:
        raise UnknownNameError(f"within_um must be above 0, found {within_um:g}")
    parts = []
    for source, target in dict.fromkeys(tuple(pair) for pair in pairs):
        distance = nearest(cells, source, target)
        parts += _of_pair(cells, distance, (source, target), within_um=within_um, max_unknown=max_unknown)
    return imaging_table(parts)


def mixing_scores(
    cohort: Cohort,
    pairs: Sequence[tuple[str, str]],
    assay: str = "mif",
    *,
    populations: Populations | None = None,
    within_um: float = WITHIN_UM,
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    r"""Return how far immune cells lie among tumor cells rather than among themselves, for each sample.

    .. math:: M = \frac{I_{it}}{I_{ii}}, \qquad
              M' = \frac{I_{it} / \sum_f n_{i,f} n_{t,f}}{I_{ii} / \sum_f n_{i,f} (n_{i,f} - 1) / 2}

    with :math:`I` the pairs of cells within reach, summed over the images f. M depends on how many cells
    there are; M' is about 1 where both kinds are mixed at random, and near 0 where they keep apart.

    Parameters
    ----------
    cohort : Cohort
    pairs : sequence of (str, str)
        (immune, tumor) populations that share no cell.
    assay : str
        Of the cells of images.
    populations : mapping, optional
        As for :func:`densities`.
    within_um : float
        Reach, micrometers.
    max_unknown : float
        As for :func:`nearest_neighbors`.

    Returns
    -------
    DataFrame
        ``schema.IMAGING``: ``mixing_IMMUNE_TUMOR`` and ``mixing_normalized_IMMUNE_TUMOR``.

    Raises
    ------
    CohortError, UnknownNameError
        As for :func:`nearest_neighbors`; also when two populations share cells.

    References
    ----------
    Keren L, et al. Cell 2018;174:1373. doi:10.1016/j.cell.2018.08.039

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0, 5.0, 10.0], "y_um": 0.0,
    ...                     "phenotype": ["cd8", "cd8", "tumor"]}, index=["a", "b", "c"])
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     assays={"mif": ims.make_cells(obs)},
    ... )
    >>> mixing_scores(cohort, [("cd8", "tumor")], within_um=6)["value"].tolist()
    [1.0, 0.5]
    """
    cells = cells_of(cohort, assay, populations)
    problems = population_problems(cells, *(name for pair in pairs for name in pair))
    problems += [
        f"populations {one!r} and {other!r} share cells; name two that do not"
        for one, other in pairs
        if not problems and (cells.has(one) & cells.has(other)).any()
    ]
    raise_together(UnknownNameError, "pairs", problems)
    return imaging_table(
        [
            part
            for immune, tumor in dict.fromkeys(tuple(pair) for pair in pairs)
            for part in _mixing(cells, immune, tumor, within_um=within_um, max_unknown=max_unknown)
        ]
    )


def nearest(cells: Cells, source: str, target: str) -> Floats:
    """Return the distance from each source cell to the nearest other target cell of its image.

    Infinite where the image holds none; missing for cells that are no source.
    """
    distance = np.full(len(cells.field), np.nan)
    is_source, is_target = cells.has(source), cells.has(target)
    for _, inside in cells.by_field():
        start, goal = inside[is_source[inside]], inside[is_target[inside]]
        if len(start):
            distance[start] = _to_nearest(cells.places[start], cells.places[goal], is_target[start])
    return distance


def _to_nearest(start: Floats, goal: Floats, itself: Bools) -> Floats:
    """Return the distance of each place to its nearest goal; where it is a goal itself, to the second."""
    if not len(goal):
        return np.full(len(start), np.inf)
    found, _ = cKDTree(goal).query(start, k=2)
    return np.where(itself, found[:, 1], found[:, 0])


def _of_pair(
    cells: Cells, distance: Floats, pair: tuple[str, str], *, within_um: float, max_unknown: float
) -> list[pd.DataFrame]:
    source, target = pair
    is_source, reached = cells.has(source), np.isfinite(distance)
    n_source, n_reached = cells.count(is_source), cells.count(reached)
    total = np.bincount(cells.sample[reached], distance[reached], len(cells.samples)).astype(np.float64)
    near = cells.count(reached & (np.nan_to_num(distance, nan=np.inf) <= within_um))
    alone = n_source - n_reached
    notes = [f"{int(n)} cells lie in an image without a target" if n else "" for n in alone]
    shared = {"n_cells": n_source, "n_of": cells.count(np.ones(len(is_source), dtype=bool)), "note": notes}
    without = first_reason(
        (n_source == 0, f"no {source!r} cell"),
        (n_reached == 0, f"no {target!r} cell in an image with a {source!r} cell"),
        *unknown_reasons(cells, dict.fromkeys(pair), max_unknown),
    )
    all_of_them = first_reason(
        (n_source == 0, f"no {source!r} cell"), *unknown_reasons(cells, dict.fromkeys(pair), max_unknown)
    )
    mean, share = _divided(total, n_reached), _divided(near, n_source)
    name = f"{source}_to_{target}"
    return [
        rows_of(cells, f"nearest_{name}", mean, unit="um", status=without, **shared),
        rows_of(cells, f"near_{name}", share, unit="fraction", status=all_of_them, **shared),
    ]


def _mixing(cells: Cells, immune: str, tumor: str, *, within_um: float, max_unknown: float) -> list[pd.DataFrame]:
    n_samples = len(cells.samples)
    mixed, among, could_mix, could_meet = (np.zeros(n_samples) for _ in range(4))
    is_immune, is_tumor = cells.has(immune), cells.has(tumor)
    owner = cells.fields["sample"].to_numpy()
    for place, inside in cells.by_field():
        one, other = cells.places[inside[is_immune[inside]]], cells.places[inside[is_tumor[inside]]]
        if not len(one):
            continue
        tree, sample = cKDTree(one), owner[place]
        among[sample] += (
            tree.count_neighbors(tree, within_um) - len(one)
        ) / 2  # every pair once, none with itself
        mixed[sample] += tree.count_neighbors(cKDTree(other), within_um) if len(other) else 0
        could_mix[sample] += len(one) * len(other)
        could_meet[sample] += len(one) * (len(one) - 1) / 2
    n_immune, n_tumor = cells.count(is_immune), cells.count(is_tumor)
    status = first_reason(
        (n_immune == 0, f"no {immune!r} cell"),
        (n_tumor == 0, f"no {tumor!r} cell"),
        (could_mix == 0, f"no image with both {immune!r} and {tumor!r} cells"),
        (among == 0, f"no two {immune!r} cells within {within_um:g} um: nothing to compare with"),
        *unknown_reasons(cells, (immune, tumor), max_unknown),
    )
    shared = {"unit": "ratio", "n_cells": n_immune, "n_of": n_immune + n_tumor, "status": status}
    plain = _divided(mixed, among)
    normalized = _divided(_divided(mixed, could_mix), _divided(among, could_meet))
    return [
        rows_of(cells, f"mixing_{immune}_{tumor}", plain, **shared),
        rows_of(cells, f"mixing_normalized_{immune}_{tumor}", normalized, **shared),
    ]


def population_problems(cells: Cells, *names: str) -> list[str]:
    """Return a sentence for each name that is no population."""
    return [
        f"there is no population {name!r}.{did_you_mean(name, cells.members)}"
        for name in dict.fromkeys(names)
        if name not in cells.members
    ]


def unknown_reasons(cells: Cells, names: Sequence[str] | dict[str, None], max_unknown: float) -> list[Reason]:
    """Return, for each population, where too many cells lack a marker that decides."""
    reasons: list[Reason] = []
    for name in names:
        share = cells.unknown_share(name)
        words = [
            f"{one:.1%} of the cells lack a marker of {name!r}, at most {max_unknown:.1%} may" for one in share
        ]
        reasons.append((share > max_unknown, words))
    return reasons


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    nothing = np.full(len(denominator), np.nan)
    return np.divide(numerator, denominator, out=nothing, where=denominator > 0)
