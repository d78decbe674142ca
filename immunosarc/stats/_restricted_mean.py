"""The average time without an event up to a horizon, which exists where the median is not reached."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import check_level, refuse
from immunosarc.stats._survival import KaplanMeier, kaplan_meier

__all__ = ["RestrictedMean", "restricted_mean"]


class RestrictedMean(NamedTuple):
    """Mean time without event up to the horizon, in the unit of the times, with standard error and interval."""

    mean: float
    std_error: float
    conf_low: float
    conf_high: float


def restricted_mean(time: ArrayLike, event: ArrayLike, horizon: float, *, level: float = 0.95) -> RestrictedMean:
    r"""Give how long a patient lives without the event on average, counted up to a horizon.

    The area under the Kaplan-Meier curve, with the variance that Greenwood's formula gives it:

    .. math::

        \mu(\tau) = \int_0^\tau \hat S(t)\,dt, \quad
        \widehat{\mathrm{var}} = \sum_{t_j \le \tau} \Big[\int_{t_j}^\tau \hat S(t)\,dt\Big]^2
        \frac{d_j}{n_j (n_j - d_j)}

    Where the last follow-up lies before the horizon, the curve goes on level; compare groups only up
    to a horizon that all of them reach. Source: Royston and Parmar 2013, doi 10.1186/1471-2288-13-152.

    Parameters
    ----------
    time : array_like of shape (n_patients,)
        Follow-up in any one unit, at least 0, none missing.
    event : array_like of bool, shape (n_patients,)
        True where the event happened, False where the patient was censored.
    horizon : float
        Up to when to count, above 0.
    level : float
        Confidence level of the interval, which is symmetric.

    Returns
    -------
    RestrictedMean
        ``mean``, ``std_error``, ``conf_low``, ``conf_high``.

    Raises
    ------
    ImmunosarcError
        When the horizon is not above 0, or the follow-up is not right; see :func:`kaplan_meier`.

    Examples
    --------
    >>> result = restricted_mean([2, 4, 6, 8], [1, 1, 0, 1], 6)
    >>> result.mean, round(result.std_error, 4)
    (4.5, 0.8292)
    """
    problems: list[str] = []
    check_level(level, problems)
    if not (np.isfinite(horizon) and horizon > 0):
        problems.append(f"horizon: need a finite time above 0, have {horizon!r}")
    refuse("restricted_mean", problems)
    curve = kaplan_meier(time, event)
    mean, std_error = _area(curve, float(horizon))
    margin = float(special.ndtri((1.0 + level) / 2.0)) * std_error
    return RestrictedMean(mean, std_error, mean - margin, mean + margin)


def _area(curve: KaplanMeier, horizon: float) -> tuple[float, float]:
    inside = curve.time < horizon
    time = curve.time[inside]
    steps = np.diff(np.concatenate([[0.0], time, [horizon]]))
    areas = steps * np.concatenate([[1.0], curve.survival[inside]])
    beyond = areas[::-1].cumsum()[::-1][1:]
    at_risk, died = curve.at_risk[inside].astype(np.float64), curve.n_event[inside]
    left = at_risk * (at_risk - died)
    # after the last patient's event nothing lies beyond, whatever Greenwood's term would be
    share = np.divide(died, left, out=np.zeros_like(left), where=left > 0)
    return float(areas.sum()), float(np.sqrt(np.sum(beyond**2 * share)))
