"""Scoring an assay: alignment, coverage and its reasons, facts on real patients."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from immunosarc import schema
from immunosarc.catalog import load_signatures
from immunosarc.cohort import make_assay
from immunosarc.errors import CoverageError, ImmunosarcError, UnitError, UnknownNameError
from immunosarc.features import SCORING, convert, coverage, score, signatures

SETS = {"hot": ["A", "B", "C"], "half": ["D", "X"], "gone": ["Y", "Z"], "most": ["A", "B", "D", "E", "X"]}


PLAIN = [name for name in SCORING if name != "published" and not SCORING[name].requires]
"""Methods that score a bare list of genes."""


def reasons(*args, **kwargs):
    """The coverage table by signature; the schema keeps empty text as missing."""
    table = coverage(*args, **kwargs).set_index("signature")
    return table.fillna({"missing": "", "note": ""})


@pytest.fixture
def assay():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.uniform(0, 50, (5, 8)), index=[f"S{i}" for i in range(5)], columns=[*"ABCDEFGH"])
    return make_assay(frame, unit="tpm")


@pytest.mark.parametrize("method", PLAIN)
def test_uncovered_signatures_are_missing_and_say_why(assay, method):
    table = score(assay, SETS, method=method)
    why = reasons(assay, SETS, method=method)
    assert list(table.columns) == list(why.index) == list(SETS)
    assert list(table.index) == list(assay.obs_names)
    assert table.index.name == "sample_id"
    assert table[["half", "gone"]].isna().all(axis=None)
    assert table[["hot", "most"]].notna().all(axis=None)
    assert why["status"].tolist() == [
        "ok",
        "covers 1 of 2 genes (50%), needs 80%",
        "covers 0 of 2 genes (0%), needs 80%",
        "ok",
    ]
    assert why["coverage"].tolist() == [1.0, 0.5, 0.0, 0.8]
    assert why["missing"].tolist() == ["", "X", "Y, Z", "X"]
    assert why["n_found"].tolist() == [3, 1, 0, 4]
    assert set(why["method"]) == {method}
    assert set(why["unit"]) == {"log2_tpm"}
    schema.COVERAGE.check(coverage(assay, SETS, method=method))


@pytest.mark.parametrize("method", PLAIN)
def test_scores_are_the_kernel_on_the_log_scale(assay, method):
    logged = np.log2(assay.X + 1)
    members = np.array([[gene in SETS[name] for name in ("hot", "most")] for gene in assay.var_names])
    expected = SCORING[method].func(logged, members)
    table = score(assay, SETS, method=method)
    np.testing.assert_allclose(table[["hot", "most"]], expected, rtol=1e-14)
    assert table.attrs["scoring"] == dict.fromkeys(SETS, f"{method}(log2_tpm)")
    assert table.attrs["unit"] == "log2_tpm"


@pytest.mark.parametrize("unit", [unit for unit in schema.UNITS if unit not in {"score", "fraction"}])
def test_every_expression_unit_is_scored_and_named(unit):
    given = make_assay(
        pd.DataFrame({"A": [1.0, 3.0], "B": [2.0, 0.0], "C": [7.0, 5.0]}, index=["S1", "S2"]), unit=unit
    )
    table = score(given, {"s": ["A", "B"]}, method="mean_log2")
    linear = unit.replace("counts", "cpm").replace("log1p_cp10k", "cpm")
    scored = unit if unit.startswith("log2") else f"log2_{linear}"
    assert table.attrs["unit"] == scored
    expected = given.X if unit == scored else convert(given, to=scored).X
    np.testing.assert_allclose(table["s"], expected[:, :2].mean(axis=1), rtol=1e-15)


@pytest.mark.parametrize("unit", ["score", "fraction"])
def test_ready_made_values_are_no_expression(unit):
    given = make_assay(pd.DataFrame({"GZMA": [0.5], "PRF1": [0.1]}, index=["S1"]), unit=unit)
    for ask in (score, coverage):
        with pytest.raises(UnitError, match=rf"ready-made values \(unit '{unit}'\)"):
            ask(given)


@pytest.mark.parametrize("method", PLAIN)
def test_order_of_samples_and_genes_does_not_matter(assay, method):
    table = score(assay, SETS, method=method)
    shuffled = score(assay[[3, 1, 4, 0, 2], [7, 2, 5, 0, 1, 6, 3, 4]].copy(), SETS, method=method)
    pd.testing.assert_frame_equal(shuffled.loc[table.index], table, rtol=1e-12)


@pytest.mark.parametrize("method", PLAIN)
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_scores_are_dense_scores(assay, method, form):
    assay.X[assay.X < 20] = 0.0
    dense = score(assay, SETS, method=method)
    assay.X = form(assay.X)
    pd.testing.assert_frame_equal(score(assay, SETS, method=method), dense, rtol=1e-13)


def test_many_samples_are_scored_in_blocks_like_one_by_one():
    rng = np.random.default_rng(9)
    frame = pd.DataFrame(rng.poisson(5, (600, 6)), index=[f"S{i}" for i in range(600)], columns=[*"ABCDEF"])
    given = make_assay(frame, unit="counts")
    whole = score(given, {"s": ["A", "B"]})
    picked = ["S0", "S255", "S256", "S511", "S512", "S599"]
    for name in picked:
        assert whole.loc[name, "s"] == score(given[[name]].copy(), {"s": ["A", "B"]}).loc[name, "s"]


@pytest.mark.parametrize("method", PLAIN)
def test_a_missing_value_is_a_missing_score_never_another_mean(assay, method):
    assay.X[1, 0] = np.nan
    table = score(assay, SETS, method=method)
    assert table[["hot", "most"]].isna().sum().tolist() == [1, 1]
    assert table.loc["S1", ["hot", "most"]].isna().all()
    why = reasons(assay, SETS, method=method)
    assert why.loc["hot", "status"] == "ok"
    assert why.loc["hot", "note"] == "1 of 5 samples lack a value of its genes"
    assert why.loc["half", "note"] == ""


@pytest.mark.parametrize("method", PLAIN)
def test_a_gene_without_any_value_is_absent(assay, method):
    without = score(assay[:, [*"ABCDFGH"]].copy(), SETS | {"four": ["A", "B", "C", "D", "E"]}, method=method)
    assay.X[:, 4] = np.nan
    table = score(assay, SETS | {"four": ["A", "B", "C", "D", "E"]}, method=method)
    pd.testing.assert_frame_equal(table, without, rtol=1e-13)
    why = reasons(assay, SETS, method=method)
    assert why.loc["most", "missing"] == "E, X"
    assert why.loc["most", "status"] == "covers 3 of 5 genes (60%), needs 80%"


def test_mean_z_leaves_constant_genes_out_and_says_so(assay):
    assay.X[:, 0] = 7.3
    why = reasons(assay, SETS, method="mean_z")
    assert why.loc["hot", ["n_found", "status"]].tolist() == [2, "covers 2 of 3 genes (66%), needs 80%"]
    assert why.loc["hot", "note"] == "does not vary, not used: A"
    assert why.loc["hot", "missing"] == ""
    table = score(assay, {"hot": SETS["hot"]}, method="mean_z", min_coverage=0.6)
    rest = score(assay, {"hot": ["B", "C"]}, method="mean_z")
    pd.testing.assert_frame_equal(table, rest)
    assert coverage(assay, SETS, method="mean_log2")["status"].tolist()[0] == "ok"


def test_min_coverage_decides_at_the_limit(assay):
    assert score(assay, SETS, min_coverage=0.8)["most"].notna().all()
    assert score(assay, SETS, min_coverage=0.81)["most"].isna().all()
    assert score(assay, SETS, min_coverage=0.5)["half"].notna().all()
    assert score(assay, SETS, min_coverage=0)["gone"].isna().all()
    assert reasons(assay, SETS, min_coverage=0).loc["gone", "status"] == "covers 0 of 2 genes (0%), needs 0%"
    for wrong in (80, -0.1, float("nan")):
        with pytest.raises(ImmunosarcError, match=r"a share between 0 and 1; found .*80% is 0.8"):
            score(assay, SETS, min_coverage=wrong)


def renamed(assay, names):
    result = assay.copy()
    result.var_names = names
    return result


def test_nothing_covered_is_an_error_with_the_likely_cause(assay):
    with pytest.raises(
        CoverageError, match=r"none of 109 signatures has 80% of its genes .*\(best: '.*', 0 of \d+\)"
    ):
        score(assay)
    with pytest.raises(CoverageError, match=r"\(best: 'half', 1 of 2\)"):
        score(assay, {"gone": ["Y"], "half": ["D", "X"]})
    ensembl = renamed(assay, [f"ENSG00000{i:06d}.{i}" for i in range(8)])
    with pytest.raises(CoverageError, match=r"Ensembl ids \(ENSG00000000000\.0, .*\): name its genes"):
        score(ensembl, SETS)
    with pytest.raises(CoverageError, match="numeric ids"):
        score(renamed(assay, [str(1000 + i) for i in range(8)]), SETS)
    with pytest.raises(CoverageError, match="differ in letter case"):
        score(renamed(assay, [*"abcdefgh"]), SETS)
    with pytest.raises(CoverageError, match="transpose the assay"):
        score(flipped(assay), SETS)
    with pytest.raises(CoverageError, match=r"differ between samples; the assay has 1 sample\(s\)"):
        score(assay[["S0"]].copy(), SETS, method="mean_z")
    with pytest.raises(CoverageError, match="no samples"):
        score(assay[[]].copy(), SETS)
    assert not coverage(ensembl, SETS)["status"].eq("ok").any()


def flipped(assay):
    frame = pd.DataFrame(assay.X.T, index=assay.var_names, columns=assay.obs_names)
    return make_assay(frame, unit="tpm")


def test_unknown_methods_and_what_a_method_needs(assay):
    with pytest.raises(UnknownNameError, match="Did you mean 'singscore'"):
        score(assay, SETS, method="singscor")
    why = coverage(assay, SETS, method="ipres_count")["status"]
    assert why.eq("ipres_count needs classes, the signature has none").all()


def test_inputs_are_unchanged(assay):
    before, about, sets = (
        assay.X.copy(),
        dict(assay.uns["immunosarc"]),
        {key: [*genes] for key, genes in SETS.items()},
    )
    for method in PLAIN:
        score(assay, sets, method=method)
        coverage(assay, sets, method=method)
    assert np.array_equal(assay.X, before)
    assert dict(assay.uns["immunosarc"]) == about
    assert sets == SETS


def test_notes_say_what_the_published_form_has_and_this_score_has_not():
    genes = sorted({gene for one in load_signatures().values() for gene in one.genes} | {"ACTB"})
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.poisson(9, (3, len(genes))), index=["S1", "S2", "S3"], columns=genes)
    why = reasons(make_assay(frame, unit="counts"), method="mean_log2")
    assert (why["status"] == "ok").sum() == 107
    note = why["note"]
    assert note["mcp_t_cells"] == ""
    assert note["cyt"] == "published form geometric_mean needs TPM, the assay has counts"
    assert note["gep18_tcell_inflamed"] == "published form weighted_sum; its weights are not used"
    assert note["ecm_up_chakravarthy"] == "published form ssgsea; its 28 down genes are not used"
    assert note["impres15"] == (
        "published form pair_count needs TPM, the assay has counts; its 15 pairs are not used"
    )
    assert why.loc["sarcoma_immune_class", "status"] == "has no genes of its own: nearest_centroid"
    assert why.loc["ipres26", "status"] == "has no genes of its own: ipres_count"
    for unit in ("tpm", "log2_tpm"):
        note = reasons(make_assay(frame.clip(upper=14), unit=unit), method="mean_log2")["note"]
        assert note["cyt"] == "published form geometric_mean"
    scores = score(make_assay(frame, unit="counts"))
    assert scores["sarcoma_immune_class"].isna().all()
    assert scores.shape == (3, 109)


def test_signatures_is_the_catalog():
    assert signatures() is load_signatures()


@pytest.fixture(scope="module")
def riaz(data_root):
    """Counts and clinical rows of the unique samples, straight from the files."""
    folder = data_root / "riaz2017"
    counts = pd.read_csv(folder / "expression_counts.tsv.gz", sep="\t", index_col="gene").T
    clinical = pd.read_csv(folder / "clinical.tsv", sep="\t", index_col="sample_id")
    clinical = clinical.loc[clinical["technical_replicate"] == 0]
    return make_assay(counts.loc[clinical.index], unit="counts"), clinical


def in_plain_python(path, wanted):
    """Mean log2(CPM+1) of some genes by summing the text file, without pandas or numpy."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = csv.reader(lines, delimiter="\t")
        names, total, kept = next(rows)[1:], None, []
        for gene, *values in rows:
            numbers = [int(float(value)) for value in values]
            total = numbers if total is None else [a + b for a, b in zip(total, numbers, strict=True)]
            if gene in wanted:
                kept.append(numbers)
    cpm = ([count * 1e6 / whole for count, whole in zip(gene, total, strict=True)] for gene in kept)
    logs = [[np.log2(value + 1) for value in gene] for gene in cpm]
    return dict(zip(names, (sum(column) / len(column) for column in zip(*logs, strict=True)), strict=True))


