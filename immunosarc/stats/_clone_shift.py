"""Which clones of two samples moved further than sampling alone would move them, and how alike samples are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse, special

from immunosarc.stats._inputs import FloatArray, IntArray, refuse
from immunosarc.stats._ways import log_ways

__all__ = ["CloneOverlap", "clone_overlap", "clone_shift"]

# counts that are as unlikely up to rounding count as equally unlikely
_AS_UNLIKELY = 1.0 + 1e-7


@dataclass(frozen=True)
class CloneOverlap:
    """How alike every two samples are.

    Attributes
    ----------
    shared : ndarray of shape (n_samples, n_samples)
        Clones seen in both.
    jaccard : ndarray of shape (n_samples, n_samples)
        Shared clones among all clones of the two.
    morisita : ndarray of shape (n_samples, n_samples)
        Morisita's index, which allows for sampling; NaN where a sample holds no clone twice.
    morisita_horn : ndarray of shape (n_samples, n_samples)
        Horn's form, 0 = nothing in common, 1 = the same shares.
    """

    shared: FloatArray
    jaccard: FloatArray
    morisita: FloatArray
    morisita_horn: FloatArray


def clone_shift(before: ArrayLike, after: ArrayLike, *, totals: tuple[int, int] | None = None) -> FloatArray:
    r"""Give, for each clone, the chance of counts this uneven had its share not changed between two samples.

    Each clone is put against all others of its two samples. Given the :math:`n = x + y` receptors of the clone,
    those before follow

    .. math:: P(k) = \binom{X}{k} \binom{Y}{n - k} / \binom{X + Y}{n}

    and p adds up the counts that are no more likely than the one seen (Fisher's exact test, two-sided;
    doi 10.2307/2342435). Receptors must be counted once each: copies of one molecule are no evidence.

    Parameters
    ----------
    before, after : array_like of int, shape (n_clones,)
        Receptors of each clone in the two samples.
    totals : tuple of int, optional
        All receptors of the two samples, where ``before`` and ``after`` hold only some of their clones.

    Returns
    -------
    ndarray of shape (n_clones,)
        p-values; 1 for a clone that is in neither.

    Raises
    ------
    ImmunosarcError
        When lengths differ, a count is negative, missing or not whole, or the counts exceed the totals.

    Examples
    --------
    >>> clone_shift([1, 9, 90], [12, 8, 80]).round(4).tolist()
    [0.0025, 1.0, 0.0734]
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (before, after))
    problems = []
    if x.ndim != 1 or x.shape != y.shape:
        problems.append(
            f"before, after: need one number for each clone in both, have shapes {x.shape} and {y.shape}"
        )
    for name, values in (("before", x), ("after", y)):
        if not np.isfinite(values).all() or (values < 0).any() or (values % 1 != 0).any():
            problems.append(f"{name}: need whole numbers of at least 0, none missing")
    if totals is not None and not problems and (x.sum() > totals[0] or y.sum() > totals[1]):
        problems.append(f"totals: {totals} are less than the counts, {x.sum():g} and {y.sum():g}")
    refuse("clone_shift", problems)
    first, second = (int(x.sum()), int(y.sum())) if totals is None else totals
    total = first + second
    sizes = (x + y).astype(np.int64)
    p = np.ones(len(x))
    order = np.argsort(sizes, kind="stable")
    edges = np.flatnonzero(np.diff(sizes[order], prepend=-1))
    for start, stop in zip(edges, [*edges[1:], len(order)], strict=True):
        rows = order[start:stop]
        p[rows] = _of_size(int(sizes[rows[0]]), x[rows].astype(np.int64), first, total)
    return p


def _of_size(size: int, seen: IntArray, first: int, total: int) -> FloatArray:
    """Return p of clones of one size, all weighed on the same distribution."""
    lowest = max(0, size - (total - first))
    counts = np.arange(lowest, min(size, first) + 1)
    log = log_ways(first, counts) + log_ways(total - first, size - counts) - log_ways(total, size)
    chance = special.softmax(log)  # they add up to 1 whatever the rounding of the logs
    ordered = np.sort(chance)
    below = np.cumsum(ordered)
    reach = np.searchsorted(ordered, chance[seen - lowest] * _AS_UNLIKELY, side="right")
    return np.minimum(below[reach - 1], 1.0)


def clone_overlap(counts: sparse.csr_matrix) -> CloneOverlap:
    r"""Say how much every two samples have in common, by the shares of the clones.

    With :math:`x_i, y_i` receptors of clone i among X and Y,

    .. math:: M = \frac{2 \sum x_i y_i}{(\lambda_x + \lambda_y) X Y}, \quad
              \lambda_x = \frac{\sum x_i (x_i - 1)}{X (X - 1)}, \quad
              \lambda_x^{Horn} = \frac{\sum x_i^2}{X^2}

    Source: Morisita 1959; Horn 1966, doi 10.1086/282436.

    Parameters
    ----------
    counts : sparse matrix of shape (n_samples, n_clones)
        Receptors.

    Returns
    -------
    CloneOverlap
        NaN in the rows of a sample without receptors.

    Raises
    ------
    ImmunosarcError
        When a count is negative or missing.

    Examples
    --------
    >>> same = clone_overlap(sparse.csr_matrix([[4, 2, 0], [2, 1, 0], [0, 0, 5]]))
    >>> same.morisita_horn.round(3).tolist()[0]
    [1.0, 1.0, 0.0]
    """
    values = sparse.csr_matrix(counts, dtype=np.float64)
    if not np.isfinite(values.data).all() or (values.data < 0).any():
        refuse("clone_overlap", ["counts: need numbers of at least 0, none missing"])
    values.eliminate_zeros()
    there = values.astype(bool).astype(np.float64)
    cross, shared = (values @ values.T).toarray(), (there @ there.T).toarray()
    total, clones = np.asarray(values.sum(axis=1)).ravel(), np.diag(shared)
    squares = np.diag(cross)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = np.outer(total, total)
        twice = (squares - total) / (total * (total - 1.0))
        horn = squares / total**2
        morisita = 2.0 * cross / ((twice[:, None] + twice[None, :]) * pairs)
        similar = 2.0 * cross / ((horn[:, None] + horn[None, :]) * pairs)
        jaccard = shared / (clones[:, None] + clones[None, :] - shared)
    morisita[~np.isfinite(morisita)] = np.nan
    return CloneOverlap(shared, jaccard, morisita, np.minimum(similar, 1.0))
