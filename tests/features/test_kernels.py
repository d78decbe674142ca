"""Scoring kernels against their definitions, written without ranks or arrays."""

from __future__ import annotations

import csv
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from immunosarc.catalog import as_signatures, load_signatures
from immunosarc.errors import UnknownNameError
from immunosarc.features import SCORING
from immunosarc.features._scoring import register

KERNELS = [name for name in SCORING if name != "published"]
ROLES = {
    "down": lambda members, rng: ~members & (rng.random(members.shape) < 0.3),
    "housekeeping": lambda members, rng: ~members & (rng.random(members.shape) < 0.2),
    "weights": lambda members, rng: np.where(members, rng.uniform(0.5, 2.0, members.shape), 0.0),
    "pairs": lambda members, rng: [
        np.flatnonzero(inside)[: inside.sum() // 2 * 2].reshape(-1, 2) for inside in members.T
    ],
    "n_pairs": lambda members, rng: [inside.sum() // 2 for inside in members.T],
    "parts": lambda members, rng: [[("MHC", 1.0, np.flatnonzero(inside))] for inside in members.T],
    "sets": lambda members, rng: [[np.flatnonzero(inside)] for inside in members.T],
    "centroids": lambda members, rng: [
        (np.flatnonzero(inside), rng.normal(size=(inside.sum(), 2))) for inside in members.T
    ],
}


def moved_parts(parts, place):
    """Parts of a signature after the genes have gone to other places."""
    moved = {}
    if "pairs" in parts:
        moved |= {"pairs": [place[pairs] for pairs in parts["pairs"]], "n_pairs": parts["n_pairs"]}
    if "parts" in parts:
        moved["parts"] = [[(what, w, place[genes]) for what, w, genes in one] for one in parts["parts"]]
    if "sets" in parts:
        moved["sets"] = [[place[genes] for genes in one] for one in parts["sets"]]
    if "centroids" in parts:
        moved["centroids"] = [(place[genes], values) for genes, values in parts["centroids"]]
    return moved


def roles_of(name, members, seed=0):
    """What else a method reads, drawn beside the members."""
    return {role: ROLES[role](members, np.random.default_rng(seed)) for role in SCORING[name].roles}


def singscore_by_definition(values: list[float], genes: set[int]) -> Fraction:
    """Share of (inside, outside) gene pairs that the inside gene wins; no ranks involved."""
    outside = [v for i, v in enumerate(values) if i not in genes]
    won = sum(Fraction(values[g] > v) + Fraction(values[g] == v, 2) for g in genes for v in outside)
    return won / (len(genes) * len(outside))


def mean_z_by_definition(columns: list[list[float]], genes: set[int]) -> list[float]:
    """Python's own statistics, gene by gene."""
    z = []
    for gene in genes:
        mean, deviation = statistics.mean(columns[gene]), statistics.stdev(columns[gene])
        z.append([(value - mean) / deviation for value in columns[gene]])
    return [statistics.mean(sample) for sample in zip(*z, strict=True)]


def kernel(name):
    return SCORING[name].func


def draw(seed=0, *, n_samples=6, n_genes=40, n_signatures=3, ties=False):
    rng = np.random.default_rng(seed)
    expression = rng.normal(5, 2, size=(n_samples, n_genes))
    members = rng.random((n_genes, n_signatures)) < 0.3
    members[0] = True
    members[1] = False
    return (np.round(expression) if ties else expression), members


@pytest.mark.parametrize("ties", [False, True])
def test_singscore_is_the_share_of_pairs_won(ties):
    expression, members = draw(3, ties=ties)
    scores = kernel("singscore")(expression, members)
    for sample, values in enumerate(expression):
        for column in range(members.shape[1]):
            inside = set(np.flatnonzero(members[:, column]).tolist())
            expected = singscore_by_definition([Fraction(v) for v in values.tolist()], inside)
            assert scores[sample, column] == pytest.approx(float(expected), rel=1e-14)


def test_singscore_ends_and_ties():
    expression = np.array([[9.0, 8.0, 1.0, 2.0, 3.0], [1.0, 2.0, 9.0, 8.0, 7.0], [4.0] * 5])
    members = np.array([True, True, False, False, False])[:, None]
    assert kernel("singscore")(expression, members).ravel().tolist() == [1.0, 0.0, 0.5]


def test_singscore_leaves_missing_values_out_of_the_ranking():
    expression, members = draw(4)
    expression[2, 1] = np.nan
    scores = kernel("singscore")(expression, members)
    kept = np.arange(expression.shape[1]) != 1
    assert scores[2] == pytest.approx(kernel("singscore")(expression[2:3, kept], members[kept])[0], rel=1e-15)
    inside = np.flatnonzero(members[:, 0])[0]
    expression[3, inside] = np.nan
    assert np.isnan(kernel("singscore")(expression, members)[3, members[inside]]).all()


def test_singscore_without_genes_outside_or_inside_is_nan():
    scores = kernel("singscore")(np.array([[1.0, 2.0]]), np.array([[True, False], [True, False]]))
    assert np.isnan(scores).all()
    empty = kernel("singscore")(np.full((1, 2), np.nan), np.array([[True], [False]]))
    assert np.isnan(empty).all()


def test_mean_log2_by_definition():
    expression, members = draw(5)
    scores = kernel("mean_log2")(expression, members)
    for sample, values in enumerate(expression.tolist()):
        for column in range(members.shape[1]):
            inside = [v for v, member in zip(values, members[:, column], strict=True) if member]
            assert scores[sample, column] == pytest.approx(statistics.mean(inside), rel=1e-13)


def test_mean_z_by_definition():
    expression, members = draw(6, n_samples=7)
    scores = kernel("mean_z")(expression, members)
    columns = expression.T.tolist()
    for column in range(members.shape[1]):
        inside = set(np.flatnonzero(members[:, column]).tolist())
        assert scores[:, column] == pytest.approx(mean_z_by_definition(columns, inside), rel=1e-12, abs=1e-12)


def test_mean_z_takes_mean_and_sd_over_the_samples_that_have_a_value():
    column = [1.0, 2.0, 6.0]
    expression = np.array([[1.0], [np.nan], [2.0], [6.0]])
    scores = kernel("mean_z")(expression, np.array([[True]])).ravel()
    assert np.isnan(scores[1])
    assert scores[[0, 2, 3]] == pytest.approx(mean_z_by_definition([column], {0}), rel=1e-14)


def test_mean_z_has_no_value_for_a_constant_gene_or_one_sample():
    members = np.array([[True, False], [False, True]])
    scores = kernel("mean_z")(np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 4.0]]), members)
    assert np.isnan(scores[:, 0]).all()
    assert not np.isnan(scores[:, 1]).any()
    assert np.isnan(kernel("mean_z")(np.array([[1.0, 2.0]]), members)).all()


