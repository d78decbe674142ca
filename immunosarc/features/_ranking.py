"""Ranks of the genes within each sample: one ranking serves every signature.

A cohort of a trial is ranked by numpy at once, without waiting for a compiler; a large matrix by a
radix sort that is compiled on first use and cached on disk. Both give the same whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunosarc.features._scoring import Bools, Floats, as_rows, sets_of_genes

__all__ = ["LARGE", "Ranks", "tied_ranks", "top_rank_sums"]

LARGE = 4_000_000
"""Values from which the compiled sort is worth loading."""

_AT_ONCE = 16


class Ranks(NamedTuple):
    """Where some genes stand among all genes of one sample, from the lowest value, 1.

    Attributes
    ----------
    low, high : ndarray
        The lowest and the highest rank of each gene's tie; alike without ties. A missing value has no rank
        (NaN) and takes no place.
    place : ndarray
        One place for each gene: the mean of both, or a place of its own where ties are broken by row.
    n : int
        The genes that have a value.
    """

    low: Floats
    high: Floats
    place: Floats
    n: int


def tied_ranks(expression: Floats, used: NDArray[np.int64], *, by_row: bool = False) -> Iterator[Ranks]:
    """Yield for each sample the ranks of the genes used among all its genes.

    With ``by_row`` the earlier of equal values has the higher place, as in R.
    """
    if expression.size < LARGE:
        yield from (_tied_ranks(values, used, by_row=by_row) for values in expression)
        return
    from immunosarc.features._radix import rank_rows

    columns = used.astype(np.uint32)
    for start in range(0, len(expression), _AT_ONCE):
        block = np.ascontiguousarray(expression[start : start + _AT_ONCE], dtype=np.float64)
        for low, high, place, n in zip(*rank_rows(block, columns, by_row), strict=True):
            yield Ranks(low, high, place, int(n))


def top_rank_sums(expression: Floats, members: Bools, limit: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return each signature's sum of ranks from the highest, and how many genes of each sample have a value.

    Ranks beyond ``limit``, or beyond the genes that have a value, count as one more. NaN where the value of a
    member is missing.
    """
    rank_sums, measured = np.empty((len(expression), members.shape[1])), np.empty(len(expression), np.int64)
    if expression.size < LARGE:
        used = np.flatnonzero(members.any(axis=1))
        listed = as_rows(members[used])
        for row, found in enumerate(tied_ranks(expression, used)):
            ranks, most = found.n + 1 - found.place, min(limit, found.n)
            rank_sums[row], measured[row] = listed @ np.where(ranks > most, most + 1.0, ranks), found.n
        return rank_sums, measured
    from immunosarc.features._radix import top_rank_sums as compiled

    starts, sets = sets_of_genes(members)
    inside = members.sum(axis=0)
    for start in range(0, len(expression), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        block = np.ascontiguousarray(expression[rows], dtype=np.float64)
        rank_sums[rows], measured[rows] = compiled(block, starts, sets, inside, limit)
    return rank_sums, measured


def _tied_ranks(values: Floats, used: NDArray[np.int64], *, by_row: bool) -> Ranks:
    order = np.argsort(values, kind="stable" if by_row else None)  # missing values come last
    n = len(values) - int(np.isnan(values).sum())
    ordered = values[order[:n]]
    opens = np.append(True, ordered[1:] != ordered[:-1])[:n]
    starts = np.flatnonzero(opens)
    ends = np.append(starts[1:], n)[: len(starts)]
    low, high, place = np.full((3, len(values)), np.nan)
    low[order[:n]] = np.repeat(starts + 1.0, ends - starts)
    high[order[:n]] = np.repeat(ends + 0.0, ends - starts)
    low, high = low[used], high[used]
    if not by_row:
        return Ranks(low, high, (low + high) / 2, n)
    place[order[:n]] = np.repeat(starts + ends, ends - starts) - np.arange(n)
    return Ranks(low, high, place[used], n)
