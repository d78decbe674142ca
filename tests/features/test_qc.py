"""Quality of samples: real cohorts whose sex is known, pairs that are known, and mistakes made on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.cohort import make_assay
from immunosarc.errors import UnitError, UnknownNameError
from immunosarc.features import sample_quality

MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"
SWAP = "a stranger's sample resembles it more"


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
