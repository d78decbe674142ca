"""Did one group change more, given where each patient began? Analysis of covariance of every feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._batched import inverse_and_log_determinant, solve_with
from immunosarc.stats._fits import Fits, statuses
from immunosarc.stats._inputs import FloatArray, as_binary, as_features, check_level, refuse

__all__ = ["ancova"]

# share of the group's variance that the baseline must leave, or the two cannot be told apart
_COLLINEAR = 1e-9


def ancova(before: ArrayLike, after: ArrayLike, group: ArrayLike, *, level: float = 0.95) -> Fits:
    r"""Estimate how much higher one group ends than the other, among patients who began alike.

    Each feature has the linear model

    .. math:: \text{after}_i = a + b\, \text{before}_i + d\, \text{group}_i + \varepsilon_i

    by least squares; ``estimate`` is d, in units of the feature. Comparing raw changes instead mistakes
    regression to the mean for an effect: the group that began lower by chance rises more. ``std_error``,
    the interval and ``p_value`` are those of Student's t with n - 3 degrees of freedom; ``statistic`` is
    the normal quantile with the same p. With few patients it needs about normal residuals. Source:
    Vickers and Altman 2001, doi 10.1136/bmj.323.7321.1123.

    Parameters
    ----------
    before, after : array_like of shape (n_patients, n_features)
        NaN where not measured; a patient needs both.
    group : array_like of bool, shape (n_patients,)
        True for the group whose surplus is estimated, for example responders; none missing.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; ``n_events`` counts group True, ``p_exact`` is NaN.

    Raises
    ------
    ImmunosarcError
        When shapes differ, a group is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> before = np.array([[1.0], [2.0], [3.0], [1.0], [2.0], [3.0]])
    >>> after = before + np.array([[2.1], [1.9], [2.0], [0.1], [0.0], [-0.1]])
    >>> float(ancova(before, after, [1, 1, 1, 0, 0, 0]).estimate[0].round(3))
    2.0
    """
    problems: list[str] = []
    first, second = as_features(before, problems), as_features(after, problems)
    if first.shape != second.shape:
        problems.append(f"before and after: need the same shape, have {first.shape} and {second.shape}")
    marked = as_binary(group, len(first), "group", problems)
    check_level(level, problems)
    refuse("ancova", problems)
    seen = ~(np.isnan(first) | np.isnan(second))
    size, cases = seen.sum(axis=0), (seen & marked[:, None]).sum(axis=0)
    x, y = _centred(first, seen), _centred(second, seen)
    g = _centred(np.broadcast_to(marked[:, None].astype(np.float64), first.shape), seen)
    unit = np.sqrt((x**2).sum(axis=0) / np.maximum(size, 1))
    flat = unit <= 1e-12 * np.maximum(np.abs(np.where(seen, first, 0.0)).max(axis=0, initial=0.0), 1e-300)
    x = np.where(flat, 0.0, x / np.where(unit > 0, unit, 1.0))
    gram = np.array([[(g * g).sum(axis=0), (g * x).sum(axis=0)], [(g * x).sum(axis=0), (x * x).sum(axis=0)]])
    # a constant baseline tells nothing: its coefficient is held at 0
    gram[1, 1] = np.where(flat, 1.0, gram[1, 1])
    inverse, _ = inverse_and_log_determinant(gram)
    beta = solve_with(inverse, np.array([(g * y).sum(axis=0), (x * y).sum(axis=0)]))
    freedom = size - 3 + flat
    residual = y - g * beta[0] - x * beta[1]
    few, one = (freedom < 1), (cases == 0) | (cases == size)
    with np.errstate(all="ignore"):
        tied = ~(1.0 / (inverse[0, 0] * gram[0, 0]) > _COLLINEAR)
        error = np.sqrt((residual**2).sum(axis=0) / freedom * inverse[0, 0])
        t = beta[0] / error
        p = 2.0 * special.stdtr(freedom, -np.abs(t))
        margin = special.stdtrit(freedom, (1.0 + level) / 2.0) * error
    status = statuses(
        first.shape[1],
        (one, lambda i: f"needs patients in both groups, has {cases[i]} and {size[i] - cases[i]}"),
        (few, lambda i: f"needs 4 pairs, has {size[i]}"),
        (tied, "the baseline determines the group"),
    )
    return Fits.collect(
        (size, cases),
        status,
        hopeless=one | few | tied,
        estimate=beta[0],
        std_error=error,
        conf_low=beta[0] - margin,
        conf_high=beta[0] + margin,
        statistic=-np.sign(t) * special.ndtri(np.maximum(p, 1e-300) / 2.0),
        p_value=p,
    )


def _centred(values: FloatArray, seen: np.ndarray) -> FloatArray:
    mean = np.where(seen, values, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.where(seen, values - mean, 0.0)
