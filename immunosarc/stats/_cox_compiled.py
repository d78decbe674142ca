"""Cox models of one feature each, compiled; import it only where there is enough to do.

The slope of a model with one coefficient falls steadily, so its root is found by Halley's steps inside
a bracket. A step is one vector pass for exp, one running sum over the patients (latest first) and one
pass over the deaths.
"""

from __future__ import annotations

import numba
import numpy as np

from immunosarc.stats._exponential import exponentials
from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray

__all__ = ["COLUMNS", "fit_each"]

COLUMNS = ("n", "n_events", "estimate", "std_error", "unit", "information", "ordered", "arrived")

_FAST = {"contract", "reassoc", "nsz"}
_TOGETHER = 8  # features copied at a time: one cache line of a row
_ITERATIONS = 50
_LONGEST_STEP = 4.0
# the error that Halley leaves is of the third power of its last step
_STEP_TOLERANCE = 1e-6


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def fit_each(values: FloatArray, group: IntArray, stratum: IntArray, event: BoolArray, efron: bool) -> FloatArray:
    """Fit every column; the rows of the result are ``COLUMNS``, ``unit`` 0 where a feature is constant.

    Patients are by stratum and falling time, events last among equal times; ``group`` numbers equal times
    of a stratum, ``stratum`` is 0, 1, ...
    """
    n, m = values.shape
    found = np.zeros((8, m))
    some = np.empty((_TOGETHER, n))
    x, rooms, sums = np.empty(n), np.empty((3, n)), np.empty((4, 2 * n + 1))
    labels, marks, shares = np.empty((3, n), np.int64), np.empty((3, n), np.int64), np.empty(n)
    for first in range(0, m, _TOGETHER):
        width = min(_TOGETHER, m - first)
        for i in range(n):
            for j in range(width):
                some[j, i] = values[i, first + j]
        for j in range(width):
            size = 0
            for i in range(n):
                if not np.isnan(some[j, i]):
                    x[size] = some[j, i]
                    labels[0, size], labels[1, size], labels[2, size] = group[i], stratum[i], event[i]
                    size += 1
            column = found[:, first + j]
            deaths = _mark_deaths(size, labels, marks, shares, efron)
            unit = _standardize(size, x)
            column[0], column[1], column[4] = size, deaths, unit
            if deaths > 1 and unit > 0.0:
                column[6] = _ordered(deaths, x, labels[1], marks)
                _climb(size, deaths, x, labels[1], marks, shares, rooms, sums, column)
                column[2] /= unit
                column[3] *= 1.0 / unit
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def _mark_deaths(size: int, labels: IntArray, marks: IntArray, shares: FloatArray, efron: bool) -> int:
    """Note for each death who died, the first of those that died with them, and where the risk set ends."""
    group, event = labels[0], labels[2]
    deaths, begin = 0, 0
    while begin < size:
        end, first = begin, -1
        while end < size and group[end] == group[begin]:
            if event[end] and first < 0:
                first = end
            end += 1
        if first >= 0:
            for place in range(end - first):
                marks[0, deaths], marks[1, deaths], marks[2, deaths] = first + place, first, end
                shares[deaths] = place / (end - first) if efron else 0.0
                deaths += 1
        begin = end
    return deaths


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # type: ignore[untyped-decorator]  # numba has no types
def _standardize(size: int, x: FloatArray) -> float:
    """Center and scale in place; return the unit, 0 for a constant."""
    low, high, total = np.inf, -np.inf, 0.0
    for i in range(size):
        total += x[i]
        low, high = min(low, x[i]), max(high, x[i])
    if size == 0 or low == high:
        return 0.0
    mean, squares = total / size, 0.0
    for i in range(size):
        x[i] -= mean
        squares += x[i] * x[i]
    unit = np.sqrt(squares / size)
    for i in range(size):
        x[i] /= unit
    return unit


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def _ordered(deaths: int, x: FloatArray, stratum: IntArray, marks: IntArray) -> float:
    """Return 1.0 where every event falls to the highest, or every one to the lowest, of those at risk."""
    rising, falling = True, True
    low, high, known = np.inf, -np.inf, 0
    for death in range(deaths):
        who, end = marks[0, death], marks[2, death]
        while known < end:
            if known == 0 or stratum[known] != stratum[known - 1]:
                low, high = np.inf, -np.inf
            low, high = min(low, x[known]), max(high, x[known])
            known += 1
        rising, falling = rising and x[who] >= high, falling and x[who] <= low
        if not (rising or falling):
            return 0.0
    return 1.0


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def _climb(
    size: int,
    deaths: int,
    x: FloatArray,
    stratum: IntArray,
    marks: IntArray,
    shares: FloatArray,
    rooms: FloatArray,
    sums: FloatArray,
    column: FloatArray,
) -> None:
    """Write the estimate, its error, the information at no effect, and whether the climb arrived."""
    seen = 0.0
    for death in range(deaths):
        seen += x[marks[0, death]]
    eta, risk, room = rooms[0], rooms[1], rooms[2]
    beta, low, high = 0.0, -np.inf, np.inf
    for iteration in range(_ITERATIONS):
        for i in range(size):
            eta[i] = beta * x[i]
        exponentials(size, eta, risk, room)
        _run_sums(size, x, stratum, risk, sums)
        mean, information, third = _moments(deaths, stratum, marks, shares, sums)
        if iteration == 0:
            column[5] = information
        if not information > 1e-9 * deaths:
            return
        slope = seen - mean
        if slope > 0:
            low = beta
        else:
            high = beta
        newton = slope / information
        halley = newton / min(max(1.0 + newton * third / (2.0 * information), 0.5), 2.0)
        following = beta + min(max(halley, -_LONGEST_STEP), _LONGEST_STEP)
        if not low <= following <= high:
            following = (low + high) / 2.0
        step = following - beta
        beta = following
        if abs(step) < _STEP_TOLERANCE:
            column[2], column[3], column[7] = beta, 1.0 / np.sqrt(information + third * step), 1.0
            return


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def _run_sums(size: int, x: FloatArray, stratum: IntArray, risk: FloatArray, sums: FloatArray) -> None:
    """Sums of risk times x^0 ... x^3: before patient i in place i + its stratum, so that each begins at 0."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(size):
        place = i + stratum[i]
        if i == 0 or stratum[i] != stratum[i - 1]:
            a, b, c, d = 0.0, 0.0, 0.0, 0.0
            sums[0, place], sums[1, place], sums[2, place], sums[3, place] = a, b, c, d
        w = risk[i]
        wx = w * x[i]
        a, b, c, d = a + w, b + wx, c + wx * x[i], d + wx * x[i] * x[i]
        sums[0, place + 1], sums[1, place + 1], sums[2, place + 1], sums[3, place + 1] = a, b, c, d


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # type: ignore[untyped-decorator]  # numba has no types
def _moments(
    deaths: int, stratum: IntArray, marks: IntArray, shares: FloatArray, sums: FloatArray
) -> tuple[float, float, float]:
    """Mean, variance and third central moment of x among those at risk, summed over the deaths."""
    first, second, third = 0.0, 0.0, 0.0
    for death in range(deaths):
        own = stratum[marks[0, death]]
        end, start, share = marks[2, death] + own, marks[1, death] + own, shares[death]
        total = sums[0, end] - share * (sums[0, end] - sums[0, start])
        a = (sums[1, end] - share * (sums[1, end] - sums[1, start])) / total
        b = (sums[2, end] - share * (sums[2, end] - sums[2, start])) / total
        c = (sums[3, end] - share * (sums[3, end] - sums[3, start])) / total
        first += a
        second += b - a * a
        third += c - 3.0 * a * b + 2.0 * a * a * a
    return first, second, third
