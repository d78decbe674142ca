"""The logarithm of a number of choices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import FloatArray

__all__ = ["log_ways"]


def log_ways(n: ArrayLike, k: ArrayLike) -> FloatArray:
    """Return the log of n choose k, element by element; k lies between 0 and n."""
    n, k = np.asarray(n), np.asarray(k)
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))
