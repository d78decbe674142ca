"""Monitoring a single-arm trial by the chance that it will still succeed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from immunosarc.stats._boundaries import Look, operating_characteristics
from immunosarc.stats._inputs import FloatArray, check_level, refuse

__all__ = ["PredictiveLooks", "predictive_looks", "predictive_probability"]

_GRID = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


class PredictiveLooks(NamedTuple):
    """A monitored trial: its looks, the limits that made them, and what it attains."""

    looks: tuple[Look, ...]
    needed: int
    theta_low: float
    alpha: float
    power: float
    expected_n: float
    pet: float


def predictive_probability(x: int, n: int, *, n_max: int, needed: int, prior: tuple[float, float]) -> float:
    r"""Give the chance that a running trial will end as a success, given what was seen so far.

    :math:`\sum_{y} P(Y = y \mid x)\,[x + y \ge \text{needed}]` with Y beta-binomial: the remaining
    patients' successes, when the rate has the posterior beta distribution. Source: Lee and Liu
    2008, doi 10.1177/1740774508089279.

    Parameters
    ----------
    x, n : int
        Successes among the patients seen so far.
    n_max : int
        Patients at the end.
    needed : int
        Successes at the end that make the trial a success.
    prior : (float, float)
        Beta prior of the rate, for example ``(p0, 1 - p0)``: worth one patient.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ImmunosarcError
        When the counts are impossible.

    Examples
    --------
    >>> round(predictive_probability(16, 23, n_max=40, needed=28, prior=(0.6, 0.4)), 4)
    0.5656
    """
    problems = []
    if not 0 <= x <= n <= n_max:
        problems.append(f"x, n, n_max: need 0 <= x <= n <= n_max, have {x}, {n}, {n_max}")
    if min(prior) <= 0:
        problems.append(f"prior: need two numbers above 0, have {prior}")
    refuse("predictive_probability", problems)
    rest = _beta_binomial(n_max - n, prior[0] + x, prior[1] + n - x)
    return float(min(1.0, rest[max(0, needed - x) :].sum()))


def predictive_looks(
    p0: float,
    p1: float,
    alpha: float,
    power: float,
    *,
    prior: tuple[float, float] | None = None,
    first: int = 10,
    every: int = 1,
    n_max: int = 100,
) -> PredictiveLooks | None:
    """Give the smallest trial monitored by predictive probability that keeps both error rates.

    The trial stops as soon as the predictive probability falls below ``theta_low``; error rates
    are exact. Among the trials of the smallest size the one with the fewest expected patients at
    p0 is taken. Source: Lee and Liu 2008, doi 10.1177/1740774508089279.

    Parameters
    ----------
    p0, p1 : float
        Rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        Type-I error at p0 at most, and power at p1 at least.
    prior : (float, float), optional
        Beta prior; ``(p0, 1 - p0)`` unless given.
    first, every : int
        Patients at the first look, and between looks.
    n_max : int
        Largest trial to consider.

    Returns
    -------
    PredictiveLooks or None
        None when no trial of at most ``n_max`` patients fits.

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range.

    Examples
    --------
    >>> found = predictive_looks(0.2, 0.4, 0.10, 0.90)
    >>> found.looks[-1].n, found.needed
    (36, 11)
    """
    problems: list[str] = []
    for name, value in (("alpha", alpha), ("power", power)):
        check_level(value, problems, name)
    if not 0.0 < p0 < p1 < 1.0:
        problems.append(f"p0 and p1: need 0 < p0 < p1 < 1, have p0={p0!r}, p1={p1!r}")
    if first < 1 or every < 1:
        problems.append(f"first, every: need at least 1 patient, have {first}, {every}")
    refuse("predictive_looks", problems)
    beliefs = prior or (p0, 1.0 - p0)
    for n in range(max(first + 1, 2), n_max + 1):
        found = _best_of_size(n, (p0, p1), (alpha, power), beliefs, (first, every))
        if found is not None:
            return found
    return None


def _best_of_size(
    n: int,
    rates: tuple[float, float],
    limits: tuple[float, float],
    prior: tuple[float, float],
    pace: tuple[int, int],
) -> PredictiveLooks | None:
    """Return the trial of n patients with the fewest expected patients at p0, when one fits."""
    alpha, power = limits
    best: PredictiveLooks | None = None
    for needed in range(1, n + 1):
        # a rule without looks succeeds most often: more successes needed never helps the power
        if special.bdtrc(needed - 1, n, rates[1]) < power:
            break
        chances = _chances(n, needed, prior, pace)
        for theta in _GRID:
            looks = _looks(n, needed, theta, chances)
            null = operating_characteristics(looks, rates[0])
            if null.success > alpha or (best is not None and null.expected_n >= best.expected_n):
                continue
            reached = operating_characteristics(looks, rates[1]).success
            if reached >= power:
                pet = float(null.stopped[:-1].sum())
                best = PredictiveLooks(looks, needed, theta, null.success, reached, null.expected_n, pet)
    return best


def _chances(n: int, needed: int, prior: tuple[float, float], pace: tuple[int, int]) -> dict[int, FloatArray]:
    """Return the predictive probability of every count at every look before the last."""
    return {
        m: np.array(
            [
                _beta_binomial(n - m, prior[0] + x, prior[1] + m - x)[max(0, needed - x) :].sum()
                for x in range(m + 1)
            ]
        )
        for m in range(pace[0], n, pace[1])
    }


def _looks(n: int, needed: int, theta: float, chances: dict[int, FloatArray]) -> tuple[Look, ...]:
    """Return the looks that stop below theta; the predictive probability rises with the successes."""
    early = [Look(m, int((chance < theta).sum()) - 1, m + 1) for m, chance in chances.items()]
    return (*early, Look(n, needed - 1, needed))


def _beta_binomial(n: int, a: float, b: float) -> FloatArray:
    """Return P(Y = y), y = 0 ... n."""
    y = np.arange(n + 1)
    choose = special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)
    mass: FloatArray = np.exp(choose + special.betaln(a + y, b + n - y) - special.betaln(a, b))
    return mass
