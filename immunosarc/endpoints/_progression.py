"""Progression-free survival from visits, with the reason why each patient's clock stopped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._course_visits import CourseVisits

__all__ = ["REASONS", "Dates", "ProgressionFree", "progression_free"]

FloatArray = NDArray[np.float64]

_EVENTS = ("progression", "death", "clinical progression", "another therapy")
_PD, _DEATH, _CLINICAL, _THERAPY = range(len(_EVENTS))
_AT_LAST = "censored at the last adequate scan"

REASONS = (
    *_EVENTS,
    *(f"{_AT_LAST}: scans were missed before {event}" for event in _EVENTS),
    f"{_AT_LAST} before another therapy",
    _AT_LAST,
    "censored on day 1: no adequate scan after baseline",
)
_MISSED, _BEFORE_THERAPY, _LAST, _NO_SCAN = len(_EVENTS), len(REASONS) - 3, len(REASONS) - 2, len(REASONS) - 1


class Dates(NamedTuple):
    """Study days of what may happen to each patient outside of visits; missing when it did not."""

    death: FloatArray
    therapy: FloatArray
    clinical: FloatArray


class ProgressionFree(NamedTuple):
    """Of each patient: the day the clock stopped (= days since first dose), the event, index into ``REASONS``."""

    days: FloatArray
    event: NDArray[np.bool_]
    reason: NDArray[np.int64]


def progression_free(visits: CourseVisits, dates: Dates, *, rules: ResponseRules) -> ProgressionFree:
    """Return days to progression or death, or to the last scan that shows neither.

    Parameters
    ----------
    visits : CourseVisits
        Up to the data cut.
    dates : Dates
        Death, another therapy and clinical progression, as far as known by the data cut.
    rules : ResponseRules
        The scan calendar, and what counts as an event.
    """
    event, kind = _first_event(visits, dates, rules)
    censoring = dates.therapy if rules.new_therapy == "censor" else np.full(visits.n, np.nan)
    treated_first = censoring < np.where(np.isnan(event), np.inf, event)
    until = np.fmin(np.where(treated_first, censoring, np.inf), np.where(np.isnan(event), np.inf, event - 1))
    last = visits.last_day(~visits.called("NE", "PD") & (visits.day <= until[visits.patient]))
    scanned = ~np.isnan(last)
    last = np.where(scanned, last, 1.0)
    happened = ~np.isnan(event) & ~treated_first
    late = (event - last > rules.longest_gap_days) & (rules.after_missed_scans == "censor")
    counts = happened & ~late
    reason = np.select(
        [counts, happened, treated_first & scanned, scanned],
        [kind, kind + _MISSED, np.full(visits.n, _BEFORE_THERAPY), np.full(visits.n, _LAST)],
        default=_NO_SCAN,
    )
    return ProgressionFree(np.where(counts, event, last), counts, reason)


def _first_event(visits: CourseVisits, dates: Dates, rules: ResponseRules) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return the day of the first event and which it is; on one day the scan speaks first, then death."""
    never = np.full(visits.n, np.nan)
    days = np.stack(
        [
            visits.first_day(visits.called("PD")),
            dates.death,
            dates.clinical if rules.clinical_progression == "event" else never,
            dates.therapy if rules.new_therapy == "event" else never,
        ]
    )
    kind = np.argmin(np.where(np.isnan(days), np.inf, days), axis=0)
    return days[kind, np.arange(visits.n)], kind.astype(np.int64)
