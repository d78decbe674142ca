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


def ordered_by_number(measured: pd.DataFrame) -> pd.Series:
    """Days that stand in the order of each reader's visit numbers; the first is day 1."""
    visit = ["USUBJID", "reader", "VISITNUM", "TRDTC"]
    place = measured[visit].drop_duplicates().sort_values(visit)
    place["place"] = place.groupby(["USUBJID", "reader"]).cumcount() + 1.0
    return measured[visit].merge(place, how="left")["place"].set_axis(measured.index)


def test_by_visit_number_there_are_169_disagreements_and_29_false_conflicts(
    measured: pd.DataFrame, called: pd.DataFrame
) -> None:
    # visits in the order of their numbers: those of 01-701-1153 are not in the order of time
    order = ordered_by_number(measured)
    day_of = measured.assign(place=order).groupby(["USUBJID", "reader", "TRDTC"])["place"].first()
    keys = pd.MultiIndex.from_frame(called[["USUBJID", "reader", "RSDTC"]])
    numbered = derive_recist(sums(measured, order), reports(called, day_of.reindex(keys).set_axis(called.index)))
    judged = numbered[numbered["reported_target_response"].notna()]
    agree = judged["target_response"] == judged["reported_target_response"]
    assert (len(judged), int((~agree).sum())) == (1899, 169)
    # and as a key they call one visit what are two: 01-711-1143 was seen twice as 9.2
    sizes = measured[measured["TRTESTCD"].isin(["DIAMETER", "LDIAM"])]
    rows = pd.DataFrame(
        {
            "patient_id": sizes["USUBJID"],
            "reader": sizes["reader"],
            "study_day": sizes["VISITNUM"].mul(10).round() - 29,
            "lesion_id": sizes["TRTESTCD"] + " " + sizes["TRLNKID"],
            "role": "target",
            "diameter_mm": sizes["TRSTRESN"],
        }
    )
    with pytest.raises(SchemaError) as caught:
        derive_recist(rows)
    twice = [line for line in str(caught.value).splitlines() if "two different rows" in line]
    assert len(twice) == 29
    assert all("01-711-1143" in line and "on day 63" in line for line in twice)
    with pytest.raises(SchemaError) as caught:
        derive_recist(rows.assign(study_day=by_date(sizes, measured)))
    assert "two different rows" not in str(caught.value)


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
