"""A plan's rule set and reader reach the outcomes and the tables of the trial."""

from __future__ import annotations

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import PlanError, SchemaError


def trial(*readers: str) -> ims.Cohort:
    rows = pd.DataFrame({"patient_id": "P1", "study_day": [43.0, 85.0], "overall_response": ["SD", "PD"]})
    second = rows.assign(overall_response=["PR", "PR"])
    visits = pd.concat([one.assign(reader=name) for one, name in zip((rows, second), readers, strict=False)])
    patients = pd.DataFrame({"new_therapy_day": [60.0]}, index=pd.Index(["P1"], name="patient_id"))
    return ims.Cohort(patients=patients, tables={"assessments": visits.reset_index(drop=True)})


def test_the_rule_set_of_the_plan_decides() -> None:
    usual = ims.run(trial("local"), ims.Plan())
    other = ims.run(trial("local"), ims.Plan(rule_set="new_therapy_is_event/1"))
    assert usual.tables["outcomes"]["pfs_days"].tolist() == [43]
    assert other.tables["outcomes"]["pfs_days"].tolist() == [60]
    assert other.tables["course"]["pfs_reason"].tolist() == ["another therapy"]
    assert other.tables["outcomes"]["rule_set"].tolist() == ["ready_made/1 + new_therapy_is_event/1"]


def test_the_reader_of_the_plan_is_read() -> None:
    chosen = ims.run(trial("local", "central"), ims.Plan(reader="central", rule_set="every_event/1"))
    assert chosen.tables["outcomes"]["best_overall_response"].tolist() == ["PR"]
    with pytest.raises(SchemaError, match="2 readers"):
        ims.run(trial("local", "central"), ims.Plan())


def test_a_rule_set_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PlanError, match=r"unknown rule set 'every_event'\. Did you mean 'every_event/1'"):
        ims.run(trial("local"), ims.Plan(rule_set="every_event"))
