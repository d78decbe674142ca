"""Means where some values are known only to lie below a limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from immunosarc.stats._inputs import FloatArray, check_level, refuse

__all__ = ["LeftCensoredMean", "left_censored_mean"]

_FEWEST = 3
_NARROW, _WIDE = -15.0, 15.0


@dataclass(frozen=True)
class LeftCensoredMean:
    """Mean and spread of a normal distribution of which some values are below a limit.

    Attributes
    ----------
    mean, sd : float
        By maximum likelihood.
    conf_low, conf_high : float
        Interval of the mean, by the likelihood ratio.
    n, n_below : int
        Values, and those of them below a limit.
    status : str
        "ok", or why there are none.
    """

    mean: float
    sd: float
    conf_low: float
    conf_high: float
    n: int
    n_below: int
    status: str


def left_censored_mean(values: ArrayLike, below: ArrayLike, *, level: float = 0.95) -> LeftCensoredMean:
    r"""Give the mean of measurements of which some were too low to be read, and put no number in their place.

    A value that was read adds its density to the likelihood, one below a limit c the chance to lie there,

    .. math:: \ell(\mu, \sigma) = \sum_{read} \ln \frac{1}{\sigma} \phi\Big(\frac{x_i - \mu}{\sigma}\Big) +
              \sum_{below} \ln \Phi\Big(\frac{c_i - \mu}{\sigma}\Big)

    Zero, half of the limit or the limit itself in their place would move mean and spread. Concentrations are
    normal on a log scale more often than on their own: pass logs. Source: Tobin 1958, doi 10.2307/1907382.

    Parameters
    ----------
    values : array_like of shape (n,)
        What was read, or the limit; NaN is left out.
    below : array_like of bool, shape (n,)
        True where the value is less than the limit that stands there.
    level : float
        Confidence level.

    Returns
    -------
    LeftCensoredMean
        NaN with fewer than 3 values that were read, or when they are all the same.

    Raises
    ------
    ImmunosarcError
        When lengths differ or a value is infinite.

    Examples
    --------
    >>> found = left_censored_mean([1.0, 1.0, 2.0, 2.5, 3.5, 4.0], [True, True, False, False, False, False])
    >>> round(found.mean, 2), found.n_below
    (2.0, 2)
    """
    x, low = np.asarray(values, dtype=np.float64), np.asarray(below, dtype=bool)
    problems: list[str] = []
    if x.ndim != 1 or x.shape != low.shape:
        problems.append(f"values, below: need one of both for each, have shapes {x.shape} and {low.shape}")
    elif np.isinf(x).any():
        problems.append("values: infinite; a zero has no logarithm, pass the limit of detection and below = True")
    check_level(level, problems)
    refuse("left_censored_mean", problems)
    x, low = x[~np.isnan(x)], low[~np.isnan(x)]
    read = x[~low]
    if len(read) < _FEWEST or np.ptp(read) == 0:
        why = f"needs {_FEWEST} different values above the limit, has {len(np.unique(read))}"
        nothing = float("nan")
        return LeftCensoredMean(nothing, nothing, nothing, nothing, len(x), int(low.sum()), why)
    center, scale = float(read.mean()), float(read.std())
    z = (x - center) / scale
    mean, log_sd, best = _fitted(z, low)
    limits = _limits(z, low, (mean, log_sd, best), level)
    numbers = [center + scale * one for one in (mean, *limits)]
    return LeftCensoredMean(
        numbers[0], scale * float(np.exp(log_sd)), numbers[1], numbers[2], len(x), int(low.sum()), "ok"
    )


def _log_likelihood(z: FloatArray, low: np.ndarray, mean: float, log_sd: float) -> float:
    standard = (z - mean) / np.exp(log_sd)
    read = standard[~low]
    return float(-0.5 * read @ read - log_sd * len(read) + special.log_ndtr(standard[low]).sum())


def _fitted(z: FloatArray, low: np.ndarray) -> tuple[float, float, float]:
    found = optimize.minimize(
        lambda at: -_log_likelihood(z, low, at[0], at[1]), (0.0, 0.0), method="BFGS", options={"gtol": 1e-9}
    )
    return float(found.x[0]), float(found.x[1]), -float(found.fun)


def _profile(z: FloatArray, low: np.ndarray, mean: float) -> float:
    """Return the largest log likelihood at this mean."""
    found = optimize.minimize_scalar(
        lambda log_sd: -_log_likelihood(z, low, mean, log_sd), bounds=(_NARROW, _WIDE), method="bounded"
    )
    return -float(found.fun)


def _limits(
    z: FloatArray, low: np.ndarray, fitted: tuple[float, float, float], level: float
) -> tuple[float, float]:
    mean, log_sd, best = fitted
    drop = 0.5 * special.chdtri(1, 1.0 - level)

    def gap(at: float) -> float:
        return best - _profile(z, low, at) - drop

    ends = []
    for side in (-1.0, 1.0):
        step = float(np.exp(log_sd))
        while gap(mean + side * step) < 0:
            step *= 2.0
        ends.append(float(optimize.brentq(gap, mean, mean + side * step, xtol=1e-8)))
    return ends[0], ends[1]
