"""The exponential of a whole vector in steps that a compiler turns into vector instructions."""

from __future__ import annotations

import numba
import numpy as np

from immunosarc.stats._inputs import FloatArray

__all__ = ["exponentials"]

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
# adding it leaves the nearest whole number in the lowest bits
_SHIFTER = 6755399441055744.0
_ONE = np.int64(1023) << np.int64(52)
_LARGEST = 700.0  # beyond, the result would overflow


@numba.njit(cache=True, nogil=True, fastmath={"contract"})  # type: ignore[untyped-decorator]  # numba has no types
def exponentials(size: int, exponents: FloatArray, out: FloatArray, room: FloatArray) -> None:
    """Write exp of the first ``size`` exponents, held within +-700, to ``out``; ``room`` is scratch.

    The three arrays are different ones: where they overlap the compiler gives up vectors, at five times the cost.

    exp(x) = 2^k exp(r) with k whole and |r| <= ln(2) / 2; the polynomial leaves 2e-16.
    """
    for i in range(size):
        x = min(max(exponents[i], -_LARGEST), _LARGEST)
        room[i] = x * _LOG2_E + _SHIFTER
    for i in range(size):
        x = min(max(exponents[i], -_LARGEST), _LARGEST)
        k = room[i] - _SHIFTER
        r = (x - k * _LN2_HIGH) - k * _LN2_LOW
        series = 1.0 / 479001600.0
        series = series * r + 1.0 / 39916800.0
        series = series * r + 1.0 / 3628800.0
        series = series * r + 1.0 / 362880.0
        series = series * r + 1.0 / 40320.0
        series = series * r + 1.0 / 5040.0
        series = series * r + 1.0 / 720.0
        series = series * r + 1.0 / 120.0
        series = series * r + 1.0 / 24.0
        series = series * r + 1.0 / 6.0
        series = series * r + 0.5
        series = series * r + 1.0
        out[i] = series * r + 1.0
    powers = room.view(np.int64)
    for i in range(size):
        powers[i] = (powers[i] << 52) + _ONE
    for i in range(size):
        out[i] *= room[i]
