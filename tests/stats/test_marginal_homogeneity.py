"""Marginal homogeneity: McNemar by binomial, Stuart-Maxwell by statsmodels, p by exchanging every patient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats as reference
from statsmodels.stats.contingency_tables import SquareTable

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import marginal_homogeneity


@pytest.mark.parametrize("table", [[[5, 6], [0, 3]], [[2, 7], [3, 9]], [[0, 1], [4, 0]]])
def test_two_classes_are_mcnemars(table):
    up, down = table[0][1], table[1][0]
    found = marginal_homogeneity(table)
    expected = reference.binomtest(up, up + down).pvalue
    assert found.p_exact == pytest.approx(expected)
    assert found.p_trend == pytest.approx(expected)
    assert found.statistic == pytest.approx((up - down) ** 2 / (up + down))


def by_exchange(table):
    """Let every patient's before and after change places, all ways."""
    k = len(table)
    patients = [(i, j) for i in range(k) for j in range(k) for _ in range(table[i][j])]

    def look(flips):
        counts = np.zeros((k, k))
        for (i, j), flip in zip(patients, flips, strict=True):
            counts[(j, i) if flip else (i, j)] += 1
        difference = counts.sum(axis=1) - counts.sum(axis=0)
        moved = counts + counts.T
        covariance = np.diag(moved.sum(axis=1) - np.diag(moved)) - (moved - np.diag(np.diag(moved)))
        return difference @ np.linalg.pinv(covariance) @ difference, abs(difference @ np.arange(k))

    seen = look([False] * len(patients))
    all_ways = np.array([look(flips) for flips in itertools.product([False, True], repeat=len(patients))])
    return [(all_ways[:, c] >= seen[c] - 1e-9).mean() for c in (0, 1)]


@pytest.mark.parametrize(
    "table",
    [
        [[1, 2, 3], [0, 1, 1], [1, 0, 1]],
        [[0, 4, 0], [1, 0, 2], [0, 0, 2]],
        [[1, 0, 3], [0, 2, 0], [0, 0, 0]],
        [[0, 1, 0, 2], [0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 0, 1]],
    ],
)
def test_p_counts_every_exchange_of_before_and_after(table):
    found = marginal_homogeneity(table)
    assert [found.p_exact, found.p_trend] == pytest.approx(by_exchange(table))


def test_the_statistic_is_stuart_maxwells():
    table = np.array([[20, 10, 5], [3, 30, 15], [0, 5, 40]])
    assert marginal_homogeneity(table).statistic == pytest.approx(
        SquareTable(table, shift_zeros=False).homogeneity().statistic
    )
    assert marginal_homogeneity(table).p_exact == pytest.approx(
        SquareTable(table, shift_zeros=False).homogeneity().pvalue, abs=0.002
    )


def test_direction_and_order_of_classes():
    up = marginal_homogeneity([[2, 5, 6], [0, 2, 3], [0, 0, 1]])
    mixed = marginal_homogeneity([[2, 5, 0], [0, 2, 0], [6, 3, 1]])
    assert up.p_trend == pytest.approx(2 * 0.5**14)
    assert up.statistic == pytest.approx(
        marginal_homogeneity(np.array([[2, 5, 6], [0, 2, 3], [0, 0, 1]])[::-1, ::-1]).statistic
    )
    assert mixed.p_trend > 0.1


def test_nobody_moved_and_no_table():
    found = marginal_homogeneity(np.diag([3, 4, 5]))
    assert (found.p_exact, found.p_trend) == (1.0, 1.0)
    assert np.isnan(found.statistic)
    with pytest.raises(ImmunosarcError, match="as many rows as columns"):
        marginal_homogeneity([[1, 2, 3], [1, 2, 3]])
    with pytest.raises(ImmunosarcError, match="whole numbers"):
        marginal_homogeneity([[1, 0.5], [1, 2]])
