"""iRECIST: what raises, confirms and resets progression, and what a patient's visits add up to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunosarc import schema
from immunosarc.endpoints import derive_irecist, derive_irecist_course, derive_recist
from immunosarc.errors import ImmunosarcError

DAYS = (-3, 43, 85, 127, 169, 211)


def rows(name: str, role: str, *sizes: float | None, status: list | None = None, days: list | None = None):
    days = days or list(DAYS[: len(sizes)])
    frame = pd.DataFrame({"study_day": days, "diameter_mm": list(sizes), "status": status or [None] * len(sizes)})
    frame = frame.astype({"diameter_mm": "float64", "status": "string"})
    return frame.assign(patient_id="P1", lesion_id=name, role=role)


def target(*sizes: float | None, **more) -> pd.DataFrame:
    return rows("T1", "target", *sizes, **more)


def calls(*lesions: pd.DataFrame, **more) -> list[str]:
    visits = derive_irecist(pd.concat(lesions), **more)
    schema.IMMUNE_RECIST.check(visits)
    return visits["immune_response"].tolist()[1:]


def new(name: str, days: list[int], *sizes: float | None) -> pd.DataFrame:
    return rows(name, "new", *sizes, days=days, status=["unequivocal"] * len(sizes))


def non_target(*status: str, sizes: list | None = None, name: str = "N1") -> pd.DataFrame:
    return rows(name, "non_target", *(sizes or [None] * len(status)), status=list(status))


TARGETS = [
    ((50, 40, 30), ["iSD", "iPR"]),
    ((50, 62, 66.9), ["iUPD", "iUPD"]),
    ((50, 62, 67), ["iUPD", "iCPD"]),
    ((50, 62, 62, 67), ["iUPD", "iUPD", "iCPD"]),
    ((50, 62, 67, 30), ["iUPD", "iCPD", "iCPD"]),
    # back below the limit: the bar is reset, and the next progression needs its own confirmation
    ((50, 62, 50), ["iUPD", "iSD"]),
    ((50, 62, 30), ["iUPD", "iPR"]),
    ((50, 62, 0), ["iUPD", "iCR"]),
    ((50, 62, 55, 62), ["iUPD", "iSD", "iUPD"]),
    ((50, 62, 55, 62, 67), ["iUPD", "iSD", "iUPD", "iCPD"]),
    ((50, 62, 55, 67), ["iUPD", "iSD", "iUPD"]),
    # still progressive against the nadir, though smaller than at iUPD
    ((50, 30, 40, 37), ["iPR", "iUPD", "iUPD"]),
    # a visit that cannot be judged neither confirms nor resets
    ((50, 62, None, 67), ["iUPD", "NE", "iCPD"]),
]


@pytest.mark.parametrize(("sizes", "expected"), TARGETS)
def test_targets(sizes, expected):
    assert calls(target(*sizes)) == expected


def test_confirmation_needs_four_weeks():
    assert calls(target(50, 62, 70, days=[-3, 43, 70])) == ["iUPD", "iUPD"]
    assert calls(target(50, 62, 70, days=[-3, 43, 71])) == ["iUPD", "iCPD"]
    assert calls(target(50, 62, 70, 70, days=[-3, 43, 70, 71])) == ["iUPD", "iUPD", "iCPD"]
    assert calls(target(50, 62, 70, days=[-3, 43, 70]), confirm_days=27) == ["iUPD", "iCPD"]
    with pytest.raises(ImmunosarcError, match="confirm_days: need at least 0, have -1"):
        calls(target(50), confirm_days=-1)


STILL = (50, 50, 50, 50)
NEW = [
    ([new("X1", [43, 85], 12, 12)], ["iUPD", "iUPD", "iUPD"]),
    ([new("X1", [43, 85], 12, 16.9)], ["iUPD", "iUPD", "iUPD"]),
    ([new("X1", [43, 85], 12, 17)], ["iUPD", "iCPD", "iCPD"]),
    ([new("X1", [43, 85, 127], 12, None, 17)], ["iUPD", "iUPD", "iCPD"]),
    # of lesions too small to measure any growth counts
    ([new("X1", [43, 85], 6, 6)], ["iUPD", "iUPD", "iUPD"]),
    ([new("X1", [43, 85], 6, 7)], ["iUPD", "iCPD", "iCPD"]),
    # another one
    ([new("X1", [43], 12), new("X2", [85], 12)], ["iUPD", "iCPD", "iCPD"]),
    # two grow a little, together 5 mm
    ([new("X1", [43, 85], 12, 15), new("X2", [43, 85], 12, 14)], ["iUPD", "iCPD", "iCPD"]),
    # one grows while the other shrinks
    ([new("X1", [43, 85], 20, 24), new("X2", [43, 85], 20, 17)], ["iUPD", "iUPD", "iUPD"]),
    # gone again
    (
        [rows("X1", "new", 12, None, days=[43, 85], status=["unequivocal", "absent"])],
        ["iUPD", "iSD", "iSD"],
    ),
]


@pytest.mark.parametrize(("lesions", "expected"), NEW)
def test_new_lesions(lesions, expected):
    assert calls(target(*STILL), *lesions) == expected


def test_only_five_new_lesions_are_measured():
    grown = [new(f"X{i}", [43, 85], 12, 12 + (5 if i == 6 else 0)) for i in range(7)]
    # the seventh belongs to the others, of which any growth counts
    assert calls(target(*STILL), *grown)[1] == "iCPD"
    visits = derive_irecist(pd.concat([target(*STILL), *grown]))
    assert visits["new_lesion_sum_mm"].tolist()[1:] == [60, 60, 60]
    nodes = new("X1", [43], 14).assign(nodal=True)
    both = derive_irecist(pd.concat([target(*STILL).assign(nodal=False), nodes]).astype({"nodal": "boolean"}))
    assert both["new_lesion_sum_mm"].tolist()[1:] == [0, 0, 0]


NON_TARGET = [
    ([non_target("present", "progression", "progression", "progression")], ["iUPD", "iUPD", "iUPD"]),
    ([non_target("present", "progression", "further_progression", "present")], ["iUPD", "iCPD", "iCPD"]),
    ([non_target("present", "progression", "present", "progression")], ["iUPD", "iSD", "iUPD"]),
    (
        [non_target("present", "progression", "progression", "progression", sizes=[20, 30, 31, 31])],
        ["iUPD", "iCPD", "iCPD"],
    ),
    (
        [
            non_target("present", "progression", "progression", "progression"),
            non_target("present", "present", "progression", "progression", name="N2"),
        ],
        ["iUPD", "iCPD", "iCPD"],
    ),
]


@pytest.mark.parametrize(("lesions", "expected"), NON_TARGET)
def test_non_targets(lesions, expected):
    assert calls(target(*STILL), *lesions) == expected


def test_progression_of_another_part_confirms_and_the_cause_is_named():
    visits = derive_irecist(pd.concat([target(50, 62, 62, 62), new("X1", [85], 12)]))
    assert visits["immune_response"].tolist()[1:] == ["iUPD", "iCPD", "iCPD"]
    assert visits["cause"].tolist()[1:3] == ["T", "NL"]
    assert visits["unconfirmed_since_day"].tolist()[1:] == [43, 43, 43]
    both = derive_irecist(pd.concat([target(50, 62), new("X1", [43], 12)]))
    assert both["cause"].tolist()[1] == "T+NL"
    with_nt = derive_irecist(pd.concat([target(50, 50), non_target("present", "progression")]))
    assert with_nt["cause"].tolist()[1] == "NT"


def test_without_targets_the_names_are_those_of_non_targets():
    assert calls(non_target("present", "present", "absent")) == ["NON-iCR/NON-iUPD", "iCR"]


def course(*lesions: pd.DataFrame, rules=None, **dates) -> pd.Series:
    patients = pd.DataFrame(dates, index=pd.Index(["P1"], name="patient_id"))
    table = derive_irecist_course(derive_irecist(pd.concat(lesions)), patients, rules=rules)
    schema.IMMUNE_COURSE.check(table)
    return table.iloc[0]


COURSES = [
    ((50, 62, 30, 28), {}, "iPR", 127, False, "censored at the last adequate scan"),
    ((50, 62, 67), {}, "iCPD", 43, True, "progression, confirmed"),
    ((50, 62, 62), {}, "iUPD", 43, True, "progression, not confirmed: no later scan says otherwise"),
    ((50, 62), {}, "iUPD", 43, True, "progression, not confirmed: no later scan says otherwise"),
    ((50, 62), {"death_day": [60.0]}, "iUPD", 43, True, "progression, not confirmed"),
    ((50, 62, 50, 62, 67), {}, "iSD", 127, True, "progression, confirmed"),
    ((50, 30, 40, 46), {}, "iPR", 85, True, "progression, confirmed"),
    ((50, 50, 50), {"death_day": [100.0]}, "iSD", 100, True, "death"),
    ((50, 62, 30), {"new_therapy_day": [60.0]}, "iUPD", 43, True, "progression, not confirmed"),
    ((50, None), {}, "NE", 1, False, "censored on day 1"),
]


@pytest.mark.parametrize(("sizes", "dates", "best", "end", "event", "reason"), COURSES)
def test_course(sizes, dates, best, end, event, reason):
    row = course(target(*sizes), **dates)
    assert row["immune_best_response"] == best
    assert (row["ipfs_days"], row["ipfs_event"]) == (end, event)
    assert row["ipfs_reason"].startswith(reason)


def test_confirmed_progression_has_its_own_day_and_response_stops_at_it():
    row = course(target(50, 62, 67, 20))
    assert row["confirmed_progression_day"] == 85
    assert row["immune_best_response"] == "iCPD"
    assert np.isnan(row["immune_response_day"])
    assert course(target(50, 62, 30))["immune_response_day"] == 85
    short = course(target(50, 50, days=[-3, 30]))
    assert short["immune_best_response"] == "NE"
    assert short["status"] == "stable disease for less than 42 days after baseline"


def test_patients_left_out_and_patients_without_lesions_keep_their_reason():
    two = pd.concat([target(50, 40), target(50, 41), target(50, 30).assign(patient_id="P2")])
    visits = derive_irecist(two, on_conflict="exclude_patient")
    patients = pd.DataFrame(index=pd.Index(["P1", "P2", "P3"], name="patient_id"))
    table = derive_irecist_course(visits, patients)
    assert table["status"].str.slice(0, 9).tolist() == ["excluded:", "ok", "no visit "]
    assert table["immune_best_response"].fillna("-").tolist() == ["-", "iPR", "-"]
    assert table["ipfs_days"].fillna(-1).tolist() == [-1, 43, -1]


SIZE = st.one_of(st.none(), st.integers(0, 70))


def slow_irecist(sizes: list[int | None]) -> list[str]:
    """One target, visits six weeks apart, one after the other."""
    baseline = nadir = sizes[0]
    seen_cr, waiting, done, found = False, None, False, []
    for size in sizes[1:]:
        if size is None:
            found.append("iCPD" if done else "NE")
            continue
        grown = size > 0 if (nadir == 0 or seen_cr) else size - nadir >= max(5, nadir / 5)
        plain = "CR" if size == 0 else "PD" if grown else "PR" if baseline - size >= 0.3 * baseline else "SD"
        seen_cr |= plain == "CR"
        nadir = min(nadir, size)
        if done or (waiting is not None and plain == "PD" and size - waiting >= 5):
            done = True
            found.append("iCPD")
        elif plain == "PD":
            waiting = size if waiting is None else waiting
            found.append("iUPD")
        else:
            waiting = None
            found.append("i" + plain)
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(10, 60), st.lists(SIZE, min_size=1, max_size=8)), min_size=1, max_size=10))
def test_agrees_with_the_definition_patient_by_patient(many):
    frames, expected = [], {}
    for i, (first, later) in enumerate(many):
        sizes = [first, *later]
        days = [-3, *(42 * (k + 1) + 1 for k in range(len(later)))]
        frames.append(target(*sizes, days=days).assign(patient_id=f"P{i}"))
        expected[f"P{i}"] = slow_irecist(sizes)
    lesions = pd.concat(frames, ignore_index=True).sample(frac=1, random_state=0)
    visits = derive_irecist(lesions)
    for name, wanted in expected.items():
        assert visits.loc[visits["patient_id"] == name, "immune_response"].tolist()[1:] == wanted
    pd.testing.assert_series_equal(visits["overall_response"], derive_recist(lesions)["overall_response"])
