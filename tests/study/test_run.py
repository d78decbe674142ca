"""The run: what a plan gets, and what a cohort that lacks things still gets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import CoverageError
from immunosarc.report import _section_association, _section_biopsies
from immunosarc.study import FeatureSpec, Panel, Plan


def cohort_with(genes: list[str]) -> ims.Cohort:
    ids = [f"P{i}" for i in range(12)]
    patients = pd.DataFrame({"patient_id": ids, "best_overall_response": ["PR"] * 4 + ["SD"] * 4 + ["PD"] * 4})
    samples = pd.DataFrame({"sample_id": [f"{i}a" for i in ids], "patient_id": ids, "timepoint": "pre"})
    values = np.random.default_rng(1).lognormal(size=(12, len(genes)))
    rna = ims.make_assay(pd.DataFrame(values, index=samples["sample_id"], columns=genes), unit="tpm")
    return ims.Cohort(patients, samples, assays={"rna": rna})


PANEL = Panel(
    name="two",
    features={
        "cyt_mean": FeatureSpec(signature="cyt", method="mean_log2"),
        "cd8": FeatureSpec(signature="mcp_cd8_t_cells", method="mean_log2"),
    },
    gene_sets={"mine": ("GZMA", "ACTB")},
)


def test_an_uncovered_feature_keeps_its_row_and_the_run_goes_on() -> None:
    study = ims.run(cohort_with(["GZMA", "PRF1", "ACTB"]), Plan(panels=(PANEL,), n_permutations=100))
    rows = study["associations"].query("model == 'mann_whitney' and endpoint == 'objective_response'")
    assert rows["feature"].tolist() == ["cyt_mean", "cd8", "mine"]
    assert rows["n"].tolist() == [12, 0, 12]
    assert rows["status"].tolist()[1] != "ok"
    assert rows["scoring"].tolist()[0] == "mean_log2(log2_tpm)"
    assert "mcp_cd8_t_cells" in study["coverage"].query("status != 'ok'")["signature"].tolist()


def test_wrong_identifiers_stop_the_run() -> None:
    with pytest.raises(CoverageError, match="none of"):
        ims.run(cohort_with(["ENSG01", "ENSG02"]), Plan(n_permutations=100))


def test_a_cohort_without_an_assay_still_gets_its_endpoints() -> None:
    patients = pd.DataFrame({"patient_id": ["P1", "P2"], "best_overall_response": ["PR", "PD"]})
    study = ims.run(ims.Cohort(patients))
    assert len(study["associations"]) == 0
    assert study["summary"].set_index("measure").loc["objective_response", "estimate"] == 0.5
    assert "SIMULATED" not in repr(study)


def test_the_study_names_its_tables() -> None:
    study = ims.run(
        cohort_with(["GZMA", "PRF1"]), Plan(panels=(Panel(name="p", signatures=("cyt",)),), n_permutations=50)
    )
    with pytest.raises(ims.errors.UnknownNameError, match="Did you mean 'associations'"):
        study["association"]
    assert "associations" in study._repr_html_()
    assert study.provenance["plan_sha256"] == study.plan.sha256


def test_blood_is_not_scored_as_tumor() -> None:
    tumor = cohort_with(["GZMA", "PRF1", "ACTB"])
    specimen = ["blood"] * 3 + ["tumor"] * 8 + [None]
    mixed = ims.Cohort(tumor.patients, tumor.samples.assign(specimen=specimen), assays=tumor.assays)
    study = ims.run(mixed, Plan(panels=(PANEL,), n_permutations=100))
    rows = study["associations"].query("model == 'mann_whitney' and endpoint == 'objective_response'")
    assert rows["n"].tolist() == [9, 0, 9]
    flow = study.attrition.query("step == 'tumor'")
    assert flow["kept"].tolist() == [False] * 3 + [True] * 9
    assert flow["reason"].tolist()[0] == "specimen is blood, not tumor"


def test_two_tumor_biopsies_of_one_patient_are_found_before_the_run() -> None:
    cohort = cohort_with(["GZMA", "PRF1"])
    twice = ims.Cohort(
        cohort.patients, cohort.samples.assign(patient_id=["P0", "P0", *cohort.samples["patient_id"][2:]])
    )
    twice = ims.Cohort(twice.patients, twice.samples, assays=cohort.assays)
    with pytest.raises(ims.errors.PlanError, match=r"more than one tumor sample at 'pre' \(P0.*replicates"):
        ims.run(twice)


def test_the_seed_of_the_simulation_is_kept_beside_the_seed_of_the_run() -> None:
    plan = Plan(panels=(Panel(name="p", signatures=("cyt",)),), n_permutations=50)
    provenance = ims.run(ims.simulate_cohort(seed=7), plan, seed=3).provenance
    assert (provenance["simulation_seed"], provenance["seed"]) == (7, 3)


def test_landmarks_and_grades_of_a_plan_are_what_associate_says() -> None:
    cohort = ims.simulate_cohort(seed=7)
    plan = Plan(
        panels=(Panel(name="p", signatures=("cyt", "apm6")),),
        endpoints=("objective_response", "pfs", "best_overall_response"),
        landmark_days=(50,),
        n_permutations=50,
    )
    study = ims.run(cohort, plan)
    rows = study["associations"].query("family == 'on/pfs@day50/cox/p'").reset_index(drop=True)
    scores = ims.features.score(cohort["rna"])[["cyt", "apm6"]]
    table, outcomes = cohort.at("on").per_patient(scores), ims.endpoints.derive(cohort)
    alone = ims.models.associate(
        table, outcomes, endpoint="pfs", model="cox", landmark_day=50, per_sd=True, panel="p", n_permutations=50
    )
    pd.testing.assert_series_equal(rows["estimate"], alone["estimate"])
    assert rows["p_maxt"].tolist() == alone["p_maxt"].tolist()
    kept = study["landmarks"].query("step == 'pfs from landmark day 50'")["kept"]
    assert (len(kept), kept.sum()) == (33, rows["n"].max())
    assert "pre/best_overall_response/proportional_odds/p" in set(study["families"]["family"])
    assert "on/best_overall_response@day50/proportional_odds/p" in set(study["families"]["family"])


def test_directions_and_time_dependent_models_reach_the_associations() -> None:
    panel = Panel(name="p", features={"b": FeatureSpec(signature="mcp_b_lineage", method="mean_log2")})
    asked = {"panels": (panel,), "endpoints": ("objective_response", "pfs"), "n_permutations": 200}
    asked["time_to_event_models"] = ("cox", "cox_time_dependent")
    cohort = ims.simulate_cohort(seed=7)
    both = ims.run(cohort, Plan(**asked))["associations"].set_index("family")
    stated = ims.run(cohort, Plan(**asked, directions="catalog"))["associations"].set_index("family")
    family = "pre/objective_response/mann_whitney/p"
    assert both.loc[family, "alternative"] == "two-sided"
    assert (stated.loc[family, "alternative"], stated.loc["pre/pfs/cox/p", "alternative"]) == ("greater", "less")
    assert stated.loc[family, "p_value"] == pytest.approx(both.loc[family, "p_value"] / 2)
    assert both.loc["on/pfs/cox_time_dependent/p", "n"] > 10
    assert "on/pfs/cox/p" not in both.index


def test_purity_of_the_samples_gives_the_change_per_cell_that_is_no_tumor_cell() -> None:
    plain = ims.simulate_cohort(seed=7)
    purity = pd.Series(np.random.default_rng(1).uniform(0.2, 0.9, len(plain.samples)), plain.samples.index)
    purity.iloc[0] = 1.0  # nothing else in it: no cell to count by
    parts = {"tables": plain.tables, "assays": plain.assays, "provenance": plain.provenance}
    cohort = ims.Cohort(patients=plain.patients, samples=plain.samples.assign(purity=purity), **parts)
    panel = Panel(name="p", features={"cyt_mean_log2": FeatureSpec(signature="cyt", method="mean_log2")})
    study = ims.run(cohort, Plan(panels=(panel,), timepoints=("pre",), n_permutations=50))
    found = (
        study["adjusted_changes"].query("feature == 'cyt_mean_log2' and group == 'all'").set_index("adjustment")
    )
    assert set(found.index) == {"none", "balance", "purity"}
    scores = study["scores"].set_index("sample_id")["cyt_mean_log2"] if "sample_id" in study["scores"] else None
    scores = study["scores"]["cyt_mean_log2"] if scores is None else scores
    per_cell = scores - np.log2(1 - purity[purity < 1])
    by_patient = per_cell.groupby([cohort.samples["patient_id"], cohort.samples["timepoint"]]).first().unstack()
    n = by_patient[["pre", "on"]].dropna().shape[0]
    assert found.loc["purity", "n"] == n
    assert found.loc["purity", "n"] <= found.loc["none", "n"]
    assert found.loc["purity", "estimate"] != found.loc["none", "estimate"]


def test_two_biopsies_give_their_tables_and_say_simulated() -> None:
    panel = Panel(name="p", features={"cyt_mean_log2": FeatureSpec(signature="cyt", method="mean_log2")})
    cohort = ims.simulate_cohort(seed=7)
    study = ims.run(cohort, Plan(panels=(panel,), n_permutations=200, strata="schedule_stage"))
    change = study["adjusted_changes"].query("adjustment == 'balance' and group == 'all'").set_index("feature")
    assert {"cyt_mean_log2", "mcp_t_cells"} <= set(change.index)
    assert (change["n"] == len(cohort.pairs)).all()
    assert study["transitions"]["n"].sum() == len(cohort.pairs)
    assert (study["transitions"]["reference"] == "own_pre").all()
    assert len(study["shift"]) == len(study["class_changes"]) == 33
    assert study["biopsied"]["n_with"].iloc[0] == len(cohort.pairs)
    assert {"all patients", "cyt_mean_log2: lowest 50%"} <= set(study["next_trial"]["rule"])
    sizes = study["strata_sizes"].query("timepoint == 'pre' and endpoint == 'objective_response'")
    assert sizes.set_index("stratum")["n_events"].to_dict() == {"1": 9, "2": 1, "all": 10}
    for name in (
        "adjusted_changes",
        "transitions",
        "class_changes",
        "shift",
        "biopsied",
        "explained_by_histology",
    ):
        assert (study[name]["simulated"] == "SIMULATED").all(), name


def test_shrunken_effects_stand_beside_the_raw_ones_of_their_family() -> None:
    panel = Panel(name="p", signatures=("cyt", "apm6", "mcp_b_lineage"))
    study = ims.run(ims.simulate_cohort(seed=7), Plan(panels=(panel,), n_permutations=50, endpoints=("pfs",)))
    rows = study["associations"].query("family == 'pre/pfs/cox/p'")
    pulled, _, spread = ims.stats.shrink(rows["estimate"].to_numpy(), rows["std_error"].to_numpy())
    table = study["shrinkage"].query("family == 'pre/pfs/cox/p'")
    assert table["feature"].tolist() == rows["feature"].tolist()
    assert table["shrunken"].tolist() == pytest.approx(pulled.tolist())
    assert table["spread"].iloc[0] == pytest.approx(spread)


def test_a_cohort_too_small_for_an_axis_says_so() -> None:
    small = cohort_with(["GZMA", "PRF1"])
    pairs = pd.concat(
        [small.samples, small.samples.assign(timepoint="on").rename(index=lambda name: f"{name}2")]
    ).rename_axis("sample_id")
    values = np.random.default_rng(2).lognormal(size=(24, 2))
    rna = ims.make_assay(pd.DataFrame(values, index=pairs.index, columns=["GZMA", "PRF1"]), unit="tpm")
    study = ims.run(
        ims.Cohort(small.patients, pairs, assays={"rna": rna}),
        Plan(panels=(Panel(name="p", signatures=("cyt",), method="mean_log2"),), n_permutations=50),
    )
    assert "a reference needs 20 samples, the assay has 12" in study["transitions"]["status"].iloc[0]
    assert study["adjusted_changes"].empty
    assert len(study["change_by_response"]) == 1


def test_biopsies_at_progression_are_compared_with_those_before() -> None:
    small = cohort_with(["GZMA", "PRF1"])
    taken = [
        small.samples.assign(timepoint=t).rename(index=lambda name, t=t: f"{name}_{t}")
        for t in ("pre", "on", "post")
    ]
    samples = pd.concat(taken).rename_axis("sample_id")
    values = np.random.default_rng(2).lognormal(size=(36, 2))
    values[24:] *= 8
    rna = ims.make_assay(pd.DataFrame(values, index=samples.index, columns=["GZMA", "PRF1"]), unit="tpm")
    cohort = ims.Cohort(small.patients, samples, assays={"rna": rna})
    panel = Panel(name="p", signatures=("cyt",), method="mean_log2")
    study = ims.run(cohort, Plan(panels=(panel,), n_permutations=200))
    scores = ims.features.score(cohort["rna"], ims.features.signatures().subset("cyt"), method="mean_log2")
    alone = ims.models.compare_timepoints(
        cohort, scores, study["outcomes"], after="post", panel="p", n_permutations=200
    )
    pd.testing.assert_series_equal(study["progression_changes"]["hodges_lehmann"], alone["hodges_lehmann"])
    assert study["progression_changes"]["p_maxt"][0] < 0.05
    course = study["feature_course"].set_index("after")
    assert course.loc["post", "estimate"] > 1 > abs(course.loc["on", "estimate"])
    page = "".join(block.title for block in _section_biopsies.build(study).blocks)
    assert "biopsies at progression" in page
    assert "mixed model" in page


def test_the_card_says_what_each_family_could_have_found() -> None:
    plan = Plan(panels=(Panel(name="p", signatures=("cyt", "mcp_cd8_t_cells")),), n_permutations=200)
    study = ims.run(cohort_with(["GZMA", "PRF1", "CD8A", "ACTB"]), plan)
    card, rows = study["detectability"], study["associations"]
    assert card["family"].drop_duplicates().tolist() == rows["family"].drop_duplicates().tolist()
    for family, part in card.groupby("family"):
        mine = rows[rows["family"] == family]
        assert part["n_features"].iloc[0] == len(mine)
        if mine["noise_ceiling"].isna().all():  # nothing to permute: one row that says so
            assert part["effect"].isna().all()
            continue
        # the threshold of the card is the one that the associations are held against
        np.testing.assert_allclose(part["threshold"].iloc[[0, 1, 2, 4]], mine["noise_ceiling"].max(), rtol=1e-12)
        assert part["threshold"].iloc[3] < part["threshold"].iloc[4]
        assert part["what"].str.contains("90% power").sum() == 1
    assert {"power", "type_s", "type_m"} <= set(card)
    page = " ".join(part.title for part in _section_association.build(study).blocks if hasattr(part, "title"))
    assert "What could have been found" in page
