"""Best response, confirmation, progression-free survival and duration: every row of the tables."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunosarc import schema
from immunosarc.endpoints import ResponseRules, derive_course, derive_recist
from immunosarc.errors import ImmunosarcError, SchemaError, UnknownNameError


def course(calls: str, days: list[int] | None = None, *, rules: ResponseRules | None = None, **dates) -> pd.Series:
    """One patient; calls every 42 days from day 43 unless told otherwise."""
    names = calls.split()
    days = days or [1 + 42 * (i + 1) for i in range(len(names))]
    visits = pd.DataFrame({"patient_id": "P1", "study_day": days, "overall_response": names})
    patients = pd.DataFrame(dates, index=pd.Index(["P1"], name="patient_id"))
    table = derive_course(visits, patients, rules=rules)
    schema.RESPONSE_COURSE.check(table)
    return table.iloc[0]


EARLY = [30, 72]  # the first visit is too early for stable disease


@pytest.mark.parametrize(
    ("calls", "days", "unconfirmed", "confirmed"),
    [
        ("CR CR", None, "CR", "CR"),
        ("CR PR", None, "CR", "SD"),
        ("CR PR", EARLY, "CR", "PD"),
        ("CR SD", None, "CR", "SD"),
        ("CR SD", EARLY, "CR", "PD"),
        ("CR PD", None, "CR", "SD"),
        ("CR PD", EARLY, "CR", "PD"),
        ("CR NE", None, "CR", "SD"),
        ("CR NE", EARLY, "CR", "NE"),
        ("CR", None, "CR", "SD"),
        ("PR CR", None, "CR", "PR"),
        ("PR CR CR", None, "CR", "CR"),
        ("PR PR", None, "PR", "PR"),
        ("PR SD", None, "PR", "SD"),
        ("PR SD", EARLY, "PR", "SD"),
        ("PR PD", None, "PR", "SD"),
        ("PR PD", EARLY, "PR", "PD"),
        ("PR NE", None, "PR", "SD"),
        ("PR NE", EARLY, "PR", "NE"),
        ("NE NE", None, "NE", "NE"),
        ("SD", None, "SD", "SD"),
        ("SD", [30], "NE", "NE"),
        ("SD PD", EARLY, "PD", "PD"),
        ("SD NE", EARLY, "NE", "NE"),
        ("NON-CR/NON-PD", None, "SD", "SD"),
        ("PD CR", None, "PD", "PD"),
        ("PD PR PR", None, "PD", "PD"),
        ("NE PD", None, "PD", "PD"),
        ("PR NE PR", None, "PR", "PR"),
        ("PR NE NE PR", None, "PR", "SD"),
        ("PR SD PR", None, "PR", "SD"),
        ("SD PR PR PD", None, "PR", "PR"),
        ("CR NE CR", None, "CR", "CR"),
    ],
)
def test_best_response_table(calls, days, unconfirmed, confirmed):
    row = course(calls, days)
    found = (row["best_overall_response"], row["best_overall_response_confirmed"])
    assert found == (unconfirmed, confirmed)


def test_confirmation_needs_28_days():
    assert course("PR PR", [43, 70])["best_overall_response_confirmed"] == "SD"
    assert course("PR PR", [43, 71])["best_overall_response_confirmed"] == "PR"
    assert course("PR PR PR", [43, 60, 71])["best_overall_response_confirmed"] == "PR"
    assert course("PR PR", [43, 70], rules=ResponseRules(confirm_days=27))["response_day_confirmed"] == 43


def test_stable_disease_needs_42_days_after_baseline():
    assert course("SD", [42])["best_overall_response"] == "NE"
    assert course("SD", [42])["status"] == "stable disease for less than 42 days after baseline"
    assert course("SD", [43])["best_overall_response"] == "SD"
    lesions = pd.DataFrame(
        {
            "patient_id": "P1",
            "study_day": [-2, 41],
            "lesion_id": "T",
            "role": "target",
            "diameter_mm": [50.0, 50.0],
        }
    )
    patients = pd.DataFrame(index=pd.Index(["P1"], name="patient_id"))
    # day -2 to day 41 are 42 days: there is no day 0
    assert derive_course(derive_recist(lesions), patients)["best_overall_response"].tolist() == ["SD"]
    moved = lesions.assign(study_day=[-1, 41])
    assert derive_course(derive_recist(moved), patients)["best_overall_response"].tolist() == ["NE"]


def test_protocol_options_are_named_in_the_rule_set():
    allowed = ResponseRules(sd_between=1, ne_between=0)
    assert course("PR SD PR", rules=allowed)["best_overall_response_confirmed"] == "PR"
    assert course("PR NE PR", rules=allowed)["best_overall_response_confirmed"] == "SD"
    assert course("SD", rules=allowed)["rule_set"] == "recist_1.1_course/1 ne_between=0 sd_between=1"
    with pytest.raises(ImmunosarcError, match=r"2 problem\(s\)[\s\S]*min_sd_days[\s\S]*confirm_days"):
        ResponseRules(min_sd_days=-1, confirm_days=2.5)


def test_another_therapy_closes_the_window():
    assert course("SD PR PR", new_therapy_day=[84.0])["best_overall_response"] == "SD"
    assert course("SD PR PR", new_therapy_day=[85.0])["best_overall_response"] == "PR"
    assert course("SD PR PR", new_therapy_day=[85.0])["best_overall_response_confirmed"] == "SD"


PFS = [
    ("SD PD", None, {}, 85, True, "progression"),
    ("SD SD", None, {"death_day": [100.0]}, 100, True, "death"),
    ("SD PD", None, {"death_day": [100.0]}, 85, True, "progression"),
    ("SD SD", None, {}, 85, False, "censored at the last adequate scan"),
    ("SD NE", None, {}, 43, False, "censored at the last adequate scan"),
    ("NE NE", None, {}, 1, False, "censored on day 1: no adequate scan after baseline"),
    ("SD NE", None, {"death_day": [100.0]}, 100, True, "death"),
    # another therapy first
    (
        "SD SD PD",
        None,
        {"new_therapy_day": [90.0]},
        85,
        False,
        "censored at the last adequate scan before another",
    ),
    ("SD PD", None, {"new_therapy_day": [84.0]}, 43, False, "censored at the last adequate scan before another"),
    ("SD PD", None, {"new_therapy_day": [85.0]}, 85, True, "progression"),
    ("SD PD", None, {"new_therapy_day": [86.0]}, 85, True, "progression"),
    ("PD", None, {"new_therapy_day": [20.0]}, 1, False, "censored on day 1"),
    # missed scans: two intervals of 42 days and a window of 7
    ("SD PD", [43, 134], {}, 134, True, "progression"),
    (
        "SD PD",
        [43, 135],
        {},
        43,
        False,
        "censored at the last adequate scan: scans were missed before progression",
    ),
    (
        "SD NE PD",
        [43, 85, 135],
        {},
        43,
        False,
        "censored at the last adequate scan: scans were missed before prog",
    ),
    ("SD", None, {"death_day": [134.0]}, 134, True, "death"),
    (
        "SD",
        None,
        {"death_day": [135.0]},
        43,
        False,
        "censored at the last adequate scan: scans were missed before d",
    ),
    ("NE", [10], {"death_day": [92.0]}, 92, True, "death"),
    (
        "NE",
        [10],
        {"death_day": [93.0]},
        1,
        False,
        "censored at the last adequate scan: scans were missed before d",
    ),
    # a death after the data cut has not happened yet
    (
        "SD SD",
        None,
        {"death_day": [100.0], "data_cut_day": [99.0]},
        85,
        False,
        "censored at the last adequate scan",
    ),
    ("SD SD", None, {"death_day": [100.0], "data_cut_day": [100.0]}, 100, True, "death"),
]


@pytest.mark.parametrize(("calls", "days", "dates", "end", "event", "reason"), PFS)
def test_progression_free_survival_rules(calls, days, dates, end, event, reason):
    row = course(calls, days, **dates)
    assert (row["pfs_days"], row["pfs_event"]) == (end, event)
    assert row["pfs_reason"].startswith(reason)


def test_duration_of_response_and_time_to_it():
    row = course("SD PR PR PD")
    assert (row["ttr_days"], row["dor_days"], row["dor_event"]) == (85, 169 - 85 + 1, True)
    row = course("SD PR")
    assert (row["ttr_days"], row["dor_days"], row["dor_event"]) == (85, 1, False)
    confirmed = ResponseRules(confirmation=True)
    assert np.isnan(course("SD PR", rules=confirmed)["dor_days"])
    row = course("PR SD PR PR PD", rules=confirmed)
    assert (row["ttr_days"], row["dor_days"]) == (127, 211 - 127 + 1)
    none = course("SD SD")
    assert np.isnan(none["ttr_days"])
    assert none["dor_event"] is pd.NA


def test_every_patient_has_a_row_and_a_reason():
    visits = pd.DataFrame({"patient_id": ["P3"], "study_day": [43], "overall_response": ["SD"]})
    patients = pd.DataFrame({"death_day": [None, 20.0, None]}, index=pd.Index(["P1", "P2", "P3"]))
    table = derive_course(visits, patients)
    assert table["status"].tolist() == ["no visit recorded", "no visit after baseline", "ok"]
    assert table["pfs_days"].fillna(-1).tolist() == [-1, 20, 43]
    assert table["pfs_event"].tolist() == [pd.NA, True, False]
    assert table["best_overall_response"].fillna("-").tolist() == ["-", "NE", "SD"]


def test_impossible_dates_and_doubtful_calls_are_refused():
    with pytest.raises(SchemaError, match="P1: visit on day 85 is after death_day 80"):
        course("SD SD", death_day=[80.0])
    with pytest.raises(SchemaError, match="P1: visit on day 85 is after data_cut_day 84"):
        course("SD SD", data_cut_day=[84.0])
    with pytest.raises(SchemaError, match="P1: day 43 is called twice"):
        course("SD PR", [43, 43])
    assert course("SD SD", [43, 43])["pfs_days"] == 43
    visits = pd.DataFrame({"patient_id": "P9", "study_day": [43], "overall_response": ["SD"]})
    with pytest.raises(SchemaError, match="patient 'P9' is not among"):
        derive_course(visits, pd.DataFrame(index=["P1"]))


def test_one_reader_is_chosen_by_name():
    visits = pd.DataFrame(
        {"patient_id": "P1", "study_day": 43, "overall_response": ["SD", "PD"], "reader": ["central", "local"]}
    )
    patients = pd.DataFrame(index=["P1"])
    assert derive_course(visits, patients, reader="local")["best_overall_response"].tolist() == ["PD"]
    with pytest.raises(SchemaError, match=r"2 readers \(central, local\). Choose one"):
        derive_course(visits, patients)
    with pytest.raises(UnknownNameError, match="Did you mean 'central'"):
        derive_course(visits, patients, reader="centrl")


# the definition once more, for one patient and without arrays


def slow_best(calls: list[str], days: list[int]) -> tuple[str, str]:
    calls = ["SD" if call == "NON-CR/NON-PD" else call for call in calls]
    stop = calls.index("PD") + 1 if "PD" in calls else len(calls)
    window = list(zip(calls, days, strict=True))[:stop]
    met = any(call == "SD" and day - 1 >= 42 for call, day in window)
    names = [call for call, _ in window]
    best = next((call for call in ("CR", "PR") if call in names), None)
    best = best or ("SD" if met else "PD" if "PD" in names else "NE")
    for i, name in enumerate(names):
        if name in ("PR", "SD") and "CR" in names[:i]:
            window = [*window[:i], ("PD", window[i][1])]
            break
    names = [call for call, _ in window]
    for goal, allowed in (("CR", {"CR"}), ("PR", {"CR", "PR"})):
        for i in range(len(window)):
            for j in range(i + 1, len(window)):
                ends = names[i] in allowed and names[j] in allowed
                quiet = all(name in allowed | {"NE"} for name in names[i : j + 1])
                single = "NE NE" not in " ".join(names[i : j + 1])
                if ends and quiet and single and window[j][1] - window[i][1] >= 28:
                    return best, goal
    if any(call in ("CR", "PR", "SD") and day - 1 >= 42 for call, day in window):
        return best, "SD"
    return best, "PD" if "PD" in names else "NE"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE"]), st.integers(10, 45)),
            min_size=1,
            max_size=7,
        ),
        min_size=1,
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_best_response_agrees_with_the_definition(many, random):
    rows, expected = [], []
    for i, steps in enumerate(many):
        days = np.cumsum([gap for _, gap in steps]).tolist()
        calls = [call for call, _ in steps]
        rows += [(f"P{i}", day, call) for call, day in zip(calls, days, strict=True)]
        expected.append(slow_best(calls, days))
    random.shuffle(rows)
    visits = pd.DataFrame(rows, columns=["patient_id", "study_day", "overall_response"])
    patients = pd.DataFrame(index=pd.Index([f"P{i}" for i in range(len(many))], name="patient_id"))
    table = derive_course(visits, patients)
    found = table[["best_overall_response", "best_overall_response_confirmed"]].itertuples(index=False, name=None)
    assert list(found) == expected


def test_a_large_trial_is_quick():
    n = 20_000
    rng = np.random.default_rng(0)
    visits = pd.DataFrame(
        {
            "patient_id": np.repeat([f"P{i}" for i in range(n)], 9),
            "study_day": np.tile(np.arange(1, 10) * 42.0 + 1, n),
            "overall_response": rng.choice(["CR", "PR", "SD", "PD", "NE"], n * 9),
        }
    )
    patients = pd.DataFrame({"death_day": 500.0}, index=pd.Index([f"P{i}" for i in range(n)], name="patient_id"))
    start = time.process_time()
    assert derive_course(visits, patients)["status"].eq("ok").mean() > 0.9
    assert time.process_time() - start < 1.5
