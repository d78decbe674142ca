"""The declared question of prediction in a study, its certificate, and locked models of other cohorts."""

from __future__ import annotations

import numpy as np
import pytest

import immunosarc as ims
from immunosarc.errors import PlanError
from immunosarc.models import audit_leakage, cross_validate
from immunosarc.report._section import FigureOrder, Grid, Part, Text
from immunosarc.report._section_prediction import build
from immunosarc.study import FeatureSpec, Panel, Plan, PredictionQuestion, lock_signatures, run, transport_to
from immunosarc.study._prediction import prediction_tables

PANEL = Panel(
    name="primary",
    features={
        "b_lineage": FeatureSpec(signature="mcp_b_lineage", method="mean_log2"),
        "tis_mean_z": FeatureSpec(signature="tis18_unweighted", method="mean_z"),
    },
)
SMALL = {
    "panels": (PANEL,),
    "timepoints": ("pre",),
    "endpoints": ("objective_response",),
    "binary_models": ("mann_whitney",),
    "n_permutations": 20,
}
QUICK = {"n_repeats": 2, "n_bootstrap": 10, "n_folds": 3}


@pytest.fixture(scope="module")
def trial() -> ims.Cohort:
    return ims.simulate_cohort(7, n_null=1)


@pytest.fixture(scope="module")
def elsewhere():
    return lock_signatures(
        ims.simulate_cohort(8, n_null=1),
        ["mcp_b_lineage"],
        endpoint="objective_response",
        name="elsewhere",
        intended_use="An example.",
        n_bootstrap=0,
    )


@pytest.fixture(scope="module")
def study(trial, elsewhere):
    plan = Plan(**SMALL, prediction=PredictionQuestion(features=("b_lineage",), **QUICK))
    return run(trial, plan, locked_models=[elsewhere], seed=3)


def _parts(section) -> dict[str, Part]:
    return {one.title: one for one in section.blocks}


def _texts(part: Part) -> str:
    return " ".join(one.text for one in part.blocks if isinstance(one, Text))


def test_the_tables_are_those_of_the_models(study, trial):
    scores = ims.features.score(
        trial["rna"], ims.features.signatures().subset("mcp_b_lineage"), method="mean_log2"
    )
    table = trial.at("pre").per_patient(scores.rename(columns={"mcp_b_lineage": "b_lineage"}))
    alone = cross_validate(table, study["outcomes"], endpoint="objective_response", seed=3, **QUICK)
    found = study["prediction"].set_index(["measure", "estimator"])["estimate"]
    assert found["auc", "cross_validated"] == pytest.approx(alone.estimate("auc"), abs=1e-12)
    assert found["brier", "optimism_corrected"] == pytest.approx(
        alone.estimate("brier", "optimism_corrected"), abs=1e-12
    )
    assert study["calibration"]["n"].sum() == study["prediction"]["n"].iloc[0]
    audit = audit_leakage(
        "ridge_logistic", table, study["outcomes"], endpoint="objective_response", n_folds=3, seed=3
    )
    both = [one.set_index("check")["found"].drop("cohort_relative_scores") for one in (study["leakage"], audit)]
    assert both[0].to_numpy(float) == pytest.approx(both[1].to_numpy(float), nan_ok=True)
    assert not study["leakage"]["passed"].eq(False).any()


def test_a_cohort_relative_score_is_named_in_the_certificate(trial, study):
    plan = Plan(**SMALL, prediction=PredictionQuestion(features=("tis_mean_z",), **QUICK))
    measured = {"pre": {"primary": _table_of(trial)}}
    tables = prediction_tables(plan, study["outcomes"], measured, 0)
    leak = tables["leakage"].set_index("check").loc["cohort_relative_scores"]
    assert leak["passed"] == False  # noqa: E712 - a nullable flag
    assert "tis_mean_z" in leak["finding"]


def _table_of(trial):
    from immunosarc.study._scores import score_panels

    return trial.at("pre").per_patient(score_panels(trial, Plan(**SMALL))["primary"].scores)


def test_too_few_for_the_features_is_the_answer_and_nothing_is_fitted(trial, study):
    plan = Plan(**SMALL, prediction=PredictionQuestion(features=("b_lineage", "tis_mean_z")))
    tables = prediction_tables(plan, study["outcomes"], {"pre": {"primary": _table_of(trial)}}, 0)
    assert (
        tables["prediction"]["status"].iloc[0].startswith("not enough data to model: 10 events for 2 candidates")
    )
    assert tables["prediction"]["estimate"].isna().all()
    assert len(tables["calibration"]) == 0


def test_a_feature_that_nobody_has_or_that_is_not_there(trial, study):
    plan = Plan(**SMALL, prediction=PredictionQuestion(features=("b_lineage",), min_events_per_parameter=0))
    empty = _table_of(trial).assign(b_lineage=np.nan)
    tables = prediction_tables(plan, study["outcomes"], {"pre": {"primary": empty}}, 0)
    assert tables["prediction"]["status"].iloc[0].startswith("not enough data to model: 0 events for 5 folds")
    assert "leakage" not in tables
    lacking = _table_of(trial).drop(columns="b_lineage")
    with pytest.raises(PlanError, match="panel 'primary' has no feature 'b_lineage'"):
        prediction_tables(plan, study["outcomes"], {"pre": {"primary": lacking}}, 0)


