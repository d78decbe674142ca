"""Who is followed for how long in a trial that waits for events: accrual, follow-up, dropout."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from immunosarc.stats._inputs import FloatArray, check_level, refuse

__all__ = ["Enrollment", "check_enrollment", "event_probability", "followed", "over_follow_up"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


class Enrollment(NamedTuple):
    """Patients enter evenly over ``accrual``; the last one is followed for ``follow_up``. Same unit of time.

    ``dropout`` is the hazard of leaving, per unit of time.
    """

    accrual: float
    follow_up: float
    dropout: float = 0.0


def event_probability(hazard: float, enrollment: Enrollment) -> float:
    r"""Give the chance that a patient's event is seen before the trial ends.

    Exponential times with the given hazard, even accrual, exponential dropout:
    :math:`\int_0^\infty \lambda e^{-(\lambda + \delta) t} G(t)\,dt` with G the share of patients
    whose follow-up reaches t.

    Parameters
    ----------
    hazard : float
        Events per unit of time.
    enrollment : Enrollment
        Accrual, follow-up, dropout.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ImmunosarcError
        When a number is outside its range.

    Examples
    --------
    >>> round(event_probability(np.log(2) / 6, Enrollment(accrual=12, follow_up=6)), 3)
    0.729
    """
    check_enrollment("event_probability", enrollment, {"hazard": hazard})
    return over_follow_up(lambda t: hazard * np.exp(-(hazard + enrollment.dropout) * t), enrollment)


def over_follow_up(density: Callable[[FloatArray], FloatArray], enrollment: Enrollment) -> float:
    """Return the integral of a function over the times that patients are followed, weighed by who still is."""
    kinks = sorted({0.0, enrollment.follow_up, enrollment.accrual + enrollment.follow_up})
    total = 0.0
    for low, high in pairwise(kinks):
        t = (high - low) / 2.0 * _NODES + (high + low) / 2.0
        total += (high - low) / 2.0 * float((_WEIGHTS * density(t) * followed(t, enrollment)).sum())
    return total


def followed(t: FloatArray, enrollment: Enrollment) -> FloatArray:
    """Return the share of patients whose follow-up reaches t when nobody drops out."""
    if enrollment.accrual == 0:
        return (t <= enrollment.follow_up).astype(np.float64)
    share: FloatArray = np.clip((enrollment.accrual + enrollment.follow_up - t) / enrollment.accrual, 0.0, 1.0)
    return share


def check_enrollment(
    function: str,
    enrollment: Enrollment,
    positive: dict[str, float],
    *,
    ratio: float | None = None,
    alpha: float | None = None,
    power: float | None = None,
) -> None:
    problems = [f"{name}: need a number above 0, have {value!r}" for name, value in positive.items() if value <= 0]
    if enrollment.accrual < 0 or enrollment.follow_up < 0 or enrollment.accrual + enrollment.follow_up <= 0:
        problems.append(
            f"accrual and follow_up: need times that are not negative, and some time, have {enrollment}"
        )
    if enrollment.dropout < 0:
        problems.append(f"dropout: need a hazard that is not negative, have {enrollment.dropout!r}")
    if ratio is not None and not 0.0 < ratio < 1.0:
        problems.append(f"ratio: need a hazard ratio in (0, 1), have {ratio!r}")
    for name, value in (("alpha", alpha), ("power", power)):
        if value is not None:
            check_level(value, problems, name)
    refuse(function, problems)
