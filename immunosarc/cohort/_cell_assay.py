"""Cells of images as an assay: an AnnData with a row for each cell."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import CohortError, raise_together

__all__ = ["make_cells"]

_NEEDED = ("sample_id", "field_id", "x_um", "y_um")
_WORDS = ("sample_id", "field_id", "region", "phenotype")


def make_cells(
    cells: pd.DataFrame,
    *,
    intensity: pd.DataFrame | None = None,
    positive: pd.DataFrame | None = None,
    source: str | None = None,
    platform: str | None = None,
) -> anndata.AnnData:
    """Return a table with a row for each cell of an image as an assay that a cohort accepts.

    Parameters
    ----------
    cells : DataFrame
        ``sample_id``, ``field_id`` (the image), ``x_um``, ``y_um`` (micrometers), and where known
        ``phenotype`` and ``region`` (``tumor``, ``stroma``, ``other``). The index names the cells.
    intensity : DataFrame, optional
        One column for each marker, in the order of the cells; never negative, missing = NaN.
    positive : DataFrame, optional
        The same markers: 1 positive, 0 negative, missing = NaN.
    source : str, optional
        Where the cells come from.
    platform : str, optional
        Which program measured them.

    Returns
    -------
    AnnData
        ``X`` holds the intensities, ``layers["positive"]`` the positive markers, ``obs`` the rest.

    Raises
    ------
    CohortError
        When a column is missing, a place is no number, an intensity is negative, or a region is unknown.

    Examples
    --------
    >>> frame = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0, 9.5], "y_um": 3.0,
    ...                       "phenotype": ["cd8", "tumor"]})
    >>> make_cells(frame).obs["phenotype"].tolist()
    ['cd8', 'tumor']
    """
    names = pd.Index(cells.index.astype(str), name="cell", dtype=object)
    light = intensity if intensity is not None else (positive * np.nan if positive is not None else None)
    markers = pd.Index([] if light is None else light.columns.astype(str), name="marker", dtype=object)
    raise_together(CohortError, "cells", _problems(cells, light, positive))
    places = cells[["x_um", "y_um"]].astype(np.float64)
    facts = cells[[name for name in cells.columns if name not in ("x_um", "y_um")]]
    obs = pd.concat([facts, places], axis=1).set_axis(names, axis=0)
    for name in (name for name in _WORDS if name in obs):
        obs[name] = _word(obs[name], name)
    values = np.empty((len(cells), 0)) if light is None else light.to_numpy(dtype=np.float64)
    adata = anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=markers))
    if positive is not None:
        adata.layers["positive"] = positive[list(light.columns)].to_numpy(dtype=np.float64)  # type: ignore[union-attr]
    if "phenotype" in obs:  # samples taken away must not take with them the names of what they alone had
        adata.uns["phenotypes"] = np.array([str(one) for one in obs["phenotype"].cat.categories], dtype=object)
    adata.uns["immunosarc"] = {
        "level": "cell",
        "unit": "intensity",
        "source": source or "",
        "platform": platform or "",
    }
    return adata


def _word(values: pd.Series, name: str) -> pd.Categorical:
    if name == "region":
        return pd.Categorical(values, categories=list(schema.REGIONS))
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.remove_unused_categories().array if name != "phenotype" else values.array
    return pd.Categorical(values.astype(object).where(values.notna(), None))


def _problems(cells: pd.DataFrame, light: pd.DataFrame | None, positive: pd.DataFrame | None) -> list[str]:
    found = [f"{name}: column is missing" for name in _NEEDED if name not in cells]
    if found:
        return found
    for name in ("x_um", "y_um"):
        places = pd.to_numeric(cells[name], errors="coerce").to_numpy(dtype=np.float64)
        if not np.isfinite(places).all():
            found.append(f"{name}: {int((~np.isfinite(places)).sum())} cell(s) have no place")
    for name in ("sample_id", "field_id"):
        if cells[name].isna().any():
            found.append(f"{name}: {int(cells[name].isna().sum())} cell(s) have none")
    if "region" in cells and (unknown := sorted(set(cells["region"].dropna().astype(str)) - {*schema.REGIONS})):
        found.append(f"region: {unknown[:5]} not in {list(schema.REGIONS)}")
    if light is not None:
        if len(light) != len(cells) or (positive is not None and len(positive) != len(cells)):
            found.append(f"markers need a row for each of the {len(cells)} cells")
        elif (light.to_numpy(dtype=np.float64) < 0).any():
            found.append("intensity: below zero")
    if light is not None and positive is not None:
        if set(light.columns) != set(positive.columns):
            found.append("intensity and positive need the same markers")
        elif not np.isin(positive.to_numpy(dtype=np.float64)[~positive.isna().to_numpy()], (0, 1)).all():
            found.append("positive: 1, 0 or missing is needed")
    return found
