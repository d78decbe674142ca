"""The plan: declared, hashed, and every unknown name refused with a hint."""

from __future__ import annotations

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import PlanError
from immunosarc.study import Hypothesis, Panel, Plan, plan_for
from immunosarc.study._directions import stated_sides


def test_the_hash_follows_the_content() -> None:
    plan = Plan(hypotheses=(Hypothesis(feature="cyt_mean_log2"),))
    again = Plan.from_mapping(plan.model_dump(mode="json"))
    assert plan.sha256 == again.sha256
    assert plan.sha256 != Plan(alpha=0.1, hypotheses=plan.hypotheses).sha256
    assert plan.sha256 != Plan().sha256


def test_features_on_treatment_are_planned_for_response_only() -> None:
    on = [test for test in Plan().tests() if test[0] == "on"]
    assert {test.endpoint for test in on} == {"objective_response"}
    assert ("pre", "pfs", "cox", None) in Plan().tests()
    assert ("pre", "pfs6", "firth_logistic", None) in Plan().tests()


def test_landmark_days_plan_the_rest_each_day_a_family() -> None:
    plan = Plan(landmark_days=(60, 90, 200), endpoints=("objective_response", "pfs6", "pfs"))
    on = {(test.endpoint, test.landmark_day) for test in plan.tests() if test.timepoint == "on"}
    assert on == {("objective_response", None), ("pfs6", 60), ("pfs6", 90), ("pfs", 60), ("pfs", 90), ("pfs", 200)}
    assert all(test.landmark_day is None for test in plan.tests() if test.timepoint == "pre")
    asked = Hypothesis(feature="cyt_mean_log2", timepoint="on", endpoint="pfs", model="cox", landmark_day=60)
    assert asked.family == "on/pfs@day60/cox/primary"
    assert Plan(landmark_days=(60,), hypotheses=(asked,)).problems() == []
    assert "no test 'on/pfs@day60/cox/primary' is planned" in Plan(hypotheses=(asked,)).problems()[0]


def test_a_landmark_that_begins_nothing_is_refused() -> None:
    assert "begin no test" in Plan(landmark_days=(60,), timepoints=("pre",)).problems()[0]
    assert "begin no test" in Plan(landmark_days=(183,), endpoints=("pfs6",)).problems()[0]
    with pytest.raises(PlanError, match="at least 1 are needed"):
        Plan.from_mapping({"landmark_days": [0]})


def test_an_ordinal_endpoint_has_its_own_models() -> None:
    plan = Plan(endpoints=("best_overall_response",), timepoints=("pre",))
    assert plan.tests() == [("pre", "best_overall_response", "proportional_odds", None)]
    assert plan.problems() == []


def test_unknown_keys_and_values_come_together() -> None:
    mapping = {
        "alfa": 0.1,
        "n_permutations": 0,
        "endpoints": ["pfs", "pfs"],
        "panels": [{"name": "p", "methods": "singscore"}],
    }
    with pytest.raises(PlanError, match=r"4 problem\(s\)") as caught:
        Plan.from_mapping(mapping)
    message = str(caught.value)
    assert "unknown key 'alfa'. Did you mean 'alpha'?" in message
    assert "unknown key 'panels.0.methods'. Did you mean 'method'?" in message
    assert "n_permutations" in message


def test_unknown_names_come_together_with_hints() -> None:
    cohort = ims.Cohort(pd.DataFrame({"patient_id": ["P1"], "histology": ["LMS"]}))
    plan = Plan(
        panels=(Panel(name="mine", signatures=("cytt",), method="singscor"),),
        endpoints=("objective_response", "pfs66"),
        strata="histologie",
        hypotheses=(Hypothesis(feature="cyt", panel="other"),),
    )
    with pytest.raises(PlanError) as caught:
        plan_for(cohort, plan)
    message = str(caught.value)
    for hint in (
        "Did you mean 'cyt'?",
        "Did you mean 'singscore'?",
        "Did you mean 'pfs6'?",
        "Did you mean 'histology'?",
    ):
        assert hint in message
    assert "no test 'pre/objective_response/firth_logistic/other' is planned" in message


def test_the_default_plan_stratifies_by_schedule_stage_where_there_is_one() -> None:
    bare = pd.DataFrame({"patient_id": ["P1"]})
    assert plan_for(ims.Cohort(bare)).strata is None
    assert plan_for(ims.Cohort(bare.assign(schedule_stage="1"))).strata == "schedule_stage"


def test_the_cohort_carries_its_own_plan() -> None:
    cohort = ims.Cohort(pd.DataFrame({"patient_id": ["P1"]}), provenance={"plan": {"title": "Own", "alpha": 0.1}})
    assert plan_for(cohort).title == "Own"
    assert plan_for(cohort, Plan(title="Given")).title == "Given"


def test_one_name_means_one_score() -> None:
    twice = Plan(
        panels=(Panel(name="a", signatures=("cyt",)), Panel(name="b", signatures=("cyt",), method="mean_z"))
    )
    assert "means another score elsewhere" in twice.problems()[0]
    same = Plan(panels=(Panel(name="a", signatures=("cyt",)), Panel(name="b", signatures="all")))
    assert same.problems() == []


def test_a_hypothesis_names_a_feature_of_its_panel() -> None:
    asked = Hypothesis(feature="cyt_mean_log3")
    assert "Did you mean 'cyt_mean_log2'?" in Plan(hypotheses=(asked,)).problems()[0]
    assert Plan(hypotheses=(Hypothesis(feature="cyt_mean_log2"),)).problems() == []


def test_gene_sets_of_one_name_must_hold_the_same_genes() -> None:
    x = Panel(name="x", gene_sets={"mine": ("CD8A", "CD3E")})
    y = Panel(name="y", gene_sets={"mine": ("GZMA", "PRF1")})
    assert "'mine' of panel 'y' means another score" in Plan(panels=(x, y)).problems()[0]
    shadow = Panel(name="x", signatures=("cyt",), gene_sets={"cyt": ("GZMA",)})
    assert "means another score" in Plan(panels=(shadow,)).problems()[0]


def test_empty_panels_are_refused() -> None:
    with pytest.raises(PlanError, match="panels without features"):
        Plan.from_mapping({"panels": [{"name": "p"}]})
    with pytest.raises(PlanError, match="at least one panel"):
        Plan.from_mapping({"panels": []})


def test_a_time_dependent_model_is_planned_for_samples_on_treatment_only() -> None:
    plan = Plan(time_to_event_models=("cox", "cox_time_dependent"), endpoints=("pfs",), landmark_days=(60,))
    assert plan.tests() == [
        ("pre", "pfs", "cox", None),
        ("on", "pfs", "cox", 60),
        ("on", "pfs", "cox_time_dependent", None),
    ]


def test_directions_of_the_catalog_turn_with_the_endpoint() -> None:
    panel = Panel(
        name="p", signatures=("cyt", "macrophage_m2_8", "mcp_endothelial"), gene_sets={"mine": ("CD8A",)}
    )
    plan = Plan(panels=(panel,), directions="catalog")
    assert stated_sides(plan, panel, "objective_response") == {"cyt": "greater", "macrophage_m2_8": "less"}
    for endpoint in ("pfs", "primary_resistance"):
        assert stated_sides(plan, panel, endpoint) == {"cyt": "less", "macrophage_m2_8": "greater"}
    assert stated_sides(Plan(panels=(panel,)), panel, "pfs") == "two-sided"
