"""Pooled effects of a few cohorts: how often the interval holds the truth, also where the cohorts agree by chance.

The scenarios that ``benchmarks/calibrate.py`` writes to docs/calibration.md for replication.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from immunosarc.stats import PoolingInterval, pool_effects

Found = tuple[str, NDArray[np.bool_]]
COHORTS = (2, 3, 5)
SPREADS = (0.0, 0.3)  # standard deviation of the true effect between cohorts
TRUTH = 0.3
INTERVALS: tuple[PoolingInterval, ...] = ("hartung_knapp_truncated", "hartung_knapp")


def pooled_coverage(simulations: int, seed: int) -> Iterator[Found]:
    """Words and, for each simulated set of cohorts, whether the 95% interval holds the true average.

    Standard errors are drawn between 0.2 and 0.5. Cohorts agree by chance when they scatter less than their
    errors say, so that the two intervals differ; words beginning with NAIVE are of the plain interval there.
    """
    for k in COHORTS:
        for tau in SPREADS:
            held, widths = _simulated(k, tau, simulations, np.random.default_rng([seed, k, int(10 * tau)]))
            agree = widths[0] > widths[1] * (1 + 1e-9)
            about = f"{k} cohorts, tau {tau:g}"
            yield f"{INTERVALS[0]}, {about}", held[0]
            yield f"{INTERVALS[0]}, {about}, the {agree.mean():.0%} that agree", held[0][agree]
            yield f"NAIVE {INTERVALS[1]}, {about}, the same", held[1][agree]


def _simulated(
    k: int, tau: float, simulations: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each interval holds the truth, and its width: (2, simulations)."""
    held = np.zeros((2, simulations), dtype=bool)
    widths = np.zeros((2, simulations))
    for trial in range(simulations):
        errors = rng.uniform(0.2, 0.5, k)
        seen = TRUTH + tau * rng.normal(size=k) + errors * rng.normal(size=k)
        for i, name in enumerate(INTERVALS):
            found = pool_effects(seen, errors, n_draws=2, interval=name)
            held[i, trial] = found.conf_low <= TRUTH <= found.conf_high
            widths[i, trial] = found.conf_high - found.conf_low
    return held, widths
