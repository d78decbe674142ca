"""A cohort with lesion rows or called visits gets its outcomes from them; what was read stays."""

from __future__ import annotations

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.endpoints import ResponseRules, derive, derive_recist
from immunosarc.errors import SchemaError

DAYS = [-3, 43, 85, 127, 190]
SIZES = {"P1": [50, 30, 30, 40, 60], "P2": [50, 50, 50, 50, 50], "P3": [50, 70], "P4": [50]}


def lesions() -> pd.DataFrame:
    return pd.DataFrame(
        [
            (patient, day, "T1", "target", float(size))
            for patient, sizes in SIZES.items()
            for day, size in zip(DAYS, sizes, strict=False)
        ],
        columns=["patient_id", "study_day", "lesion_id", "role", "diameter_mm"],
    )


def cohort(tables: dict[str, pd.DataFrame], **columns: list) -> ims.Cohort:
    index = pd.Index(["P1", "P2", "P3", "P4", "P5"], name="patient_id")
    return ims.Cohort(patients=pd.DataFrame(columns, index=index), tables=tables)


def test_outcomes_from_lesions() -> None:
    outcomes = derive(cohort({"lesions": lesions()}))
    assert outcomes["best_overall_response"].fillna("-").tolist() == ["PR", "SD", "PD", "NE", "-"]
    assert outcomes["objective_response"].astype(object).fillna("-").tolist() == [True, False, False, "-", "-"]
    assert outcomes["pfs_days"].fillna(-1).tolist() == [127, 190, 43, 1, -1]
    assert outcomes["pfs_event"].astype(object).fillna("-").tolist() == [True, False, True, False, "-"]
    assert outcomes["pfs6"].astype(object).fillna("-").tolist() == [False, True, False, "-", "-"]
    assert outcomes["durable_clinical_benefit"].astype(object).fillna("-").tolist() == [
        True,
        True,
        False,
        "-",
        "-",
    ]
    assert outcomes["rule_set"].tolist() == [
        *["ready_made/1 + recist_1.1/1 + recist_1.1_course/1"] * 4,
        "ready_made/1",
    ]
    assert outcomes["pfs_status"].tolist()[4] == "no progression-free survival recorded"


def test_what_was_read_stays() -> None:
    ready = {
        "best_overall_response": ["SD", None, None, None, "CR"],
        "pfs_days": [99.0, None, None, None, None],
        "pfs_event": pd.array([False, None, None, None, None], dtype="boolean"),
    }
    outcomes = derive(cohort({"lesions": lesions()}, **ready))
    assert outcomes["best_overall_response"].tolist() == ["SD", "SD", "PD", "NE", "CR"]
    assert outcomes["pfs_days"].fillna(-1).tolist() == [99, 190, 43, 1, -1]
    assert outcomes["rule_set"].tolist()[0] == outcomes["rule_set"].tolist()[4] == "ready_made/1"


def test_nothing_is_asked_of_visits_when_everything_was_read() -> None:
    ready = {"best_overall_response": ["SD"] * 5, "pfs_days": [99.0] * 5, "pfs_event": [True] * 5}
    readers = pd.concat([lesions().assign(reader=name) for name in "AB"])
    assert set(derive(cohort({"lesions": readers}, **ready))["rule_set"]) == {"ready_made/1"}


def test_called_visits_serve_where_there_are_no_lesions() -> None:
    visits = derive_recist(lesions())
    called = visits[["patient_id", "study_day", "overall_response"]].dropna()
    from_calls = derive(cohort({"assessments": called}))
    from_lesions = derive(cohort({"lesions": lesions()}))
    # P4 was never called, so that only the lesions know of its baseline
    common = from_lesions.drop(index="P4").drop(columns="rule_set")
    pd.testing.assert_frame_equal(from_calls.drop(index="P4").drop(columns="rule_set"), common)
    assert from_calls["rule_set"].tolist()[0] == "ready_made/1 + recist_1.1_course/1"


def test_rules_and_reader_reach_the_visits() -> None:
    strict = derive(cohort({"lesions": lesions()}), rules=ResponseRules(confirmation=True, confirm_days=50))
    assert strict["best_overall_response"].tolist()[0] == "SD"
    assert strict["rule_set"].tolist()[0].endswith("recist_1.1_course/1 confirm_days=50 confirmation=True")
    twice = pd.concat([lesions().assign(reader="A"), lesions().assign(reader="B", diameter_mm=50.0)])
    with pytest.raises(SchemaError, match="2 readers"):
        derive(cohort({"lesions": twice}))
    chosen = derive(cohort({"lesions": twice}), reader="B")
    assert chosen["best_overall_response"].fillna("-").tolist() == ["SD", "SD", "SD", "NE", "-"]


def test_a_death_before_a_later_scan_is_refused() -> None:
    with pytest.raises(
        SchemaError, match=r"P2: study_day 190 is after death_day 150 \(table 'lesions', row \d+\)"
    ):
        derive(cohort({"lesions": lesions()}, death_day=[None, 150.0, None, None, None]))


def test_a_death_without_progression_ends_progression_free_survival() -> None:
    outcomes = derive(cohort({"lesions": lesions()}, death_day=[None, 200.0, None, 30.0, 20.0]))
    assert outcomes["pfs_days"].tolist() == [127, 200, 43, 30, 20]
    assert outcomes["pfs_event"].tolist() == [True] * 5
    assert outcomes["os_days"].fillna(-1).tolist() == [-1, 200, -1, 30, 20]
