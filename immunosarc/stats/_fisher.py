"""Two yes-or-no questions in few patients: Fisher's exact test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from immunosarc.stats._fits import Fits, statuses
from immunosarc.stats._inputs import BoolArray, FloatArray, as_binary, as_features, check_level, refuse
from immunosarc.stats._ways import log_ways

__all__ = ["fisher_exact"]

# tables that are as unlikely up to rounding count as equally unlikely
_AS_UNLIKELY = 1.0 + 1e-7
# log odds ratios beyond this are infinite for any number of patients that there are
_WIDEST = 60.0


def fisher_exact(features: ArrayLike, group: ArrayLike, *, level: float = 0.95) -> Fits:
    r"""Say whether a feature that patients have or have not (a mutation, a class) goes with response.

    All tables with the same margins are weighed. ``p_exact`` adds up those that are no more likely than the one
    seen. ``estimate`` is the log of the conditional maximum-likelihood odds ratio, at which the expected count
    of responders with the feature is the one seen,

    .. math:: P_\psi(k) \propto \binom{m}{k} \binom{N - m}{n - k} \psi^k

    and the interval is where either tail has half of 1 - ``level``; it is conservative. With an empty cell the
    estimate and one limit are infinite, the other limit is not. Source: Fisher 1935, doi 10.2307/2342435.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        1 = has it, 0 = has it not, NaN where not known; the patient is left out for that feature.
    group : array_like of bool, shape (n_patients,)
        True for the responders; none missing.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; ``std_error``, ``statistic`` and ``p_value`` are NaN: nothing here is normal.

    Raises
    ------
    ImmunosarcError
        When lengths differ, a group is missing, or a feature is neither 0 nor 1.

    Examples
    --------
    >>> import numpy as np
    >>> mutated = np.array([[1], [1], [1], [0], [1], [0], [0], [0]])
    >>> fits = fisher_exact(mutated, [1, 1, 1, 1, 0, 0, 0, 0])
    >>> float(fits.p_exact[0].round(3)), float(np.exp(fits.estimate[0]).round(2))
    (0.486, 6.41)
    """
    problems: list[str] = []
    values = as_features(features, problems)
    marked = as_binary(group, len(values), "group", problems)
    check_level(level, problems)
    odd = ~(np.isnan(values) | (values == 0) | (values == 1))
    if odd.any():
        problems.append(
            f"features: need 0, 1 or NaN, have others in columns {np.flatnonzero(odd.any(axis=0))[:5]}"
        )
    refuse("fisher_exact", problems)
    seen = ~np.isnan(values)
    n, cases = seen.sum(axis=0), (seen & marked[:, None]).sum(axis=0)
    having = np.nansum(values, axis=0).astype(int)
    one_class, constant = (cases == 0) | (cases == n), (having == 0) | (having == n)
    status = statuses(
        values.shape[1],
        (one_class, lambda i: f"needs patients in both groups, has {cases[i]} and {n[i] - cases[i]}"),
        (constant, "constant feature"),
    )
    hopeless = one_class | constant
    columns = np.full((4, values.shape[1]), np.nan)
    for j in np.flatnonzero(~hopeless):
        columns[:, j] = _weighed(values[seen[:, j], j] == 1, marked[seen[:, j]], (1.0 - level) / 2.0)
    names = ("estimate", "conf_low", "conf_high", "p_exact")
    return Fits.collect((n, cases), status, hopeless=hopeless, **dict(zip(names, columns, strict=True)))


def _weighed(has: BoolArray, marked: BoolArray, tail: float) -> tuple[float, float, float, float]:
    """Log odds ratio, its limits, and p of one table."""
    total, cases, having = len(has), int(marked.sum()), int(has.sum())
    seen = int((has & marked).sum())
    counts = np.arange(max(0, having + cases - total), min(having, cases) + 1)
    ways = log_ways(having, counts) + log_ways(total - having, cases - counts)

    def chances(log_odds: float) -> FloatArray:
        return np.asarray(special.softmax(ways + log_odds * counts))

    even = chances(0.0)
    p = float(even[even <= even[counts == seen] * _AS_UNLIKELY].sum())
    low = -np.inf if seen == counts[0] else _root(lambda b: chances(b)[counts >= seen].sum() - tail)
    high = np.inf if seen == counts[-1] else _root(lambda b: chances(b)[counts <= seen].sum() - tail)
    if np.isinf(low) or np.isinf(high):
        return (low if np.isinf(low) else high), low, high, min(p, 1.0)
    return _root(lambda b: float(chances(b) @ counts) - seen), low, high, min(p, 1.0)


def _root(function: Callable[[float], float]) -> float:
    return float(optimize.brentq(function, -_WIDEST, _WIDEST, xtol=1e-12))
