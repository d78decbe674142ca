"""How good predictions are, and how much of that is the program's own optimism."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from scipy.stats import rankdata

from immunosarc.stats._inputs import BoolArray, FloatArray, as_binary, as_follow_up, check_level, refuse

__all__ = [
    "NetBenefit",
    "area_under_curve",
    "brier",
    "concordance",
    "concordance_interval",
    "net_benefit",
    "optimism",
    "point_632_plus",
]


@dataclass(frozen=True)
class NetBenefit:
    """What treating by prediction is worth, next to treating everybody and nobody (which is worth 0).

    Attributes
    ----------
    threshold, model, treat_all : ndarray of shape (n_thresholds,)
        True positives per patient, less the false positives that the threshold says they cost.
    """

    threshold: FloatArray
    model: FloatArray
    treat_all: FloatArray


def area_under_curve(score: ArrayLike, event: ArrayLike) -> float:
    """How often a patient with the event has the higher score than one without; ties count half.

    Parameters
    ----------
    score : array_like of shape (n_patients,)
        Higher should mean more likely.
    event : array_like of shape (n_patients,)
        True or False.

    Returns
    -------
    float
        0.5 is a coin; NaN where all patients have the same outcome.

    Raises
    ------
    ImmunosarcError
        Missing scores or outcomes.

    Examples
    --------
    >>> area_under_curve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    values, problems = _scores(score)
    y = as_binary(event, values.size, "event", problems)
    refuse("area_under_curve", problems)
    pairs = int(y.sum()) * int((~y).sum())
    if not pairs:
        return float("nan")
    n_events = int(y.sum())
    return float((rankdata(values)[y].sum() - n_events * (n_events + 1) / 2) / pairs)


def concordance(risk: ArrayLike, time: ArrayLike, event: ArrayLike) -> float:
    """How often the patient with the higher predicted risk has the event first (Harrell's C).

    Compared are pairs of which it is known who had the event first: the earlier time is an event. A censoring
    at that very time counts as later. Equal risks count half; two events at one time are no pair.

    Parameters
    ----------
    risk : array_like of shape (n_patients,)
        Higher should mean earlier.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event.

    Returns
    -------
    float
        0.5 is a coin; NaN where no pair can be compared.

    Raises
    ------
    ImmunosarcError
        Missing risks or follow-up.

    References
    ----------
    Harrell FE, Lee KL, Mark DB. 1996, doi 10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.

    Examples
    --------
    >>> concordance([3.0, 2.0, 1.0], [1, 2, 3], [1, 1, 0])
    1.0
    """
    values, problems = _scores(risk)
    times, events = as_follow_up(time, event, values.size, problems)
    refuse("concordance", problems)
    pairs, won = _comparable(values, times, events)
    return float(won[pairs].mean()) if pairs.any() else float("nan")


def concordance_interval(
    risk: ArrayLike, time: ArrayLike, event: ArrayLike, *, level: float = 0.95
) -> tuple[float, float, float]:
    r"""How often the patient with the higher predicted risk has the event first, with its interval.

    The interval is normal on the logit scale; with the pairs that patient *i* is in, won :math:`w_i` of
    :math:`m_i`, and M pairs in all, the variance of Harrell's C is

    .. math:: \frac{1}{M^2} \sum_i (w_i - C m_i)^2 .

    Parameters
    ----------
    risk : array_like of shape (n_patients,)
        Higher should mean earlier; fixed beforehand, not fitted to these patients.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event.
    level : float
        Of the interval.

    Returns
    -------
    tuple of float
        C and its limits; NaN where no pair can be compared, limits NaN where C is 0 or 1.

    Raises
    ------
    ImmunosarcError
        Missing risks or follow-up, or a level outside (0, 1).

    References
    ----------
    Pencina MJ, D'Agostino RB. 2004, doi 10.1002/sim.1802; the variance is that of a ratio of U-statistics.

    Examples
    --------
    >>> c, low, high = concordance_interval([3.0, 1.0, 2.0, 0.0], [1, 2, 3, 4], [1, 1, 1, 0])
    >>> round(c, 3), low < c < high
    (0.833, True)
    """
    values, problems = _scores(risk)
    times, events = as_follow_up(time, event, values.size, problems)
    check_level(level, problems)
    refuse("concordance_interval", problems)
    pairs, won = _comparable(values, times, events)
    n_pairs = int(pairs.sum())
    if not n_pairs:
        return float("nan"), float("nan"), float("nan")
    wins = np.where(pairs, won, 0.0)
    c = float(wins.sum() / n_pairs)
    if c in (0.0, 1.0):
        return c, float("nan"), float("nan")
    gap = (wins.sum(axis=0) + wins.sum(axis=1)) - c * (pairs.sum(axis=0) + pairs.sum(axis=1))
    half = float(special.ndtri((1.0 + level) / 2.0)) * np.sqrt((gap**2).sum()) / n_pairs / (c * (1 - c))
    middle = special.logit(c)
    return c, float(special.expit(middle - half)), float(special.expit(middle + half))


def _comparable(values: FloatArray, times: FloatArray, events: BoolArray) -> tuple[BoolArray, FloatArray]:
    """Return which pairs can be compared (row first), and what each one wins: 1, 0 or a half."""
    later = (times[:, None] < times) | ((times[:, None] == times) & ~events)
    return later & events[:, None], np.sign(values[:, None] - values) / 2 + 0.5


