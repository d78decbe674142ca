"""What must come out on 195 urothelial carcinomas on atezolizumab; computed independently on the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import features, stats

MANIFEST = Path(__file__).resolve().parents[2] / "data_manifests" / "imvigor210.toml"


@pytest.fixture(scope="module")
def cohort(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFEST, data_root=data_root)


def _tis(cohort: ims.Cohort, adata) -> pd.Series:
    sets = features.signatures().subset("tis18_unweighted")
    return cohort.per_patient(features.score(adata, sets, method="mean_z"))["tis18_unweighted"]


def _auc(cohort: ims.Cohort, values: pd.Series) -> stats.Fits:
    known = cohort.patients["responder"].notna()
    group = cohort.patients.loc[known, "responder"].astype(bool)
    return stats.mann_whitney(values[known].to_frame().to_numpy(), group.to_numpy())


def _hazard_ratio(cohort: ims.Cohort, values: pd.Series) -> np.ndarray:
    patients, per_sd = cohort.patients, (values - values.mean()) / values.std(ddof=1)
    fit = stats.cox(per_sd.to_frame().to_numpy(), patients["os_days"], patients["os_event"].astype(bool))
    return np.exp([fit.estimate[0], fit.conf_low[0], fit.conf_high[0]])


def test_what_is_loaded(cohort: ims.Cohort) -> None:
    assert (len(cohort.patients), len(cohort.samples), cohort["rna"].shape) == (195, 195, (195, 1768))
    assert cohort["rna"].uns["immunosarc"]["pseudocount"] == 0.001
    assert set(cohort.samples["timepoint"]) == {"pre"}
    assert cohort.patients["best_overall_response"].value_counts().to_dict() == {
        "PD": 91,
        "SD": 35,
        "PR": 27,
        "CR": 15,
    }
    assert cohort.patients["best_overall_response"].isna().sum() == 27
    assert cohort.patients["os_event"].sum() == 128


def test_stable_disease_is_no_response_and_an_absent_one_is_missing(cohort: ims.Cohort) -> None:
    table = pd.crosstab(cohort.patients["best_overall_response"], cohort.patients["responder"])
    assert table.loc["SD"].to_dict() == {False: 35, True: 0}
    assert table.loc["CR"].to_dict() == {False: 0, True: 15}
    assert cohort.patients["responder"].isna().sum() == 27


def test_mutation_burden_and_response(cohort: ims.Cohort) -> None:
    fit = _auc(cohort, cohort.patients["tmb_per_mb"])
    assert (fit.n_events[0], fit.n[0] - fit.n_events[0]) == (37, 99)
    assert fit.estimate[0] == pytest.approx(0.703, abs=0.02)


def test_tis_response_phenotype_and_survival(cohort: ims.Cohort) -> None:
    tis = _tis(cohort, cohort["rna"])
    fit = _auc(cohort, tis)
    assert (fit.n_events[0], fit.n[0] - fit.n_events[0]) == (42, 126)
    assert fit.estimate[0] == pytest.approx(0.610, abs=0.02)
    medians = tis.groupby(cohort.patients["immune_phenotype"]).median()
    assert medians[["desert", "excluded", "inflamed"]].tolist() == pytest.approx([-0.63, 0.08, 0.78], abs=0.01)
    assert _hazard_ratio(cohort, tis) == pytest.approx([0.80, 0.68, 0.94], abs=0.03)


def test_another_pseudocount_is_another_scale(cohort: ims.Cohort) -> None:
    other = cohort["rna"].copy()
    other.X = np.log2(np.exp2(other.X) - 0.001 + 1)
    assert _hazard_ratio(cohort, _tis(cohort, other))[0] == pytest.approx(0.770, abs=0.005)
    assert _hazard_ratio(cohort, _tis(cohort, cohort["rna"]))[0] == pytest.approx(0.799, abs=0.005)


def test_coverage(cohort: ims.Cohort) -> None:
    table = features.coverage(cohort["rna"]).query("n_genes > 0").set_index("signature")
    assert (len(table), (table["status"] == "ok").sum()) == (107, 39)
    assert table.loc["tis18_unweighted", ["n_genes", "n_found"]].tolist() == [18, 16]


def test_one_run_answers_on_the_declared_scale(cohort: ims.Cohort) -> None:
    plan = ims.Plan(panels=ims.Plan().panels[:1], n_permutations=200, endpoints=("objective_response", "os"))
    study = ims.run(cohort, plan)
    rows = study["associations"].query("feature == 'tis_mean_z' and timepoint == 'pre'").set_index("model")
    assert rows.loc["mann_whitney", "estimate"] == pytest.approx(0.610, abs=0.02)
    assert np.exp(rows.loc["cox", "estimate"]) == pytest.approx(0.80, abs=0.03)
    assert rows.loc["cox", "scoring"] == "mean_z(log2)"
    assert not study["qc"].query("level == 'assay'")["concern"].any()
