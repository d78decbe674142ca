"""Assays: an AnnData that says what its numbers are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anndata
import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import CohortError, did_you_mean, raise_together

__all__ = [
    "cell_facts",
    "dense_blocks",
    "dense_values",
    "make_assay",
    "observed",
    "same_assay",
    "sample_ids",
    "storable",
]


_ROWS_AT_ONCE = 4096


def make_assay(
    values: pd.DataFrame, *, unit: str, source: str | None = None, platform: str | None = None
) -> anndata.AnnData:
    """Return a table of measurements as an assay that a cohort accepts.

    Parameters
    ----------
    values : DataFrame of shape (n_samples, n_features)
        The index is the sample ids, the columns are gene symbols or feature names; missing = NaN.
    unit : str
        One of ``schema.UNITS``: ``"counts"``, ``"tpm"``, ``"log2_cpm"``, ``"score"`` and so on.
    source : str, optional
        Where the numbers come from.
    platform : str, optional
        One of ``schema.PLATFORMS``.

    Returns
    -------
    AnnData
        float64, samples by features, with ``uns["immunosarc"]``.

    Raises
    ------
    CohortError
        When the unit is unknown, the numbers contradict it, or names are repeated.

    Examples
    --------
    >>> frame = pd.DataFrame({"GZMA": [3.0, 0.0], "PRF1": [5.0, 1.0]}, index=["S1", "S2"])
    >>> make_assay(frame, unit="tpm").uns["immunosarc"]["unit"]
    'tpm'
    """
    about = {"level": "sample", "unit": unit, "source": source or "", "platform": platform or ""}
    names = pd.Index(values.index.astype(str), name="sample_id", dtype=object)
    genes = pd.Index(values.columns.astype(str), name="feature", dtype=object)
    matrix = values.to_numpy(dtype=float)
    problems = [f"sample id repeated: {name}" for name in dict.fromkeys(names[names.duplicated()])]
    problems += [f"feature repeated: {name}" for name in dict.fromkeys(genes[genes.duplicated()])]
    if unit not in schema.UNITS:
        problems.append(f"unknown unit {unit!r}.{did_you_mean(unit, schema.UNITS)}")
    else:
        problems += [
            f"{what}: sample {names[row]}, feature {genes[column]}, value {matrix[row, column]:g}"
            for what, row, column in schema.unit_problems(matrix, unit)
        ]
    if platform is not None and platform not in schema.PLATFORMS:
        problems.append(f"unknown platform {platform!r}.{did_you_mean(platform, schema.PLATFORMS)}")
    raise_together(CohortError, "assay", problems)
    adata = anndata.AnnData(matrix, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=genes))
    adata.uns["immunosarc"] = about
    return adata


def sample_ids(adata: anndata.AnnData) -> np.ndarray:
    """Return the sample of each observation."""
    cells = adata.uns["immunosarc"]["level"] == "cell"
    names = adata.obs["sample_id"] if cells else adata.obs_names
    return np.asarray(names, dtype=object)


def observed(adata: anndata.AnnData, ids: pd.Index) -> anndata.AnnData:
    """Return the observations of some samples."""
    return adata[pd.Index(sample_ids(adata)).isin(ids)].copy()


def dense_values(adata: anndata.AnnData) -> np.ndarray:
    """Return the numbers of an assay as one float64 matrix."""
    return np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X, dtype=float)


def dense_blocks(adata: anndata.AnnData) -> Iterator[np.ndarray]:
    """Yield the numbers of an assay as float64, some rows at a time: cells would not fit as a whole."""
    for start in range(0, adata.n_obs, _ROWS_AT_ONCE):
        rows = adata.X[start : start + _ROWS_AT_ONCE]
        yield np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=float)


def same_assay(one: anndata.AnnData, other: anndata.AnnData) -> bool:
    """Return whether two assays hold the same names, numbers and unit."""
    if one.shape != other.shape or not (
        one.obs_names.equals(other.obs_names) and one.var_names.equals(other.var_names)
    ):
        return False
    pairs = zip(dense_blocks(one), dense_blocks(other), strict=True)
    same = all(np.array_equal(mine, theirs, equal_nan=True) for mine, theirs in pairs)
    about = dict(one.uns["immunosarc"])
    if not same or about != dict(other.uns["immunosarc"]):
        return False
    return about["level"] != "cell" or list(cell_facts(one)) == list(cell_facts(other))


def cell_facts(adata: anndata.AnnData) -> Iterator[tuple[str, bytes]]:
    """Yield what is known of each cell beside its numbers: its sample, place, phenotype, positive markers."""
    for name in sorted(map(str, adata.obs.columns)):
        values = adata.obs[name]
        if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
            yield name, values.to_numpy(dtype=np.float64).tobytes()
            continue
        codes, words = pd.factorize(values)
        yield name, codes.astype(np.int64).tobytes() + "\n".join(map(str, words)).encode()
    for name in sorted(map(str, adata.layers)):
        yield f"layers/{name}", np.asarray(adata.layers[name], dtype=np.float64).tobytes()


def storable(values: pd.Series) -> Any:
    """Return the values as a type that h5ad stores: nullable text becomes categorical."""
    if pd.api.types.is_string_dtype(values.dtype) and not isinstance(values.dtype, pd.CategoricalDtype):
        return pd.Categorical(values.astype(object).where(values.notna(), None))
    return values.array
