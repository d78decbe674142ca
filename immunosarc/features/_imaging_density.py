"""How many cells of a kind the tissue holds: per square millimeter, and as a share of all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import UnknownNameError, did_you_mean
from immunosarc.features._imaging_cells import (
    MAX_UNKNOWN,
    WHOLE,
    Bools,
    Cells,
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

__all__ = ["by_sample", "densities", "fractions"]


def densities(
    cohort: Cohort,
    assay: str = "mif",
    *,
    populations: Populations | None = None,
    regions: Sequence[str] = (),
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    """Return how densely each kind of cell lies in the tissue of a sample: cells per square millimeter.

    The cells of all fields of a sample are counted together and divided by the area of all its fields, also
    of those without a single cell: a large field counts for more than a small one. Without areas there is
    no density, and ``status`` says so; :func:`fractions` need none.

    Parameters
    ----------
    cohort : Cohort
        Areas are read from ``cohort.tables["fields"]``.
    assay : str
        Of the cells of images.
    populations : mapping, optional
        Name -> phenotype, or signed marker (``"CD8+"``), or several of which any will do, or a
        :class:`immunosarc.schema.CellRule`; by default every phenotype.
    regions : sequence of str
        ``"tumor"``, ``"stroma"``, ``"other"``: also the density within each; by default the whole alone.
    max_unknown : float
        Share of cells with a missing marker above which a population is not counted.

    Returns
    -------
    DataFrame
        ``schema.IMAGING``: a row for each sample, population and region, ``density_NAME`` or
        ``density_NAME_REGION``. :func:`by_sample` makes features of it.

    Raises
    ------
    CohortError, UnknownNameError
        When the assay holds no cells of images, or a population or a region does not exist.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0, 9.0], "y_um": 0.0,
    ...                     "phenotype": ["cd8", "tumor"]}, index=["a", "b"])
    >>> area = pd.DataFrame({"patient_id": ["P1"], "sample_id": "S1", "field_id": "F1", "area_mm2": 0.25})
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     tables={"fields": area}, assays={"mif": ims.make_cells(obs)},
    ... )
    >>> densities(cohort)[["feature", "value"]].values.tolist()
    [['density_cd8', 4.0], ['density_tumor', 4.0]]
    """
    cells = cells_of(cohort, assay, populations)
    parts = [
        _density(cells, name, region, max_unknown)
        for region in (WHOLE, *_known(regions))
        for name in cells.members
    ]
    return imaging_table(parts)


def fractions(
    cohort: Cohort,
    assay: str = "mif",
    *,
    populations: Populations | None = None,
    of: str | None = None,
    regions: Sequence[str] = (),
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    """Return which share of a sample's cells is of each kind, between 0 and 1.

    Cells whose markers are missing are in neither the numerator nor the denominator.

    Parameters
    ----------
    cohort : Cohort
        No areas are needed.
    assay : str
        Of the cells of images.
    populations : mapping, optional
        As for :func:`densities`.
    of : str, optional
        The population whose share is meant (``"cd8"`` of ``"t_cell"``); by default all cells.
    regions : sequence of str
        As for :func:`densities`.
    max_unknown : float
        As for :func:`densities`.

    Returns
    -------
    DataFrame
        ``schema.IMAGING``: ``fraction_NAME``, with ``_of_NAME`` and ``_REGION`` behind it where asked.

    Raises
    ------
    CohortError, UnknownNameError
        As for :func:`densities`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0, 9.0], "y_um": 0.0,
    ...                     "phenotype": ["cd8", "tumor"]}, index=["a", "b"])
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     assays={"mif": ims.make_cells(obs)},
    ... )
    >>> fractions(cohort, populations={"immune": "cd8"})["value"].tolist()
    [0.5]
    """
    cells = cells_of(cohort, assay, populations)
    if of is not None and of not in cells.members:
        raise UnknownNameError(f"of: there is no population {of!r}.{did_you_mean(of, cells.members)}")
    parts = [
        _fraction(cells, name, region, of=of, max_unknown=max_unknown)
        for region in (WHOLE, *_known(regions))
        for name in cells.members
        if name != of
    ]
    return imaging_table(parts)


def by_sample(table: pd.DataFrame) -> pd.DataFrame:
    """Return features of images with a row for each sample, as ``Cohort.per_patient`` takes them.

    Parameters
    ----------
    table : DataFrame
        ``schema.IMAGING``, of one function or of several joined by ``pandas.concat``.

    Returns
    -------
    DataFrame of shape (n_samples, n_features)
        Index ``sample_id``; missing where the table's status says why.

    Raises
    ------
    SchemaError
        When the table is another, or holds a feature of a sample twice.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"sample_id": "S1", "feature": "fraction_cd8", "value": 0.5, "unit": "fraction", "n_cells": 1,
    ...        "n_of": 2, "n_fields": 1, "area_mm2": None, "status": "ok", "note": ""}
    >>> by_sample(pd.DataFrame([row])).loc["S1"].to_dict()
    {'fraction_cd8': 0.5}
    """
    checked = schema.IMAGING.check(table)
    twice = checked.duplicated(["sample_id", "feature"])
    if twice.any():
        row = checked[twice].iloc[0]
        raise UnknownNameError(
            f"feature {row['feature']!r} of sample {row['sample_id']!r} stands twice in the table; join each once"
        )
    samples, names = (list(dict.fromkeys(checked[column])) for column in ("sample_id", "feature"))
    wide = checked.pivot(index="sample_id", columns="feature", values="value").loc[samples, names]
    result = wide.astype(np.float64).rename_axis(columns=None)
    result.index = pd.Index(result.index.astype(str), name="sample_id", dtype=object)
    result.attrs = {"scoring": dict(zip(checked["feature"], checked["unit"], strict=True))}
    return result


def _known(regions: Sequence[str]) -> tuple[str, ...]:
    for name in regions:
        if name not in schema.REGIONS:
            raise UnknownNameError(f"unknown region {name!r}.{did_you_mean(name, schema.REGIONS)}")
    return tuple(dict.fromkeys(regions))


def _density(cells: Cells, name: str, region: str, max_unknown: float) -> pd.DataFrame:
    inside = cells.in_region(region)
    n_of, n_cells = cells.count(inside), cells.count(inside & cells.has(name))
    area = cells.area(region)
    values = np.divide(n_cells, area, out=np.full(len(area), np.nan), where=area > 0)
    what = f"area of {region or 'the tissue'}"
    status = first_reason(
        *_of_region(cells, region),
        (np.isnan(area), f"no density: the {what} is unknown in at least one field"),
        (area == 0, f"no density: the {what} is 0"),
        *_open(cells, name, inside, max_unknown),
    )
    return rows_of(
        cells,
        _named("density", name, region),
        values,
        unit="per_mm2",
        n_cells=n_cells,
        n_of=n_of,
        area_mm2=area,
        status=status,
        note=_notes(cells, name, inside, region),
    )


def _fraction(cells: Cells, name: str, region: str, *, of: str | None, max_unknown: float) -> pd.DataFrame:
    inside = cells.in_region(region)
    among = inside if of is None else inside & cells.has(of)
    known = among & ~np.isnan(cells.members[name])
    n_of, n_cells = cells.count(known), cells.count(known & cells.has(name))
    values = np.divide(n_cells, n_of, out=np.full(len(n_of), np.nan), where=n_of > 0)
    noun = f"{of} cell" if of else "cell"
    where = f" in {region}" if region else ""
    status = first_reason(
        *_of_region(cells, region),
        (n_of == 0, f"no fraction: no {noun}{where} whose markers are known"),
        *_open(cells, name, among, max_unknown),
    )
    return rows_of(
        cells,
        _named("fraction", name if of is None else f"{name}_of_{of}", region),
        values,
        unit="fraction",
        n_cells=n_cells,
        n_of=n_of,
        area_mm2=cells.area(region),
        status=status,
        note=_notes(cells, name, among, region),
    )


def _of_region(cells: Cells, region: str) -> list[Reason]:
    """A region that no cell of a sample was ever assigned to is unknown, not empty."""
    if region == WHOLE:
        return []
    assigned = cells.count(cells.region >= 0)
    return [
        ((assigned == 0) & (cells.count(np.ones(len(cells.field), bool)) > 0), "no cell was assigned a region")
    ]


def _open(cells: Cells, name: str, among: Bools, max_unknown: float) -> list[Reason]:
    share = cells.unknown_share(name, among)
    words = [f"{one:.1%} of the cells lack a marker of {name!r}, at most {max_unknown:.1%} may" for one in share]
    return [(share > max_unknown, words)]


def _notes(cells: Cells, name: str, among: Bools, region: str) -> list[str]:
    unknown = cells.count(among & np.isnan(cells.members[name]))
    nowhere = cells.count(cells.region < 0) if region else np.zeros(len(cells.samples))
    return [
        "; ".join(
            ([f"{int(n)} cells with a missing marker are not counted"] if n else [])
            + ([f"{int(m)} cells without a region are not counted"] if m else [])
        )
        for n, m in zip(unknown, nowhere, strict=True)
    ]


def _named(measure: str, name: str, region: str) -> str:
    return f"{measure}_{name}_{region}" if region else f"{measure}_{name}"
