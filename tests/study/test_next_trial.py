"""The next trial of a study: its rules are those of the data, its rates those of the shrunken effect."""

from __future__ import annotations

from types import MappingProxyType

import pytest

import immunosarc as ims
from immunosarc import design
from immunosarc.errors import PlanError
from immunosarc.report import _section_next_trial
from immunosarc.report._section import FigureOrder, Grid, Text
from immunosarc.study import FeatureSpec, NextTrial, Panel, Plan, _question_tasks
from immunosarc.study._associations import associations_of, measured_features
from immunosarc.study._groups import shrunken
from immunosarc.study._next_trial import next_trial_tables
from immunosarc.study._scores import score_panels
from tests.report.conftest import StandIn

FEATURES = {
    "b_lineage": FeatureSpec(signature="mcp_b_lineage", method="mean_log2"),
    "cyt": FeatureSpec(signature="cyt", method="mean_log2"),
    "endothelial": FeatureSpec(signature="mcp_endothelial", method="mean_log2"),
}
ASKED = {"controls": "doxorubicin", "published": {"b_lineage": "tls"}, "shares": (0.5, 0.25)}


@pytest.fixture(scope="module")
def parts() -> dict[str, object]:
    """Everything that a run hands to the next trial, without the rest of a run."""
    cohort = ims.simulate_cohort(seed=7, n_null=1)
    plan = Plan(
        panels=(Panel(name="primary", features=FEATURES),),
        timepoints=("pre",),
        endpoints=("objective_response", "pfs6"),
        null_rates={"pfs6": 0.434},
        n_permutations=50,
    )
    outcomes = ims.endpoints.derive(cohort)
    measured = measured_features(cohort, plan, score_panels(cohort, plan))
    found = associations_of(_question_tasks.asked(cohort, plan, outcomes, measured, 0))
    tables = {"associations": found, "shrinkage": shrunken(found)}
    return {"cohort": cohort, "plan": plan, "outcomes": outcomes, "measured": measured, "tables": tables}


def asked(parts: dict[str, object], **next_trial: object) -> StandIn:
    plan = parts["plan"].model_copy(update={"next_trial": NextTrial(**next_trial) if next_trial else None})
    found = next_trial_tables(
        parts["cohort"], plan, parts["outcomes"], measured=parts["measured"], tables=parts["tables"]
    )
    return StandIn(cohort=parts["cohort"], plan=plan, tables=MappingProxyType(parts["tables"] | found))


@pytest.fixture(scope="module")
def study(parts: dict[str, object]) -> StandIn:
    return asked(parts, **ASKED)


def test_rules_select_by_the_data_and_rates_come_from_the_effects(
    study: StandIn, parts: dict[str, object]
) -> None:
    table = study["next_trial"]
    assert sorted(set(table["p0"])) == [0.14, 0.194]
    assert set(table["endpoint"]) == {"objective_response"}
    rows = table[table["p0"] == 0.194].set_index("rule")
    pre = parts["measured"]["pre"]["primary"]
    response = parts["outcomes"]["objective_response"]
    estimates = study["associations"].query(
        "measure == 'log_odds_ratio_per_sd' and endpoint == 'objective_response'"
    )
    estimates = estimates.set_index("feature")
    pulled = study["shrinkage"]
    pulled = pulled[pulled["family"] == estimates["family"].iloc[0]].set_index("feature")
    for feature in FEATURES:
        own = design.MarkerEffect(estimates.loc[feature, "estimate"], estimates.loc[feature, "std_error"])
        if feature == "b_lineage":
            effect = design.combine_effects(own, design.published_effect((9, 30), (1, 41)))
            source = "pembrosarc_tls"
        else:
            effect = design.MarkerEffect(*pulled.loc[feature, ["shrunken", "shrunken_error"]].astype(float))
            source = "shrunken effect"
        low = (effect.log_odds_ratio or own.log_odds_ratio) < 0
        name = f"{feature}: {'lowest' if low else 'highest'} 25%"
        values = pre[feature].dropna()
        chosen = values <= values.quantile(0.25) if low else values > values.quantile(0.75)
        inside = response.reindex(values.index[chosen]).dropna().astype(bool)
        assert (rows.loc[name, "n_here"], rows.loc[name, "responders_here"]) == (len(inside), inside.sum())
        assert source in rows.loc[name, "source"]
        signed = effect._replace(log_odds_ratio=-effect.log_odds_ratio if low else effect.log_odds_ratio)
        told = design.rate_in_selected(signed, share=rows.loc[name, "prevalence"], responders=(10, 30))
        assert rows.loc[name, "rate"] == pytest.approx(told.mean, abs=1e-9)
    assert rows.loc["b_lineage: highest 25%", "rate"] < rows.loc["b_lineage: highest 25%", "rate_raw"]


