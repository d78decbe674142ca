"""Kaplan-Meier: the share of patients still without an event, and when half have had one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.errors import did_you_mean
from immunosarc.stats._inputs import FloatArray, IntArray, as_follow_up, check_level, refuse

__all__ = ["ConfType", "KaplanMeier", "kaplan_meier"]

ConfType = Literal["plain", "log", "log-log"]
# two curves that differ by less than this are the same step: products of fractions round
_SAME = np.sqrt(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class KaplanMeier:
    """The survival curve at each distinct follow-up time, with what it rests on.

    Attributes
    ----------
    time : ndarray of float
        Distinct times of an event or of censoring, ascending, in the unit that was passed.
    at_risk, n_event, n_censored : ndarray of int
        Patients under observation just before the time, and what happened to them at it.
    survival : ndarray of float
        Probability of being without event just after the time.
    std_error : ndarray of float
        Greenwood's, on the scale of ``survival``; NaN where survival is 0.
    conf_low, conf_high : ndarray of float
        Pointwise interval; NaN where survival is 1 or 0, because no formula applies there.

    Examples
    --------
    >>> curve = kaplan_meier([2, 4, 4, 7, 9], [1, 1, 0, 1, 0])
    >>> curve.at_risk.tolist(), curve.n_event.tolist()
    ([5, 4, 2, 1], [1, 1, 1, 0])
    """

    time: FloatArray
    at_risk: IntArray
    n_event: IntArray
    n_censored: IntArray
    survival: FloatArray
    std_error: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray

    def quantile(self, share: float) -> tuple[float, float, float]:
        """Give the time by which a share of patients has had the event, with its interval.

        Where the curve runs exactly at the level, the middle of that stretch (up to the last
        follow-up when it never leaves it), as R does.

        Parameters
        ----------
        share : float
            Share of patients with the event, strictly between 0 and 1; 0.5 is the median.

        Returns
        -------
        tuple of float
            Time, lower and upper limit; NaN means not reached.

        Examples
        --------
        >>> kaplan_meier([2, 4, 6, 8], [1, 1, 1, 1]).quantile(0.25)[0]
        3.0
        """
        problems: list[str] = []
        check_level(share, problems, "share")
        refuse("quantile", problems)
        time, low, high = (
            self._crossing(curve, 1.0 - share) for curve in (self.survival, self.conf_low, self.conf_high)
        )
        return time, low, high

    def median(self) -> tuple[float, float, float]:
        """Give the median time to the event with its interval; NaN means not reached.

        Returns
        -------
        tuple of float
            Time, lower and upper limit.

        Examples
        --------
        >>> kaplan_meier([2, 4, 6], [1, 1, 1]).median()[0]
        4.0
        """
        return self.quantile(0.5)

    def at(self, times: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Give the probability of being without event beyond the given times, with its interval.

        Parameters
        ----------
        times : array_like of float
            In the unit of ``time``, at least 0.

        Returns
        -------
        survival, conf_low, conf_high : ndarray of float
            1 without interval before the first event; NaN after the last follow-up, unless the
            curve has reached 0.

        Examples
        --------
        >>> float(kaplan_meier([2, 4, 6], [1, 1, 1]).at(5)[0].round(3))
        0.333
        """
        asked = np.asarray(times, dtype=np.float64)
        where = np.searchsorted(self.time, asked, side="right")
        unknown = (asked > self.time[-1]) & (self.survival[-1] > 0)
        survival, low, high = (
            np.where(unknown, np.nan, np.concatenate([[start], curve])[where])
            for start, curve in ((1.0, self.survival), (np.nan, self.conf_low), (np.nan, self.conf_high))
        )
        return survival, low, high

    def at_risk_at(self, times: ArrayLike) -> IntArray:
        """Count the patients under observation just before the given times, for the axis of a plot.

        Parameters
        ----------
        times : array_like of float
            In the unit of ``time``.

        Returns
        -------
        ndarray of int
            0 after the last follow-up.

        Examples
        --------
        >>> kaplan_meier([2, 4, 6], [1, 0, 1]).at_risk_at([0, 4, 5, 7]).tolist()
        [3, 2, 1, 0]
        """
        where = np.searchsorted(self.time, np.asarray(times, dtype=np.float64), side="left")
        return np.concatenate([self.at_risk, [0]])[where]

    def _crossing(self, curve: FloatArray, level: float) -> float:
        reached = np.flatnonzero(curve <= level + _SAME)
        if reached.size == 0:
            return float("nan")
        below = np.flatnonzero(curve < level - _SAME)
        first = float(self.time[reached[0]])
        if abs(curve[reached[0]] - level) > _SAME:
            return first
        return (first + float(self.time[below[0] if below.size else -1])) / 2.0


