"""Are classes as frequent after as before? The exact test for paired classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.stats._inputs import FloatArray, refuse

__all__ = ["MarginalHomogeneity", "marginal_homogeneity"]


@dataclass(frozen=True)
class MarginalHomogeneity:
    """What :func:`marginal_homogeneity` finds.

    Attributes
    ----------
    statistic : float
        Stuart-Maxwell; NaN where no patient changed class.
    p_exact : float
        Exact two-sided p of it.
    p_trend : float
        Exact two-sided p of the mean move along the order of the classes.
    """

    statistic: float
    p_exact: float
    p_trend: float


def marginal_homogeneity(table: ArrayLike) -> MarginalHomogeneity:
    r"""Ask whether patients moved between classes more one way than the other.

    With d the row sums minus the column sums of the table, and V their covariance,

    .. math:: S = d' V^{-} d, \qquad V_{ii} = \sum_{j \ne i} m_{ij}, \quad V_{ij} = -m_{ij},
              \quad m_{ij} = n_{ij} + n_{ji}

    Where before and after could change places in every patient, each :math:`n_{ij}` is binomial with
    :math:`m_{ij}` tosses of a fair coin. ``p_exact`` adds up the probability of every outcome with at least
    this S; with two classes it is the exact McNemar test. ``p_trend`` does the same for
    :math:`|\sum_i i\, d_i|`, the sum of the steps along the scale: it has more power where classes are
    ordered and patients move one way. Without any change both are 1. Source: Stuart 1955, doi
    10.1093/biomet/42.3-4.412; Maxwell 1970, doi 10.1192/bjp.116.535.651.

    Parameters
    ----------
    table : array_like of shape (k, k)
        Patients by class before (rows) and after (columns), classes in their order.

    Returns
    -------
    MarginalHomogeneity

    Raises
    ------
    ImmunosarcError
        When the table is not square or holds anything but whole numbers of at least 0.

    Examples
    --------
    >>> found = marginal_homogeneity([[5, 6], [0, 3]])
    >>> round(found.statistic, 6), found.p_exact
    (6.0, 0.03125)
    """
    problems: list[str] = []
    counts = np.asarray(table, dtype=float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        problems.append(f"table: need as many rows as columns, have shape {counts.shape}")
    elif not (np.isfinite(counts) & (counts >= 0) & (counts == np.round(counts))).all():
        problems.append("table: need whole numbers of at least 0")
    refuse("marginal_homogeneity", problems)
    moved = counts + counts.T
    np.fill_diagonal(moved, 0.0)
    if not moved.any():
        return MarginalHomogeneity(float("nan"), 1.0, 1.0)
    inverse = np.linalg.pinv(np.diag(moved.sum(axis=1)) - moved)
    seen = (counts.sum(axis=1) - counts.sum(axis=0))[None, :]
    outcomes, probability = _distribution(moved.astype(np.int64))
    steps = np.arange(len(counts), dtype=float)
    statistic, null = _quadratic(seen, inverse), _quadratic(outcomes, inverse)
    trend, null_trend = np.abs(seen @ steps), np.abs(outcomes @ steps)
    return MarginalHomogeneity(
        float(statistic[0]),
        _tail(null, statistic[0], probability),
        _tail(null_trend, trend[0], probability),
    )


def _quadratic(rows: FloatArray, inverse: FloatArray) -> FloatArray:
    return np.asarray(((rows @ inverse) * rows).sum(axis=1))


def _tail(null: FloatArray, seen: float, probability: FloatArray) -> float:
    return float(min(1.0, probability[null >= seen - 1e-9 * max(1.0, abs(seen))].sum()))


def _distribution(moved: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Every vector of differences that coin tosses can give, and its probability."""
    states: FloatArray = np.zeros((1, len(moved)))
    chance: FloatArray = np.ones(1)
    for i, j in zip(*np.triu_indices(len(moved), 1), strict=True):
        m = int(moved[i, j])
        if m == 0:
            continue
        net = 2.0 * np.arange(m + 1) - m
        step = np.zeros((m + 1, len(moved)))
        step[:, i], step[:, j] = net, -net
        wide = (states[:, None, :] + step[None, :, :]).reshape(-1, len(moved))
        weight = (chance[:, None] * _fair_coin(m)[None, :]).ravel()
        states, place = np.unique(wide, axis=0, return_inverse=True)
        chance = np.asarray(np.bincount(place.ravel(), weights=weight), dtype=np.float64)
    return states, chance


def _fair_coin(tosses: int) -> FloatArray:
    """Probability of 0, 1, ... heads."""
    row = np.ones(1)
    for _ in range(tosses):
        row = np.convolve(row, [0.5, 0.5])
    return row
