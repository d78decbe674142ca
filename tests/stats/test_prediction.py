"""Measures of prediction against their definitions, counted pair by pair."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from lifelines.utils import concordance_index
from sklearn.metrics import brier_score_loss, roc_auc_score

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import area_under_curve, brier, concordance, net_benefit, optimism, point_632_plus


def test_area_with_ties_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    score, event = np.round(rng.normal(size=40), 1), rng.random(40) < 0.3
    assert area_under_curve(score, event) == pytest.approx(roc_auc_score(event, score), abs=1e-12)
    assert np.isnan(area_under_curve([1.0, 2.0], [1, 1]))


def test_concordance_is_that_of_lifelines_and_of_r(oracles):
    rng = np.random.default_rng(0)
    risk, time = np.round(rng.normal(size=50), 1), np.ceil(rng.exponential(9, size=50))
    event = rng.random(50) < 0.6
    assert concordance(risk, time, event) == pytest.approx(concordance_index(time, -risk, event), abs=1e-12)
    lung = pd.read_csv(oracles / "lung.csv").dropna(subset=["age"])
    known = pd.read_csv(oracles / "concordance_lung_age.csv")
    mine = concordance(lung["age"], lung["time"], lung["status"] == 2)
    assert mine == pytest.approx(1 - known["c"].item(), abs=1e-12)  # R counts who lives longer


def test_brier_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    risk, event = rng.random(30), rng.random(30) < 0.4
    assert brier(risk, event) == pytest.approx(brier_score_loss(event, risk), abs=1e-12)


def test_net_benefit_counts_patients():
    risk, event = [0.1, 0.2, 0.3, 0.6, 0.8], [0, 1, 0, 0, 1]
    found = net_benefit(risk, event, thresholds=[0.2, 0.5])
    # at 0.2: 2 true, 2 false positives, each weighs 1/4; at 0.5: 1 true, 1 false, weight 1
    assert found.model == pytest.approx([float(Fraction(2, 5) - Fraction(2, 5) / 4), 0.0])
    assert found.treat_all == pytest.approx([2 / 5 - 3 / 5 / 4, 2 / 5 - 3 / 5])


def test_optimism_is_the_mean_gap_of_whole_bootstraps():
    assert optimism([0.9, 0.8, np.nan], [0.6, 0.7, 0.1]) == pytest.approx(0.2)
    assert np.isnan(optimism([np.nan], [0.5]))


@pytest.mark.parametrize(
    ("apparent", "out", "chance", "expected"),
    [
        (0.1, 0.3, 0.5, 0.1 + 0.632 / (1 - 0.368 * 0.5) * 0.2),  # R = 1/2
        (0.2, 0.2, 0.5, 0.2),  # no overfitting
        (0.0, 0.7, 0.5, 0.5),  # out of bag worse than chance counts as chance
        (0.3, 0.25, 0.5, 0.3 * 0.368 + 0.25 * 0.632),  # better outside: plain .632
    ],
)
def test_632_plus_by_hand(apparent, out, chance, expected):
    assert point_632_plus(apparent, out, chance) == pytest.approx(expected, abs=1e-12)


def test_what_is_no_prediction_is_refused():
    with pytest.raises(ImmunosarcError, match="probabilities from 0 to 1"):
        brier([1.2], [1])
    with pytest.raises(ImmunosarcError, match="strictly between 0 and 1"):
        net_benefit([0.2], [1], thresholds=[1.0])
    with pytest.raises(ImmunosarcError, match="one finite number"):
        area_under_curve([np.nan, 1.0], [0, 1])
