"""The plan: declared, hashed, and every unknown name refused with a hint."""

from __future__ import annotations

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import PlanError
from immunosarc.study import Hypothesis, Panel, Plan, plan_for


def test_the_hash_follows_the_content() -> None:
    plan = Plan(hypotheses=(Hypothesis(feature="cyt_mean_log2"),))
    again = Plan.from_mapping(plan.model_dump(mode="json"))
    assert plan.sha256 == again.sha256
    assert plan.sha256 != Plan(alpha=0.1, hypotheses=plan.hypotheses).sha256
    assert plan.sha256 != Plan().sha256


def test_features_on_treatment_are_planned_for_response_only() -> None:
    on = [test for test in Plan().tests() if test[0] == "on"]
    assert {endpoint for _, endpoint, _ in on} == {"objective_response"}
    assert ("pre", "pfs", "cox") in Plan().tests()
    assert ("pre", "pfs6", "firth_logistic") in Plan().tests()


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
