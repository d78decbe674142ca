"""RECIST 1.1 at each visit, in whole micrometers: targets, non-targets, new lesions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunosarc.endpoints._lesion_rows import MICROMETERS, UNKNOWN, LesionRows
from immunosarc.endpoints._segments import Segments

__all__ = [
    "CALLS",
    "NONE",
    "NonTargetCalls",
    "TargetCalls",
    "baseline_visits",
    "new_lesion_rows",
    "new_lesions",
    "non_target_calls",
    "overall",
    "targets",
]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

CALLS = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE")
CR, PR, SD, NON, PD, NE = range(len(CALLS))
NONE = -1
"""No such lesion at baseline, or no response to call."""

_FIVE = 5 * MICROMETERS
_NODE = 10 * MICROMETERS
_NEVER = 1 << 36


@dataclass(frozen=True)
class TargetCalls:
    """Target lesions at each visit.

    Attributes
    ----------
    call : ndarray of int
        Index into ``CALLS`` or ``NONE``.
    expected, assessed, other_method : ndarray of int
        Targets at baseline, those assessed, and those not counted because imaged otherwise.
    total, baseline, nadir, nadir_day : ndarray of int
        Sums in micrometers; nadir before the visit, with its day.
    from_baseline : ndarray of int
        The call if growth were measured from baseline: not RECIST, kept to explain reports.
    """

    call: IntArray
    expected: IntArray
    assessed: IntArray
    other_method: IntArray
    total: IntArray
    baseline: IntArray
    nadir: IntArray
    nadir_day: IntArray
    from_baseline: IntArray


class NonTargetCalls(NamedTuple):
    """Non-target lesions at each visit: the call, how many there were at baseline, how many were assessed."""

    call: IntArray
    expected: IntArray
    assessed: IntArray


def baseline_visits(rows: LesionRows) -> IntArray:
    """Return for each series its last visit on or before day 1, -1 without one.

    A visit at which lesions were listed goes before one that was only called.
    """
    base = np.full(len(rows.visits.start), -1, dtype=np.int64)
    for candidates in (rows.day <= 1, (rows.day <= 1) & rows.listed):
        found = np.flatnonzero(candidates)
        base[rows.visits.of[found]] = found
    return base


def targets(rows: LesionRows, base: IntArray) -> TargetCalls:
    """Call the target lesions of every visit.

    Parameters
    ----------
    rows : LesionRows
        The target rows at and after baseline.
    base : ndarray of int
        Baseline visit of each series.
    """
    visits = rows.visits
    size = np.where(rows.changed_method, UNKNOWN, rows.size)
    seen = size != UNKNOWN
    sizes = np.where(seen, size, 0)
    total, assessed = rows.per_visit(sizes), rows.per_visit(seen)
    expected, first = (_at_baseline(values, base)[visits.of] for values in (assessed, total))
    after = np.arange(len(total)) > base[visits.of]
    complete = (assessed == expected) & (np.arange(len(total)) >= base[visits.of]) & (base[visits.of] >= 0)
    nadir, nadir_visit = _nadir(visits, np.where(complete, total, _NEVER))
    diseased = rows.per_visit((sizes > 0) & ~rows.nodal) + rows.per_visit((sizes >= _NODE) & rows.nodal)
    gone = complete & after & (diseased == 0)
    was_gone = visits.before(visits.sum_so_far(gone.astype(np.int64)), otherwise=0) > 0
    returned = rows.per_visit((sizes > 0) & ~rows.nodal) + _nodes_back(rows, sizes, was_gone) > 0
    grown = np.where(was_gone, returned, _grown(total, nadir))
    call = _call(grown & after, complete, gone, total=total, first=first)
    against_baseline = _call(_grown(total, first), complete, gone, total=total, first=first)
    none = (expected == 0) | ~after
    return TargetCalls(
        call=np.where(none, NONE, call),
        expected=expected,
        assessed=assessed,
        other_method=rows.per_visit(rows.changed_method),
        total=total,
        baseline=first,
        nadir=nadir,
        nadir_day=rows.day[np.maximum(nadir_visit, 0)],
        from_baseline=np.where(none, NONE, against_baseline),
    )


def _at_baseline(values: IntArray, base: IntArray) -> IntArray:
    taken: IntArray = np.where(base >= 0, values[np.maximum(base, 0)], 0)
    return taken


def _nadir(visits: Segments, total: IntArray) -> tuple[IntArray, IntArray]:
    """Return the smallest sum before each visit and the visit where it was first reached."""
    smallest = visits.smallest_before(total, otherwise=_NEVER)
    # the nadir is reached where a sum falls below all before it
    reached = np.where(total < smallest, np.arange(len(total)), -1)
    latest = np.maximum.accumulate(np.where(reached >= 0, reached, -1)) if len(total) else reached
    return smallest, visits.before(latest, otherwise=-1)


def _grown(total: IntArray, reference: IntArray) -> BoolArray:
    """At least 20% and 5 mm more; after a sum of 0 any lesion is growth."""
    more = total - reference
    return np.where(reference == 0, total > 0, (5 * more >= reference) & (more >= _FIVE))


def _nodes_back(rows: LesionRows, sizes: IntArray, was_gone: BoolArray) -> IntArray:
    """Count, after a complete response, the nodes of at least 10 mm that grew by 5 mm over their nadir."""
    back = np.zeros(len(rows.day), dtype=np.int64)
    series = np.zeros(len(rows.visits.start), dtype=bool)
    series[rows.visits.of[was_gone]] = True
    concerned = np.flatnonzero(rows.nodal & series[rows.series])
    order = concerned[np.lexsort((rows.visit[concerned], rows.lesion[concerned]))]
    lesions = Segments.by(rows.lesion[order])
    known = rows.size[order] != UNKNOWN
    low = lesions.smallest_before(np.where(known, sizes[order], _NEVER), otherwise=_NEVER)
    large = known & (sizes[order] >= _NODE) & (sizes[order] - low >= _FIVE)
    np.add.at(back, rows.visit[order][large], 1)
    return np.where(was_gone, back, 0)


def _call(grown: BoolArray, complete: BoolArray, gone: BoolArray, *, total: IntArray, first: IntArray) -> IntArray:
    shrunk = 10 * (first - total) >= 3 * first
    return np.select([first == 0, gone, grown, ~complete, shrunk], [NE, CR, PD, NE, PR], default=SD)


def non_target_calls(rows: LesionRows, base: IntArray) -> NonTargetCalls:
    """Call the non-target lesions of every visit.

    Parameters
    ----------
    rows : LesionRows
        The non-target rows at and after baseline.
    base : ndarray of int
        Baseline visit of each series.
    """
    normal = rows.nodal & (rows.size >= 0) & (rows.size < _NODE)
    absent = rows.stated("absent") | (rows.size == 0) | normal
    worse = rows.stated("progression", "further_progression")
    present = (rows.stated("present", "too_small") | (rows.size > 0)) & ~absent & ~worse
    assessed = rows.per_visit(absent | present | worse)
    expected = _at_baseline(rows.per_visit(np.ones(len(rows.visit))), base)[rows.visits.of]
    after = np.arange(len(assessed)) > base[rows.visits.of]
    call = np.select(
        [rows.per_visit(worse) > 0, assessed < expected, rows.per_visit(absent) == expected],
        [PD, NE, CR],
        default=NON,
    )
    return NonTargetCalls(np.where((expected > 0) & after, call, NONE), expected, assessed)


def new_lesions(rows: LesionRows) -> tuple[BoolArray, BoolArray]:
    """Return at which visits there is a new lesion, and at which only an equivocal one.

    Parameters
    ----------
    rows : LesionRows
        The rows of new lesions.
    """
    doubtful = rows.where(~rows.stated("not_assessed", "absent"))
    listed, here = new_lesion_rows(rows)
    lesions = Segments.by(listed.lesion)
    count = here.astype(np.int64)
    delta = np.zeros(len(rows.day), dtype=np.int64)
    if len(count):
        np.add.at(delta, listed.visit, count - lesions.before(count, otherwise=0))
    ever = np.isin(doubtful.lesion, listed.lesion[here])
    equivocal = doubtful.stated("equivocal") | (doubtful.pet & (doubtful.size != 0))
    return rows.visits.sum_so_far(delta) > 0, doubtful.per_visit(equivocal & ~ever) > 0


def new_lesion_rows(rows: LesionRows) -> tuple[LesionRows, BoolArray]:
    """Return the assessed rows in the order of lesion and visit, and at which of them the new lesion is there.

    A lesion counts from the day it was first seen, if it was unequivocal then or later, until it
    is said to be absent.

    Parameters
    ----------
    rows : LesionRows
        The rows of new lesions.
    """
    rows = rows.where(np.lexsort((rows.visit, rows.lesion)))
    rows = rows.where(~rows.stated("not_assessed"))
    absent = rows.stated("absent") | ((rows.size == 0) & (rows.status < 0))
    equivocal = rows.stated("equivocal") | (rows.pet & ~absent)
    lesions = Segments.by(rows.lesion)
    sure = (lesions.total(~absent & ~equivocal) > 0)[lesions.of] if len(lesions.of) else absent
    return rows, sure & ~absent


def overall(target: IntArray, non_target: IntArray, new: BoolArray) -> IntArray:
    """Combine the three parts of a visit into its overall response.

    Parameters
    ----------
    target, non_target : ndarray of int
        Index into ``CALLS``, or ``NONE`` without such lesions at baseline.
    new : ndarray of bool
        Whether there is a new lesion.
    """
    progressed = (target == PD) | (non_target == PD) | new
    complete = (target == CR) & ((non_target == CR) | (non_target == NONE))
    by_non_target = np.where(non_target == NONE, NE, non_target)
    return np.select(
        [progressed, target == NONE, complete, target == CR],
        [PD, by_non_target, CR, PR],
        default=target,
    )
