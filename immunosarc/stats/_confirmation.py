"""How many patients confirm an effect of a continuous feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import FloatArray, refuse

__all__ = ["confirmation_size"]


def confirmation_size(
    effect: ArrayLike, share: ArrayLike, *, events: bool, alpha: float = 0.05, power: float = 0.8
) -> FloatArray:
    r"""Give the number of new patients in whom an effect of this size would be seen again.

    For a log odds ratio :math:`\beta` per standard deviation and a share p with the endpoint,
    :math:`n = (z_{1-\alpha/2} + z_{\text{power}})^2 / (\beta^2 p (1 - p))`; for a log hazard ratio and a share d
    with the event, :math:`n = (z_{1-\alpha/2} + z_{\text{power}})^2 / (\beta^2 d)`. One feature, one two-sided
    test, and the effect as given: take a shrunken one, since that found by a search is too large. Sources: Hsieh,
    Bloch and Larsen 1998, doi 10.1002/(sici)1097-0258(19980730)17:14<1623::aid-sim871>3.0.co;2-s; Hsieh and Lavori
    2000, doi 10.1016/s0197-2456(00)00104-5.

    Parameters
    ----------
    effect : array_like of shape (n_features,)
        Log ratio per standard deviation.
    share : array_like of shape (n_features,)
        Share of patients with the endpoint, or whose event will be seen.
    events : bool
        Whether the effect is a log hazard ratio.
    alpha, power : float
        Two-sided type-I error, and power.

    Returns
    -------
    ndarray of shape (n_features,)
        Whole patients; NaN where there is no effect, nothing known, or nobody with or without the endpoint.

    Raises
    ------
    ImmunosarcError
        When alpha or power is not between 0 and 1.

    Examples
    --------
    >>> confirmation_size([0.8, 0.4], [0.3, 0.3], events=False).tolist()
    [59.0, 234.0]
    """
    problems = [
        f"{name}: need a number between 0 and 1, have {value!r}"
        for name, value in (("alpha", alpha), ("power", power))
        if not 0 < value < 1
    ]
    refuse("confirmation_size", problems)
    beta, part = (np.asarray(one, dtype=np.float64) for one in (effect, share))
    z = special.ndtri(1.0 - alpha / 2.0) + special.ndtri(power)
    known = beta**2 * (part if events else part * (1.0 - part))
    size = np.divide(z**2, known, out=np.full(known.shape, np.nan), where=known > 0)
    return np.asarray(np.ceil(size - 1e-9))
