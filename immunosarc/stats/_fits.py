"""Fits: one row per feature, the same columns for every test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray

__all__ = ["Fits", "StatusArray", "statuses"]

StatusArray = NDArray[np.object_]


@dataclass(frozen=True)
class Fits:
    """What a test says about each feature: effect, interval, p-values, and whether to trust them.

    Every attribute is an array over features, in the order of the columns that were passed.

    Attributes
    ----------
    n : ndarray of int
        Patients used for the feature (those with a value).
    n_events : ndarray of int
        Of these, the ones in the group marked True, with an event, or with an increase.
    estimate, std_error, conf_low, conf_high : ndarray of float
        The effect on the scale that the function names (AUC, log odds ratio, ...); NaN where it
        cannot be given.
    statistic : ndarray of float
        Signed and standard normal under no association, for permutation and plots.
    p_value, p_exact : ndarray of float
        Two-sided unless a side was stated; ``p_exact`` is NaN where no exact distribution applies.
    status : ndarray of str
        ``"ok"``, or in words why a number is missing or doubtful.

    Examples
    --------
    >>> import numpy as np
    >>> from immunosarc.stats import mann_whitney
    >>> fits = mann_whitney(np.array([[3.0], [4.0], [1.0], [2.0]]), [True, True, False, False])
    >>> float(fits.estimate[0]), fits.status[0]
    (1.0, 'ok')
    """

    n: IntArray
    n_events: IntArray
    estimate: FloatArray
    std_error: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    p_exact: FloatArray
    status: StatusArray

    @classmethod
    def collect(
        cls,
        counts: tuple[IntArray, IntArray],
        status: StatusArray,
        *,
        hopeless: BoolArray,
        **columns: FloatArray,
    ) -> Fits:
        """Build the table; absent columns and hopeless features are NaN."""
        numbers = [f.name for f in fields(cls) if f.name not in ("n", "n_events", "status")]
        blank = np.full(len(status), np.nan)
        filled = {name: np.where(hopeless, np.nan, columns.get(name, blank)) for name in numbers}
        return cls(n=counts[0], n_events=counts[1], status=status, **filled)

    @classmethod
    def join(cls, blocks: list[Fits]) -> Fits:
        """Put blocks of features one after the other."""
        return cls(**{f.name: np.concatenate([getattr(b, f.name) for b in blocks]) for f in fields(cls)})

    def replaced(self, features: IntArray, other: Fits) -> Fits:
        """Return a copy in which some features have the rows of another table.

        Parameters
        ----------
        features : ndarray of int
            Positions of the features to replace.
        other : Fits
            One row for each of them.

        Returns
        -------
        Fits
            As many rows as before.
        """
        columns = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, column in columns.items():
            column[features] = getattr(other, name)
        return Fits(**columns)


def statuses(n_features: int, *reasons: tuple[BoolArray, str | Callable[[int], str]]) -> StatusArray:
    """Return ``"ok"`` or the first reason that holds, for each feature.

    A reason is words, or a function from the feature's position to words.
    """
    status = np.full(n_features, "ok", dtype=object)
    for holds, words in reversed(reasons):
        for index in np.flatnonzero(holds):
            status[index] = words if isinstance(words, str) else words(int(index))
    return status
