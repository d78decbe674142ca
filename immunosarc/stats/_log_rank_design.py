"""How many events and patients a survival comparison needs: one sample against a known curve, or two arms."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from immunosarc.stats._enrollment import (
    Enrollment,
    check_enrollment,
    event_probability,
    followed,
    over_follow_up,
)
from immunosarc.stats._inputs import FloatArray, refuse

__all__ = [
    "OneSampleSize",
    "TwoArmSize",
    "log_rank_lakatos",
    "log_rank_power",
    "log_rank_schoenfeld",
    "one_sample_log_rank_power",
    "one_sample_log_rank_size",
    "one_sample_log_rank_test",
]

_STEPS = 2000


class OneSampleSize(NamedTuple):
    """Size of a one-sample log-rank trial."""

    n: int
    events: float
    """Expected events if the treatment works."""
    power: float


class TwoArmSize(NamedTuple):
    """Size of a two-arm log-rank trial."""

    n: int
    events: int
    power: float


def one_sample_log_rank_size(
    hazard: float, ratio: float, enrollment: Enrollment, *, alpha: float, power: float
) -> OneSampleSize:
    r"""Give the size of a single-arm trial whose survival is compared with a known curve.

    With the cumulative hazard :math:`\Lambda_0` of the known (exponential) curve, O events and
    :math:`E = \sum \Lambda_0(X_i)`, the test is :math:`(O - E)/\sqrt{E}`. Its mean and variance under
    the hazard ratio are integrals over follow-up:
    :math:`n = (z_{1-\alpha}\sqrt{e_0} + z_{\text{power}}\,\sigma_1)^2 / (e_1 - e_0)^2` with
    :math:`e_1 = P(\text{event})`, :math:`e_0 = E[\Lambda_0(X)]` and :math:`\sigma_1^2` the variance of
    one patient's O - E. Sources: Finkelstein, Muzikansky and Schoenfeld 2003, doi
    10.1093/jnci/djg052; Wu 2015, doi 10.1002/pst.1654.

    Parameters
    ----------
    hazard : float
        Of the known curve, per unit of time.
    ratio : float
        Hazard ratio worth finding, below 1.
    enrollment : Enrollment
        Accrual, follow-up, dropout.
    alpha, power : float
        One-sided type-I error, and power.

    Returns
    -------
    OneSampleSize
        ``n`` patients, expected ``events``, attained ``power`` (normal approximation).

    Raises
    ------
    ImmunosarcError
        When a number is outside its range.

    Examples
    --------
    >>> one_sample_log_rank_size(np.log(2) / 6, 0.6, Enrollment(24, 12), alpha=0.10, power=0.80).n
    24
    """
    check_enrollment(
        "one_sample_log_rank_size", enrollment, {"hazard": hazard}, ratio=ratio, alpha=alpha, power=power
    )
    expected, seen, variance = _one_patient(hazard, ratio, enrollment)
    z_alpha, z_power = special.ndtri(1.0 - alpha), special.ndtri(power)
    n = int(np.ceil(((z_alpha * np.sqrt(expected) + z_power * np.sqrt(variance)) / (seen - expected)) ** 2))
    return one_sample_log_rank_power(n, hazard, ratio, enrollment, alpha=alpha)


def one_sample_log_rank_power(
    n: int, hazard: float, ratio: float, enrollment: Enrollment, *, alpha: float
) -> OneSampleSize:
    r"""Give what a single-arm trial of n patients does at any hazard ratio, 1 and above included.

    The chance of :math:`(O - E)/\sqrt{E} < z_\alpha` by the normal approximation of
    :func:`one_sample_log_rank_size`.

    Parameters
    ----------
    n : int
        Patients.
    hazard : float
        Of the known curve, per unit of time.
    ratio : float
        True hazard ratio, above 0.
    enrollment : Enrollment
        Accrual, follow-up, dropout.
    alpha : float
        One-sided type-I error that was asked for.

    Returns
    -------
    OneSampleSize
        ``n``, expected ``events``, ``power``.

    Raises
    ------
    ImmunosarcError
        When a number is outside its range.

    Examples
    --------
    >>> found = one_sample_log_rank_power(24, np.log(2) / 6, 0.6, Enrollment(24, 12), alpha=0.10)
    >>> round(found.power, 3), round(found.events, 1)
    (0.81, 18.9)
    """
    positive = {"hazard": hazard, "ratio": ratio, "n": n}
    check_enrollment("one_sample_log_rank_power", enrollment, positive, alpha=alpha)
    expected, seen, variance = _one_patient(hazard, ratio, enrollment)
    limit = special.ndtri(1.0 - alpha) * np.sqrt(expected)
    reached = special.ndtr((np.sqrt(n) * (expected - seen) - limit) / np.sqrt(variance))
    return OneSampleSize(n, n * seen, float(reached))


def one_sample_log_rank_test(days: FloatArray, events: FloatArray, hazard: float) -> tuple[float, float]:
    r"""Give the one-sided p that survival beats a known exponential curve.

    :math:`z = (O - E)/\sqrt{E}`, :math:`E = \sum \lambda t_i`; small p: fewer events than expected.
    Source: Breslow 1975, doi 10.2307/1402659.

    Parameters
    ----------
    days : array
        Follow-up of each patient, in the unit of the hazard.
    events : array
        Whether it ended with the event.
    hazard : float
        Of the known curve.

    Returns
    -------
    (float, float)
        z and the one-sided p.

    Raises
    ------
    ImmunosarcError
        When hazard or follow-up are not positive.

    Examples
    --------
    >>> z, p = one_sample_log_rank_test(np.array([10.0, 20.0]), np.array([1, 0]), 0.1)
    >>> round(z, 4), round(p, 4)
    (-1.1547, 0.1241)
    """
    problems = [] if hazard > 0 else [f"hazard: need a number above 0, have {hazard!r}"]
    times = np.asarray(days, dtype=np.float64)
    if not len(times) or times.min() < 0 or times.sum() == 0:
        problems.append("days: need follow-up that is not negative, and some above 0")
    refuse("one_sample_log_rank_test", problems)
    expected = hazard * float(times.sum())
    z = (float(np.sum(events)) - expected) / np.sqrt(expected)
    return float(z), float(special.ndtr(z))


def log_rank_schoenfeld(
    ratio: float, hazard: float, enrollment: Enrollment, *, alpha: float, power: float, allocation: float = 0.5
) -> TwoArmSize:
    r"""Give events and patients of a randomized trial with proportional hazards.

    :math:`d = (z_{1-\alpha} + z_{\text{power}})^2 / (a (1 - a) \log^2 \theta)`, and as many patients
    as give d events. Source: Schoenfeld 1983, doi 10.2307/2531021.

    Parameters
    ----------
    ratio : float
        Hazard ratio worth finding, treated against control; below 1.
    hazard : float
        Of the control arm, per unit of time.
    enrollment : Enrollment
        Accrual, follow-up, dropout.
    alpha, power : float
        One-sided type-I error, and power.
    allocation : float
        Share of patients who are treated.

    Returns
    -------
    TwoArmSize
        ``n`` in all, ``events`` in all, power (the one asked for).

    Raises
    ------
    ImmunosarcError
        When a number is outside its range.

    Examples
    --------
    >>> log_rank_schoenfeld(0.6, np.log(2) / 6, Enrollment(24, 12), alpha=0.025, power=0.80).events
    121
    """
    check_enrollment("log_rank_schoenfeld", enrollment, {"hazard": hazard}, ratio=ratio, alpha=alpha, power=power)
    _check_share(allocation, "log_rank_schoenfeld")
    z = special.ndtri(1.0 - alpha) + special.ndtri(power)
    events = int(np.ceil(z**2 / (allocation * (1.0 - allocation) * np.log(ratio) ** 2)))
    seen = allocation * event_probability(hazard * ratio, enrollment)
    seen += (1.0 - allocation) * event_probability(hazard, enrollment)
    return TwoArmSize(int(np.ceil(events / seen)), events, power)


def log_rank_lakatos(
    ratio: Callable[[FloatArray], FloatArray],
    hazard: float,
    enrollment: Enrollment,
    *,
    alpha: float,
    power: float,
    allocation: float = 0.5,
) -> TwoArmSize:
    r"""Give events and patients of a randomized trial whose hazard ratio changes with time.

    A checkpoint inhibitor often works late: the hazards are equal at first. Expected events and
    variance of the log-rank statistic are summed over small intervals of time:
    :math:`n = (z_{1-\alpha} + z_{\text{power}})^2 \sum_i d_i w_i (1 - w_i) / (\sum_i d_i (q_i - w_i))^2`
    with :math:`d_i` a patient's chance of an event in interval i, :math:`w_i` the treated share of
    those at risk and :math:`q_i` the treated share of those with the event. Source: Lakatos 1988, doi
    10.2307/2531910.

    Parameters
    ----------
    ratio : callable
        Times since entry to hazard ratios, treated against control.
    hazard : float
        Of the control arm, per unit of time.
    enrollment : Enrollment
        Accrual, follow-up, dropout.
    alpha, power : float
        One-sided type-I error, and power.
    allocation : float
        Share of patients who are treated.

    Returns
    -------
    TwoArmSize
        ``n`` in all, ``events`` in all, attained ``power``.

    Raises
    ------
    ImmunosarcError
        When a number is outside its range, or the ratio never leaves 1.

    Examples
    --------
    >>> late = lambda t: np.where(t < 3, 1.0, 0.6)
    >>> log_rank_lakatos(late, np.log(2) / 6, Enrollment(24, 12), alpha=0.025, power=0.80).events
    282
    """
    check_enrollment("log_rank_lakatos", enrollment, {"hazard": hazard}, alpha=alpha, power=power)
    _check_share(allocation, "log_rank_lakatos")
    drift, variance, seen = _statistic(ratio, hazard, enrollment, allocation)
    problems = [] if drift < 0 else ["ratio: the hazard ratio must fall below 1 somewhere and win overall"]
    refuse("log_rank_lakatos", problems)
    z_alpha, z_power = special.ndtri(1.0 - alpha), special.ndtri(power)
    n = int(np.ceil((z_alpha + z_power) ** 2 * variance / drift**2))
    reached = special.ndtr(np.sqrt(n / variance) * -drift - z_alpha)
    return TwoArmSize(n, int(np.ceil(n * seen)), float(reached))


def log_rank_power(
    n: int,
    ratio: Callable[[FloatArray], FloatArray],
    hazard: float,
    enrollment: Enrollment,
    *,
    alpha: float,
    allocation: float = 0.5,
) -> TwoArmSize:
    r"""Give what a randomized trial of n patients does under any course of the hazard ratio.

    :math:`\Phi(-\sqrt{n}\,\mu/\sigma - z_{1-\alpha})` with drift and variance as in
    :func:`log_rank_lakatos`.

    Parameters
    ----------
    n : int
        Patients in all.
    ratio : callable
        Times since entry to hazard ratios, treated against control; 1 everywhere gives the type-I error.
    hazard : float
        Of the control arm, per unit of time.
    enrollment : Enrollment
        Accrual, follow-up, dropout.
    alpha : float
        One-sided type-I error that was asked for.
    allocation : float
        Share of patients who are treated.

    Returns
    -------
    TwoArmSize
        ``n``, expected ``events`` (rounded up), ``power``.

    Raises
    ------
    ImmunosarcError
        When a number is outside its range.

    Examples
    --------
    >>> found = log_rank_power(200, lambda t: np.ones_like(t), np.log(2) / 6, Enrollment(24, 12), alpha=0.025)
    >>> round(found.power, 6)
    0.025
    """
    check_enrollment("log_rank_power", enrollment, {"hazard": hazard, "n": n}, alpha=alpha)
    _check_share(allocation, "log_rank_power")
    drift, variance, seen = _statistic(ratio, hazard, enrollment, allocation)
    reached = special.ndtr(np.sqrt(n / variance) * -drift - special.ndtri(1.0 - alpha))
    return TwoArmSize(n, int(np.ceil(n * seen)), float(reached))


def _statistic(
    ratio: Callable[[FloatArray], FloatArray], hazard: float, enrollment: Enrollment, allocation: float
) -> tuple[float, float, float]:
    """Return mean and variance of one patient's share of the log-rank statistic, and P(event)."""
    end = enrollment.accrual + enrollment.follow_up
    edges = np.linspace(0.0, end, _STEPS + 1)
    t, step = (edges[:-1] + edges[1:]) / 2.0, end / _STEPS
    ratios = np.broadcast_to(np.asarray(ratio(t), dtype=np.float64), t.shape)
    reached = followed(t, enrollment) * np.exp(-enrollment.dropout * t)
    cumulative = np.concatenate([[0.0], np.cumsum(hazard * ratios * step)])
    treated = allocation * reached * np.exp(-(cumulative[:-1] + cumulative[1:]) / 2.0)
    control = (1.0 - allocation) * reached * np.exp(-hazard * t)
    deaths = hazard * (ratios * treated + control) * step
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(treated + control > 0, treated / (treated + control), allocation)
        of_deaths = np.where(deaths > 0, hazard * ratios * treated * step / deaths, share)
    drift = float((deaths * (of_deaths - share)).sum())
    return drift, float((deaths * share * (1.0 - share)).sum()), float(deaths.sum())


def _one_patient(hazard: float, ratio: float, enrollment: Enrollment) -> tuple[float, float, float]:
    """Return E[cumulative hazard], P(event) and Var(O - E) of one patient under the hazard ratio."""
    rate = hazard * ratio

    def alive(t: FloatArray) -> FloatArray:
        left: FloatArray = np.exp(-(rate + enrollment.dropout) * t)
        return left

    seen = over_follow_up(lambda t: rate * alive(t), enrollment)
    expected = over_follow_up(lambda t: hazard * alive(t), enrollment)
    cross = over_follow_up(lambda t: hazard * t * rate * alive(t), enrollment)
    square = over_follow_up(lambda t: 2.0 * hazard**2 * t * alive(t), enrollment)
    return expected, seen, seen - 2.0 * cross + square - (seen - expected) ** 2


def _check_share(allocation: float, function: str) -> None:
    refuse(
        function, [] if 0.0 < allocation < 1.0 else [f"allocation: need a share in (0, 1), have {allocation!r}"]
    )
