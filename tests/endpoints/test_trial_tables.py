"""Change of tumors, time line and event counts, against the definition in other words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.endpoints import (
    ResponseRules,
    count_adverse_events,
    derive_course,
    derive_recist,
    derive_timeline,
    derive_tumor_change,
)
from immunosarc.errors import SchemaError


@pytest.fixture(scope="module")
def cohort() -> ims.Cohort:
    return ims.simulate_cohort(seed=7, n_null=1)


@pytest.fixture(scope="module")
def visits(cohort: ims.Cohort) -> pd.DataFrame:
    return derive_recist(cohort.tables["lesions"], cohort.tables["assessments"])


@pytest.fixture(scope="module")
def course(cohort: ims.Cohort, visits: pd.DataFrame) -> pd.DataFrame:
    return derive_course(visits, cohort.patients)


def best_by_definition(cohort: ims.Cohort, patient: str) -> float | None:
    """Smallest relative sum over the scans up to the progression, from the lesion rows alone."""
    rows = cohort.tables["lesions"]
    mine = rows[(rows["patient_id"] == patient) & (rows["role"] == "target")]
    sums = {day: part["diameter_mm"].sum() for day, part in mine.groupby("study_day")}
    base = sums[min(sums)]
    end = cohort.patients.loc[patient, "pfs_days"]
    after = [100 * (total / base - 1) for day, total in sums.items() if 1 < day <= end]
    return min(after) if after else None


def test_best_change_of_every_patient(cohort, visits, course) -> None:
    table = derive_tumor_change(visits, course)
    best = table[table["best"]].set_index("patient_id")["change_percent"]
    for patient in cohort.patients.index:
        expected = best_by_definition(cohort, patient)
        assert (patient in best.index) == (expected is not None)
        if expected is not None:
            assert best[patient] == pytest.approx(expected, abs=1e-9)
    assert len(best) == 30
    assert table["patient_id"].drop_duplicates().tolist() == cohort.patients.index.tolist()


def _lesions(*visits: tuple[int, dict[str, float]]) -> pd.DataFrame:
    rows = [
        {"patient_id": "P1", "study_day": day, "lesion_id": lesion, "role": "target", "diameter_mm": size}
        for day, sizes in visits
        for lesion, size in sizes.items()
    ]
    return pd.DataFrame(rows)


def _change(lesions: pd.DataFrame, **patient: float) -> pd.DataFrame:
    patients = pd.DataFrame(patient, index=pd.Index(["P1", "P2"], name="patient_id"))
    visits = derive_recist(lesions)
    return derive_tumor_change(visits, derive_course(visits, patients))


def test_shrinkage_after_progression_is_not_the_best_change() -> None:
    table = _change(_lesions((-5, {"T1": 50}), (43, {"T1": 45}), (85, {"T1": 60}), (127, {"T1": 10})))
    assert table.loc[table["best"], "change_percent"].tolist() == [-10]
    assert table["change_percent"].tolist()[:4] == [0, -10, 20, -80]


def test_shrinkage_after_another_therapy_is_not_the_best_change() -> None:
    lesions = _lesions((-5, {"T1": 50}), (43, {"T1": 45}), (85, {"T1": 20}))
    assert _change(lesions).query("best")["change_percent"].tolist() == [-60]
    assert _change(lesions, new_therapy_day=60.0).query("best")["change_percent"].tolist() == [-10]


def test_a_visit_with_a_target_missing_has_no_change() -> None:
    table = _change(_lesions((-5, {"T1": 50, "T2": 30}), (43, {"T1": 10}), (85, {"T1": 40, "T2": 30})))
    assert table["change_percent"].isna().tolist() == [False, True, False, True]
    assert table["status"].tolist() == ["ok", "1 of 2 target lesions assessed", "ok", "no baseline visit"]
    assert table.loc[table["best"], "study_day"].tolist() == [85]


def test_of_equal_changes_the_earliest_is_best() -> None:
    table = _change(_lesions((-5, {"T1": 50}), (43, {"T1": 40}), (85, {"T1": 40})))
    assert table.loc[table["best"], "study_day"].tolist() == [43]


def test_the_reason_stands_on_the_last_row_only(visits, course) -> None:
    table = derive_tumor_change(visits, course)
    last = ~table["patient_id"].duplicated(keep="last")
    assert table["ended"].notna().equals(last)
    assert table.loc[last, "ended"].tolist() == course["pfs_reason"].tolist()


def test_several_readers_wait_for_a_choice(visits, course) -> None:
    two = pd.concat([visits.assign(reader="A"), visits.assign(reader="B")], ignore_index=True)
    with pytest.raises(SchemaError, match=r"2 readers \(A, B\)"):
        derive_tumor_change(two, course)
    pd.testing.assert_frame_equal(
        derive_tumor_change(two, course, reader="B"), derive_tumor_change(visits, course)
    )


def test_time_line_says_everything_once(cohort, course) -> None:
    line = derive_timeline(cohort, course)
    counts = line["kind"].value_counts()
    assert counts["dose"] == len(cohort.tables["exposures"])
    assert counts["biopsy"] == len(cohort.samples)
    assert counts["death"] == cohort.patients["death_day"].notna().sum()
    assert counts["progression"] == 22  # 24 events, two of them deaths
    assert counts["response"] == 10
    assert counts["new_therapy"] == 1
    assert counts["immune_event"] == cohort.tables["adverse_events"]["immune_mediated"].sum()
    assert counts["follow_up"] == counts["data_cut"] == 33
    assert set(line.loc[line["kind"] == "ongoing", "patient_id"]) == {"SIM26", "SIM28", "SIM29", "SIM30"}
    held = line[line["kind"] == "response"].set_index("patient_id")
    assert (held["end_day"] - held["study_day"] + 1).tolist() == course.loc[held.index, "dor_days"].tolist()
    ends = line[line["kind"] == "follow_up"].set_index("patient_id")["end_day"]
    known = cohort.patients[["death_day", "last_alive_day"]].max(axis=1)
    assert ends[known.index].tolist() == known.tolist()


def test_time_line_without_anything() -> None:
    cohort = ims.Cohort(pd.DataFrame({"patient_id": ["P1"]}))
    visits = pd.DataFrame({"patient_id": [], "study_day": [], "overall_response": []}).astype(
        {"patient_id": "string", "study_day": "float64", "overall_response": "string"}
    )
    line = derive_timeline(cohort, derive_course(visits, cohort.patients))
    assert line[["patient_id", "kind", "status"]].to_numpy().tolist() == [
        ["P1", "follow_up", "nothing recorded after day 1"]
    ]


def test_confirmed_response_starts_later_or_never() -> None:
    lesions = _lesions((-5, {"T1": 50}), (43, {"T1": 30}), (85, {"T1": 48}))
    visits, patients = derive_recist(lesions), pd.DataFrame({"patient_id": ["P1"]})
    cohort, rules = ims.Cohort(patients), ResponseRules(confirmation=True)
    loose = derive_timeline(cohort, derive_course(visits, cohort.patients))
    strict = derive_timeline(cohort, derive_course(visits, cohort.patients, rules=rules), rules=rules)
    assert (loose["kind"] == "response").sum() == 1
    assert (strict["kind"] == "response").sum() == 0


def test_event_counts_against_sets_of_patients(cohort) -> None:
    events = cohort.tables["adverse_events"]
    table = count_adverse_events(cohort)
    highest: dict[tuple[str, str, str], float] = {}
    for row in events.itertuples():
        for attribution in ["any cause"] + ([] if row.related_to == "none" else ["treatment-related"]):
            key = (row.term, attribution, row.patient_id)
            highest[key] = max(highest.get(key, 0), row.grade)
    expected: dict[tuple[str, str, float], int] = {}
    for (term, attribution, _), grade in highest.items():
        expected[term, attribution, grade] = expected.get((term, attribution, grade), 0) + 1
    found = table.set_index(["term", "attribution", "grade"])["n_patients"].to_dict()
    assert found == expected
    assert (table["n_treated"] == 33).all()


def test_events_of_the_untreated_do_not_count() -> None:
    patients = pd.DataFrame({"patient_id": ["P1", "P2", "P3"]})
    events = pd.DataFrame({"patient_id": ["P1", "P2"], "term": "Nausea", "grade": [1, 2], "study_day": 3})
    doses = pd.DataFrame({"patient_id": ["P1", "P2", "P3"], "study_day": 1, "drug": "x", "dose": [1, 0, 1]})
    table = count_adverse_events(ims.Cohort(patients, tables={"adverse_events": events, "exposures": doses}))
    assert table[["grade", "n_patients", "n_treated"]].to_numpy().tolist() == [[1, 1, 2]]
    with pytest.raises(SchemaError, match="not the same as no event"):
        count_adverse_events(ims.Cohort(patients))
    np.testing.assert_array_equal(events["grade"], [1, 2])
