"""Table schemas: what they refuse, in which words, and what they hand back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunosarc import schema
from immunosarc.cohort._links import checked
from immunosarc.errors import SchemaError
from immunosarc.schema import Column, Table


def patients(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": ["P1", "P2", "P3"], **columns})


def test_right_values_come_back_with_their_types_and_the_rest_as_it_is() -> None:
    frame = patients(age=[61, 50, None], sex=["female", None, " "], note=[1, 2, 3])
    table = schema.PATIENTS.check(frame)
    assert table.index.tolist() == ["P1", "P2", "P3"]
    assert table.dtypes.astype(str).to_dict() == {"age": "float64", "sex": "string", "note": "int64"}
    assert table["sex"].isna().tolist() == [False, True, True]
    assert list(frame.columns) == ["patient_id", "age", "sex", "note"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"age": [-1, 10, 20]}, "age: below 0 at rows [0]"),
        ({"age": [10, 20, 130]}, "age: above 120 at rows [2]"),
        ({"age": ["old", 20, 30]}, "age: ['old'] is not a number at rows [0]"),
        (
            {"best_overall_response": ["CR", "iPD", "iCR"]},
            "['iPD', 'iCR'] not in ['CR', 'PR', 'SD', 'PD', 'NE'] at",
        ),
        ({"response_evaluable": [True, "maybe", None]}, "['maybe'] is not true or false at rows [1]"),
        (
            {"pfs_days": [1, 2, 3], "pfs_event": [True, None, False]},
            "pfs_days: given without pfs_event at rows [1]",
        ),
        ({"os_event": [True, None, None]}, "os_event: given without os_days at rows [0]"),
    ],
)
def test_a_wrong_value_is_named_with_its_rows(columns: dict, words: str) -> None:
    with pytest.raises(SchemaError) as caught:
        schema.PATIENTS.check(patients(**columns))
    assert words in str(caught.value)


def test_all_problems_come_at_once() -> None:
    frame = pd.DataFrame({"patient_id": ["P1", "P1", None], "age": ["x", -2, 3], "sex": ["f", "male", "male"]})
    with pytest.raises(SchemaError, match=r"5 problem\(s\)") as caught:
        schema.PATIENTS.check(frame)
    for words in ("repeated ['P1']", "patient_id: no value", "['x'] is not", "below 0", "['f'] not in"):
        assert words in str(caught.value)


def test_missing_and_repeated_columns() -> None:
    with pytest.raises(SchemaError, match="timepoint: column is missing"):
        schema.SAMPLES.check(pd.DataFrame({"sample_id": ["S"], "patient_id": ["P"]}))
    twice = pd.DataFrame([["P1", 1, 2]], columns=["patient_id", "age", "age"])
    with pytest.raises(SchemaError, match="age: column occurs twice"):
        schema.PATIENTS.check(twice)


def test_study_days_follow_cdisc() -> None:
    base = {"sample_id": ["A", "B"], "patient_id": ["P", "Q"], "timepoint": ["pre", "on"]}
    with pytest.raises(SchemaError, match="the first dose is day 1, the day before -1"):
        schema.SAMPLES.check(pd.DataFrame(base | {"study_day": [0, 20]}))
    with pytest.raises(SchemaError, match="after day 1 on a 'pre' sample at rows"):
        schema.SAMPLES.check(pd.DataFrame(base | {"study_day": [8, 20]}))
    with pytest.raises(SchemaError, match="before day 1 on an 'on' or 'post' sample"):
        schema.SAMPLES.check(pd.DataFrame(base | {"study_day": [-8, -2]}))


def test_patient_features_must_be_numbers() -> None:
    frame = pd.DataFrame(
        {"timepoint": ["pre"], "measured_day": [1.0], "status": ["ok"], "cyt": ["high"]}, index=["P"]
    )
    with pytest.raises(SchemaError, match="cyt: feature is not numeric"):
        schema.PATIENT_FEATURES.check(frame)


def test_only_declared_columns_where_a_table_says_so() -> None:
    table = Table("doses", {"dose": Column("number", "mg")}, only_declared=True)
    with pytest.raises(SchemaError, match="drug: column is not part of this table"):
        table.check(pd.DataFrame({"dose": [1], "drug": ["x"]}))


@pytest.mark.parametrize("table", [v for v in vars(schema).values() if isinstance(v, Table)], ids=lambda t: t.name)
def test_every_schema_accepts_its_own_empty_table_and_has_a_dictionary(table: Table) -> None:
    assert len(table.check(table.empty())) == 0
    assert table.dictionary()["meaning"].str.len().min() >= 3


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("counts", 2.5, "unit counts declared, but a decimal found"),
        ("counts", -1.0, "negative value"),
        ("tpm", -0.1, "negative value"),
        ("log2_tpm", 101.0, "a value above 100"),
        ("fraction", 1.2, "a value above 1"),
        ("tpm", np.inf, "infinite value"),
    ],
)
def test_numbers_that_contradict_their_unit(unit: str, value: float, words: str) -> None:
    values = np.array([[1.0, 0.0], [np.nan, value]])
    (what, row, column), *_ = schema.unit_problems(values, unit)
    assert (words in what, row, column) == (True, 1, 1)
    assert schema.unit_problems(np.array([[1.0, 0.0]]), unit) == []


def test_ids_are_never_made_up() -> None:
    with pytest.raises(SchemaError, match="patient_id: column is missing"):
        schema.PATIENTS.check(pd.DataFrame({"patient": [1, 2], "age": [50, 60]}))


def test_missing_values_of_any_kind_are_missing() -> None:
    table = schema.PATIENTS.check(patients(age=pd.Series([50, pd.NA, None], dtype=object)))
    assert table["age"].isna().tolist() == [False, True, True]


def test_a_cohort_looks_at_each_table_once() -> None:
    looked: list[int] = []
    table = schema.Table(
        "t", {"x": schema.Column("number", "a number")}, rules=(lambda f: looked.append(len(f)) or [],)
    )
    problems: list[str] = []
    assert checked(table, pd.DataFrame({"x": [1, 2]}), problems)["x"].dtype == "float64"
    assert (looked, problems) == ([2], [])
    assert table.check(pd.DataFrame({"x": [1, 2, 3]}))["x"].tolist() == [1.0, 2.0, 3.0]
    assert looked == [2, 3]
    wrong = pd.DataFrame({"x": ["many"]})
    pd.testing.assert_frame_equal(checked(table, wrong, problems), wrong)
    assert problems == ["table 't': x: ['many'] is not a number at rows [0]"]
