"""The same effect in several cohorts: pooled, with what a new cohort may show."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize
from scipy import stats as distributions

from immunosarc.errors import did_you_mean
from immunosarc.stats._inputs import BoolArray, FloatArray, check_level, refuse

__all__ = ["Pooled", "PoolingInterval", "pool_effects", "replication_bayes_factor"]

PoolingInterval = Literal["hartung_knapp_truncated", "hartung_knapp"]
"""How the interval of the average effect is found."""

_FEWEST_TO_PREDICT = 3


class Pooled(NamedTuple):
    """A random-effects summary."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    p_value: float
    tau: float
    """Standard deviation of the true effect between cohorts."""
    i_squared: float
    q: float
    q_p_value: float
    predict_low: float
    predict_high: float
    """Where the true effect of a new cohort would lie; NaN with fewer than three cohorts."""
    weights: FloatArray
    """Share of each cohort."""


def pool_effects(
    estimates: ArrayLike,
    std_errors: ArrayLike,
    *,
    level: float = 0.95,
    interval: PoolingInterval = "hartung_knapp_truncated",
    n_draws: int = 5_000,
    seed: int = 0,
) -> Pooled:
    r"""Give the average effect over cohorts, and how far the next cohort may be from it.

    Random effects with :math:`\tau^2` by restricted maximum likelihood; interval and p on k - 1 degrees of
    freedom with Hartung and Knapp's variance :math:`q / \sum w_i`, where
    :math:`q = \sum w_i (y_i - \hat\mu)^2 / (k - 1)`. Cohorts that agree by chance make q, and that interval, as
    small as you like; so q is not let below 1 here: what each cohort is sure of bounds what all of them are sure
    of. The price is caution: with few cohorts the interval covers more often than its level says.

    The prediction interval lets :math:`\tau^2` be uncertain: it is drawn from the confidence distribution of
    Cochran's Q, :math:`\sum (y_i - \hat\mu)^2 / (v_i + \tau^2) \sim \chi^2_{k-1}`, and with it the mean (with
    the same variance as above) and a new cohort's effect. With few cohorts these intervals are wide, and rightly
    so. Sources: Hartung and Knapp 2001, doi 10.1002/sim.791; Rover, Knapp and Friede 2015, doi
    10.1186/s12874-015-0091-1; Nagashima, Noma and Furukawa 2019, doi 10.1177/0962280218773520.

    Parameters
    ----------
    estimates, std_errors : array (n_cohorts,)
        On a scale where effects add: log odds ratio, log hazard ratio. NaN leaves a cohort out.
    level : float
        Of the intervals.
    interval : {"hartung_knapp_truncated", "hartung_knapp"}
        With q at least 1, or as it is: right on average, too narrow when cohorts agree by chance.
    n_draws, seed : int
        Draws for the prediction interval, and their seed.

    Returns
    -------
    Pooled
        Everything is NaN when no cohort has an estimate; with one cohort, its own normal interval.

    Raises
    ------
    ImmunosarcError
        When shapes differ, a standard error is not above 0, or the interval is unknown.

    Examples
    --------
    >>> found = pool_effects([0.5, 0.1, 0.4], [0.2, 0.25, 0.3])
    >>> round(found.estimate, 3), round(found.tau, 3)
    (0.356, 0.0)
    """
    y, se = (np.asarray(values, dtype=np.float64) for values in (estimates, std_errors))
    problems: list[str] = []
    check_level(level, problems)
    if interval not in get_args(PoolingInterval):
        problems.append(f"interval: unknown {interval!r}.{did_you_mean(interval, get_args(PoolingInterval))}")
    if y.ndim != 1 or y.shape != se.shape:
        problems.append(f"estimates, std_errors: need two vectors of one length, have {y.shape} and {se.shape}")
    elif (se[np.isfinite(y) & np.isfinite(se)] <= 0).any():
        problems.append("std_errors: need numbers above 0")
    refuse("pool_effects", problems)
    whole = np.isfinite(y) & np.isfinite(se)
    weights = np.zeros(len(y))
    y, variance = y[whole], se[whole] ** 2
    if len(y) < 2:
        return _alone(y, variance, whole, level)
    tau2 = _restricted_likelihood(y, variance)
    w = 1.0 / (variance + tau2)
    mean = float((w * y).sum() / w.sum())
    k = len(y)
    least = 1.0 if interval == "hartung_knapp_truncated" else 0.0
    spread = float(_spread(y, w, mean=np.array(mean), least=least))
    t = distributions.t(k - 1)
    reach = float(t.ppf(0.5 + level / 2.0)) * spread
    fixed = 1.0 / variance
    q = float((fixed * (y - (fixed * y).sum() / fixed.sum()) ** 2).sum())
    weights[whole] = w / w.sum()
    ahead = np.full(2, np.nan)
    if k >= _FEWEST_TO_PREDICT:
        drawn = _new_effects(y, variance, least=least, rng=np.random.default_rng(seed), n_draws=n_draws)
        ahead = np.percentile(drawn, [50.0 * (1.0 - level), 50.0 * (1.0 + level)])
    return Pooled(
        estimate=mean,
        std_error=spread,
        conf_low=mean - reach,
        conf_high=mean + reach,
        p_value=float(2.0 * t.sf(abs(mean) / spread)) if spread > 0 else float("nan"),
        tau=float(np.sqrt(tau2)),
        i_squared=max(0.0, (q - (k - 1)) / q) if q > 0 else 0.0,
        q=q,
        q_p_value=float(distributions.chi2.sf(q, k - 1)),
        predict_low=float(ahead[0]),
        predict_high=float(ahead[1]),
        weights=weights,
    )


