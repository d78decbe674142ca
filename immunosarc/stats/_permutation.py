"""What chance gives: labels permuted within strata, and the statistics of every feature under them.

All patients' labels are permuted; then each feature keeps the patients in whom it is measured. So
one permutation is the same event for all features, and their dependence is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunosarc.stats._inputs import (
    FloatArray,
    IntArray,
    as_binary,
    as_features,
    as_strata,
    refuse,
)
from immunosarc.stats._rank_sums import rank_blocks, standardized_rank_sum

__all__ = ["blocks_of", "permutation_rows", "permute_within", "rank_sum_null"]

# Rows of one matrix product. Constant, the last block filled up, so that a row's value never
# depends on how many permutations were asked for.
_BLOCK = 256


def permute_within(strata_codes: ArrayLike, n_permutations: int, seed: int, *, first: int = 0) -> IntArray:
    """Shuffle patients among the patients of their stratum, as a trial stratified so would have allowed.

    Permutation b depends on the seed and on b alone: the first rows of a longer run are the shorter
    run, and ``first`` starts anywhere, so work can be cut into pieces without changing a number.

    Parameters
    ----------
    strata_codes : array_like of shape (n_patients,)
        Stratum of each patient; all equal for free permutation.
    n_permutations : int
        Rows to return.
    seed : int
        At least 0.
    first : int
        Number of the first permutation.

    Returns
    -------
    ndarray of int, shape (n_permutations, n_patients)
        ``labels[row]`` are the permuted labels.

    Raises
    ------
    ImmunosarcError
        When a stratum is missing or a number is negative.

    Examples
    --------
    >>> permute_within(["a", "a", "b", "b"], 3, seed=1).tolist()
    [[0, 1, 2, 3], [0, 1, 3, 2], [1, 0, 3, 2]]
    """
    problems: list[str] = []
    if min(n_permutations, seed, first) < 0:
        problems.append(
            f"n_permutations, seed, first: need whole numbers of at least 0, have {(n_permutations, seed, first)}"
        )
    codes = as_strata(strata_codes, len(np.atleast_1d(np.asarray(strata_codes, dtype=object))), problems)
    refuse("permute_within", problems)
    bits = np.random.PCG64(seed)
    bits.advance(first * codes.size)  # one draw for each patient of each permutation before
    keys = np.random.Generator(bits).random((n_permutations, codes.size))
    permutations = np.empty(keys.shape, dtype=np.int64)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        permutations[:, rows] = rows[np.argsort(keys[:, rows], axis=1, kind="stable")]
    return permutations


def rank_sum_null(
    features: ArrayLike, group: ArrayLike, permutations: ArrayLike, *, strata: ArrayLike | None = None
) -> FloatArray:
    """Give the standardised rank sums that arise when the group labels are dealt out at random.

    Each row is :func:`rank_sum_statistic` with the labels ``group[permutation]``, to the last bit. A
    feature's group sizes among the measured patients vary with the permutation, and so does its
    standardisation.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured.
    group : array_like of bool, shape (n_patients,)
        Observed labels.
    permutations : array_like of int, shape (n_permutations, n_patients)
        From :func:`permute_within` with the same strata.
    strata : array_like of shape (n_patients,), optional
        As for :func:`mann_whitney`.

    Returns
    -------
    ndarray of shape (n_permutations, n_features)
        NaN where a permutation leaves one group without a measured patient.

    Raises
    ------
    ImmunosarcError
        When shapes do not fit or a permutation moves a patient to another stratum.

    Examples
    --------
    >>> import numpy as np
    >>> score, group = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([0, 0, 1, 1])
    >>> rank_sum_null(score, group, [[0, 1, 2, 3], [3, 1, 2, 0]]).round(3).tolist()
    [[1.549], [-0.775]]
    """
    problems: list[str] = []
    values = as_features(features, problems)
    marked = as_binary(group, len(values), "group", problems)
    codes = as_strata(strata, len(values), problems)
    rows = permutation_rows(permutations, codes, problems)
    refuse("rank_sum_null", problems)
    blocks = rank_blocks(values, codes)
    labels = marked.astype(np.float64)
    null = np.empty((len(rows), values.shape[1]))
    for part, piece in blocks_of(rows):
        null[part] = standardized_rank_sum(blocks, labels[piece])[: len(null[part])]
    return null


def blocks_of(rows: IntArray) -> Iterator[tuple[slice, IntArray]]:
    """Yield equal blocks of permutations and where they belong; the last is filled with identities."""
    for start in range(0, len(rows), _BLOCK):
        piece = rows[start : start + _BLOCK]
        missing = _BLOCK - len(piece)
        if missing:
            piece = np.concatenate([piece, np.tile(np.arange(rows.shape[1]), (missing, 1))])
        yield slice(start, start + _BLOCK), piece


def permutation_rows(permutations: ArrayLike, codes: IntArray, problems: list[str]) -> IntArray:
    """Return the permutations; note a wrong shape, number or move between strata."""
    rows: NDArray[np.int64] = np.asarray(permutations)
    length = codes.size
    if rows.ndim != 2 or rows.shape[1] != length or not np.issubdtype(rows.dtype, np.integer):
        problems.append(
            f"permutations: need whole numbers of shape (n_permutations, {length}), "
            f"have shape {rows.shape} of {rows.dtype}; permute_within makes them"
        )
    elif rows.size and (rows.min() < 0 or rows.max() >= length):
        problems.append(f"permutations: need row numbers 0 to {length - 1}; permute_within makes them")
    elif not np.array_equal(codes[rows], np.broadcast_to(codes, rows.shape)):
        problems.append("permutations: move patients between strata; pass the same strata to permute_within")
    return rows
