"""A proportion and how sure one can be of it: exact binomial interval and test."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import FloatArray, check_level, refuse

__all__ = ["binomial_p_greater", "clopper_pearson"]


def clopper_pearson(x: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    r"""Give the range of true rates that x responders among n patients leave credible.

    Exact: whatever the true rate, the interval covers it with at least probability ``level``.

    .. math:: L = B_{\alpha/2}(x, n-x+1), \quad U = B_{1-\alpha/2}(x+1, n-x)

    with B the quantile of the beta distribution; L = 0 where x = 0 and U = 1 where x = n. Source:
    Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404.

    Parameters
    ----------
    x : array_like of int
        Patients with the outcome.
    n : array_like of int
        Patients in all, at least 1; broadcast against ``x``.
    level : float
        Confidence level, strictly between 0 and 1.

    Returns
    -------
    low, high : ndarray of float
        Proportions between 0 and 1, in the broadcast shape.

    Raises
    ------
    ImmunosarcError
        When a count is missing, not whole, negative or above ``n``.

    Examples
    --------
    >>> low, high = clopper_pearson(13, 28)
    >>> f"{low:.3f} to {high:.3f}"
    '0.275 to 0.661'
    """
    problems: list[str] = []
    check_level(level, problems)
    yes, total = _counts(x, n, problems)
    refuse("clopper_pearson", problems)
    tail = (1.0 - level) / 2.0
    low = np.where(yes == 0, 0.0, special.betaincinv(np.maximum(yes, 1), total - yes + 1, tail))
    high = np.where(yes == total, 1.0, special.betainccinv(yes + 1, np.maximum(total - yes, 1), tail))
    return low, high


def binomial_p_greater(x: ArrayLike, n: ArrayLike, p0: ArrayLike) -> FloatArray:
    r"""Give the chance of at least x responders among n patients if the true rate were p0.

    The exact one-sided p-value of a single-arm trial against a historical rate,
    :math:`P(X \ge x) = I_{p_0}(x, n - x + 1)`, 1 where x = 0.

    Parameters
    ----------
    x : array_like of int
        Patients with the outcome.
    n : array_like of int
        Patients in all, at least 1.
    p0 : array_like of float
        Rate to beat, between 0 and 1.

    Returns
    -------
    ndarray of float
        One-sided p-values in the broadcast shape.

    Raises
    ------
    ImmunosarcError
        When a count is missing, not whole, negative or above ``n``, or a rate is outside 0 to 1.

    Examples
    --------
    >>> round(float(binomial_p_greater(13, 28, 0.434)), 3)
    0.444
    """
    problems: list[str] = []
    rate = np.asarray(p0, dtype=np.float64)
    if not np.all((rate >= 0.0) & (rate <= 1.0)):
        problems.append(f"p0: need rates between 0 and 1, have {p0!r}")
    yes, total = _counts(x, n, problems)
    refuse("binomial_p_greater", problems)
    tail: FloatArray = np.where(yes == 0, 1.0, special.betainc(np.maximum(yes, 1), total - yes + 1, rate))
    return tail


def _counts(x: ArrayLike, n: ArrayLike, problems: list[str]) -> tuple[FloatArray, FloatArray]:
    yes, total = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(n, dtype=np.float64))
    whole = (yes == np.floor(yes)) & (total == np.floor(total))
    if not np.all(whole & (yes >= 0) & (yes <= total) & (total >= 1)):
        problems.append(f"x and n: need whole counts with 0 <= x <= n and n >= 1, have x={x!r}, n={n!r}")
    return yes, total
