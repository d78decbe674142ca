"""The compiled sort for large matrices; import it only where it pays.

A float's bits, with the sign turned, sort like the float. Three passes of eleven bits put the leading 33 bits in
order; the few neighbors that differ only below are set right by insertion.
"""

from __future__ import annotations

import numba
import numpy as np

from immunosarc.features._scoring import Floats

__all__ = ["rank_rows"]

_DIGITS = 2048


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def rank_rows(block: Floats) -> tuple[Floats, Floats]:
    """Return lowest and highest rank of each value's tie within its row; NaN where a value is missing."""
    rows, columns = block.shape
    low, high = np.full((rows, columns), np.nan), np.full((rows, columns), np.nan)
    keys, spare = np.empty(columns, np.uint64), np.empty(columns, np.uint64)
    order, moved = np.empty(columns, np.int32), np.empty(columns, np.int32)
    counts = np.empty((3, _DIGITS), np.int64)
    top = np.uint64(1) << np.uint64(63)
    for row in range(rows):
        values = block[row]
        bits = values.view(np.uint64)
        n = 0
        counts[:] = 0
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
            keys[n], order[n] = key, column
            counts[0, (key >> np.uint64(31)) & np.uint64(2047)] += 1
            counts[1, (key >> np.uint64(42)) & np.uint64(2047)] += 1
            counts[2, key >> np.uint64(53)] += 1
            n += 1
        for digit in range(3):
            shift = np.uint64(31 + 11 * digit)
            total = 0
            for value in range(_DIGITS):
                here = counts[digit, value]
                counts[digit, value] = total
                total += here
            for i in range(n):
                value = (keys[i] >> shift) & np.uint64(2047)
                place = counts[digit, value]
                counts[digit, value] = place + 1
                spare[place], moved[place] = keys[i], order[i]
            keys, spare, order, moved = spare, keys, moved, order
        moves = 0
        for i in range(1, n):
            key, gene, j = keys[i], order[i], i - 1
            while j >= 0 and keys[j] > key:
                keys[j + 1], order[j + 1] = keys[j], order[j]
                j -= 1
                moves += 1
            keys[j + 1], order[j + 1] = key, gene
            if moves > 64 * n:  # values alike in 33 bits: sort them the usual way
                again = np.argsort(keys[:n])
                keys[:n], order[:n] = keys[:n][again], order[:n][again]
                break
        start = 0
        while start < n:
            end = start + 1
            while end < n and keys[end] == keys[start]:
                end += 1
            for i in range(start, end):
                low[row, order[i]], high[row, order[i]] = start + 1, end
            start = end
    return low, high
