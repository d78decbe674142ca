"""Quality of samples: real cohorts whose sex is known, pairs that are known, and mistakes made on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.cohort import make_assay
from immunosarc.errors import UnitError, UnknownNameError
from immunosarc.features import check_units, convert, qc
from immunosarc.features._sample_quality import sample_concerns
from immunosarc.features._sample_quality import sample_quality as measured

MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"
SWAP = "a stranger's sample resembles it more"


def sample_quality(cohort: ims.Cohort, assay: str = "rna") -> pd.DataFrame:
    """The measures of each sample with all that speaks against it."""
    table = measured(cohort, assay)
    concerns = pd.DataFrame(sample_concerns(table, cohort))
    return table.assign(concerns=["; ".join(filter(None, row)) for row in concerns.to_numpy()])


def _cohort(n_pairs: int = 8, n_genes: int = 300, seed: int = 1) -> ims.Cohort:
    """Patients whose two samples share a profile, with noise."""
    rng = np.random.default_rng(seed)
    names = [f"P{i}" for i in range(n_pairs)]
    own = rng.normal(6, 1.5, size=(n_pairs, n_genes))
    rows = {
        f"{name}_{when}": row + rng.normal(0, 0.4, n_genes)
        for when in ("pre", "on")
        for name, row in zip(names, own, strict=True)
    }
    logs = pd.DataFrame(rows, index=[f"G{i}" for i in range(n_genes)]).T.clip(lower=0)
    female = np.arange(n_pairs) % 2 == 0
    logs["XIST"] = np.tile(np.where(female, 8.0, 0.0), 2)
    logs["DDX3Y"] = np.tile(np.where(female, 0.0, 6.0), 2)
    samples = pd.DataFrame(
        {"sample_id": list(rows), "patient_id": names * 2, "timepoint": ["pre"] * n_pairs + ["on"] * n_pairs}
    )
    patients = pd.DataFrame({"patient_id": names, "sex": np.where(female, "female", "male")})
    return ims.Cohort(patients=patients, samples=samples, assays={"rna": make_assay(logs, unit="log2_tpm")})


def _with(cohort: ims.Cohort, values: np.ndarray, unit: str = "log2_tpm") -> ims.Cohort:
    frame = pd.DataFrame(values, index=cohort["rna"].obs_names, columns=cohort["rna"].var_names)
    return ims.Cohort(
        patients=cohort.patients, samples=cohort.samples, assays={"rna": make_assay(frame, unit=unit)}
    )


def test_a_clean_cohort_raises_no_concern() -> None:
    cohort = _cohort()
    before = cohort["rna"].X.copy()
    table = sample_quality(cohort)
    assert (table["concerns"] == "").all()
    assert (table["partner_rank"] == 1).all()
    assert table["sex_by_expression"].tolist() == ["female", "male"] * 8
    assert table["library_size"].isna().all()
    assert table.index.tolist() == cohort["rna"].obs_names.tolist()
    np.testing.assert_array_equal(cohort["rna"].X, before)


def test_two_exchanged_samples_are_noticed_in_both_patients() -> None:
    cohort = _cohort()
    values = cohort["rna"].X.copy()
    values[[8, 10]] = values[[10, 8]]  # P0 and P2 on treatment, both women
    table = sample_quality(_with(cohort, values))
    wrong = table.index[table["concerns"].str.contains(SWAP)].tolist()
    assert wrong == ["P0_pre", "P2_pre", "P0_on", "P2_on"]
    assert not table["concerns"].str.contains("another sex").any()


def test_an_exchange_between_the_sexes_is_noticed_without_pairs() -> None:
    cohort = _cohort().at("pre")
    values = cohort["rna"].X.copy()
    values[[0, 3]] = values[[3, 0]]
    table = sample_quality(_with(cohort, values))
    assert table.index[table["concerns"].str.contains("another sex")].tolist() == ["P0_pre", "P3_pre"]
    assert table["partner_rank"].isna().all()


def test_few_reads_and_few_genes() -> None:
    cohort = _cohort()
    counts = np.random.default_rng(2).poisson(50, size=cohort["rna"].shape).astype(float)
    counts[3] = np.random.default_rng(3).poisson(0.2, size=counts.shape[1])
    table = sample_quality(_with(cohort, counts, unit="counts"))
    np.testing.assert_array_equal(table["library_size"], counts.sum(axis=1))
    np.testing.assert_array_equal(table["detected_genes"], (counts > 0).sum(axis=1))
    assert table["concerns"].str.contains("far fewer reads").tolist() == [place == 3 for place in range(16)]
    assert table["concerns"].str.contains("far fewer detected genes").tolist()[3]


def test_a_sample_unlike_the_others() -> None:
    cohort = _cohort(n_pairs=12)
    rng = np.random.default_rng(4)
    profile = rng.normal(6, 2, size=cohort["rna"].shape[1])
    values = np.clip(profile + rng.normal(0, 0.5, size=cohort["rna"].shape), 0, None)
    values[5] = np.clip(rng.normal(6, 2, size=values.shape[1]), 0, None)
    table = sample_quality(_with(cohort, values))
    alone = table["concerns"].str.contains("resembles the others far less")
    assert table.index[alone].tolist() == [table.index[5]]


def test_too_few_pairs_are_not_ranked_and_unknown_sex_is_no_concern() -> None:
    cohort = _cohort(n_pairs=4)
    assert sample_quality(cohort)["partner_rank"].isna().all()
    without = cohort["rna"][:, [name for name in cohort["rna"].var_names if name != "XIST"]].copy()
    lacking = ims.Cohort(patients=cohort.patients, samples=cohort.samples, assays={"rna": without})
    assert sample_quality(lacking)["sex_by_expression"].isna().all()
    assert (sample_quality(lacking)["concerns"] == "").all()


def test_scores_have_no_quality() -> None:
    cohort = _cohort()
    with pytest.raises(UnitError, match="ready-made values"):
        sample_quality(_with(cohort, cohort["rna"].X, unit="score"))
    with pytest.raises((UnknownNameError, ims.errors.CohortError), match="dna"):
        sample_quality(cohort, "dna")


@pytest.mark.parametrize(("name", "agree", "n"), [("tcga_ucs", 57, 57), ("hugo2016", 26, 27)])
def test_sex_of_real_patients(data_root: Path, name: str, agree: int, n: int) -> None:
    cohort = ims.load_cohort(MANIFESTS / f"{name}.toml", data_root=data_root)
    table = sample_quality(cohort)
    known = cohort.patients["sex"].reindex(table["patient_id"]).to_numpy(dtype=object)
    assert int((table["sex_by_expression"].to_numpy(dtype=object) == known).sum()) == agree
    assert len(table) == n
    assert table["concerns"].str.contains("another sex").sum() == n - agree


def test_pairs_of_real_patients(data_root: Path) -> None:
    cohort = ims.load_cohort(MANIFESTS / "riaz2017.toml", data_root=data_root)
    table = sample_quality(cohort)
    ranks = table["partner_rank"].dropna()
    assert len(ranks) == 2 * 43
    assert (ranks == 1).sum() == 72  # by chance 2 would be expected
    sexes = table.pivot_table(
        index="patient_id", columns="timepoint", values="sex_by_expression", aggfunc="first"
    ).dropna()
    differ = sexes.index[sexes["pre"] != sexes["on"]]
    assert len(sexes) == 43
    assert table[table["patient_id"].isin(differ)]["concerns"].str.contains(SWAP).all()


def _rows(table: pd.DataFrame, check: str) -> pd.DataFrame:
    return table[table["check"] == check]


def test_every_check_of_every_sample_has_a_row_with_a_status() -> None:
    cohort = _cohort()
    values = cohort["rna"].X.copy()
    values[[8, 10]] = values[[10, 8]]
    table = qc(_with(cohort, values))
    ims.schema.QC.check(table)
    samples = table[table["level"] == "sample"]
    assert samples.groupby("check").size().to_dict() == dict.fromkeys(
        ("library_size", "detected_genes", "sex_by_expression", "partner_rank", "median_correlation"), 16
    )
    wrong = samples[samples["concern"].astype(bool)]
    assert set(wrong["check"]) == {"partner_rank"}
    assert wrong["sample_id"].tolist() == ["P0_pre", "P2_pre", "P0_on", "P2_on"]
    assert wrong["patient_id"].tolist() == ["P0", "P2", "P0", "P2"]
    assert wrong["status"].str.contains(SWAP).all()
    assert set(_rows(table, "library_size")["status"]) == {"not assessed: the unit is not counts"}
    sexes = _rows(table, "sex_by_expression")
    assert sexes["found"].tolist() == ["female", "male"] * 8
    assert set(sexes["status"]) == {"ok"}


def test_sex_that_nobody_recorded_is_not_called_right() -> None:
    cohort = _cohort()
    sexes = cohort.patients["sex"].mask(cohort.patients.index == "P1")
    table = qc(ims.Cohort(cohort.patients.assign(sex=sexes), cohort.samples, assays=cohort.assays))
    rows = _rows(table, "sex_by_expression").set_index("patient_id")
    assert set(rows.loc["P1", "status"]) == {"not assessed: the clinical table does not say it"}
    assert set(rows.drop(index="P1")["status"]) == {"ok"}
    none = qc(ims.Cohort(cohort.patients.drop(columns="sex"), cohort.samples, assays=cohort.assays))
    assert set(_rows(none, "sex_by_expression")["status"]) == {"not assessed: the clinical table does not say it"}
    assert _rows(none, "sex_by_expression")["found"].notna().all()


def _batched(cohort: ims.Cohort, batch: list[str | None]) -> ims.Cohort:
    return ims.Cohort(cohort.patients, cohort.samples.assign(batch=batch), assays=cohort.assays)


def _outcomes(cohort: ims.Cohort, responders: list[str]) -> pd.DataFrame:
    best = ["PR" if name in responders else "PD" for name in cohort.patients.index]
    return ims.endpoints.derive(ims.Cohort(cohort.patients.assign(best_overall_response=best)))


def test_a_batch_that_is_a_timepoint_is_said_loudly() -> None:
    cohort = _batched(_cohort(), ["A"] * 8 + ["B"] * 4 + ["C"] * 4)
    row = _rows(qc(cohort), "batch_timepoint").iloc[0]
    assert bool(row["concern"])
    assert row["value"] == pytest.approx(1.0)
    assert row["status"].startswith("each batch holds one timepoint only, so that the two cannot be told apart")
    assert row["found"] == "A: 8 pre; B: 4 on; C: 4 on"
    pairs = _rows(qc(cohort), "batch_pairs").iloc[0]
    assert pairs["status"].startswith("8 of 8 pairs were measured in two batches")


def test_a_batch_that_goes_with_response_is_said_for_its_timepoint() -> None:
    cohort = _batched(_cohort(n_pairs=12), ["A"] * 6 + ["B"] * 6 + ["A", "B"] * 6)
    outcomes = _outcomes(cohort, ["P0", "P1", "P2", "P3", "P4"])
    rows = _rows(qc(cohort, outcomes), "batch_response").set_index("timepoint")
    # 5 responders of 6 in batch A and none in B: hypergeometric p of this and its mirror image
    assert rows.loc["pre", "found"] == "A: 1 non-responder, 5 responder; B: 6 non-responder"
    table = np.array([[1.0, 5.0], [6.0, 0.0]])
    assert rows.loc["pre", "value"] == pytest.approx(np.sqrt(chi_square(table) / 12))
    assert rows.loc["pre", "status"].startswith("batch goes with response (Cramer's V 0.85, permutation p 0.0")
    assert rows.loc["on", "status"] == "ok"
    assert _rows(qc(cohort), "batch_response")["status"].tolist() == ["not assessed: no outcomes were given"]


def chi_square(table: np.ndarray) -> float:
    total, found = table.sum(), 0.0
    for i, row in enumerate(table):
        for j, cell in enumerate(row):
            expected = row.sum() * table[:, j].sum() / total
            found += (cell - expected) ** 2 / expected
        assert i < len(table)
    return found


def test_the_permutation_p_is_that_of_counting_every_labeling() -> None:
    from itertools import combinations

    from immunosarc.features._batches import _association

    batch = pd.Series(list("AAAAABBBB"))
    level = pd.Series(list("xxxxyyyyy"))
    _, p = _association(pd.crosstab(batch, level), batch, level, seed=3)
    seen, extreme = 0, 0
    observed = chi_square(pd.crosstab(batch, level).to_numpy(dtype=float))
    for chosen in combinations(range(9), 5):
        shuffled = pd.Series(["A" if i in chosen else "B" for i in range(9)])
        seen += 1
        extreme += chi_square(pd.crosstab(shuffled, level).to_numpy(dtype=float)) >= observed - 1e-9
    assert p == pytest.approx(extreme / seen, abs=3 * np.sqrt(0.25 / 10_000))


@pytest.mark.parametrize(("value", "far"), [(70.0, False), (30.8, False), (30.6, True), (400.0, False)])
def test_far_is_four_robust_deviations_below(value: float, far: bool) -> None:
    from immunosarc.features._sample_quality import _low

    # median 90 and median absolute deviation 10 with each of them: the border is 90 - 4 * 14.826 = 30.7
    values = pd.Series([80.0, 85.0, 90.0, 95.0, 100.0, 90.0, 80.0, 100.0, value])
    assert bool(_low(values)[-1]) is far


def test_normalized_rsem_of_a_real_cohort_has_its_upper_quartile(data_root: Path) -> None:
    adata = ims.load_cohort(MANIFESTS / "tcga_ucs.toml", data_root=data_root)["rna"]
    row = check_units(adata).set_index("check").loc["upper_quartile"]
    assert row["value"] == pytest.approx(1000, abs=1)
    assert row["status"] == "ok"


def test_batches_without_a_difference_and_without_a_record() -> None:
    mixed = _batched(_cohort(), ["A", "B"] * 8)
    assert not _rows(qc(mixed), "batch_timepoint")["concern"].any()
    assert _rows(qc(mixed), "batch_pairs")["status"].tolist() == ["ok"]
    assert _rows(qc(_cohort()), "batch")["status"].tolist() == ["not assessed: no batch is recorded"]
    alone = _batched(_cohort(), ["A"] * 16)
    assert _rows(qc(alone), "batch_timepoint")["status"].tolist() == ["not assessed: there is one batch"]


def test_a_cohort_without_expression_or_samples_has_a_table_all_the_same() -> None:
    cohort = _cohort()
    scores = qc(_with(cohort, cohort["rna"].X, unit="score"))
    assert scores["check"].tolist() == ["batch"]
    empty = qc(ims.Cohort(cohort.patients))
    assert len(empty) == 0
    assert list(empty.columns) == list(ims.schema.QC.columns)
    assert set(qc(ims.simulate_cohort(seed=7))["simulated"]) == {"SIMULATED"}


def _assay(values: np.ndarray, unit: str, **about: float):
    frame = pd.DataFrame(values, index=[f"S{i}" for i in range(len(values))]).rename(columns="G{}".format)
    adata = make_assay(frame, unit=unit)
    adata.uns["immunosarc"] |= about
    return adata


def _said(adata, check: str) -> str:
    return str(check_units(adata).set_index("check").loc[check, "status"])


READS = np.random.default_rng(0).poisson(np.random.default_rng(1).lognormal(2, 2, 6000), (4, 6000)).astype(float)
TPM = READS / READS.sum(axis=1, keepdims=True) * 1e6


@pytest.mark.parametrize(
    ("values", "unit", "check", "words"),
    [
        (READS, "fpkm", "whole_numbers", "every value is a whole number: these look like counts, not fpkm"),
        (TPM, "fpkm", "sample_sums", "every sample adds up to a million: these look like tpm"),
        (TPM * 1.2, "tpm", "sample_sums", "a sample adds up to 1,200,000: shares of a million cannot"),
        (np.round(TPM * 20), "counts", "sample_sums", "every sample adds up to the same"),
        (np.log2(TPM[:, :900] + 1), "tpm", "logarithm", "no value of 900 genes is above"),
        (TPM[:, :50], "log2", "logarithm", "these may not be logs"),
        (TPM, "rsem_normalized", "upper_quartile", "the upper quartile of the genes that were seen is"),
    ],
)
def test_a_unit_that_the_numbers_do_not_look_like(values, unit: str, check: str, words: str) -> None:
    adata = _assay(np.minimum(values, 90) if unit == "log2" else values, unit)
    row = check_units(adata).set_index("check").loc[check]
    assert bool(row["concern"])
    assert words in row["status"]


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (READS, "counts"),
        (TPM, "tpm"),
        (TPM * np.array([[0.4], [0.5], [0.6], [0.7]]), "fpkm"),
        (np.log2(TPM + 1), "log2_tpm"),
    ],
)
def test_a_unit_that_the_numbers_have_raises_no_concern(values, unit: str) -> None:
    table = check_units(_assay(values, unit))
    assert not table["concern"].any()
    assert table.set_index("check").loc["gene_length", "status"].startswith("not assessed: no gene lengths")


def test_other_logarithms_other_pseudocounts_and_centered_genes() -> None:
    rng = np.random.default_rng(2)
    shares = rng.lognormal(0, 2, (3, 15_000))
    million = shares / shares.sum(axis=1, keepdims=True) * 1e6
    assert "these look like natural logarithms" in _said(_assay(np.log(million + 1), "log2_tpm"), "sample_sums")
    assert "these look like decimal logarithms" in _said(_assay(np.log10(million + 1), "log2_tpm"), "sample_sums")
    assert _said(_assay(np.log2(million + 1), "log2_tpm"), "sample_sums") == "ok"
    low = np.log2(million + 0.001)
    low[0, 0] = -11.0
    assert "below log2 of the declared pseudocount" in _said(_assay(low, "log2", pseudocount=0.001), "logarithm")
    logs = np.log2(million + 1)
    assert "centered on zero" in _said(_assay(logs - logs.mean(axis=0), "log2"), "centered_genes")


@pytest.mark.parametrize(
    ("values", "unit", "words"),
    [
        (READS * 100, "tpm", "a million is the whole"),
        (np.log2(READS * 100 + 1), "log2_cpm", "below the logarithm, a million is the whole"),
        (np.log2(TPM + 1), "fpkm", "no value of 6,000 genes is above 30: logs"),
        (np.log2(TPM + 0.001), "log2_tpm", r"negative value, which log2\(x \+ 1\) never is"),
    ],
)
def test_what_no_such_number_can_be_is_refused_when_the_assay_is_made(values, unit: str, words: str) -> None:
    with pytest.raises(ims.errors.CohortError, match=words):
        _assay(values, unit)
    sparse_one = _assay(READS, "counts")
    if "logs" not in words:
        from scipy import sparse

        sparse_one.X = sparse.csr_matrix(values)
        sparse_one.uns["immunosarc"] |= {"unit": unit}
        with pytest.raises(UnitError, match=words):
            convert(sparse_one, to=unit)


@pytest.mark.parametrize(
    ("name", "unit", "documented", "concern"),
    [
        ("hugo2016", "fpkm", 0.05, False),
        ("riaz2017", "counts", 0.54, False),
        ("tcga_ucs", "rsem_normalized", 0.58, False),
        ("tcga_ucs", "fpkm", 0.58, True),
        ("hugo2016", "rsem_normalized", 0.05, True),
    ],
)
def test_gene_length_tells_counts_from_what_was_divided_by_it(
    data_root: Path, name: str, unit: str, documented: float, concern: bool
) -> None:
    proxy = pd.read_csv(
        data_root / "sarcoma_reference" / "gene_rel_length_proxy.tsv.gz", sep="\t", index_col="gene"
    )
    lengths = np.exp2(proxy["rel_log2_length"])
    adata = ims.load_cohort(MANIFESTS / f"{name}.toml", data_root=data_root)["rna"][:20].copy()
    adata.uns["immunosarc"] |= {"unit": unit}
    row = check_units(adata, gene_lengths=lengths).set_index("check").loc["gene_length"]
    assert row["value"] == pytest.approx(documented, abs=0.07)
    assert bool(row["concern"]) is concern
    if unit != "counts":
        return
    carried = adata.copy()
    carried.var["gene_length"] = lengths.reindex(carried.var_names).to_numpy()
    assert check_units(carried).set_index("check").loc["gene_length", "value"] == pytest.approx(row["value"])
    layered = adata.copy()
    layered.layers["gene_length"] = np.tile(carried.var["gene_length"].to_numpy(), (len(adata), 1))
    assert check_units(layered).set_index("check").loc["gene_length", "value"] == pytest.approx(row["value"])


def test_counts_become_tpm_with_the_lengths_that_the_assay_carries() -> None:
    adata = _assay(np.array([[1.0, 3.0]]), "counts")
    with pytest.raises(UnitError, match="cannot convert counts to tpm"):
        convert(adata, to="tpm")
    adata.var["gene_length"] = [1000.0, 3000.0]
    assert convert(adata, to="tpm").X.tolist() == [[500000.0, 500000.0]]
    adata.layers["gene_length"] = np.array([[1000.0, 1000.0]])
    assert convert(adata, to="tpm").X.tolist() == [[250000.0, 750000.0]]
