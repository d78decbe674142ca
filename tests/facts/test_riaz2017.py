"""What must come out on 65 real melanoma patients; computed independently on the same files."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.study import Study

MANIFEST = Path(__file__).resolve().parents[2] / "data_manifests" / "riaz2017.toml"


@pytest.fixture(scope="module")
def study(data_root: Path) -> Study:
    return ims.run(ims.load_cohort(MANIFEST, data_root=data_root))


def test_libraries_samples_patients_pairs(study: Study) -> None:
    cohort = study.cohort
    loaded = study.attrition[study.attrition["step"].str.contains("expression")]
    assert (len(loaded), int((~loaded["kept"]).sum())) == (118, 10)
    assert (len(cohort.samples), len(cohort.patients), len(cohort.pairs)) == (108, 65, 43)
    assert cohort.samples["timepoint"].value_counts().to_dict() == {"on": 57, "pre": 51}


@pytest.mark.parametrize(
    ("timepoint", "feature", "groups", "auc", "p"),
    [
        ("pre", "cyt_mean_log2", (10, 39), 0.628, 0.219),
        ("on", "cyt_mean_log2", (13, 42), 0.734, 0.0115),
        ("pre", "tis_mean_z", (10, 39), 0.613, 0.281),
        ("on", "tis_mean_z", (13, 42), 0.694, 0.037),
    ],
)
def test_response(
    study: Study, timepoint: str, feature: str, groups: tuple[int, int], auc: float, p: float
) -> None:
    table = study["associations"].set_index(["family", "feature"])
    row = table.loc[(f"{timepoint}/objective_response/mann_whitney/primary", feature)]
    assert (row["n_events"], row["n"] - row["n_events"]) == groups
    assert row["estimate"] == pytest.approx(auc, abs=0.02)
    assert 1 / 1.5 <= row["p_value"] / p <= 1.5


@pytest.mark.parametrize(
    ("group", "n", "median", "shift", "p"),
    [("CR/PR", 9, 0.66, 1.15, 0.027), ("SD", 15, 1.47, 1.36, 6.1e-4), ("PD", 18, 0.09, 0.12, 0.28)],
)
def test_cyt_change(study: Study, group: str, n: int, median: float, shift: float, p: float) -> None:
    row = study["changes"].set_index(["feature", "group"]).loc[("cyt_mean_log2", group)]
    assert row["n"] == n
    assert row["median_change"] == pytest.approx(median, abs=0.05)
    assert row["hodges_lehmann"] == pytest.approx(shift, abs=0.05)
    assert row["conf_low"] < row["hodges_lehmann"] < row["conf_high"]
    assert 1 / 1.5 <= row["p_value"] / p <= 1.5


def test_what_is_left_after_counting_the_panel(study: Study) -> None:
    """Two planned scores on treatment survive their panel of two; nothing in the catalog of 109 does."""
    table = study["associations"].set_index(["family", "feature"])
    primary = "on/objective_response/mann_whitney/primary"
    assert table.loc[(primary, "cyt_mean_log2"), "p_maxt"] == pytest.approx(0.013, abs=0.004)
    assert table.loc[(primary, "tis_mean_z"), "p_maxt"] == pytest.approx(0.037, abs=0.006)
    before = table.loc["pre/objective_response/mann_whitney/primary", "p_maxt"]
    assert before.to_numpy() == pytest.approx([0.266, 0.298], abs=0.02)
    smallest = study["families"].set_index("family")["smallest_p_maxt"]
    assert (smallest[smallest.index.str.endswith("/catalog")] > 0.05).all()
    changes = study["changes"].query("feature == 'cyt_mean_log2'").set_index("group")["p_maxt"]
    assert changes["CR/PR"] == pytest.approx(0.039, abs=0.008)
    assert changes["SD"] < 0.005
    assert changes["PD"] == pytest.approx(0.28, abs=0.03)


def test_t_cell_genes_rise_beyond_what_loss_of_tumor_explains(study: Study) -> None:
    rows = study["adjusted_changes"].query("group == 'all' and feature == 'cyt_mean_log2'").set_index("adjustment")
    assert rows["n"].tolist() == [43, 43]
    assert rows.loc["none", "estimate"] == pytest.approx(0.87, abs=0.02)
    assert rows.loc["balance", "estimate"] == pytest.approx(0.39, abs=0.02)
    assert rows.loc["balance", "p_maxt"] < 0.01


def test_cyt_agrees_with_an_independent_computation(study: Study) -> None:
    pair = pd.concat([study["scores"]["cyt_mean_log2"], study.cohort.samples["iatlas_cyt"]], axis=1).dropna()
    assert len(pair) == 101
    assert pair.corr(method="spearman").iloc[0, 1] == pytest.approx(0.993, abs=0.001)


def test_coverage(study: Study) -> None:
    catalog = study["coverage"].query("panel == 'catalog'").set_index("signature")
    lists = catalog[catalog["n_genes"] > 0]
    assert (len(catalog), len(lists)) == (109, 107)
    assert (lists["status"] == "ok").sum() == 81
    assert "CD8B" in catalog.loc["mcp_cd8_t_cells", "missing"]
    assert study["scores"]["mcp_cd8_t_cells"].isna().all()
    published = study["coverage"].query("panel == 'primary' and signature == 'cyt'").iloc[0]
    assert "TPM" in published["note"]


def test_survival_is_missing_for_seven_patients_with_rna_on_treatment(study: Study) -> None:
    on = study.cohort.at("on").samples["patient_id"]
    rows = study["outcomes"].loc[on]
    without = rows[rows["os_event"].isna()]
    assert len(without) == 7
    assert without["best_overall_response"].notna().all()
    assert (without["best_overall_response"] == "NE").sum() == 1
    assert (without["os_status"] != "ok").all()


def test_median_survival_agrees_with_a_second_implementation(study: Study) -> None:
    from lifelines import KaplanMeierFitter

    outcomes = study["outcomes"].dropna(subset=["os_event"])
    fit = KaplanMeierFitter().fit(outcomes["os_time"], outcomes["os_event"].astype(bool))
    summary = study["summary"].set_index(["measure", "stratum"])
    assert summary.loc[("median_os", "all"), "estimate"] == pytest.approx(fit.median_survival_time_, rel=1e-6)


def test_counts_of_every_step_reconcile(study: Study) -> None:
    flow = study.attrition.groupby("step", sort=False)["kept"].agg(["size", "sum"])
    assert flow.loc["riaz2017/clinical.tsv: samples"].tolist() == [118, 108]
    assert flow.loc["pre features"].tolist() == [65, 51]
    assert flow.loc["on features"].tolist() == [65, 57]
    assert flow.loc["response"].tolist() == [65, 62]
    assert math.isclose(flow["size"].sum(), len(study.attrition))


def test_the_same_seed_gives_the_same_tables(study: Study) -> None:
    again = ims.run(study.cohort)
    for name, table in study.tables.items():
        pd.testing.assert_frame_equal(table, again[name])
