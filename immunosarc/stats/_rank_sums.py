"""The rank sum of a group against what chance gives: ranked once, summed for any number of labelings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.stats._inputs import FloatArray, IntArray, as_binary, as_features, as_strata, refuse

__all__ = ["RankBlock", "midranks", "rank_blocks", "rank_sum_statistic", "standardized_rank_sum"]

# doubled sums of n centred midranks stay below n^2; single precision holds whole numbers up to here
_EXACT_IN_SINGLE = 2**24


def midranks(values: FloatArray) -> FloatArray:
    """Rank each column from 1, ties sharing their mean rank; NaN stays NaN and takes no rank."""
    if len(values) == 0:
        return values
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    place = np.broadcast_to(np.arange(1.0, len(values) + 1.0)[:, None], values.shape)
    differs = ordered[1:] != ordered[:-1]
    edge = np.ones((1, values.shape[1]), dtype=np.bool_)
    first = np.maximum.accumulate(np.where(np.vstack([edge, differs]), place, 0.0), axis=0)
    last = np.where(np.vstack([differs, edge]), place, np.inf)
    last = np.minimum.accumulate(last[::-1], axis=0)[::-1]
    ranks = np.empty_like(values)
    np.put_along_axis(ranks, order, (first + last) / 2.0, axis=0)
    return np.where(np.isnan(values), np.nan, ranks)


@dataclass(frozen=True)
class RankBlock:
    """The midranks of one stratum, centred among the patients measured.

    Attributes
    ----------
    rows : ndarray of int
        Patients of the stratum.
    centred : ndarray of shape (n_rows, n_features)
        Midrank minus mean rank; 0 where the feature is missing.
    seen : ndarray of shape (n_rows, n_features)
        1.0 where the feature is measured.
    size, spread : ndarray of shape (n_features,)
        Patients measured, and the sum of squares of ``centred`` over N (N - 1).
    complete : bool
        Whether every feature is measured in every patient.
    """

    rows: IntArray
    centred: FloatArray
    seen: FloatArray
    size: FloatArray
    spread: FloatArray
    complete: bool


def rank_blocks(features: FloatArray, codes: IntArray) -> list[RankBlock]:
    """Rank every feature within every stratum; one block for each stratum."""
    blocks = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        values = features[rows]
        seen = ~np.isnan(values)
        size = seen.sum(axis=0).astype(np.float64)
        centred = np.where(seen, midranks(values) - (size + 1.0) / 2.0, 0.0)
        spread = (centred**2).sum(axis=0) / np.maximum(size * (size - 1.0), 1.0)
        blocks.append(RankBlock(rows, centred, seen.astype(np.float64), size, spread, bool(seen.all())))
    return blocks


def standardized_rank_sum(blocks: list[RankBlock], labels: FloatArray) -> FloatArray:
    """Standardise the rank sum of each row of labels; (n_labels, n_features), NaN without variance.

    Centred midranks are multiples of one half, so the sums are exact whatever the order of addition.
    """
    total: FloatArray | float = 0.0
    variance: FloatArray | float = 0.0
    for block in blocks:
        marked = labels[:, block.rows]
        total = total + _exact_product(marked, block.centred)
        variance = variance + _pairs(block, marked) * block.spread
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total * np.where(variance > 0, 1.0 / np.sqrt(variance), np.nan))


def _pairs(block: RankBlock, marked: FloatArray) -> FloatArray:
    """Cases times controls, for each labeling and feature; one number where it is the same for all."""
    if not block.complete:
        cases = marked @ block.seen
        return np.asarray(cases * (block.size - cases))
    cases = marked.sum(axis=1, keepdims=True)
    pairs = cases * (len(block.rows) - cases)
    return np.asarray(pairs[:1] if (pairs == pairs[0]).all() else pairs)


def _exact_product(labels: FloatArray, centred: FloatArray) -> FloatArray:
    """Sum centred midranks; in single precision, twice as fast, where it holds every possible sum exactly."""
    if centred.shape[0] ** 2 >= _EXACT_IN_SINGLE:
        return np.asarray(labels @ centred)
    return np.asarray((labels.astype(np.float32) @ centred.astype(np.float32)).astype(np.float64))


def rank_sum_statistic(features: ArrayLike, group: ArrayLike, *, strata: ArrayLike | None = None) -> FloatArray:
    r"""Tell how many standard errors the ranks of one group lie above what chance gives.

    .. math::

        z = \frac{\sum_s \sum_{i \in \mathrm{True}} (r_{is} - \bar r_s)}
        {\sqrt{\sum_s \frac{n_{1s} n_{0s}}{N_s (N_s - 1)} \sum_i (r_{is} - \bar r_s)^2}}

    with midranks r within stratum s; the variance is the one of the permutation distribution and
    so corrected for ties. No continuity correction. A stratum with one group only adds nothing.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    group : array_like of bool, shape (n_patients,)
        True for the group whose ranks are summed, for example the responders.
    strata : array_like of shape (n_patients,), optional
        Patients are ranked within their stratum only.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN where the feature is constant or one group has no patient.

    Raises
    ------
    ImmunosarcError
        When lengths differ or a group or stratum is missing.

    Examples
    --------
    >>> import numpy as np
    >>> rank_sum_statistic(np.array([[1.0], [2.0], [3.0], [4.0]]), [0, 0, 1, 1]).round(3)
    array([1.549])
    """
    problems: list[str] = []
    values = as_features(features, problems)
    marked = as_binary(group, len(values), "group", problems)
    codes = as_strata(strata, len(values), problems)
    refuse("rank_sum_statistic", problems)
    return standardized_rank_sum(rank_blocks(values, codes), marked[None, :].astype(np.float64))[0]
