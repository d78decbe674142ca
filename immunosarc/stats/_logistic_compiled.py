"""Logistic models of one feature each, penalized or not, compiled; import it only where there is enough to do.

With intercept and one feature, everything that the penalized likelihood, its slope and its curvature need are
sums of powers of the feature under four weights: one pass over the patients gives them all.
"""

from __future__ import annotations

import numba
import numpy as np

from immunosarc.stats._exponential import exponentials
from immunosarc.stats._inputs import BoolArray, FloatArray

__all__ = ["COLUMNS", "fit_each"]

COLUMNS = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "arrived", "unit")

_FAST = {"contract", "reassoc", "nsz"}
_TOGETHER = 8  # features copied at a time: one cache line of a row
_ITERATIONS = 50
_LONGEST_STEP = 5.0
# Newton squares its error: after such a step, one more without looking arrives
_STEP_TOLERANCE = 1e-3
# how closely twice the fall must meet the critical value before the last step, which squares the error
_ROOT_TOLERANCE = 1e-6
# the product of so many factors between 1 and 2 does not overflow
_FACTORS = 512


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def fit_each(values: FloatArray, happened: BoolArray, penalty: float, critical: FloatArray) -> FloatArray:
    """Fit every column; the rows of the result are ``COLUMNS``, ``arrived`` 0 where a climb failed."""
    n, m = values.shape
    found = np.full((7, m), np.nan)
    some = np.empty((_TOGETHER, n))
    x, y, rooms = np.empty(n), np.empty(n), np.empty((4, n))
    for first in range(0, m, _TOGETHER):
        width = min(_TOGETHER, m - first)
        for i in range(n):
            for j in range(width):
                some[j, i] = values[i, first + j]
        for j in range(width):
            size = 0
            for i in range(n):
                if not np.isnan(some[j, i]):
                    x[size], y[size] = some[j, i], happened[i]
                    size += 1
            column = found[:, first + j]
            unit = _standardize(size, x)
            column[5], column[6] = 0.0, unit
            if unit > 0.0:
                _fit(size, x, y, rooms, penalty, critical[first + j], column)
                for row in range(4):
                    column[row] /= unit
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # type: ignore[untyped-decorator]
def _standardize(size: int, x: FloatArray) -> float:
    total = 0.0
    for i in range(size):
        total += x[i]
    mean, squares = total / max(size, 1), 0.0
    for i in range(size):
        x[i] -= mean
        squares += x[i] * x[i]
    unit = np.sqrt(squares / max(size, 1))
    if unit > 0.0:
        for i in range(size):
            x[i] /= unit
    return unit


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def _fit(
    size: int,
    x: FloatArray,
    y: FloatArray,
    rooms: FloatArray,
    penalty: float,
    critical: float,
    column: FloatArray,
) -> None:
    """Write the numbers of one feature."""
    events, squares, center = 0.0, 0.0, 0.0
    for i in range(size):
        events += y[i]
        center += x[i]
        squares += x[i] * x[i]
    chance = (events + 2.0 * penalty) / (size + 4.0 * penalty)
    if not 0.0 < chance < 1.0:
        return
    # without the feature all weights are equal, and the penalized maximum has a closed form
    weight = chance * (1.0 - chance)
    null = events * np.log(chance) + (size - events) * np.log(1.0 - chance)
    null += penalty * np.log(weight * weight * (size * squares - center * center))
    here = np.empty(8)
    if not _climb(size, x, y, rooms, penalty, np.log(chance / (1.0 - chance)), here):
        return
    intercept, slope, height = here[0], here[1], here[2]
    tilt, steep = here[6] / here[5], here[7] - here[6] * here[6] / here[5]
    if not (here[5] > 0.0 and steep > 0.0):
        return
    column[0], column[1] = slope, _augmented_error(size, x, rooms, penalty, intercept, slope)
    column[4] = np.sign(slope) * np.sqrt(max(2.0 * (height - null), 0.0))
    arrived = 1.0
    for side in range(2):
        reach = np.sqrt(critical / steep) * (1.0 if side else -1.0)
        limit = _limit(
            size, x, y, rooms, penalty, (intercept - tilt * reach, slope + reach), (slope, height), critical
        )
        column[2 + side] = limit
        if np.isnan(limit):
            arrived = 0.0
    column[5] = arrived


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def _climb(
    size: int, x: FloatArray, y: FloatArray, rooms: FloatArray, penalty: float, start: float, here: FloatArray
) -> bool:
    """Newton to the summit; ``here`` is intercept, slope, value, two slopes and three curvatures there."""
    a, b = start, 0.0
    _evaluate(size, x, y, rooms, penalty, a, b, here)
    for _ in range(_ITERATIONS):
        value = here[2]
        down, up = _newton(here)
        step = max(abs(down), abs(up))
        if not step < 1e6:
            return False
        short = min(1.0, _LONGEST_STEP / max(step, 1e-300))
        for _halving in range(40):
            _evaluate(size, x, y, rooms, penalty, a + short * down, b + short * up, here)
            if here[2] >= value - 1e-12 * (1.0 + abs(value)):
                break
            short /= 2.0
        a, b = here[0], here[1]
        if step < _STEP_TOLERANCE:
            down, up = _newton(here)  # of the size of its square
            here[2] += 0.5 * (here[3] * down + here[4] * up)
            here[0], here[1] = a + down, b + up
            return max(abs(down), abs(up)) < 0.1 * _STEP_TOLERANCE
    return False


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def _newton(here: FloatArray) -> tuple[float, float]:
    determinant = here[5] * here[7] - here[6] * here[6]
    if not (determinant > 0.0 and here[5] > 0.0):
        return np.nan, np.nan
    return (
        (here[7] * here[3] - here[6] * here[4]) / determinant,
        (here[5] * here[4] - here[6] * here[3]) / determinant,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types
def _limit(
    size: int,
    x: FloatArray,
    y: FloatArray,
    rooms: FloatArray,
    penalty: float,
    start: tuple[float, float],
    summit: tuple[float, float],
    critical: float,
) -> float:
    """Where the profile has fallen by the critical value, on the side of ``start``; NaN where not verified.

    Newton on both conditions at once: no slope along the intercept, and the root of the fall, which is nearly
    straight, at the root of the critical value.
    """
    here = np.empty(8)
    a, b = start
    peak, height = summit
    side = 1.0 if b > peak else -1.0
    for _ in range(_ITERATIONS):
        _evaluate(size, x, y, rooms, penalty, a, b, here)
        fall = 2.0 * (height - here[2])
        if not (fall > 0.0 and here[5] > 0.0):
            return np.nan
        # what the intercept's best place would give back, to second order
        excess = here[3] * here[3] / here[5]
        wanted = -np.sqrt(fall) * (np.sqrt(critical) - np.sqrt(fall))
        # here[3] da + here[4] db = wanted, here[5] da + here[6] db = here[3]
        determinant = here[3] * here[6] - here[4] * here[5]
        down = (wanted * here[6] - here[4] * here[3]) / determinant
        along = (here[3] * here[3] - here[5] * wanted) / determinant
        if abs(fall - excess - critical) < _ROOT_TOLERANCE * critical and excess < _ROOT_TOLERANCE * critical:
            return b + along
        longest = max(abs(down), abs(along))
        if not longest < 1e6:
            return np.nan
        short = min(1.0, _LONGEST_STEP / max(longest, 1e-300))
        a, b = a + short * down, b + short * along
        if (b - peak) * side <= 0.0:
            return np.nan
    return np.nan


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # type: ignore[untyped-decorator]
def _weigh(size: int, x: FloatArray, rooms: FloatArray, a: float, b: float) -> None:
    """Leave the linear predictor in the first room and exp(-|predictor|) in the second."""
    eta, small, room, away = rooms[0], rooms[1], rooms[2], rooms[3]
    for i in range(size):
        eta[i] = a + b * x[i]
        away[i] = -abs(eta[i])
    exponentials(size, away, small, room)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # type: ignore[untyped-decorator]
def _evaluate(
    size: int,
    x: FloatArray,
    y: FloatArray,
    rooms: FloatArray,
    penalty: float,
    a: float,
    b: float,
    here: FloatArray,
) -> None:
    """Write a, b, the penalized log-likelihood, its slopes by a and b, and minus its second derivatives."""
    _weigh(size, x, rooms, a, b)
    fit, r0, r1, w0, w1, w2, v0, v1, v2, v3, u0, u1, u2, u3, u4 = _sums(size, x, y, rooms[0], rooms[1])
    fit -= _log_of_product(size, rooms[1])
    determinant = w0 * w2 - w1 * w1
    i00, i01, i11 = w2 / determinant, -w1 / determinant, w0 / determinant
    here[0], here[1] = a, b
    here[2] = fit + penalty * np.log(determinant) if penalty > 0.0 else fit
    here[3] = r0 + penalty * (i00 * v0 + 2.0 * i01 * v1 + i11 * v2)
    here[4] = r1 + penalty * (i00 * v1 + 2.0 * i01 * v2 + i11 * v3)
    # the inverse information times its derivatives by intercept and slope, 2 x 2 each
    p00, p01, p10, p11 = i00 * v0 + i01 * v1, i00 * v1 + i01 * v2, i01 * v0 + i11 * v1, i01 * v1 + i11 * v2
    q00, q01, q10, q11 = i00 * v1 + i01 * v2, i00 * v2 + i01 * v3, i01 * v1 + i11 * v2, i01 * v2 + i11 * v3
    here[5] = w0 - penalty * (i00 * u0 + 2.0 * i01 * u1 + i11 * u2 - p00 * p00 - 2.0 * p01 * p10 - p11 * p11)
    here[6] = w1 - penalty * (i00 * u1 + 2.0 * i01 * u2 + i11 * u3 - p00 * q00 - p01 * q10 - p10 * q01 - p11 * q11)
    here[7] = w2 - penalty * (i00 * u2 + 2.0 * i01 * u3 + i11 * u4 - q00 * q00 - 2.0 * q01 * q10 - q11 * q11)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # type: ignore[untyped-decorator]
def _sums(size: int, x: FloatArray, y: FloatArray, eta: FloatArray, small: FloatArray) -> tuple[float, ...]:
    """The likelihood but for its logarithm, and sums of powers of x under the residual and three weights.

    Nothing but sums in one plain loop: that is what compilers turn into vector instructions.
    """
    fit, r0, r1 = 0.0, 0.0, 0.0
    w0, w1, w2 = 0.0, 0.0, 0.0
    v0, v1, v2, v3 = 0.0, 0.0, 0.0, 0.0
    u0, u1, u2, u3, u4 = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(size):
        z, e = x[i], small[i]
        inside = 1.0 / (1.0 + e)
        lean = (1.0 - e) * inside  # |1 - 2p|
        lean = lean if eta[i] < 0.0 else -lean  # 1 - 2p
        left = y[i] - 0.5 + 0.5 * lean
        w = e * inside * inside
        v, u = w * lean, w * (1.0 - 6.0 * w)
        fit += y[i] * eta[i] - max(eta[i], 0.0)
        r0 += left
        r1 += left * z
        w0 += w
        w1 += w * z
        w2 += w * z * z
        v0 += v
        v1 += v * z
        v2 += v * z * z
        v3 += v * z * z * z
        u0 += u
        u1 += u * z
        u2 += u * z * z
        u3 += u * z * z * z
        u4 += u * z * z * z * z
    return fit, r0, r1, w0, w1, w2, v0, v1, v2, v3, u0, u1, u2, u3, u4


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # type: ignore[untyped-decorator]
def _log_of_product(size: int, small: FloatArray) -> float:
    """Sum of log(1 + small), one logarithm for many factors."""
    total = 0.0
    for begin in range(0, size, _FACTORS):
        part = small[begin : min(begin + _FACTORS, size)]
        product = 1.0
        for i in range(part.size):
            product *= 1.0 + part[i]
        total += np.log(product)
    return total


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # type: ignore[untyped-decorator]
def _augmented_error(size: int, x: FloatArray, rooms: FloatArray, penalty: float, a: float, b: float) -> float:
    """Standard error of the slope from the information with weights w (1 + 2 penalty h), h the leverage."""
    _weigh(size, x, rooms, a, b)
    small = rooms[1]
    w0, w1, w2 = 0.0, 0.0, 0.0
    for i in range(size):
        w = small[i] / ((1.0 + small[i]) * (1.0 + small[i]))
        w0 += w
        w1 += w * x[i]
        w2 += w * x[i] * x[i]
    determinant = w0 * w2 - w1 * w1
    i00, i01, i11 = w2 / determinant, -w1 / determinant, w0 / determinant
    h0, h1, h2 = 0.0, 0.0, 0.0
    for i in range(size):
        w = small[i] / ((1.0 + small[i]) * (1.0 + small[i]))
        h = w * (1.0 + 2.0 * penalty * w * (i00 + 2.0 * i01 * x[i] + i11 * x[i] * x[i]))
        h0 += h
        h1 += h * x[i]
        h2 += h * x[i] * x[i]
    return np.sqrt(h0 / (h0 * h2 - h1 * h1))
