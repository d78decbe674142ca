"""What measurement error hides: the reliability of several measures of one thing, and correlations freed of it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from immunosarc.stats._inputs import FloatArray, refuse

__all__ = ["disattenuate", "normal_scores", "triad_reliability"]


def normal_scores(values: ArrayLike) -> FloatArray:
    r"""Give each value the place on the normal curve that its rank has.

    :math:`\Phi^{-1}\left((r_i - 3/8) / (n + 1/4)\right)` with midranks r (Blom 1958): units of any assay become
    comparable, and only the order counts.

    Parameters
    ----------
    values : array_like of shape (..., n_patients, n_measures)
        No value missing.

    Returns
    -------
    ndarray of shape (..., n_patients, n_measures)

    Raises
    ------
    ImmunosarcError
        When a value is missing or infinite.

    Examples
    --------
    >>> normal_scores([[3.0], [1.0], [20.0]]).round(2).ravel().tolist()
    [0.0, -0.87, 0.87]
    """
    table = np.asarray(values, dtype=float)
    refuse("normal_scores", [] if np.isfinite(table).all() else ["a value is missing or infinite"])
    ranks = stats.rankdata(table, axis=-2)
    return np.asarray(special.ndtri((ranks - 0.375) / (table.shape[-2] + 0.25)))


def triad_reliability(correlations: ArrayLike) -> FloatArray:
    r"""Say how much of each measure is the thing that all of them measure.

    When errors are independent, :math:`r_{ij} = \sqrt{\rho_i \rho_j}`, so that for three measures

    .. math::

        \rho_i = \frac{r_{ij} r_{ik}}{r_{jk}}

    (the method of triads; of more than three the median over all triads is taken). Two measures cannot tell which
    of them is the better one: both get :math:`r_{12}`. Source: Spearman 1904, doi 10.2307/1412159.

    Parameters
    ----------
    correlations : array_like of shape (..., n_measures, n_measures)
        Between the measures.

    Returns
    -------
    ndarray of shape (..., n_measures)
        The reliability, the squared correlation with what is measured; at most 1, NaN where a correlation is not
        above 0, so that the measures have nothing in common to be reliable about.

    Raises
    ------
    ImmunosarcError
        With fewer than two measures.

    Examples
    --------
    >>> triad_reliability([[1.0, 0.6, 0.4], [0.6, 1.0, 0.3], [0.4, 0.3, 1.0]]).round(2).tolist()
    [0.8, 0.45, 0.2]
    """
    r = np.asarray(correlations, dtype=float)
    k = r.shape[-1]
    refuse("triad_reliability", [] if k > 1 else ["needs two measures or more"])
    r = np.where(r > 0, r, np.nan)
    if k == 2:
        return np.repeat(r[..., 0, 1, None], 2, axis=-1)
    each = []
    for i in range(k):
        others = [j for j in range(k) if j != i]
        triads = [r[..., i, j] * r[..., i, m] / r[..., j, m] for j, m in combinations(others, 2)]
        each.append(np.median(np.stack(triads, axis=-1), axis=-1))
    return np.minimum(np.stack(each, axis=-1), 1.0)


def disattenuate(observed: ArrayLike, reliability: ArrayLike) -> FloatArray:
    r"""Say what a correlation would be if the measure had no error.

    :math:`r / \sqrt{\rho}`, held within -1 and 1 (Spearman 1904, doi 10.2307/1412159). The error of the outcome is
    not corrected.

    Parameters
    ----------
    observed : array_like
        Correlation of the measure with an outcome.
    reliability : array_like
        Of the measure, from :func:`triad_reliability`; broadcast against ``observed``.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> disattenuate(0.3, 0.36).round(3).item()
    0.5
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.clip(np.asarray(observed) / np.sqrt(np.asarray(reliability)), -1.0, 1.0))
