"""From a cohort to a locked model and on to other cohorts: alone as in company, and the real cohorts' answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import CoverageError, PlanError
from immunosarc.models import read_model, write_model
from immunosarc.study import lock_signatures, score_as_locked, transport_to

WORDS = {"endpoint": "objective_response", "name": "demo", "intended_use": "An example."}


@pytest.fixture(scope="module")
def trial() -> ims.Cohort:
    return ims.simulate_cohort(seed=7)


@pytest.fixture(scope="module")
def locked(trial):
    return lock_signatures(trial, ["mcp_b_lineage"], n_bootstrap=4, **WORDS)


def test_a_sample_has_the_same_score_alone_as_in_company(trial, locked):
    together = score_as_locked(locked, trial)
    patient = together.index[together["status"] == "ok"][0]
    only = trial.select(samples=(trial.samples["patient_id"] == patient) & (trial.samples["timepoint"] == "pre"))
    alone = score_as_locked(locked, only)
    assert alone.loc[patient, "mcp_b_lineage"] == together.loc[patient, "mcp_b_lineage"]


def test_the_file_carries_the_recipe_and_predicts_the_same(trial, locked, tmp_path):
    again = read_model(write_model(locked, tmp_path / "demo.json"))
    assert again == locked
    pd.testing.assert_frame_equal(
        transport_to(again, trial).performance, transport_to(locked, trial).performance, check_exact=True
    )
    assert f"ranked among: {len(locked.recipe['genes'])}" in again.card()


def test_the_scores_are_those_of_the_catalog_among_the_same_genes(trial, locked):
    direct = ims.features.score(trial["rna"], method="singscore")[["mcp_b_lineage"]]
    expected = trial.at("pre").per_patient(direct)["mcp_b_lineage"]
    found = score_as_locked(locked, trial)["mcp_b_lineage"]
    assert found.to_numpy(float) == pytest.approx(expected.to_numpy(float), nan_ok=True, abs=1e-12)


def test_fewer_genes_are_refused_and_other_genes_ignored(trial, locked):
    genes = list(trial["rna"].var_names)
    fewer = lock_signatures(
        trial,
        ["mcp_b_lineage"],
        genes=[*genes[::2], *genes[1::2][:5], "NOT_A_GENE"],
        n_bootstrap=0,
        min_coverage=0.2,
        **WORDS,
    )
    assert len(fewer.recipe["genes"]) < len(genes)
    assert "NOT_A_GENE" not in fewer.recipe["genes"]
    small = trial["rna"][:, genes[:300]].copy()
    lacking = ims.Cohort(trial.patients, trial.samples, assays={"rna": small})
    with pytest.raises(
        CoverageError, match=r"ranks each sample among .* lacks .*lock the model on the genes that both"
    ):
        score_as_locked(locked, lacking)


def test_what_cannot_be_locked_is_refused(trial):
    with pytest.raises(PlanError, match="scores a sample by the others of its cohort"):
        lock_signatures(trial, ["cyt"], method="mean_z", **WORDS)
    with pytest.raises(PlanError, match=r"unknown signature 'cytt'\. Did you mean 'cyt'"):
        lock_signatures(trial, ["cytt"], **WORDS)
    with pytest.raises(PlanError, match="name at least one"):
        lock_signatures(trial, [], **WORDS)
    with pytest.raises(CoverageError, match="cover too little of cyt"):
        lock_signatures(
            trial, ["cyt", "mcp_b_lineage"], genes=[g for g in trial["rna"].var_names if g != "PRF1"], **WORDS
        )


def test_a_model_of_melanoma_in_urothelial_cancer_and_in_melanoma(data_root):
    """TIS of riaz2017 among the 1,459 genes that all three cohorts have: it ranks, and its risks do not come true."""
    riaz, imvigor, hugo = (
        ims.load_cohort(f"data_manifests/{name}.toml", data_root=data_root)
        for name in ("riaz2017", "imvigor210", "hugo2016")
    )
    shared = [gene for gene in riaz["rna"].var_names if gene in set(imvigor["rna"].var_names)]
    locked = lock_signatures(riaz, ["tis18_unweighted"], genes=shared, n_bootstrap=20, **WORDS)
    assert (len(shared), locked.training["n"], locked.training["n_events"]) == (1459, 49, 10)
    there = transport_to(locked, imvigor)
    assert (there.performance["n"].iloc[0], there.performance["n_events"].iloc[0]) == (166, 41)
    table = score_as_locked(locked, imvigor)
    outcomes = ims.endpoints.derive(imvigor).reindex(table.index)
    one = locked.features[0]
    known = outcomes["objective_response"].notna() & table[one.name].between(one.low, one.high)
    x, y = table.loc[known, one.name].to_numpy(float), outcomes.loc[known, "objective_response"].to_numpy(bool)
    wins = (x[y][:, None] > x[~y]) + 0.5 * (x[y][:, None] == x[~y])
    assert there.estimate("auc") == pytest.approx(wins.mean(), abs=1e-12)
    assert there.estimate("auc") == pytest.approx(0.664, abs=0.001)
    assert there.performance["conf_low"].iloc[0] > 0.5
    assert there.verdict == "transports poorly"
    assert there.performance["needed"].iloc[0] == "intercept and slope"
    assert there.estimate("calibration_slope") > 1.5  # a penalized model of 49 patients is too timid
    nearby = transport_to(locked, hugo)
    assert nearby.verdict == "transports poorly"
    assert nearby.performance["needed"].iloc[0] == "intercept"
    assert nearby.estimate("observed_to_expected") > 2
    assert np.isfinite(nearby.estimate("auc"))
    assert "log2_fpkm" in nearby.performance["differs"].iloc[0]
