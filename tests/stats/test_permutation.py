"""Permuted statistics against the observed ones on relabeled data, and against full enumeration."""

from __future__ import annotations

from collections import Counter
from itertools import permutations as orders

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import (
    logrank_score_null,
    logrank_score_statistic,
    mann_whitney,
    permute_within,
    rank_sum_null,
    rank_sum_statistic,
)


def efron_log_likelihood(x, time, event, beta):
    """Cox partial likelihood with Efron's ties, written out death by death."""
    total = 0.0
    for moment in set(time[event]):
        dead, risk = (time == moment) & event, time >= moment
        for place in range(dead.sum()):
            share = place / dead.sum()
            total -= np.log(np.exp(beta * x[risk]).sum() - share * np.exp(beta * x[dead]).sum())
        total += beta * x[dead].sum()
    return total


def logrank_by_definition(x, time, event, strata):
    """Efron score as the slope of the likelihood, variance as over all orders of the scores."""
    keep = ~np.isnan(x)
    x, time, event, strata = x[keep], time[keep], event[keep], strata[keep]
    slope = variance = 0.0
    for s in set(strata):
        own = (x[strata == s], time[strata == s], event[strata == s])
        slope += (efron_log_likelihood(*own, 1e-5) - efron_log_likelihood(*own, -1e-5)) / 2e-5
        unit = np.eye(len(own[0]))
        scores = [
            (efron_log_likelihood(u, *own[1:], 1e-5) - efron_log_likelihood(u, *own[1:], -1e-5)) / 2e-5
            for u in unit
        ]
        variance += np.sum((own[0] - own[0].mean()) ** 2) * np.sum(np.square(scores)) / (len(scores) - 1)
    return slope / np.sqrt(variance)


@pytest.fixture
def trial():
    rng = np.random.default_rng(8)
    values = rng.normal(size=(26, 7))
    values[:, 1] = rng.integers(0, 3, 26)
    values[rng.random(26) < 0.3, 2] = np.nan
    values[[0, 5, 9], 3] = np.nan
    values[[0, 5, 9], 4] = np.nan
    time, event = rng.integers(1, 12, 26).astype(float), rng.random(26) < 0.7
    return values, rng.random(26) < 0.4, time, event, rng.integers(0, 2, 26)


def test_patients_stay_in_their_stratum_and_every_order_is_equally_likely():
    strata = np.array([0, 1, 0, 1, 1])
    rows = permute_within(strata, 12_000, seed=3)
    assert (np.sort(rows, axis=1) == np.arange(5)).all()
    assert (strata[rows] == strata).all()
    seen = Counter(map(tuple, rows[:, [0, 2, 1, 3, 4]]))
    expected = {(*a, *b) for a in orders([0, 2]) for b in orders([1, 3, 4])}
    assert set(seen) == expected
    assert stats.chisquare(list(seen.values())).pvalue > 1e-4


def test_a_permutation_depends_on_seed_and_number_only():
    strata = list("aabbbccccc")
    whole = permute_within(strata, 50, seed=7)
    np.testing.assert_array_equal(permute_within(strata, 20, seed=7), whole[:20])
    np.testing.assert_array_equal(permute_within(strata, 13, seed=7, first=30), whole[30:43])
    assert not np.array_equal(permute_within(strata, 50, seed=8), whole)


def test_identity_gives_the_observed_statistic_to_the_last_bit(trial):
    values, group, time, event, strata = trial
    rows = np.vstack([np.arange(26), permute_within(strata, 300, seed=1)])
    null = rank_sum_null(values, group, rows, strata=strata)
    np.testing.assert_array_equal(null[0], rank_sum_statistic(values, group, strata=strata))
    np.testing.assert_array_equal(null[0], mann_whitney(values, group, strata=strata).statistic)
    null = logrank_score_null(values, time, event, permutations=rows, strata=strata)
    np.testing.assert_array_equal(null[0], logrank_score_statistic(values, time, event, strata=strata))


def test_every_row_is_the_statistic_of_the_relabeled_patients(trial):
    values, group, time, event, strata = trial
    rows = permute_within(strata, 260, seed=2)  # more than one block
    ranks = rank_sum_null(values, group, rows, strata=strata)
    times = logrank_score_null(values, time, event, permutations=rows, strata=strata)
    for b in (0, 7, 255, 256, 259):
        np.testing.assert_array_equal(ranks[b], rank_sum_statistic(values, group[rows[b]], strata=strata))
        moved = logrank_score_statistic(values, time[rows[b]], event[rows[b]], strata=strata)
        np.testing.assert_allclose(times[b], moved, rtol=1e-11, atol=1e-12)


def test_pieces_give_the_same_bits_as_the_whole(trial):
    values, group, time, event, strata = trial
    rows = permute_within(strata, 700, seed=2)
    whole = logrank_score_null(values, time, event, permutations=rows, strata=strata)
    pieces = [
        logrank_score_null(values, time, event, permutations=rows[k : k + 256], strata=strata)
        for k in (0, 256, 512)
    ]
    np.testing.assert_array_equal(np.vstack(pieces), whole)
    np.testing.assert_array_equal(
        rank_sum_null(values, group, rows[:10], strata=strata),
        rank_sum_null(values, group, rows, strata=strata)[:10],
    )


