"""A trial as CDISC files hold it: patients, responses and times in files of their own, dates instead of days."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.endpoints._patient_toxicity import days_at_risk

MANIFEST = Path(__file__).resolve().parents[2] / "data_manifests" / "pharmaverse_onco.toml"


@pytest.fixture(scope="module")
def cohort(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFEST, data_root=data_root)


def test_treated_patients(cohort: ims.Cohort) -> None:
    assert len(cohort.patients) == 254
    assert cohort.patients["arm"].value_counts().tolist() == [86, 84, 84]
    kept = cohort.provenance["loading"][0]
    assert (kept["kept"], len(kept["left_out"])) == (254, 52)
    assert {row[2] for row in kept["left_out"]} == {"SAFFL is N, not Y"}


def test_censoring_flags_are_turned_round(cohort: ims.Cohort) -> None:
    assert (cohort.patients["pfs_event"].sum(), cohort.patients["os_event"].sum()) == (6, 3)
    assert cohort.patients["pfs_event"].notna().all()


def test_best_responses_come_from_their_own_file(cohort: ims.Cohort) -> None:
    counts = cohort.patients["best_overall_response"].value_counts().to_dict()
    assert counts == {"CR": 3, "SD": 2, "PD": 1, "NE": 1, "PR": 1}


def test_dates_become_study_days(cohort: ims.Cohort, data_root: Path) -> None:
    source = pd.read_csv(data_root / "pharmaverse_onco/pharmaverseadam__adsl.csv.gz").set_index("USUBJID")
    died = cohort.patients["death_day"].dropna()
    pd.testing.assert_series_equal(died, source["DTHADY"].reindex(died.index), check_names=False)
    events = cohort.tables["adverse_events"]
    published = pd.read_csv(data_root / "pharmaverse_onco/pharmaverseadam__adae.csv.gz")["ASTDY"]
    assert len(events) == 1191
    assert events["study_day"].tolist() == published.tolist()
    assert (events["study_day"] < 0).any()


def test_no_calendar_date_is_left(cohort: ims.Cohort) -> None:
    for table in (cohort.patients, *cohort.tables.values()):
        words = table.select_dtypes("string").astype(str)
        assert not words.apply(lambda column: column.str.contains(r"\d{4}-\d\d-\d\d").any()).any()


def test_one_reader(cohort: ims.Cohort) -> None:
    visits = cohort.tables["assessments"]
    assert (len(visits), set(visits["reader"])) == (621, {"INVESTIGATOR"})
    assert visits["overall_response"].value_counts().sum() == 621


def test_lesions_come_from_parquet(cohort: ims.Cohort, data_root: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    lesions = cohort.tables["lesions"]
    assert lesions["role"].value_counts().to_dict() == {"target": 4375, "non_target": 4375, "new": 38}
    source = parquet.read_table(data_root / "pharmaverse_onco/pharmaversesdtm__tr_onco.parquet").to_pandas()
    rows = source[source["TRTESTCD"].eq("DIAMETER") & source["TREVAL"].eq("INVESTIGATOR") & source["TRDY"].notna()]
    assert lesions["diameter_mm"].dropna().tolist() == rows["TRSTRESN"].dropna().tolist()


def test_patients_who_contradict_themselves_have_a_reason_and_do_not_stop_the_run(cohort: ims.Cohort) -> None:
    study = ims.run(cohort)
    assert study.plan.on_conflict == "exclude_patient"
    status = study["outcomes"]["os_status"]
    told = status[status.str.startswith("excluded")].to_dict()
    assert told == {
        "01-701-1211": "excluded: study_day 84 is after death_day 61",
        "01-705-1018": "excluded: last_alive_day -5 is before the first dose",
        "01-705-1382": "excluded: last_alive_day -4 is before the first dose",
    }
    assert len(study["outcomes"]) == 254
    assert set(told) <= set(study.attrition.query("step == 'os' and not kept")["patient_id"])
    with pytest.raises(ims.errors.SchemaError, match="01-701-1211"):
        ims.run(cohort, ims.Plan())


def test_nobody_is_at_risk_before_the_first_dose(cohort: ims.Cohort) -> None:
    days = days_at_risk(cohort.patients, cohort.tables["exposures"], 90)
    assert days[["01-705-1018", "01-705-1382"]].isna().all()
    assert days.min() >= 1
