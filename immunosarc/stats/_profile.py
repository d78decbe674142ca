"""Limits of a coefficient: where the profile of the likelihood has fallen by the critical value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from immunosarc.stats._inputs import FloatArray, IntArray

__all__ = ["profile_limits"]

_ITERATIONS = 200
# twice the log-likelihood difference must meet the chi-square quantile this closely
_ROOT_TOLERANCE = 1e-10


class _Summit(Protocol):
    """Maximized models: coefficients and slopes (p, n_features), the value reached (n_features,)."""

    @property
    def beta(self) -> FloatArray: ...
    @property
    def value(self) -> FloatArray: ...
    @property
    def slope(self) -> FloatArray: ...


def profile_limits(
    top: _Summit,
    profile: Callable[[IntArray, FloatArray, FloatArray], _Summit],
    *,
    variance: FloatArray,
    critical: FloatArray | float,
) -> FloatArray:
    """All lower, then all upper limits: where the profile has fallen by half the critical value.

    Newton on the signed root of the fall, which is nearly straight, inside a bracket that grows
    until it holds the limit; a limit counts only when the fall there is the critical value (one number, or
    one for each feature). ``profile(models, held, beta)`` holds the first coefficient of these models and
    maximizes over the others, from ``beta``.
    """
    m = top.value.size
    model, side = np.tile(np.arange(m), 2), np.repeat([-1.0, 1.0], m)
    peak, height = top.beta[0, model], top.value[model]
    depth = np.broadcast_to(critical, m)[model]
    held = peak + side * np.sqrt(depth * variance[model])
    inner, outer = peak.copy(), np.full(2 * m, np.inf) * side
    beta, found = top.beta[:, model], np.full(2 * m, np.nan)
    active = np.flatnonzero(np.isfinite(held))
    for _ in range(_ITERATIONS):
        if active.size == 0:
            break
        point = profile(model[active], held[active], beta[:, active])
        beta[:, active] = point.beta
        fall = 2.0 * (height[active] - point.value)
        target = depth[active]
        done = np.abs(fall - target) < _ROOT_TOLERANCE * np.maximum(1.0, target)
        found[active[done]] = held[active[done]]
        short, far = active[fall < target], active[fall > target]
        inner[short], outer[far] = held[short], held[far]
        held[active] = _next_guess(
            held[active],
            fall,
            point.slope[0],
            critical=target,
            bracket=(peak[active], inner[active], outer[active]),
        )
        active = active[~done & np.isfinite(fall)]
    return found


def _next_guess(
    held: FloatArray,
    fall: FloatArray,
    slope: FloatArray,
    *,
    critical: FloatArray,
    bracket: tuple[FloatArray, FloatArray, FloatArray],
) -> FloatArray:
    peak, inner, outer = bracket
    with np.errstate(all="ignore"):
        root = np.sqrt(fall)
        newton = held - (np.sqrt(critical) - root) * root / slope
        # without an outer end yet, go at most three times as far from the peak
        end = np.where(np.isfinite(outer), outer, peak + 3.0 * (held - peak))
        inside = (newton - inner) * (newton - end) < 0
        fallback = np.where(np.isfinite(outer), (inner + outer) / 2.0, end)
    return np.where(inside, newton, fallback)
