"""Small symmetric matrices, one for each feature, inverted together."""

from __future__ import annotations

import numpy as np

from immunosarc.stats._inputs import FloatArray

__all__ = ["inverse_and_log_determinant", "solve_with"]


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
