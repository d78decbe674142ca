"""Competing risks: how many patients had one kind of event by a time, when another kind precludes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray, as_follow_up, as_strata, check_level, refuse

__all__ = ["CumulativeIncidence", "cumulative_incidence", "cumulative_incidence_scores"]


@dataclass(frozen=True)
class CumulativeIncidence:
    """The share of patients with the event of interest over time, with what it rests on.

    Attributes
    ----------
    time : ndarray of float
        Distinct times of an event of any kind or of censoring, ascending.
    at_risk, n_event, n_competing, n_censored : ndarray of int
        Patients under observation just before the time, and what happened to them at it.
    incidence : ndarray of float
        Probability of having had the event of interest by the time.
    std_error : ndarray of float
        On the scale of ``incidence``.
    conf_low, conf_high : ndarray of float
        Pointwise interval; NaN where the incidence is 0 or 1, because no formula applies there.

    Examples
    --------
    >>> curve = cumulative_incidence([2, 3, 5, 7], [1, 2, 1, 0])
    >>> curve.incidence.tolist(), curve.n_competing.tolist()
    ([0.25, 0.25, 0.5, 0.5], [0, 1, 0, 0])
    """

    time: FloatArray
    at_risk: IntArray
    n_event: IntArray
    n_competing: IntArray
    n_censored: IntArray
    incidence: FloatArray
    std_error: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray

    def at(self, times: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give the probability of having had the event by the given times, with its interval.

        Parameters
        ----------
        times : array_like of float
            In the unit of ``time``, at least 0.

        Returns
        -------
        incidence, conf_low, conf_high : ndarray of float
            0 without interval before the first event; NaN after the last follow-up while anybody was
            still without event.

        Examples
        --------
        >>> cumulative_incidence([2, 3, 5, 7], [1, 2, 1, 0]).at([1, 4])[0].tolist()
        [0.0, 0.25]
        """
        asked = np.asarray(times, dtype=np.float64)
        where = np.searchsorted(self.time, asked, side="right")
        unknown = (asked > self.time[-1]) & (self.n_censored[-1] > 0)
        incidence, low, high = (
            np.where(unknown, np.nan, np.concatenate([[start], curve])[where])
            for start, curve in ((0.0, self.incidence), (np.nan, self.conf_low), (np.nan, self.conf_high))
        )
        return incidence, low, high


def cumulative_incidence(
    time: ArrayLike, cause: ArrayLike, *, interest: int = 1, level: float = 0.95
) -> CumulativeIncidence:
    r"""Estimate the share of patients with one kind of event by each time, when other kinds preclude it.

    Aalen and Johansen's estimate,

    .. math:: \hat F(t) = \sum_{t_j \le t} \hat S(t_j-) \frac{d_{1j}}{n_j}

    with S the Kaplan-Meier curve for events of any kind: one minus Kaplan-Meier with the others censored
    would count patients as still able to progress who have died. The variance is the delta method's,

    .. math::

        \sum_{t_j \le t} \Big[ (\hat F(t) - \hat F(t_j))^2 \frac{d_j}{n_j (n_j - d_j)}
        + \hat S(t_j-)^2 \frac{d_{1j} (n_j - d_{1j})}{n_j^3}
        - 2 (\hat F(t) - \hat F(t_j)) \hat S(t_j-) \frac{d_{1j}}{n_j^2} \Big]

    and the interval is symmetric on the scale of log(-log F). Sources: Aalen and Johansen 1978; Marubini and
    Valsecchi 1995, chapter 10.

    Parameters
    ----------
    time : array_like of shape (n_patients,)
        Follow-up in any one unit, at least 0, none missing.
    cause : array_like of int, shape (n_patients,)
        0 where the patient was censored, otherwise the kind of event.
    interest : int
        The kind that is counted; every other kind competes.
    level : float
        Confidence level of the pointwise interval.

    Returns
    -------
    CumulativeIncidence
        One entry for each distinct time.

    Raises
    ------
    ImmunosarcError
        When a time or a cause is missing, a cause is negative, or there are no patients.

    Examples
    --------
    >>> cumulative_incidence([2, 3, 5, 7], [1, 2, 1, 0]).std_error.round(3).tolist()
    [0.217, 0.217, 0.25, 0.25]
    """
    problems: list[str] = []
    times, own, others = _checked(time, cause, interest, problems)
    check_level(level, problems)
    if times.size == 0:
        problems.append("time: need at least one patient, have none")
    refuse("cumulative_incidence", problems)
    distinct, where = np.unique(times, return_inverse=True)
    leaving, n_event, n_competing = (
        np.bincount(where, weights=flags, minlength=distinct.size).astype(np.int64)
        for flags in (np.ones(times.size), own, others)
    )
    at_risk = leaving[::-1].cumsum()[::-1]
    before = np.concatenate([[1.0], np.cumprod(1.0 - (n_event + n_competing) / at_risk)[:-1]])
    incidence = np.cumsum(before * n_event / at_risk)
    error = np.sqrt(_variance(at_risk, n_event, n_event + n_competing, before=before, incidence=incidence))
    low, high = _interval(incidence, error, level)
    censored = leaving - n_event - n_competing
    return CumulativeIncidence(
        distinct, at_risk, n_event, n_competing, censored, incidence, error, conf_low=low, conf_high=high
    )


