"""Does a feature rise with a graded outcome? Spearman's correlation within strata, and its permutations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._fits import Fits, statuses
from immunosarc.stats._inputs import (
    FloatArray,
    IntArray,
    as_features,
    as_grades,
    as_strata,
    check_level,
    refuse,
)
from immunosarc.stats._permutation import blocks_of, permutation_rows
from immunosarc.stats._rank_sums import midranks, rank_blocks

__all__ = ["rank_correlation", "rank_correlation_null"]


def rank_correlation(
    features: ArrayLike, outcome: ArrayLike, *, strata: ArrayLike | None = None, level: float = 0.95
) -> Fits:
    r"""Say how closely the order of the patients by a feature follows their order by the outcome.

    ``estimate`` is Spearman's correlation, 1 when both orders agree and -1 when they are reversed. With
    r the midranks of the feature and q those of the outcome over the size of the stratum (ridits), both
    centred within strata among the patients measured,

    .. math::

        \rho = \frac{\sum_s \sum_i r_i q_i}{\sqrt{\sum_s \sum_i r_i^2 \sum_s \sum_i q_i^2}}, \qquad
        z = \frac{\sum_s \sum_i r_i q_i}{\sqrt{\sum_s \frac{\sum_i r_i^2 \sum_i q_i^2}{n_s - 1}}}

    ``statistic`` is z, whose variance is that of the permutation distribution, and ``p_value`` its
    two-sided normal p. The interval is Fisher's with Bonett and Wright's error
    :math:`\sqrt{(1 + \rho^2 / 2) / (n - 3)}`, n less one for each stratum after the first. With two
    grades z is that of :func:`rank_sum_statistic`. Source: Bonett and Wright 2000,
    doi 10.1007/BF02294183.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    outcome : array_like of shape (n_patients,)
        Numbers of which only the order counts, higher = better; none missing.
    strata : array_like of shape (n_patients,), optional
        Patients are ranked within their stratum only; none missing.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; ``n_events`` counts the patients above the lowest grade, ``std_error``
        is that of Fisher's scale brought back to the correlation's, ``p_exact`` is NaN.

    Raises
    ------
    ImmunosarcError
        When lengths differ, an outcome or stratum is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[0.1], [0.4], [0.3], [0.9], [0.8]])
    >>> float(rank_correlation(score, [0, 0, 1, 2, 3]).estimate[0].round(3))
    0.718
    """
    problems: list[str] = []
    values = as_features(features, problems)
    grades = as_grades(outcome, len(values), problems)
    codes = as_strata(strata, len(values), problems)
    check_level(level, problems)
    refuse("rank_correlation", problems)
    seen = ~np.isnan(values)
    cross, xx, yy, variance, used = _moments(values, np.where(seen, grades[:, None], np.nan), codes)
    n = seen.sum(axis=0)
    above = (seen & (grades > grades.min(initial=np.inf))[:, None]).sum(axis=0)
    freedom = n - 2 - np.maximum(used, 1)
    few, flat, same = freedom < 1, xx <= 0, yy <= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.clip(cross / np.sqrt(xx * yy), -1.0, 1.0)
        z = cross / np.sqrt(variance)
        spread = np.sqrt((1.0 + rho**2 / 2.0) / freedom)
        middle, margin = np.arctanh(rho), float(special.ndtri((1.0 + level) / 2.0)) * spread
        low, high = np.tanh(middle - margin), np.tanh(middle + margin)
    perfect = np.abs(rho) >= 1.0
    status = statuses(
        values.shape[1],
        (few, lambda i: f"needs 4 patients, has {n[i]}"),
        (same, "needs patients of two grades"),
        (flat, "constant feature"),
        (perfect, "orders agree perfectly: the interval is a single value"),
    )
    return Fits.collect(
        (n, above),
        status,
        hopeless=few | flat | same,
        estimate=rho,
        std_error=(1.0 - rho**2) * spread,
        conf_low=low,
        conf_high=high,
        statistic=z,
        p_value=2.0 * special.ndtr(-np.abs(z)),
    )


def rank_correlation_null(
    features: ArrayLike, outcome: ArrayLike, permutations: ArrayLike, *, strata: ArrayLike | None = None
) -> FloatArray:
    """Give the standardised rank correlations that arise when the outcomes are dealt out at random.

    The outcome is ranked once among all patients of a stratum and its ranks are permuted; each
    feature centres them among the patients who have it.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured.
    outcome : array_like of shape (n_patients,)
        As for :func:`rank_correlation`.
    permutations : array_like of int, shape (n_permutations, n_patients)
        From :func:`permute_within` with the same strata; the identity gives the observed statistic.
    strata : array_like of shape (n_patients,), optional
        As for :func:`rank_correlation`.

    Returns
    -------
    ndarray of shape (n_permutations, n_features)
        NaN where the measured patients all have one grade.

    Raises
    ------
    ImmunosarcError
        When shapes do not fit or a permutation moves a patient to another stratum.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> rank_correlation_null(score, [0, 1, 2, 3], [[0, 1, 2, 3], [3, 2, 1, 0]]).round(3).tolist()
    [[1.732], [-1.732]]
    """
    problems: list[str] = []
    values = as_features(features, problems)
    grades = as_grades(outcome, len(values), problems)
    codes = as_strata(strata, len(values), problems)
    rows = permutation_rows(permutations, codes, problems)
    refuse("rank_correlation_null", problems)
    scores = np.empty(len(grades))
    for code in np.unique(codes):
        here = codes == code
        scores[here] = midranks(grades[here][:, None])[:, 0] / here.sum()
    blocks = rank_blocks(values, codes)
    null = np.empty((len(rows), values.shape[1]))
    for part, piece in blocks_of(rows):
        dealt = scores[piece]
        shape = (len(dealt), values.shape[1])
        total, variance = np.zeros(shape), np.zeros(shape)
        for block in blocks:
            own = dealt[:, block.rows]
            size = np.maximum(block.size, 1.0)
            total += own @ block.centred
            squares = (own**2) @ block.seen - (own @ block.seen) ** 2 / size
            # spread is the sum of squares over N (N - 1)
            variance += squares * block.spread * size
        with np.errstate(divide="ignore", invalid="ignore"):
            standard = np.where(variance > 1e-9, total / np.sqrt(variance), np.nan)
        null[part] = standard[: len(null[part])]
    return null


def _moments(
    values: FloatArray, grades: FloatArray, codes: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, IntArray]:
    """Sums of products and squares of the ranks, the permutation variance, and strata that tell anything."""
    cross, xx, yy, variance = np.zeros((4, values.shape[1]))
    used = np.zeros(values.shape[1], dtype=np.int64)
    for block, other in zip(rank_blocks(values, codes), rank_blocks(grades, codes), strict=True):
        size = np.maximum(block.size, 1.0)
        own_x, own_y = block.spread * size * (size - 1.0), other.spread * (size - 1.0) / size
        cross += (block.centred * other.centred / size).sum(axis=0)
        xx += own_x
        yy += own_y
        variance += own_x * own_y / np.maximum(size - 1.0, 1.0)
        used += block.size > 1
    return cross, xx, yy, variance, used
