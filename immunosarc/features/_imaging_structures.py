"""Tertiary lymphoid structures: dense gatherings of B and T cells, found by their distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from immunosarc import schema
from immunosarc.errors import UnknownNameError, raise_together
from immunosarc.features._imaging_cells import (
    MAX_UNKNOWN,
    Cells,
    Floats,
    Ints,
    Populations,
    cells_of,
    first_reason,
    imaging_table,
    rows_of,
)
from immunosarc.features._imaging_neighbors import population_problems, unknown_reasons

if TYPE_CHECKING:
    from immunosarc.cohort import Cohort

__all__ = ["StructureRule", "density_clusters", "lymphoid_structures", "structure_burden"]


@dataclass(frozen=True)
class StructureRule:
    """When B and T cells make a lymphoid structure; there is no agreed definition, so state yours.

    Attributes
    ----------
    reach_um : float
        How far a neighbor may be.
    min_neighbors : int
        B and T cells within reach, itself among them, that make a cell part of the dense core.
    min_cells : int
        B and T cells of a structure.
    min_b, min_t : int
        Of them B cells, and T cells: a gathering of T cells alone is none.

    Examples
    --------
    >>> StructureRule(min_cells=100).reach_um
    25.0
    """

    reach_um: float = 25.0
    min_neighbors: int = 10
    min_cells: int = 50
    min_b: int = 15
    min_t: int = 10

    def problems(self) -> list[str]:
        """Return what cannot be meant."""
        found = [] if self.reach_um > 0 else [f"reach_um must be above 0, found {self.reach_um:g}"]
        small = [n for n in ("min_neighbors", "min_cells") if getattr(self, n) < 1]
        small += [n for n in ("min_b", "min_t") if getattr(self, n) < 0]
        return found + [f"{name} is too small: {getattr(self, name)}" for name in small]


_DEFAULT = StructureRule()


def lymphoid_structures(
    cohort: Cohort,
    b_cells: str,
    t_cells: str,
    *,
    assay: str = "mif",
    rule: StructureRule = _DEFAULT,
    populations: Populations | None = None,
) -> pd.DataFrame:
    """Return every gathering of B and T cells that may be a tertiary lymphoid structure, with its place.

    Cells with enough B and T cells within reach are the cores; cores within reach of each other are one
    structure (density-based clustering), and other B and T cells within reach of a core join its nearest one. A
    gathering in a section is not proof of a structure: look at the image.

    Parameters
    ----------
    cohort : Cohort
    b_cells, t_cells : str
        Populations.
    assay : str
        Of the cells of images.
    rule : StructureRule
        What counts; a convention, curated here and not published.
    populations : mapping, optional
        As for :func:`densities`.

    Returns
    -------
    DataFrame
        ``schema.LYMPHOID_STRUCTURES``: one row for each structure, largest first within an image.

    Raises
    ------
    CohortError, UnknownNameError
        When the assay holds no cells of images, a population does not exist, or the rule cannot be meant.

    References
    ----------
    Ester M, et al. Proc KDD 1996:226-231 (DBSCAN).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> place = [(float(x), float(y)) for x in range(0, 50, 5) for y in range(0, 50, 5)]
    >>> obs = pd.DataFrame(place, columns=["x_um", "y_um"], index=[f"c{i}" for i in range(100)])
    >>> obs = obs.assign(sample_id="S1", field_id="F1", phenotype=["b", "t"] * 50)
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     assays={"mif": ims.make_cells(obs)},
    ... )
    >>> lymphoid_structures(cohort, "b", "t")[["n_cells", "n_b", "n_t", "x_um"]].values.tolist()
    [[100.0, 50.0, 50.0, 22.5]]
    """
    cells = _checked(cohort, assay, populations, b_cells, t_cells, rule)
    return _found(cells, b_cells, t_cells, rule)[0]


def structure_burden(
    cohort: Cohort,
    b_cells: str,
    t_cells: str,
    *,
    assay: str = "mif",
    rule: StructureRule = _DEFAULT,
    populations: Populations | None = None,
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    """Return how many lymphoid structures the tissue of a sample holds, and how much of it they are.

    Parameters
    ----------
    cohort : Cohort
        Areas are read from ``cohort.tables["fields"]``.
    b_cells, t_cells : str
        Populations.
    assay : str
        Of the cells of images.
    rule : StructureRule
        What counts as a structure; see :func:`lymphoid_structures`.
    populations : mapping, optional
        As for :func:`densities`.
    max_unknown : float
        As for :func:`nearest_neighbors`.

    Returns
    -------
    DataFrame
        ``schema.IMAGING``: ``structures`` (a count), ``structures_per_mm2``, and
        ``structures_fraction``, the share of B and T cells that lie in one.

    Raises
    ------
    CohortError, UnknownNameError
        As for :func:`lymphoid_structures`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"x_um": [0.0, 900.0], "y_um": 0.0, "phenotype": ["b", "t"]}, index=["a", "b"])
    >>> obs = obs.assign(sample_id="S1", field_id="F1")
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     assays={"mif": ims.make_cells(obs)},
    ... )
    >>> structure_burden(cohort, "b", "t")[["feature", "value"]].values.tolist()
    [['structures', 0.0], ['structures_per_mm2', nan], ['structures_fraction', 0.0]]
    """
    cells = _checked(cohort, assay, populations, b_cells, t_cells, rule)
    _, label = _found(cells, b_cells, t_cells, rule)
    lymphoid = cells.has(b_cells) | cells.has(t_cells)
    first = np.zeros(len(label), dtype=bool)
    first[np.unique(label, return_index=True)[1]] = True
    number, inside = cells.count(first & (label >= 0)), cells.count(label >= 0)
    n_lymphoid, area = cells.count(lymphoid), cells.area()
    unknown = unknown_reasons(cells, (b_cells, t_cells), max_unknown)
    per_area = np.divide(number, area, out=np.full(len(area), np.nan), where=area > 0)
    share = np.divide(inside, n_lymphoid, out=np.full(len(area), np.nan), where=n_lymphoid > 0)
    nobody = np.zeros(len(area), dtype=bool)
    shared = {"n_cells": inside, "n_of": n_lymphoid, "area_mm2": area}
    of_area = first_reason(
        (np.isnan(area), "no density: the area of the tissue is unknown in at least one field"),
        (area == 0, "no density: the area of the tissue is 0"),
        *unknown,
    )
    of_cells = first_reason((n_lymphoid == 0, f"no {b_cells!r} and no {t_cells!r} cell"), *unknown)
    counted = first_reason((nobody, ""), *unknown)
    return imaging_table(
        [
            rows_of(cells, "structures", number, unit="count", status=counted, **shared),
            rows_of(cells, "structures_per_mm2", per_area, unit="per_mm2", status=of_area, **shared),
            rows_of(cells, "structures_fraction", share, unit="fraction", status=of_cells, **shared),
        ]
    )


def density_clusters(places: Floats, reach: float, min_neighbors: int) -> Ints:
    """Return the cluster of each place, numbered from 0; -1 for those in none.

    Places with at least ``min_neighbors`` others within reach, itself counted, are cores; cores within reach
    of each other are one cluster. Another place joins the nearest core within reach.

    Parameters
    ----------
    places : ndarray of shape (n, 2)
    reach : float
    min_neighbors : int

    Returns
    -------
    ndarray of int, shape (n,)
    """
    label = np.full(len(places), -1, dtype=np.int64)
    if not len(places):
        return label
    tree = cKDTree(places)
    core = tree.query_ball_point(places, reach, return_length=True) >= min_neighbors
    if not core.any():
        return label
    cores = cKDTree(places[core])
    pairs = cores.query_pairs(reach, output_type="ndarray")
    n_cores = int(core.sum())
    linked = sparse.coo_matrix(
        (np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), (n_cores, n_cores)
    )
    label[core] = connected_components(linked, directed=False)[1]
    outside = np.flatnonzero(~core)
    distance, nearest = cores.query(places[outside], distance_upper_bound=np.nextafter(reach, np.inf))
    joins = np.isfinite(distance)
    label[outside[joins]] = label[core][nearest[joins]]
    return label


def _checked(
    cohort: Cohort, assay: str, populations: Populations | None, b_cells: str, t_cells: str, rule: StructureRule
) -> Cells:
    cells = cells_of(cohort, assay, populations)
    problems = population_problems(cells, b_cells, t_cells) + rule.problems()
    if not problems and (cells.has(b_cells) & cells.has(t_cells)).any():
        problems.append(f"populations {b_cells!r} and {t_cells!r} share cells; name two that do not")
    raise_together(UnknownNameError, "lymphoid structures", problems)
    return cells


def _found(cells: Cells, b_cells: str, t_cells: str, rule: StructureRule) -> tuple[pd.DataFrame, Ints]:
    """Return the structures, and the structure of each cell, numbered over all images; -1 for cells in none."""
    is_b, lymphoid = cells.has(b_cells), cells.has(b_cells) | cells.has(t_cells)
    label = np.full(len(cells.field), -1, dtype=np.int64)
    rows: list[dict[str, object]] = []
    for place, inside in cells.by_field():
        mine = inside[lymphoid[inside]]
        found = density_clusters(cells.places[mine], rule.reach_um, rule.min_neighbors)
        n_clusters = int(found.max(initial=-1)) + 1
        size = np.bincount(found[found >= 0], minlength=n_clusters)
        n_b = np.bincount(found[found >= 0], is_b[mine][found >= 0], minlength=n_clusters)
        enough = (size >= rule.min_cells) & (n_b >= rule.min_b) & (size - n_b >= rule.min_t)
        for cluster in sorted(np.flatnonzero(enough), key=lambda one: (-size[one], one)):
            members = mine[found == cluster]
            label[members] = len(rows)
            rows.append(_row(cells, place, members, n_b=float(n_b[cluster])))
    table = pd.DataFrame(rows, columns=[n for n in schema.LYMPHOID_STRUCTURES.columns if n != "structure"])
    table["structure"] = table.groupby(["sample_id", "field_id"]).cumcount() + 1
    return schema.LYMPHOID_STRUCTURES.check(table) if rows else schema.LYMPHOID_STRUCTURES.empty(), label


def _row(cells: Cells, place: int, members: Ints, *, n_b: float) -> dict[str, object]:
    center = cells.places[members].mean(axis=0)
    distance = np.sqrt(((cells.places[members] - center) ** 2).sum(axis=1))
    return {
        "sample_id": cells.samples[int(cells.fields["sample"].iloc[place])],
        "field_id": str(cells.fields["field_id"].iloc[place]),
        "n_cells": float(len(members)),
        "n_b": n_b,
        "n_t": len(members) - n_b,
        "x_um": float(center[0]),
        "y_um": float(center[1]),
        "radius_um": float(np.quantile(distance, 0.95)),
    }
