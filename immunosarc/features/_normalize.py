"""Normalizations that tie samples to each other: by request only, and marked in the assay from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from immunosarc.errors import ImmunosarcError, SchemaError, UnitError, UnknownNameError, did_you_mean
from immunosarc.features._scoring import Floats

if TYPE_CHECKING:
    import anndata

__all__ = ["normalize", "quantile_normalized"]

_METHODS = ("quantile", "combat")


def normalize(
    adata: anndata.AnnData,
    method: str,
    *,
    batch: pd.Series | None = None,
    timepoint: pd.Series | None = None,
) -> anndata.AnnData:
    """Return an assay whose samples were made alike, by request only, and which says so from then on.

    ``"quantile"`` gives every sample the same distribution of values: no absolute level is left. ``"combat"``
    takes out what sets batches apart, by scanpy. Either way a sample's numbers depend on its company, so nothing
    can be placed on a frozen reference afterwards. ComBat across timepoints would take out, or bring in, the very
    change that treatment makes: with more than one timepoint it is refused.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        Expression on a log2 scale for ``"combat"``; any unit but counts for ``"quantile"``. No missing value.
    method : {"quantile", "combat"}
        What to do.
    batch : Series, optional
        For ``"combat"``: the batch of each sample, by sample id; two samples or more in each.
    timepoint : Series, optional
        For ``"combat"``: the timepoint of each sample, by sample id; one only.

    Returns
    -------
    AnnData
        A new assay with ``uns["immunosarc"]["normalized"]``; the input is unchanged. After ComBat the unit is
        ``"log2"``: values may fall below zero, and no log2(x+1) does.

    Raises
    ------
    UnknownNameError
        For another method.
    UnitError
        When the numbers are counts, not logged, or missing.
    ImmunosarcError
        When batches or timepoints are not given, or the samples are of several timepoints.

    Notes
    -----
    Quantile normalization replaces the value of rank r by the mean of the sorted samples at r; tied values
    share the mean over their ranks (between the two middle ranks where that is no whole number).

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> frame = pd.DataFrame({"A": [2.0, 4.0], "B": [6.0, 8.0]}, index=["S1", "S2"])
    >>> normalize(make_assay(frame, unit="tpm"), "quantile").X
    array([[3., 7.],
           [3., 7.]])
    """
    from immunosarc.features._alignment import dense
    from immunosarc.features._units import unit_of

    if method not in _METHODS:
        raise UnknownNameError(f"unknown normalization {method!r}.{did_you_mean(method, _METHODS)}")
    unit = unit_of(adata)
    values = dense(adata.X)
    if unit in ("counts", "score", "fraction"):
        raise UnitError(f"{method} normalization needs expression, not counts or ready-made values; found {unit}")
    if np.isnan(values).any():
        raise UnitError(f"{method} normalization needs every value; {int(np.isnan(values).sum())} are missing")
    if method == "quantile":
        if batch is not None or timepoint is not None:
            raise ImmunosarcError("quantile normalization reads no batch and no timepoint: leave them out")
        new = quantile_normalized(values)
    else:
        new = _without_batches(
            adata, values, unit, _labels(adata, batch, "batch"), _one_timepoint(adata, timepoint)
        )
    result = adata.copy()
    result.X = new
    changed = {"normalized": method} | ({"unit": "log2"} if method == "combat" else {})  # may fall below zero
    result.uns["immunosarc"] = {**adata.uns["immunosarc"], **changed}
    return result


def quantile_normalized(values: Floats) -> Floats:
    """Give every sample (row) the mean distribution of all; tied values share their mean."""
    from immunosarc.features._ranking import tied_ranks

    target = np.sort(values, axis=1).mean(axis=0)
    result = np.empty_like(values, dtype=np.float64)
    for row, ranks in enumerate(tied_ranks(np.asarray(values, dtype=np.float64), np.arange(values.shape[1]))):
        middle = ranks.place - 1
        below, above = np.floor(middle).astype(np.int64), np.ceil(middle).astype(np.int64)
        result[row] = (target[below] + target[above]) / 2
    return result


def _without_batches(
    adata: anndata.AnnData, values: Floats, unit: str, batch: pd.Series, timepoint: str
) -> Floats:
    import anndata as ad
    import scanpy

    if not unit.startswith("log2"):
        raise UnitError(f"ComBat needs a log2 scale, the assay has {unit}: features.convert first")
    sizes = batch.value_counts()
    alone = sizes.index[sizes < 2].tolist()
    if len(sizes) < 2 or alone:
        raise ImmunosarcError(
            f"ComBat needs two batches or more of at least two samples each (timepoint {timepoint!r}); found "
            f"{ {str(name): int(n) for name, n in sizes.items()} }"
        )
    flat = np.ptp(values, axis=0) == 0
    new = values.copy()
    part = ad.AnnData(
        values[:, ~flat].copy(), obs=pd.DataFrame({"batch": pd.Categorical(batch)}, index=adata.obs_names)
    )
    new[:, ~flat] = scanpy.pp.combat(part, key="batch", inplace=False)
    return new


def _labels(adata: anndata.AnnData, given: pd.Series | None, noun: str) -> pd.Series:
    if given is None:
        raise ImmunosarcError(f"ComBat needs {noun}=: a Series with one value for each sample id")
    absent = [str(sample) for sample in adata.obs_names if sample not in given.index]
    if absent or given.index.has_duplicates or given.reindex(adata.obs_names).isna().any():
        shown = ", ".join(absent[:5]) or "some"
        raise SchemaError(f"{noun}: one value for each sample is needed; none, or several, for {shown}")
    return given.reindex(adata.obs_names).astype(str)


def _one_timepoint(adata: anndata.AnnData, timepoint: pd.Series | None) -> str:
    found = _labels(adata, timepoint, "timepoint").unique()
    if len(found) > 1:
        raise ImmunosarcError(
            f"ComBat across timepoints ({', '.join(found)}) would move the change that treatment makes: normalize "
            "the samples of each timepoint alone, and compare nothing between them"
        )
    return str(found[0])
