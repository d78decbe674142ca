"""The compiled sort for large matrices, and the walk along it; import it only where it pays.

A float's bits, with the sign turned, sort like the float. Three passes of eleven bits put the leading 33 bits in
order; the few neighbors that differ only below are set right by insertion.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from immunosarc.features._scoring import Floats

__all__ = ["rank_rows", "top_rank_sums", "walk_rows"]

Ints = NDArray[np.int64]
Columns = NDArray[np.uint32]

_DIGITS = 2048
_compiled = numba.njit(cache=True, nogil=True)


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def rank_rows(block: Floats, used: Columns, by_row: bool) -> tuple[Floats, Floats, Floats, Ints]:
    """Return lowest and highest rank of the tie of each used column, its place, and how many values a row has.

    The place is the mean of both, or the column's own where equal values are told apart by row. NaN where a
    value is missing.
    """
    rows, columns = block.shape
    low, high, place = np.empty((3, rows, len(used)))
    measured = np.empty(rows, np.int64)
    keys, order = np.empty((2, columns), np.uint64), np.empty((2, columns), np.uint32)
    # where each column is in the order, where its tie begins, and where that tie ends
    spot, begins, ends = np.empty((3, columns), np.uint32)
    for row in range(rows):
        n = _sort(block[row], keys, order)
        measured[row] = n
        if n < columns:
            begins[:] = columns
        ranked, places = keys[1], order[1]
        begin = 0
        for i in range(n):
            if ranked[i] != ranked[begin]:
                ends[begin] = i
                begin = i
            begins[places[i]] = begin
            if by_row:
                spot[places[i]] = i
        if n:
            ends[begin] = n
        for i in range(len(used)):
            begin = begins[used[i]]
            if begin == columns:
                low[row, i], high[row, i], place[row, i] = np.nan, np.nan, np.nan
                continue
            end = ends[begin]
            low[row, i], high[row, i], place[row, i] = begin + 1.0, end, (begin + 1.0 + end) / 2
            if by_row:
                place[row, i] = end - (spot[used[i]] - begin)
    return low, high, place, measured


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def walk_rows(block: Floats, starts: Ints, sets: Ints, inside: Ints, by_row: bool) -> tuple[Floats, Floats]:
    """Return the greatest rise and fall of each set's walk over the columns of a row, from the highest value.

    The sets of column c are ``sets[starts[c]:starts[c + 1]]``. A step up weighs the distance of a place from the
    middle. Sums are of quarters and products of sums below 2**53: nothing is rounded before the last division.
    """
    rows, columns = block.shape
    rise, fall = np.full((2, rows, len(inside)), np.nan)
    keys, order = np.empty((2, columns), np.uint64), np.empty((2, columns), np.uint32)
    best, worst, total, run = np.empty((4, len(inside)))
    seen = np.empty(len(inside), np.int64)
    for row in range(rows):
        n = _sort(block[row], keys, order)
        ranked, columns_in_order = keys[1], order[1]
        best[:], worst[:], total[:], run[:], seen[:] = 0.0, 0.0, 0.0, 0.0, 0
        for passing in range(2):  # the whole weight of a set first, then its walk
            end = n
            while end > 0:
                start = end - 1
                while start > 0 and ranked[start - 1] == ranked[start]:
                    start -= 1
                for i in range(start, end):
                    column = columns_in_order[i]
                    place = (start + 1 + end) / 2.0
                    top, bottom = n - end, n - start - 1  # columns above the tie, and above its last
                    if by_row:
                        place = end - (i - start)
                        top = bottom = n - (end - (i - start))
                    weight = abs(place - n / 2.0)
                    for j in range(starts[column], starts[column + 1]):
                        s = sets[j]
                        if passing == 0:
                            total[s] += weight
                            seen[s] += 1
                            continue
                        misses, before = n - inside[s], seen[s]
                        worst[s] = min(worst[s], run[s] * misses - (top - before) * total[s])
                        run[s] += weight
                        seen[s] = before + 1
                        best[s] = max(best[s], run[s] * misses - (bottom - before) * total[s])
                end = start
            if passing == 0:
                total[seen < inside] = np.nan  # a member without a value
                seen[:] = 0
        for s in range(len(inside)):
            whole = total[s] * (n - inside[s])
            if whole > 0:
                rise[row, s], fall[row, s] = best[s] / whole, worst[s] / whole
    return rise, fall


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _sort(values: Floats, keys: NDArray[np.uint64], order: Columns) -> int:
    """Put the values' keys and columns in order, equal ones as they come, into the second row; return how many."""
    columns = len(values)
    bits = values.view(np.uint64)
    counts = np.zeros((3, _DIGITS), np.int64)
    top = np.uint64(1) << np.uint64(63)
    n = 0
    for column in range(columns):
        if np.isnan(values[column]):
            continue
        key = bits[column]
        if values[column] == 0.0:  # minus zero equals zero
            key = top
        elif key & top:
            key = ~key
        else:
            key = key | top
        keys[0, n], order[0, n] = key, column
        counts[0, (key >> np.uint64(31)) & np.uint64(2047)] += 1
        counts[1, (key >> np.uint64(42)) & np.uint64(2047)] += 1
        counts[2, key >> np.uint64(53)] += 1
        n += 1
    for digit in range(3):
        shift = np.uint64(31 + 11 * digit)
        here, there = digit % 2, 1 - digit % 2
        source, target, moving, moved = keys[here], keys[there], order[here], order[there]
        total, slots = 0, counts[digit]
        for value in range(_DIGITS):
            slots[value], total = total, total + slots[value]
        for i in range(n):
            key = source[i]
            value = (key >> shift) & np.uint64(2047)
            place = slots[value]
            slots[value] = place + 1
            target[place], moved[place] = key, moving[i]
    _insert(keys[1, :n], order[1, :n])
    return n


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _insert(keys: NDArray[np.uint64], order: Columns) -> None:
    moves = 0
    for i in range(1, len(keys)):
        key, column, j = keys[i], order[i], i - 1
        if keys[j] <= key:
            continue
        while j >= 0 and keys[j] > key:
            keys[j + 1], order[j + 1] = keys[j], order[j]
            j -= 1
            moves += 1
        keys[j + 1], order[j + 1] = key, column
        if moves > 64 * len(keys):  # values alike in 33 bits: sort them the usual way
            again = np.argsort(keys, kind="mergesort")
            keys[:], order[:] = keys[again], order[again]
            return


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def top_rank_sums(
    data: Floats, columns: Ints, ends: Ints, starts: Ints, sets: Ints, inside: Ints, most: float
) -> Floats:
    """Return each set's sum of ranks from the highest, in rows of a sparse matrix.

    Ranks beyond ``most`` count as one more. The values that are not stored are zeros and share their mean rank.
    The sets of column c are ``sets[starts[c]:starts[c + 1]]``.
    """
    rows, n_columns = len(ends) - 1, len(starts) - 1
    sums = np.empty((rows, len(inside)))
    values, places = np.empty(n_columns), np.empty(n_columns, np.uint32)
    keys, order = np.empty((2, n_columns), np.uint64), np.empty((2, n_columns), np.uint32)
    for row in range(rows):
        stored, above = 0, 0
        for i in range(ends[row], ends[row + 1]):
            if data[i] != 0.0:
                values[stored], places[stored] = data[i], columns[i]
                above += data[i] > 0.0
                stored += 1
        zeros = n_columns - stored
        of_zeros = above + (zeros + 1) / 2.0
        of_zeros = most + 1.0 if of_zeros > most else of_zeros
        for s in range(len(inside)):
            sums[row, s] = inside[s] * of_zeros
        _sort(values[:stored], keys, order)
        ranked, moved = keys[1], order[1]
        end = stored
        while end > 0:
            start = end - 1
            while start > 0 and ranked[start - 1] == ranked[start]:
                start -= 1
            rank = stored - (start + end - 1) / 2.0
            if end <= stored - above:  # below zero
                rank += zeros
            gain = (most + 1.0 if rank > most else rank) - of_zeros
            for i in range(start, end):
                column = places[moved[i]]
                for j in range(starts[column], starts[column + 1]):
                    sums[row, sets[j]] += gain
            end = start
    return sums
