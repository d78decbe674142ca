"""Phase II designs with one or two stages.

A two-stage trial stops for futility after ``n1`` patients when at most ``r1`` responded, and declares
the treatment worth pursuing when more than ``r`` of ``n`` respond. The search walks n upward and
carries P(X1 > r1, X = x) of every first stage along, so that one more patient costs one
multiplication instead of a double sum.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import special

from immunosarc.stats._inputs import FloatArray, IntArray, check_level, refuse

__all__ = [
    "SingleStage",
    "TwoStage",
    "above",
    "admissible_weights",
    "log_choose",
    "pmf",
    "single_stage_search",
    "two_stage_search",
]

_ROUNDING = 1e-12  # error rates that differ by less differ by rounding alone


class TwoStage(NamedTuple):
    """A two-stage design: continue above r1 of n1 responders, succeed above r of n."""

    r1: int
    n1: int
    r: int
    n: int
    alpha: float
    power: float
    expected_n: float
    pet: float


class SingleStage(NamedTuple):
    """A single-stage design: succeed above r of n responders."""

    r: int
    n: int
    alpha: float
    power: float


def two_stage_search(p0: float, p1: float, alpha: float, power: float, *, n_max: int = 100) -> list[TwoStage]:
    r"""Give the two-stage designs that no smaller trial beats in expected size.

    For each n the first stage with the smallest expected size under p0,
    :math:`E_0 = n_1 + (1 - P_{p_0}(X_1 \le r_1))(n - n_1)`, among those with error rates within
    the limits; kept where it is smaller than for every smaller n. The first row is Simon's
    minimax design, the last his optimal one. Source: Simon 1989, doi 10.1016/0197-2456(89)90015-9.

    Parameters
    ----------
    p0, p1 : float
        Response rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        Type-I error at p0 at most, and power at p1 at least.
    n_max : int
        Largest trial to consider, at least 2.

    Returns
    -------
    list of TwoStage
        By ascending n, hence by descending expected size; empty when no design fits.

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range.

    Examples
    --------
    >>> [design[:4] for design in two_stage_search(0.434, 0.634, 0.10, 0.80)][0]
    (6, 15, 15, 28)
    """
    _check("two_stage_search", p0, p1, alpha=alpha, power=power, n_max=n_max)
    needed = (n for n in range(2, n_max + 1) if _best_power(n, p0, p1, alpha) >= power - _ROUNDING)
    smallest = next(needed, None)
    if smallest is None:
        return []
    stages = _first_stages(range(1, smallest), smallest, p0, p1, power)
    found: list[TwoStage] = []
    best = np.inf
    for n in range(smallest, n_max + 1):
        design = _best_at(n, stages, alpha, power, best)
        if design is not None:
            found.append(design)
            best = design.expected_n
        fresh = _first_stages(range(n, n + 1), n + 1, p0, p1, power)
        stages = _promising(n + 1, _joined(_one_more(stages, p0, p1), fresh), best)
    return found


def admissible_weights(designs: list[TwoStage]) -> list[tuple[TwoStage, float, float]]:
    r"""Give the designs that are best for some weighing of maximum against expected size.

    A design is admissible where it minimizes :math:`w\,n + (1 - w)\,E_0` for a weight w: 1 asks
    for the smallest trial, 0 for the smallest expected one. Source: Jung, Lee, Kim and George
    2004, doi 10.1002/sim.1766.

    Parameters
    ----------
    designs : list of TwoStage
        From :func:`two_stage_search`.

    Returns
    -------
    list of (TwoStage, float, float)
        Design, lowest and highest weight for which it is best; by ascending n.

    Examples
    --------
    >>> for design, low, high in admissible_weights(two_stage_search(0.434, 0.634, 0.10, 0.80)):
    ...     print(design.n, round(low, 3), round(high, 3))
    28 0.096 1.0
    37 0.0 0.096
    """
    hull: list[TwoStage] = []
    for design in designs:
        while len(hull) > 1 and _even(hull[-2], hull[-1]) <= _even(hull[-1], design):
            hull.pop()
        hull.append(design)
    limits = [1.0, *(_even(left, right) for left, right in pairwise(hull)), 0.0]
    return [(design, limits[i + 1], limits[i]) for i, design in enumerate(hull)]


def _even(small: TwoStage, large: TwoStage) -> float:
    """Return the weight at which the smaller trial and the larger one cost the same."""
    saved = small.expected_n - large.expected_n
    return saved / (saved + large.n - small.n)


def single_stage_search(p0: float, p1: float, alpha: float, power: float, *, count: int = 5) -> list[SingleStage]:
    """Give the smallest single-stage trials that meet both error rates.

    Because counts are whole, a larger trial may fail where a smaller one fits: the list jumps.

    Parameters
    ----------
    p0, p1 : float
        Response rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        Type-I error at p0 at most, and power at p1 at least.
    count : int
        How many designs.

    Returns
    -------
    list of SingleStage
        By ascending n.

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range.

    Examples
    --------
    >>> [(design.n, design.r) for design in single_stage_search(0.2, 0.4, 0.05, 0.8, count=3)]
    [(35, 11), (36, 11), (38, 12)]
    """
    _check("single_stage_search", p0, p1, alpha=alpha, power=power, n_max=2)
    found: list[SingleStage] = []
    n = 1
    while len(found) < count:
        above = special.bdtrc(np.arange(n + 1), n, p0)
        r = int(np.argmax(above <= alpha))
        reached = float(special.bdtrc(r, n, p1))
        if reached >= power:
            found.append(SingleStage(r, n, float(above[r]), reached))
        n += 1
    return found


def log_choose(n: int, k: IntArray) -> FloatArray:
    """Return the logarithm of the number of ways to choose k of n."""
    terms: FloatArray = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return terms


def _check(function: str, p0: float, p1: float, *, alpha: float, power: float, n_max: int) -> None:
    problems: list[str] = []
    for name, value in (("alpha", alpha), ("power", power)):
        check_level(value, problems, name)
    if not 0.0 < p0 < p1 < 1.0:
        problems.append(f"p0 and p1: need 0 < p0 < p1 < 1, have p0={p0!r}, p1={p1!r}")
    if int(n_max) != n_max or n_max < 2:
        problems.append(f"n_max: need a whole number of at least 2 patients, have {n_max!r}")
    refuse(function, problems)


def _best_power(n: int, p0: float, p1: float, alpha: float) -> float:
    """Return the power of the most powerful test on n patients; no rule that stops early beats it."""
    counts = np.arange(n + 2)
    tail0, tail1 = above(counts - 1, n, p0), above(counts - 1, n, p1)
    first = int(np.argmax(tail0 <= alpha))
    share = (alpha - tail0[first]) / (tail0[first - 1] - tail0[first])
    return float(tail1[first] + share * (tail1[first - 1] - tail1[first]))


class _Stages(NamedTuple):
    """First stages under search: each with P(X1 > r1, X = x) under p0 and p1, x = 0 ... n."""

    n1: IntArray
    r1: IntArray
    pet: FloatArray
    null: FloatArray
    hoped: FloatArray


def _first_stages(sizes: range, n: int, p0: float, p1: float, power: float) -> _Stages:
    """Return every first stage that leaves enough power, seen from n patients."""
    parts = []
    for n1 in sizes:
        r1 = np.arange(n1)
        r1 = r1[special.bdtr(r1, n1, p1) <= 1.0 - power + _ROUNDING]
        null, hoped = (_passing(n1, n, p)[r1] for p in (p0, p1))
        parts.append(_Stages(np.full(len(r1), n1), r1, special.bdtr(r1, n1, p0), null, hoped))
    return _Stages._make(np.concatenate(column) for column in zip(*parts, strict=True))


def _passing(n1: int, n: int, p: float) -> FloatArray:
    """Return P(X1 > r1, X = x) for every r1 (rows) and x (columns)."""
    rest = n - n1
    second = np.zeros(n + n1 + 1)
    second[n1 : n1 + rest + 1] = pmf(rest, p)
    # row x1 is the second stage's distribution moved up by x1
    moved = np.lib.stride_tricks.sliding_window_view(second, n + 1)[::-1]
    joint = pmf(n1, p)[:, None] * moved
    passing: FloatArray = joint[:0:-1].cumsum(axis=0)[::-1]
    return passing


def _one_more(stages: _Stages, p0: float, p1: float) -> _Stages:
    return stages._replace(null=_longer(stages.null, p0), hoped=_longer(stages.hoped, p1))


def _longer(paths: FloatArray, p: float) -> FloatArray:
    longer = np.zeros((paths.shape[0], paths.shape[1] + 1))
    np.multiply(paths, 1.0 - p, out=longer[:, :-1])
    longer[:, 1:] += p * paths
    return longer


def _joined(one: _Stages, other: _Stages) -> _Stages:
    return _Stages._make(np.concatenate(pair) for pair in zip(one, other, strict=True))


def _promising(n: int, stages: _Stages, best: float) -> _Stages:
    """Drop what can only become worse: the expected size of a first stage grows with n."""
    keep = _expected(n, stages) < best
    return stages if keep.all() else _Stages._make(column[keep] for column in stages)


def _expected(n: int, stages: _Stages) -> FloatArray:
    size: FloatArray = stages.n1 + (1.0 - stages.pet) * (n - stages.n1)
    return size


def _best_at(n: int, stages: _Stages, alpha: float, power: float, best: float) -> TwoStage | None:
    """Return the design of n patients with the smallest expected size, when it beats ``best``."""
    null, hoped = (_tails(paths) for paths in (stages.null, stages.hoped))
    needed = np.maximum((null > alpha + _ROUNDING).sum(axis=1), stages.r1 + 1)
    rows = np.arange(len(needed))
    reached = hoped[rows, needed]
    size = np.where(reached >= power - _ROUNDING, _expected(n, stages), np.inf)
    if not len(size) or size.min() >= best:
        return None
    i = int(size.argmin())
    return TwoStage(
        r1=int(stages.r1[i]),
        n1=int(stages.n1[i]),
        r=int(needed[i]) - 1,
        n=n,
        alpha=float(null[i, needed[i]]),
        power=float(reached[i]),
        expected_n=float(size[i]),
        pet=float(stages.pet[i]),
    )


def _tails(paths: FloatArray) -> FloatArray:
    """Return P(X1 > r1, X >= x) for x = 0 ... n + 1."""
    tails = np.zeros((paths.shape[0], paths.shape[1] + 1))
    tails[:, :-1] = paths[:, ::-1].cumsum(axis=1)[:, ::-1]
    return tails


def pmf(n: int, p: float) -> FloatArray:
    """Return P(X = k) for k = 0 ... n."""
    k = np.arange(n + 1)
    mass: FloatArray = np.exp(log_choose(n, k) + special.xlogy(k, p) + special.xlog1py(n - k, -p))
    return mass


def above(k: IntArray | int, n: int, p: float) -> FloatArray:
    """Return P(X > k), for any whole k."""
    k = np.asarray(k)
    inside = special.bdtrc(np.clip(k, 0, n), n, p)
    return np.where(k < 0, 1.0, np.where(k >= n, 0.0, inside))
