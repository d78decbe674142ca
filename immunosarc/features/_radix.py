"""The compiled sort for large matrices, and the walk along it; import it only where it pays.

A float's bits, with the sign turned, sort like the float. Three passes of eleven bits put the leading 33 bits in
order; the few neighbors that differ only below are set right by insertion.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from immunosarc.features._scoring import Floats

__all__ = ["rank_rows", "top_rank_sums", "top_rank_sums_sparse", "walk_rows"]

Ints = NDArray[np.int64]
Columns = NDArray[np.uint32]
Keys = NDArray[np.uint64]

_DIGITS, _FEW = 2048, 512
_LAST = np.uint64(_DIGITS - 1)
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
def _sort(values: Floats, keys: Keys, order: Columns) -> int:
    """Put the values' keys and columns in order, equal ones as they come, into the second row; return how many."""
    bits = values.view(np.uint64)
    counts = np.zeros((3, _DIGITS), np.int64)
    n = 0
    for column in range(len(values)):
        if np.isnan(values[column]):
            continue
        key = _key(values[column], bits[column])
        keys[0, n], order[0, n] = key, column
        counts[0, (key >> np.uint64(31)) & _LAST] += 1
        counts[1, (key >> np.uint64(42)) & _LAST] += 1
        counts[2, key >> np.uint64(53)] += 1
        n += 1
    for digit in range(3):
        here, there = digit % 2, 1 - digit % 2
        shift = np.uint64(31 + 11 * digit)
        _move(keys[here, :n], order[here], keys[there], order[there], shift, counts[digit])
    _insert(keys[1, :n], order[1, :n])
    return n


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _sort_few(values: Floats, columns: Columns, keys: Keys, order: Columns) -> None:
    """Sort some hundreds of values, none missing, and the columns they came from, into the first row.

    Two passes over the leading bits of what they have above the lowest: fewer slots to empty and to count through.
    """
    n = len(values)
    bits = values.view(np.uint64)
    low, high = ~np.uint64(0), np.uint64(0)
    for i in range(n):
        key = _key(values[i], bits[i])
        keys[0, i], order[0, i] = key, columns[i]
        low, high = min(low, key), max(high, key)
    width = np.uint64(0)
    while (high - low) >> width > _FEW * _FEW - 1 and n:
        width += np.uint64(1)
    counts = np.zeros((2, _FEW), np.int64)
    for i in range(n):
        key = keys[0, i] - low
        keys[0, i] = key
        counts[0, (key >> width) & np.uint64(_FEW - 1)] += 1
        counts[1, key >> (width + np.uint64(9))] += 1
    _move(keys[0, :n], order[0], keys[1], order[1], width, counts[0])
    _move(keys[1, :n], order[1], keys[0], order[0], width + np.uint64(9), counts[1])
    _insert(keys[0, :n], order[0, :n])


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _key(value: float, bits: np.uint64) -> np.uint64:
    """Return a float's bits such that they sort like the float; minus zero equals zero."""
    top = np.uint64(1) << np.uint64(63)
    if value == 0.0:
        return top
    return ~bits if bits & top else bits | top


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _move(source: Keys, moving: Columns, target: Keys, moved: Columns, shift: np.uint64, slots: Ints) -> None:
    """Put keys and columns in the order of one digit; ``slots`` has how many keys have each of its values."""
    last, total = np.uint64(len(slots) - 1), 0
    for value in range(len(slots)):
        slots[value], total = total, total + slots[value]
    for i in range(len(source)):
        key = source[i]
        value = (key >> shift) & last
        place = slots[value]
        slots[value] = place + 1
        target[place], moved[place] = key, moving[i]


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _insert(keys: Keys, order: Columns) -> None:
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
def top_rank_sums(block: Floats, starts: Ints, sets: Ints, inside: Ints, limit: int) -> tuple[Floats, Ints]:
    """Return each set's sum of ranks from the highest, and how many values a row has.

    Ranks beyond ``limit``, or beyond the values a row has, count as one more; NaN for a set with a missing value.
    Only values that can have a rank up to ``limit`` are sorted. The sets of column c are
    ``sets[starts[c]:starts[c + 1]]``.
    """
    rows, columns = block.shape
    sums, measured = np.empty((rows, len(inside) + 1)), np.empty(rows, np.int64)
    first = _first_sets(starts, sets, len(inside))
    values, places = np.empty(columns), np.empty(columns, np.uint32)
    keys, order = np.empty((2, columns), np.uint64), np.empty((2, columns), np.uint32)
    for row in range(rows):
        n = 0
        for value in block[row]:
            n += value == value
        measured[row] = n
        most = min(limit, n)
        kept = _highest(block[row], n, most, values, places)
        for s in range(len(inside)):
            sums[row, s] = inside[s] * (most + 1.0)
        _sort_few(values[:kept], places, keys, order)
        _add_gains(keys[0, :kept], order[0, :kept], 0, most, most + 1.0, first, starts, sets, sums[row])
        if n < columns:
            for column in range(columns):
                if np.isnan(block[row, column]):
                    sums[row, sets[starts[column] : starts[column + 1]]] = np.nan
    return sums[:, :-1], measured


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def top_rank_sums_sparse(
    data: Floats, columns: Ints, ends: Ints, starts: Ints, sets: Ints, inside: Ints, most: int
) -> Floats:
    """Return :func:`top_rank_sums` of the rows of a sparse matrix without missing values.

    The values that are not stored are zeros and share their mean rank.
    """
    rows, n_columns = len(ends) - 1, len(starts) - 1
    sums, first = np.empty((rows, len(inside) + 1)), _first_sets(starts, sets, len(inside))
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
        _sort_few(values[:stored], places, keys, order)
        ranked, moved = keys[0, :stored], order[0, :stored]
        below = stored - above
        _add_gains(ranked[below:], moved[below:], 0, most, of_zeros, first, starts, sets, sums[row])
        _add_gains(ranked[:below], moved[:below], above + zeros, most, of_zeros, first, starts, sets, sums[row])
    return sums[:, :-1]


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _highest(values: Floats, n: int, most: int, kept: Floats, places: Columns) -> int:
    """Keep the values that no less than ``most`` reach or exceed, and their columns; return how many are kept.

    A guess from some of the values, a little below the threshold; where too few exceed it, a lower one.
    """
    step = max(1, n // 512)
    some = values[::step]
    some = some[some == some]
    share = most / step
    wanted = int(share + 3.0 * np.sqrt(share)) + 1
    while True:
        threshold = -np.inf
        if wanted <= len(some):
            threshold = np.partition(some, len(some) - wanted)[len(some) - wanted]
        found = 0
        for column in range(len(values)):
            kept[found], places[found] = values[column], column
            found += values[column] >= threshold
        if found >= most:
            return found
        wanted *= 2


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _add_gains(
    ranked: Keys,
    columns: Columns,
    ahead: int,
    most: int,
    plain: float,
    first: Ints,
    starts: Ints,
    sets: Ints,
    sums: Floats,
) -> None:
    """Add to each set what the rank of each of its columns has above ``plain``; ``ahead`` values are higher.

    Most columns are in one set or in none: the first is added without asking, none has its own sum at the end.
    """
    end = len(ranked)
    while end > 0:
        start = end - 1
        while start > 0 and ranked[start - 1] == ranked[start]:
            start -= 1
        rank = ahead + len(ranked) - (start + end - 1) / 2.0
        gain = (most + 1.0 if rank > most else rank) - plain
        for i in range(start, end):
            column = columns[i]
            sums[first[column]] += gain
            for j in range(starts[column] + 1, starts[column + 1]):
                sums[sets[j]] += gain
        end = start


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _first_sets(starts: Ints, sets: Ints, none: int) -> Ints:
    first = np.full(len(starts) - 1, none)
    for column in range(len(first)):
        if starts[column] < starts[column + 1]:
            first[column] = sets[starts[column]]
    return first
