"""The promises of the statistics, simulated: the short form of ``benchmarks/calibrate.py``.

Bounds are four Monte-Carlo standard errors around the promised share (of power: around three points of it).
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest


def _load():
    path = Path(__file__).parents[2] / "benchmarks" / "calibrate.py"
    spec = importlib.util.spec_from_file_location("immunosarc_calibrate", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


calibrate = _load()


def margin(rate):
    return 4 * np.sqrt(rate.promised * (1 - rate.promised) / rate.simulations)


def test_nothing_is_found_more_often_than_promised_where_nothing_is():
    rates = list(calibrate.null_rejections(2000, seed=2))
    assert len(rates) == 13
    for rate in rates:
        assert rate.share <= rate.promised + margin(rate), rate
        floor = 0.015 if "ties and zeros" in rate.what else rate.promised - margin(rate)
        assert rate.share >= floor, rate  # a test that never rejects is no test


def test_a_panel_of_noise_yields_a_false_lead_no_more_often_than_promised():
    for rate in calibrate.familywise_errors(400, seed=3):
        assert rate.share <= rate.promised + margin(rate), rate
        assert rate.share >= 0.01, rate


def test_it_holds_for_small_trials_too():
    rates = list(calibrate.null_rejections_by_size(1000, seed=9))
    assert len(rates) == 36
    for rate in rates:
        assert rate.share <= rate.promised + margin(rate), rate
        assert rate.share >= 0.02, rate


def test_and_for_signatures_that_go_together():
    rates = list(calibrate.familywise_errors_of_signatures(150, seed=10))
    assert len(rates) == 9
    for rate in rates:
        assert rate.share <= rate.promised + margin(rate), rate
    assert max(rate.share for rate in rates) >= 0.02


def test_residuals_of_a_covariate_undo_what_it_drives():
    rates = list(calibrate.familywise_errors_with_a_covariate(60, seed=1))
    assert len(rates) == 15
    for rate in rates:
        assert rate.promise == "not" or rate.share <= rate.promised + margin(rate), rate
    assert max(rate.share for rate in rates if rate.promise == "not") > 0.3


def test_a_landmark_undoes_immortal_time():
    naive, *landmarks = calibrate.landmark_errors(400, seed=6)
    assert naive.share > 0.09  # the error that the guard is for
    assert len(landmarks) == 5
    for rate in landmarks:
        assert rate.share <= rate.promised + margin(rate), rate


def test_adjusting_for_baseline_undoes_regression_to_the_mean():
    naive, adjusted = calibrate.regression_to_the_mean(1000, seed=8)
    assert naive.share > 0.3
    assert abs(adjusted.share - adjusted.promised) <= margin(adjusted)


def test_intervals_hold_the_truth_as_often_as_promised():
    for rate in calibrate.coverages(500, seed=4):
        assert rate.share >= rate.promised - margin(rate), rate
        assert rate.share <= 0.999, rate  # an interval that never misses says nothing


@pytest.fixture(scope="module")
def powers():
    return list(calibrate.powers(400, seed=5))


@pytest.mark.parametrize("name", ["auc", "log odds ratio", "log hazard ratio"])
def test_power_at_the_detectable_effect_is_what_the_docstring_says(name, powers):
    found = [rate for rate in powers if rate.what.startswith(f"detectable {name}")]
    assert len(found) >= 2
    for rate in found:
        assert abs(rate.share - 0.8) <= 0.03 + margin(rate), rate
