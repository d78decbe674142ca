"""Running sums and minima within patients, for all patients in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Segments"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Segments:
    """Consecutive entries that belong together, such as the visits of one patient.

    Attributes
    ----------
    of : ndarray of int
        Segment of each entry: 0, 0, 1, 1, 1, 2, ...; every segment has an entry.
    start : ndarray of int
        Position of the first entry of each segment.
    """

    of: IntArray
    start: IntArray

    @classmethod
    def by(cls, sorted_key: NDArray[np.int64]) -> Segments:
        """Cut a sorted key wherever it changes."""
        new = np.ones(len(sorted_key), dtype=bool)
        new[1:] = sorted_key[1:] != sorted_key[:-1]
        return cls(np.cumsum(new) - 1, np.flatnonzero(new))

    @property
    def first(self) -> NDArray[np.bool_]:
        """Which entries open a segment."""
        flags = np.zeros(len(self.of), dtype=bool)
        flags[self.start] = True
        return flags

    def sum_so_far(self, values: NDArray[np.int64]) -> IntArray:
        """Return the sum of the entries up to and including each."""
        total = np.cumsum(values)
        before = total[self.start] - values[self.start]
        running: IntArray = total - before[self.of]
        return running

    def smallest_before(self, values: IntArray, *, otherwise: int) -> IntArray:
        """Return the smallest value (at least 0) of the entries before each; the first has ``otherwise``."""
        # later segments lie lower as a whole, so that one running minimum serves all
        step = int(values.max(initial=0)) + 1
        lowered = values - self.of * step
        smallest = np.minimum.accumulate(lowered) + self.of * step
        return self.before(smallest, otherwise=otherwise)

    def before(self, values: IntArray, *, otherwise: int) -> IntArray:
        """Return the value of the entry before each; the first of a segment has ``otherwise``."""
        shifted = np.empty_like(values)
        shifted[1:] = values[:-1]
        shifted[self.start] = otherwise
        return shifted

    def total(self, values: NDArray[np.int64] | NDArray[np.bool_]) -> IntArray:
        """Return the sum of each segment."""
        if not len(self.start):
            return np.zeros(0, dtype=np.int64)
        return np.add.reduceat(np.asarray(values, dtype=np.int64), self.start)
