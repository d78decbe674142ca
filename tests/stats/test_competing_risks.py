"""Competing risks against lifelines, Kaplan-Meier and the definitions written out."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from lifelines import AalenJohansenFitter

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import (
    cumulative_incidence,
    cumulative_incidence_scores,
    entry_scores,
    kaplan_meier,
    linear_score_null,
    linear_score_statistic,
    logrank_score_null,
    logrank_score_statistic,
    permute_within,
    rank_sum_statistic,
)


@pytest.fixture
def trial():
    rng = np.random.default_rng(4)
    return rng.permutation(np.arange(1.0, 41)), rng.choice([0, 1, 2], 40, p=[0.3, 0.4, 0.3])


def test_incidence_and_variance_agree_with_lifelines(trial):
    time, cause = trial
    for interest in (1, 2):
        curve = cumulative_incidence(time, cause, interest=interest)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = AalenJohansenFitter(calculate_variance=True).fit(time, cause, event_of_interest=interest)
        theirs = peer.cumulative_density_.iloc[:, 0].reindex(curve.time)
        np.testing.assert_allclose(curve.incidence, theirs, rtol=1e-10)
        variance = peer.variance_.reindex(curve.time).to_numpy()
        known = ~np.isnan(variance)  # theirs ends where the last patient leaves with an event
        assert known.sum() >= 39
        np.testing.assert_allclose(curve.std_error[known] ** 2, variance[known], rtol=1e-8)
        inside = (curve.incidence > 0) & (curve.incidence < 1) & known
        limits = peer.confidence_interval_.reindex(curve.time[inside]).to_numpy()
        np.testing.assert_allclose(curve.conf_low[inside], limits[:, 0], rtol=1e-8)
        np.testing.assert_allclose(curve.conf_high[inside], limits[:, 1], rtol=1e-8)


def test_one_kind_of_event_is_one_minus_kaplan_meier():
    rng = np.random.default_rng(5)
    time, event = rng.integers(1, 12, 40), rng.random(40) < 0.6
    ours, plain = cumulative_incidence(time, event), kaplan_meier(time, event)
    np.testing.assert_allclose(ours.incidence, 1 - plain.survival, rtol=1e-12)
    known = plain.survival > 0
    np.testing.assert_allclose(ours.std_error[known], plain.std_error[known], rtol=1e-10)
    np.testing.assert_array_equal(ours.at_risk, plain.at_risk)


def test_all_kinds_and_those_still_free_add_to_one(trial):
    time, cause = np.ceil(trial[0] / 3), trial[1]
    free = kaplan_meier(time, cause > 0).survival
    total = free + sum(cumulative_incidence(time, cause, interest=k).incidence for k in (1, 2))
    np.testing.assert_allclose(total, 1.0, rtol=1e-12)


def test_reading_the_curve(trial):
    curve = cumulative_incidence([2, 3, 5, 7], [1, 2, 1, 0])
    incidence, low, high = curve.at([0, 2, 6, 8])
    np.testing.assert_allclose(incidence, [0, 0.25, 0.5, np.nan])
    assert curve.n_censored.tolist() == [0, 0, 0, 1]
    assert curve.n_competing.tolist() == [0, 1, 0, 0]
    assert np.isnan([low[0], high[0]]).all()
    assert low[2] < 0.5 < high[2]


def weight(i, moment, time, cause):
    """How much a patient counts at a moment, from the definition."""
    if time[i] >= moment:
        return 1.0
    if cause[i] in (0, 1):
        return 0.0
    stay = 1.0
    for t in sorted({t for t, c in zip(time, cause, strict=True) if c == 0 and time[i] <= t < moment}):
        left = sum(1 for u, c in zip(time, cause, strict=True) if u > t or (u == t and c == 0))
        stay *= 1 - sum(1 for u, c in zip(time, cause, strict=True) if u == t and c == 0) / left
    return stay


def test_scores_are_those_of_the_definition(trial):
    time, cause = np.ceil(trial[0] / 2), trial[1]
    expected = []
    for i in range(40):
        score = float(cause[i] == 1)
        for moment in sorted(set(time[cause == 1])):
            deaths = np.sum((time == moment) & (cause == 1))
            everyone = sum(weight(k, moment, time, cause) for k in range(40))
            score -= weight(i, moment, time, cause) * deaths / everyone
        expected.append(score)
    scores = cumulative_incidence_scores(time, cause)
    np.testing.assert_allclose(scores, expected, atol=1e-12)
    strata = np.arange(40) % 2
    within = cumulative_incidence_scores(time, cause, strata=strata)
    np.testing.assert_allclose(within[strata == 1], cumulative_incidence_scores(time[1::2], cause[1::2]))


def test_without_censoring_it_is_the_log_rank_test_of_patients_who_stay_forever(trial):
    time, cause = np.ceil(trial[0] / 2), np.maximum(trial[1], 1)
    x = np.random.default_rng(2).normal(size=(40, 3))
    ours = linear_score_statistic(x, cumulative_incidence_scores(time, cause))
    stay = np.where(cause == 1, time, 1000.0)
    np.testing.assert_allclose(ours, logrank_score_statistic(x, stay, cause == 1, ties="breslow"), rtol=1e-10)


def test_entry_scores_without_late_entry_are_log_rank_scores_and_otherwise_the_definition():
    rng = np.random.default_rng(6)
    x, time, event = rng.normal(size=(30, 4)), rng.integers(2, 12, 30).astype(float), rng.random(30) < 0.7
    strata = rng.integers(0, 2, 30)
    scores = entry_scores(time, event, np.zeros(30), strata=strata)
    orders = permute_within(strata, 20, seed=1)
    np.testing.assert_allclose(
        linear_score_null(x, scores, permutations=orders, strata=strata),
        logrank_score_null(x, time, event, permutations=orders, strata=strata, ties="breslow"),
        rtol=1e-9,
    )
    entry = np.where(np.arange(30) % 2, time - 1, 0.0)
    late = entry_scores(time, event, entry)
    for i in range(30):
        hazard = sum(
            np.sum(event & (time == t)) / np.sum((entry < t) & (t <= time))
            for t in set(time[event])
            if entry[i] < t <= time[i]
        )
        assert late[i] == pytest.approx(event[i] - hazard, abs=1e-12)


def test_entry_scores_take_off_what_was_foretold():
    rng = np.random.default_rng(16)
    time, event = rng.integers(3, 12, 30).astype(float), rng.random(30) < 0.7
    entry, strata, eta = rng.integers(0, 3, 30).astype(float), rng.integers(0, 2, 30), rng.normal(size=30)
    scores = entry_scores(time, event, entry, strata=strata, predictor=eta)
    for i in range(30):
        hazard = 0.0
        for t in set(time[event & (strata == strata[i])]):
            risk = (entry < t) & (t <= time) & (strata == strata[i])
            deaths = np.sum(event & (time == t) & (strata == strata[i]))
            hazard += risk[i] * deaths / np.exp(eta[risk]).sum()
        assert scores[i] == pytest.approx(event[i] - np.exp(eta[i]) * hazard, abs=1e-12)


def test_scores_of_zero_and_one_are_the_rank_sum():
    rng = np.random.default_rng(7)
    ranks = np.column_stack([rng.permutation(24), rng.permutation(24)]).astype(float)
    group, strata = rng.random(24) < 0.4, np.zeros(24)
    np.testing.assert_allclose(
        linear_score_statistic(ranks, group), rank_sum_statistic(ranks, group, strata=strata), rtol=1e-10
    )
    ranks[::5, 1] = np.nan
    keep = ~np.isnan(ranks[:, 1])
    alone = linear_score_statistic(ranks[keep], group[keep])[1]
    assert linear_score_statistic(ranks, group)[1] == pytest.approx(alone, rel=1e-10)
    ranks[:, 0] = 0.1
    assert np.isnan(linear_score_statistic(ranks, group)[0])
    assert np.isnan(linear_score_statistic(ranks, np.full(24, 0.3))).all()


def test_wrong_input_is_refused():
    with pytest.raises(ImmunosarcError, match=r"cause: need 0 .*at rows \[1\]"):
        cumulative_incidence([1, 2], [1, -1])
    with pytest.raises(ImmunosarcError, match="interest: need a kind of event"):
        cumulative_incidence_scores([1, 2], [1, 0], interest=0)
    with pytest.raises(ImmunosarcError, match="at least one patient"):
        cumulative_incidence([], [])
    with pytest.raises(ImmunosarcError, match="scores: need one finite number"):
        linear_score_statistic([[1.0], [2.0]], [1.0, np.nan])