@pytest.mark.parametrize("name", KERNELS)
def test_missing_values_reach_their_signatures_only(name):
    expression, members = draw(7)
    expression = np.abs(expression)
    members[:, 0] = False
    members[[0, 2], 0] = True
    members[5, 0], members[5, 1:] = False, True
    kept = ("pairs", "n_pairs", "parts", "sets", "centroids")
    parts = {role: part for role, part in roles_of(name, members).items() if role in kept}
    if "pairs" in parts:
        parts["pairs"] = [np.array([[0, 2]]), *([np.array([[1, 5]])] * (members.shape[1] - 1))]
        parts["n_pairs"] = [1] * members.shape[1]
    if name == "ratio":
        parts["down"] = np.zeros_like(members)
        parts["down"][3] = True
    whole = kernel(name)(expression, members, **parts)
    assert not np.isnan(whole).any()
    holed = expression.copy()
    holed[1, 5] = np.nan
    scores = kernel(name)(holed, members, **parts)
    assert np.isnan(scores[1, 1:]).all()
    assert not np.isnan(scores[:, 0]).any()
    assert np.isnan(scores).sum() == members.shape[1] - 1


@pytest.mark.parametrize("name", KERNELS)
def test_registered_promises_hold(name):
    spec, rng = SCORING[name], np.random.default_rng(0)
    expression, members = rng.uniform(0.1, 6, size=(6, 400)), rng.random((400, 3)) < 0.1
    parts = roles_of(name, members)
    scores = spec.func(expression, members, **parts)
    assert scores.shape == (6, 3)
    assert np.all((spec.bounds[0] <= scores) & (scores <= spec.bounds[1]))
    alone = np.vstack([spec.func(row[None, :], members, **parts) for row in expression])
    assert np.allclose(scores, alone) == spec.single_sample
    used = members.any(axis=1)
    for role in ("down", "housekeeping"):
        used |= parts[role].any(axis=1) if role in parts else False
    place = np.cumsum(used) - 1
    fewer = {role: part[used] for role, part in parts.items() if isinstance(part, np.ndarray)}
    fewer |= moved_parts(parts, place)
    assert np.allclose(scores, spec.func(expression[:, used], members[used], **fewer)) == (not spec.all_genes)
    constant = expression.copy()
    constant[:, np.flatnonzero(members[:, 0])[0]] = 1.0
    assert np.isnan(spec.func(constant, members, **parts)[:, 0]).all() == spec.needs_variation


