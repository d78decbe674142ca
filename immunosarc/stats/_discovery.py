"""What a significant result is worth when the study is small: wrong signs and exaggeration."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from immunosarc.stats._inputs import FloatArray, check_level, refuse

__all__ = ["discovery_errors"]


def discovery_errors(
    signal: ArrayLike, alpha: float, *, one_sided: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Say how often a true effect is found, and how far the finding is off when it is.

    With Z normal around the true effect over its standard error, and found when |Z| exceeds the
    two-sided critical value c of alpha:

    .. math::

        \text{power} = P(|Z| > c), \qquad
        S = P(Z < -c \mid |Z| > c), \qquad
        M = \frac{E(|Z| \mid |Z| > c)}{\text{signal}}

    One-sided, toward the side of the effect, a finding is Z > c with the one-sided critical value: it never has
    the wrong sign.

    Parameters
    ----------
    signal : array_like
        True effect over its standard error, positive.
    alpha : float
        Level of the test; for one feature of many, the level that the family leaves it.
    one_sided : bool
        Whether only effects of the stated sign count as findings, and the true one has it.

    Returns
    -------
    power, type_s, type_m : ndarray
        Power; share of findings with the wrong sign; factor by which findings exaggerate on average.
        ``type_m`` is infinite at no effect.

    Raises
    ------
    ImmunosarcError
        When alpha is not between 0 and 1, or a signal is negative.

    References
    ----------
    Gelman A, Carlin J. Perspect Psychol Sci 2014;9:641-651, doi:10.1177/1745691614551642.

    Examples
    --------
    >>> [round(float(x), 2) for x in discovery_errors(1.0, 0.05)]
    [0.17, 0.01, 2.49]
    """
    problems: list[str] = []
    check_level(alpha, problems, "alpha")
    true = np.asarray(signal, dtype=float)
    if (true < 0).any():
        problems.append("signal: must not be negative; the sign of the effect does not matter here")
    refuse("discovery_errors", problems)
    cut = ndtri(1 - alpha / (1 if one_sided else 2))
    other = 0.0 if one_sided else 1.0
    right, wrong = ndtr(true - cut), other * ndtr(-true - cut)
    power = right + wrong
    size = true * (right - wrong) + _density(cut - true) + other * _density(cut + true)
    with np.errstate(divide="ignore"):
        return np.asarray(power), np.asarray(wrong / power), np.asarray(size / power / true)


def _density(z: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))
