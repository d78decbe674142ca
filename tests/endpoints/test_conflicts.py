"""Contradictory rows: every kind is collected with patient, table and row, stops, or leaves the patient out."""

from __future__ import annotations

import pandas as pd
import pytest

from immunosarc import Cohort, schema
from immunosarc.endpoints import (
    count_adverse_events,
    derive,
    derive_course,
    derive_dosing,
    derive_trial_tables,
    find_conflicts,
)
from immunosarc.errors import SchemaError


def lesion(patient: str, day: float, size: float, *, name: str = "T1", **more: object) -> dict[str, object]:
    usual = {"patient_id": patient, "study_day": day, "lesion_id": name, "role": "target", "diameter_mm": size}
    return usual | more


def visit(patient: str, day: float, call: str) -> dict[str, object]:
    return {"patient_id": patient, "study_day": day, "overall_response": call}


def dose(patient: str, day: float, unit: str) -> dict[str, object]:
    return {"patient_id": patient, "study_day": day, "drug": "doxorubicin", "dose": 75.0, "dose_unit": unit}


def event(patient: str, day: float, grade: float = 1) -> dict[str, object]:
    return {"patient_id": patient, "study_day": day, "term": "Rash", "grade": grade}


# kind of contradiction: dates of the patient, rows by table, and (table, row, words)
KINDS = {
    "two sizes": (
        {},
        {"lesions": [(43, 40.0), (43, 41.0)]},
        ("lesions", 1, "two different rows for lesion T1 on day 43"),
    ),
    "no baseline": (
        {},
        {"lesions": [(43, 40.0, "T2")]},
        ("lesions", 1, "target T2 of day 43 is not in the baseline"),
    ),
    "units": ({}, {"lesions": [(43, 4.0, "T1", "cm")]}, ("lesions", 1, "diameter in 'cm', need mm")),
    "death": (
        {"death_day": 60.0},
        {"lesions": [(85, 40.0)]},
        ("lesions", 1, "study_day 85 is after death_day 60"),
    ),
    "cut": (
        {"data_cut_day": 60.0},
        {"lesions": [(85, 40.0)]},
        ("lesions", 1, "study_day 85 is after data_cut_day 60"),
    ),
    "early": (
        {},
        {"assessments": [(-3, "SD")]},
        ("assessments", 0, "SD called on day -3, before there was anything"),
    ),
    "twice": ({}, {"assessments": [(43, "SD"), (43, "PR")]}, ("assessments", 1, "day 43 is called twice")),
    "doses": (
        {},
        {"exposures": [(1, "mg/m2"), (22, "mg")]},
        ("exposures", 1, "dose of doxorubicin in mg, other doses"),
    ),
    "event": (
        {"death_day": 60.0},
        {"adverse_events": [(61,)]},
        ("adverse_events", 0, "study_day 61 is after death_day"),
    ),
    "grade 0": ({}, {"adverse_events": [(5, 2), (6, 0)]}, ("adverse_events", 1, "grade 0, CTCAE has 1 to 5")),
    "grade 6": ({}, {"adverse_events": [(5, 6)]}, ("adverse_events", 0, "grade 6, CTCAE has 1 to 5")),
    "dates": (
        {"death_day": 60.0, "last_alive_day": 70.0},
        {},
        ("patients", 0, "last_alive_day 70 is after death_day 60"),
    ),
}


def cohort(kinds: list[str], *, healthy: bool = True) -> Cohort:
    """One patient for each kind, and one without contradictions last."""
    tables: dict[str, list[dict[str, object]]] = {}
    for i, kind in enumerate(kinds):
        patient, given = f"P{i}", KINDS[kind][1]
        if "lesions" in given:
            tables.setdefault("lesions", []).append(lesion(patient, -3.0, 50.0, diameter_unit="mm"))
        for day, size, *more in given.get("lesions", []):
            named = dict(zip(("name", "diameter_unit"), more, strict=False))
            tables["lesions"].append(lesion(patient, float(day), size, **{"diameter_unit": "mm"} | named))
        tables.setdefault("assessments", []).extend(visit(patient, *row) for row in given.get("assessments", []))
        tables.setdefault("exposures", []).extend(dose(patient, *row) for row in given.get("exposures", []))
        tables.setdefault("adverse_events", []).extend(
            event(patient, *row) for row in given.get("adverse_events", [])
        )
    if healthy:
        tables.setdefault("lesions", []).extend([lesion("OK", -3.0, 50.0), lesion("OK", 43.0, 30.0)])
    index = pd.Index([f"P{i}" for i in range(len(kinds))] + ["OK"] * healthy, name="patient_id")
    dates = pd.DataFrame([KINDS[kind][0] for kind in kinds] + [{}] * healthy, index=index).astype("float64")
    return Cohort(patients=dates, tables={name: pd.DataFrame(rows) for name, rows in tables.items() if rows})


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found_where_it_stands(kind: str) -> None:
    table, row, words = KINDS[kind][2]
    found = find_conflicts(cohort([kind]))
    schema.CONFLICTS.check(found)
    assert found[["patient_id", "table", "row"]].to_numpy().tolist() == [["P0", table, row]]
    assert found["problem"].tolist()[0].startswith(words)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_stops_or_leaves_the_patient_out(kind: str) -> None:
    trial = cohort([kind])
    table, row, words = KINDS[kind][2]
    with pytest.raises(SchemaError, match=r"on_conflict='exclude_patient'") as caught:
        derive(trial)
    assert f"P0: {words}" in str(caught.value)
    assert f"(table '{table}', row {row})" in str(caught.value)
    outcomes = derive(trial, on_conflict="exclude_patient")
    status = [name for name in outcomes if name.endswith("_status")]
    values = ["best_overall_response", "pfs_days", "pfs_event", "os_days", "os_event", "objective_response"]
    assert outcomes.loc["P0", status].str.startswith(f"excluded: {words}").all()
    assert outcomes.loc["P0", values].isna().all()
    alone = derive(cohort([]))
    pd.testing.assert_frame_equal(outcomes.loc[["OK"], values], alone.loc[["OK"], values])
    assert outcomes.loc["OK", "best_overall_response"] == "PR"


