"""Events per time at risk, and how sure one can be of it: exact Poisson interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import FloatArray, check_level, refuse

__all__ = ["poisson_rate"]


def poisson_rate(
    events: ArrayLike, time_at_risk: ArrayLike, level: float = 0.95
) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Give how often an event happens per unit of time under observation, with its exact interval.

    .. math:: \hat\lambda = \frac{d}{T}, \quad
        L = \frac{\chi^2_{2d, \alpha/2}}{2T}, \quad U = \frac{\chi^2_{2d + 2, 1 - \alpha/2}}{2T}

    L = 0 without events. Source: Garwood 1936, doi 10.1093/biomet/28.3-4.437.

    Parameters
    ----------
    events : array_like of int
        Events, at least 0.
    time_at_risk : array_like of float
        Time under observation in any unit, above 0; broadcast against ``events``.
    level : float
        Confidence level, strictly between 0 and 1.

    Returns
    -------
    rate, low, high : ndarray of float
        Per unit of time, in the broadcast shape.

    Raises
    ------
    ImmunosarcError
        When a count is negative or not whole, or a time is not above 0.

    Examples
    --------
    >>> rate, low, high = poisson_rate(3, 120)
    >>> f"{rate:.4f} ({low:.4f} to {high:.4f})"
    '0.0250 (0.0052 to 0.0731)'
    """
    problems: list[str] = []
    check_level(level, problems)
    count, time = np.broadcast_arrays(
        np.asarray(events, dtype=np.float64), np.asarray(time_at_risk, dtype=np.float64)
    )
    if not (np.all(count >= 0) and np.all(count == np.floor(count))):
        problems.append("events: need whole numbers of at least 0")
    if not np.all((time > 0) & np.isfinite(time)):
        problems.append("time_at_risk: need finite times above 0")
    refuse("poisson_rate", problems)
    tail = (1.0 - level) / 2.0
    low = np.where(count == 0, 0.0, special.gammaincinv(np.maximum(count, 1), tail)) / time
    high = special.gammainccinv(count + 1, tail) / time
    return count / time, low, high
