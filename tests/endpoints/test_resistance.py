"""Resistance: every cell of the two consensus tables, and every reason for none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunosarc.endpoints import ResistanceRules, derive_course, derive_resistance
from immunosarc.errors import ImmunosarcError, UnknownNameError

SINGLE = "sitc_2020_single_agent/1"


def resistance(calls: str, days: list[int], *, last_dose: int = 400, rules=None, **columns: object) -> pd.Series:
    """One patient with a dose every 21 days up to ``last_dose``."""
    visits = pd.DataFrame({"patient_id": "P1", "study_day": days, "overall_response": calls.split()})
    who = pd.DataFrame(columns, index=pd.Index(["P1"], name="patient_id"))
    doses = pd.DataFrame({"patient_id": "P1", "study_day": range(1, last_dose + 1, 21), "drug": "Balstilimab"})
    table = derive_resistance(derive_course(visits, who), doses, who, rules=rules)
    return table.iloc[0]


CHEMO = [
    # progression within six months is primary, whatever the best response was
    ("PD", [43], {}, "primary"),
    ("SD PD", [43, 127], {}, "primary"),
    ("PR PR PD", [43, 85, 150], {}, "primary"),
    ("CR CR PD", [43, 85, 150], {}, "primary"),
    ("SD SD PD", [43, 120, 183], {}, "primary"),
    # and later it is secondary
    ("SD SD PD", [43, 120, 184], {}, "secondary"),
    ("PR PR PR PD", [43, 120, 200, 290], {}, "secondary"),
    ("SD SD PD", [43, 120, 200], {}, "secondary"),
    # exposure: 1, 22 and one interval are 42 days
    ("PD", [30], {"last_dose": 1}, "insufficient_exposure"),
    ("PD", [30], {"last_dose": 22}, "primary"),
    ("PD", [20], {}, "insufficient_exposure"),
    ("PD", [20], {"rapid_progression": [True]}, "primary"),
    # after the end of treatment no definition holds, unless toxicity ended it
    ("SD SD PD", [43, 85, 150], {"last_dose": 64}, "off_treatment_progression"),
    ("SD SD PD", [43, 85, 126], {"last_dose": 64}, "primary"),
    ("SD SD PD", [43, 85, 127], {"last_dose": 64}, "off_treatment_progression"),
    ("SD SD PD", [43, 85, 150], {"last_dose": 64, "stop_reason": ["toxicity"]}, "primary"),
    ("SD SD PD", [43, 85, 150], {"last_dose": 64, "stop_reason": ["completed"]}, "off_treatment_progression"),
    ("SD SD SD PD", [43, 85, 127, 190], {"last_dose": 148}, "insufficient_exposure"),
    # nobody has progressed
    ("SD SD SD", [43, 120, 184], {}, "sensitive_ongoing"),
    ("SD SD SD", [43, 120, 183], {}, "not_evaluable"),
    ("PR PR", [43, 85], {}, "not_evaluable"),
    ("PR PR", [43, 85], {"death_day": [100.0]}, "unclassified"),
    ("SD SD PD", [43, 85, 150], {"new_therapy_day": [100.0]}, "not_evaluable"),
]


@pytest.mark.parametrize(("calls", "days", "more", "expected"), CHEMO)
def test_inhibitor_with_chemotherapy(calls, days, more, expected):
    assert resistance(calls, days, **more)["resistance"] == expected


ALONE = [
    ("PD PD", [43, 85], {}, "primary"),
    ("SD PD PD", [43, 127, 160], {}, "primary"),
    ("PD", [43], {}, "unclassified"),
    ("PD PD", [43, 70], {}, "unclassified"),
    ("PD PD", [43, 71], {}, "primary"),
    ("PD", [43], {"rapid_progression": [True]}, "primary"),
    ("SD SD PD PD", [43, 120, 182, 220], {}, "primary"),
    ("SD SD PD PD", [43, 120, 184, 220], {}, "secondary"),
    ("PR PR PD PD", [43, 120, 200, 240], {}, "secondary"),
    # a response that ends in month 5 is in neither cell of the single-agent table
    ("PR PR PD PD", [43, 85, 150, 190], {}, "unclassified"),
    ("PD PD", [30, 72], {"last_dose": 1}, "insufficient_exposure"),
]


@pytest.mark.parametrize(("calls", "days", "more", "expected"), ALONE)
def test_single_agent(calls, days, more, expected):
    assert resistance(calls, days, rules=SINGLE, **more)["resistance"] == expected


def test_stable_disease_of_exactly_six_months_is_secondary_and_flagged():
    row = resistance("SD SD PD PD", [43, 120, 183, 220], rules=SINGLE)
    assert row["resistance"] == "secondary"
    assert row["status"] == "stable disease of exactly six months: in neither cell, taken as secondary"


def test_the_two_definitions_differ_for_a_response_that_ends_in_month_five():
    calls, days = "PR PR PD PD", [43, 85, 150, 190]
    assert resistance(calls, days)["resistance"] == "primary"
    assert resistance(calls, days, rules=SINGLE)["resistance"] == "unclassified"


def test_exposure_stops_at_progression_and_is_counted_in_days():
    row = resistance("SD PD", [43, 85])
    # doses on day 1, 22, 43, 64 and 85
    assert row["exposure_days"] == 85 - 1 + 21
    assert row["progression_day"] == 85
    longer = resistance("SD PD", [43, 85], rules=ResistanceRules(dosing_interval_days=42))
    assert longer["exposure_days"] == 85 - 1 + 42
    assert longer["rule_set"] == "sitc_2023_ici_chemotherapy/1 dosing_interval_days=42"


def test_as_endpoints_the_unclassified_are_missing():
    cases = {
        "primary": ("PD", [43], {}),
        "secondary": ("SD SD PD", [43, 120, 200], {}),
        "ongoing": ("SD SD SD", [43, 120, 200], {}),
        "short": ("PD", [20], {}),
        "off": ("SD SD PD", [43, 85, 150], {"last_dose": 64}),
    }
    rows = pd.DataFrame({name: resistance(c, d, **more) for name, (c, d, more) in cases.items()}).T
    assert rows["primary_resistance"].tolist() == [True, False, False, pd.NA, pd.NA]
    assert rows["secondary_resistance"].tolist() == [pd.NA, True, False, pd.NA, pd.NA]


@pytest.mark.parametrize(
    ("last_chemotherapy", "last_inhibitor", "phase"),
    # a dose acts until the day before the next would come: 107 + 20 = 127
    [(107, 127, "chemotherapy"), (106, 127, "maintenance"), (85, 107, "maintenance"), (64, 106, "off_treatment")],
)
def test_phase_of_progression(last_chemotherapy, last_inhibitor, phase):
    visits = pd.DataFrame({"patient_id": "P1", "study_day": [85, 127], "overall_response": ["SD", "PD"]})
    who = pd.DataFrame(index=pd.Index(["P1"], name="patient_id"))
    doses = pd.DataFrame(
        {
            "patient_id": "P1",
            "study_day": [1, last_chemotherapy, 1, last_inhibitor],
            "drug": ["doxorubicin", "doxorubicin", "balstilimab", "balstilimab"],
        }
    )
    table = derive_resistance(derive_course(visits, who), doses, who)
    assert table["progression_phase"].tolist() == [phase]
    alone = derive_resistance(derive_course(visits, who), doses[2:], who)
    assert alone["progression_phase"].isna().all()


def test_without_doses_or_visits_the_reason_is_said():
    visits = pd.DataFrame({"patient_id": ["P1"], "study_day": [43], "overall_response": ["PD"]})
    who = pd.DataFrame(index=pd.Index(["P1", "P2"], name="patient_id"))
    course = derive_course(visits, who)
    doses = pd.DataFrame({"patient_id": ["P2"], "study_day": [1], "drug": ["zalifrelimab"]})
    table = derive_resistance(course, doses, who)
    assert table["status"].tolist() == ["no dose of a checkpoint inhibitor recorded", "no visit recorded"]
    assert set(table["resistance"]) == {"not_evaluable"}
    with pytest.raises(
        UnknownNameError, match=r"no dose of a checkpoint inhibitor among the drugs given \(placebo\)"
    ):
        derive_resistance(course, doses.assign(drug="placebo"), who)
    named = ResistanceRules(checkpoint_inhibitors=("placebo",))
    assert derive_resistance(course, doses.assign(drug="placebo"), who, rules=named)["status"].tolist()[1] != "ok"


def test_names_and_numbers_that_do_not_exist():
    with pytest.raises(UnknownNameError, match="no definition of resistance 'sitc_2020'"):
        resistance("PD", [43], rules="sitc_2020")
    with pytest.raises(ImmunosarcError, match=r"2 problem\(s\)[\s\S]*confirm_days[\s\S]*definition"):
        ResistanceRules(confirm_days=0, definition="both")


# the algorithm once more for one patient, by the text of the definition


def slow_2023(progression: int | None, followed: int, doses: list[int]) -> str:
    if progression is None:
        return "sensitive_ongoing" if followed > 183 else "not_evaluable"
    before = [day for day in doses if day <= progression]
    exposure = before[-1] - before[0] + 21
    if progression > before[-1] + 20 + 42:
        return "off_treatment_progression"
    if exposure < 42:
        return "insufficient_exposure"
    if progression <= 183:
        return "primary"
    return "secondary" if exposure > 183 else "insufficient_exposure"


def test_many_patients_agree_with_the_definition_one_by_one():
    rng = np.random.default_rng(5)
    visits, doses, expected = [], [], []
    for i in range(150):
        n = int(rng.integers(1, 8))
        days = (np.arange(1, n + 1) * 42 + 1).tolist()
        progressed = bool(rng.random() < 0.7)
        last = int(rng.integers(1, 330))
        given = list(range(1, last + 1, 21))
        visits += [(f"P{i}", day, "SD") for day in days[:-1]] + [(f"P{i}", days[-1], "PD" if progressed else "SD")]
        doses += [(f"P{i}", day) for day in given]
        expected.append(slow_2023(days[-1] if progressed else None, days[-1], given))
    who = pd.DataFrame(index=pd.Index([f"P{i}" for i in range(150)], name="patient_id"))
    table = pd.DataFrame(visits, columns=["patient_id", "study_day", "overall_response"])
    given = pd.DataFrame(doses, columns=["patient_id", "study_day"]).assign(drug="balstilimab")
    found = derive_resistance(derive_course(table, who), given.sample(frac=1, random_state=1), who)
    assert found["resistance"].tolist() == expected
    assert len(set(expected)) == 5