def test_undeclared_only_the_gate_speaks(trial, study):
    measured = {"pre": {"primary": _table_of(trial)}}
    tables = prediction_tables(Plan(**SMALL), study["outcomes"], measured, 0)
    assert list(tables) == ["prediction"]
    row = tables["prediction"].iloc[0]
    assert (row["n_events"], row["n_parameters"]) == (10, 2)
    assert row["status"].startswith("not enough data to model")
    one = {"pre": {"primary": _table_of(trial).drop(columns="tis_mean_z")}}
    enough = prediction_tables(Plan(**SMALL), study["outcomes"], one, 0)["prediction"].iloc[0]
    assert enough["status"].startswith("not declared")
    assert np.isnan(enough["estimate"])
    assert prediction_tables(Plan(**SMALL), study["outcomes"], {}, 0) == {}


def test_a_locked_model_of_another_cohort_stands_in_the_study(study, trial, elsewhere):
    alone = transport_to(elsewhere, trial)
    assert study["transport"]["estimate"].to_numpy() == pytest.approx(
        alone.performance["estimate"].to_numpy(), nan_ok=True, abs=1e-12
    )
    assert set(study["transport"]["verdict"]) == {alone.verdict}
    assert study["transport_calibration"]["model"].unique().tolist() == ["elsewhere"]
    assert study["transport_predictions"]["event"].sum() == 10


def test_the_section_says_what_the_tables_say(study):
    parts = _parts(build(study))
    assert list(parts) == ["Is there enough data to model?", "Leakage certificate", "Transport of elsewhere"]
    asked = parts["Is there enough data to model?"]
    assert "10.0 of the rarer outcome for each" in _texts(asked)
    grid = next(one for one in asked.blocks if isinstance(one, Grid))
    auc = study["prediction"].iloc[0]
    told = f"{auc['estimate']:.2f} [{auc['conf_low']:.2f}, {auc['conf_high']:.2f}]"
    assert grid.rows[0][:3] == ["AUC", "cross-validated", told]
    figures = [one.name for one in asked.blocks if isinstance(one, FigureOrder)]
    assert figures == ["calibration", "decision_curve"]
    certificate = next(one for one in parts["Leakage certificate"].blocks if isinstance(one, Grid))
    assert len(certificate.rows) == len(study["leakage"]) == 12
    assert {row[2] for row in certificate.rows} == {"passed", "not made"}
    transported = parts["Transport of elsewhere"]
    verdict = study["transport"]["verdict"].iloc[0]
    assert {"undecided": "neither trusted nor refuted"}.get(verdict, verdict) in _texts(transported)
    assert "calibration_elsewhere" in [one.name for one in transported.blocks if isinstance(one, FigureOrder)]


def test_the_section_shouts_when_something_leaks(trial, study):
    import dataclasses
    from types import MappingProxyType

    leaky = study["leakage"].copy()
    leaky.loc[leaky["check"] == "shuffled_outcomes", ["passed", "finding"]] = [False, "predicted at random"]
    other = dataclasses.replace(study, tables=MappingProxyType({**study.tables, "leakage": leaky}))
    part = _parts(build(other))["Leakage certificate"]
    assert part.condition == "1 leak(s) found"
    assert "cannot be trusted" in _texts(part)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"features": ["b_linage"]}, "no feature 'b_linage'. Did you mean 'b_lineage'"),
        ({"features": ["b_lineage"], "panel": "primry"}, "unknown panel 'primry'. Did you mean 'primary'"),
        ({"features": ["b_lineage"], "endpoint": "pfs7"}, "unknown endpoint 'pfs7'"),
        ({"features": ["b_lineage"], "endpoint": "best_overall_response"}, "is ordinal"),
        ({"features": ["b_lineage"], "model": "ridge_cox"}, "'ridge_cox' is not for a binary endpoint"),
        ({"features": ["b_lineage"], "model": "ridge_logit"}, "Did you mean 'ridge_logistic'"),
        ({"features": ["b_lineage"], "risk_by": 6}, "risk_by is for time-to-event endpoints"),
        ({"features": ["b_lineage"], "timepoint": "on"}, "timepoint 'on' is none of the plan's"),
        ({"feature": ["b_lineage"]}, "unknown key 'prediction.feature'. Did you mean 'features'"),
        ({"features": []}, "prediction.features"),
        ({"features": ["b_lineage"], "n_folds": 1}, "prediction.n_folds"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(trial, asked, words):
    with pytest.raises(PlanError) as refusal:
        ims.study.plan_for(trial, Plan(**SMALL).model_dump() | {"prediction": asked})
    assert words in str(refusal.value)
