"""Image by image: what the sums over a sample are made of, and whether one image makes them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.features._imaging_cells import Populations, cells_of

if TYPE_CHECKING:
    from immunosarc.cohort import Cohort

__all__ = ["field_counts"]


def field_counts(cohort: Cohort, assay: str = "mif", *, populations: Populations | None = None) -> pd.DataFrame:
    """Return how many cells of each kind every image holds: the step between cells and samples.

    For looking at: images of a patient are no patients, and their spread is no standard error of anything.

    Parameters
    ----------
    cohort : Cohort
        Areas are read from ``cohort.tables["fields"]``.
    assay : str
        Of the cells of images.
    populations : mapping, optional
        As for :func:`densities`.

    Returns
    -------
    DataFrame
        ``schema.FIELD_COUNTS``: one row for each image and population, images without a cell among them;
        ``n_of`` counts the cells whose membership is known.

    Raises
    ------
    CohortError, UnknownNameError
        As for :func:`densities`.

    Examples
    --------
    >>> import pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"sample_id": "S1", "field_id": ["F1", "F1", "F2"], "x_um": [0.0, 9.0, 3.0],
    ...                     "y_um": 0.0, "phenotype": ["cd8", "tumor", "cd8"]})
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     assays={"mif": ims.make_cells(obs)},
    ... )
    >>> field_counts(cohort, populations={"cd8": "cd8"})[["field_id", "fraction"]].values.tolist()
    [['F1', 0.5], ['F2', 1.0]]
    """
    cells = cells_of(cohort, assay, populations)
    n_fields, parts = len(cells.fields), []
    area = cells.fields["whole"].to_numpy(dtype=np.float64)
    for name, member in cells.members.items():
        n_cells = np.bincount(cells.field[member == 1], minlength=n_fields).astype(np.float64)
        n_of = np.bincount(cells.field[~np.isnan(member)], minlength=n_fields).astype(np.float64)
        parts.append(
            pd.DataFrame(
                {
                    "sample_id": np.array(cells.samples, dtype=object)[cells.fields["sample"]],
                    "field_id": cells.fields["field_id"],
                    "population": name,
                    "n_cells": n_cells,
                    "n_of": n_of,
                    "area_mm2": area,
                    "density": np.divide(n_cells, area, out=np.full(n_fields, np.nan), where=area > 0),
                    "fraction": np.divide(n_cells, n_of, out=np.full(n_fields, np.nan), where=n_of > 0),
                }
            )
        )
    return schema.FIELD_COUNTS.check(pd.concat(parts, ignore_index=True))
