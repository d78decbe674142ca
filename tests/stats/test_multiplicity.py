"""q-values against R's rule and step-down p-values against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import benjamini_hochberg, noise_ceiling, step_down_maxt


def step_down_by_definition(observed, null):
    """For each feature: the worst, over all stronger ones, of its own set's exceedance rate."""
    order = sorted(
        (k for k in range(len(observed)) if observed[k] == observed[k]), key=lambda k: -abs(observed[k])
    )
    adjusted, worst = [float("nan")] * len(observed), 0.0
    for place, k in enumerate(order):
        best = [max(abs(row[j]) for j in order[place:]) for row in null]
        worst = max(worst, (1 + sum(b >= abs(observed[k]) for b in best)) / (1 + len(null)))
        adjusted[k] = worst
    return adjusted


def test_q_values_agree_with_scipy_and_skip_missing():
    p = np.random.default_rng(1).random(40) ** 2
    p[3] = p[4]
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p), rtol=1e-14)
    with_gap = np.insert(p, 7, np.nan)
    np.testing.assert_allclose(np.delete(benjamini_hochberg(with_gap), 7), benjamini_hochberg(p))
    assert np.isnan(benjamini_hochberg(with_gap)[7])
    assert benjamini_hochberg([0.9, 1.0]).tolist() == [1.0, 1.0]
    assert np.isnan(benjamini_hochberg([np.nan])).all()


def test_step_down_agrees_with_the_definition():
    rng = np.random.default_rng(2)
    null = rng.normal(size=(200, 9)).round(1)
    observed = (rng.normal(size=9) * 2).round(1)
    observed[4] = np.nan
    np.testing.assert_allclose(step_down_maxt(observed, null), step_down_by_definition(observed, null.tolist()))


def test_the_strongest_feature_is_compared_with_the_whole_panel():
    null = np.array([[0.1, 3.0], [0.2, 0.1], [0.3, 0.2]])
    assert step_down_maxt([2.0, 1.0], null).tolist() == [0.5, 0.5]
    assert step_down_maxt([2.0], null[:, :1]).tolist() == [0.25]


def test_a_weaker_feature_never_gets_the_smaller_p():
    null = [[3.0, 0.1], [0.1, 0.2], [0.2, 0.3]]  # alone the second would have 1/4
    assert step_down_maxt([2.0, 1.0], null).tolist() == [0.5, 0.5]


def test_equal_up_to_rounding_has_been_reached():
    third = 1.0 / 3.0
    assert step_down_maxt([third * (1 + 1e-14)], [[-third], [0.0]]).tolist() == [pytest.approx(2 / 3)]


def test_missing_permuted_statistics_reach_nothing():
    assert step_down_maxt([1.0, 0.5], [[np.nan, 0.7], [np.nan, np.nan]]).tolist() == [pytest.approx(1 / 3), 2 / 3]
    assert noise_ceiling([[np.nan, -0.7], [np.nan, np.nan]], level=0.99) == 0.7


def test_ceiling_is_the_smallest_value_that_enough_maxima_stay_at_or_below():
    null = np.random.default_rng(4).normal(size=(1000, 7))
    ceiling = noise_ceiling(null)
    largest = np.abs(null).max(axis=1)
    assert ceiling in largest
    assert np.mean(largest <= ceiling) >= 0.95
    below = largest[largest < ceiling].max()
    assert np.mean(largest <= below) <= 0.95


def test_bad_input_is_refused():
    with pytest.raises(ImmunosarcError, match="observed: need 2 values like the columns of null"):
        step_down_maxt([1.0], np.zeros((3, 2)))
    with pytest.raises(ImmunosarcError, match=r"of at least one row, have shape \(0, 2\)"):
        noise_ceiling(np.zeros((0, 2)))
    with pytest.raises(ImmunosarcError, match="numbers between 0 and 1"):
        benjamini_hochberg([0.2, 1.2])
