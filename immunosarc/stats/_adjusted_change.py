"""Change beyond what the baseline, the biopsy's site and its day explain: one regression for each feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._fits import Fits, statuses
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    as_binary,
    as_covariates,
    as_features,
    check_level,
    refuse,
)
from immunosarc.stats._sign_flips import sign_flips

__all__ = ["AdjustedChange", "adjusted_change"]

# a coefficient whose column leaves less than this share of its length beside the others is not known
_COLLINEAR = 1e-6


@dataclass(frozen=True)
class AdjustedChange:
    """What :func:`adjusted_change` finds.

    Attributes
    ----------
    fits : Fits
        One row for each feature.
    regression_to_mean : ndarray of shape (n_features,)
        The change to be expected of these patients because of where they began, and of nothing else.
    null : ndarray of shape (n_permutations, n_features)
        Statistics when nothing happens, for :func:`immunosarc.stats.step_down_maxt`.
    """

    fits: Fits
    regression_to_mean: FloatArray
    null: FloatArray


def adjusted_change(
    before: ArrayLike,
    after: ArrayLike,
    *,
    everyone: ArrayLike | None = None,
    covariates: ArrayLike | None = None,
    group: ArrayLike | None = None,
    level: float = 0.95,
    n_permutations: int = 1000,
    seed: int = 0,
) -> AdjustedChange:
    r"""Estimate how much a patient changed who began at the average, with all covariates at zero.

    Each feature has the linear model

    .. math:: y_i - x_i = a + b\,(x_i - m) + z_i' c + d\, g_i + \varepsilon_i

    with x before, y after and m the mean of x over everyone measured before, those without a second value
    included. Who was chosen for a second biopsy by a low value rises by chance (regression to the mean); a
    does not, because the model holds at any choice made by x. ``estimate`` is a, or with ``group`` the
    surplus d of that group. The error of a holds that of m: :math:`s_a^2 + b^2 s_x^2 / N`. Interval and
    ``p_value`` are Student's with n - p degrees of freedom; ``statistic`` is the normal quantile with the
    same p. With few patients it needs about normal residuals.

    The null flips the signs of the residuals of the model without a, patient by patient (for ``group``: deals
    out the residuals of the model without d), which keeps the correlation between features. It is
    approximate, since residuals are not errors. Source: Freedman and Lane 1983, doi
    10.1080/07350015.1983.10509354; Winkler et al. 2014, doi 10.1016/j.neuroimage.2014.01.060.

    Parameters
    ----------
    before, after : array_like of shape (n_patients, n_features)
        NaN where not measured; a patient needs both.
    everyone : array_like of shape (n_everyone, n_features), optional
        The values before of everybody; the pairs alone unless given.
    covariates : array_like of shape (n_patients, k), optional
        Zero stands for the patient that a speaks of; a patient with a missing value is left out.
    group : array_like of bool, shape (n_patients,), optional
        Estimate the surplus of this group instead.
    level : float
        Confidence level.
    n_permutations : int
        Rows of the null.
    seed : int
        Same seed, same null.

    Returns
    -------
    AdjustedChange

    Raises
    ------
    ImmunosarcError
        When shapes differ or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> before = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> found = adjusted_change(before, before + [[1.1], [0.9], [1.0], [0.9], [1.1]])
    >>> found.fits.estimate.round(3).tolist(), found.fits.std_error.round(3).tolist()
    ([1.0], [0.052])
    """
    problems: list[str] = []
    first, second = as_features(before, problems), as_features(after, problems)
    if first.shape != second.shape:
        problems.append(f"before and after: need the same shape, have {first.shape} and {second.shape}")
    whole = first if everyone is None else as_features(everyone, problems)
    design = as_covariates(covariates, len(first), problems)
    member = None if group is None else as_binary(group, len(first), "group", problems)
    check_level(level, problems)
    refuse("adjusted_change", problems)
    complete = ~np.isnan(design).any(axis=1)
    rows = []
    draws = _Draws(len(first), n_permutations, seed, flips=member is None)
    for j in range(first.shape[1]):
        usable = complete & ~np.isnan(first[:, j]) & ~np.isnan(second[:, j])
        x, y = first[usable, j], second[usable, j]
        known = whole[~np.isnan(whole[:, j]), j] if everyone is not None else x
        rows.append(_fit(x, y, known, design[usable], None if member is None else member[usable],
                         draws.of(usable)))  # fmt: skip
    return _collected(rows, level, n_permutations)


@dataclass(frozen=True)
class _One:
    """One feature: who counted, the coefficient, its error and freedom, and why there is none."""

    n: int
    cases: int
    estimate: float = np.nan
    error: float = np.nan
    freedom: int = 0
    by_baseline: float = np.nan
    null: FloatArray | None = None
    status: str = "ok"


class _Draws:
    """Sign flips or orders of the patients, the same for every feature."""

    def __init__(self, n: int, n_permutations: int, seed: int, *, flips: bool) -> None:
        self.flips = flips
        rng = np.random.default_rng(seed)
        self._values = (
            sign_flips(n, n_permutations, seed).astype(float) if flips else rng.random((n_permutations, n))
        )

    def of(self, usable: BoolArray) -> FloatArray:
        mine = self._values[:, usable]
        return mine if self.flips else np.asarray(np.argsort(mine, axis=1))


def _fit(
    x: FloatArray,
    y: FloatArray,
    everyone: FloatArray,
    covariates: FloatArray,
    group: BoolArray | None,
    draws: FloatArray,
) -> _One:
    n, cases = len(x), int((y > x).sum() if group is None else group.sum())
    if n == 0:
        return _One(n, cases, status="needs pairs, has 0")
    if group is not None and cases in (0, n):
        return _One(n, cases, status=f"needs patients in both groups, has {cases} and {n - cases}")
    anchor = float(everyone.mean())
    target = np.ones(n) if group is None else group.astype(float)
    others = [] if group is None else [np.ones(n)]
    moving = float(np.ptp(x)) > 1e-12 * max(1.0, float(np.abs(x).max()))
    baseline = [x - anchor] if moving else []
    varied = [z for z in covariates.T if np.abs(z).max() > 0]
    nuisance = np.column_stack([*others, *baseline, *varied]) if others or baseline or varied else np.zeros((n, 0))
    freedom = n - 1 - int(np.linalg.matrix_rank(nuisance)) if nuisance.size else n - 1
    if freedom < 2:
        return _One(n, cases, status=f"needs {n - freedom + 2} pairs for its {n - freedom} coefficients, has {n}")
    basis = _orthonormal(nuisance)
    own = target - basis @ (basis.T @ target)
    length = float(own @ own)
    if length <= _COLLINEAR * float(target @ target):
        what = "treatment" if group is None else "the group"
        return _One(n, cases, status=f"{what} and the covariates cannot be told apart")
    change = y - x
    left = change - basis @ (basis.T @ change)
    estimate = float(own @ change / length)
    noise = float((left - estimate * own) @ (left - estimate * own)) / freedom
    slope = _slope(change - estimate * target, nuisance, len(others)) if baseline else 0.0
    drift = slope**2 * float(everyone.var(ddof=1)) / len(everyone) if group is None and len(everyone) > 1 else 0.0
    error = float(np.sqrt(noise / length + drift))
    if not error > 1e-12 * max(1.0, float(np.abs(change).max())):
        return _One(n, cases, estimate, status="the patients changed all alike: no error can be given")
    dealt = draws * left if group is None else left[draws.astype(int)]
    return _One(
        n, cases, estimate, error, freedom, slope * (float(x.mean()) - anchor), _null(dealt, own, basis, freedom)
    )


def _orthonormal(matrix: FloatArray) -> FloatArray:
    """An orthonormal basis of the columns, without those that the others determine."""
    if not matrix.shape[1]:
        return matrix
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(left[:, sizes > 1e-10 * sizes.max(initial=0.0)])


def _slope(values: FloatArray, nuisance: FloatArray, position: int) -> float:
    return float(np.linalg.lstsq(nuisance, values, rcond=None)[0][position])


def _null(dealt: FloatArray, own: FloatArray, basis: FloatArray, freedom: int) -> FloatArray:
    """The t statistic of every flipped or shuffled set of residuals."""
    length = own @ own
    found = dealt @ own / length
    residual = (dealt**2).sum(axis=1) - ((dealt @ basis) ** 2).sum(axis=1) - found**2 * length
    with np.errstate(divide="ignore", invalid="ignore"):
        t = found / np.sqrt(np.maximum(residual, 0.0) / freedom / length)
    return _as_normal(t, np.full(t.shape, freedom))


def _as_normal(t: FloatArray, freedom: FloatArray) -> FloatArray:
    """The normal quantile with the two-sided p of Student's t."""
    tail = np.maximum(special.stdtr(freedom, -np.abs(t)), 1e-300)
    return np.asarray(-np.sign(t) * special.ndtri(tail))


