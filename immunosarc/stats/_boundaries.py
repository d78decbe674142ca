"""Exact operating characteristics of any trial that counts successes and stops at limits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.stats._inputs import FloatArray, IntArray, refuse
from immunosarc.stats._simon import pmf

__all__ = ["Look", "Operating", "operating_characteristics", "simulate_looks"]


class Look(NamedTuple):
    """One look at the data: after n patients, failed at ``stop`` or fewer successes, won at ``go`` or more."""

    n: int
    stop: int
    go: int


class Operating(NamedTuple):
    """What a trial does at one true rate."""

    success: float
    expected_n: float
    stopped: FloatArray
    """Chance of ending at each look."""


def operating_characteristics(looks: Sequence[Look], p: float) -> Operating:
    r"""Give the chance that a trial succeeds, and how many patients it takes, at a true rate.

    The distribution of successes is carried from look to look; what lies outside the limits ends
    there. Exact: every path is counted once.

    Parameters
    ----------
    looks : sequence of Look
        By ascending n; the last one must end every trial (``stop + 1 == go``).
    p : float
        True rate, 0 to 1.

    Returns
    -------
    Operating
        ``success``, ``expected_n``, and the chance of ending at each look.

    Raises
    ------
    ImmunosarcError
        When looks do not ascend, limits cross, or the last look leaves a gap.

    Examples
    --------
    >>> simon = [Look(15, 6, 16), Look(28, 15, 16)]
    >>> round(operating_characteristics(simon, 0.434).success, 4)
    0.0979
    """
    _check("operating_characteristics", looks, p)
    alive = np.ones(1)  # P(still running, X = x)
    before, success, expected, stopped = 0, 0.0, 0.0, []
    for look in looks:
        alive = np.convolve(alive, pmf(look.n - before, p))
        x = np.arange(len(alive))
        failed, won = x <= look.stop, x >= look.go
        ends = float(alive[failed | won].sum())
        success += float(alive[won].sum())
        expected += look.n * ends
        stopped.append(ends)
        alive = np.where(failed | won, 0.0, alive)
        before = look.n
    return Operating(success, expected, np.array(stopped))


def simulate_looks(looks: Sequence[Look], p: float, *, n_trials: int, seed: int) -> Operating:
    """Run the trial many times patient by patient: the exact numbers, found another way.

    Parameters
    ----------
    looks : sequence of Look
        As for :func:`operating_characteristics`.
    p : float
        True rate, 0 to 1.
    n_trials : int
        Trials to run.
    seed : int
        Of the random numbers.

    Returns
    -------
    Operating
        Shares and the mean size over the trials.

    Raises
    ------
    ImmunosarcError
        When looks do not ascend, limits cross, or the last look leaves a gap.

    Examples
    --------
    >>> simon = [Look(15, 6, 16), Look(28, 15, 16)]
    >>> 0.07 < simulate_looks(simon, 0.434, n_trials=2000, seed=1).success < 0.13
    True
    """
    _check("simulate_looks", looks, p)
    rng = np.random.default_rng(seed)
    total = np.zeros(n_trials, dtype=np.int64)
    ended: IntArray = np.full(n_trials, -1)
    won = np.zeros(n_trials, dtype=np.bool_)
    before = 0
    for place, look in enumerate(looks):
        total += (rng.random((n_trials, look.n - before)) < p).sum(axis=1)
        running = ended < 0
        won |= running & (total >= look.go)
        ended[running & ((total >= look.go) | (total <= look.stop))] = place
        before = look.n
    sizes = np.array([look.n for look in looks])
    stopped = np.bincount(ended, minlength=len(looks)) / n_trials
    return Operating(float(won.mean()), float(sizes[ended].mean()), stopped)


def _check(function: str, looks: Sequence[Look], p: ArrayLike) -> None:
    problems = []
    sizes = [look.n for look in looks]
    if not looks or sizes[0] < 1 or any(b <= a for a, b in pairwise(sizes)):
        problems.append(f"looks: need at least one, with n ascending from 1 on, have n = {sizes}")
    elif looks[-1].stop + 1 != looks[-1].go:
        problems.append(f"looks: the last one must end the trial (stop + 1 == go), have {looks[-1]}")
    problems += [f"looks: limits cross at {look}" for look in looks if look.stop >= look.go]
    if not 0.0 <= float(np.asarray(p)) <= 1.0:
        problems.append(f"p: need a rate from 0 to 1, have {p!r}")
    refuse(function, problems)
