"""Whatever the rows of a patient are, each endpoint is either a value or a reason, never both and never neither."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import immunosarc as ims
from immunosarc import schema
from immunosarc.endpoints import derive

PAIRS = {
    "response_status": ("objective_response", "disease_control"),
    "durable_status": ("durable_clinical_benefit",),
    "pfs6_status": ("pfs6",),
    "pfs_status": ("pfs_days", "pfs_event", "pfs_time"),
    "os_status": ("os_days", "os_event", "os_time"),
    "resistance_status": ("primary_resistance",),
}

DAY = st.integers(-5, 400).filter(bool)  # there is no day 0
MAYBE_DAY = st.one_of(st.none(), DAY)
CALL = st.sampled_from(["CR", "PR", "SD", "PD", "NE"])
PATIENT = st.fixed_dictionaries(
    {
        "death_day": MAYBE_DAY,
        "last_alive_day": MAYBE_DAY,
        "data_cut_day": st.one_of(st.none(), st.integers(150, 400)),
        "new_therapy_day": MAYBE_DAY,
        "pfs_days": st.one_of(st.none(), st.none(), st.integers(1, 300)),
        "best_overall_response": st.one_of(st.none(), st.none(), CALL),
        "visits": st.lists(st.tuples(DAY, CALL), max_size=5),
        "doses": st.lists(st.integers(1, 380), max_size=4),
    }
)


def trial(many: list[dict]) -> ims.Cohort:
    names = [f"P{i}" for i in range(len(many))]
    known = [name for name in many[0] if name not in ("visits", "doses")]
    patients = pd.DataFrame([{name: one[name] for name in known} for one in many], index=names)
    patients.index.name = "patient_id"
    days = [name for name in known if name.endswith("_day") or name == "pfs_days"]
    patients = patients.astype(dict.fromkeys(days, "float64") | {"best_overall_response": "string"})
    patients["pfs_event"] = patients["pfs_days"].gt(100).astype("boolean").where(patients["pfs_days"].notna())
    visits = [(name, day, call) for name, one in zip(names, many, strict=True) for day, call in one["visits"]]
    doses = [(name, day, "nivolumab") for name, one in zip(names, many, strict=True) for day in one["doses"]]
    tables = {
        "assessments": pd.DataFrame(visits, columns=["patient_id", "study_day", "overall_response"]),
        "exposures": pd.DataFrame(doses, columns=["patient_id", "study_day", "drug"]),
    }
    return ims.Cohort(patients, tables={name: table for name, table in tables.items() if len(table)})


@settings(max_examples=40, deadline=None)
@given(st.lists(PATIENT, min_size=1, max_size=12))
def test_exactly_one_value_or_a_reason(many: list[dict]) -> None:
    cohort = trial(many)
    outcomes = derive(cohort, on_conflict="exclude_patient")
    schema.OUTCOMES.check(outcomes)
    assert outcomes.index.tolist() == cohort.patients.index.tolist()
    for status, values in PAIRS.items():
        if status not in outcomes:
            continue
        told = outcomes[status]
        assert told.notna().all()
        assert (told.str.strip() != "").all()
        for name in values:
            assert (outcomes[name].notna() == (told == "ok")).all(), (name, outcomes[[name, status]])
    conflicting = set(ims.endpoints.find_conflicts(cohort)["patient_id"])
    excluded = outcomes["os_status"].str.startswith("excluded: ")
    assert conflicting <= set(outcomes.index[excluded])


def test_a_death_before_the_first_dose_excludes_the_patient_and_stops_nothing() -> None:
    visits = pd.DataFrame({"patient_id": ["P1", "P2"], "study_day": [1, 60], "overall_response": ["CR", "PD"]})
    doses = pd.DataFrame({"patient_id": ["P1", "P2"], "study_day": 1, "drug": "nivolumab"})
    cohort = ims.Cohort(
        pd.DataFrame({"patient_id": ["P1", "P2"], "death_day": [-1.0, None]}),
        tables={"assessments": visits, "exposures": doses},
    )
    outcomes = derive(cohort, on_conflict="exclude_patient")
    assert outcomes["pfs_status"].str.startswith("excluded: death_day -1 is before the first dose").tolist() == [
        True,
        False,
    ]
    assert outcomes.loc["P2", "pfs_days"] == 60
    assert ims.run(cohort, {"on_conflict": "exclude_patient"})["outcomes"]["pfs_days"].tolist()[1] == 60
