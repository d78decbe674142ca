"""Ranks of the genes within each sample: one ranking serves every signature.

A cohort of a trial is ranked by numpy at once, without waiting for a compiler; a large matrix by a
radix sort that is compiled on first use and cached on disk. Both give the same whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from immunosarc.features._scoring import Floats

__all__ = ["positions_by_row", "tied_ranks"]

_LARGE = 4_000_000
"""Values from which the compiled sort is worth loading."""

_AT_ONCE = 16


def tied_ranks(expression: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield for each sample the lowest and the highest rank of each gene's tie, from the lowest value, 1.

    A gene without ties has both alike; their mean is the usual rank. A missing value has no rank (NaN) and
    takes no place.
    """
    if expression.size < _LARGE:
        yield from map(_tied_ranks, expression)
        return
    from immunosarc.features._radix import rank_rows

    for start in range(0, len(expression), _AT_ONCE):
        block = np.ascontiguousarray(expression[start : start + _AT_ONCE])
        yield from zip(*rank_rows(block), strict=True)


def positions_by_row(values: Floats) -> Floats:
    """Return positions from the lowest value, 1, where of equal values the earlier row stands higher."""
    order = np.argsort(-values, kind="stable")  # missing values come last
    n = len(values) - int(np.isnan(values).sum())
    positions = np.full(len(values), np.nan)
    positions[order[:n]] = np.arange(n, 0, -1)
    return positions


def _tied_ranks(values: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(values)  # missing values come last
    n = len(values) - int(np.isnan(values).sum())
    ordered = values[order[:n]]
    opens = np.append(True, ordered[1:] != ordered[:-1])[:n]
    starts = np.flatnonzero(opens)
    ends = np.append(starts[1:], n)[: len(starts)]
    sizes = ends - starts
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    low[order[:n]] = np.repeat(starts + 1.0, sizes)
    high[order[:n]] = np.repeat(ends.astype(float), sizes)
    return low, high