@pytest.mark.parametrize("name", [name for name in KERNELS if name != "pc1"])
@given(
    expression=hnp.arrays(float, (5, 12), elements=st.integers(0, 50).map(lambda v: v / 4)),
    genes=st.permutations(range(12)),
    samples=st.permutations(range(5)),
)
@settings(max_examples=30, deadline=None)
def test_order_of_genes_and_samples_does_not_matter(name, expression, genes, samples):
    members = np.zeros((12, 2), dtype=bool)
    members[:5, 0], members[3:10, 1] = True, True
    parts = roles_of(name, members)
    place = np.argsort(genes)  # where a gene went
    moved = {role: part[genes] for role, part in parts.items() if isinstance(part, np.ndarray)}
    moved |= moved_parts(parts, place)
    scores = kernel(name)(expression, members, **parts)
    shuffled = kernel(name)(expression[np.ix_(samples, genes)], members[genes], **moved)
    np.testing.assert_allclose(shuffled, scores[samples], rtol=1e-9, atol=1e-9, equal_nan=True)


@given(expression=hnp.arrays(float, (4, 10), elements=st.integers(0, 30).map(float)))
@settings(max_examples=60, deadline=None)
def test_singscore_keeps_under_any_monotone_scale_of_each_sample(expression):
    members = np.zeros((10, 2), dtype=bool)
    members[:4, 0], members[2:9, 1] = True, True
    scores = kernel("singscore")(expression, members)
    bent = np.log2(expression + 1) * np.array([[1.0], [2.0], [0.5], [3.0]]) + np.array(
        [[0.0], [9.0], [-3.0], [1.0]]
    )
    assert np.array_equal(kernel("singscore")(bent, members), scores)
    complement = kernel("singscore")(expression, ~members)
    np.testing.assert_allclose(complement, 1 - scores, atol=1e-14)


def test_mean_z_keeps_under_unit_and_shift_of_each_gene():
    expression, members = draw(8)
    rng = np.random.default_rng(1)
    moved = expression * rng.uniform(0.5, 4, 40) + rng.normal(size=40)
    np.testing.assert_allclose(kernel("mean_z")(moved, members), kernel("mean_z")(expression, members), atol=1e-12)


