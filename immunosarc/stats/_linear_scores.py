"""Do high values go with high scores? Any score that an outcome gives each patient, dealt out at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.stats._inputs import FloatArray, IntArray, as_features, as_strata, refuse
from immunosarc.stats._permutation import blocks_of, permutation_rows

__all__ = ["linear_score_null", "linear_score_statistic"]


def linear_score_statistic(
    features: ArrayLike, scores: ArrayLike, *, strata: ArrayLike | None = None
) -> FloatArray:
    r"""Tell how many standard errors high values of a feature go with high scores, or with low ones.

    .. math::

        z = \frac{\sum_s \sum_i (x_i - \bar x_s)(a_i - \bar a_s)}
        {\sqrt{\sum_s \frac{\sum_i (x_i - \bar x_s)^2 \sum_i (a_i - \bar a_s)^2}{N_s - 1}}}

    over the patients of stratum s in whom the feature is measured: the covariance over its standard error when
    the scores are dealt out at random within strata. The scores carry the outcome:
    :func:`cumulative_incidence_scores`, :func:`entry_scores`.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    scores : array_like of shape (n_patients,)
        One finite number for each patient.
    strata : array_like of shape (n_patients,), optional
        Patients are compared within their stratum only.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN where the feature or the scores do not vary.

    Raises
    ------
    ImmunosarcError
        When lengths differ, or a score or a stratum is missing.

    Examples
    --------
    >>> import numpy as np
    >>> linear_score_statistic(np.array([[1.0], [2.0], [3.0], [4.0]]), [0, 0, 1, 1]).round(3)
    array([1.549])
    """
    identity = np.arange(len(np.atleast_1d(np.asarray(scores))))[None, :]
    return linear_score_null(features, scores, permutations=identity, strata=strata)[0]


def linear_score_null(
    features: ArrayLike, scores: ArrayLike, *, permutations: ArrayLike, strata: ArrayLike | None = None
) -> FloatArray:
    """Give the standardized covariances that arise when the scores are dealt out at random.

    Each row is :func:`linear_score_statistic` with ``scores[permutation]``.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured.
    scores : array_like of shape (n_patients,)
        One finite number for each patient.
    permutations : array_like of int, shape (n_permutations, n_patients)
        From :func:`permute_within` with the same strata.
    strata : array_like of shape (n_patients,), optional
        Patients are compared within their stratum only.

    Returns
    -------
    ndarray of shape (n_permutations, n_features)
        NaN where the feature or the scores that fell to it do not vary.

    Raises
    ------
    ImmunosarcError
        When shapes do not fit or a permutation moves a patient to another stratum.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> linear_score_null(x, [0, 0, 1, 1], permutations=[[3, 2, 1, 0]]).round(3)
    array([[-1.549]])
    """
    problems: list[str] = []
    values = as_features(features, problems)
    amounts = _as_scores(scores, len(values), problems)
    codes = as_strata(strata, len(values), problems)
    rows = permutation_rows(permutations, codes, problems)
    refuse("linear_score_null", problems)
    amounts = amounts - amounts.mean() if amounts.size else amounts
    strata_rows = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    null = np.empty((len(rows), values.shape[1]))
    for part, piece in blocks_of(rows):
        null[part] = _standardized(values, amounts[piece], strata_rows)[: len(null[part])]
    return null


def _as_scores(scores: ArrayLike, length: int, problems: list[str]) -> FloatArray:
    amounts = np.asarray(scores, dtype=np.float64)
    if amounts.shape != (length,) or not np.isfinite(amounts).all():
        problems.append(
            f"scores: need one finite number for each of {length} patients, have shape {amounts.shape}"
        )
        return np.zeros(length)
    return amounts


def _standardized(values: FloatArray, dealt: FloatArray, strata_rows: list[IntArray]) -> FloatArray:
    total, variance = np.zeros((2, len(dealt), values.shape[1]))
    for rows in strata_rows:
        own, mine = values[rows], dealt[:, rows]
        seen = ~np.isnan(own)
        known = seen.astype(np.float64)
        size = known.sum(axis=0)
        center = np.where(seen, own, 0.0).sum(axis=0) / np.maximum(size, 1.0)
        centred = np.where(seen, own - center, 0.0)
        # a constant feature centers to rounding noise, which must not pass for a variance
        flat = np.fmax.reduce(own, axis=0, initial=-np.inf) <= np.fmin.reduce(own, axis=0, initial=np.inf)
        centred[:, flat] = 0.0
        total += mine @ centred
        spread = mine**2 @ known - (mine @ known) ** 2 / np.maximum(size, 1.0)
        variance += np.maximum(spread, 0.0) * (centred**2).sum(axis=0) / np.maximum(size - 1.0, 1.0)
    scale = np.abs(dealt).max(initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 1e-20 * scale**2, total / np.sqrt(variance), np.nan)
