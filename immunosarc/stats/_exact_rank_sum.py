"""The exact distribution of a rank sum: every way to deal out the group labels within strata."""

from __future__ import annotations

import numpy as np

from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray
from immunosarc.stats._rank_sums import midranks

__all__ = ["enumerated_p"]

# patients of one stratum up to which all labelings are counted when there are ties or strata
_LARGEST = 60


def enumerated_p(values: FloatArray, marked: BoolArray, codes: IntArray, sides: FloatArray) -> FloatArray:
    """Share of the labelings whose rank sum lies at least as far out, by counting them all.

    Midranks are doubled, so that sums are whole numbers and ties cost nothing; labelings are counted
    by their sum, patient by patient, and strata are folded together. Labelings keep the number of
    responders of each stratum. NaN where a stratum has more than 60 patients with the feature.
    """
    strata = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    p = np.full(values.shape[1], np.nan)
    largest = np.max([(~np.isnan(values[rows])).sum(axis=0) for rows in strata], axis=0)
    few = np.flatnonzero(largest <= _LARGEST)
    ranks = [np.rint(2.0 * midranks(values[np.ix_(rows, few)])) for rows in strata]
    known: dict[tuple[bytes, ...], FloatArray] = {}
    for k, j in enumerate(few):
        parts, seen_sum = [], 0
        for rows, doubled in zip(strata, ranks, strict=True):
            has = ~np.isnan(doubled[:, k])
            own, cases = doubled[has, k].astype(np.int64), marked[rows][has]
            parts.append((np.sort(own), int(cases.sum())))
            seen_sum += int(own[cases].sum())
        key = tuple(own.tobytes() + bytes([cases]) for own, cases in parts)
        if key not in known:
            known[key] = _folded(parts)
        p[j] = _tail(known[key], seen_sum, parts, side=sides[j])
    return p


def _folded(parts: list[tuple[IntArray, int]]) -> FloatArray:
    """Probability of each sum over all strata."""
    total = np.ones(1)
    for own, cases in parts:
        total = np.convolve(total, _sums(own, cases))
    return total


def _sums(doubled: IntArray, cases: int) -> FloatArray:
    """Probability of each sum of ``cases`` of these doubled midranks when all choices are equally likely."""
    top = int(doubled[len(doubled) - cases :].sum())
    ways = np.zeros((cases + 1, top + 1))
    ways[0, 0] = 1.0
    for rank in doubled[doubled <= top].tolist():
        # the right-hand side is complete before it is added: each patient is chosen once at most
        ways[1:, rank:] += ways[:-1, : top + 1 - rank].copy()
    return np.asarray(ways[cases] / ways[cases].sum())


def _tail(chance: FloatArray, seen: int, parts: list[tuple[IntArray, int]], *, side: float) -> float:
    """Chance of sums as high as this (side 1), as low (-1), or as far from the mean (0)."""
    sums = np.arange(len(chance))
    if side:
        return min(float(chance[side * sums >= side * seen].sum()), 1.0)
    # twice the mean, so that it is a whole number too
    twice_mean = sum(2 * cases * int(own.sum()) // max(len(own), 1) for own, cases in parts)
    away = np.abs(2 * sums - twice_mean)
    return min(float(chance[away >= abs(2 * seen - twice_mean)].sum()), 1.0)
