"""Scores against R's numbers and against their definitions written as walks, sorts and fractions."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from immunosarc.catalog import Signature, as_signatures, load_signatures
from immunosarc.cohort import make_assay
from immunosarc.errors import CoverageError, ImmunosarcError, UnitError
from immunosarc.features import SCORING, coverage, score


def kernel(name):
    return SCORING[name].func


@pytest.fixture(scope="module")
def workload(oracles):
    """500 genes x 40 samples with ties, and 12 sets, that R scored too."""
    table = pd.read_csv(oracles / "gsva_expr.csv", index_col=0)
    sets = as_signatures(oracles / "gsva_sets.gmt")
    members = np.column_stack([np.isin(table.index, one.genes) for one in sets.values()])
    return np.ascontiguousarray(table.T.to_numpy()), members, list(sets)


@pytest.fixture
def by_r(oracles, workload):
    def read(version, name):
        return pd.read_csv(oracles / f"gsva{version}_{name}.csv", index_col=0).loc[workload[2]].T.to_numpy()

    return read


@pytest.mark.parametrize("version", [146, 153])
@pytest.mark.parametrize(
    ("method", "options", "name"),
    [
        ("ssgsea", {"ties": "row_order"}, "ssgsea_raw"),
        ("ssgsea_normalized", {"ties": "row_order"}, "ssgsea_norm"),
        ("zscore", {}, "zscore"),
        ("gsva", {"ties": "row_order", "kcdf": "ecdf"}, "gsva_ecdf"),
        ("gsva", {"ties": "row_order", "kcdf": "gaussian_table"}, "gsva_gaussian"),
        ("gsva", {"kcdf": "gaussian_table", "max_diff": False}, "gsva_gaussian_mxdiffF"),
        ("gsva", {"kcdf": "gaussian_table", "abs_ranking": True}, "gsva_gaussian_absrank"),
    ],
)
def test_r_agrees(workload, by_r, version, method, options, name):
    expression, members, _ = workload
    expected = by_r(version, name)
    np.testing.assert_allclose(
        kernel(method)(expression, members, **options), expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max()
    )


def test_r_agrees_on_counts(workload, by_r):
    expression, members, _ = workload
    scores = kernel("gsva")(np.round(2**expression), members, kcdf="poisson", ties="row_order")
    np.testing.assert_allclose(scores, by_r(153, "gsva_poisson_round2pow"), atol=1e-12)


def test_the_exact_normal_distribution_differs_from_r_by_its_table_only(workload, by_r):
    expression, members, _ = workload
    gap = np.abs(kernel("gsva")(expression, members) - by_r(153, "gsva_gaussian"))
    assert 1e-4 < gap.max() < 6e-3
    assert gap.mean() < 1e-4


def test_first_component_is_plage_with_its_sign_fixed(workload, by_r):
    expression, members, _ = workload
    scores, expected = kernel("pc1")(expression, members), by_r(153, "plage")
    for ours, theirs, inside in zip(scores.T, expected.T, members.T, strict=True):
        sign = np.sign(ours @ theirs)
        np.testing.assert_allclose(ours, sign * theirs, atol=1e-12)
        values = expression[:, inside]
        assert (((values - values.mean(0)) / values.std(0)).T @ ours).sum() > 0


def test_first_component_leaves_incomplete_samples_out():
    expression = np.random.default_rng(0).normal(size=(8, 3))
    expression[2, 1] = np.nan
    inside = np.ones((3, 1), dtype=bool)
    scores = kernel("pc1")(expression, inside)
    kept = np.arange(8) != 2
    np.testing.assert_allclose(scores[kept], kernel("pc1")(expression[kept], inside))
    assert np.isnan(scores[2, 0])


def walk(values, inside, weight):
    """Sum the running difference gene by gene from the highest; no ties."""
    order = sorted(range(len(values)), key=lambda gene: -values[gene])
    whole = sum(weight(values, gene) for gene in inside)
    running, total = 0.0, 0.0
    for gene in order:
        running += weight(values, gene) / whole if gene in inside else -1 / (len(values) - len(inside))
        total += running
    return total


def rank(values, gene):
    """Mean rank from the lowest, by counting."""
    below = sum(v < values[gene] for v in values)
    return below + (sum(v == values[gene] for v in values) + 1) / 2


@pytest.mark.parametrize("method", ["ssgsea", "estimate"])
def test_the_closed_form_is_the_walk(method):
    expression = np.random.default_rng(3).permutation(60.0 * np.arange(1, 121)).reshape(3, 40)
    members = np.random.default_rng(4).random((40, 4)) < 0.25
    scores = kernel(method)(expression, members)
    for sample, values in enumerate(expression.tolist()):
        for column in range(4):
            inside = set(np.flatnonzero(members[:, column]).tolist())
            expected = walk(values, inside, lambda v, g: rank(v, g) ** 0.25)
            assert scores[sample, column] == pytest.approx(expected, rel=1e-11)


def test_shared_positions_are_the_mean_over_the_orders_of_a_tie():
    """One gene of a tie of three is inside: the mean over where it may stand, with its tied weight."""
    values, inside = np.array([[5.0, 2.0, 2.0, 2.0, 1.0]]), np.array([[False], [True], [False], [False], [False]])
    scores = [
        kernel("ssgsea")(values[:, order], inside[order], ties="row_order").item()
        for order in ([0, 1, 2, 3, 4], [0, 2, 1, 3, 4], [0, 2, 3, 1, 4])
    ]
    assert scores[0] > scores[1] > scores[2]
    assert kernel("ssgsea")(values, inside).item() == pytest.approx(statistics.mean(scores), rel=1e-12)


def test_estimate_and_ssgsea_differ_where_ties_give_half_ranks():
    values = np.array([[3.0, 3.0, 2.0, 1.0, 0.0]])
    inside = np.array([[True], [False], [True], [False], [False]])
    weights = {"ssgsea": (4.0, 3.0), "estimate": (4.5, 3.0)}
    for method, (first, second) in weights.items():
        a, b = first**0.25, second**0.25
        expected = (a * 4.5 + b * 3) / (a + b) - (15 - 7.5) / 3
        assert kernel(method)(values, inside).item() == pytest.approx(expected, rel=1e-14)


def test_ssgsea_subtracts_the_down_genes():
    rng = np.random.default_rng(1)
    values, up, down = rng.random((3, 30)), rng.random((30, 2)) < 0.2, rng.random((30, 2)) < 0.2
    down[:, 1] = False
    alone, against = kernel("ssgsea")(values, up), kernel("ssgsea")(values, down)
    both = kernel("ssgsea")(values, up, down=down)
    np.testing.assert_allclose(both[:, 0], alone[:, 0] - against[:, 0])
    np.testing.assert_array_equal(both[:, 1], alone[:, 1])


def test_signed_singscore_is_the_centered_sum_with_reversed_down_ranks():
    rng = np.random.default_rng(2)
    values, up, down = rng.random((4, 30)), np.arange(30)[:, None] < 6, np.arange(30)[:, None] >= 22
    expected = kernel("singscore")(values, up) - 0.5 + kernel("singscore")(-values, down) - 0.5
    np.testing.assert_allclose(kernel("singscore_signed")(values, up, down=down), expected, rtol=1e-13)


def test_ucell_by_its_definition():
    rng = np.random.default_rng(5)
    expression = np.floor(rng.gamma(1.0, 30.0, (3, 2000)))
    members = rng.random((2000, 2)) < 0.01
    scores = kernel("ucell")(expression, members)
    for sample, values in enumerate(expression.tolist()):
        for column in range(2):
            inside = np.flatnonzero(members[:, column]).tolist()
            ranks = [min(2001 - Fraction(rank(values, gene)), 1501) for gene in inside]
            ranks = [r if r <= 1500 else 1501 for r in ranks]
            k = len(inside)
            expected = 1 - (sum(ranks) - Fraction(k * (k + 1), 2)) / (k * 1500)
            assert scores[sample, column] == pytest.approx(float(expected), rel=1e-13)


def test_aucell_is_the_mean_area_over_random_orders_of_ties():
    values = np.array([[4.0, 3.0, 3.0, 3.0, *[1.0] * 76]])  # T = 4
    inside = np.zeros((80, 1), dtype=bool)
    inside[[1, 40]] = True
    # the tied gene stands 2nd, 3rd or 4th: 4 - r = 2, 1 or 0; the largest area of two genes is 3 + 2
    assert kernel("aucell")(values, inside).item() == pytest.approx((2 + 1 + 0) / 3 / 5, rel=1e-14)
    inside[0] = True  # three genes: 3 + 2 + 1
    assert kernel("aucell")(values, inside).item() == pytest.approx((3 + 1) / 6, rel=1e-14)


def test_aucell_of_a_sample_does_not_depend_on_the_others():
    expression = np.random.default_rng(6).poisson(0.3, (50, 300)).astype(float)
    members = np.random.default_rng(7).random((300, 3)) < 0.1
    whole = kernel("aucell")(expression, members)
    np.testing.assert_array_equal(kernel("aucell")(expression[7:9], members), whole[7:9])


def test_geometric_mean_and_its_offset():
    tpm = np.array([[0.0, 99.99], [4.0, 9.0]])
    both = np.ones((2, 1), dtype=bool)
    expected = [math.sqrt(0.01 * 100.0), math.sqrt(4.01 * 9.01)]
    assert kernel("geometric_mean")(np.log2(tpm + 1), both).ravel() == pytest.approx(expected, rel=1e-12)
    assert np.isnan(kernel("geometric_mean")(np.array([[-3.0, 1.0]]), both)).all()


def test_weighted_sum_in_plain_python():
    gep = load_signatures()["gep18_tcell_inflamed"]
    genes = [*gep.genes, *gep.housekeeping, "OTHER"]
    values = np.random.default_rng(8).uniform(0, 12, (3, len(genes)))
    frame = pd.DataFrame(values, columns=genes, index=["S1", "S2", "S3"])
    table = score(make_assay(frame, unit="log2_tpm"), load_signatures().subset(gep.name), method="weighted_sum")
    for sample, row in frame.iterrows():
        level = statistics.mean(row[gene] for gene in gep.housekeeping)
        expected = math.fsum(weight * (row[gene] - level) for gene, weight in gep.weights.items())
        assert table.loc[sample, gep.name] == pytest.approx(expected, rel=1e-12)
    higher = frame.assign(CD276=frame["CD276"] + 1)
    moved = score(make_assay(higher, unit="log2_tpm"), load_signatures().subset(gep.name), method="weighted_sum")
    assert (moved - table)[gep.name].to_numpy() == pytest.approx(-0.0239, rel=1e-9)


def test_ratio_holds_one_signature_against_another():
    found = load_signatures()
    pair, ims = found["cxcl9_spp1_polarity"], found["ims18"]
    assert ims.denominator == "ifng6"
    genes = sorted({*pair.genes, *pair.genes_down, *ims.genes, *found["ifng6"].genes})
    frame = pd.DataFrame(
        np.random.default_rng(9).uniform(0, 9, (2, len(genes))), columns=genes, index=["S1", "S2"]
    )
    table = score(make_assay(frame, unit="log2_tpm"), found.subset(pair.name, ims.name), method="ratio")
    np.testing.assert_allclose(table[pair.name], frame["CXCL9"] - frame["SPP1"])
    expected = frame[list(ims.genes)].mean(axis=1) - frame[list(found["ifng6"].genes)].mean(axis=1)
    np.testing.assert_allclose(table[ims.name], expected)


def test_pairs_are_counted_and_scaled_to_fifteen():
    pairwise = load_signatures()["impres15"]
    genes = sorted(set(pairwise.genes))
    values = np.random.default_rng(10).integers(0, 4, (6, len(genes))).astype(float)
    frame = pd.DataFrame(values, columns=genes, index=[f"S{i}" for i in range(6)])
    one = load_signatures().subset("impres15")
    counted = score(make_assay(frame, unit="log2_tpm"), one, method="pair_count")["impres15"]
    expected = [sum(row[a] > row[b] for a, b in pairwise.pairs) for _, row in frame.iterrows()]
    assert counted.tolist() == expected
    fewer = frame.drop(columns=["TNFSF9", "CD200"])  # one pair each
    scaled = score(make_assay(fewer, unit="log2_tpm"), one, method="pair_count")["impres15"]
    kept = [pair for pair in pairwise.pairs if not {"TNFSF9", "CD200"} & set(pair)]
    assert len(kept) == 13
    expected = [sum(row[a] > row[b] for a, b in kept) * 15 / 13 for _, row in frame.iterrows()]
    assert scaled.to_numpy() == pytest.approx(expected)
    few = make_assay(frame.drop(columns=["CD86"]), unit="log2_tpm")  # a gene of six pairs
    with pytest.raises(CoverageError, match="none of 1 signatures"):
        score(few, one, method="pair_count", min_coverage=0.8)
    status = coverage(few, one, method="pair_count").loc[0, "status"]
    pairs = sum("CD86" not in pair for pair in pairwise.pairs)
    assert status == f"covers {pairs} of 15 pairs ({100 * pairs // 15}%), needs 80%"


def phenoscore_by_hand(row, classes):
    """The published steps for one sample, with sums and a dictionary."""
    mean = math.fsum(row.values()) / len(row)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in row.values()) / (len(row) - 1))
    total = 0.0
    for elements in classes.values():
        means = [
            element["weight"] * statistics.mean((row[gene] - mean) / deviation for gene in element["genes"])
            for element in elements.values()
        ]
        total += sum(means) / len(means)
    return 0 if total <= 0 else 10 if total >= 3 else round(total * 10 / 3)


def test_immunophenoscore_by_membership_and_capped():
    ips = load_signatures()["immunophenoscore"]
    genes = [*ips.genes, *(f"G{i}" for i in range(300))]
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(rng.gamma(2, 2, (12, len(genes))), columns=genes, index=[f"S{i}" for i in range(12)])
    mhc = [gene for element in ips.classes["MHC"].values() for gene in element["genes"]]
    frame.loc["S0":"S5", mhc] += 8.0 * rng.random((6, 1))
    frame.loc["S6", mhc] += 60.0
    one = load_signatures().subset("immunophenoscore")
    scores = score(make_assay(frame, unit="log2_fpkm"), one, method="immunophenoscore")["immunophenoscore"]
    expected = [phenoscore_by_hand(row, ips.classes) for row in frame.to_dict("records")]
    assert scores.tolist() == expected
    assert scores["S6"] == 10
    assert len(set(expected)) > 3
    shuffled = frame[list(rng.permutation(genes))]
    again = score(make_assay(shuffled, unit="log2_fpkm"), one, method="immunophenoscore")["immunophenoscore"]
    pd.testing.assert_series_equal(again, scores)


def test_mean_rank_by_counting():
    expression = np.random.default_rng(12).integers(0, 5, (7, 3)).astype(float)
    scores = kernel("mean_rank")(expression, np.ones((3, 1), dtype=bool)).ravel()
    columns = expression.T.tolist()
    expected = [statistics.mean((rank(c, i) - 1) / 6 for c in columns) for i in range(7)]
    assert scores == pytest.approx(expected, rel=1e-13)


def test_signed_mean_median_and_log10():
    rng = np.random.default_rng(13)
    expression, up, down = rng.random((6, 8)), np.arange(8)[:, None] < 3, np.arange(8)[:, None] > 4
    up_z, down_z = kernel("mean_z")(expression, up), kernel("mean_z")(expression, down)
    np.testing.assert_allclose(kernel("signed_mean")(expression, up, down=down), up_z - down_z, rtol=1e-12)
    assert kernel("median_log2")(expression, up).ravel() == pytest.approx(
        [statistics.median(row[:3]) for row in expression.tolist()]
    )
    tenfold = kernel("mean_log10")(np.log2(expression + 1), up).ravel()
    assert tenfold == pytest.approx([statistics.mean(map(math.log10, 1 + row[:3])) for row in expression])


def test_gsva_drops_constant_genes_and_stays_for_any_number_of_samples():
    rng = np.random.default_rng(16)
    expression, members = rng.normal(size=(9, 60)), rng.random((60, 2)) < 0.2
    members[:10] = False
    flat = expression.copy()
    flat[:, :10] = 3.0
    np.testing.assert_allclose(kernel("gsva")(flat, members), kernel("gsva")(expression[:, 10:], members[10:]))


def test_options_are_checked_and_named():
    frame = pd.DataFrame(np.random.default_rng(0).poisson(20, (5, 40)), index=[f"S{i}" for i in range(5)])
    frame.columns = [f"G{i}" for i in range(40)]
    counts, sets = make_assay(frame, unit="counts"), {"s": [f"G{i}" for i in range(6)]}
    table = score(counts, sets, method="gsva", options={"kcdf": "poisson"})
    assert table.attrs["scoring"] == {"s": "gsva[kcdf=poisson](counts)"}
    members = np.array([[i < 6] for i in range(40)])
    np.testing.assert_allclose(table, kernel("gsva")(frame.to_numpy(float), members, kcdf="poisson"))
    with pytest.raises(UnitError, match="kcdf='poisson' needs counts, the assay has tpm"):
        score(make_assay(frame, unit="tpm"), sets, method="gsva", options={"kcdf": "poisson"})
    with pytest.raises(ImmunosarcError, match=r"gsva has no option 'kdcf'\. Did you mean 'kcdf'"):
        score(counts, sets, method="gsva", options={"kdcf": "ecdf"})
    with pytest.raises(ImmunosarcError, match="ssgsea: ties is one of 'average', 'row_order'; found 'random'"):
        score(counts, sets, method="ssgsea", options={"ties": "random"})
    with pytest.raises(ImmunosarcError, match="'published' takes no options"):
        score(counts, method="published", options={"ties": "average"})
    with pytest.raises(ImmunosarcError, match="unknown kcdf 'gauss'"):
        kernel("gsva")(frame.to_numpy(float), members, kcdf="gauss")
    with pytest.raises(ImmunosarcError, match="ties is 'average' or 'row_order'"):
        kernel("ssgsea")(frame.to_numpy(float), members, ties="no")


def test_a_method_says_what_a_signature_lacks():
    frame = pd.DataFrame({"A": [1.0, 2.0], "B": [2.0, 1.0]}, index=["S1", "S2"])
    given_assay = make_assay(frame, unit="log2_tpm")
    table = coverage(given_assay, {"plain": ["A"]}, method="pair_count")
    assert table.loc[0, "status"] == "pair_count needs pairs, the signature has none"
    both = {"x": Signature("x", ("A",), genes_down=("Z",))}
    table = coverage(given_assay, both, method="ratio")
    assert table.loc[0, "status"] == "covers 0 of 1 down genes (0%), needs 80%"
    assert table.loc[0, ["n_genes", "n_found", "missing"]].tolist() == [2, 1, "Z"]
