"""Signed-rank p-values by enumerating signs and by scipy; Hodges-Lehmann by inverting the test."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import _paired, hodges_lehmann, signed_rank


def p_by_enumeration(differences):
    """Both tails over every sign pattern of the midranks of the non-zero differences."""
    d = differences[~np.isnan(differences) & (differences != 0)]
    ranks = stats.rankdata(abs(d))
    sums = np.array([np.dot(signs, ranks) for signs in product([0, 1], repeat=len(d))])
    found = ranks[d > 0].sum()
    return min(1.0, 2 * min(np.mean(sums >= found - 1e-9), np.mean(sums <= found + 1e-9)))


def interval_by_inversion(differences, level):
    """The shifts that scipy's exact test does not reject, looked for between neighboring Walsh averages."""
    walsh = np.sort([(a + b) / 2 for i, a in enumerate(differences) for b in differences[i:]])
    between = (walsh[1:] + walsh[:-1]) / 2
    kept = [
        k for k, shift in enumerate(between)
        if stats.wilcoxon(differences - shift, method="exact").pvalue > 1 - level
    ]  # fmt: skip
    return walsh[kept[0]], walsh[kept[-1] + 1]


def test_exact_with_ties_zeros_and_missing():
    rng = np.random.default_rng(4)
    values = np.column_stack([
        rng.normal(0.5, 1, 11),
        rng.integers(-2, 4, 11),
        rng.integers(0, 2, 11),
        np.where(rng.random(11) < 0.4, np.nan, rng.integers(-5, 9, 11)),
        -np.arange(1.0, 12),
    ])  # fmt: skip
    fits = signed_rank(values)
    assert fits.p_exact.tolist() == pytest.approx([p_by_enumeration(column) for column in values.T], rel=1e-12)
    np.testing.assert_array_equal(fits.p_value, fits.p_exact)
    assert fits.p_exact[4] == 2 / 2**11
    assert fits.n.tolist() == (~np.isnan(values)).sum(axis=0).tolist()
    assert fits.n_events.tolist() == (values > 0).sum(axis=0).tolist()


@pytest.mark.parametrize("n", [1, 2, 6, 9, 25, 50])
def test_agrees_with_scipy(n):
    d = np.random.default_rng(n).normal(0.3, 1, n)
    assert signed_rank(d).p_exact[0] == pytest.approx(stats.wilcoxon(d, method="exact").pvalue, rel=1e-10)


def test_statistic_is_standardized_over_all_signs():
    d = np.array([0.4, -1.0, 2.0, 2.0, -3.1])
    ranks = stats.rankdata(abs(d))
    sums = np.array([np.dot(signs, ranks) for signs in product([0, 1], repeat=5)])
    expected = (ranks[d > 0].sum() - sums.mean()) / sums.std()
    assert signed_rank(d).statistic[0] == pytest.approx(expected, rel=1e-12)


def test_large_samples_use_the_normal_and_say_so():
    d = np.random.default_rng(1).normal(0.2, 1, (80, 1)).round(1)
    fits = signed_rank(d)
    expected = stats.wilcoxon(d[:, 0], method="asymptotic", correction=True).pvalue
    assert fits.p_value[0] == pytest.approx(expected, rel=1e-10)
    assert np.isnan(fits.p_exact[0])
    assert fits.status[0] == "normal approximation: more than 60 changes"


@pytest.mark.parametrize(("n", "level"), [(6, 0.95), (9, 0.95), (15, 0.95), (18, 0.9), (30, 0.99)])
def test_interval_is_what_the_exact_test_does_not_reject(n, level):
    d = np.random.default_rng(n).normal(0.5, 1, n)
    fits = hodges_lehmann(d, level=level)
    low, high = interval_by_inversion(d, level)
    assert (fits.conf_low[0], fits.conf_high[0]) == pytest.approx((low, high), rel=1e-12)
    assert fits.estimate[0] == np.median([(a + b) / 2 for i, a in enumerate(d) for b in d[i:]])
    assert fits.status[0] == "ok"


def test_missing_values_are_left_out_exactly():
    rng = np.random.default_rng(9)
    values = rng.normal(size=(20, 5))
    values[rng.random(values.shape) < 0.3] = np.nan
    together = hodges_lehmann(values)
    for k in range(5):
        alone = hodges_lehmann(values[~np.isnan(values[:, k]), k])
        for name in ("n", "n_events", "estimate", "conf_low", "conf_high"):
            assert getattr(together, name)[k] == getattr(alone, name)[0]


def test_too_few_differences_give_no_interval_and_say_so():
    """All 2**5 sign patterns: the widest interval holds the center in 1 - 2/32 = 93.75% only."""
    fits = hodges_lehmann([1.0, 2.0, 4.0, 8.0, 9.0])
    assert np.isnan([fits.conf_low[0], fits.conf_high[0]]).all()
    assert fits.estimate[0] == 5.0
    assert fits.status[0] == "no interval: 5 difference(s) cannot give level 0.95"
    wide = hodges_lehmann([1.0, 2.0, 4.0, 8.0, 9.0], level=0.93)
    assert (wide.conf_low[0], wide.conf_high[0]) == (1.0, 9.0)
    assert hodges_lehmann([1.0, 2.0, 4.0, 8.0, 9.0, 9.5]).status[0] == "ok"
    assert "5 difference(s)" in signed_rank([1.0, 2.0, 4.0, 8.0, 9.0]).status[0]


def test_above_200_the_normal_place_is_the_exact_one_or_its_cautious_neighbor(monkeypatch):
    cases = [(n, level) for n in (80, 120, 200) for level in (0.9, 0.95, 0.99)]
    exact = [_paired._interval_place(*case)[0] for case in cases]
    monkeypatch.setattr(_paired, "_EXACT_INTERVAL", 0)
    gaps = np.subtract(exact, [_paired._interval_place(*case)[0] for case in cases])
    deviations = np.array([np.sqrt(n * (n + 1) * (2 * n + 1) / 24) for n, _ in cases])
    assert np.all((gaps >= 0) & (gaps <= 0.02 * deviations))
    monkeypatch.undo()
    d = np.random.default_rng(2).normal(1, 1, (250, 1))
    fits = hodges_lehmann(d)
    assert fits.conf_high[0] - fits.conf_low[0] == pytest.approx(2 * 1.96 * np.sqrt(np.pi / 3 / 250), rel=0.15)


def test_hopeless_features_keep_their_row_and_say_why():
    values = np.column_stack([np.full(4, np.nan), np.zeros(4), [1.0, np.nan, np.nan, np.nan]])
    fits = signed_rank(values)
    assert fits.status[:2].tolist() == ["needs 1 pair, has 0", "no patient changed"]
    assert np.isnan(fits.estimate[0])
    assert fits.estimate[1] == 0.0
    assert np.isnan(fits.p_value[1])
    assert fits.p_value[2] == 1.0
    assert fits.status[2] == "no interval: 1 difference(s) cannot give level 0.95"
    assert signed_rank(np.empty((0, 2))).status.tolist() == ["needs 1 pair, has 0"] * 2


def test_bad_input_is_refused_and_good_input_unchanged():
    d = np.array([1.0, -2.0, np.nan, 0.0])
    before = d.copy()
    signed_rank(d)
    np.testing.assert_array_equal(d, before)
    with pytest.raises(ImmunosarcError, match=r"(?s)signed_rank has 2 problem.*1 infinite value.*level"):
        signed_rank([np.inf, 1.0], level=1.0)
