"""The compiled paths of large matrices: the same numbers as numpy's, and as the definitions."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from immunosarc.features import SCORING
from immunosarc.features import _gsva as gsva_module
from immunosarc.features import _ranking as ranking_module
from immunosarc.features._densities import DENSITIES
from immunosarc.features._gauss_transform import smoothed
from immunosarc.features._radix import rank_rows, walk_rows
from immunosarc.features._radix import top_rank_sums as compiled_top_rank_sums
from immunosarc.features._ranking import tied_ranks, top_rank_sums
from immunosarc.features._scoring import sets_of_genes

AWKWARD = st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-15, np.nan, 5e-324])


def kernel(name):
    return SCORING[name].func


def all_columns(block):
    return np.arange(block.shape[1], dtype=np.uint32)


def place_by_row(values, i):
    """How many values are lower, or equal and further down, counting this one."""
    return sum(v < values[i] or (v == values[i] and j >= i) for j, v in enumerate(values))


@given(hnp.arrays(float, (3, 30), elements=st.one_of(st.floats(-1e6, 1e6), AWKWARD)))
@settings(max_examples=100, deadline=None)
def test_the_compiled_sort_ranks_like_numpy(block):
    used = np.arange(0, 30, 2)
    for by_row in (False, True):
        low, high, place, n = rank_rows(block, used.astype(np.uint32), by_row)
        for row, found in enumerate(tied_ranks(block, used, by_row=by_row)):
            np.testing.assert_array_equal(low[row], found.low)
            np.testing.assert_array_equal(high[row], found.high)
            np.testing.assert_array_equal(place[row], found.place)
            values = block[row].tolist()
            known = block[row][~np.isnan(block[row])]
            assert n[row] == found.n == len(known)
            expected = [np.sum(known < values[i]) + 1 if values[i] == values[i] else np.nan for i in used]
            np.testing.assert_array_equal(found.low, expected)
            if by_row:
                expected = [place_by_row(values, i) if values[i] == values[i] else np.nan for i in used]
                np.testing.assert_array_equal(found.place, expected)


def test_the_compiled_sort_gives_up_on_values_that_differ_in_the_last_bits():
    values = 1.0 + np.random.default_rng(0).permutation(5000) * 2.0**-50
    values[7], values[4900] = values[11], values[11]
    block = values[None, :].copy()
    low, high, place, _ = rank_rows(block, all_columns(block), True)
    np.testing.assert_array_equal(low[0], np.searchsorted(np.sort(values), values) + 1.0)
    assert (high - low).sum() == 6
    assert place[0, [7, 11, 4900]].tolist() == [low[0, 7] + 2, low[0, 7] + 1, low[0, 7]]


def test_a_large_matrix_is_scored_like_a_small_one():
    rng = np.random.default_rng(14)
    expression = np.round(rng.gamma(0.6, 4.0, (410, 10_000)), 2)
    members = rng.random((10_000, 5)) < 0.005
    for name, options in (
        ("ssgsea", {}), ("ssgsea", {"ties": "row_order"}), ("singscore", {}), ("ucell", {}), ("aucell", {}),
    ):  # fmt: skip
        whole = kernel(name)(expression, members, **options)
        np.testing.assert_array_equal(kernel(name)(expression[:30], members, **options), whole[:30])


def rank_sums_by_counting(values, members, limit):
    """Ranks from the highest by counting pairs, those beyond the limit one more, summed exactly."""
    known = values[~np.isnan(values)]
    most = min(limit, len(known))
    places = [np.sum(known > v) + (np.sum(known == v) + 1) / 2 if v == v else math.nan for v in values]
    capped = np.array([most + 1 if place > most else place for place in places])
    return [capped[inside].sum() for inside in members.T], len(known)


def rank_sums(block, members, limit):
    starts, sets = sets_of_genes(members)
    return compiled_top_rank_sums(block, starts, sets, members.sum(axis=0), limit)


@given(hnp.arrays(float, (2, 25), elements=st.one_of(st.integers(-2, 4).map(float), AWKWARD)), st.integers(1, 30))
@settings(max_examples=150, deadline=None)
def test_sums_of_the_top_ranks_are_those_of_all_ranks_capped(block, limit):
    members = np.random.default_rng(3).random((25, 6)) < [0.1, 0.3, 0.5, 0.9, 0.0, 1.0]
    expected = [rank_sums_by_counting(values, members, limit) for values in block]
    for sums, measured in (rank_sums(block, members, limit), top_rank_sums(block, members, limit)):
        np.testing.assert_array_equal(sums, [row for row, _ in expected])
        assert measured.tolist() == [n for _, n in expected]


def ramp(kind):
    """Rows whose threshold is guessed well, far too high, or in the middle of a great tie."""
    rng = np.random.default_rng(5)
    values = rng.gamma(0.6, 4.0, 4000)
    if kind == "sampled_are_high":
        values[:: 4000 // 512] += 100.0
    if kind == "sampled_are_low":
        values[:: 4000 // 512] = 0.0
    if kind == "great_tie":
        values = np.where(values > 4.0, values, 1.0)
    if kind == "gaps":
        values[rng.random(4000) < 0.5] = np.nan
    if kind == "last_bits":
        values = 1.0 + rng.permutation(4000) * 2.0**-52
    return values[None, :]


@pytest.mark.parametrize(
    "kind", ["drawn", "sampled_are_high", "sampled_are_low", "great_tie", "gaps", "last_bits"]
)
@pytest.mark.parametrize("limit", [1, 40, 1500])
def test_the_guess_of_a_threshold_never_shows(kind, limit):
    block = ramp(kind)
    members = np.random.default_rng(6).random((4000, 5)) < 0.01
    members[np.isnan(block[0]), :4] = False
    expected, n = rank_sums_by_counting(block[0], members, limit)
    sums, measured = rank_sums(block, members, limit)
    np.testing.assert_array_equal(sums[0], expected)
    assert measured.tolist() == [n]


def test_ucell_of_a_large_matrix_with_gaps_is_that_of_a_small_one(monkeypatch):
    rng = np.random.default_rng(18)
    expression = np.round(rng.gamma(0.6, 4.0, (20, 3000)), 1)
    expression[rng.random(expression.shape) < 0.02] = np.nan
    expression[3] = np.nan
    members = rng.random((3000, 40)) < 0.01
    plain = kernel("ucell")(expression, members)
    monkeypatch.setattr(ranking_module, "LARGE", 1)
    np.testing.assert_array_equal(kernel("ucell")(expression, members), plain)
    assert 0 < np.isnan(plain).sum() < plain.size


@given(
    hnp.arrays(float, (2, 25), elements=st.one_of(st.integers(0, 6).map(float), st.just(np.nan))),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_the_compiled_walk_is_the_walk_along_members(block, by_row):
    members = np.random.default_rng(3).random((25, 6)) < [0.1, 0.3, 0.5, 0.9, 0.0, 1.0]
    members[:, 4] = False
    members[[2, 9], 4] = True
    genes, sets = np.nonzero(members)
    starts = np.searchsorted(genes, np.arange(26))
    walked = walk_rows(block, starts, sets, members.sum(axis=0), by_row)
    expected = gsva_module._walk_along_members(block / 10.0**gsva_module._DIGITS, members, by_row=by_row)
    np.testing.assert_array_equal(walked, expected)


def test_gsva_of_a_large_matrix_is_that_of_the_plain_walk(monkeypatch):
    rng = np.random.default_rng(17)
    expression = np.round(rng.gamma(0.6, 4.0, (42, 3000)), 1)
    members = rng.random((3000, 4)) < 0.01
    monkeypatch.setattr(gsva_module, "LARGE", 1)
    for ties in ("average", "row_order"):
        fast = kernel("gsva")(expression, members, ties=ties, kcdf="ecdf")
        with monkeypatch.context() as patch:
            patch.setattr(gsva_module, "LARGE", 10**12)
            plain = kernel("gsva")(expression, members, ties=ties, kcdf="ecdf")
        np.testing.assert_array_equal(fast, plain)


@pytest.mark.parametrize("n", [2, 3, 40, 300])
def test_the_fast_gauss_transform_is_the_sum(n):
    rng = np.random.default_rng(15)
    columns = [rng.normal(size=n), rng.gamma(0.3, 5, n), rng.standard_t(1.2, n), 1e9 + np.arange(n) % 3]
    expression = np.column_stack(columns)
    if n > 3:
        expression[rng.random(expression.shape) < 0.1] = np.nan
    result = smoothed(expression)
    for gene, column in enumerate(expression.T):
        known = column[~np.isnan(column)]
        for sample in range(0, n, max(1, n // 40)):
            if np.isnan(column[sample]):
                assert np.isnan(result[sample, gene])
                continue
            width = statistics.stdev(known.tolist()) / 4
            expected = math.fsum(special.ndtr((column[sample] - known) / width)) / len(known)
            assert result[sample, gene] == pytest.approx(expected, abs=3e-15)
    np.testing.assert_allclose(DENSITIES["gaussian"](expression), result, atol=5e-15)
