"""Lesions whose rows cannot all be true, or that RECIST 1.1 does not allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from immunosarc.endpoints._lesion_rows import UNKNOWN, LesionRows, Problems, note

__all__ = ["note_conflicts"]

_MOST_TARGETS = 5


def note_conflicts(rows: LesionRows, base: NDArray[np.int64], problems: Problems) -> None:
    """Add what contradicts the baseline to the problems of each patient.

    Parameters
    ----------
    rows : LesionRows
        All rows.
    base : ndarray of int
        Baseline visit of each series, -1 without one.
    problems : dict of int to list of str
        By code of the patient; added to.
    """
    for role, word in (("target", "target"), ("non_target", "non-target")):
        _note_role(rows.of(role), base, word, problems)
    target = rows.of("target")
    unmeasured = (target.visit == base[target.series]) & (target.size == UNKNOWN)
    _note_all(target, unmeasured, "target {lesion} has no size at baseline, day {day}{reader}", problems)
    fresh = rows.of("new")
    early = (fresh.visit <= base[fresh.series]) & (base[fresh.series] >= 0)
    _note_all(fresh, early, "lesion {lesion} is called new at baseline, day {day}{reader}", problems)
    _note_too_many(target, base, problems)


def _note_role(rows: LesionRows, base: NDArray[np.int64], word: str, problems: Problems) -> None:
    start = base[rows.series]
    known = rows.where(rows.visit == start)
    later = (rows.visit > start) & (start >= 0)
    place = np.searchsorted(known.lesion, rows.lesion)
    inside = np.minimum(place, max(len(known.lesion) - 1, 0))
    found = known.lesion[inside] == rows.lesion if len(known.lesion) else np.zeros(len(later), dtype=bool)
    _note_all(rows, later & ~found, f"{word} {{lesion}} of day {{day}} is not in the baseline{{reader}}", problems)
    turned = np.zeros(len(later), dtype=bool)
    if len(known.lesion):
        turned = later & found & (known.nodal[inside] != rows.nodal)
    _note_all(rows, turned, f"{word} {{lesion}} changes between node and not on day {{day}}{{reader}}", problems)


def _note_too_many(targets: LesionRows, base: NDArray[np.int64], problems: Problems) -> None:
    at_base = targets.where(targets.visit == base[targets.series])
    counts = np.bincount(at_base.series, minlength=len(base))
    first = np.searchsorted(at_base.series, np.flatnonzero(counts > _MOST_TARGETS))
    for row in first:
        count = counts[at_base.series[row]]
        note(
            problems,
            at_base,
            int(row),
            f"{count} targets at baseline, RECIST 1.1 allows {_MOST_TARGETS}{{reader}}",
        )


def _note_all(rows: LesionRows, wrong: NDArray[np.bool_], words: str, problems: Problems) -> None:
    for row in np.flatnonzero(wrong):
        note(problems, rows, int(row), words)
