"""Detectable effects against the published formulas turned round; their power is in test_calibration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import detectable_auc, detectable_log_hazard_ratio, detectable_log_odds_ratio


def test_noether_needs_just_these_patients_for_it():
    for cases, controls, alpha, power in ((10, 20, 0.05, 0.8), (30, 33, 0.05 / 60, 0.9)):
        auc = detectable_auc(cases, controls, alpha=alpha, power=power)
        n, share = cases + controls, cases / (cases + controls)
        z = stats.norm.isf(alpha / 2) + stats.norm.isf(1 - power)
        assert z**2 / (12 * share * (1 - share) * (auc - 0.5) ** 2) == pytest.approx(n, rel=1e-12)


def test_hsieh_needs_just_these_patients_for_it():
    effect = detectable_log_odds_ratio(40, 12, sd=2.5, alpha=0.01, power=0.9)
    z = stats.norm.isf(0.005) + stats.norm.isf(0.1)
    assert z**2 / (0.3 * 0.7 * (effect * 2.5) ** 2) == pytest.approx(40, rel=1e-12)


def test_schoenfeld_needs_just_these_events_for_it():
    # two equal groups, 88 events: the textbook hazard ratio of 1.817
    effect = detectable_log_hazard_ratio(88, sd=0.5, alpha=0.05)
    assert np.exp(effect) == pytest.approx(1.817, abs=5e-4)
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert 4 * z**2 / effect**2 == pytest.approx(88, rel=1e-12)


def test_arrays_go_through_and_the_unattainable_is_missing():
    auc = detectable_auc([10, 2, 0], [20, 2, 5], alpha=0.05)
    assert np.isnan(auc).tolist() == [False, True, True]
    lenient, strict = detectable_auc(10, 20, alpha=[0.05, 0.001])
    assert lenient < strict
    odds = detectable_log_odds_ratio([30, 30, 30], [10, 0, 30], sd=1.0, alpha=0.05)
    assert np.isnan(odds).tolist() == [False, True, True]
    assert np.isnan(detectable_log_hazard_ratio([0, 5], sd=[1.0, 0.0], alpha=0.05)).all()


@pytest.mark.parametrize("function", [detectable_auc, detectable_log_odds_ratio])
def test_impossible_levels_are_refused(function):
    more = {} if function is detectable_auc else {"sd": 1.0}
    with pytest.raises(ImmunosarcError, match=r"(?s)alpha: need numbers between 0 and 1.*power: need"):
        function(10, 5, alpha=0.0, power=80, **more)
