"""High against low: survival of the two halves of a feature, compared by the log-rank test."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._cox import fit_in_blocks
from immunosarc.stats._fits import Fits, statuses
from immunosarc.stats._inputs import FloatArray, as_features, refuse
from immunosarc.stats._partial_likelihood import Clock

__all__ = ["log_rank", "median_split"]


def median_split(features: ArrayLike) -> FloatArray:
    """Mark the patients whose value of a feature is above its median.

    A feature that has two values already is split between them.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured.

    Returns
    -------
    ndarray of shape (n_patients, n_features)
        1.0 above, 0.0 not above, NaN where not measured.

    Raises
    ------
    ImmunosarcError
        When the features are not a matrix of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> median_split(np.array([[3.0], [1.0], [2.0], [np.nan]])).ravel().tolist()
    [1.0, 0.0, 0.0, nan]
    """
    problems: list[str] = []
    values = as_features(features, problems)
    refuse("median_split", problems)
    ordered = np.sort(values.T, axis=1)  # what is missing goes last
    cut = np.array([_cut(row[: np.searchsorted(row, np.inf)]) for row in ordered])
    return np.where(np.isnan(values), np.nan, values > cut)


def _cut(ordered: FloatArray) -> float:
    """Return the value not to be above: the median, or the lower of just two values."""
    size = ordered.size
    if size == 0:
        return float("nan")
    low, high = ordered[0], ordered[-1]
    if np.searchsorted(ordered, low, side="right") == np.searchsorted(ordered, high) < size:
        return float(low)
    return float((ordered[(size - 1) // 2] + ordered[size // 2]) / 2.0)


def log_rank(
    features: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    level: float = 0.95,
) -> Fits:
    r"""Ask whether patients with a high value have their event earlier than those with a low one.

    Each feature is split by :func:`median_split`. With O the events among the high, and over the
    events at times j within strata, :math:`n_j` at risk, :math:`n_{1j}` of them high, :math:`d_j` events,

    .. math::

        E = \sum_j d_j \frac{n_{1j}}{n_j}, \qquad
        V = \sum_j d_j \frac{n_{1j}}{n_j} \Big(1 - \frac{n_{1j}}{n_j}\Big) \frac{n_j - d_j}{n_j - 1}

    ``statistic`` is :math:`(O - E) / \sqrt V`. ``p_value`` and the interval are Student's with n - 2 degrees of
    freedom: the normal p lies below 0.05 for 6% of noise in 30 patients, this one for 5%. ``estimate`` is
    Peto's one-step log hazard ratio of high against low, :math:`(O - E) / V` with error
    :math:`1 / \sqrt V`; it lies too near zero where the effect is strong. A split throws information away:
    the test finds a graded effect less often than :func:`cox`. Sources: Mantel 1966; Peto and Peto 1972,
    doi 10.2307/2344317; Yusuf 1985, doi 10.1016/S0033-0620(85)80003-7.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event; none missing.
    strata : array_like of shape (n_patients,), optional
        Patients are at risk together within their stratum only; none missing.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; ``n_events`` counts events, ``p_exact`` is NaN.

    Raises
    ------
    ImmunosarcError
        When lengths differ, a time, event or stratum is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[6.0], [5.0], [4.0], [3.0], [2.0], [1.0]])
    >>> fits = log_rank(score, [1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 0, 1])
    >>> float(fits.statistic[0].round(2))
    2.25
    """
    return fit_in_blocks(
        "log_rank",
        _block,
        median_split(features),
        (time, event, None),
        covariates=None,
        strata=strata,
        ties="breslow",
        level=level,
    )


def _block(values: FloatArray, _: FloatArray, clock: Clock, level: float) -> Fits:
    known = ~np.isnan(values)
    counts = known.sum(axis=0), (known & clock.event[:, None]).sum(axis=0)
    high = np.nansum(np.where(known, values, 0.0), axis=0)
    surplus, variance = np.zeros((2, values.shape[1]))
    if clock.dying.size:
        # where nobody is missing, one column says who is at risk for all features
        seen = (known[:, :1] if known.all() else known).astype(float)
        surplus, variance = _observed_less_expected(np.where(known, values, 0.0), seen, clock)
    few = counts[1] < 2
    one_half = (high == 0) | (high == counts[0])
    apart = variance <= 0
    status = statuses(
        values.shape[1],
        (few, lambda i: f"needs 2 events, has {counts[1][i]}"),
        (one_half, "constant feature"),
        (apart, "high and low are never at risk together"),
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate, error = surplus / variance, 1.0 / np.sqrt(variance)
        z = surplus / np.sqrt(variance)
    freedom = np.maximum(counts[0] - 2.0, 1.0)
    margin = special.stdtrit(freedom, (1.0 + level) / 2.0) * error
    return Fits.collect(
        counts,
        status,
        hopeless=few | one_half | apart,
        estimate=estimate,
        std_error=error,
        conf_low=estimate - margin,
        conf_high=estimate + margin,
        statistic=z,
        p_value=2.0 * special.stdtr(freedom, -np.abs(z)),
    )


def _observed_less_expected(high: FloatArray, seen: FloatArray, clock: Clock) -> tuple[FloatArray, FloatArray]:
    """O - E and its variance; each death is a row, tied deaths count one by one."""
    deaths = seen[clock.dying]
    at_risk, tied = clock.at_risk(seen), clock.tied(seen)
    share = clock.at_risk(high) / np.maximum(at_risk, 1.0)
    surplus = deaths * (high[clock.dying] - share)
    spared = np.where(at_risk > 1, (at_risk - tied) / np.maximum(at_risk - 1.0, 1.0), 0.0)
    return surplus.sum(axis=0), (deaths * share * (1.0 - share) * spared).sum(axis=0)
