"""Estimates pulled toward zero by what the whole panel says of their spread: empirical Bayes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.stats._inputs import FloatArray, refuse

__all__ = ["shrink"]


def shrink(estimate: ArrayLike, std_error: ArrayLike) -> tuple[FloatArray, FloatArray, float]:
    r"""Pull the effects of a panel toward zero, the more so the less surely each is known.

    With effects normal around zero with variance :math:`\tau^2` and estimates normal around them,

    .. math::

        \hat\tau^2 = \max\Big(0, \frac{\sum_j w_j (\hat\theta_j^2 - s_j^2)}{\sum_j w_j}\Big), \quad
        w_j = s_j^{-4}, \qquad
        \tilde\theta_j = \frac{\hat\tau^2}{\hat\tau^2 + s_j^2}\, \hat\theta_j

    with error :math:`s_j \sqrt{\hat\tau^2 / (\hat\tau^2 + s_j^2)}`. The weights are those of the variances of
    :math:`\hat\theta_j^2` at no effect. Where the panel holds no more spread than chance all effects become
    zero. Correlated features make :math:`\hat\tau^2` uncertain but not biased; the errors leave that
    uncertainty out. Source: Morris 1983, doi 10.1080/01621459.1983.10477920.

    Parameters
    ----------
    estimate, std_error : array_like of shape (n_features,)
        Log ratios of one family per standard deviation of each feature, so that they are comparable.
        A feature without both, or with an error of zero, stays missing and tells nothing of the others.

    Returns
    -------
    shrunken, error : ndarray of shape (n_features,)
        The pulled effects and their errors.
    spread : float
        :math:`\hat\tau`; NaN where no feature has an estimate.

    Raises
    ------
    ImmunosarcError
        When the shapes differ or an error is negative.

    Examples
    --------
    >>> shrunken, error, spread = shrink([2.0, -1.0, 0.5], [1.0, 0.5, 0.5])
    >>> shrunken.round(2).tolist(), round(spread, 2)
    ([0.62, -0.65, 0.32], 0.67)
    """
    problems: list[str] = []
    raw, error = np.asarray(estimate, dtype=float), np.asarray(std_error, dtype=float)
    if raw.shape != error.shape or raw.ndim != 1:
        problems.append(f"estimate and std_error: need two vectors alike, have {raw.shape} and {error.shape}")
    elif (error < 0).any():
        problems.append("std_error: must not be negative")
    refuse("shrink", problems)
    known = np.isfinite(raw) & np.isfinite(error) & (error > 0)
    blank = np.full(raw.shape, np.nan)
    if not known.any():
        return blank, blank.copy(), float("nan")
    variance = error[known] ** 2
    weight = (variance.min() / variance) ** 2
    spread = max(0.0, float((weight * (raw[known] ** 2 - variance)).sum() / weight.sum()))
    share = spread / (spread + variance)
    shrunken, left = blank, blank.copy()
    shrunken[known], left[known] = share * raw[known], np.sqrt(share * variance)
    return shrunken, left, float(np.sqrt(spread))
