"""Log-rank statistic and hazard ratio of very many two-arm trials at once, for simulated trials."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from immunosarc.stats._inputs import BoolArray, FloatArray, refuse

__all__ = ["TwoArms", "two_arm_statistics"]

_STEPS, _LARGEST = 12, 6.0


class TwoArms(NamedTuple):
    """What each trial shows; arrays over trials."""

    z: FloatArray
    """Log-rank: negative where the treated have fewer events than expected; NaN without events."""
    variance: FloatArray
    """Of observed minus expected events."""
    log_ratio: FloatArray
    """Log hazard ratio of Cox, treated against control, held within -6 to 6."""
    information: FloatArray
    """One over its variance."""


def two_arm_statistics(
    times: FloatArray, events: BoolArray, treated: BoolArray, *, among: BoolArray | None = None
) -> TwoArms:
    r"""Give log-rank statistic and hazard ratio of each of many simulated trials without tied times.

    With r treated of n at risk at an event, :math:`O - E = \sum (x - r/n)` and
    :math:`V = \sum (r/n)(1 - r/n)`; Cox's log hazard ratio is found by Newton's steps for all trials together.

    Parameters
    ----------
    times, events, treated : array (n_trials, n_patients)
        Follow-up, whether it ended with the event, and the arm.
    among : array (n_trials, n_patients), optional
        Patients who count, such as those with the marker; all unless given.

    Returns
    -------
    TwoArms

    Raises
    ------
    ImmunosarcError
        When shapes differ.

    Examples
    --------
    >>> found = two_arm_statistics(
    ...     np.array([[1.0, 2.0, 3.0, 4.0]]), np.ones((1, 4), dtype=bool), np.array([[False, True, False, True]])
    ... )
    >>> found.z.round(3).tolist(), found.log_ratio.round(3).tolist()
    ([-0.784], [-0.941])
    """
    everyone = np.ones(times.shape, dtype=np.bool_) if among is None else among
    if times.ndim != 2 or not times.shape == events.shape == treated.shape == everyone.shape:
        refuse("two_arm_statistics", ["times, events, treated, among: need matrices of one shape"])
    order = np.argsort(times, axis=1)
    happened, arm, mine = (np.take_along_axis(one, order, 1) for one in (events, treated, everyone))
    n_treated = _still_there(mine & arm)
    n_control = _still_there(mine & ~arm)
    died = happened & mine
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(died, n_treated / (n_treated + n_control), 0.0)
        surplus = (died & arm).sum(axis=1) - share.sum(axis=1)
        variance = (share * (1.0 - share)).sum(axis=1)
        z = surplus / np.sqrt(variance)
    observed = (died & arm).sum(axis=1).astype(np.float64)
    log_ratio, information = np.zeros(len(times)), variance
    for _ in range(_STEPS):
        weighed = n_treated * np.exp(log_ratio)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(died, weighed / (weighed + n_control), 0.0)
            information = (share * (1.0 - share)).sum(axis=1)
            step = np.where(information > 0, (observed - share.sum(axis=1)) / information, 0.0)
        log_ratio = np.clip(log_ratio + np.clip(step, -1.0, 1.0), -_LARGEST, _LARGEST)
    return TwoArms(z, variance, log_ratio, information)


def _still_there(who: BoolArray) -> FloatArray:
    """Return how many of them are at risk at each time, in ascending order of time."""
    counts: FloatArray = np.cumsum(who[:, ::-1], axis=1)[:, ::-1].astype(np.float64)
    return counts
