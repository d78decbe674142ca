"""AUC, DeLong interval and rank-sum p-values against scipy, R and the count of pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import _rank_sums, mann_whitney, rank_sum_statistic
from immunosarc.stats._exact_rank_sum import enumerated_p


def pairs_won(values, group, strata=None):
    """Pairs within a stratum that the True patient wins, ties half, and how many pairs there are."""
    strata = np.zeros(len(values)) if strata is None else strata
    won = count = 0.0
    for i, j in combinations(range(len(values)), 2):
        if group[i] == group[j] or strata[i] != strata[j] or np.isnan(values[i] + values[j]):
            continue
        up, down = (values[i], values[j]) if group[i] else (values[j], values[i])
        won += (up > down) + 0.5 * (up == down)
        count += 1
    return won, count


def delong_error_by_definition(cases, controls):
    """Placement values counted pair by pair; sample variances over group sizes."""
    wins = (cases[:, None] > controls) + 0.5 * (cases[:, None] == controls)
    return np.sqrt(wins.mean(1).var(ddof=1) / len(cases) + wins.mean(0).var(ddof=1) / len(controls))


@pytest.fixture
def trial():
    rng = np.random.default_rng(11)
    values = rng.normal(size=(30, 6))
    group = np.arange(30) < 11
    values[group, 1] += 1.5
    values[:, 2] = rng.integers(0, 4, 30)  # ties
    values[rng.random(30) < 0.3, 3] = np.nan
    values[:4, 4] = np.nan
    values[:, 4] = np.round(values[:, 4])
    return values, group


def test_midranks_are_those_of_scipy():
    rng = np.random.default_rng(1)
    for high in (3, 10, 1000):
        values = rng.integers(0, high, (40, 20)).astype(float)
        values[rng.random(values.shape) < 0.2] = np.nan
        expected = stats.rankdata(values, axis=0, nan_policy="omit")
        np.testing.assert_array_equal(_rank_sums.midranks(values), expected)


def test_agrees_with_r(oracles):
    row = pd.read_csv(oracles / "wilcox.csv").iloc[0]
    a, b = (np.array([float(v) for v in row[side].split(";")]) for side in "ab")
    fits = mann_whitney(np.concatenate([a, b])[:, None], np.arange(len(a) + len(b)) < len(a))
    assert fits.estimate[0] == row["W"] / (len(a) * len(b))
    assert fits.p_exact[0] == pytest.approx(row["p_exact"], rel=1e-12)
    assert fits.p_value[0] == pytest.approx(row["p_norm_cc"], rel=1e-12)
    assert 2 * stats.norm.sf(abs(fits.statistic[0])) == pytest.approx(row["p_norm"], rel=1e-12)


def test_agrees_with_scipy_feature_by_feature(trial):
    values, group = trial
    fits = mann_whitney(values, group)
    for k in range(values.shape[1]):
        column = values[:, k]
        yes, no = (column[(group == side) & ~np.isnan(column)] for side in (True, False))
        expected = stats.mannwhitneyu(yes, no, method="asymptotic")
        assert fits.p_value[k] == pytest.approx(expected.pvalue, rel=1e-12)
        assert fits.estimate[k] == pytest.approx(expected.statistic / (len(yes) * len(no)), rel=1e-14)
        assert fits.std_error[k] == pytest.approx(delong_error_by_definition(yes, no), rel=1e-12)
        assert (fits.n[k], fits.n_events[k]) == (len(yes) + len(no), len(yes))
        tied = len(np.unique(column[~np.isnan(column)])) < len(yes) + len(no)
        assert 0 < fits.p_exact[k] <= 1
        if not tied:
            exact = stats.mannwhitneyu(yes, no, method="exact").pvalue
            assert fits.p_exact[k] == pytest.approx(exact, rel=1e-12)


def test_interval_is_symmetric_in_the_logit(trial):
    fits = mann_whitney(*trial, level=0.9)
    margin = stats.norm.ppf(0.95) * fits.std_error / (fits.estimate * (1 - fits.estimate))
    np.testing.assert_allclose(special.logit(fits.conf_low), special.logit(fits.estimate) - margin, rtol=1e-10)
    np.testing.assert_allclose(special.logit(fits.conf_high), special.logit(fits.estimate) + margin, rtol=1e-10)


@pytest.mark.parametrize(("n1", "n0"), [(1, 5), (2, 2), (3, 4), (5, 3)])
def test_exact_p_is_the_share_of_relabelings(n1, n0):
    values = np.random.default_rng(n1).permutation(n1 + n0).astype(float)
    group = np.arange(n1 + n0) < n1
    distance = [abs(sum(values[list(c)]) - n1 * values.mean()) for c in combinations(range(n1 + n0), n1)]
    expected = np.mean(np.array(distance) >= distance[0] - 1e-9)
    twin = np.column_stack([values, values])
    p = mann_whitney(twin, group).p_exact
    if min(n1, n0) < 2:
        assert np.isnan(p).all()
    else:
        assert p == pytest.approx([expected, expected], rel=1e-12)


def test_strata_compare_within_only(trial):
    values, group = trial
    strata = np.where(np.arange(30) % 3 == 0, "one", "two")
    fits = mann_whitney(values, group, strata=strata)
    for k in range(values.shape[1]):
        won, count = pairs_won(values[:, k], group, strata)
        assert fits.estimate[k] == pytest.approx(won / count, rel=1e-14)
        alone = []
        for s in ("one", "two"):
            column = values[strata == s, k]
            yes, no = (column[(group[strata == s] == side) & ~np.isnan(column)] for side in (True, False))
            alone.append((len(yes) * len(no) * delong_error_by_definition(yes, no)) ** 2)
        assert fits.std_error[k] == pytest.approx(np.sqrt(sum(alone)) / count, rel=1e-12)
    assert fits.p_exact == pytest.approx(fits.p_value, abs=0.12)


def test_exact_p_counts_every_labeling_within_strata():
    rng = np.random.default_rng(40)
    strata, group = np.repeat([0, 1, 2], [6, 5, 2]), np.array([1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1], dtype=bool)
    values = rng.integers(0, 4, (13, 6)).astype(float)
    values[rng.random(13) < 0.2, 0] = np.nan
    p = mann_whitney(values, group, strata=strata).p_exact
    for k in range(6):
        has = ~np.isnan(values[:, k])
        sums = [0.0]
        seen = center = 0.0
        for s in (0, 1, 2):
            here = has & (strata == s)
            ranks, cases = stats.rankdata(values[here, k]), int(group[here].sum())
            sums = [a + ranks[list(c)].sum() for a in sums for c in combinations(range(here.sum()), cases)]
            seen += ranks[group[here]].sum()
            center += cases * (here.sum() + 1) / 2
        away = np.abs(np.array(sums) - center)
        assert p[k] == pytest.approx(np.mean(away >= abs(seen - center) - 1e-9), rel=1e-12)
    tied = rng.integers(0, 4, (13, 1)).astype(float)
    flat = mann_whitney(tied, group).p_exact[0]
    ranks = stats.rankdata(tied[:, 0])
    away = [abs(ranks[list(c)].sum() - group.sum() * 7.0) for c in combinations(range(13), int(group.sum()))]
    assert flat == pytest.approx(np.mean(np.array(away) >= abs(ranks[group].sum() - group.sum() * 7.0) - 1e-9))


def test_enumeration_agrees_with_the_recursion_and_stops_where_it_is_too_long():
    rng = np.random.default_rng(41)
    values, group = rng.normal(size=(40, 3)), rng.random(40) < 0.4
    recursion = mann_whitney(values, group).p_exact
    counted = enumerated_p(values, group, np.zeros(40, dtype=int), np.zeros(values.shape[1]))
    assert counted == pytest.approx(recursion, rel=1e-10)
    many = rng.integers(0, 9, (61, 1)).astype(float)
    assert np.isnan(mann_whitney(many, np.arange(61) < 20).p_exact[0])


def test_stratified_statistic_has_the_moments_of_all_relabelings():
    values = np.array([1.0, 2, 2, 5, 3, 3, 4, 9, np.nan])
    group = np.array([1, 0, 1, 0, 1, 0, 0, 0, 1], dtype=bool)
    strata = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    sums = []
    for first in combinations(range(4), 2):
        for second in combinations(range(4, 8), 1):
            marked = np.isin(np.arange(9), [*first, *second])
            sums.append(pairs_won(values, marked, strata)[0])
    won = pairs_won(values, group, strata)[0]
    expected = (won - np.mean(sums)) / np.std(sums)
    assert rank_sum_statistic(values[:, None], group, strata=strata)[0] == pytest.approx(expected, rel=1e-12)
    assert mann_whitney(values[:, None], group, strata=strata).statistic[0] == pytest.approx(expected, rel=1e-12)


def test_one_stratum_and_single_class_strata_change_nothing(trial):
    values, group = trial
    plain = mann_whitney(values, group)
    extra = np.vstack([values, np.full((3, 6), 9.0)])
    with_idle = mann_whitney(extra, np.append(group, [True] * 3), strata=np.append(np.zeros(30, int), [7, 7, 7]))
    for name in ("estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value"):
        np.testing.assert_allclose(getattr(with_idle, name), getattr(plain, name), rtol=1e-13, err_msg=name)


@pytest.mark.parametrize("gap", [0.0, 3.0])
def test_a_single_responder_in_a_stratum_borrows_the_variance_or_that_of_noise(gap):
    values = np.random.default_rng(5).normal(size=(30, 1))
    group = np.r_[np.arange(16) < 9, np.arange(14) < 1]
    strata = np.repeat([1, 2], [16, 14])
    values[group & (strata == 1)] += gap  # separated: the other stratum's placements hardly spread
    fits = mann_whitney(values, group, strata=strata)
    x, y = values[:, 0], group
    wins = [(x[(strata == s) & y][:, None] > x[(strata == s) & ~y]).astype(float) for s in (1, 2)]
    spread = wins[0].mean(1).var(ddof=1)
    assert (spread < 1 / 12) or gap == 0
    parts = [
        63**2 * (spread / 9 + wins[0].mean(0).var(ddof=1) / 7),
        13**2 * (max(spread, 1 / 12) / 1 + wins[1].mean(0).var(ddof=1) / 13),
    ]
    assert fits.std_error[0] == pytest.approx(np.sqrt(sum(parts)) / 76, rel=1e-12)
    assert fits.status[0] == "ok"


def newcombe_gap(auc, limit, n1, n0):
    half = (n1 + n0) / 2 - 1
    variance = limit * (1 - limit) * (1 + half * ((1 - limit) / (2 - limit) + limit / (1 + limit))) / (n1 * n0)
    return abs(auc - limit) - stats.norm.ppf(0.975) * np.sqrt(variance)


def test_perfect_separation_has_a_closed_interval_with_width():
    values = np.column_stack([np.arange(30.0), -np.arange(30.0)])
    fits = mann_whitney(values, np.arange(30) >= 20)
    assert fits.estimate.tolist() == [1.0, 0.0]
    assert fits.conf_high[0] == 1.0
    assert fits.conf_low[1] == 0.0
    assert newcombe_gap(1.0, fits.conf_low[0], 10, 20) == pytest.approx(0.0, abs=1e-9)
    assert 0.7 < fits.conf_low[0] < 0.95
    assert fits.conf_high[1] == pytest.approx(1 - fits.conf_low[0], rel=1e-9)
    assert fits.status.tolist() == ["ok", "ok"]


def test_strata_that_separate_in_opposite_ways_keep_a_finite_interval():
    values = np.r_[1, 2, 3, 4, 4, 3, 2, 1.0][:, None]
    fits = mann_whitney(values, [0, 0, 1, 1, 0, 0, 1, 1], strata=[0] * 4 + [1] * 4)
    assert fits.estimate[0] == 0.5
    assert 0.0 < fits.conf_low[0] < 0.5 < fits.conf_high[0] < 1.0
    assert fits.conf_low[0] == pytest.approx(1 - fits.conf_high[0], rel=1e-9)


def test_hopeless_features_keep_their_row_and_say_why():
    values = np.random.default_rng(0).normal(size=(11, 4))
    group = np.arange(11) < 10
    lonely = mann_whitney(values, group)
    assert set(lonely.status) == {"needs 2 patients per group, has 10 and 1"}
    assert np.isnan([lonely.estimate, lonely.conf_low, lonely.statistic, lonely.p_value, lonely.p_exact]).all()
    values[:, 0], values[:, 1] = 3.0, np.nan
    values[4:, 2] = np.nan
    fits = mann_whitney(values, np.arange(11) < 4)
    assert fits.status.tolist() == [
        "constant feature",
        "needs 2 patients per group, has 0 and 0",
        "needs 2 patients per group, has 4 and 0",
        "ok",
    ]
    matched = mann_whitney(values[:, 3:], [1, 0] * 5 + [1], strata=np.arange(11) // 2)
    assert matched.status[0] == "no interval: every stratum has a single patient in one group"
    assert np.isnan(matched.conf_low[0])
    assert np.isfinite(matched.p_value[0])
    nobody = mann_whitney(np.full((4, 2), np.nan), [1, 1, 0, 0], strata=[0, 1, 0, 1])
    assert set(nobody.status) == {"needs 2 patients per group in strata that hold both groups, has 0 and 0"}


def test_reversing_a_feature_reverses_the_answer(trial):
    values, group = trial
    up, down = mann_whitney(values, group), mann_whitney(-values, group)
    np.testing.assert_allclose(down.estimate, 1 - up.estimate)
    np.testing.assert_allclose(down.conf_low, 1 - up.conf_high)
    np.testing.assert_allclose(down.statistic, -up.statistic)
    np.testing.assert_allclose(down.p_value, up.p_value)


def test_inputs_stay_and_mistakes_come_together(trial):
    values, group = trial
    before = values.copy(), group.copy()
    mann_whitney(values, group)
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(group, before[1])
    with pytest.raises(ImmunosarcError, match=r"(?s)3 problem\(s\).*group: need one.*strata: miss.*level"):
        mann_whitney(values, group[:-1], strata=[None] * 30, level=95)
    with pytest.raises(ImmunosarcError, match=r"group: need True or False .* rows \[1\]; keep only patients"):
        mann_whitney(values[:3], [1, np.nan, 0])
    with pytest.raises(ImmunosarcError, match=r"features: need a matrix .* have 1 dimension"):
        mann_whitney(values[:, 0], group)
    with pytest.raises(ImmunosarcError, match="1 infinite value"):
        mann_whitney([[np.inf], [1.0]], [1, 0])


@pytest.mark.parametrize("side", [1, -1])
def test_one_sided_exact_p_counts_the_labelings_that_go_that_way(side):
    """With ties, strata and a missing value: all labelings by hand."""
    rng = np.random.default_rng(8)
    x, strata = rng.integers(0, 5, size=10).astype(float), np.repeat([0, 1], [6, 4])
    group = np.isin(np.arange(10), [0, 1, 4, 7])
    x[9] = np.nan

    def wins(chosen):
        inside = [
            (x[i] > x[j]) + 0.5 * (x[i] == x[j])
            for i in chosen
            for j in range(9)
            if j not in chosen and strata[i] == strata[j]
        ]
        return sum(inside)

    dealt = [wins({*a, *b}) for a in combinations(range(6), 3) for b in combinations((6, 7, 8), 1)]
    seen = wins({0, 1, 4, 7})
    fits = mann_whitney(x[:, None], group, strata=strata, sides=[side])
    assert fits.p_exact[0] == pytest.approx(np.mean([side * u >= side * seen for u in dealt]), abs=1e-12)


def test_a_side_that_is_none_is_refused():
    with pytest.raises(ImmunosarcError, match="sides: need -1, 0 or 1 for each of 1 features"):
        mann_whitney([[1.0], [2.0]], [0, 1], sides=[2])


def test_a_stratum_with_one_class_does_not_count_toward_enough_patients():
    group, strata = np.repeat([True, True, False], [5, 1, 6]), np.repeat([0, 1], [5, 7])
    fits = mann_whitney(np.random.default_rng(2).normal(size=(12, 1)), group, strata=strata)
    assert fits.status.tolist() == ["needs 2 patients per group in strata that hold both groups, has 1 and 6"]
    assert (fits.n[0], fits.n_events[0]) == (12, 6)


def test_a_feature_that_varies_only_where_there_is_one_class_is_constant():
    group, strata = np.repeat([True, True, False], [5, 3, 4]), np.repeat([0, 1], [5, 7])
    values = np.r_[np.arange(5.0), np.ones(7)][:, None]
    assert mann_whitney(values, group, strata=strata).status.tolist() == ["constant feature"]