def replication_bayes_factor(original: tuple[float, float], replication: tuple[float, float]) -> float:
    r"""Give how much better the second cohort fits the first one's effect than no effect.

    :math:`\mathrm{BF} = N(y_2; y_1, s_1^2 + s_2^2) / N(y_2; 0, s_2^2)`: what the first cohort believes,
    against nothing. Above 1 speaks for replication, below 1 against; 3 and 1/3 are called moderate.
    Source: Verhagen and Wagenmakers 2014, doi 10.1037/a0036731, for a normal likelihood.

    Parameters
    ----------
    original, replication : (float, float)
        Estimate and standard error.

    Returns
    -------
    float
        Above 0; NaN where an estimate is missing.

    Raises
    ------
    ImmunosarcError
        When a standard error is not above 0.

    Examples
    --------
    >>> round(replication_bayes_factor((0.8, 0.3), (0.6, 0.3)), 2)
    4.68
    """
    refuse(
        "replication_bayes_factor",
        [f"standard error: need a number above 0, have {se!r}" for _, se in (original, replication) if se <= 0],
    )
    expected = distributions.norm(original[0], np.hypot(original[1], replication[1]))
    nothing = distributions.norm(0.0, replication[1])
    return float(np.exp(expected.logpdf(replication[0]) - nothing.logpdf(replication[0])))


def _restricted_likelihood(y: FloatArray, variance: FloatArray) -> float:
    """Return the variance between cohorts that the restricted likelihood prefers."""

    def loss(tau2: FloatArray) -> FloatArray:
        total = variance + tau2[..., None]
        w = 1.0 / total
        mean = (w * y).sum(axis=-1) / w.sum(axis=-1)
        misfit = (w * (y - mean[..., None]) ** 2).sum(axis=-1)
        found: FloatArray = (np.log(total).sum(axis=-1) + np.log(w.sum(axis=-1)) + misfit) / 2.0
        return found

    widest = float(np.ptp(y) ** 2 + variance.max()) * 10.0
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 1.0, 60) * widest])
    losses = loss(grid)
    best = int(np.argmin(losses))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        lambda tau2: float(loss(np.array(tau2))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-12 * widest},
    )
    return float(found.x) if found.fun < losses[0] - 1e-12 else 0.0


def _spread(y: FloatArray, w: FloatArray, *, mean: FloatArray, least: float) -> FloatArray:
    """Return the standard error of the mean, with the ratio of seen to expected scatter at least ``least``."""
    ratio = (w * (y - mean[..., None]) ** 2).sum(axis=-1) / (len(y) - 1)
    spread: FloatArray = np.sqrt(np.maximum(ratio, least) / w.sum(axis=-1))
    return spread


def _new_effects(
    y: FloatArray, variance: FloatArray, *, least: float, rng: np.random.Generator, n_draws: int
) -> FloatArray:
    """Return draws of a new cohort's true effect."""
    k = len(y)
    wanted = rng.chisquare(k - 1, n_draws)
    low, high = np.zeros(n_draws), np.full(n_draws, float(np.ptp(y) ** 2 + variance.max()) * 1e4)
    for _ in range(80):  # Q falls as tau squared grows
        middle = (low + high) / 2.0
        above = _heterogeneity(y, variance, middle) > wanted
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    tau2 = np.where(_heterogeneity(y, variance, np.zeros(n_draws)) <= wanted, 0.0, low)
    w = 1.0 / (variance + tau2[:, None])
    mean = (w * y).sum(axis=1) / w.sum(axis=1)
    spread = _spread(y, w, mean=mean, least=least)
    drawn: FloatArray = (
        mean + rng.standard_t(k - 1, n_draws) * spread + np.sqrt(tau2) * rng.standard_normal(n_draws)
    )
    return drawn


def _heterogeneity(y: FloatArray, variance: FloatArray, tau2: FloatArray) -> FloatArray:
    w = 1.0 / (variance + tau2[:, None])
    mean = (w * y).sum(axis=1, keepdims=True) / w.sum(axis=1, keepdims=True)
    q: FloatArray = (w * (y - mean) ** 2).sum(axis=1)
    return q


def _alone(y: FloatArray, variance: FloatArray, whole: BoolArray, level: float) -> Pooled:
    """Return one cohort as it is, or nothing."""
    missing = float("nan")
    weights = np.where(whole, 1.0, 0.0)
    if not len(y):
        return Pooled(*(missing,) * 11, weights=weights)
    mean, spread = float(y[0]), float(np.sqrt(variance[0]))
    reach = float(distributions.norm.ppf(0.5 + level / 2.0)) * spread
    p_value = float(2.0 * distributions.norm.sf(abs(mean) / spread))
    return Pooled(
        mean,
        spread,
        mean - reach,
        mean + reach,
        p_value,
        *(missing,) * 6,
        weights=weights,
    )
