"""Named rule sets: what each changes, for whom; thresholds side by side; follow-up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from immunosarc import Cohort, schema
from immunosarc.endpoints import (
    RULE_SETS,
    ResponseRules,
    compare_rules,
    derive,
    derive_course,
    pfs_sensitivity,
    summarize_follow_up,
)
from immunosarc.errors import ImmunosarcError, SchemaError, UnknownNameError


def course(calls: str, days: list[int], rules: str, **dates: list) -> pd.Series:
    visits = pd.DataFrame({"patient_id": "P1", "study_day": days, "overall_response": calls.split()})
    patients = pd.DataFrame(dates, index=pd.Index(["P1"], name="patient_id"))
    return derive_course(visits, patients, rules=rules).iloc[0]


THERAPY = {"new_therapy_day": [60.0]}
GAP = ("SD PD", [43, 135])
CASES = [
    (
        "recist_1.1_course/1",
        "SD PD",
        [43, 85],
        THERAPY,
        (43, False, "censored at the last adequate scan before an"),
    ),
    ("new_therapy_ignored/1", "SD PD", [43, 85], THERAPY, (85, True, "progression")),
    ("new_therapy_is_event/1", "SD PD", [43, 85], THERAPY, (60, True, "another therapy")),
    ("new_therapy_is_event/1", "SD PD", [43, 60], THERAPY, (60, True, "progression")),
    ("new_therapy_is_event/1", "SD PD", [43, 85], {}, (85, True, "progression")),
    ("every_event/1", "SD PD", [43, 85], THERAPY, (85, True, "progression")),
    ("every_event/1", *GAP, {}, (135, True, "progression")),
    ("missed_scans_count/1", *GAP, {}, (135, True, "progression")),
    (
        "missed_scans_count/1",
        "SD PD",
        [43, 85],
        THERAPY,
        (43, False, "censored at the last adequate scan before an"),
    ),
    ("scans_every_12_weeks/1", "SD PD", [43, 225], {}, (225, True, "progression")),
    (
        "scans_every_12_weeks/1",
        "SD PD",
        [43, 226],
        {},
        (43, False, "censored at the last adequate scan: scans were"),
    ),
    (
        "recist_1.1_course/1",
        "SD SD",
        [43, 85],
        {"clinical_progression_day": [70.0]},
        (85, False, "censored at the l"),
    ),
    (
        "clinical_progression_is_event/1",
        "SD SD",
        [43, 85],
        {"clinical_progression_day": [70.0]},
        (70, True, "clinical progression"),
    ),
    (
        "clinical_progression_is_event/1",
        "SD",
        [43],
        {"clinical_progression_day": [70.0], "death_day": [70.0]},
        (70, True, "death"),
    ),
    (
        "clinical_progression_is_event/1",
        "SD",
        [43],
        {"clinical_progression_day": [140.0]},
        (43, False, "censored at the last adequate scan: scans were missed before clinical"),
    ),
]


@pytest.mark.parametrize(("rules", "calls", "days", "dates", "expected"), CASES)
def test_what_each_rule_set_does(rules, calls, days, dates, expected):
    row = course(calls, days, rules, **dates)
    assert (row["pfs_days"], row["pfs_event"]) == expected[:2]
    assert row["pfs_reason"].startswith(expected[2])
    assert row["rule_set"] == rules


def test_every_rule_set_has_its_name_and_changes_its_label_when_changed():
    assert next(iter(RULE_SETS)) == ResponseRules().label == "recist_1.1_course/1"
    for name, rules in RULE_SETS.items():
        assert rules.label == name
        assert name.rpartition("/")[2].isdigit()
    changed = ResponseRules(new_therapy="event", name="every_event/1")
    assert changed.label == "every_event/1 new_therapy=event after_missed_scans=censor"
    with pytest.raises(UnknownNameError, match=r"no rule set 'every_event'\. Did you mean 'every_event/1'"):
        course("SD", [43], "every_event")
    with pytest.raises(ImmunosarcError, match=r"new_therapy: unknown 'censored'\. Did you mean 'censor'"):
        ResponseRules(new_therapy="censored")
    assert course("PR PD", [43, 85], "stable_8_weeks/1")["best_overall_response_confirmed"] == "PD"
    assert np.isnan(course("PR PD", [43, 85], "confirmed_response/1")["ttr_days"])


def trial() -> Cohort:
    visits = pd.DataFrame(
        {
            "patient_id": ["P1", "P1", "P2", "P2", "P3"],
            "study_day": [43, 85, 43, 85, 43],
            "overall_response": ["SD", "PD", "PR", "PD", "SD"],
        }
    )
    patients = pd.DataFrame(
        {"new_therapy_day": [60.0, None, None]}, index=pd.Index(["P1", "P2", "P3"], name="patient_id")
    )
    return Cohort(patients=patients, tables={"assessments": visits})


def test_changing_a_rule_shows_who_changes():
    changes = compare_rules(trial(), "recist_1.1_course/1", "new_therapy_is_event/1")
    schema.RULE_CHANGES.check(changes)
    assert changes[["patient_id", "column", "before", "after"]].to_numpy().tolist() == [
        ["P1", "pfs_days", "43", "60"],
        ["P1", "pfs_event", "False", "True"],
    ]
    assert changes["reason_after"].tolist() == ["another therapy"] * 2
    assert compare_rules(trial(), "every_event/1", "every_event/1").empty
    confirmed = compare_rules(trial(), "recist_1.1_course/1", ResponseRules(confirmation=True))
    assert confirmed[["patient_id", "column"]].to_numpy().tolist() == [
        ["P2", "ttr_days"],
        ["P2", "dor_days"],
        ["P2", "dor_event"],
    ]
    assert confirmed["after"].isna().all()
    with pytest.raises(SchemaError, match="neither lesions nor assessments"):
        compare_rules(Cohort(patients=trial().patients), "every_event/1", "confirmed_response/1")


def pfs(days: list[float], event: list[bool]) -> pd.DataFrame:
    index = pd.Index([f"P{i}" for i in range(len(days))], name="patient_id")
    return derive(Cohort(patients=pd.DataFrame({"pfs_days": days, "pfs_event": event}, index=index)))


def test_thresholds_side_by_side():
    table = pfs_sensitivity(pfs([100, 168, 169, 182, 183, 183, 184, 210], [1, 1, 1, 0, 0, 1, 0, 1]))
    counts = table.set_index(["threshold", "method"])[["n", "n_free", "n_failed", "n_unknown"]]
    evaluable, treated = "binomial, evaluable; Clopper-Pearson", "binomial, all treated; Clopper-Pearson"
    assert counts.loc[("24 weeks", evaluable)].tolist() == [8, 6, 2, 0]
    assert counts.loc[("26 weeks", evaluable)].tolist() == [7, 4, 3, 1]
    assert counts.loc[("6 months", evaluable)].tolist() == [6, 2, 4, 2]
    assert counts.loc[("6 months", treated)].tolist() == [8, 2, 4, 2]
    found = table.set_index(["threshold", "method"])["estimate"]
    assert found[("6 months", evaluable)] == 2 / 6
    assert found[("6 months", treated)] == 2 / 8
    # at risk 8, 7, 6, 4 (one censored at 182), the tie of 183 counts the censored as at risk
    assert found[("6 months", "Kaplan-Meier; log-log")] == pytest.approx(7 / 8 * 6 / 7 * 5 / 6 * 3 / 4, abs=1e-12)


def test_a_scan_shortly_before_the_threshold_counts_within_the_window():
    outcomes = pfs([166, 167, 160], [False, True, False])
    exact = pfs_sensitivity(outcomes, thresholds={"24 weeks": 168})
    near = pfs_sensitivity(outcomes, thresholds={"24 weeks": 168}, window_days=2)
    assert exact["n_free"].tolist()[0] == 0
    assert near["n_free"].tolist()[0] == 1
    assert near["n_failed"].tolist()[0] == 1
    with pytest.raises(ImmunosarcError, match=r"2 problem\(s\)[\s\S]*0 is not a whole[\s\S]*window_days"):
        pfs_sensitivity(outcomes, thresholds={"now": 0}, window_days=-1)


def test_the_model_trial_has_its_published_count(shared: Path):
    from immunosarc import simulate_cohort

    outcomes = derive(simulate_cohort(seed=7))
    table = pfs_sensitivity(outcomes).set_index(["threshold", "method"])
    row = table.loc[("6 months", "binomial, evaluable; Clopper-Pearson")]
    assert (row["n_free"], row["n"]) == (13, 28)
    assert table.loc[("6 months", "Kaplan-Meier; log-log"), "estimate"] == pytest.approx(0.476, abs=5e-4)
    assert set(table["simulated"]) == {"SIMULATED"}


def test_median_follow_up_reverses_the_event():
    frame = pd.DataFrame(
        {"os_days": [10.0, 20, 100, 200, 300], "os_event": [True, True, False, False, False]},
        index=pd.Index(list("ABCDE"), name="patient_id"),
    )
    table = summarize_follow_up(derive(Cohort(patients=frame)), horizon_days=250).set_index("measure")
    schema.SUMMARY.check(table.reset_index())
    row = table.loc["median_follow_up_os"]
    # of the three censored, half are censored by day 200; the dead leave without pulling the median down
    assert row["estimate"] * 30.4375 == pytest.approx(200)
    assert row["n_events"] == 3
    mean = table.loc["restricted_mean_os", "estimate"] * 30.4375
    assert mean == pytest.approx(10 + 10 * 4 / 5 + 230 * 3 / 5)
    assert table.loc["median_follow_up_pfs", "status"] == "no patient"
    far = summarize_follow_up(derive(Cohort(patients=frame)), horizon_days=400).set_index("measure")
    assert far.loc["restricted_mean_os", "status"].startswith("nobody followed to day 400")
