"""The smallest effect this many patients could have shown, from the design alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import FloatArray, refuse

__all__ = ["detectable_auc", "detectable_log_hazard_ratio", "detectable_log_odds_ratio"]


def detectable_auc(
    n_cases: ArrayLike, n_controls: ArrayLike, *, alpha: ArrayLike, power: ArrayLike = 0.8
) -> FloatArray:
    r"""Give the AUC that a trial with these group sizes finds with the stated power.

    Noether's approximation for the two-sided rank-sum test,

    .. math:: \mathrm{AUC} = \tfrac12 + (z_{1-\alpha/2} + z_{\mathrm{power}}) \sqrt{\frac{n_1 + n_0}{12\, n_1 n_0}}

    By symmetry 1 minus it is found as well. It takes the variance under no association for the one
    under the effect, which is smaller, and so asks for a little too much: simulated with normal features of
    equal spread (``docs/calibration.md``) the power at the AUC given for 80% was 80% with 30 v 70 patients,
    84 to 85% with 30 in all and AUC near 0.8, 90% with 5 v 25 and AUC near 0.9. Source: Noether 1987,
    doi 10.1080/01621459.1987.10478478.

    Parameters
    ----------
    n_cases, n_controls : array_like of int
        Patients in the two groups.
    alpha : array_like of float
        Two-sided level of the test, after whatever correction the panel needs.
    power : array_like of float
        Chance to find it.

    Returns
    -------
    ndarray of float
        NaN where no AUC below 1 is enough or a group is empty.

    Raises
    ------
    ImmunosarcError
        When alpha or power is not between 0 and 1.

    Examples
    --------
    >>> detectable_auc(10, [20, 200], alpha=0.05).round(3).tolist()
    [0.813, 0.762]
    """
    quantiles = _quantiles("detectable_auc", alpha, power)
    cases, controls = np.asarray(n_cases, dtype=np.float64), np.asarray(n_controls, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        auc = 0.5 + quantiles * np.sqrt((cases + controls) / (12.0 * cases * controls))
    return np.where(auc < 1.0, auc, np.nan)


def detectable_log_odds_ratio(
    n: ArrayLike, n_events: ArrayLike, *, sd: ArrayLike, alpha: ArrayLike, power: ArrayLike = 0.8
) -> FloatArray:
    r"""Give the log odds ratio per unit of a feature that a trial of this size finds with the stated power.

    .. math:: |\beta| = \frac{z_{1-\alpha/2} + z_{\mathrm{power}}}{\sigma \sqrt{n P (1 - P)}}, \quad P = n_1 / n

    for a roughly normal feature with standard deviation :math:`\sigma`. It takes the information at no
    effect; large effects carry less, so the power at the returned value is below the stated one. For the
    test of :func:`firth_logistic` and 80% it was 67% with 10 of 30 patients and 78% with 33 of 100
    (``docs/calibration.md``): with few patients read it as a lower bound. Source: Hsieh, Bloch and Larsen 1998,
    doi 10.1002/(SICI)1097-0258(19980730)17:14<1623::AID-SIM871>3.0.CO;2-S.

    Parameters
    ----------
    n, n_events : array_like of int
        Patients, and those with the outcome.
    sd : array_like of float
        Standard deviation of the feature among the patients; 1 gives the effect per standard deviation.
    alpha, power : array_like of float
        Two-sided level, and the chance to find the effect.

    Returns
    -------
    ndarray of float
        NaN where all or none have the outcome or the feature is constant.

    Raises
    ------
    ImmunosarcError
        When alpha or power is not between 0 and 1.

    Examples
    --------
    >>> float(detectable_log_odds_ratio(30, 10, sd=1.0, alpha=0.05).round(3))
    1.085
    """
    quantiles = _quantiles("detectable_log_odds_ratio", alpha, power)
    size, events = np.asarray(n, dtype=np.float64), np.asarray(n_events, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _finite(quantiles / (np.asarray(sd) * np.sqrt(events * (size - events) / size)))


def detectable_log_hazard_ratio(
    n_events: ArrayLike, *, sd: ArrayLike, alpha: ArrayLike, power: ArrayLike = 0.8
) -> FloatArray:
    r"""Give the log hazard ratio per unit of a feature that this many events show with the stated power.

    .. math:: |\beta| = \frac{z_{1-\alpha/2} + z_{\mathrm{power}}}{\sigma \sqrt{d}}

    for d events and a feature with standard deviation :math:`\sigma`. Only events count. It takes the spread
    at risk for constant; a strong feature thins it out, so the power of :func:`cox` at the value given for
    80% was 71 to 72% with 12 or 24 events of 30 patients and 76% with 70 of 100
    (``docs/calibration.md``): with few events read it as a lower bound. Source: Hsieh and Lavori 2000,
    doi 10.1016/S0197-2456(00)00104-5, after Schoenfeld 1983, doi 10.2307/2531021.

    Parameters
    ----------
    n_events : array_like of int
        Patients with the event.
    sd : array_like of float
        Standard deviation of the feature among the patients; 1 gives the effect per standard deviation.
    alpha, power : array_like of float
        Two-sided level, and the chance to find the effect.

    Returns
    -------
    ndarray of float
        NaN without events or where the feature is constant.

    Raises
    ------
    ImmunosarcError
        When alpha or power is not between 0 and 1.

    Examples
    --------
    >>> float(detectable_log_hazard_ratio(25, sd=1.0, alpha=0.05).round(3))
    0.56
    """
    quantiles = _quantiles("detectable_log_hazard_ratio", alpha, power)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _finite(quantiles / (np.asarray(sd) * np.sqrt(np.asarray(n_events, dtype=np.float64))))


def _finite(effect: FloatArray) -> FloatArray:
    return np.where(np.isfinite(effect), effect, np.nan)


def _quantiles(function: str, alpha: ArrayLike, power: ArrayLike) -> FloatArray:
    problems: list[str] = []
    for name, value in (("alpha", alpha), ("power", power)):
        numbers = np.asarray(value, dtype=np.float64)
        if not np.all((numbers > 0.0) & (numbers < 1.0)):
            problems.append(f"{name}: need numbers between 0 and 1, have {value!r}")
    refuse(function, problems)
    return np.asarray(special.ndtri(1.0 - np.asarray(alpha) / 2.0) + special.ndtri(power))
