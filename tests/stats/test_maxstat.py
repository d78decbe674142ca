"""Searched cut points: R's maxstat, brute force over all permutations, and pure noise."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import (
    hothorn_lausen,
    lausen_1992,
    lausen_1994,
    log_rank_scores,
    maximally_selected,
    selected_curve,
)


@pytest.fixture(scope="module")
def dlbcl(oracles):
    return pd.read_csv(oracles / "dlbcl_maxstat.csv")


@pytest.fixture(scope="module")
def known(oracles):
    table = pd.read_csv(oracles / "maxstat.csv")
    return table.set_index([table["smethod"].str[:8], "pmethod"])


def test_curve_of_every_cut_is_that_of_maxstat(dlbcl, oracles):
    curve = pd.read_csv(oracles / "maxstat_curve.csv")
    cuts, statistics, _ = selected_curve(dlbcl["MGE"], log_rank_scores(dlbcl["time"], dlbcl["cens"]))
    np.testing.assert_allclose(cuts, curve["cut"], atol=1e-12)
    np.testing.assert_allclose(np.abs(statistics), curve["stat"], atol=1e-10)


def test_p_values_are_those_of_maxstat(dlbcl, known):
    cases = {"LogRank": (log_rank_scores(dlbcl["time"], dlbcl["cens"]), dlbcl["MGE"])}
    cases["Wilcoxon"] = (rankdata(dlbcl["MGE"]), dlbcl["IPI"])
    for name, (scores, feature) in cases.items():
        cuts, statistics, low = selected_curve(feature, scores)
        best = np.abs(statistics).max()
        row = known.loc[(name, "none")]
        assert best == pytest.approx(row["stat"], abs=1e-6)
        assert cuts[np.abs(statistics).argmax()] == pytest.approx(row["cut"], abs=1e-6)
        assert lausen_1992(best) == pytest.approx(known.loc[(name, "Lau92"), "p"], abs=1e-6)
        ordered = scores[np.argsort(feature.to_numpy(), kind="stable")]
        statistic, p = hothorn_lausen(ordered, low, ties="maxstat")
        assert statistic == pytest.approx(known.loc[(name, "HL"), "stat"], abs=1e-6)
        assert p == pytest.approx(known.loc[(name, "HL"), "p"], abs=1e-6)
        assert hothorn_lausen(ordered, low)[1] > p
    _, statistics, low = selected_curve(dlbcl["MGE"], cases["LogRank"][0])
    assert lausen_1994(np.abs(statistics).max(), low, len(dlbcl)) == pytest.approx(
        known.loc[("LogRank", "Lau94"), "p"], abs=1e-6
    )


def _every_arrangement(x, scores, *, strata=None, min_share=0.1):
    observed = np.nanmax(np.abs(selected_curve(x, scores, strata=strata, min_share=min_share)[1]))
    codes = np.zeros(len(x)) if strata is None else np.asarray(strata)
    groups = [np.flatnonzero(codes == one) for one in np.unique(codes)]
    hits = total = 0
    for orders in itertools.product(*(itertools.permutations(group) for group in groups)):
        drawn = np.array(scores, dtype=float)
        for group, order in zip(groups, orders, strict=True):
            drawn[group] = np.asarray(scores)[list(order)]
        best = np.nanmax(np.abs(selected_curve(x, drawn, strata=strata, min_share=min_share)[1]))
        hits += best >= observed - 1e-9
        total += 1
    return hits / total


def test_monte_carlo_finds_the_p_of_all_arrangements():
    rng = np.random.default_rng(2)
    x = rng.normal(size=7)
    scores = log_rank_scores(rng.exponential(size=7), [1, 1, 0, 1, 1, 0, 1])
    exact = _every_arrangement(x, scores, min_share=0.2)
    found = maximally_selected(x[:, None], scores, min_share=0.2, n_permutations=40_000, seed=1)
    assert found.p_value[0] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000))
    ordered = scores[np.argsort(x)]
    low = selected_curve(x, scores, min_share=0.2)[2]
    whole = np.round((ordered - ordered.min()) * 7 / np.ptp(ordered))
    assert hothorn_lausen(whole, low)[1] >= _every_arrangement(np.arange(7.0), whole, min_share=0.2) - 1e-12


def test_strata_are_respected():
    x = np.array([1.0, 5.0, 3.0, 2.0, 9.0, 7.0, 8.0, 6.0])
    events, strata = np.array([0, 1, 0, 1, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    exact = _every_arrangement(x, events, strata=strata)
    found = maximally_selected(x[:, None], events, strata=strata, n_permutations=40_000, seed=1)
    assert found.p_value[0] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000))
    pooled = maximally_selected(x[:, None], events, n_permutations=2000, seed=1)
    assert abs(pooled.statistic[0]) != pytest.approx(abs(found.statistic[0]), abs=1e-3)


def test_direction_and_missing_values():
    x = np.arange(20.0)
    x[3] = np.nan
    events = (np.arange(20) >= 12).astype(float)
    both = np.column_stack([x, -x, np.full(20, 4.0)])
    before = both.copy()
    found = maximally_selected(both, events, n_permutations=200, seed=4)
    assert found.cut[0] == 11.0
    assert found.statistic[0] == pytest.approx(-found.statistic[1])
    assert found.statistic[0] > 0
    assert found.n.tolist() == [19, 19, 20]
    assert np.isnan(found.p_value[2])
    assert found.n_cuts[2] == 0
    np.testing.assert_array_equal(both, before)


@pytest.mark.parametrize("n", [20, 30, 60])
def test_noise_keeps_its_level_where_the_best_cut_alone_does_not(n):
    rng = np.random.default_rng(n)
    trials, corrected, naive = 250, 0, 0
    for _ in range(trials):
        scores = log_rank_scores(rng.exponential(size=n), rng.random(n) < 0.7)
        found = maximally_selected(rng.normal(size=(n, 1)), scores, n_permutations=199, seed=1)
        corrected += found.p_value[0] <= 0.05
        naive += abs(found.statistic[0]) > 1.96
    assert corrected / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)
    assert naive / trials > 0.25


def test_family_of_searches_keeps_its_level_and_finds_a_true_cut():
    rng = np.random.default_rng(8)
    trials, wrong, hits = 200, 0, 0
    for _ in range(trials):
        features = rng.normal(size=(30, 6))
        time = rng.exponential(size=30)
        scores = log_rank_scores(time, np.ones(30))
        wrong += np.nanmin(maximally_selected(features, scores, n_permutations=199, seed=1).p_maxt) <= 0.05
        late = log_rank_scores(np.where(features[:, 0] > 0, 12.0, 1.0) * time, np.ones(30))
        hits += maximally_selected(features, late, n_permutations=999, seed=1).p_maxt[0] <= 0.05
    assert wrong / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)
    assert hits / trials > 0.6  # chance finds it in fewer than one of twenty


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scores": [0.0, np.nan, 1.0, 0.0]}, "scores"),
        ({"min_share": 0.6}, "min_share"),
        ({"n_permutations": 3}, "at least 20"),
        ({"strata": ["a", None, "b", "b"]}, "strata"),
    ],
)
def test_bad_questions(change, words):
    question = {"features": np.arange(4.0)[:, None], "scores": [0.0, 1.0, 1.0, 0.0]} | change
    with pytest.raises(ImmunosarcError, match=words):
        maximally_selected(**question)
