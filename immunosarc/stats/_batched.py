"""Newton for many small models at once: one matrix for each feature, one step for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np

from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray

__all__ = ["climb", "inverse_and_log_determinant", "solve_with"]

_HALVINGS = 40


class _Standpoint(Protocol):
    """Where the models stand: coefficients (p, n_features) and what is maximized (n_features,)."""

    @property
    def beta(self) -> FloatArray: ...
    @property
    def value(self) -> FloatArray: ...
    def put(self, models: BoolArray | IntArray, other: Any) -> None: ...


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
