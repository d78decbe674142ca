"""Exact binomial interval and test against R's binom.test and the definition."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import binomial_p_greater, clopper_pearson


def chance_of_at_least(x: int, n: int, rate: float) -> float:
    return sum(math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(x, n + 1))


def test_agrees_with_r(oracles):
    table = pd.read_csv(oracles / "binom_exact.csv")
    for level, name in ((0.95, "cp95"), (0.90, "cp90")):
        low, high = clopper_pearson(table["x"], table["n"], level)
        np.testing.assert_allclose(low, table[f"{name}_lo"], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(high, table[f"{name}_hi"], rtol=1e-12, atol=1e-15)
    p = binomial_p_greater(table["x"], table["n"], 0.2)
    np.testing.assert_allclose(p, table["p_greater_0.2"], rtol=1e-11)


@pytest.mark.parametrize(
    ("x", "n", "low", "high"), [(13, 28, 27.5, 66.1), (10, 30, 17.3, 52.8), (24, 30, 61.4, 92.3)]
)
def test_the_numbers_of_the_trial(x, n, low, high):
    limits = 100 * np.array(clopper_pearson(x, n))
    np.testing.assert_allclose(limits, [low, high], atol=0.05)


def test_each_limit_is_the_rate_that_makes_the_tail_2_5_percent():
    low, high = clopper_pearson(13, 28)
    assert chance_of_at_least(13, 28, float(low)) == pytest.approx(0.025, rel=1e-9)
    assert 1 - chance_of_at_least(14, 28, float(high)) == pytest.approx(0.025, rel=1e-9)


def test_ends_are_closed():
    low, high = clopper_pearson([0, 30], 30)
    assert low[0] == 0.0
    assert high[1] == 1.0
    assert high[0] == pytest.approx(1 - 0.025 ** (1 / 30), rel=1e-12)
    assert low[1] == pytest.approx(0.025 ** (1 / 30), rel=1e-12)


def test_one_sided_test_is_the_sum_of_the_tail():
    assert binomial_p_greater(13, 28, 0.434) == pytest.approx(chance_of_at_least(13, 28, 0.434), rel=1e-12)
    assert float(binomial_p_greater(13, 28, 0.434).round(3)) == 0.444
    assert binomial_p_greater([0, 5], 5, [0.3, 0.3]).tolist() == pytest.approx([1.0, 0.3**5])


@pytest.mark.parametrize(("x", "n"), [(5, 4), (-1, 4), (1.5, 4), (np.nan, 4), (0, 0)])
def test_impossible_counts_are_refused(x, n):
    with pytest.raises(ImmunosarcError, match="whole counts with 0 <= x <= n"):
        clopper_pearson(x, n)
    with pytest.raises(ImmunosarcError, match="whole counts with 0 <= x <= n"):
        binomial_p_greater(x, n, 0.5)


def test_all_mistakes_come_together():
    with pytest.raises(ImmunosarcError, match=r"2 problem\(s\)[\s\S]*level: need[\s\S]*x and n"):
        clopper_pearson(5, 4, 95)
    with pytest.raises(ImmunosarcError, match="p0: need rates between 0 and 1"):
        binomial_p_greater(1, 4, 1.2)