def kaplan_meier(
    time: ArrayLike, event: ArrayLike, conf_type: ConfType = "log-log", *, level: float = 0.95
) -> KaplanMeier:
    r"""Estimate the share of patients without event over time, counting the censored for as long as seen.

    .. math::

        \hat S(t) = \prod_{t_j \le t} \left(1 - \frac{d_j}{n_j}\right), \quad
        \widehat{\mathrm{se}} = \hat S(t) \sqrt{\sum_{t_j \le t} \frac{d_j}{n_j (n_j - d_j)}}

    Patients censored at the time of an event count as at risk at it. The interval is symmetric on
    the scale of S, log S or log(-log S), and cut to 0..1. Source: Kaplan and Meier 1958, doi
    10.1080/01621459.1958.10501452; Borgan and Liestol 1990 for small samples.

    Parameters
    ----------
    time : array_like of shape (n_patients,)
        Follow-up in any one unit, at least 0, none missing.
    event : array_like of bool, shape (n_patients,)
        True where the event happened, False where the patient was censored.
    conf_type : {"plain", "log", "log-log"}
        Scale of the interval; log-log is the one to trust with few patients.
    level : float
        Confidence level of the pointwise interval.

    Returns
    -------
    KaplanMeier
        One entry for each distinct time.

    Raises
    ------
    ImmunosarcError
        When a time or an event is missing, or there are no patients.

    Examples
    --------
    >>> curve = kaplan_meier([2, 4, 6, 8], [1, 1, 0, 1])
    >>> curve.survival.tolist()
    [0.75, 0.5, 0.5, 0.0]
    >>> curve.median()[0]
    6.0
    """
    problems: list[str] = []
    times, events = as_follow_up(time, event, None, problems)
    check_level(level, problems)
    if conf_type not in get_args(ConfType):
        problems.append(f"conf_type: unknown {conf_type!r}.{did_you_mean(conf_type, get_args(ConfType))}")
    if times.size == 0:
        problems.append("time: need at least one patient, have none")
    refuse("kaplan_meier", problems)
    distinct, where = np.unique(times, return_inverse=True)
    leaving = np.bincount(where, minlength=distinct.size)
    n_event = np.bincount(where, weights=events, minlength=distinct.size).astype(np.int64)
    at_risk = leaving[::-1].cumsum()[::-1]
    survival = np.cumprod(1.0 - n_event / at_risk)
    # at the last patient n - d is 0: survival is 0 and Greenwood has no value
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard_error = np.sqrt(np.cumsum(n_event / (at_risk * (at_risk - n_event).astype(np.float64))))
        std_error = survival * hazard_error
    low, high = _interval(survival, hazard_error, conf_type, level=level)
    return KaplanMeier(
        distinct, at_risk, n_event, leaving - n_event, survival, std_error, conf_low=low, conf_high=high
    )


def _interval(
    survival: FloatArray, hazard_error: FloatArray, conf_type: ConfType, *, level: float
) -> tuple[FloatArray, FloatArray]:
    inside = (survival > 0) & (survival < 1)
    curve = np.where(inside, survival, 0.5)
    margin = special.ndtri((1.0 + level) / 2.0) * np.where(inside, hazard_error, 0.0)
    if conf_type == "plain":
        low, high = curve - curve * margin, curve + curve * margin
    elif conf_type == "log":
        low, high = curve * np.exp(-margin), curve * np.exp(margin)
    else:
        spread = margin / np.log(curve)
        low, high = curve ** np.exp(-spread), curve ** np.exp(spread)
    cut = (np.where(inside, np.clip(limit, 0.0, 1.0), np.nan) for limit in (low, high))
    return next(cut), next(cut)