def test_all_kinds_come_together() -> None:
    trial = cohort(list(KINDS))
    with pytest.raises(SchemaError) as caught:
        derive(trial)
    for i, kind in enumerate(KINDS):
        assert f"P{i}: {KINDS[kind][2][2]}" in str(caught.value)
    outcomes = derive(trial, on_conflict="exclude_patient")
    assert outcomes["pfs_status"].str.startswith("excluded").tolist() == [True] * len(KINDS) + [False]
    assert len(find_conflicts(cohort([]))) == 0


def test_a_patient_left_out_of_the_visits_stays_out_of_the_course() -> None:
    visits = pd.DataFrame([visit("P1", 43.0, "SD"), visit("P1", 43.0, "PR"), visit("P2", 43.0, "PR")])
    patients = pd.DataFrame({"death_day": [100.0, 200.0]}, index=pd.Index(["P1", "P2"], name="patient_id"))
    course = derive_course(visits, patients, on_conflict="exclude_patient")
    assert course["status"].tolist() == ["excluded: day 43 is called twice", "ok"]
    assert course["pfs_days"].fillna(-1).tolist() == [-1, 43]
    assert course["pfs_event"].tolist() == [pd.NA, False]


def test_without_a_baseline_nothing_is_adequate() -> None:
    rows = pd.DataFrame(
        [lesion("P1", 43.0, 50.0), lesion("P1", 85.0, 80.0), lesion("P1", 85.0, 9.0, name="X", role="new")]
    )
    outcomes = derive(
        Cohort(patients=pd.DataFrame(index=pd.Index(["P1"], name="patient_id")), tables={"lesions": rows})
    )
    assert outcomes["best_overall_response"].tolist() == ["NE"]
    assert (outcomes["pfs_days"].tolist(), outcomes["pfs_event"].tolist()) == ([1], [False])


def test_tables_of_a_trial_leave_the_patients_out_too() -> None:
    trial = cohort(list(KINDS))
    with pytest.raises(SchemaError):
        derive_trial_tables(trial)
    made = derive_trial_tables(trial, on_conflict="exclude_patient")
    kind = dict(zip(trial.patients.index, KINDS, strict=False))
    told = made["toxicity"].set_index("patient_id")["status"]
    assert {kind[one] for one in told.index[told.str.startswith("excluded: grade")]} == {"grade 0", "grade 6"}
    assert made["event_counts"]["n_treated"].isin([0.0]).all() or len(made["event_counts"]) == 0
    dosing = made["dosing"].set_index("patient_id")
    assert dosing["status"].tolist() == ["excluded: dose of doxorubicin in mg, other doses in mg/m2"]
    assert dosing[["n_doses", "cumulative_dose", "exposure_days"]].isna().all(axis=None)
    assert made["immune_course"].loc["OK", "immune_best_response"] == "iPR"


def test_a_wrong_grade_takes_the_patient_out_of_count_and_denominator() -> None:
    events = pd.DataFrame([event("P1", 5, 3), event("P2", 5, 6), event("P2", 9, 2)]).assign(related=True)
    trial = Cohort(pd.DataFrame({"patient_id": ["P1", "P2", "P3"]}), tables={"adverse_events": events})
    counts = count_adverse_events(trial, on_conflict="exclude_patient")
    assert counts[["grade", "n_patients", "n_treated"]].to_numpy().tolist() == [[3, 1, 2], [3, 1, 2]]
    with pytest.raises(SchemaError, match=r"P2: grade 6, CTCAE has 1 to 5 \(table 'adverse_events', row 1\)"):
        count_adverse_events(trial)
    doses = pd.DataFrame([dose(one, day, "mg/m2") for one in ("P1", "P2", "P3") for day in (1, 22)])
    whole = Cohort(trial.patients, tables={"adverse_events": events, "exposures": doses})
    rates = derive_trial_tables(whole, on_conflict="exclude_patient")["toxicity_rates"]
    assert rates.loc[0, ["n", "n_events"]].tolist() == [2, 1]


def test_doses_in_two_units_stop_or_leave_the_patient_out() -> None:
    doses = pd.DataFrame([dose("P1", 1, "mg/m2"), dose("P2", 1, "mg/m2"), dose("P2", 22, "mg")])
    with pytest.raises(SchemaError, match=r"P2: dose of doxorubicin in mg, other doses in mg/m2 .*row 2"):
        derive_dosing(doses)
    table = derive_dosing(doses, on_conflict="exclude_patient").set_index("patient_id")
    assert table["cumulative_dose"].fillna(-1).to_dict() == {"P1": 75.0, "P2": -1}
    assert table["status"].str.startswith("excluded").tolist() == [False, True]
