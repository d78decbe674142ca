"""Progression-free survival from visits, with the reason why each patient's clock stopped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._course_visits import CourseVisits

__all__ = ["REASONS", "ProgressionFree", "progression_free"]

FloatArray = NDArray[np.float64]

REASONS = (
    "progression",
    "death",
    "censored at the last adequate scan before another therapy",
    "censored at the last adequate scan: scans were missed before progression",
    "censored at the last adequate scan: scans were missed before death",
    "censored at the last adequate scan",
    "censored on day 1: no adequate scan after baseline",
)
_PD, _DEATH, _THERAPY, _MISSED_PD, _MISSED_DEATH, _LAST, _NO_SCAN = range(len(REASONS))


class ProgressionFree(NamedTuple):
    """Of each patient: the day the clock stopped (= days since first dose), the event, index into ``REASONS``."""

    days: FloatArray
    event: NDArray[np.bool_]
    reason: NDArray[np.int64]


def progression_free(
    visits: CourseVisits, death: FloatArray, therapy: FloatArray, *, rules: ResponseRules
) -> ProgressionFree:
    """Return days to progression or death, or to the last scan that shows neither.

    Parameters
    ----------
    visits : CourseVisits
        Up to the data cut.
    death, therapy : ndarray of float
        Day of death and of another therapy, missing without one.
    rules : ResponseRules
        The scan calendar.
    """
    progression = visits.first_day(visits.called("PD"))
    event = np.fmin(progression, death)
    treated_first = therapy < np.where(np.isnan(event), np.inf, event)
    until = np.fmin(np.where(treated_first, therapy, np.inf), np.where(np.isnan(event), np.inf, event - 1))
    adequate = ~visits.called("NE", "PD") & (visits.day <= until[visits.patient])
    last = visits.last_day(adequate)
    scanned = ~np.isnan(last)
    last = np.where(scanned, last, 1.0)
    happened = ~np.isnan(event) & ~treated_first
    missed = happened & (event - last > rules.longest_gap_days)
    by_death = np.isnan(progression) | (death < progression)
    counts = happened & ~missed
    reason = np.select(
        [counts & by_death, counts, missed & by_death, missed, treated_first & scanned, scanned],
        [_DEATH, _PD, _MISSED_DEATH, _MISSED_PD, _THERAPY, _LAST],
        default=_NO_SCAN,
    )
    return ProgressionFree(np.where(counts, event, last), counts, reason)
