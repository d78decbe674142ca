"""One row of endpoints per patient: rules case by case, reasons in words, dates that contradict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import schema
from immunosarc.endpoints import derive
from immunosarc.errors import SchemaError


def cohort_of(**columns: list) -> ims.Cohort:
    size = len(next(iter(columns.values())))
    index = pd.Index([f"P{i + 1}" for i in range(size)], name="patient_id")
    return ims.Cohort(patients=pd.DataFrame(columns, index=index))


def one(**values: object) -> pd.Series:
    return derive(cohort_of(**{name: [value] for name, value in values.items()})).iloc[0]


@pytest.mark.parametrize(
    ("best", "evaluable", "response", "control", "status"),
    [
        ("CR", None, True, True, "ok"),
        ("PR", None, True, True, "ok"),
        ("SD", None, False, True, "ok"),
        ("PD", None, False, False, "ok"),
        ("NE", None, None, None, "best overall response is NE: not evaluable"),
        (None, None, None, None, "no best overall response recorded"),
        ("NE", True, False, False, "ok"),
        ("NE", False, None, None, "declared not response-evaluable"),
        ("PR", False, None, None, "declared not response-evaluable"),
        ("PR", True, True, True, "ok"),
        (None, True, None, None, "no best overall response recorded"),
    ],
)
def test_response_rules(best, evaluable, response, control, status) -> None:
    row = one(best_overall_response=best, response_evaluable=evaluable)
    for name, expected in (("objective_response", response), ("disease_control", control)):
        assert row[name] is pd.NA if expected is None else row[name] == expected
    assert row["response_status"] == status


@pytest.mark.parametrize(
    ("days", "event", "expected", "status"),
    [
        (182, True, False, "ok"),
        (183, True, False, "ok"),
        (184, True, True, "ok"),
        (184, False, True, "ok"),
        (126, False, None, "censored progression-free on day 126, before day 183"),
        (183, False, None, "censored progression-free on day 183, and not followed beyond it"),
        (1, False, None, "censored progression-free on day 1, before day 183"),
        (None, None, None, "no progression-free survival recorded"),
    ],
)
def test_pfs6_rules(days, event, expected, status) -> None:
    row = one(pfs_days=days, pfs_event=event)
    assert row["pfs6"] is pd.NA if expected is None else row["pfs6"] == expected
    assert row["pfs6_status"] == status


@pytest.mark.parametrize(
    ("best", "days", "event", "expected", "status"),
    [
        ("PR", 100, True, True, "ok"),
        ("CR", None, None, True, "ok"),
        ("SD", 182, True, False, "ok"),
        ("SD", 183, True, True, "ok"),
        ("SD", 183, False, True, "ok"),
        ("SD", 182, False, None, "censored progression-free on day 182, before day 183"),
        ("SD", None, None, None, "stable disease without progression-free survival"),
        ("PD", 300, False, False, "ok"),
        ("NE", 300, False, None, "best overall response is NE: not evaluable"),
        (None, 300, False, None, "no best overall response recorded"),
    ],
)
def test_durable_benefit_rules(best, days, event, expected, status) -> None:
    row = one(best_overall_response=best, pfs_days=days, pfs_event=event)
    name = "durable_clinical_benefit"
    assert row[name] is pd.NA if expected is None else row[name] == expected
    assert row["durable_status"] == status


def test_evaluable_ne_has_no_durable_benefit() -> None:
    assert not one(best_overall_response="NE", response_evaluable=True)["durable_clinical_benefit"]


@pytest.mark.parametrize(
    ("dates", "days", "event"),
    [
        ({"death_day": 300}, 300, True),
        ({"death_day": 300, "last_alive_day": 290}, 300, True),
        ({"last_alive_day": 290}, 290, False),
        ({"death_day": 300, "data_cut_day": 300}, 300, True),
        ({"death_day": 301, "data_cut_day": 300}, 300, False),
        ({"last_alive_day": 400, "data_cut_day": 300}, 300, False),
        ({"last_alive_day": 200, "data_cut_day": 300}, 200, False),
        ({"os_days": 250, "os_event": False, "last_alive_day": 240}, 250, False),
        ({"os_days": 250, "os_event": False, "death_day": 260}, 250, False),
        ({"data_cut_day": 300}, None, None),
    ],
)
def test_overall_survival_rules(dates, days, event) -> None:
    row = one(**dates)
    if days is None:
        assert np.isnan(row["os_days"])
        assert row["os_event"] is pd.NA
        assert row["os_status"] == "no overall survival recorded"
    else:
        assert (row["os_days"], row["os_event"], row["os_status"]) == (days, event, "ok")
        assert row["os_time"] == days / 30.4375


def test_ready_made_survival_goes_first_patient_by_patient() -> None:
    outcomes = derive(cohort_of(os_days=[100, None], os_event=[True, None], death_day=[100, 70]))
    assert outcomes["os_days"].tolist() == [100, 70]
    assert outcomes["os_event"].tolist() == [True, True]


CONTRADICTIONS = [
    ({"death_day": 100, "last_alive_day": 120}, "last_alive_day 120 is after death_day 100"),
    ({"death_day": -3}, "death_day -3 is before the first dose"),
    ({"last_alive_day": 0}, "last_alive_day 0 is before the first dose"),
    ({"os_days": 90, "os_event": True, "death_day": 100}, "os_days 90 with death disagrees with death_day 100"),
    ({"os_days": 100, "os_event": False, "death_day": 100}, "os_days 100 is censored, but death_day is 100"),
    ({"os_days": 90, "os_event": True, "last_alive_day": 91}, "last_alive_day 91 is after death on os_days 90"),
    ({"pfs_days": 200, "pfs_event": False, "death_day": 100}, "pfs_days 200 goes beyond death_day 100"),
    ({"pfs_days": 200, "pfs_event": True, "death_day": 100}, "pfs_days 200 goes beyond death_day 100"),
    ({"pfs_days": 100, "pfs_event": False, "death_day": 100}, "pfs_days 100 is censored, but death on that day"),
    (
        {"pfs_days": 200, "pfs_event": True, "os_days": 150, "os_event": True},
        "pfs_days 200 goes beyond death on os_days 150",
    ),
    ({"pfs_days": 200, "pfs_event": True, "data_cut_day": 199}, "pfs_days 200 goes beyond data_cut_day 199"),
    ({"os_days": 200, "os_event": False, "data_cut_day": 199}, "os_days 200 goes beyond data_cut_day 199"),
]


@pytest.mark.parametrize(("dates", "words"), CONTRADICTIONS)
def test_dates_that_contradict_are_refused(dates, words) -> None:
    with pytest.raises(SchemaError, match=rf"1 problem\(s\):\n  - P1: {words}"):
        one(**dates)


def test_every_contradiction_is_raised_at_once() -> None:
    rows = [dates for dates, _ in CONTRADICTIONS]
    names = sorted({name for row in rows for name in row})
    with pytest.raises(SchemaError) as caught:
        derive(cohort_of(**{name: [row.get(name) for row in rows] for name in names}))
    message = str(caught.value)
    assert f"{len(rows)} problem(s)" in message
    for number, (_, words) in enumerate(CONTRADICTIONS, start=1):
        assert f"P{number}: {words}" in message
    assert "Correct the dates" in message


@pytest.mark.parametrize(
    "dates",
    [
        {"death_day": 100, "last_alive_day": 100},
        {"pfs_days": 100, "pfs_event": True, "death_day": 100},
        {"pfs_days": 60, "pfs_event": False, "death_day": 100},
        {"os_days": 100, "os_event": True, "death_day": 100, "data_cut_day": 100},
        {"os_days": 99, "os_event": False, "death_day": 100},
        {"pfs_days": 100, "pfs_event": True, "data_cut_day": 100},
    ],
)
def test_dates_that_fit_are_accepted(dates) -> None:
    assert one(**dates)["rule_set"] == "ready_made/1"


def test_one_row_per_patient_in_order_with_inputs_unchanged() -> None:
    patients = pd.DataFrame(
        {"best_overall_response": ["PD", "PR"], "treatment_related_grade_3_4": [True, None]},
        index=pd.Index(["P9", "P1"], name="patient_id"),
    )
    cohort = ims.Cohort(patients=patients)
    before = cohort.patients.copy()
    outcomes = derive(cohort)
    pd.testing.assert_frame_equal(cohort.patients, before)
    assert outcomes.index.tolist() == ["P9", "P1"]
    assert outcomes["treatment_related_grade_3_4"].tolist() == [True, pd.NA]
    assert outcomes["immune_event_immunosuppression"].isna().all()
    assert set(outcomes["rule_set"]) == {"ready_made/1"}
    assert "simulated" not in outcomes
    pd.testing.assert_frame_equal(schema.OUTCOMES.check(outcomes), outcomes)


def test_a_simulated_cohort_marks_its_outcomes() -> None:
    patients = pd.DataFrame({"pfs_days": [1.0], "pfs_event": [False]}, index=pd.Index(["P1"], name="patient_id"))
    outcomes = derive(ims.Cohort(patients=patients, provenance={"simulated": True}))
    assert outcomes["simulated"].tolist() == ["SIMULATED"]


def test_attrition_counts_the_reasons() -> None:
    cohort = cohort_of(
        best_overall_response=["PR", "NE", None], pfs_days=[294, 1, None], pfs_event=[True, False, None]
    )
    flow = ims.attrition(cohort, derive(cohort))
    assert flow.groupby("step")["kept"].sum().to_dict() == {
        "patients": 3,
        "response": 1,
        "durable": 1,
        "pfs6": 1,
        "pfs": 2,
        "os": 0,
    }


def test_riaz2017_agrees_with_plain_python(data_root: Path) -> None:
    lines = (data_root / "riaz2017/clinical.tsv").read_text().splitlines()
    header = lines[0].split("\t")
    rows = {}
    for line in lines[1:]:
        row = dict(zip(header, line.split("\t"), strict=True))
        rows[row["patient_id"]] = row
    columns = ["pfs_days", "pfs_event", "os_days", "os_event"]
    frame = pd.DataFrame(
        {name: {p: float(r[name]) if r[name] else None for p, r in rows.items()} for name in columns}
    )
    frame["best_overall_response"] = pd.Series({p: r["bor"] for p, r in rows.items()})
    frame.index.name = "patient_id"
    outcomes = derive(ims.Cohort(patients=frame.astype({"pfs_event": "boolean", "os_event": "boolean"})))

    counts = {best: sum(r["bor"] == best for r in rows.values()) for best in ("CR", "PR", "SD", "PD", "NE")}
    assert counts == {"CR": 4, "PR": 10, "SD": 19, "PD": 29, "NE": 3}
    assert int(outcomes["objective_response"].sum()) == 14
    assert int(outcomes["objective_response"].notna().sum()) == 62
    assert int(outcomes["disease_control"].sum()) == 33
    owners = pd.Series([line.split("\t")[1] for line in lines[1:]])
    assert int(owners.map(outcomes["objective_response"]).sum()) == 25

    verdict = {}
    for patient, row in rows.items():
        if row["pfs_days"] and (float(row["pfs_days"]) > 183 or row["pfs_event"] == "1.0"):
            verdict[patient] = float(row["pfs_days"]) > 183
    assert outcomes["pfs6"].dropna().to_dict() == verdict
    assert (outcomes["pfs_status"] == "ok").sum() == (outcomes["os_status"] == "ok").sum() == 58