def brier(risk: ArrayLike, event: ArrayLike) -> float:
    """Mean squared distance between predicted risk and what happened: 0 is perfect.

    Parameters
    ----------
    risk : array_like of shape (n_patients,)
        Probabilities.
    event : array_like of shape (n_patients,)
        True or False.

    Returns
    -------
    float
        A forecast of the event rate for everybody reaches rate * (1 - rate).

    Raises
    ------
    ImmunosarcError
        Risks that are no probabilities, or missing outcomes.

    Examples
    --------
    >>> brier([0.5, 0.5], [0, 1])
    0.25
    """
    values, y = _risks("brier", risk, event)
    return float(((values - y) ** 2).mean())


def net_benefit(risk: ArrayLike, event: ArrayLike, *, thresholds: ArrayLike) -> NetBenefit:
    r"""What treating the patients above a threshold is worth: the decision curve.

    .. math:: \frac{TP}{n} - \frac{FP}{n} \frac{t}{1 - t}

    A patient is treated whose risk is at or above the threshold *t*, the risk at which benefit and harm of
    treatment weigh the same.

    Parameters
    ----------
    risk : array_like of shape (n_patients,)
        Probabilities.
    event : array_like of shape (n_patients,)
        True or False.
    thresholds : array_like of shape (n_thresholds,)
        Strictly between 0 and 1.

    Returns
    -------
    NetBenefit

    Raises
    ------
    ImmunosarcError
        Thresholds or risks outside their limits, or missing outcomes.

    References
    ----------
    Vickers AJ, Elkin EB. 2006, doi 10.1177/0272989X06295361.

    Examples
    --------
    >>> net_benefit([0.1, 0.9], [0, 1], thresholds=[0.5]).model.tolist()
    [0.5]
    """
    values, y = _risks("net_benefit", risk, event)
    t = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if not ((t > 0) & (t < 1)).all():
        refuse("net_benefit", ["thresholds: need numbers strictly between 0 and 1"])
    odds = t / (1 - t)
    treated = values >= t[:, None]
    gain = (treated & y).mean(axis=1) - odds * (treated & ~y).mean(axis=1)
    return NetBenefit(t, gain, y.mean() - odds * (~y).mean())


def optimism(in_sample: ArrayLike, in_original: ArrayLike) -> float:
    """How much better a model looks in the patients it was fitted to (Harrell's bootstrap).

    Subtract it from the apparent performance. Every step that saw the outcome must have been repeated in each
    bootstrap sample.

    Parameters
    ----------
    in_sample : array_like of shape (n_bootstrap,)
        Performance of each bootstrap model in its own bootstrap sample.
    in_original : array_like of shape (n_bootstrap,)
        Of the same model in all patients.

    Returns
    -------
    float
        Mean difference over the bootstraps that have both; NaN where there is none.

    References
    ----------
    Harrell FE, Lee KL, Mark DB. 1996, doi 10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.

    Examples
    --------
    >>> optimism([0.75, 1.0], [0.5, 0.75])
    0.25
    """
    gap = np.asarray(in_sample, dtype=np.float64) - np.asarray(in_original, dtype=np.float64)
    known = gap[np.isfinite(gap)]
    return float(known.mean()) if known.size else float("nan")


def point_632_plus(apparent: float, out_of_bag: float, no_information: float) -> float:
    r"""Error in new patients, between the apparent one (too good) and that of left-out patients (too bad).

    With the apparent error :math:`e`, the out-of-bag error :math:`o` (at most :math:`\gamma`) and the error
    without any information :math:`\gamma`,

    .. math:: (1 - w) e + w o, \quad w = \frac{0.632}{1 - 0.368 R}, \quad R = \frac{o - e}{\gamma - e}

    with R between 0 (no overfitting) and 1, and 0 unless :math:`e < o` and :math:`e < \gamma`.

    Parameters
    ----------
    apparent, out_of_bag, no_information : float
        Errors: smaller is better. For an AUC pass 1 - AUC, and 0.5 without information.

    Returns
    -------
    float

    References
    ----------
    Efron B, Tibshirani R. 1997, doi 10.1080/01621459.1997.10474007.

    Examples
    --------
    >>> point_632_plus(0.0, 0.5, 0.5)  # an overfitted model without information
    0.5
    """
    outside = min(out_of_bag, no_information)
    overfit = 0.0
    if outside > apparent and no_information > apparent:
        overfit = (outside - apparent) / (no_information - apparent)
    weight = 0.632 / (1 - 0.368 * overfit)
    return float((1 - weight) * apparent + weight * outside)


def _scores(score: ArrayLike) -> tuple[FloatArray, list[str]]:
    values = np.asarray(score, dtype=np.float64)
    if values.ndim == 1 and np.isfinite(values).all():
        return values, []
    return np.zeros(len(values)), ["score: need one finite number for each patient"]


def _risks(name: str, risk: ArrayLike, event: ArrayLike) -> tuple[FloatArray, BoolArray]:
    values, problems = _scores(risk)
    if ((values < 0) | (values > 1)).any():
        problems.append("risk: need probabilities from 0 to 1")
    y = as_binary(event, values.size, "event", problems)
    refuse(name, problems)
    return values, y
