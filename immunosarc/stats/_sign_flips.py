"""Sign flips: what the signed-rank statistic does when before and after change places at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunosarc.stats._inputs import FloatArray, as_features, refuse
from immunosarc.stats._rank_sums import midranks

__all__ = ["sign_flips", "signed_rank_null"]


def sign_flips(n_patients: int, n_permutations: int, seed: int) -> NDArray[np.int8]:
    """Decide for each patient at random whether before and after change places.

    Parameters
    ----------
    n_patients, n_permutations : int
        Columns and rows to return.
    seed : int
        Same seed, same signs; the first rows of a longer run are the shorter run.

    Returns
    -------
    ndarray of int8, shape (n_permutations, n_patients)
        1 or -1.

    Examples
    --------
    >>> sign_flips(4, 2, seed=3).shape
    (2, 4)
    """
    rng = np.random.default_rng(seed)
    return (2 * rng.integers(0, 2, size=(n_permutations, n_patients), dtype=np.int8) - 1).astype(np.int8)


def signed_rank_null(differences: ArrayLike, signs: ArrayLike) -> FloatArray:
    r"""Give the signed-rank statistics that arise when whole patients are flipped.

    A row of ones gives the observed statistic of :func:`signed_rank`. One patient is flipped in
    all features at once, so that the correlation between features is kept.

    .. math:: z = \frac{\sum_i s_i \operatorname{sign}(d_i)\, r_i}{\sqrt{\sum_i r_i^2}}

    Parameters
    ----------
    differences : array_like of shape (n_patients, n_features)
        After minus before; NaN where one of the two is missing.
    signs : array_like of shape (n_permutations, n_patients)
        From :func:`sign_flips`.

    Returns
    -------
    ndarray of shape (n_permutations, n_features)
        NaN for a feature without any difference.

    Raises
    ------
    ImmunosarcError
        When the differences are no matrix of finite or missing numbers.

    Examples
    --------
    >>> signed_rank_null([[1.0], [2.0], [-0.5]], [[1, 1, 1], [-1, -1, -1]]).ravel().round(3).tolist()
    [1.069, -1.069]
    """
    problems: list[str] = []
    values = as_features(differences, problems)
    refuse("signed_rank_null", problems)
    sizes = np.where(values == 0, np.nan, np.abs(values))
    signed = np.nan_to_num(midranks(sizes) * np.sign(values))
    length = np.sqrt((signed**2).sum(axis=0))
    return np.asarray(signs, dtype=float) @ signed / np.where(length > 0, length, np.nan)