def test_without_a_declaration_the_rate_to_beat_is_that_of_all_patients(parts: dict[str, object]) -> None:
    study = asked(parts)
    assert set(study["next_trial"]["p0"]) == {0.333}
    assert study["historical_controls"]["control"].tolist() == ["declared by the plan"]
    assert study["historical_controls"]["p_value"].iloc[0] == pytest.approx(0.444, abs=5e-4)
    text = _section_next_trial.build(study).blocks[0]
    assert isinstance(text, Text)
    assert "to beat 33.3% (the rate of all patients here: no historical rate is declared)" in text.text


def test_the_section_says_that_the_control_decides(study: StandIn) -> None:
    section = _section_next_trial.build(study)
    words = " ".join(block.text for block in section.blocks if isinstance(block, Text))
    assert "13 of 28 patients (46.4%). Exact one-sided test at 0.1: 1 of 5 rates are beaten" in words
    assert "the choice of the control decides the conclusion" in words
    assert "Any rate below 33.1% would be beaten" in words
    figures = [block for block in section.blocks if isinstance(block, FigureOrder)]
    assert [one.key for one in figures] == ["next_trial", "objective_response", "pfs6"]
    grids = [block for block in section.blocks if isinstance(block, Grid)]
    beaten = {row[1]: row[5] for row in grids[1].rows if row[0].startswith("Progression")}
    assert beaten["null rate of NCT04028063"] == "no"
    assert beaten["nivolumab + ipilimumab"] == "yes"
    assert len(grids[0].rows) == len(study["next_trial"])


def test_names_that_nothing_knows_are_refused_together() -> None:
    wrong = {"endpoint": "pfs", "features": ["b_lineages"], "published": {"cyt": "tlss"}}
    plan = Plan(panels=(Panel(name="primary", features=FEATURES),), next_trial=NextTrial(**wrong))
    problems = "\n".join(plan.problems())
    assert "no binary endpoint 'pfs'" in problems
    assert "no panel has feature 'b_lineages'. Did you mean 'b_lineage'" in problems
    assert "no published marker 'tlss'. Did you mean 'tls'" in problems
    with pytest.raises(PlanError, match=r"unknown key 'next_trial.controlz'. Did you mean 'controls'"):
        Plan.from_mapping({"next_trial": {"controlz": "doxorubicin"}})
    with pytest.raises(PlanError, match="must exceed alpha"):
        Plan.from_mapping({"next_trial": {"alpha": 0.9, "power": 0.5}})


def test_a_mix_changes_whom_the_next_trial_meets(study: StandIn, parts: dict[str, object]) -> None:
    histologies = parts["cohort"].patients["histology"].value_counts(normalize=True)
    first = histologies.index[0]
    rest = histologies.drop(first)
    mix = {first: 0.6} | (0.4 * rest / rest.sum()).to_dict()
    changed = asked(parts, **ASKED, mix=mix)["next_trial"].set_index(["rule", "p0"])
    response = parts["outcomes"]["objective_response"].dropna().astype(bool)
    kinds = parts["cohort"].patients["histology"]
    weights = kinds.map(mix) / kinds.map(histologies)
    weights *= weights.sum() / (weights**2).sum()
    known = weights.reindex(response.index)
    rate = (known[response].sum() + 0.5) / (known.sum() + 1)
    assert changed.loc[("all patients", 0.194), "rate"] == pytest.approx(rate, abs=1e-9)
    plain = study["next_trial"].set_index(["rule", "p0"])
    assert abs(changed.loc[("all patients", 0.194), "rate"] - plain.loc[("all patients", 0.194), "rate"]) > 1e-3
