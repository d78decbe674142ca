"""How many of the other group each patient outranks: what the AUC, its error and its chance are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from immunosarc.stats._batched import WORTH_COMPILING
from immunosarc.stats._inputs import BoolArray, FloatArray
from immunosarc.stats._rank_sums import midranks

__all__ = ["Placements", "placements"]


@dataclass(frozen=True)
class Placements:
    """Of one stratum and every feature.

    Attributes
    ----------
    cases, controls : ndarray of shape (n_features,)
        Patients of each group in whom the feature is measured.
    wins : ndarray
        Pairs in which the case has the higher value, ties one half.
    case_squares, control_squares : ndarray
        Sums of squares of the shares of the other group that each patient outranks (DeLong's placements).
    rank_squares : ndarray
        Sum of squares of all midranks about their mean; (N^3 - N) / 12 where no two values are equal.
    """

    cases: FloatArray
    controls: FloatArray
    wins: FloatArray
    case_squares: FloatArray
    control_squares: FloatArray
    rank_squares: FloatArray

    @property
    def pairs(self) -> FloatArray:
        """Comparisons of a case with a control."""
        return self.cases * self.controls

    @property
    def null_variance(self) -> FloatArray:
        """Variance of the wins when the groups are dealt out at random."""
        size = self.cases + self.controls
        return self.pairs * (self.rank_squares / np.maximum(size * (size - 1.0), 1.0))

    @property
    def untied(self) -> BoolArray:
        """Whether all values differ: sums of midranks are multiples of one quarter, hence exact."""
        size = self.cases + self.controls
        return np.asarray(12.0 * self.rank_squares == size**3 - size)


def placements(values: FloatArray, marked: BoolArray) -> Placements:
    """Place each patient among the other group; large panels sort each group once and merge, compiled."""
    return (_merged if values.size >= WORTH_COMPILING else _ranked)(values, marked)


def _ranked(values: FloatArray, marked: BoolArray) -> Placements:
    """By midranks overall and within the group: their difference counts the others below."""
    ranks = midranks(values)
    size = (~np.isnan(ranks)).sum(axis=0)
    beaten_by_cases = ranks[marked] - midranks(values[marked])
    beaten_by_controls = ranks[~marked] - midranks(values[~marked])
    cases = (~np.isnan(beaten_by_cases)).sum(axis=0).astype(np.float64)
    controls = (~np.isnan(beaten_by_controls)).sum(axis=0).astype(np.float64)
    return Placements(
        cases,
        controls,
        np.nansum(beaten_by_cases, axis=0),
        _squares(beaten_by_cases / np.maximum(controls, 1.0)),
        _squares(beaten_by_controls / np.maximum(cases, 1.0)),
        np.nansum((ranks - (size + 1.0) / 2.0) ** 2, axis=0),
    )


def _squares(shares: FloatArray) -> FloatArray:
    size = np.maximum((~np.isnan(shares)).sum(axis=0), 1)
    return np.asarray(np.nansum((shares - np.nansum(shares, axis=0) / size) ** 2, axis=0))


def _merged(values: FloatArray, marked: BoolArray) -> Placements:
    """By a sort of each group, missing values last, and one pass over both."""
    from immunosarc.stats._placements_compiled import merge_each  # numba loads only for large panels

    groups = []
    for own in (marked, ~marked):
        rows = np.ascontiguousarray(values[own].T)
        rows.sort(axis=1)
        groups.append(rows)
    return Placements(*merge_each(*groups))
