"""Null errors against simulation: what chance does to an effect, and the power that follows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from immunosarc import stats

GROUP = np.r_[np.ones(10, bool), np.zeros(20, bool)]
STRATA = np.r_[np.zeros(7), np.ones(3), np.zeros(6), np.ones(14)].astype(int)


@pytest.mark.parametrize("strata", [None, STRATA])
def test_auc_null_error_is_the_spread_of_the_auc_of_noise(strata: np.ndarray | None) -> None:
    noise = np.random.default_rng(0).normal(size=(30, 4000))
    noise[28, :2000] = np.nan
    spread = stats.mann_whitney(noise, GROUP, strata=strata).estimate
    expected = stats.auc_null_error(noise, GROUP, strata=strata)
    for part in (slice(0, 2000), slice(2000, 4000)):
        assert spread[part].std() == pytest.approx(expected[part][0], rel=4 / np.sqrt(2 * 2000))


@pytest.mark.parametrize("strata", [None, STRATA])
def test_log_odds_ratio_null_error_scales_the_score_test(strata: np.ndarray | None) -> None:
    """Score over information is the one-step estimate; its spread under noise is the null error."""
    noise = np.random.default_rng(1).normal(2.0, 3.0, size=(30, 4000))
    codes = np.zeros(30, int) if strata is None else strata
    score, information = np.zeros(4000), 0.0
    for code in np.unique(codes):
        x, y = noise[codes == code], GROUP[codes == code]
        score += (y - y.mean()) @ x
        information += y.sum() * (len(y) - y.sum()) / len(y) * 9.0
    typical = np.median(stats.log_odds_ratio_null_error(noise, GROUP, strata=strata))
    assert (score / information).std() == pytest.approx(typical, rel=0.05)


def test_log_hazard_ratio_null_error_is_the_spread_of_cox_estimates() -> None:
    rng = np.random.default_rng(2)
    features, time, event = rng.normal(size=(200, 800)), rng.exponential(size=200), rng.random(200) < 0.7
    expected = np.median(stats.log_hazard_ratio_null_error(features, event))
    assert stats.cox(features, time, event).estimate.std() == pytest.approx(expected, rel=0.08)


def test_detectable_effect_is_found_in_four_of_five_studies() -> None:
    """An AUC at the detectable effect of a single test is significant in about 80%."""
    group = np.r_[np.ones(40, bool), np.zeros(60, bool)]
    null_error = stats.auc_null_error(np.zeros((100, 1)), group)
    auc = 0.5 + stats.detectable_effect(null_error, alpha=0.05, power=0.8).item()
    noise = np.random.default_rng(3).normal(size=(100, 4000))
    features = noise + np.where(group, np.sqrt(2) * ndtri(auc), 0.0)[:, None]
    power = (np.abs(stats.mann_whitney(features, group).statistic) > 1.959964).mean()
    assert power == pytest.approx(0.80, abs=0.03)


def test_no_split_no_spread_no_answer() -> None:
    values = np.arange(30.0)[:, None]
    assert np.isnan(stats.auc_null_error(values, np.ones(30, bool))).all()
    assert np.isnan(stats.log_odds_ratio_null_error(np.ones((30, 1)), GROUP)).all()
    assert np.isnan(stats.log_hazard_ratio_null_error(values, np.zeros(30, bool))).all()
