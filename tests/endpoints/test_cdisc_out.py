"""CDISC out: the shapes, the numbers, and the way back through the loader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.endpoints import derive, derive_course, derive_recist, to_adrs, to_adtr, to_adtte
from immunosarc.errors import SchemaError


@pytest.fixture(scope="module")
def cohort() -> ims.Cohort:
    return ims.simulate_cohort(seed=7, n_null=1)


@pytest.fixture(scope="module")
def visits(cohort: ims.Cohort) -> pd.DataFrame:
    return derive_recist(cohort.tables["lesions"])


@pytest.fixture(scope="module")
def course(cohort: ims.Cohort, visits: pd.DataFrame) -> pd.DataFrame:
    return derive_course(visits, cohort.patients)


def test_round_trip_through_the_loader(cohort, visits, course, tmp_path: Path) -> None:
    outcomes = derive(cohort)
    to_adrs(visits, course).to_csv(tmp_path / "adrs.csv", index=False)
    to_adtte(outcomes, course).to_csv(tmp_path / "adtte.csv", index=False)
    pd.DataFrame({"patient_id": cohort.patients.index}).to_csv(tmp_path / "patients.csv", index=False)
    also = '[[patients.also]]\nfile = "{}.csv"\ncdisc = "{}"\n{}\n'
    text = 'name = "back"\ntime_unit = "days"\n[patients]\nfile = "patients.csv"\n'
    text += also.format("adrs", "ADRS", "") + also.format("adtte", "ADTTE", "")
    text += also.format("adtte", "ADTTE", 'keep = { PARAMCD = "OS" }')
    (tmp_path / "back.toml").write_text(text)
    back = derive(ims.load_cohort(tmp_path / "back.toml"))
    shared = [name for name in outcomes if name not in ("simulated", "rule_set")]
    shared = [name for name in shared if not name.startswith(("treatment_", "immune_"))]
    pd.testing.assert_frame_equal(back[shared], outcomes[shared])


def test_censoring_is_the_opposite_of_an_event(cohort, course) -> None:
    outcomes = derive(cohort)
    table = to_adtte(outcomes, course, study_id="S").set_index(["PARAMCD", "USUBJID"])
    for endpoint, code in (("pfs", "PFS"), ("os", "OS")):
        mine = table.loc[code].reindex(outcomes.index)
        assert (mine["CNSR"] == 1 - outcomes[f"{endpoint}_event"].astype(int)).all()
        assert mine["AVAL"].tolist() == outcomes[f"{endpoint}_days"].tolist()
        assert mine["EVNTDESC"].notna().tolist() == outcomes[f"{endpoint}_event"].tolist()
    held = table.loc["RSD"]
    assert len(held) == 10
    assert (held["ADY"] - held["STARTDY"] + 1 == held["AVAL"]).all()
    assert (held["ADY"] == table.loc["PFS"].loc[held.index, "ADY"]).all()
    assert table.loc[("PFS", "SIM12"), "EVNTDESC"] == "death"
    assert table.loc[("PFS", "SIM15"), "CNSDTDSC"] == "censored at the last adequate scan before another therapy"
    with pytest.raises(SchemaError, match="patient 'SIM01' is missing"):
        to_adtte(outcomes, course.drop(index="SIM01"))


def test_sums_are_those_of_the_lesions(cohort, visits) -> None:
    rows = cohort.tables["lesions"]
    sums = rows[rows["role"] == "target"].groupby(["patient_id", "study_day"])["diameter_mm"].sum()
    table = to_adtr(visits).set_index(["USUBJID", "ADY"])
    assert table["AVAL"].to_dict() == sums.to_dict()
    for patient, part in table.groupby(level=0):
        values = sums[patient].to_numpy()
        np.testing.assert_allclose(part["PCHG"], 100 * (values / values[0] - 1), atol=1e-9)
        lowest = np.minimum.accumulate(values)[:-1]
        np.testing.assert_allclose(part["CHGNAD"].iloc[1:], values[1:] - lowest, atol=1e-9)
        assert part["ABLFL"].fillna("").tolist() == ["Y"] + [""] * (len(part) - 1)


def test_every_patient_has_a_best_response_in_both_ways(cohort, visits, course) -> None:
    table = to_adrs(visits, course)
    for code in ("BOR", "CBOR"):
        assert table.loc[table["PARAMCD"] == code, "USUBJID"].tolist() == cohort.patients.index.tolist()
    assert (table.loc[table["PARAMCD"] == "OVR", "AVALC"]).tolist() == visits["overall_response"].dropna().tolist()
    assert table.groupby("AVALC")["AVAL"].unique().map(list).to_dict() == {
        "CR": [1],
        "PR": [2],
        "SD": [3],
        "PD": [5],
        "NE": [6],
    }
    nobody = course.assign(best_overall_response=pd.array([pd.NA] * len(course), dtype="string"))
    missing = to_adrs(visits, nobody)
    assert set(missing.loc[missing["PARAMCD"] == "BOR", "AVALC"]) == {"MISSING"}
