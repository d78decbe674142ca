"""How far chance alone carries an effect, and the smallest effect that a study could have found.

Everything here comes from the number of patients, the events, the split, the strata and the
spread of a feature; never from the observed effect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray, as_binary, as_features, as_strata, refuse

__all__ = ["auc_null_error", "detectable_effect", "log_hazard_ratio_null_error", "log_odds_ratio_null_error"]


def auc_null_error(features: ArrayLike, group: ArrayLike, *, strata: ArrayLike | None = None) -> FloatArray:
    r"""Standard error of the AUC when the feature has nothing to do with the group.

    .. math:: \frac{\sqrt{\sum_s n_{1s} n_{0s} (n_s + 1) / 12}}{\sum_s n_{1s} n_{0s}}

    Noether, doi 10.1080/01621459.1987.10478478; without ties, so slightly large with them.

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


def log_odds_ratio_null_error(
    features: ArrayLike, group: ArrayLike, *, strata: ArrayLike | None = None
) -> FloatArray:
    r"""Standard error of the log odds ratio per unit of a feature that has nothing to do with the group.

    .. math:: \Bigl(\sum_s \frac{n_{1s} n_{0s}}{n_s}\, \hat\sigma^2\Bigr)^{-1/2}

    with :math:`\hat\sigma` the feature's standard deviation within strata; Hsieh 1998, doi
    10.1002/(SICI)1097-0258(19980730)17:14<1623::AID-SIM871>3.0.CO;2-S.

    Parameters
    ----------
    features, group, strata
        As in :func:`auc_null_error`.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN where a stratum with both groups, or any spread, is missing.

    Examples
    --------
    >>> log_odds_ratio_null_error(np.arange(30.0)[:, None], [True] * 10 + [False] * 20).round(4).tolist()
    [0.044]
    """
    has, event, codes = _checked("log_odds_ratio_null_error", features, group, strata)
    information = np.zeros(has.shape[1])
    for code in np.unique(codes):
        ones, n = _split(has, event, codes == code)
        information += ones * (n - ones) / np.maximum(n, 1)
    return _inverse_root(information * _within_variance(np.asarray(features, dtype=float), codes))


def log_hazard_ratio_null_error(
    features: ArrayLike, event: ArrayLike, *, strata: ArrayLike | None = None
) -> FloatArray:
    r"""Standard error of the log hazard ratio per unit of a feature that has nothing to do with survival.

    .. math:: (d\, \hat\sigma^2)^{-1/2}

    with d events and :math:`\hat\sigma` the standard deviation within strata; Hsieh and Lavori 2000,
    doi 10.1016/S0197-2456(00)00104-5.

    Parameters
    ----------
    features, strata
        As in :func:`auc_null_error`.
    event : array_like of bool, shape (n_patients,)
        Whether the event happened.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN without events or spread.

    Examples
    --------
    >>> log_hazard_ratio_null_error(np.arange(30.0)[:, None], [True] * 20 + [False] * 10).round(4).tolist()
    [0.0254]
    """
    has, happened, codes = _checked("log_hazard_ratio_null_error", features, event, strata)
    events = (has & happened[:, None]).sum(axis=0)
    return _inverse_root(events * _within_variance(np.asarray(features, dtype=float), codes))


def detectable_effect(null_error: ArrayLike, *, alpha: float, power: float) -> FloatArray:
    r"""Smallest distance from no effect that a two-sided test finds with the given power.

    .. math:: (z_{1-\alpha/2} + z_{power})\, \mathrm{SE}_0

    Parameters
    ----------
    null_error : array_like
        Standard error under no effect.
    alpha : float
        Two-sided; for one feature of many, the level that the family leaves it.
    power : float
        With 0.5 this is the effect at which the test begins to reject.

    Returns
    -------
    ndarray
        In the unit of ``null_error``.

    Examples
    --------
    >>> detectable_effect([0.1137], alpha=0.05, power=0.8).round(3).tolist()
    [0.319]
    """
    return (ndtri(1 - alpha / 2) + ndtri(power)) * np.asarray(null_error, dtype=float)


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


def _within_variance(values: FloatArray, codes: IntArray) -> FloatArray:
    """Pooled variance within strata; each stratum with patients costs a degree of freedom."""
    squares, freedom = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for code in np.unique(codes):
        part = values[codes == code]
        n = (~np.isnan(part)).sum(axis=0)
        mean = np.nansum(part, axis=0) / np.maximum(n, 1)
        squares += np.nansum((part - mean) ** 2, axis=0)
        freedom += np.maximum(n - 1, 0)
    return squares / np.where(freedom > 0, freedom, np.nan)


def _inverse_root(information: FloatArray) -> FloatArray:
    return 1 / np.sqrt(np.where(information > 0, information, np.nan))
