"""What a finished two-stage trial says of the response rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from scipy import optimize

from immunosarc.stats._inputs import check_level, refuse
from immunosarc.stats._simon import above, log_choose, pmf

__all__ = ["TwoStageInference", "two_stage_inference"]


class TwoStageInference(NamedTuple):
    """What a finished two-stage trial says of the response rate."""

    estimate: float
    p_value: float
    conf_low: float
    conf_high: float


def two_stage_inference(
    x: int,
    design: tuple[int, int, int],
    *,
    p0: float,
    level: float = 0.90,
    upper: Literal["exact", "clinfun"] = "exact",
) -> TwoStageInference:
    r"""Give the response rate after a two-stage trial, free of the bias of stopping early.

    The naive x / n is too low on average, because bad luck in the first stage stops the trial. The
    uniformly minimum-variance unbiased estimate averages the first stage's rate over what it may
    have been given the total; p-value and interval order outcomes the same way (a trial stopped
    after the first stage is always less than one that went on):
    :math:`P(X_1 > r_1, X_1 + X_2 \ge x)`. Sources: Jung and Kim 2004, doi 10.1002/sim.1653; Jung,
    Owzar, George and Lee 2006, doi 10.1080/10543400600609445.

    Parameters
    ----------
    x : int
        Responders in all.
    design : (r1, n1, n)
        Stopping limit of the first stage, its patients, and the patients of both stages. With
        x <= r1 the trial has stopped after n1.
    p0 : float
        Rate to beat.
    level : float
        Confidence level of the equal-tailed interval.
    upper : {"exact", "clinfun"}
        How the upper limit is found. ``"exact"``: the rate at which this outcome or a worse one has
        probability (1 - level) / 2, which covers at least as often as promised. ``"clinfun"``: the
        number of the R package clinfun 1.1.5, which leaves this outcome out of that probability; it
        is lower (except at x = 0), and covers less often than promised.

    Returns
    -------
    TwoStageInference
        ``estimate``, ``p_value`` (one-sided), ``conf_low``, ``conf_high``.

    Raises
    ------
    ImmunosarcError
        When the counts do not fit each other or a rate is outside its range.

    Examples
    --------
    >>> found = two_stage_inference(15, (2, 20, 43), p0=0.2)
    >>> round(found.estimate, 4), round(found.p_value, 4), round(found.conf_low, 4)
    (0.3492, 0.0163, 0.2288)
    """
    r1, n1, n = design
    problems: list[str] = []
    check_level(level, problems)
    check_level(p0, problems, "p0")
    if not (0 <= r1 < n1 < n and 0 <= x <= n) or any(int(one) != one for one in (x, *design)):
        problems.append(f"x and design: need whole 0 <= r1 < n1 < n and 0 <= x <= n, have x={x}, {design}")
    if upper not in ("exact", "clinfun"):
        problems.append(f"upper: need 'exact' or 'clinfun', have {upper!r}")
    refuse("two_stage_inference", problems)
    tail = (1.0 - level) / 2.0
    low = 0.0 if x == 0 else _root(lambda p: _at_least(x, design, p) - tail)
    better = x + 1 if upper == "exact" else max(x, 1)
    high = 1.0 if better > n else _root(lambda p: tail - (1.0 - _at_least(better, design, p)))
    return TwoStageInference(_unbiased(x, r1, n1, n), _at_least(x, design, p0), low, high)


def _root(difference: Callable[[float], float]) -> float:
    return float(optimize.brentq(difference, 0.0, 1.0, xtol=1e-13))


def _at_least(x: int, design: tuple[int, int, int], p: float) -> float:
    """Return the chance of an outcome at least as good as x responders."""
    r1, n1, n = design
    if x <= r1:
        return float(above(x - 1, n1, p))
    first = np.arange(r1 + 1, n1 + 1)
    return float(pmf(n1, p)[first] @ above(x - first - 1, n - n1, p))


def _unbiased(x: int, r1: int, n1: int, n: int) -> float:
    if x <= r1:
        return x / n1
    first = np.arange(max(r1 + 1, x - (n - n1)), min(n1, x) + 1)
    ways = log_choose(n1, first) + log_choose(n - n1, x - first)
    weights = np.exp(ways - ways.max())
    return float(weights @ (first / n1) / weights.sum())
