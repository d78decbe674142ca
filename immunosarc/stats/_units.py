"""Arithmetic of expression units."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["counts_per_million", "log2_plus_one"]


def counts_per_million(counts: Any) -> Any:
    r"""Return each gene's share of a sample's reads, in millionths.

    .. math:: \mathrm{CPM}_{ig} = 10^6 \, c_{ig} / \sum_h c_{ih}

    Parameters
    ----------
    counts : ndarray or sparse matrix of shape (n_samples, n_genes)
        Reads per gene, every gene that was counted.

    Returns
    -------
    ndarray or sparse matrix
        Same shape and kind, float64. A sample without reads, or with a missing count, has no
        library size: its whole row is NaN.

    Examples
    --------
    >>> counts_per_million(np.array([[1.0, 3.0], [0.0, 0.0]]))
    array([[250000., 750000.],
           [    nan,     nan]])
    """
    total = np.asarray(counts.sum(axis=1), dtype=np.float64).reshape(-1, 1)
    known = total > 0
    factor = np.divide(1e6, total, out=np.full_like(total, np.nan), where=known)
    if not sparse.issparse(counts):
        return np.asarray(counts, dtype=np.float64) * factor
    if not known.all():
        return counts_per_million(counts.toarray())
    return sparse.csr_matrix(counts.astype(np.float64).multiply(factor))


def log2_plus_one(values: Any) -> Any:
    """Return log2(x + 1): zero stays zero, and doubling a large value adds one.

    Parameters
    ----------
    values : ndarray or sparse matrix
        Linear units, zero or above; NaN stays NaN.

    Returns
    -------
    ndarray or sparse matrix
        Same shape and kind, float64.

    Examples
    --------
    >>> log2_plus_one(np.array([0.0, 1.0, 3.0]))
    array([0., 1., 2.])
    """
    if not sparse.issparse(values):
        return np.log2(np.asarray(values, dtype=np.float64) + 1.0)
    result = values.astype(np.float64)
    result.data = np.log2(result.data + 1.0)
    return result
