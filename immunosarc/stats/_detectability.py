"""The smallest effect that a study could have found, and how far chance alone carries one.

Everything here comes from the number of patients, the events, the split, the strata and the
spread of a feature; never from the observed effect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, owens_t

from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_binary,
    as_features,
    as_grades,
    as_strata,
    refuse,
)

__all__ = [
    "auc_as_log_odds_ratio",
    "auc_null_error",
    "detectable_auc",
    "detectable_ordinal",
    "detectable_rank_correlation",
    "within_variance",
]

_BISECTIONS = 60


def auc_null_error(features: ArrayLike, group: ArrayLike, *, strata: ArrayLike | None = None) -> FloatArray:
    r"""Standard error of the AUC when the feature has nothing to do with the group.

    .. math:: \frac{\sqrt{\sum_s n_{1s} n_{0s} (n_s + 1) / 12}}{\sum_s n_{1s} n_{0s}}

    Without ties, so slightly large with them.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; only who was measured counts.
    group : array_like of bool, shape (n_patients,)
        The two groups.
    strata : array_like, optional
        Stratum of each patient.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN where no stratum has both groups.

    Raises
    ------
    ImmunosarcError
        When the shapes do not fit, or a value is infinite.

    Examples
    --------
    >>> auc_null_error(np.arange(30.0)[:, None], [True] * 10 + [False] * 20).round(4).tolist()
    [0.1137]
    """
    has, event, codes = _checked("auc_null_error", features, group, strata)
    variance, pairs = np.zeros(has.shape[1]), np.zeros(has.shape[1])
    for code in np.unique(codes):
        ones, n = _split(has, event, codes == code)
        product = ones * (n - ones)
        variance += product * (n + 1) / 12
        pairs += product
    return np.sqrt(variance) / np.where(pairs > 0, pairs, np.nan)


def detectable_auc(
    features: ArrayLike,
    group: ArrayLike,
    *,
    alpha: float,
    power: float = 0.8,
    strata: ArrayLike | None = None,
) -> FloatArray:
    r"""Smallest AUC that the two-sided rank-sum test finds with the given power.

    The root A of

    .. math:: A - \tfrac12 = z_{1-\alpha/2}\, \mathrm{SE}_0 + z_{power}\, \mathrm{SE}_1(A)

    with the null error of :func:`auc_null_error` and under the alternative the error of two normal groups of equal
    spread (the general formula of Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747, with the
    normal probability that one patient exceeds two of the other group), scaled to the strata as the null
    error is. With power 0.5 it is the AUC at which the test begins to reject. Simulated power at the
    answer is 0.79 to 0.81 for 10 v 20, 15 v 15, 5 v 25 and 30 v 70 patients.

    Parameters
    ----------
    features, group
        As in :func:`auc_null_error`.
    alpha : float
        Two-sided; for one feature of many, the level that the family leaves it.
    power : float
        At least 0.5.
    strata : array_like, optional
        Stratum of each patient.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN where no AUC below 1 is enough.

    Raises
    ------
    ImmunosarcError
        As in :func:`auc_null_error`.

    Examples
    --------
    >>> detectable_auc(np.arange(30.0)[:, None], [True] * 10 + [False] * 20, alpha=0.05).round(3).tolist()
    [0.796]
    """
    has, event, _ = _checked("detectable_auc", features, group, strata)
    null_error = auc_null_error(features, group, strata=strata)
    ones, n = _split(has, event, np.ones(len(event), dtype=bool))
    zeros = n - ones
    product = np.where(ones * zeros > 0, ones * zeros, np.nan)
    scale = null_error / np.sqrt((n + 1) / (12 * product))
    floor = 0.5 + ndtri(1 - alpha / 2) * null_error

    def short_of(auc: FloatArray) -> BoolArray:
        return auc < floor + ndtri(power) * scale * _alternative_error(auc, ones, zeros) / np.sqrt(product)

    low, high = np.full(n.shape, 0.5), np.ones(n.shape)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        short = short_of(middle)
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    reached = (floor < 1) & (high < 1 - 1e-9)
    return np.where(reached, high, np.nan)


def auc_as_log_odds_ratio(
    auc: ArrayLike, features: ArrayLike, group: ArrayLike, *, strata: ArrayLike | None = None
) -> FloatArray:
    r"""Log odds ratio per unit of a normal feature that separates the groups with this AUC.

    .. math:: \beta = \frac{d \sqrt{1 + p(1-p) d^2}}{\hat\sigma}, \qquad d = \sqrt2\, \Phi^{-1}(\mathrm{AUC})

    the logistic slope of two normal groups d standard deviations apart (Efron 1975, doi
    10.1080/01621459.1975.10480319), with p the share of the group marked True and
    :math:`\hat\sigma` the standard deviation of the feature within strata, both groups together.

    Parameters
    ----------
    auc : array_like of shape (n_features,)
        At least 0.5.
    features, group, strata
        As in :func:`auc_null_error`.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN where the AUC is, or without spread.

    Raises
    ------
    ImmunosarcError
        As in :func:`auc_null_error`.

    Examples
    --------
    >>> auc_as_log_odds_ratio([0.8], np.arange(30.0)[:, None], [True] * 10 + [False] * 20).round(3).tolist()
    [0.155]
    """
    has, event, codes = _checked("auc_as_log_odds_ratio", features, group, strata)
    ones, n = _split(has, event, np.ones(len(event), dtype=bool))
    share = ones / np.where(n > 0, n, np.nan)
    apart = np.sqrt(2.0) * ndtri(np.asarray(auc, dtype=float))
    variance = within_variance(np.asarray(features, dtype=float), codes)
    return apart * np.sqrt((1 + share * (1 - share) * apart**2) / np.where(variance > 0, variance, np.nan))


def detectable_ordinal(
    features: ArrayLike, outcome: ArrayLike, *, alpha: float, power: float = 0.8, strata: ArrayLike | None = None
) -> FloatArray:
    r"""Smallest log odds ratio of a better grade per unit of a feature that is found with the given power.

    .. math:: \frac{z_{1-\alpha/2} + z_{power}}{\hat\sigma \sqrt{n (1 - \sum_k p_k^3) / 3}}

    with :math:`p_k` the share of each grade and :math:`\hat\sigma` the standard deviation within strata:
    the information of the proportional-odds model at no effect (Whitehead 1993,
    doi 10.1002/sim.4780122404). A formula for small effects: a trial of 30 needs a larger one.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured.
    outcome : array_like of shape (n_patients,)
        Grades, of which only the order counts.
    alpha, power : float
        As in :func:`detectable_auc`.
    strata : array_like, optional
        Stratum of each patient.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN without spread, or with a single grade.

    Raises
    ------
    ImmunosarcError
        As in :func:`auc_null_error`.

    Examples
    --------
    >>> grades = np.repeat([0, 1, 2], 10)
    >>> detectable_ordinal(np.arange(30.0)[:, None], grades, alpha=0.05).round(3).tolist()
    [0.107]
    """
    values, grades, codes = _graded("detectable_ordinal", features, outcome, strata)
    seen = ~np.isnan(values)
    n = seen.sum(axis=0)
    shares = [(seen & (grades == g)[:, None]).sum(axis=0) / np.maximum(n, 1) for g in np.unique(grades)]
    information = n * (1.0 - sum((s**3 for s in shares), np.zeros(len(n)))) / 3.0
    information = information * within_variance(values, codes)
    known = (n > 0) & (information > 1e-12)
    return (ndtri(1 - alpha / 2) + ndtri(power)) / np.sqrt(np.where(known, information, np.nan))


def detectable_rank_correlation(
    features: ArrayLike, outcome: ArrayLike, *, alpha: float, power: float = 0.8, strata: ArrayLike | None = None
) -> FloatArray:
    r"""Smallest rank correlation with a graded outcome that is found with the given power.

    .. math:: \rho = \tanh\Big(\frac{z_{1-\alpha/2} + z_{power}}{\sqrt{n - 3}}\Big)

    on Fisher's scale, n less one for each stratum after the first.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured.
    outcome : array_like of shape (n_patients,)
        Grades, of which only the order counts.
    alpha, power : float
        As in :func:`detectable_auc`.
    strata : array_like, optional
        Stratum of each patient.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN with fewer than four patients, or with a single grade.

    Raises
    ------
    ImmunosarcError
        As in :func:`auc_null_error`.

    Examples
    --------
    >>> grades = np.repeat([0, 1, 2], 10)
    >>> detectable_rank_correlation(np.arange(30.0)[:, None], grades, alpha=0.05).round(3).tolist()
    [0.492]
    """
    values, grades, codes = _graded("detectable_rank_correlation", features, outcome, strata)
    seen = ~np.isnan(values)
    used = sum(((seen & (codes == c)[:, None]).sum(axis=0) > 1 for c in np.unique(codes)), np.zeros(seen.shape[1]))
    freedom = seen.sum(axis=0) - 2 - np.maximum(used, 1)
    graded = np.array([len(np.unique(grades[column])) > 1 for column in seen.T], dtype=bool)
    reach = (ndtri(1 - alpha / 2) + ndtri(power)) / np.sqrt(np.where((freedom > 0) & graded, freedom, np.nan))
    return np.asarray(np.tanh(reach))


def _graded(
    function: str, features: ArrayLike, outcome: ArrayLike, strata: ArrayLike | None
) -> tuple[FloatArray, FloatArray, IntArray]:
    problems: list[str] = []
    values = as_features(features, problems)
    grades = as_grades(outcome, len(values), problems)
    codes = as_strata(strata, len(values), problems)
    refuse(function, problems)
    return values, grades, codes


def _alternative_error(auc: FloatArray, ones: FloatArray, zeros: FloatArray) -> FloatArray:
    """Standard error of the AUC of two normal groups with equal spread, times the root of the number of pairs."""
    apart = ndtri(auc)
    # one patient lies above two of the other group: both comparisons share the patient, hence correlation 1/2
    both = ndtr(apart) - 2.0 * owens_t(apart, 1.0 / np.sqrt(3.0))
    return np.asarray(np.sqrt(auc * (1 - auc) + (ones + zeros - 2.0) * (both - auc**2)))


def _checked(
    function: str, features: ArrayLike, group: ArrayLike, strata: ArrayLike | None
) -> tuple[BoolArray, BoolArray, IntArray]:
    problems: list[str] = []
    values = as_features(features, problems)
    event = as_binary(group, len(values), "group", problems)
    codes = as_strata(strata, len(values), problems)
    refuse(function, problems)
    return ~np.isnan(values), event, codes


def _split(has: BoolArray, event: BoolArray, inside: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Per feature: events and patients of one stratum among the measured ones."""
    ones = (has & (event & inside)[:, None]).sum(axis=0).astype(float)
    return ones, (has & inside[:, None]).sum(axis=0).astype(float)


def within_variance(values: FloatArray, codes: IntArray) -> FloatArray:
    """Pooled variance within strata; each stratum with patients costs a degree of freedom."""
    squares, freedom = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for code in np.unique(codes):
        part = values[codes == code]
        n = (~np.isnan(part)).sum(axis=0)
        mean = np.nansum(part, axis=0) / np.maximum(n, 1)
        squares += np.nansum((part - mean) ** 2, axis=0)
        freedom += np.maximum(n - 1, 0)
    return squares / np.where(freedom > 0, freedom, np.nan)
