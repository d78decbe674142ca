"""Many features, few patients: what the best of a whole panel is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.stats._inputs import FloatArray, as_sides, check_level, refuse

__all__ = ["benjamini_hochberg", "noise_ceiling", "step_down_maxt"]

# permuted statistics that differ from the observed one by rounding only have reached it
_ROUNDING = 1e-10


def benjamini_hochberg(p: ArrayLike) -> FloatArray:
    r"""Give the share of false leads to expect when every feature at least this strong is followed up.

    .. math:: q_{(i)} = \min_{j \ge i} \min(1, m p_{(j)} / j)

    over the m features with a p-value. Source: Benjamini and Hochberg 1995,
    doi 10.1111/j.2517-6161.1995.tb02031.x.

    Parameters
    ----------
    p : array_like of shape (n_features,)
        p-values; NaN stays NaN and does not count.

    Returns
    -------
    ndarray of shape (n_features,)
        q-values.

    Raises
    ------
    ImmunosarcError
        When a p-value is outside 0 to 1.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, float("nan"), 0.03]).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    values = np.asarray(p, dtype=np.float64)
    problems: list[str] = []
    if values.ndim != 1 or np.any((values < 0) | (values > 1)):
        problems.append(f"p: need one vector of numbers between 0 and 1, have shape {values.shape}")
    refuse("benjamini_hochberg", problems)
    q = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    scaled = values[order] * order.size / np.arange(1, order.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def step_down_maxt(observed: ArrayLike, null: ArrayLike, *, sides: ArrayLike | None = None) -> FloatArray:
    r"""Give the chance that the best of the remaining panel would look this good by luck alone.

    Westfall and Young's step-down: features ordered by :math:`|t|`, each compared with the largest
    permuted :math:`|t|` among itself and all weaker ones,

    .. math:: p_{(i)} = \max_{j \le i} \frac{1 + \#\{b : \max_{k \ge j} |t^b_{(k)}| \ge |t_{(j)}|\}}{1 + B}

    It controls the chance of any false lead in the panel and uses how the features go together.
    Source: Westfall and Young 1993; Ge, Dudoit and Speed 2003, doi 10.1007/BF02595811.

    Parameters
    ----------
    observed : array_like of shape (n_features,)
        Standardised statistics; NaN features take no part and get NaN.
    null : array_like of shape (n_permutations, n_features)
        The same statistics under permuted labels (the identity not among them); NaN counts as 0.
    sides : array_like of shape (n_features,), optional
        0 for a two-sided feature, 1 where only a positive statistic counts, -1 where only a negative one does.
        One direction stated beforehand asks less of a feature that goes that way.

    Returns
    -------
    ndarray of shape (n_features,)
        Adjusted p-values, at least 1 / (1 + n_permutations); 1 where a feature goes against its side.

    Raises
    ------
    ImmunosarcError
        When the shapes do not fit or there is no permutation.

    Examples
    --------
    >>> step_down_maxt([3.0, 1.0], [[0.5, -2.0], [1.5, 0.2], [-0.1, 0.4]]).tolist()
    [0.25, 0.5]
    """
    problems: list[str] = []
    plain = np.asarray(observed, dtype=np.float64)
    chance = _null_matrix(null, problems)
    signs = as_sides(sides, chance.shape[1], problems)
    if plain.ndim != 1 or plain.size != chance.shape[1]:
        problems.append(
            f"observed: need {chance.shape[1]} values like the columns of null, have shape {plain.shape}"
        )
    refuse("step_down_maxt", problems)
    found = np.maximum(_toward(plain, signs), 0.0)
    adjusted = np.full(found.shape, np.nan)
    known = np.flatnonzero(~np.isnan(found))
    weakest_first = known[np.argsort(found[known], kind="stable")]
    largest = np.zeros(len(chance))
    for feature in weakest_first:
        np.fmax(largest, _toward(chance[:, feature], signs[feature]), out=largest)
        reached = np.count_nonzero(largest >= found[feature] * (1.0 - _ROUNDING))
        adjusted[feature] = (1 + reached) / (1 + len(chance))
    strongest_first = weakest_first[::-1]
    adjusted[strongest_first] = np.maximum.accumulate(adjusted[strongest_first])
    return adjusted


def noise_ceiling(null: ArrayLike, *, level: float = 0.95, sides: ArrayLike | None = None) -> float:
    """Say how large the best statistic of the panel gets by luck alone, in all but 1 - level of trials.

    The ``level`` quantile, over permutations, of the largest absolute statistic of the panel; an
    observed value of it that is actually attained, so that staying below is never too easy.

    Parameters
    ----------
    null : array_like of shape (n_permutations, n_features)
        Standardised statistics under permuted labels; NaN counts as 0.
    level : float
        Share of permutations below the ceiling.
    sides : array_like of shape (n_features,), optional
        As in :func:`step_down_maxt`.

    Returns
    -------
    float
        On the scale of the statistics.

    Raises
    ------
    ImmunosarcError
        When there is no permutation or the level is not between 0 and 1.

    Examples
    --------
    >>> noise_ceiling([[0.5, -2.0], [1.5, 0.2], [-0.1, 0.4]], level=0.5)
    1.5
    """
    problems: list[str] = []
    chance = _null_matrix(null, problems)
    signs = as_sides(sides, chance.shape[1], problems)
    check_level(level, problems)
    refuse("noise_ceiling", problems)
    top = np.fmax.reduce(chance[:, signs >= 0], axis=1, initial=0.0)
    bottom = np.fmin.reduce(chance[:, signs <= 0], axis=1, initial=0.0)
    largest = np.maximum(top, -bottom)
    return float(np.quantile(largest, level, method="higher"))


def _toward(statistics: FloatArray, signs: FloatArray) -> FloatArray:
    """How far a statistic goes the way that counts."""
    return np.asarray(np.where(signs == 0, np.abs(statistics), signs * statistics))


def _null_matrix(null: ArrayLike, problems: list[str]) -> FloatArray:
    chance = np.asarray(null, dtype=np.float64)
    if chance.ndim != 2 or len(chance) == 0:
        problems.append(
            f"null: need a matrix (n_permutations, n_features) of at least one row, have shape {chance.shape}"
        )
        return np.zeros((1, chance.shape[-1] if chance.ndim else 0))
    return chance
