"""The sections of the trial itself say the numbers of the tables, in words that a clinic reads."""

from __future__ import annotations

from types import MappingProxyType

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.report import (
    _section_biopsies,
    _section_definitions,
    _section_endpoints,
    _section_resistance,
    _section_safety,
)
from immunosarc.report._section import Grid, Part, Section, Text
from immunosarc.study import Plan, plan_for, trial_tables
from tests.report.conftest import StandIn


@pytest.fixture(scope="module")
def trial() -> StandIn:
    cohort = ims.simulate_cohort(7, n_null=1)
    plan, outcomes = plan_for(cohort), ims.endpoints.derive(cohort)
    tables = trial_tables(cohort, plan, outcomes, by=cohort.patients["schedule_stage"])
    return StandIn(cohort=cohort, plan=plan, tables=MappingProxyType(tables | {"outcomes": outcomes}))


def grids(section: Section) -> dict[str, Grid | Text]:
    parts = [block for block in section.blocks if isinstance(block, Part)]
    return {part.title: part.blocks[0] for part in parts}


def column(grid: Grid, name: str) -> list[str]:
    return [row[grid.head.index(name)] for row in grid.rows]


def test_who_counts_and_what_the_numbers_depend_on(trial: StandIn) -> None:
    found = grids(_section_definitions.build(trial))
    whole = [row for row in found["Populations"].rows if row[1] == "all"]
    assert [(row[0], row[3], row[4]) for row in whole] == [
        ("treated", "33", "0"),
        ("response-evaluable", "30", "3"),
        ("evaluable for durable benefit", "28", "5"),
        ("PFS6-evaluable", "28", "5"),
    ]
    twice = found["After the two-stage design"]
    assert column(twice, "Estimate [interval]") == ["46.4% [30.1, 63.4]", "51.8% [31.4, 65.9]"]
    assert column(twice, "One-sided p") == [".444", ".353"]
    assert "stop with at most 6 of 15; success with more than 15 of 28" in twice.note
    shares = found["Progression-free at six months, by every definition"]
    assert shares.rows[0][:6] == [
        "24 weeks (168 days)",
        "all",
        "binomial, evaluable; Clopper-Pearson",
        "17",
        "11",
        "5",
    ]
    assert shares.rows[3][3:6] == ["13", "15", "5"]
    follow_up = found["Follow-up and restricted mean survival"]
    assert follow_up.rows[0][0] == "Median follow-up, progression-free survival"
    table = trial["follow_up"].set_index(["measure", "stratum"])
    months = table.loc[("restricted_mean_os", "all"), "estimate"]
    row = next(row for row in follow_up.rows if row[:2] == ["Restricted mean, overall survival", "all"])
    assert row[4].startswith(f"{months:.1f} [")


def test_without_a_design_or_follow_up_nothing_is_shown(trial: StandIn) -> None:
    cohort = ims.Cohort(pd.DataFrame({"patient_id": ["P1"], "best_overall_response": ["PR"]}))
    outcomes = ims.endpoints.derive(cohort)
    tables = trial_tables(cohort, Plan(), outcomes, by=None)
    assert "two_stage" not in tables
    found = grids(_section_definitions.build(StandIn(cohort=cohort, plan=Plan(), tables=tables)))
    assert list(found) == ["Populations"]
    empty = StandIn(cohort=cohort, plan=Plan(), tables=tables)
    assert _section_safety.build(empty).blocks == _section_resistance.build(empty).blocks == ()


def test_resistance_counts_every_patient_once(trial: StandIn) -> None:
    found = grids(_section_resistance.build(trial))
    classes = dict(zip(column(found["Resistance"], "Class"), column(found["Resistance"], "Patients"), strict=True))
    assert {name: int(n) for name, n in classes.items()} == {
        "primary": 13,
        "secondary": 9,
        "sensitive ongoing": 4,
        "insufficient exposure": 0,
        "off treatment progression": 0,
        "unclassified": 2,
        "not evaluable": 5,
    }
    beside = found["iRECIST beside RECIST 1.1"]
    assert isinstance(beside, Text)
    assert beside.text.startswith("0 of 33 patients")


def test_a_patient_whom_irecist_sees_otherwise_is_listed(trial: StandIn) -> None:
    immune = trial["immune_course"].copy()
    immune.loc["SIM03", ["ipfs_days", "ipfs_event", "ipfs_reason"]] = [500.0, False, "censored"]
    other = StandIn(cohort=trial.cohort, plan=trial.plan, tables={**trial.tables, "immune_course": immune})
    beside = grids(_section_resistance.build(other))["iRECIST beside RECIST 1.1"]
    days = trial["course"].loc["SIM03", "pfs_days"]
    assert [(row[0], row[3], row[4]) for row in beside.rows] == [("SIM03", f"{days:g}", "500+")]
    assert beside.note.startswith("1 of 33 patients")


def test_safety_says_the_published_rates_and_the_doses(trial: StandIn) -> None:
    found = grids(_section_safety.build(trial))
    rates = {(row[0], row[1]): row for row in found["How often, and how soon"].rows}
    assert rates["Treatment-related, grade 3 or 4", "all"][2:4] == ["15", "33"]
    assert rates["Immune-mediated, immunosuppression", "all"][2:4] == ["3", "33"]
    doses = {row[0]: row for row in found["Doses"].rows}
    assert doses["doxorubicin"][3:5] == ["450 (75 to 450)", "mg/m2"]
    # every second cycle is as planned: the interval of each drug counts
    assert doses["zalifrelimab"][5] == "1.00 (1.00 to 1.00)"


def test_a_kaplan_meier_row_counts_events_and_says_so(trial: StandIn) -> None:
    tables = {"summary": ims.endpoints.summarize(trial["outcomes"], by=trial.cohort.patients["schedule_stage"])}
    study = StandIn(cohort=trial.cohort, plan=trial.plan, tables=MappingProxyType(tables))
    (grid,) = [block for block in _section_endpoints.build(study).blocks if isinstance(block, Grid)]
    whole = {row[0]: row for row in grid.rows if row[1] == "all"}
    assert whole["Progression-free at 6 months"][3:6] == ["13", "28", "46.4% [27.5, 66.1]"]
    # 15 of 33 had progressed or died by day 183: the share free of it is 47.6%
    assert whole["Progression-free at 6 months, Kaplan-Meier"][3:5] == ["15 events", "33"]


@pytest.mark.parametrize(("p_maxt", "says"), [(0.2, "no proof that there is none"), (0.02, "They differ")])
def test_patients_without_a_second_biopsy_differ_or_may_differ(p_maxt: float, says: str, trial: StandIn) -> None:
    row = {"feature": "cyt", "n_with": 20, "n_without": 9, "auc": 0.8, "conf_low": 0.6, "conf_high": 0.9}
    row |= {"p_value": p_maxt / 2, "p_maxt": p_maxt, "status": "ok"}
    study = StandIn(cohort=trial.cohort, tables=MappingProxyType({"biopsied": pd.DataFrame([row])}))
    (part,) = _section_biopsies.build(study).blocks
    assert says in part.blocks[0].text