def _collected(rows: list[_One], level: float, n_permutations: int) -> AdjustedChange:
    size = len(rows)
    estimate, error = (np.array([getattr(row, name) for row in rows], float) for name in ("estimate", "error"))
    freedom = np.array([max(row.freedom, 1) for row in rows], float)
    failed = np.array([np.isnan(row.estimate) for row in rows], dtype=bool)
    t = estimate / error
    margin = special.stdtrit(freedom, (1.0 + level) / 2.0) * error
    status = statuses(size, (np.array([row.status != "ok" for row in rows], bool), lambda i: rows[i].status))
    counts = (np.array([row.n for row in rows], np.int64), np.array([row.cases for row in rows], np.int64))
    fits = Fits.collect(
        counts,
        status,
        hopeless=failed,
        estimate=estimate,
        std_error=error,
        conf_low=estimate - margin,
        conf_high=estimate + margin,
        statistic=_as_normal(t, freedom),
        p_value=np.minimum(2.0 * special.stdtr(freedom, -np.abs(t)), 1.0),
    )
    blank = np.full(n_permutations, np.nan)
    null = (
        np.column_stack([blank if row.null is None else row.null for row in rows])
        if rows
        else np.empty((n_permutations, 0))
    )
    return AdjustedChange(fits, np.array([row.by_baseline for row in rows], float), null)
