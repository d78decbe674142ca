"""How good predicted risks by a day are when some patients were not followed until then."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.stats._inputs import BoolArray, FloatArray, as_follow_up, as_predictor, refuse
from immunosarc.stats._prediction import NetBenefit
from immunosarc.stats._survival import kaplan_meier

__all__ = ["CensoredBrier", "baseline_survival", "brier_censored", "net_benefit_censored"]


class CensoredBrier(NamedTuple):
    """The Brier score of risks by a day.

    Attributes
    ----------
    score : float
        0 is perfect.
    of_the_curve : float
        The score of predicting the Kaplan-Meier risk for everybody: a model must be below it.
    n_known : int
        Patients whose state on that day is known; the others count through the weights of these.
    """

    score: float
    of_the_curve: float
    n_known: int


def brier_censored(risk: ArrayLike, time: ArrayLike, event: ArrayLike, *, by: float) -> CensoredBrier:
    r"""Mean squared distance between the risk of an event by a day and what happened, with censoring weighed in.

    With the Kaplan-Meier curve :math:`G` of being still followed, and predicted risk :math:`p_i`,

    .. math::

        \frac{1}{n} \sum_i \left[ \frac{(1 - p_i)^2\, 1(t_i \le s, \delta_i)}{G(t_i-)}
        + \frac{p_i^2\, 1(t_i > s)}{G(s)} \right]

    so that every patient who left early is stood for by those who stayed.

    Parameters
    ----------
    risk : array_like of shape (n_patients,)
        Probabilities of the event by that day.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event.
    by : float
        The day *s*, in the unit of ``time``.

    Returns
    -------
    CensoredBrier
        NaN where nobody is followed beyond that day.

    Raises
    ------
    ImmunosarcError
        Risks that are no probabilities, missing follow-up, or a day that is not above 0.

    References
    ----------
    Graf E et al. 1999, doi 10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5.

    Examples
    --------
    >>> brier_censored([0.9, 0.1, 0.5, 0.2], [2, 9, 4, 8], [1, 0, 0, 1], by=6).n_known
    3
    """
    values, times, events = _checked("brier_censored", risk, (time, event), by)
    weights = _weights(times, events, by)
    if weights is None:
        return CensoredBrier(float("nan"), float("nan"), int((times > by).sum()))
    happened = (times <= by) & events
    everybody = (weights * happened).mean()
    return CensoredBrier(
        float((weights * (happened - values) ** 2).mean()),
        float((weights * (happened - everybody) ** 2).mean()),
        int((weights > 0).sum()),
    )


def net_benefit_censored(
    risk: ArrayLike, time: ArrayLike, event: ArrayLike, *, by: float, thresholds: ArrayLike
) -> NetBenefit:
    r"""What treating patients above a threshold of risk is worth when some were not followed until that day.

    As :func:`net_benefit`; the share with the event among those at or above the threshold *t* is taken from their
    own Kaplan-Meier curve :math:`S_t` at the day *s*:

    .. math:: (1 - S_t(s)) \frac{n_t}{n} - S_t(s) \frac{n_t}{n} \frac{t}{1 - t}

    Parameters
    ----------
    risk : array_like of shape (n_patients,)
        Probabilities of the event by that day.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event.
    by : float
        The day *s*, in the unit of ``time``.
    thresholds : array_like of shape (n_thresholds,)
        Strictly between 0 and 1.

    Returns
    -------
    NetBenefit
        NaN where the curve of those above a threshold ends, censored, before that day.

    Raises
    ------
    ImmunosarcError
        Risks that are no probabilities, missing follow-up, thresholds or a day outside their limits.

    References
    ----------
    Vickers AJ et al. 2008, doi 10.1186/1472-6947-8-53.

    Examples
    --------
    >>> found = net_benefit_censored([0.9, 0.8, 0.1, 0.2], [1, 7, 8, 9], [1, 1, 1, 0], by=6, thresholds=[0.5])
    >>> found.model.tolist()  # one event and one without among two of four: a quarter less a quarter
    [0.0]
    """
    values, times, events = _checked("net_benefit_censored", risk, (time, event), by)
    t = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if not ((t > 0) & (t < 1)).all():
        refuse("net_benefit_censored", ["thresholds: need numbers strictly between 0 and 1"])
    odds = t / (1 - t)
    shares = np.array([_shares(values >= one, times, events, by) for one in t])
    of_all = _shares(np.ones(len(values), dtype=bool), times, events, by)
    return NetBenefit(t, shares[:, 0] - odds * shares[:, 1], of_all[0] - odds * of_all[1])


def baseline_survival(linear: ArrayLike, time: ArrayLike, event: ArrayLike, *, by: float) -> float:
    r"""Chance of being without event on a day for a patient whose log hazard is 0, given everybody's log hazards.

    Breslow's estimate, :math:`\exp(-\sum_{t_j \le s} d_j / \sum_{k: t_k \ge t_j} e^{\eta_k})`; the risk of a
    patient is then :math:`1 - S_0^{\exp \eta}`.

    Parameters
    ----------
    linear : array_like of shape (n_patients,)
        Log hazards of the patients that the model was fitted to.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event.
    by : float
        The day *s*, in the unit of ``time``.

    Returns
    -------
    float
        NaN after the last follow-up.

    Raises
    ------
    ImmunosarcError
        Missing log hazards or follow-up, or a day that is not above 0.

    References
    ----------
    Breslow N. 1974, doi 10.2307/2529620.

    Examples
    --------
    >>> round(baseline_survival([0.0, 0.0, 0.0], [1, 2, 3], [1, 1, 0], by=2), 3)  # exp(-(1/3 + 1/2))
    0.435
    """
    problems: list[str] = []
    eta = as_predictor(linear, np.size(linear), problems)
    times, events = as_follow_up(time, event, eta.size, problems)
    _check_day(by, problems)
    refuse("baseline_survival", problems)
    if by > times.max():
        return float("nan")
    hazards = np.exp(eta)
    moments = np.unique(times[events & (times <= by)])
    deaths = ((times == moments[:, None]) & events).sum(axis=1)
    at_risk = (hazards * (times >= moments[:, None])).sum(axis=1)
    return float(np.exp(-(deaths / at_risk).sum()))


def _checked(
    name: str, risk: ArrayLike, follow_up: tuple[ArrayLike, ArrayLike], by: float
) -> tuple[FloatArray, FloatArray, BoolArray]:
    problems: list[str] = []
    values = as_predictor(risk, np.size(risk), problems)
    if ((values < 0) | (values > 1)).any():
        problems.append("risk: need probabilities from 0 to 1")
    times, events = as_follow_up(*follow_up, values.size, problems)
    _check_day(by, problems)
    refuse(name, problems)
    return values, times, events


def _check_day(by: float, problems: list[str]) -> None:
    if not 0 < by < np.inf:
        problems.append(f"by: need a time above 0, have {by!r}")


def _weights(times: FloatArray, events: BoolArray, by: float) -> FloatArray | None:
    """Return one over the chance of being followed that far; 0 for the censored, None where nobody is."""
    if not (times > by).any():
        return None
    curve = kaplan_meier(times, events)
    # an event at the time of a censoring comes first: whoever has it can no longer be censored
    could_leave = np.maximum(curve.at_risk - curve.n_event, 1)
    followed = np.concatenate([[1.0], np.cumprod(1.0 - curve.n_censored / could_leave)])
    before = followed[np.searchsorted(curve.time, times, side="left")]
    at_day = followed[np.searchsorted(curve.time, by, side="right")]
    happened = (times <= by) & events
    weights = np.zeros(len(times))
    weights[happened] = 1.0 / before[happened]
    weights[times > by] = 1.0 / at_day
    return weights


def _shares(chosen: BoolArray, times: FloatArray, events: BoolArray, by: float) -> tuple[float, float]:
    """Return the share of all patients who are chosen and have the event by the day, and who are and have not."""
    if not chosen.any():
        return 0.0, 0.0
    free = float(kaplan_meier(times[chosen], events[chosen]).at(by)[0])
    return (1.0 - free) * float(chosen.mean()), free * float(chosen.mean())
