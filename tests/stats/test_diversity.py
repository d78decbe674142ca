"""Repertoire diversity, against the definitions written out for every receptor."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy import stats as reference

from immunosarc import stats
from immunosarc.errors import ImmunosarcError

COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(lambda counts: sum(counts) > 0)


def entropy(counts):
    total = sum(counts)
    return -sum(n / total * log(n / total) for n in counts if n)


def gini_by_pairs(counts):
    """Mean difference between any two clones, over twice the mean."""
    sizes = [n for n in counts if n]
    gaps = sum(abs(a - b) for a in sizes for b in sizes)
    return Fraction(gaps, 2 * len(sizes) * sum(sizes))


def d50_by_adding(counts):
    held, clones = 0, 0
    for n in sorted(counts, reverse=True):
        if 2 * held >= sum(counts):
            break
        held, clones = held + n, clones + 1
    return clones


def every_draw(counts, depth):
    receptors = [clone for clone, n in enumerate(counts) for _ in range(n)]
    return [list(Counter(drawn).values()) for drawn in combinations(receptors, depth)]


@settings(max_examples=150, deadline=None)
@given(COUNTS)
def test_numbers_are_their_definitions(counts):
    found = stats.diversity(counts)
    clones = sum(n > 0 for n in counts)
    assert found.richness == clones
    assert found.shannon == pytest.approx(entropy(counts), abs=1e-12)
    assert found.clonality == pytest.approx(1 - entropy(counts) / log(clones) if clones > 1 else 1, abs=1e-12)
    assert found.gini == pytest.approx(float(gini_by_pairs(counts)), abs=1e-12)
    assert found.top_clone_share == pytest.approx(max(counts) / sum(counts))
    assert found.d50 == d50_by_adding(counts)


@pytest.mark.parametrize("counts", [[3, 2, 1, 1], [5, 1, 1], [2, 2, 2, 2], [7, 2]])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_rarefied_numbers_are_means_over_every_possible_draw(counts, depth):
    draws = every_draw(counts, depth)
    assert stats.rarefied_richness(counts, depth) == pytest.approx(np.mean([len(one) for one in draws]), rel=1e-12)
    assert stats.rarefied_shannon(counts, depth) == pytest.approx(
        np.mean([entropy(one) for one in draws]), rel=1e-9
    )


def test_sampled_numbers_come_near_the_mean_over_every_possible_draw():
    counts, depth = [4, 3, 1, 1, 1], 5
    draws = every_draw(counts, depth)
    found = stats.rarefied_diversity(counts, depth, seed=4, draws=4000)
    assert found.gini == pytest.approx(np.mean([float(gini_by_pairs(one)) for one in draws]), abs=0.005)
    assert found.d50 == pytest.approx(np.mean([d50_by_adding(one) for one in draws]), abs=0.03)
    assert found.top_clone_share == pytest.approx(np.mean([max(one) / depth for one in draws]), abs=0.008)
    wanted = [1 - entropy(one) / log(len(one)) if len(one) > 1 else 1 for one in draws]
    assert found.clonality == pytest.approx(np.mean(wanted), abs=0.005)


def test_at_full_depth_nothing_changes():
    counts = np.random.default_rng(2).geometric(0.2, size=300)
    whole, drawn = stats.diversity(counts), stats.rarefied_diversity(counts, int(counts.sum()), seed=0, draws=2)
    for name in ("richness", "shannon", "clonality", "gini", "top_clone_share", "d50"):
        assert getattr(drawn, name) == pytest.approx(getattr(whole, name), rel=1e-9)


def test_depth_decides_richness_and_not_the_order_of_two_samples_of_one_pool():
    """The trap: the deeper sample looks richer though both come from the same cells."""
    pool = np.random.default_rng(3).pareto(1.2, size=5000) + 1
    rng = np.random.default_rng(4)
    shallow, deep = (rng.multinomial(n, pool / pool.sum()) for n in (2_000, 20_000))
    assert stats.diversity(deep).richness > 2 * stats.diversity(shallow).richness
    ratio = stats.rarefied_richness(deep, 1_000) / stats.rarefied_richness(shallow, 1_000)
    assert ratio == pytest.approx(1, abs=0.05)


def test_large_repertoires_keep_their_digits():
    """A million receptors of 1 each: every draw of d holds d clones and an entropy of ln d."""
    ones = np.ones(1_000_000, dtype=int)
    assert stats.rarefied_richness(ones, 50_000) == pytest.approx(50_000, rel=1e-8)
    assert stats.rarefied_shannon(ones, 50_000) == pytest.approx(log(50_000), rel=1e-8)


def test_draws_are_without_replacement_and_by_seed():
    counts = np.array([30, 20, 0, 1])
    drawn = [stats.subsample(counts, 25, seed=seed) for seed in range(2000)]
    assert all(one.sum() == 25 and (one <= counts).all() for one in drawn)
    assert np.mean(drawn, axis=0) == pytest.approx(25 * counts / counts.sum(), abs=0.15)
    assert stats.subsample(counts, 25, seed=3).tolist() == drawn[3].tolist()
    assert stats.subsample(counts, 51, seed=0).tolist() == counts.tolist()


def test_too_few_receptors_have_no_numbers():
    assert np.isnan(stats.rarefied_richness([3, 2], 6))
    assert np.isnan(stats.rarefied_shannon([3, 2], 6))
    assert np.isnan(stats.rarefied_diversity([3, 2], 6, seed=0).gini)
    assert np.isnan(stats.diversity([]).richness)
    with pytest.raises(ImmunosarcError, match="6 receptors wanted, the sample has 5"):
        stats.subsample([3, 2], 6, seed=0)


@pytest.mark.parametrize("counts", [[1.5, 2], [-1, 3], [np.nan, 1]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ImmunosarcError, match="counts: need whole numbers of at least 0, none missing"):
        stats.diversity(counts)
    with pytest.raises(ImmunosarcError, match="whole numbers"):
        stats.clone_shift(counts, [1, 1])


def test_a_depth_of_one_and_no_draws_are_refused_together():
    with pytest.raises(
        ImmunosarcError, match="depth: need at least 2, have 1\n  - draws: need at least 1, have 0"
    ):
        stats.rarefied_diversity([3, 2], 1, seed=0, draws=0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=12))
def test_shift_is_the_exact_test_of_each_clone_against_the_rest(pairs):
    x, y = np.array(pairs).T
    wanted = [
        reference.fisher_exact([[a, x.sum() - a], [b, y.sum() - b]]).pvalue if a + b else 1.0 for a, b in pairs
    ]
    np.testing.assert_allclose(stats.clone_shift(x, y), wanted, rtol=1e-6, atol=1e-12)
    some = stats.clone_shift(x[:1], y[:1], totals=(int(x.sum()), int(y.sum())))
    np.testing.assert_allclose(some, wanted[:1], rtol=1e-6, atol=1e-12)


def test_shift_of_two_draws_from_one_pool_is_rarely_called():
    rng = np.random.default_rng(8)
    share = rng.pareto(1.5, size=400) + 1
    x, y = (rng.multinomial(20_000, share / share.sum()) for _ in range(2))
    seen = x + y >= 5
    rate = np.mean(stats.clone_shift(x, y)[seen] < 0.05)
    assert rate < 0.05 + 2 * np.sqrt(0.05 * 0.95 / seen.sum())


def test_shift_needs_one_count_for_each():
    with pytest.raises(ImmunosarcError, match=r"have shapes \(2,\) and \(3,\)"):
        stats.clone_shift([1, 2], [1, 2, 3])
    with pytest.raises(ImmunosarcError, match=r"totals: \(3, 9\) are less than the counts, 4 and 2"):
        stats.clone_shift([3, 1], [1, 1], totals=(3, 9))


def morisita(x, y, *, horn):
    a, b = sum(x), sum(y)
    if horn:
        spread = sum(n * n for n in x) / a**2 + sum(n * n for n in y) / b**2
    else:
        spread = sum(n * (n - 1) for n in x) / (a * (a - 1)) + sum(n * (n - 1) for n in y) / (b * (b - 1))
    return 2 * sum(m * n for m, n in zip(x, y, strict=True)) / (spread * a * b)


def test_overlap_is_its_definition_for_every_pair():
    counts = np.random.default_rng(5).integers(0, 5, size=(5, 40))
    found = stats.clone_overlap(sparse.csr_matrix(counts))
    for i, x in enumerate(counts.tolist()):
        for j, y in enumerate(counts.tolist()):
            both = sum(a > 0 and b > 0 for a, b in zip(x, y, strict=True))
            assert found.shared[i, j] == both
            assert found.jaccard[i, j] == pytest.approx(
                both / sum(a > 0 or b > 0 for a, b in zip(x, y, strict=True))
            )
            assert found.morisita[i, j] == pytest.approx(morisita(x, y, horn=False))
            assert found.morisita_horn[i, j] == pytest.approx(morisita(x, y, horn=True))


def test_overlap_of_nothing_is_missing():
    found = stats.clone_overlap(sparse.csr_matrix([[0, 0], [1, 1]]))
    assert np.isnan(found.morisita_horn[0]).all()
    assert np.isnan(found.morisita[1, 1])  # no clone twice: sampling cannot be told from variety
    with pytest.raises(ImmunosarcError, match="counts: need numbers of at least 0"):
        stats.clone_overlap(sparse.csr_matrix([[-1.0, 2.0]]))
