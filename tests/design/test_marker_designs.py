"""Trials that ask of a marker: the bivariate normal by scipy, four cells by hand, and simulated trials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from immunosarc import design
from immunosarc.design import FollowUp
from immunosarc.errors import ImmunosarcError, UnknownNameError
from immunosarc.stats import event_probability

FOLLOW = FollowUp(at=6, accrual=24, minimum=12)
RESPONSE = {"prevalence": 0.4, "positive": (0.2, 0.5), "negative": (0.2, 0.25), "alpha": 0.05, "power": 0.80}
SURVIVAL = {"prevalence": 0.35, "positive": (0.35, 0.6), "negative": (0.35, 0.4), "alpha": 0.05, "power": 0.80}


def _cells(rates, n, allocation, follow):
    """Log ratio and variance of a stratum of n patients, from the expected counts of its four cells."""
    if follow is None:
        counts = [
            n * f * one for f, p in zip((1 - allocation, allocation), rates, strict=True) for one in (p, 1 - p)
        ]
        return np.log(counts[2] * counts[1] / (counts[3] * counts[0])), sum(1 / c for c in counts)
    events = [
        n * f * event_probability(-np.log(p) / follow.at, follow.enrollment)
        for f, p in zip((1 - allocation, allocation), rates, strict=True)
    ]
    return np.log(np.log(rates[0]) / np.log(rates[1])), sum(1 / e for e in events)


@pytest.mark.parametrize(("asked", "follow"), [(RESPONSE, None), (SURVIVAL, FOLLOW)])
def test_interaction_is_counted_from_its_cells(asked, follow):
    trial = design.interaction(**asked, follow=follow, allocation=0.6)
    with_marker = _cells(asked["positive"], trial.n * asked["prevalence"], 0.6, follow)
    without = _cells(asked["negative"], trial.n * (1 - asked["prevalence"]), 0.6, follow)
    z = (with_marker[0] - without[0]) / np.sqrt(with_marker[1] + without[1])
    assert trial.power == pytest.approx(stats.norm.cdf(z - stats.norm.ppf(0.95)), abs=1e-9)
    assert trial.power >= 0.80
    smaller = np.sqrt((trial.n - 1) / trial.n) * z
    assert stats.norm.cdf(smaller - stats.norm.ppf(0.95)) < 0.80
    nothing = ((0.3, 0.5), (0.3, 0.5))
    assert trial.operating_characteristics([nothing])["success"][0] == pytest.approx(0.05, abs=1e-12)


@pytest.mark.parametrize(("asked", "follow"), [(RESPONSE, None), (SURVIVAL, FOLLOW)])
def test_simulated_interactions(asked, follow):
    trial = design.interaction(**asked, follow=follow)
    same = ((0.35, 0.5), (0.35, 0.5))
    drawn = trial.simulate([(asked["positive"], asked["negative"]), same], n_trials=2000, seed=3)
    assert drawn["success"][0] == pytest.approx(trial.power, abs=4 * np.sqrt(0.16 / 2000))
    assert drawn["success"][1] == pytest.approx(0.05, abs=4 * np.sqrt(0.0475 / 2000))


def test_an_interaction_as_large_as_an_effect_takes_four_times_the_patients():
    trial = design.interaction(prevalence=0.5, positive=(0.5, 0.6), negative=(0.6, 0.5), alpha=0.025, power=0.80)
    size = trial.log_ratio / 2  # the effect of +- half the interaction, in everybody
    whole = _cells((0.5, 1 / (1 + np.exp(-size))), 1, 0.5, None)
    needed = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2 * whole[1] / trial.log_ratio**2
    assert trial.n / needed == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize(("asked", "follow"), [(RESPONSE, None), (SURVIVAL, FOLLOW)])
def test_the_split_trial_spends_exactly_alpha(asked, follow):
    trial = design.biomarker_stratified(**asked, follow=follow, strategy="split", share=0.6)
    yes = _cells(asked["positive"], trial.n * asked["prevalence"], 0.5, follow)
    no = _cells(asked["negative"], trial.n * (1 - asked["prevalence"]), 0.5, follow)
    correlation = np.sqrt(1 / yes[1] / (1 / yes[1] + 1 / no[1]))
    limits = stats.norm.isf([trial.alpha_overall, trial.alpha_positive])
    spread = [[1, correlation], [correlation, 1]]
    assert 1 - stats.multivariate_normal([0, 0], spread).cdf(limits) == pytest.approx(0.05, abs=1e-6)
    assert trial.alpha_overall == pytest.approx(0.03)
    assert trial.alpha_positive > 0.02  # more than Bonferroni leaves
    whole = (yes[0] / yes[1] + no[0] / no[1]) / np.sqrt(1 / yes[1] + 1 / no[1])
    means = [whole, yes[0] / np.sqrt(yes[1])]
    power = 1 - stats.multivariate_normal(means, spread).cdf(limits)
    assert trial.power == pytest.approx(power, abs=1e-5)
    assert trial.power >= 0.80
    found = trial.operating_characteristics(trial.truths)
    assert found["claim_all"][0] == pytest.approx(stats.norm.sf(limits[0] - whole), abs=1e-9)
    np.testing.assert_allclose(found["claim_all"] + found["claim_positive"], found["success"], atol=1e-12)


def test_the_sequential_trial_by_two_independent_tests():
    trial = design.biomarker_stratified(**RESPONSE)
    yes = _cells((0.2, 0.5), trial.n * 0.4, 0.5, None)
    no = _cells((0.2, 0.25), trial.n * 0.6, 0.5, None)
    z = stats.norm.ppf(0.95)
    first, second = (stats.norm.cdf(one[0] / np.sqrt(one[1]) - z) for one in (yes, no))
    found = trial.operating_characteristics([((0.2, 0.5), (0.2, 0.25))]).iloc[0]
    assert found["success"] == pytest.approx(first, abs=1e-12)
    assert found["claim_all"] == pytest.approx(first * second, abs=1e-12)
    before = _cells((0.2, 0.5), (trial.n - 1) * 0.4, 0.5, None)
    assert stats.norm.cdf(before[0] / np.sqrt(before[1]) - z) < 0.80 <= first


@pytest.mark.parametrize("strategy", ["sequential", "split"])
@pytest.mark.parametrize(("asked", "follow"), [(RESPONSE, None), (SURVIVAL, FOLLOW)])
def test_simulated_stratified_trials(asked, follow, strategy):
    trial = design.biomarker_stratified(**asked, follow=follow, strategy=strategy)
    truths = [(asked["positive"], asked["negative"]), ((0.35, 0.35), (0.35, 0.35))]
    drawn = trial.simulate(truths, n_trials=2000, seed=5)
    expected = trial.operating_characteristics(truths)
    for column in ("success", "claim_all", "claim_positive"):
        # the normal approximation misses by up to .02 in strata of about 60 patients
        np.testing.assert_allclose(drawn[column], expected[column], atol=0.02 + 4 * np.sqrt(0.16 / 2000))
    assert drawn["success"][1] <= 0.05 + 4 * np.sqrt(0.0475 / 2000)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: design.interaction(**{**RESPONSE, "prevalence": 0.0}), "prevalence: need a share strictly"),
        (lambda: design.interaction(**{**RESPONSE, "positive": (0.2, 1.0)}), "positive: need the rates"),
        (lambda: design.interaction(**{**RESPONSE, "negative": (0.2, 0.6)}), "Swap positive and negative"),
        (lambda: design.biomarker_stratified(**RESPONSE, share=1.0), "share"),
        (
            lambda: design.biomarker_stratified(**{**RESPONSE, "positive": (0.2, 0.2)}),
            "no trial of at most 20,000",
        ),
        (lambda: design.biomarker_stratified(**{**RESPONSE, "power": 0.01}), "need more than alpha"),
        (
            lambda: design.biomarker_stratified(**{**RESPONSE, "alpha": 0.0}, follow=FollowUp(0, 1, 1)),
            r"(?s)2 problem.*alpha.*follow.at",
        ),
    ],
)
def test_bad_questions_are_answered_with_the_cure(call, words):
    with pytest.raises(ImmunosarcError, match=words):
        call()


def test_an_unknown_strategy_is_answered_with_the_right_one():
    with pytest.raises(UnknownNameError, match="Did you mean 'sequential'"):
        design.biomarker_stratified(**RESPONSE, strategy="sequentiel")