def cumulative_incidence_scores(
    time: ArrayLike, cause: ArrayLike, *, interest: int = 1, strata: ArrayLike | None = None
) -> FloatArray:
    r"""Score each patient by how early the event of interest came, given that other events preclude it.

    The martingale residuals of the cumulative incidence at no effect,

    .. math::

        a_i = \delta_i - \sum_{t_j} w_i(t_j) \frac{d_{1j}}{\sum_k w_k(t_j)}, \qquad
        w_i(t) = 1 \text{ up to } T_i, \quad \frac{\hat G(t-)}{\hat G(T_i-)} \text{ after another event}

    with G the Kaplan-Meier curve of censoring within the stratum: who had another event stays in the risk set,
    with the weight of not having been censored since. :func:`linear_score_statistic` of these scores is the
    score test of Fine and Gray's model at no effect with the variance of the permutation distribution; for
    two groups without censoring, Gray's test. Source: Fine and Gray 1999,
    doi 10.1080/01621459.1999.10474144.

    Parameters
    ----------
    time : array_like of shape (n_patients,)
        Follow-up in any one unit, at least 0, none missing.
    cause : array_like of int, shape (n_patients,)
        0 where the patient was censored, otherwise the kind of event.
    interest : int
        The kind that is counted; every other kind competes.
    strata : array_like of shape (n_patients,), optional
        Risk sets are formed within strata.

    Returns
    -------
    ndarray of shape (n_patients,)
        At most 1; the earlier the event of interest, the higher. They sum to 0 within strata.

    Raises
    ------
    ImmunosarcError
        When a time, cause or stratum is missing or a cause is negative.

    Examples
    --------
    >>> cumulative_incidence_scores([2, 3, 5, 7], [1, 2, 1, 0]).round(3).tolist()
    [0.75, -0.583, 0.417, -0.583]
    """
    problems: list[str] = []
    times, own, others = _checked(time, cause, interest, problems)
    codes = as_strata(strata, times.size, problems)
    refuse("cumulative_incidence_scores", problems)
    scores = np.zeros(times.size)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        scores[rows] = _scores(times[rows], own[rows], others[rows])
    return scores


def _checked(
    time: ArrayLike, cause: ArrayLike, interest: int, problems: list[str]
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Times, and who had the event of interest or another one."""
    causes = np.asarray(cause, dtype=np.float64)
    wrong = ~((causes >= 0) & (causes == np.rint(causes)))
    if wrong.any():
        problems.append(
            f"cause: need 0 (censored), 1, 2, ..., have others at rows {np.flatnonzero(wrong)[:5].tolist()}"
        )
    if interest < 1:
        problems.append(f"interest: need a kind of event, at least 1, have {interest}; 0 means censored")
    times, own = as_follow_up(time, causes == interest, None, problems)
    others = (causes > 0) & (causes != interest)
    return times, own, others if others.shape == own.shape else np.zeros_like(own)


def _variance(
    at_risk: IntArray, n_event: IntArray, n_any: IntArray, *, before: FloatArray, incidence: FloatArray
) -> FloatArray:
    n, own, everyone = (x.astype(np.float64) for x in (at_risk, n_event, n_any))
    later = incidence[:, None] - incidence[None, :]
    # after the last event of the last patient nothing changes any more, and n - d is 0
    hazard = np.divide(everyone, n * (n - everyone), out=np.zeros_like(n), where=n > everyone)
    terms = later**2 * hazard + before**2 * own * (n - own) / n**3 - 2.0 * later * before * own / n**2
    return np.asarray(np.maximum(np.tril(terms).sum(axis=1), 0.0))


def _interval(incidence: FloatArray, error: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    inside = (incidence > 0) & (incidence < 1)
    curve = np.where(inside, incidence, 0.5)
    spread = float(special.ndtri((1.0 + level) / 2.0)) * error / (curve * np.log(curve))
    low, high = curve ** np.exp(-spread), curve ** np.exp(spread)
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def _scores(times: FloatArray, own: BoolArray, others: BoolArray) -> FloatArray:
    moments = np.unique(times[own])
    weights = _weights(times, own, others, moments)
    deaths = np.array([np.count_nonzero(own & (times == moment)) for moment in moments])
    hazard = deaths / np.maximum(weights.sum(axis=0), 1.0)
    return np.asarray(own - weights @ hazard)


def _weights(times: FloatArray, own: BoolArray, others: BoolArray, moments: FloatArray) -> FloatArray:
    """How much each patient counts at each moment, (n_patients, n_moments)."""
    not_censored = _censoring_curve(times, own | others)
    waiting = moments[None, :] <= times[:, None]
    after = not_censored(moments)[None, :] / not_censored(times)[:, None]
    return np.where(waiting, 1.0, np.where(others[:, None], after, 0.0))


class _Steps:
    """The probability of not having been censored before a time."""

    def __init__(self, distinct: FloatArray, curve: FloatArray) -> None:
        self.distinct, self.curve = distinct, curve

    def __call__(self, asked: FloatArray) -> FloatArray:
        return np.asarray(self.curve[np.searchsorted(self.distinct, asked, side="left")])


def _censoring_curve(times: FloatArray, happened: BoolArray) -> _Steps:
    """Kaplan-Meier of censoring; at a shared time events come first."""
    distinct = np.unique(times)
    censored = np.array([np.count_nonzero(~happened & (times == moment)) for moment in distinct])
    left = np.array([np.count_nonzero((times > moment) | ((times == moment) & ~happened)) for moment in distinct])
    steps = 1.0 - censored / np.maximum(left, 1)
    return _Steps(distinct, np.concatenate([[1.0], np.cumprod(steps)]))