def test_real_patients_cyt(riaz, data_root):
    assay, clinical = riaz
    assert assay.shape == (108, 12951)
    table = score(assay, method="mean_log2")
    assert table.attrs["scoring"]["cyt"] == "mean_log2(log2_cpm)"
    expected = in_plain_python(data_root / "riaz2017" / "expression_counts.tsv.gz", {"GZMA", "PRF1"})
    assert table["cyt"].to_dict() == pytest.approx({name: expected[name] for name in table.index}, rel=1e-12)
    both = clinical["iatlas_cyt"].notna()
    assert both.sum() == 101
    spearman = stats.spearmanr(table.loc[both.index[both], "cyt"], clinical.loc[both, "iatlas_cyt"]).statistic
    assert spearman == pytest.approx(0.993, abs=0.0005)


def test_real_patients_published_cyt(riaz):
    assay, clinical = riaz
    table = score(assay, load_signatures().subset("cyt"), method="published")
    assert table.attrs["scoring"]["cyt"] == "geometric_mean(log2_cpm)"
    both = clinical["iatlas_cyt"].notna()
    found = stats.spearmanr(table.loc[both.index[both], "cyt"], clinical.loc[both, "iatlas_cyt"]).statistic
    assert both.sum() == 101
    assert found >= 0.99