def test_logrank_score_is_the_slope_of_the_cox_likelihood(trial):
    values, _, time, event, strata = trial
    found = logrank_score_statistic(values, time, event, strata=strata)
    for k in range(values.shape[1]):
        assert found[k] == pytest.approx(logrank_by_definition(values[:, k], time, event, strata), rel=1e-7)


def test_logrank_score_has_mean_0_and_variance_1_over_all_orders():
    x = np.array([1.0, 4.0, 2.0, 2.0, 9.0, np.nan])
    time, event = np.array([3.0, 3, 1, 5, 6, 6]), np.array([1, 1, 0, 1, 1, 1], dtype=bool)
    complete = logrank_score_null(
        np.delete(x, 5)[:, None], time[:5], event[:5], permutations=list(orders(range(5)))
    )
    assert complete.mean() == pytest.approx(0.0, abs=1e-12)
    assert (complete**2).mean() == pytest.approx(1.0, rel=1e-12)
    # with a missing value every set of outcomes may fall to the measured patients: still standard
    partial = logrank_score_null(x[:, None], time, event, permutations=list(orders(range(6))))
    assert partial.mean() == pytest.approx(0.0, abs=1e-12)
    assert (partial**2).mean() == pytest.approx(1.0, rel=1e-12)


def test_breslow_scores_are_observed_minus_expected_of_r(oracles):
    lung = pd.read_csv(oracles / "lung.csv")
    row = pd.read_csv(oracles / "survdiff_lung.csv").iloc[0]
    observed, expected = (float(row[name].split(";")[0]) for name in ("obs", "exp"))
    male = (lung["sex"] == 1).to_numpy(float)
    z = logrank_score_statistic(male[:, None], lung["time"], lung["event"], ties="breslow")[0]
    scores = np.array([
        d - sum(((lung["time"] == t) & (lung["event"] == 1)).sum() / (lung["time"] >= t).sum()
                for t in sorted(set(lung.loc[lung["event"] == 1, "time"])) if t <= own)
        for own, d in zip(lung["time"], lung["event"], strict=True)
    ])  # fmt: skip
    assert (male * scores).sum() == pytest.approx(observed - expected, rel=1e-10)
    spread = np.sum((male - male.mean()) ** 2) * np.sum(scores**2) / (len(lung) - 1)
    assert z == pytest.approx((observed - expected) / np.sqrt(spread), rel=1e-10)


def test_rank_sum_null_over_all_orders_is_the_exact_distribution():
    values = np.array([[0.3], [1.2], [2.2], [3.1], [4.0]])
    group = np.array([0, 1, 0, 1, 1], dtype=bool)
    null = rank_sum_null(values, group, list(orders(range(5))))[:, 0]
    observed = rank_sum_statistic(values, group)[0]
    exact = stats.mannwhitneyu(values[group, 0], values[~group, 0], method="exact").pvalue
    assert np.mean(np.abs(null) >= abs(observed) - 1e-12) == pytest.approx(exact)
    assert (null**2).mean() == pytest.approx(1.0)


def test_what_cannot_be_standardized_is_missing():
    values = np.array([[1.0, np.nan, 5.1], [2.0, 3.0, 5.1], [4.0, np.nan, 5.1], [3.0, 4.0, 5.1]])
    null = rank_sum_null(values, [0, 0, 1, 1], [[0, 1, 2, 3], [2, 0, 1, 3]])
    assert np.isnan(null).tolist() == [[False, False, True], [False, False, True]]
    null = rank_sum_null(values, [0, 1, 0, 1], [[0, 1, 2, 3]])
    assert np.isnan(null).tolist() == [[False, True, True]]
    null = logrank_score_null(values, [1, 2, 3, 4], [0, 1, 1, 0], permutations=[[0, 1, 2, 3], [1, 0, 2, 3]])
    assert np.isnan(null).tolist() == [[False, False, True], [False, True, True]]


def test_bad_permutations_are_refused(trial):
    values, group, time, event, strata = trial
    free = permute_within(np.zeros(26), 5, seed=1)
    with pytest.raises(ImmunosarcError, match="move patients between strata"):
        rank_sum_null(values, group, free, strata=strata)
    with pytest.raises(ImmunosarcError, match=r"whole numbers of shape \(n_permutations, 26\)"):
        rank_sum_null(values, group, free[:, :5])
    with pytest.raises(ImmunosarcError, match="row numbers 0 to 25"):
        rank_sum_null(values, group, free + 1)
    with pytest.raises(ImmunosarcError, match="Did you mean 'efron'"):
        logrank_score_null(values, time, event, permutations=free, ties="effron")
    with pytest.raises(ImmunosarcError, match="whole numbers of at least 0"):
        permute_within([0, 0], -1, seed=0)
