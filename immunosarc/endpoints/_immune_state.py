"""iRECIST as a state that walks along the visits, for all patients at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunosarc.endpoints._lesion_rows import MICROMETERS, UNKNOWN, LesionRows
from immunosarc.endpoints._segments import Segments
from immunosarc.endpoints._visit_calls import CALLS, NonTargetCalls, TargetCalls, new_lesion_rows

__all__ = ["CAUSES", "IMMUNE_CALLS", "ImmuneCalls", "immune_calls", "immune_facts"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

IMMUNE_CALLS = ("iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iUPD", "NE", "iCPD")
"""In the order of ``CALLS``, where PD is unconfirmed; then the confirmed one."""

CAUSES = ("", "T", "NT", "T+NT", "NL", "T+NL", "NT+NL", "T+NT+NL")
"""By the sum of 1 for targets, 2 for non-targets and 4 for new lesions."""

_BITS = np.array([1, 2, 4])
_PD, _NE, _CONFIRMED = CALLS.index("PD"), CALLS.index("NE"), len(CALLS)
_FIVE = 5 * MICROMETERS
_MEASURABLE, _MEASURABLE_NODE, _MOST_NEW = 10 * MICROMETERS, 15 * MICROMETERS, 5


@dataclass(frozen=True)
class ImmuneFacts:
    """What decides each visit: RECIST parts, and the sizes in which further growth would show.

    Attributes
    ----------
    overall : ndarray of int
        RECIST 1.1 of the visit, an index into ``CALLS``.
    raised : ndarray of bool, shape (3, n_visits)
        Whether targets, non-targets or new lesions are progressive at the visit.
    target : ndarray of int
        Sum of the targets assessed, micrometers.
    non_target_count, non_target_size : ndarray of int
        Non-targets in unequivocal progression, and the sum of their sizes.
    further : ndarray of bool
        Whether a non-target was said to have progressed further.
    new_count, new_sum, new_other : ndarray of int
        New lesions present; sum of up to five measurable ones; sum of the others.
    """

    overall: IntArray
    raised: BoolArray
    target: IntArray
    non_target_count: IntArray
    non_target_size: IntArray
    further: BoolArray
    new_count: IntArray
    new_sum: IntArray
    new_other: IntArray


class ImmuneCalls(NamedTuple):
    """Of each visit: index into ``IMMUNE_CALLS``, cause as a sum of bits, visit of the iUPD in question."""

    call: IntArray
    cause: IntArray
    since: IntArray


def immune_facts(
    rows: LesionRows, target: TargetCalls, non_target: NonTargetCalls, *, overall: IntArray, new: BoolArray
) -> ImmuneFacts:
    """Gather what decides each visit.

    Parameters
    ----------
    rows : LesionRows
        All rows at and after baseline.
    target, non_target, overall, new
        RECIST 1.1 of every visit.
    """
    others = rows.of("non_target")
    worse = others.stated("progression", "further_progression")
    count, summed, rest = _new_sizes(rows)
    return ImmuneFacts(
        overall=overall,
        raised=np.stack([target.call == _PD, non_target.call == _PD, new]),
        target=target.total,
        non_target_count=others.per_visit(worse),
        non_target_size=others.per_visit(np.where(worse & (others.size != UNKNOWN), others.size, 0)),
        further=others.per_visit(others.stated("further_progression")) > 0,
        new_count=count,
        new_sum=summed,
        new_other=rest,
    )


def _new_sizes(rows: LesionRows) -> tuple[IntArray, IntArray, IntArray]:
    """Return how many new lesions there are at each visit, and their sizes; one not listed keeps its last."""
    fresh, here = new_lesion_rows(rows.of("new"))
    lesions = Segments.by(fresh.lesion)
    size = np.where(here & (fresh.size != UNKNOWN), fresh.size, 0)
    known = (fresh.size != UNKNOWN) | ~here
    size = _carried(size, known, lesions)
    first = np.where(fresh.nodal[lesions.start], _MEASURABLE_NODE, _MEASURABLE) if len(size) else size[:0]
    measurable = size[lesions.start] >= first
    measurable &= _among_first(fresh.series[lesions.start], measurable, fresh.visit[lesions.start])
    chosen = measurable[lesions.of] if len(size) else np.zeros(0, dtype=bool)
    return (
        _running(fresh, here.astype(np.int64), lesions),
        _running(fresh, np.where(chosen, size, 0), lesions),
        _running(fresh, np.where(chosen, 0, size), lesions),
    )


def _carried(size: IntArray, known: BoolArray, lesions: Segments) -> IntArray:
    """Return sizes in which an unknown one is the last known of the same lesion, or 0."""
    place = np.where(known, np.arange(len(size)), -1)
    latest = np.maximum.accumulate(place) if len(size) else place
    inside = latest >= lesions.start[lesions.of] if len(size) else known
    carried: IntArray = np.where(inside, size[np.maximum(latest, 0)], 0)
    return carried


def _among_first(series: IntArray, measurable: BoolArray, visit: IntArray) -> BoolArray:
    """Return which lesions are among the first five measurable new ones of their series."""
    order = np.lexsort((visit, series))
    if not len(order):
        return measurable
    so_far = Segments.by(series[order]).sum_so_far(measurable[order].astype(np.int64))
    kept = np.zeros(len(order), dtype=bool)
    kept[order] = so_far <= _MOST_NEW
    return kept


def _running(fresh: LesionRows, value: IntArray, lesions: Segments) -> IntArray:
    """Return at each visit the sum over lesions of their latest value."""
    change = np.zeros(len(fresh.day), dtype=np.int64)
    if len(value):
        np.add.at(change, fresh.visit, value - lesions.before(value, otherwise=0))
    return fresh.visits.sum_so_far(change)


def immune_calls(
    facts: ImmuneFacts, day: IntArray, *, visits: Segments, base: IntArray, confirm_days: int
) -> ImmuneCalls:
    """Walk along the visits of all series together.

    Parameters
    ----------
    facts : ImmuneFacts
    day : ndarray of int
        Study day of each visit.
    visits : Segments
        Visits by series.
    base : ndarray of int
        Baseline visit of each series.
    confirm_days : int
        An unconfirmed progression can be confirmed so many days later.
    """
    n = len(day)
    call, cause = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    since = np.full(n, -1, dtype=np.int64)
    waits = np.full(len(visits.start), -1, dtype=np.int64)
    confirmed = np.zeros(len(visits.start), dtype=bool)
    lengths = np.diff(np.append(visits.start, n))
    bits = _BITS @ facts.raised
    for step in range(int(lengths.max(initial=0))):
        series = np.flatnonzero((lengths > step) & (base >= 0) & (visits.start + step > base))
        now = visits.start[series] + step
        waiting, first = waits[series] >= 0, np.maximum(waits[series], 0)
        grown = _grown_further(facts, first, now) & waiting
        late = day[now] - day[first] >= confirm_days
        done = confirmed[series] | (grown.any(axis=0) & late)
        raised = bits[now] > 0
        opened = raised & ~waiting & ~done
        call[now] = np.select([done, raised], [_CONFIRMED, _PD], facts.overall[now])
        waits[series[opened]] = now[opened]
        cause[now] = np.where(done & grown.any(axis=0), _BITS @ grown, bits[now])
        since[now] = np.where(done | raised | waiting, waits[series], -1)
        confirmed[series] = done
        reset = waiting & ~done & (call[now] != _PD) & (call[now] != _NE)
        waits[series[reset]] = -1
        since[now[reset]] = -1
    return ImmuneCalls(call, cause, since)


def _grown_further(facts: ImmuneFacts, then: IntArray, now: IntArray) -> BoolArray:
    """Return by targets, non-targets and new lesions what has worsened since, or was not progressive then."""
    was, is_now = facts.raised[:, then], facts.raised[:, now]
    more = np.stack(
        [
            facts.target[now] - facts.target[then] >= _FIVE,
            facts.further[now]
            | (facts.non_target_count[now] > facts.non_target_count[then])
            | (facts.non_target_size[now] > facts.non_target_size[then]),
            (facts.new_count[now] > facts.new_count[then])
            | (facts.new_sum[now] - facts.new_sum[then] >= _FIVE)
            | (facts.new_other[now] > facts.new_other[then]),
        ]
    )
    return is_now & (~was | more)
