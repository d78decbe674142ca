"""Two sorted groups merged, feature by feature, compiled; import it only where there is enough to do."""

from __future__ import annotations

import numba
import numpy as np

from immunosarc.stats._inputs import FloatArray

__all__ = ["merge_each"]


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def merge_each(cases: FloatArray, controls: FloatArray) -> FloatArray:
    """Return the fields of ``Placements``, one row each, from one sorted row per feature (NaN last)."""
    m = len(cases)
    found = np.zeros((6, m))
    above, below = np.empty(cases.shape[1]), np.empty(controls.shape[1])
    for j in range(m):
        x, y = cases[j], controls[j]
        n1, n0 = _measured(x), _measured(y)
        ties = _merge(x[:n1], y[:n0], above, below)
        total = float(n1 + n0)
        found[0, j], found[1, j] = n1, n0
        for i in range(n1):
            found[2, j] += above[i]
        found[3, j] = _squares(above[:n1], max(n0, 1))
        found[4, j] = _squares(below[:n0], max(n1, 1))
        found[5, j] = (total**3 - total - ties) / 12.0
    return found


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _measured(ordered: FloatArray) -> int:
    size = len(ordered)
    while size and np.isnan(ordered[size - 1]):
        size -= 1
    return size


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _merge(x: FloatArray, y: FloatArray, above: FloatArray, below: FloatArray) -> float:
    """Count for each value how many of the other group it outranks, ties one half; sum t^3 - t of all ties."""
    i, j, ties = 0, 0, 0.0
    while i < len(x) or j < len(y):
        value = x[i] if j == len(y) or (i < len(x) and x[i] <= y[j]) else y[j]
        first, start = i, j
        while i < len(x) and x[i] == value:
            i += 1
        while j < len(y) and y[j] == value:
            j += 1
        for k in range(first, i):
            above[k] = start + 0.5 * (j - start)
        for k in range(start, j):
            below[k] = first + 0.5 * (i - first)
        tied = float(i - first + j - start)
        if tied > 1.0:
            ties += tied**3 - tied
    return ties


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _squares(outranked: FloatArray, others: int) -> float:
    """Sum of squares of the shares of the others about their mean."""
    mean, total = 0.0, 0.0
    for share in outranked:
        mean += share / others
    if len(outranked):
        mean /= len(outranked)
    for share in outranked:
        total += (share / others - mean) ** 2
    return total
