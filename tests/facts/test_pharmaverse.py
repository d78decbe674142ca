"""What must come out of the CDISC oncology test data (Apache-2.0): 254 patients, three readers each."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from immunosarc.endpoints import derive_recist
from immunosarc.errors import SchemaError

FOLDER = "pharmaverse_onco/pharmaversesdtm__"


def _dated(table: pd.DataFrame, domain: str) -> pd.DataFrame:
    dates = table[f"{domain}DTC"]
    return table.assign(
        reader=table[f"{domain}EVALID"].fillna(table[f"{domain}EVAL"]),
        date=pd.to_datetime(dates.where(dates.str.len() == 10)),
        day=table[f"{domain}DY"],
    )


@pytest.fixture(scope="module")
def measured(data_root: Path) -> pd.DataFrame:
    return _dated(pd.read_parquet(data_root / f"{FOLDER}tr_onco.parquet"), "TR")


@pytest.fixture(scope="module")
def called(data_root: Path) -> pd.DataFrame:
    return _dated(pd.read_csv(data_root / f"{FOLDER}rs_onco.csv.gz"), "RS")


def by_date(table: pd.DataFrame, measured: pd.DataFrame) -> pd.Series:
    """Study day; unscheduled visits have a date only."""
    dated = measured.dropna(subset=["date"]).query("day > 1")
    day_1 = (dated["date"] - pd.to_timedelta(dated["day"] - 1, unit="D")).groupby(dated["USUBJID"]).min()
    return table["day"].fillna((table["date"] - table["USUBJID"].map(day_1)).dt.days + 1)


def sums(measured: pd.DataFrame, day: pd.Series) -> pd.DataFrame:
    rows = measured[measured["TRTESTCD"] == "SUMDIAM"]
    return pd.DataFrame(
        {
            "patient_id": rows["USUBJID"],
            "study_day": day.loc[rows.index],
            "lesion_id": "sum of diameters",
            "role": "target",
            "diameter_mm": rows["TRSTRESN"],
            "reader": rows["reader"],
        }
    )


def reports(called: pd.DataFrame, day: pd.Series) -> pd.DataFrame:
    rows = called[called["RSTESTCD"] == "TRGRESP"]
    return pd.DataFrame(
        {
            "patient_id": rows["USUBJID"],
            "study_day": day.loc[rows.index],
            "reader": rows["reader"],
            "target_response": rows["RSSTRESC"],
        }
    )


@pytest.fixture(scope="module")
def visits(measured: pd.DataFrame, called: pd.DataFrame) -> pd.DataFrame:
    table = derive_recist(sums(measured, by_date(measured, measured)), reports(called, by_date(called, measured)))
    return table[table["reported_target_response"].notna()]


def test_agrees_with_the_source_except_progression_by_nadir(visits: pd.DataFrame) -> None:
    agree = visits["target_response"] == visits["reported_target_response"]
    assert (len(visits), int(agree.sum())) == (1899, 1731)
    assert visits["reader"].nunique() == 3
    differ = visits[~agree]
    assert set(differ["target_response"]) == {"PD"}
    assert (
        len(differ) == differ["discrepancy"].str.endswith("only if growth is measured from baseline").sum() == 168
    )
    assert visits.loc[agree, "discrepancy"].isna().all()


def test_the_source_measures_growth_from_baseline(visits: pd.DataFrame) -> None:
    total, first = visits["sum_mm"], visits["baseline_mm"]
    call = pd.Series("SD", index=visits.index).mask(10 * (first - total) >= 3 * first, "PR").mask(total == 0, "CR")
    call = call.mask((5 * (total - first) >= first) & (total - first >= 5), "PD")
    assert (call == visits["reported_target_response"]).sum() == 1899


def test_the_visit_number_is_not_a_key(measured: pd.DataFrame) -> None:
    numbered = sums(measured, measured["VISITNUM"].mul(10).round() - 29)
    with pytest.raises(SchemaError) as caught:
        derive_recist(numbered)
    lines = str(caught.value).splitlines()[1:-1]
    assert lines
    assert all("01-711-1143: two different rows" in line and "on day 63" in line for line in lines)


def test_targets_that_were_not_done_are_not_imputed(measured: pd.DataFrame, called: pd.DataFrame) -> None:
    day = by_date(measured, measured)
    rows = measured[(measured["TRGRPID"] == "TARGET") & (measured["TRTESTCD"] == "DIAMETER")]
    lesions = pd.DataFrame(
        {
            "patient_id": rows["USUBJID"],
            "study_day": day.loc[rows.index],
            "lesion_id": rows["TRLNKID"],
            "role": "target",
            "diameter_mm": rows["TRSTRESN"],
            "reader": rows["reader"],
        }
    )
    table = derive_recist(lesions, reports(called, by_date(called, measured)))
    table = table[table["reported_target_response"].notna()]
    counts = pd.crosstab(table["target_response"], table["reported_target_response"])
    assert counts.loc["NE"].to_dict() == {"CR": 22, "PD": 0, "PR": 11, "SD": 9}
    assert counts.loc["PD", "PD"] == 755
    missing = rows.loc[rows["TRSTRESN"].isna()].groupby(["USUBJID", "reader", "TRDTC"]).ngroups
    proven = (table["target_response"] == "PD") & (table["n_assessed"] < table["n_targets"])
    assert missing == 44 == 42 + proven.sum()
