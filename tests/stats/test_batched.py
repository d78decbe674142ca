"""Batched inverses against numpy's, one matrix at a time."""

from __future__ import annotations

import numpy as np

from immunosarc.stats._batched import inverse_and_log_determinant, solve_with


def test_agrees_with_numpy_and_marks_what_is_not_positive_definite():
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(5, 5, 8))
    matrices = np.einsum("acm,bcm->abm", roots, roots) + 0.1 * np.eye(5)[:, :, None]
    matrices[..., 3] = -np.eye(5)
    before = matrices.copy()
    inverse, log_determinant = inverse_and_log_determinant(matrices)
    np.testing.assert_array_equal(matrices, before)
    assert np.isnan(log_determinant).tolist() == [k == 3 for k in range(8)]
    sides = rng.normal(size=(5, 8))
    solved = solve_with(inverse, sides)
    for k in (0, 1, 2, 4, 5, 6, 7):
        np.testing.assert_allclose(inverse[..., k], np.linalg.inv(matrices[..., k]), rtol=1e-9, atol=1e-11)
        assert np.isclose(log_determinant[k], np.linalg.slogdet(matrices[..., k])[1], rtol=1e-12)
        np.testing.assert_allclose(solved[:, k], np.linalg.solve(matrices[..., k], sides[:, k]), rtol=1e-9)