def test_mcp_counter_reference_numbers(oracles):
    with (oracles / "mcp_expr.csv").open(encoding="utf-8") as lines:
        expression_rows = list(csv.reader(lines))
    with (oracles / "mcp_scores.csv").open(encoding="utf-8") as lines:
        score_rows = list(csv.reader(lines))
    genes = [row[0] for row in expression_rows[1:]]
    expression = np.array([[float(v) for v in row[1:]] for row in expression_rows[1:]]).T
    found = {one.label.lower(): one for name, one in load_signatures().items() if name.startswith("mcp_")}
    assert len(score_rows) == 11
    for population, *expected in score_rows[1:]:
        signature = found[f"mcp-counter {population.lower()}"]
        # The reference reads VNN3 for VNN3P, and the corrupt symbol "C" where the gene is CAVIN2.
        older = {"VNN3P": "VNN3", "CAVIN2": "C"}
        names = {older.get(gene, gene) for gene in signature.genes}
        assert names <= set(genes)
        members = np.array([gene in names for gene in genes])[:, None]
        scores = kernel("mean_log2")(expression, members).ravel()
        np.testing.assert_allclose(scores, [float(value) for value in expected], rtol=1e-14)


def test_mean_z_is_the_combined_z_score_of_gsva_over_the_root_of_k(oracles):
    with (oracles / "gsva_expr.csv").open(encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    genes = [row[0] for row in rows[1:]]
    expression = np.array([[float(v) for v in row[1:]] for row in rows[1:]]).T
    sets = as_signatures(oracles / "gsva_sets.gmt")
    with (oracles / "gsva146_zscore.csv").open(encoding="utf-8") as lines:
        expected = {row[0]: [float(v) for v in row[1:]] for row in list(csv.reader(lines))[1:]}
    assert set(expected) <= set(sets)
    for name, combined in expected.items():
        members = np.isin(genes, sets[name].genes)[:, None]
        scores = kernel("mean_z")(expression, members).ravel() * np.sqrt(members.sum())
        np.testing.assert_allclose(scores, combined, rtol=1e-10, atol=1e-12)


def test_every_method_of_the_catalog_is_there_and_a_misspelt_one_is_named():
    assert SCORING.table()["status"].eq("available").all()
    assert {one.method for one in load_signatures().values()} - {"nearest_centroid", "per_gene_call"} <= set(
        SCORING
    )
    with pytest.raises(UnknownNameError, match="Did you mean 'singscore'"):
        SCORING["singscor"]


def test_every_record_says_what_it_depends_on():
    facts = ["bounds", "single_sample", "all_genes", "needs_variation", "per_cell", "needs", "scale", "roles", "requires",
             "options", "coverage_rule", "reference", "oracle"]  # fmt: skip
    table = SCORING.table().loc[list(SCORING)]
    assert table[facts].notna().all(axis=None)
    assert set(table.index[~table["single_sample"].astype(bool)]) == {
        "mean_z", "zscore", "signed_mean", "mean_rank", "pc1", "gsva", "gsva_signed", "ssgsea_normalized", "published",
        "ipres_count", "nearest_centroid_spearman", "scanpy_score_genes",
    }  # fmt: skip
    with pytest.raises(KeyError, match="unknown facts of 'x': colour"):
        register("x", label="X", colour="red")


def test_references_agree_with_the_catalog():
    table, found = SCORING.table(), load_signatures()
    for method, name in {"geometric_mean": "cyt", "weighted_sum": "gep18_tcell_inflamed", "pair_count": "impres15",
                         "immunophenoscore": "immunophenoscore", "estimate": "estimate_immune",
                         "mean_log2": "mcp_t_cells", "mean_rank": "davoli7", "median_log2": "hypoxia_buffa51",
                         "mean_log10": "ifng6",
                         "ipres_count": "ipres26", "nearest_centroid_spearman": "cinsarc67"}.items():  # fmt: skip
        assert table.loc[method, "reference"] == found[name].doi
        assert found[name].method == method
