"""Best overall response, unconfirmed and confirmed, and the day of the first response."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._course_visits import CourseVisits, days_between
from immunosarc.endpoints._segments import Segments

__all__ = ["BEST", "BestResponse", "best_response"]

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

BEST = ("CR", "PR", "SD", "PD", "NE")
_CR, _PR, _SD, _PD, _NE = range(len(BEST))
_STABLE = ("SD", "NON-CR/NON-PD")


class BestResponse(NamedTuple):
    """Of each patient: index into ``BEST`` and the day of the first response, missing without one."""

    best: NDArray[np.int64]
    confirmed: NDArray[np.int64]
    first_day: FloatArray
    first_day_confirmed: FloatArray
    stable_too_short: BoolArray


def best_response(visits: CourseVisits, baseline: FloatArray, rules: ResponseRules) -> BestResponse:
    """Return the best response of every patient.

    Parameters
    ----------
    visits : CourseVisits
        Up to the data cut and to another therapy.
    baseline : ndarray of float
        Day of each patient's baseline.
    rules : ResponseRules
        Minimum duration of SD, and what confirms a response.
    """
    window = visits.where(_until_progression(visits, visits.called("PD")))
    worse = _worse_after_complete_response(window)
    strict = window.where(_until_progression(window, window.called("PD") | worse))
    strict_worse = strict.any(_worse_after_complete_response(strict))
    response = window.called("CR", "PR")
    stable = window.any(_lasting(window, baseline, rules, *_STABLE))
    any_control = strict.where(~_worse_after_complete_response(strict))
    held = any_control.any(_lasting(any_control, baseline, rules, "CR", "PR", *_STABLE))
    complete, _ = _confirmed(strict, strict.called("CR"), rules)
    partial, day = _confirmed(strict, strict.called("CR", "PR") & ~_worse_after_complete_response(strict), rules)
    progressed = window.any(window.called("PD"))
    best = np.select(
        [window.any(window.called("CR")), window.any(response), stable, progressed],
        [_CR, _PR, _SD, _PD],
        default=_NE,
    )
    confirmed = np.select(
        [complete, partial, held, strict.any(strict.called("PD")) | strict_worse],
        [_CR, _PR, _SD, _PD],
        default=_NE,
    )
    short = (best == _NE) & window.any(window.called(*_STABLE))
    return BestResponse(best, confirmed, window.first_day(response), day, short)


def _until_progression(visits: CourseVisits, progression: BoolArray) -> BoolArray:
    """Return which visits lie before or at the first progression."""
    if not len(visits.day):
        return np.zeros(0, dtype=bool)
    before = visits.segments.sum_so_far(progression.astype(np.int64)) - progression
    return before == 0


def _worse_after_complete_response(visits: CourseVisits) -> BoolArray:
    """Return which visits call less than CR after CR: something has come back."""
    if not len(visits.day):
        return np.zeros(0, dtype=bool)
    complete = visits.called("CR").astype(np.int64)
    return (visits.segments.sum_so_far(complete) > 0) & visits.called("PR", *_STABLE)


def _lasting(visits: CourseVisits, baseline: FloatArray, rules: ResponseRules, *names: str) -> BoolArray:
    elapsed = days_between(baseline[visits.patient], visits.day)
    lasting: BoolArray = visits.called(*names) & (elapsed >= rules.min_sd_days)
    return lasting


def _confirmed(visits: CourseVisits, response: BoolArray, rules: ResponseRules) -> tuple[BoolArray, FloatArray]:
    """Return who has a response that holds, and the day when it began.

    Responses form a run as long as only allowed visits lie between them; a run is confirmed when
    its last response is late enough after its first.
    """
    place = np.flatnonzero(response)
    none = np.zeros(visits.n, dtype=bool), np.full(visits.n, np.nan)
    if not len(place):
        return none
    unknown = np.cumsum(visits.called("NE"))[place]
    stable = np.cumsum(visits.called(*_STABLE))[place]
    gap_ne, gap_sd, gap = (np.diff(counts, prepend=counts[0]) for counts in (unknown, stable, place))
    strange = gap - 1 - gap_ne - gap_sd > 0
    new = strange | (gap_ne > rules.ne_between) | (gap_sd > rules.sd_between)
    new |= np.diff(visits.patient[place], prepend=-1) != 0
    runs = Segments(np.cumsum(new) - 1, np.flatnonzero(new))
    first = visits.day[place][runs.start]
    last = visits.day[place][np.append(runs.start[1:], len(place)) - 1]
    holds = last - first >= rules.confirm_days
    owner = visits.patient[place][runs.start][holds]
    confirmed, day = none
    confirmed[owner] = True
    day[owner[::-1]] = first[holds][::-1]
    return confirmed, day
