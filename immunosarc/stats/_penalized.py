"""Logistic and Cox models held back by a penalty, for every strength of the penalty at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import BoolArray, FloatArray, as_binary, as_features, as_follow_up, refuse

__all__ = ["PenalizedPath", "log_partial_likelihood", "penalized_cox", "penalized_logistic"]

# for linear predictors (n_penalties, n): loss, downhill direction and curvature in the predictors, per patient
Loss: TypeAlias = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]
_NEWTON_STEPS = 60
_NEWTON_TOLERANCE = 1e-9
_PROXIMAL_STEPS = 20_000
_PROXIMAL_TOLERANCE = 1e-8


@dataclass(frozen=True)
class PenalizedPath:
    """The fits of one model under several penalties.

    Attributes
    ----------
    penalties : ndarray of shape (n_penalties,)
        As passed.
    intercept : ndarray of shape (n_penalties,)
        Not penalized; zero in a Cox model.
    coefficients : ndarray of shape (n_penalties, n_features)
        Log ratios for one unit of each feature.
    """

    penalties: FloatArray
    intercept: FloatArray
    coefficients: FloatArray


def penalized_logistic(
    features: ArrayLike, event: ArrayLike, *, penalties: Sequence[float], l1_ratio: float = 0.0
) -> PenalizedPath:
    r"""Log odds ratios of all features together, shrunken so that few patients do not drive them to extremes.

    For each penalty :math:`\lambda` the minimum of

    .. math::

        \frac{1}{n} \sum_i \big[\log(1 + e^{\eta_i}) - y_i \eta_i\big]
        + \lambda \sum_j \big[\alpha |\beta_j| + \tfrac{1 - \alpha}{2} \beta_j^2\big]

    with :math:`\alpha` = ``l1_ratio``: 0 is ridge (Newton steps among the patients' own dimensions), above 0
    the elastic net, 1 the lasso (accelerated proximal steps). The features are taken as they are: scale them
    first, in the training patients only.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        No missing values.
    event : array_like of shape (n_patients,)
        True or False.
    penalties : sequence of float
        Above zero.
    l1_ratio : float
        From 0 to 1.

    Returns
    -------
    PenalizedPath

    Raises
    ------
    ImmunosarcError
        Missing values, other lengths, a penalty that is not positive, or a single outcome.

    References
    ----------
    Friedman J, Hastie T, Tibshirani R. 2010, doi 10.18637/jss.v033.i01.

    Examples
    --------
    >>> path = penalized_logistic([[-1.0], [0.0], [0.5], [1.0]], [0, 1, 0, 1], penalties=[0.1, 10.0])
    >>> bool(path.coefficients[0, 0] > path.coefficients[1, 0] > 0)
    True
    """
    problems = _setting_problems(penalties, l1_ratio)
    x = _complete(features, problems)
    y = as_binary(event, len(x), "event", problems)
    if not problems and y.all() == y.any():
        problems.append("event: all patients have the same outcome, there is nothing to predict")
    refuse("penalized_logistic", problems)
    strength = np.asarray(penalties, dtype=np.float64)
    if l1_ratio > 0:
        return _proximal(x, y, strength, l1_ratio)
    start = float(special.logit(y.mean()))
    found = _ridge(x, _logistic_loss(y), strength, intercept=start)
    return PenalizedPath(strength, found[:, 0], found[:, 1:])


def penalized_cox(
    features: ArrayLike, time: ArrayLike, event: ArrayLike, *, penalties: Sequence[float]
) -> PenalizedPath:
    r"""Log hazard ratios of all features together, shrunken so that few events do not drive them to extremes.

    For each penalty :math:`\lambda` the minimum of :math:`-\ell(\beta) / n + \lambda \|\beta\|^2 / 2` (ridge)
    with Efron's partial likelihood :math:`\ell` as in :func:`cox`. Scale the features first, in the training
    patients only.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        No missing values.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event.
    penalties : sequence of float
        Above zero.

    Returns
    -------
    PenalizedPath

    Raises
    ------
    ImmunosarcError
        Missing values, other lengths, a penalty that is not positive, or no event.

    References
    ----------
    Verweij PJM, van Houwelingen HC. 1994, doi 10.1002/sim.4780132307.

    Examples
    --------
    >>> path = penalized_cox([[2.0], [1.0], [0.0], [-1.0]], [1, 3, 2, 4], [1, 1, 1, 0], penalties=[0.1])
    >>> bool(path.coefficients[0, 0] > 0)
    True
    """
    problems = _setting_problems(penalties, 0.0)
    x = _complete(features, problems)
    times, events = as_follow_up(time, event, len(x), problems)
    if not problems and not events.any():
        problems.append("event: nobody has the event, there is nothing to predict")
    refuse("penalized_cox", problems)
    strength = np.asarray(penalties, dtype=np.float64)
    found = _ridge(x, _partial_likelihood_loss(times, events), strength, intercept=None)
    return PenalizedPath(strength, np.zeros(len(strength)), found)


def log_partial_likelihood(predictors: ArrayLike, time: ArrayLike, event: ArrayLike) -> FloatArray:
    """How well linear predictors order the events: the log partial likelihood with Efron's ties.

    Parameters
    ----------
    predictors : array_like of shape (n_predictors, n_patients)
        Log hazards; only differences between patients count.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event.

    Returns
    -------
    ndarray of shape (n_predictors,)
        Zero where nobody has the event.

    Raises
    ------
    ImmunosarcError
        Missing values or other lengths.

    References
    ----------
    Efron B. 1977, doi 10.1080/01621459.1977.10480613.

    Examples
    --------
    >>> log_partial_likelihood([[0.0, 0.0]], [1, 2], [1, 1]).round(3).tolist()
    [-0.693]
    """
    problems: list[str] = []
    eta = _complete(predictors, problems)
    times, events = as_follow_up(time, event, eta.shape[1], problems)
    refuse("log_partial_likelihood", problems)
    if not events.any():
        return np.zeros(len(eta))
    at_risk = _efron_risk_sets(times, events)
    top = eta.max(axis=1, keepdims=True)
    total = np.exp(eta - top) @ at_risk.T
    return eta @ events - np.log(total).sum(axis=1) - len(at_risk) * top[:, 0]


def _partial_likelihood_loss(time: FloatArray, event: BoolArray) -> Loss:
    """Return minus the log partial likelihood per patient, as a function of the linear predictors."""
    at_risk = _efron_risk_sets(time, event)
    counts = event.astype(np.float64)
    n = len(time)

    def loss(eta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        top = eta.max(axis=1, keepdims=True)  # keeps exp finite, cancels in every share
        weights = at_risk * np.exp(eta - top)[:, None, :]
        total = weights.sum(axis=2)
        value = np.log(total).sum(axis=1) + len(at_risk) * top[:, 0] - eta @ counts
        share = weights / total[:, :, None]
        expected = share.sum(axis=1)
        curvature = -np.swapaxes(share, 1, 2) @ share
        place = np.arange(n)
        curvature[:, place, place] += expected
        return value / n, (counts - expected) / n, curvature / n

    return loss


def _efron_risk_sets(time: FloatArray, event: BoolArray) -> FloatArray:
    """One row per event: 1 at risk, 0 gone; of those who die together, the l-th counts them (1 - l/d) times."""
    rows = []
    for moment in np.unique(time[event]):
        dying = event & (time == moment)
        deaths = int(dying.sum())
        for place in range(deaths):
            rows.append((time >= moment) - dying * (place / deaths))
    return np.array(rows)


def _logistic_loss(event: BoolArray) -> Loss:
    y, n = event.astype(np.float64), len(event)

    def loss(eta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        risk = special.expit(eta)
        value = (np.logaddexp(0.0, eta) - y * eta).sum(axis=1)
        curvature = np.zeros((len(eta), n, n))
        place = np.arange(n)
        curvature[:, place, place] = risk * (1.0 - risk)
        return value / n, (y - risk) / n, curvature / n

    return loss


def _ridge(x: FloatArray, loss: Loss, penalties: FloatArray, *, intercept: float | None) -> FloatArray:
    """Newton steps, halved where they overshoot; columns: intercept, where there is one, then the features."""
    reduced, back = _own_dimensions(x)
    lead = 0 if intercept is None else 1
    z = np.column_stack([np.ones((len(x), lead)), reduced])
    penalized = np.r_[np.zeros(lead), np.ones(reduced.shape[1])]
    weight = penalties[:, None] * penalized
    found = np.tile(np.r_[np.full(lead, intercept or 0.0), np.zeros(reduced.shape[1])], (len(penalties), 1))

    def objective(beta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        value, downhill, curvature = loss(beta @ z.T)
        return value + (weight * beta**2).sum(axis=1) / 2, downhill @ z - weight * beta, curvature

    value, downhill, curvature = objective(found)
    for _ in range(_NEWTON_STEPS):
        information = z.T @ curvature @ z + weight[:, :, None] * np.eye(z.shape[1])
        step = np.linalg.solve(information, downhill[:, :, None])[:, :, 0]
        if np.abs(step).max(initial=0.0) < _NEWTON_TOLERANCE:
            break
        trial = objective(found + step)
        for _ in range(30):
            worse = trial[0] > value + 1e-12
            if not worse.any():
                break
            step[worse] /= 2
            trial = objective(found + step)
        found = found + step
        value, downhill, curvature = trial
    return np.column_stack([found[:, :lead], found[:, lead:] @ back])


def _own_dimensions(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return coordinates with no more columns than patients, and the way back: a ridge fit needs no others."""
    if x.shape[1] <= len(x):
        return x, np.eye(x.shape[1])
    left, size, right = np.linalg.svd(x, full_matrices=False)
    return left * size, right


def _proximal(x: FloatArray, event: BoolArray, penalties: FloatArray, l1_ratio: float) -> PenalizedPath:
    """Accelerated proximal gradient for all penalties at once; the acceleration restarts where it overshoots."""
    z = np.column_stack([np.ones(len(x)), x])
    y = event.astype(np.float64)
    bound = np.linalg.norm(z, 2) ** 2 / (4 * len(x))
    step = 1.0 / (bound + penalties.max() * (1 - l1_ratio))
    free = np.r_[0.0, np.ones(x.shape[1])]
    soft = step * l1_ratio * penalties[:, None] * free
    ridge = (1 - l1_ratio) * penalties[:, None] * free
    beta = np.zeros((len(penalties), z.shape[1]))
    beta[:, 0] = special.logit(y.mean())
    ahead, momentum = beta, np.ones((len(penalties), 1))
    for _ in range(_PROXIMAL_STEPS):
        uphill = (special.expit(ahead @ z.T) - y) @ z / len(x) + ridge * ahead
        moved = ahead - step * uphill
        new = np.sign(moved) * np.maximum(np.abs(moved) - soft, 0.0)
        change = new - beta
        if np.abs(change).max() < _PROXIMAL_TOLERANCE:
            beta = new
            break
        overshot = ((ahead - new) * change).sum(axis=1, keepdims=True) > 0
        faster = np.where(overshot, 1.0, (1 + np.sqrt(1 + 4 * momentum**2)) / 2)
        ahead = new + np.where(overshot, 0.0, (momentum - 1) / faster) * change
        beta, momentum = new, faster
    return PenalizedPath(penalties, beta[:, 0], beta[:, 1:])


def _complete(features: ArrayLike, problems: list[str]) -> FloatArray:
    x = as_features(features, problems)
    if not np.isfinite(x).all():
        problems.append("features: missing values; impute them in the training patients, then here")
    return x


def _setting_problems(penalties: Sequence[float], l1_ratio: float) -> list[str]:
    problems = []
    if not len(penalties) or not all(0.0 < one < np.inf for one in penalties):
        problems.append(f"penalties: need numbers above 0, have {list(penalties)!r}")
    if not 0.0 <= l1_ratio <= 1.0:
        problems.append(f"l1_ratio: need a number from 0 (ridge) to 1 (lasso), have {l1_ratio!r}")
    return problems