def test_real_patients_coverage(riaz):
    assay, _ = riaz
    why = reasons(assay, method="mean_log2")
    assert len(why) == 109
    assert (why["n_genes"] > 0).sum() == 107
    assert why["status"].eq("ok").sum() == 81
    assert why.loc["mcp_cd8_t_cells", ["missing", "status"]].tolist() == [
        "CD8B",
        "covers 0 of 1 genes (0%), needs 80%",
    ]
    for method in PLAIN:
        table = score(assay, method=method)
        assert table["mcp_cd8_t_cells"].isna().all()
        # the down genes of one signature are not covered
        assert table.notna().all().sum() == (80 if "down" in SCORING[method].roles else 81)


def auc(values, positive):
    pairs = [(a > b) + 0.5 * (a == b) for a in values[positive] for b in values[~positive]]
    return sum(pairs) / len(pairs)


@pytest.mark.parametrize(
    ("name", "method", "timepoint", "sizes", "expected"),
    [
        ("cyt", "mean_log2", "pre", (10, 39), 0.628),
        ("cyt", "mean_log2", "on", (13, 42), 0.734),
        ("tis18_unweighted", "mean_z", "pre", (10, 39), 0.613),
        ("tis18_unweighted", "mean_z", "on", (13, 42), 0.694),
    ],
)
def test_real_patients_response(riaz, name, method, timepoint, sizes, expected):
    assay, clinical = riaz
    values = score(assay, load_signatures().subset(name), method=method)[name]
    rows = clinical.loc[(clinical["timepoint"] == timepoint) & clinical["bor"].isin(["CR", "PR", "SD", "PD"])]
    answered = rows["bor"].isin(["CR", "PR"]).to_numpy()
    assert (answered.sum(), (~answered).sum()) == sizes
    assert auc(values[rows.index].to_numpy(), answered) == pytest.approx(expected, abs=0.02)
