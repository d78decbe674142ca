"""Newton for many small models at once: one matrix for each feature, one step for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np

from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray

__all__ = ["WORTH_COMPILING", "ascend", "climb", "inverse_and_log_determinant", "newton_step", "solve_with"]

# features times patients from which compiled code saves more than it takes to load
WORTH_COMPILING = 100_000

_HALVINGS = 40
_ITERATIONS = 200
# a step that has not arrived by then leaps over the summit and back: the next ones are half as long
_PATIENCE = 40
_STEP_TOLERANCE = 1e-9
_LONGEST_STEP = 5.0


class _Standpoint(Protocol):
    """Where the models stand: coefficients (p, n_features) and what is maximized (n_features,)."""

    @property
    def beta(self) -> FloatArray: ...
    @property
    def value(self) -> FloatArray: ...
    def put(self, models: BoolArray | IntArray, other: Any) -> None: ...
    def take(self, models: BoolArray | IntArray) -> Any: ...


P = TypeVar("P", bound=_Standpoint)


def inverse_and_log_determinant(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Invert positive definite matrices of shape (p, p, n_features) by the sweep operator.

    With features on the last axis every step is one pass over all of them. A matrix that is not
    positive definite gives NaN for its feature and leaves the others alone.
    """
    swept = matrices.copy()
    log_determinant = np.zeros(matrices.shape[2])
    with np.errstate(all="ignore"):
        for k in range(len(swept)):
            pivot = np.where(swept[k, k] > 0, swept[k, k], np.nan)
            log_determinant += np.log(pivot)
            row = swept[k] / pivot
            column = swept[:, k].copy()
            swept -= column[:, None] * row[None, :]
            swept[k] = row
            swept[:, k] = -column / pivot
            swept[k, k] = 1.0 / pivot
    return swept, log_determinant


def solve_with(inverses: FloatArray, sides: FloatArray) -> FloatArray:
    """Multiply inverses (p, p, n_features) with right-hand sides (p, n_features)."""
    product: FloatArray = (inverses * sides[None]).sum(axis=1)
    return product


def climb(point: P, step: FloatArray, at: Callable[[FloatArray, IntArray | None], P]) -> P:
    """Take the step, halved for each model where it would go down.

    ``at(beta, models)`` evaluates the coefficients of some models, of all with None.
    """
    trial = at(point.beta + step, None)
    slack = 1e-12 * (1.0 + np.abs(point.value))
    for _ in range(_HALVINGS):
        worse = np.flatnonzero(~(trial.value >= point.value - slack))
        if worse.size == 0:
            break
        step[:, worse] /= 2.0
        trial.put(worse, at(point.beta[:, worse] + step[:, worse], worse))
    return trial


def newton_step(information: FloatArray, slope: FloatArray, free: slice) -> FloatArray:
    """Step of the free coefficients, cut to a sane length; 0 for the held ones."""
    inverse, _ = inverse_and_log_determinant(information[free, free])
    step = np.zeros_like(slope)
    step[free] = solve_with(inverse, slope[free])
    longest = np.abs(step).max(axis=0)
    return np.asarray(step * np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, 1e-300)))


def ascend(best: P, step: Callable[[P], FloatArray], at: Callable[[FloatArray, IntArray], P]) -> P:
    """Climb from a standpoint to the summits; the value is NaN where a model does not arrive.

    ``step(point)`` proposes, ``at(beta, models)`` evaluates the coefficients of the models so numbered.
    """
    active, point = np.arange(best.beta.shape[1]), best
    for iteration in range(_ITERATIONS):
        move = step(point) * 0.5 ** (iteration // _PATIENCE)
        point = climb(point, move, _renumbered(at, active))
        best.put(active, point)
        going = ~(np.abs(move).max(axis=0) <= _STEP_TOLERANCE)
        active, point = active[going], point.take(going)
        if active.size == 0:
            return best
    best.value[active] = np.nan
    return best


def _renumbered(
    at: Callable[[FloatArray, IntArray], P], active: IntArray
) -> Callable[[FloatArray, IntArray | None], P]:
    return lambda beta, models: at(beta, active if models is None else active[models])
