"""Detectable effects: chance simulated, the closed forms turned round; their power is in test_calibration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from immunosarc import stats
from immunosarc.errors import ImmunosarcError

GROUP = np.r_[np.ones(10, bool), np.zeros(20, bool)]
STRATA = np.r_[np.zeros(7), np.ones(3), np.zeros(6), np.ones(14)].astype(int)
VALUES = np.random.default_rng(9).normal(3.0, 2.0, size=(30, 1))


@pytest.mark.parametrize("strata", [None, STRATA])
def test_auc_null_error_is_the_spread_of_the_auc_of_noise(strata: np.ndarray | None) -> None:
    noise = np.random.default_rng(0).normal(size=(30, 4000))
    noise[28, :2000] = np.nan
    spread = stats.mann_whitney(noise, GROUP, strata=strata).estimate
    expected = stats.auc_null_error(noise, GROUP, strata=strata)
    for part in (slice(0, 2000), slice(2000, 4000)):
        assert spread[part].std() == pytest.approx(expected[part][0], rel=4 / np.sqrt(2 * 2000))


@pytest.mark.parametrize("strata", [None, STRATA])
def test_with_even_power_it_is_where_the_test_begins_to_reject(strata: np.ndarray | None) -> None:
    auc = stats.detectable_auc(VALUES, GROUP, alpha=0.05, power=0.5, strata=strata)
    assert auc == pytest.approx(0.5 + 1.959964 * stats.auc_null_error(VALUES, GROUP, strata=strata), abs=1e-6)


@pytest.mark.parametrize(("alpha", "low", "high"), [(0.05, 0.79, 0.85), (0.001, 0.78, 0.86)])
def test_the_detectable_auc_is_found_in_four_of_five_studies(alpha: float, low: float, high: float) -> None:
    rng, group = np.random.default_rng(3), np.r_[np.ones(20, bool), np.zeros(30, bool)]
    auc = stats.detectable_auc(np.zeros((50, 1)), group, alpha=alpha).item()
    features = rng.normal(size=(50, 4000)) + np.where(group, np.sqrt(2) * ndtri(auc), 0.0)[:, None]
    power = (np.abs(stats.mann_whitney(features, group).statistic) > -ndtri(alpha / 2)).mean()
    assert low <= power <= high


def test_the_slope_of_an_auc_is_the_one_that_a_large_trial_estimates() -> None:
    rng, n = np.random.default_rng(4), 200_000
    group = rng.random(n) < 0.3
    x = rng.normal(size=n) * 2.5 + np.where(group, 1.5 * 2.5, 0.0)
    auc = stats.mann_whitney(x[:, None], group).estimate
    assert stats.auc_as_log_odds_ratio(auc, x[:, None], group).item() == pytest.approx(1.5 / 2.5, rel=0.02)


def test_log_hazard_ratio_of_a_large_trial_is_the_textbook_one() -> None:
    """A small effect leaves those at risk as they were: Schoenfeld's formula."""
    arm = np.tile([0.0, 1.0], 10_000)[:, None]
    effect = stats.detectable_log_hazard_ratio(arm, np.arange(20_000) % 4 > 0, alpha=0.05)
    assert effect.item() == pytest.approx((1.959964 + 0.841621) / np.sqrt(15_000 / 4), rel=2e-3)


def test_log_hazard_ratio_of_two_arms_is_the_one_that_is_found() -> None:
    rng, arm = np.random.default_rng(6), np.tile([0.0, 1.0], 20)
    slope = stats.detectable_log_hazard_ratio(arm[:, None], np.arange(40) < 30, alpha=0.05).item()
    found = []
    for _ in range(800):
        time = rng.exponential(np.exp(-slope * arm))
        end = np.sort(time)[29]
        found.append(stats.log_rank(arm[:, None], np.minimum(time, end), time <= end).p_value[0] <= 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=0.03 + 2 * np.sqrt(0.16 / 800))


def test_with_few_events_no_hazard_ratio_is_strong_enough() -> None:
    three = np.arange(30) < 3
    assert np.isnan(stats.detectable_log_hazard_ratio(VALUES, three, alpha=0.05)).all()


def test_log_hazard_ratio_with_even_power_is_the_spread_of_cox_estimates() -> None:
    rng = np.random.default_rng(2)
    features, time, event = rng.normal(size=(200, 800)), rng.exponential(size=200), rng.random(200) < 0.7
    edge = np.median(stats.detectable_log_hazard_ratio(features, event, alpha=0.05, power=0.5)) / 1.959964
    assert stats.cox(features, time, event).estimate.std() == pytest.approx(edge, rel=0.08)


def test_no_split_no_spread_no_answer() -> None:
    assert np.isnan(stats.auc_null_error(VALUES, np.ones(30, bool))).all()
    assert np.isnan(stats.detectable_auc(VALUES, np.ones(30, bool), alpha=0.05)).all()
    assert np.isnan(stats.detectable_auc(VALUES[:4], GROUP[8:12], alpha=0.05)).all()  # 2 v 2 finds nothing
    assert np.isnan(stats.auc_as_log_odds_ratio([0.8], np.ones((30, 1)), GROUP)).all()
    assert np.isnan(stats.detectable_log_hazard_ratio(VALUES, np.zeros(30, bool), alpha=0.05)).all()


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ImmunosarcError, match="detectable_auc"):
        stats.detectable_auc(VALUES, GROUP[:-1], alpha=0.05)
