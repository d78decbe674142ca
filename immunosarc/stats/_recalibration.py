"""A finished model in other patients: do its predictions hold, and what of it must be fitted anew."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from scipy.optimize import brentq
from scipy.stats import chi2

from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    as_binary,
    as_follow_up,
    as_predictor,
    check_level,
    refuse,
)
from immunosarc.stats._penalized import log_partial_likelihood, penalized_cox, penalized_logistic

__all__ = ["Recalibration", "recalibration", "recalibration_of_hazards"]

# so weak that it moves no likelihood, and keeps a separating slope finite
_NO_PENALTY = 1e-9
_FAR = 60.0


class Recalibration(NamedTuple):
    """How far predictions are off on the log-odds scale, and whether chance explains it.

    Attributes
    ----------
    shift, conf_low, conf_high : float
        What must be added to every linear predictor; above 0, the risks were predicted too low.
    p_as_it_is : float
        Likelihood-ratio test of the model as it is against a new intercept and a new slope.
    p_slope : float
        Of a new intercept alone against a new intercept and a new slope.
    """

    shift: float
    conf_low: float
    conf_high: float
    p_as_it_is: float
    p_slope: float

    def needed(self, alpha: float = 0.05) -> str:
        """Say what must be fitted anew, by the closed test of Vergouwe and colleagues without model revision.

        Parameters
        ----------
        alpha : float
            Chance of changing a model that holds.

        Returns
        -------
        str
            ``"nothing"``, ``"intercept"`` (``"slope"`` for hazards, which have no intercept) or
            ``"intercept and slope"``; ``"unknown"`` where no test can be made.

        Examples
        --------
        >>> Recalibration(0.8, 0.2, 1.4, p_as_it_is=0.01, p_slope=0.6).needed()
        'intercept'
        """
        if np.isnan(self.p_as_it_is):
            return "unknown"
        if self.p_as_it_is >= alpha:
            return "nothing"
        if np.isnan(self.shift):
            return "slope"
        return "intercept" if self.p_slope >= alpha else "intercept and slope"


def recalibration(linear: ArrayLike, event: ArrayLike, *, level: float = 0.95) -> Recalibration:
    r"""Whether a finished model predicts too high, too low or too extreme risks for these patients.

    With the linear predictor :math:`\eta` of the model, compared by their likelihoods are

    .. math:: \mathrm{logit}\,P = \eta, \qquad \mathrm{logit}\,P = a + \eta, \qquad
        \mathrm{logit}\,P = a + b \eta .

    ``shift`` is :math:`a` of the second (calibration in the large), its limits those of the profile likelihood.

    Parameters
    ----------
    linear : array_like of shape (n_patients,)
        Log odds that the model predicts.
    event : array_like of shape (n_patients,)
        True or False.
    level : float
        Of the interval.

    Returns
    -------
    Recalibration
        Numbers are NaN where all patients have the same outcome; the tests also where all predictions are equal.

    Raises
    ------
    ImmunosarcError
        Missing or infinite predictions, missing outcomes.

    References
    ----------
    Cox DR. 1958, doi 10.1093/biomet/45.3-4.562; Vergouwe Y et al. 2017, doi 10.1002/sim.7179.

    Examples
    --------
    >>> found = recalibration([0.0, 0.0, 0.0, 0.0], [1, 1, 1, 0])
    >>> round(found.shift, 3)  # log(3): three of four instead of one of two
    1.099
    """
    problems: list[str] = []
    eta = as_predictor(linear, np.size(linear), problems)
    y = as_binary(event, eta.size, "event", problems)
    check_level(level, problems)
    refuse("recalibration", problems)
    if y.all() or not y.any():
        return Recalibration(*([float("nan")] * 5))
    a, low, high = _shift(eta, y, level)
    at_shift = _log_likelihood(eta + a, y)
    if np.ptp(eta) == 0:
        return Recalibration(a, low, high, float("nan"), float("nan"))
    path = penalized_logistic(_scaled(eta), y, penalties=[_NO_PENALTY])
    best = _log_likelihood(path.intercept[0] + path.coefficients[0, 0] * _scaled(eta)[:, 0], y)
    return Recalibration(
        a,
        low,
        high,
        p_as_it_is=float(chi2.sf(2 * (best - _log_likelihood(eta, y)), 2)),
        p_slope=float(chi2.sf(2 * (best - at_shift), 1)),
    )


def recalibration_of_hazards(linear: ArrayLike, time: ArrayLike, event: ArrayLike) -> Recalibration:
    """Whether the log hazards of a finished model are too extreme, or too timid, for these patients.

    A Cox model has no intercept: only its slope is compared with 1, by the partial likelihood (Efron's ties).

    Parameters
    ----------
    linear : array_like of shape (n_patients,)
        Log hazards that the model predicts.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event.

    Returns
    -------
    Recalibration
        ``shift`` is NaN, ``p_slope`` equals ``p_as_it_is``; NaN without events or with equal predictions.

    Raises
    ------
    ImmunosarcError
        Missing or infinite predictions, missing follow-up.

    References
    ----------
    van Houwelingen HC. 2000, doi 10.1002/1097-0258(20001230)19:24<3401::AID-SIM554>3.0.CO;2-2.

    Examples
    --------
    >>> found = recalibration_of_hazards([1.0, 0.2, 0.9, 0.1], [1, 2, 3, 4], [1, 1, 1, 1])
    >>> found.needed()
    'nothing'
    """
    problems: list[str] = []
    eta = as_predictor(linear, np.size(linear), problems)
    times, events = as_follow_up(time, event, eta.size, problems)
    refuse("recalibration_of_hazards", problems)
    unknown = float("nan")
    if not events.any() or np.ptp(eta) == 0:
        return Recalibration(unknown, unknown, unknown, unknown, unknown)
    fitted = penalized_cox(_scaled(eta), times, events, penalties=[_NO_PENALTY]).coefficients @ _scaled(eta).T
    as_it_is, best = log_partial_likelihood(np.vstack([eta, fitted]), times, events)
    p = float(chi2.sf(2 * max(best - as_it_is, 0.0), 1))
    return Recalibration(unknown, unknown, unknown, p, p)


def _shift(eta: FloatArray, y: BoolArray, level: float) -> tuple[float, float, float]:
    """Return the shift that predicts as many events as there are, with its profile limits."""
    reach = float(np.abs(eta).max()) + _FAR
    a = float(brentq(lambda one: special.expit(eta + one).sum() - y.sum(), -reach, reach, xtol=1e-12))
    lowest = _log_likelihood(eta + a, y) - float(chi2.ppf(level, 1)) / 2

    def above(one: float) -> float:
        return _log_likelihood(eta + one, y) - lowest

    return a, float(brentq(above, a - reach, a, xtol=1e-10)), float(brentq(above, a, a + reach, xtol=1e-10))


def _log_likelihood(eta: FloatArray, y: BoolArray) -> float:
    return float(special.log_expit(np.where(y, eta, -eta)).sum())


def _scaled(eta: FloatArray) -> FloatArray:
    return ((eta - eta.mean()) / eta.std())[:, None]
