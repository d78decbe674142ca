"""Change when nothing immune happens: only tumor cells die, only the site moves, only the low are biopsied again.

The scenarios that ``benchmarks/calibrate.py`` writes to docs/calibration.md for paired change.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from immunosarc.stats import adjusted_change, signed_rank

Floats = NDArray[np.float64]
Found = tuple[str, NDArray[np.bool_]]
SIZES = (20, 30, 60)
N_OTHERS = 7  # immune scores that the balance holds against


def nothing_immune_happens(simulations: int, seed: int) -> Iterator[Found]:
    """Words and, for each simulated trial, whether p <= 0.05; words beginning with NAIVE are the raw test.

    A sixth of the variance of every immune score is shared between patients' scores (inflammation); each
    biopsy adds noise of its own. No immune cell comes or goes in any scenario.
    """
    for n in SIZES:
        rng = np.random.default_rng([seed, n])
        yield from _tumor_loss(n, simulations, rng)
        yield from _site_swap(n, simulations, rng)
        yield from _low_start(n, simulations, rng)


def _immune(n: int, simulations: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Immune scores before and after, (1 + N_OTHERS, n, simulations): the feature first, then the others."""
    inflamed = rng.normal(size=(1, n, simulations))
    steady = 0.7 * inflamed + rng.normal(size=(1 + N_OTHERS, n, simulations))
    return tuple(steady + 0.7 * rng.normal(size=steady.shape) for _ in range(2))  # type: ignore[return-value]


def _tumor_loss(n: int, simulations: int, rng: np.random.Generator) -> Iterator[Found]:
    """The share of tumor cells falls from about 80% to about 30%; what is left is what it was."""
    before, after = _immune(n, simulations, rng)
    full, thin = rng.uniform(0.7, 0.9, (n, simulations)), rng.uniform(0.1, 0.5, (n, simulations))
    before, after = before + np.log2(1 - full), after + np.log2(1 - thin)
    yield f"NAIVE: signed rank of the raw change, {n} pairs, tumor loss only", _raw(before[0], after[0])
    balanced = (side[0] - side[1:].mean(axis=0) for side in (before, after))
    yield f"balance against {N_OTHERS} immune scores, {n} pairs, tumor loss only", _adjusted(*balanced)
    seen = (np.clip(share + rng.normal(0, 0.05, share.shape), 0, 0.95) for share in (full, thin))
    per_cell = (side[0] - np.log2(1 - share) for side, share in zip((before, after), seen, strict=True))
    yield f"purity offset (purity known to 0.05), {n} pairs, tumor loss only", _adjusted(*per_cell)


def _site_swap(n: int, simulations: int, rng: np.random.Generator) -> Iterator[Found]:
    """Half of the second biopsies come from a site that is richer in immune cells by 1.5 log2 units."""
    before, after = _immune(n, simulations, rng)
    moved = np.arange(n) % 2 == 0
    after = after + 1.5 * moved[None, :, None]
    yield f"NAIVE: signed rank of the raw change, {n} pairs, site swap only", _raw(before[0], after[0])
    site = moved.astype(float)[:, None]
    yield f"change at one site, {n} pairs, site swap only", _adjusted(before[0], after[0], covariates=site)


def _low_start(n: int, simulations: int, rng: np.random.Generator) -> Iterator[Found]:
    """Of 3n/2 patients the n that began lowest are biopsied again."""
    before, after = _immune(n + n // 2, simulations, rng)
    first, second = before[0], after[0]
    chosen = np.argsort(np.argsort(first, axis=0), axis=0) < n
    second = np.where(chosen, second, np.nan)
    words = f"{n} pairs, the lowest two thirds biopsied again"
    yield f"NAIVE: signed rank of the raw change, {words}", _raw(first, second)
    yield f"change of the average patient, {words}", _adjusted(first, second, everyone=first)


def _raw(before: Floats, after: Floats) -> NDArray[np.bool_]:
    return np.asarray(signed_rank(after - before).p_value <= 0.05)


def _adjusted(before: Floats, after: Floats, **options: Floats) -> NDArray[np.bool_]:
    found = adjusted_change(before, after, n_permutations=1, **options)
    return np.asarray(found.fits.p_value <= 0.05)
