"""Constants, drop, the closed list of rules, study days, further files and features of a wide table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import ImmunosarcError
from immunosarc.loaders._rules import RULES, study_day


def _patients(toy, extra: str):
    return toy.change("toy.toml", "[patients.columns]", f"{extra}\n[patients.columns]")


def test_a_constant_is_the_value_of_every_row(toy) -> None:
    toy.change("toy.toml", 'timepoint = "time", ', "").change(
        "toy.toml",
        '\nrecode = { timepoint = { baseline = "pre", C2 = "on" } }',
        '\nconstants = { timepoint = "pre" }',
    ).change("toy.toml", ', study_day = "day"', "")
    _patients(toy, 'constants = { histology = "leiomyosarcoma", schedule_stage = "2", arm = 3, blind = true }')
    cohort = toy.load()
    assert cohort.samples["timepoint"].tolist() == ["pre"] * 4
    assert cohort.patients["histology"].tolist() == ["leiomyosarcoma"] * 3
    assert cohort.patients["arm"].tolist() == [3.0] * 3
    assert cohort.patients["blind"].dtype == "boolean"
    assert cohort.patients["histology"].dtype == "string"


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ('{ sex = "female" }', "'sex' is also in columns; keep one"),
        ('{ histolgy = "LMS" }', "Did you mean 'histology'"),
        ('{ response_evaluable = "yes" }', "'yes' is not true or false"),
        ('{ patient_id = "P1" }', "differs from row to row"),
        ("{ pfs_time = 3 }", "differs from row to row"),
        ("{ arm = [1, 2] }", "text, a number or true/false is needed"),
    ],
)
def test_a_constant_that_cannot_be(toy, constants: str, message: str) -> None:
    assert message in _patients(toy, f"constants = {constants}").message()


def test_drop_is_the_mirror_of_keep_and_is_recorded(toy) -> None:
    kept = toy.load()
    toy.change("toy.toml", "keep = { rep = 0 }", 'drop = { sample = "S3b" }')
    dropped = toy.load()
    pd.testing.assert_frame_equal(kept.samples, dropped.samples)
    assert ["P2", "S3b", "sample is S3b"] in dropped.provenance["loading"][1]["left_out"]


@pytest.mark.parametrize(
    ("key", "value", "left"),
    [
        ("keep", '{ starts_with = "S3" }', ["S3", "S3b"]),
        ("keep", '{ ends_with = "2" }', ["S2"]),
        ("keep", '{ starts_with = "S3", ends_with = "b" }', ["S3b"]),
        ("drop", '["S1", { ends_with = "b" }]', ["S2", "S3", "S4"]),
    ],
)
def test_beginnings_and_endings(toy, key: str, value: str, left: list[str]) -> None:
    toy.change("toy.toml", "keep = { rep = 0 }", f"{key} = {{ sample = {value} }}")
    assert toy.load().samples.index.tolist() == left


def test_drop_of_everything_is_refused(toy) -> None:
    toy.change("toy.toml", "keep = { rep = 0 }", 'drop = { sample = { starts_with = "S" } }')
    assert "drop leaves no row; sample is S1" in toy.message()


def test_a_pattern_has_known_keys_only(toy) -> None:
    toy.change("toy.toml", "keep = { rep = 0 }", 'keep = { sample = { matches = ".*" } }')
    assert "starts_with" in toy.message()


@pytest.mark.parametrize(
    ("rule", "value", "result"),
    [
        ("inverted", True, False),
        ("inverted", False, True),
        ("objective_response", "CR", True),
        ("objective_response", "PR", True),
        ("objective_response", "SD", False),
        ("objective_response", "PD", False),
        ("objective_response", "XX", None),
        ("years_to_months", 2.0, 24.0),
        ("years_to_days", 2.0, 730.5),
        ("months_to_days", 2.0, 60.875),
        ("weeks_to_days", 2.0, 14.0),
        ("days_to_years", 730.5, 2.0),
        ("days_to_months", 60.875, 2.0),
        ("months_to_years", 30.0, 2.5),
        ("percent_to_fraction", 12.5, 0.125),
        ("tcga_sample", "TCGA-3B-A9HI-01A", "TCGA-3B-A9HI-01"),
        ("tcga_sample", "TCGA.3B.A9HI.01A.11R.A38C.07", "TCGA-3B-A9HI-01"),
        ("tcga_sample", "TCGA-3B-A9HI", None),
        ("tcga_patient", "TCGA-3B-A9HI-01A", "TCGA-3B-A9HI"),
        ("tcga_patient", "3B-A9HI", None),
        ("years_to_days", 1e308, None),
    ],
)
def test_each_rule(rule: str, value: object, result: object) -> None:
    assert RULES[rule].apply(value) == (pytest.approx(result) if isinstance(result, float) else result)


def test_not_evaluable_is_neither_response_nor_its_absence() -> None:
    assert RULES["objective_response"].apply("NE") is pd.NA


def test_rules_follow_the_recoding(toy) -> None:
    straight = toy.load().patients["pfs_event"]
    toy.change("toy.toml", "{ yes = true, no = false }", "{ yes = false, no = true }")
    _patients(
        toy, 'transform = { pfs_event = "inverted", age = "months_to_years", responder = "objective_response" }'
    )
    toy.change("toy.toml", 'age = "age"', 'age = "age"\nresponder = "resp"')
    patients = toy.load().patients
    pd.testing.assert_series_equal(patients["pfs_event"], straight)
    np.testing.assert_allclose(patients["age"], [61 / 12, 4, 70.5 / 12])
    assert patients["responder"].tolist()[:2] == [True, False]
    assert patients["responder"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ('{ age = "invertd" }', "'invertd' is not a rule. Did you mean 'inverted'"),
        ('{ age = "inverted" }', "'inverted' gives a flag, the column holds a number"),
        ('{ agee = "years_to_days" }', "'agee' is not among the columns"),
        ('{ pfs_time = "months_to_days" }', "time_unit converts it already"),
        ('{ ward = "tcga_patient" }', "'07' has no answer by the rule 'tcga_patient'"),
    ],
)
def test_a_rule_that_does_not_fit(toy, transform: str, message: str) -> None:
    assert message in _patients(toy, f"transform = {transform}").message()


@pytest.mark.parametrize(
    ("day", "first", "result"),
    [
        ("2020-03-01", "2020-03-01", 1),
        ("2020-02-29", "2020-03-01", -1),
        ("2020-03-02T23:59", "2020-03-01 00:00:00+00:00", 2),
        ("2019-03-01", "2020-03-01", -366),
        ("2020-03", "2020-03-01", None),
        ("2020-02-30", "2020-03-01", None),
        ("2020-03-01", "", None),
        ("01/03/2020", "2020-03-01", None),
    ],
)
def test_study_days(day: str, first: str, result: int | None) -> None:
    assert study_day(day, first) == result


def _dated(toy, first: str = "2020-03-01"):
    rows = ["id\tstart\tdied\tcut", f"P1\t{first}\t2020-04-01\t2021-01-01", f"P2\t{first}\t\t2020-02-29"]
    toy.write("dates.tsv", "\n".join(rows) + "\n")
    block = """
[[patients.also]]
file = "in/dates.tsv"
day_one = "start"
columns = { patient_id = "id", death_day = "died", data_cut_day = "cut" }
"""
    return toy.change("toy.toml", "[samples]", f"{block}\n[samples]")


def test_dates_of_a_further_file_become_study_days(toy) -> None:
    before = toy.load().patients
    # invented dates, which contradict the survival times of the same patients
    patients = ims.load_cohort(_dated(toy).manifest, on_conflict="exclude_patient").patients
    assert patients["death_day"].tolist()[0] == 32
    assert patients["data_cut_day"].tolist()[:2] == [307, -1]
    assert patients.loc["P3", ["death_day", "data_cut_day"]].isna().all()
    pd.testing.assert_frame_equal(patients[before.columns], before)


def test_an_incomplete_date_is_told_with_its_lines(toy) -> None:
    message = _dated(toy, "2020-03").message()
    assert "in/dates.tsv lines 2 and 3, columns 'cut' and 'start'" in message
    assert "not a complete date" in message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('death_day = "died"', 'age = "died"', "'age' is read from another file already"),
        ('day_one = "start"', 'day_one = "startt"', "there is no column 'startt'"),
        ('day_one = "start"', 'day_noe = "start"', "unknown key 'also.0.day_noe' in [patients]"),
        ("in/dates.tsv", "in/datez.tsv", "in/datez.tsv: is missing"),
    ],
)
def test_a_further_file_that_does_not_fit(toy, old: str, new: str, message: str) -> None:
    assert message in _dated(toy).change("toy.toml", old, new).message()


def test_a_stranger_in_a_further_file_is_a_mistake(toy) -> None:
    _dated(toy).change("dates.tsv", "P2\t", "P9\t")
    assert "in/dates.tsv line 3, column 'id': patient 'P9' is not in the patients table" in toy.message()


def test_a_further_file_that_contradicts_itself(toy) -> None:
    _dated(toy).change("dates.tsv", "P2\t2020-03-01\t\t2020-02-29", "P1\t2020-03-01\t2020-04-02\t2021-01-01")
    assert "patient 'P1' has '2020-04-01' and '2020-04-02'" in toy.message()


def test_an_event_without_its_time(toy) -> None:
    toy.change("clinical.tsv", "S4\tP3\tbaseline\t-7\tNA\t\t", "S4\tP3\tbaseline\t-7\tNA\t\tno")
    assert "given without pfs_days" in toy.message()
    patients = _patients(toy, 'event_without_time = "missing"').load().patients
    assert patients["pfs_event"].isna().tolist() == [False, False, True]


WIDE = """
[assays.tcr]
file = "in/clinical.tsv"
unit = "score"
orientation = "samples_by_genes"
gene_id = "symbol"
id_column = "sample"
features = ["age", "day"]
drop = { rep = 1 }
"""


def test_features_among_the_columns_of_a_wide_table(toy) -> None:
    toy.change("toy.toml", "[plan]", f"{WIDE}\n[plan]")
    adata = toy.load()["tcr"]
    assert list(adata.var_names) == ["age", "day"]
    assert list(adata.obs_names) == ["S1", "S2", "S3", "S4"]
    np.testing.assert_array_equal(adata.X, [[61, -3], [61, 22], [48, 1], [70.5, -7]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '["age", "day"]',
            '["age", "dya"]',
            "there is no column 'dya' ([assays.tcr] features). Did you mean 'day'",
        ),
        ('["age", "day"]', '["age", "age"]', "a column is named twice"),
        ('["age", "day"]', '["resp"]', "'PR' is not a number"),
        ('id_column = "sample"', 'id_column = "patient"', "sample 'P1' has several rows"),
        ('id_column = "sample"\n', "", "features and id_column go together"),
        (
            'unit = "score"\norientation = "samples_by_genes"',
            'unit = "score"\norientation = "genes_by_samples"',
            "each row is a sample",
        ),
        ('unit = "score"', 'unit = "fraction"', "line 2, column 'age': unit fraction declared"),
        ("drop = { rep = 1 }", "drop = { rep = [0, 1] }", "no row stays"),
        (
            'id_column = "sample"',
            'id_column = "sample"\nid_rule = "tcga_sample"',
            "'S1' has no answer by the rule",
        ),
    ],
)
def test_a_wide_table_that_does_not_fit(toy, old: str, new: str, message: str) -> None:
    toy.change("toy.toml", "[plan]", f"{WIDE.replace(old, new)}\n[plan]")
    assert WIDE.replace(old, new) != WIDE
    with pytest.raises(ImmunosarcError) as caught:
        toy.load()
    assert message in str(caught.value)


BY_PATIENT = """
[assays.tcr]
file = "in/tcr.tsv"
unit = "score"
orientation = "samples_by_genes"
gene_id = "symbol"
id_column = "who"
sample_at = "on"
features = ["clonality"]
"""


def test_rows_of_patients_are_of_their_sample_of_a_timepoint(toy) -> None:
    toy.write("tcr.tsv", "who\tclonality\nP2\t.4\nP1\t.2\n")
    toy.change("toy.toml", "[plan]", f"{BY_PATIENT}\n[plan]")
    cohort = toy.load()
    assert cohort["tcr"].to_df()["clonality"].to_dict() == {"S2": 0.2}  # of P1; P2 has no sample on treatment
    step = next(one for one in cohort.provenance["loading"] if one["step"] == "in/tcr.tsv: tcr")
    assert (step["kept"], step["left_out"]) == (1, [["P2", "", "no on sample"]])


def test_rows_of_patients_are_of_the_library_that_stays(toy) -> None:
    toy.write("tcr.tsv", "who\tclonality\nP2\t.4\nP3\t.1\nP1\t.2\n")
    before = BY_PATIENT.replace('"on"', '"pre"')
    toy.change("toy.toml", "[plan]", f"{before}\n[plan]")
    assert toy.load()["tcr"].to_df()["clonality"].to_dict() == {"S1": 0.2, "S3": 0.4, "S4": 0.1}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("P1\t.2\nP9\t.3\n", "patient 'P9' has no sample at all"),
        ("P2\t.4\n", "none of its patients has a sample at 'on'"),
        ("P1\t.2\nP1\t.3\n", "'P1' has several rows"),
    ],
)
def test_rows_of_patients_that_do_not_fit(toy, rows: str, message: str) -> None:
    toy.write("tcr.tsv", f"who\tclonality\n{rows}")
    toy.change("toy.toml", "[plan]", f"{BY_PATIENT}\n[plan]")
    assert message in toy.message()


def test_rows_of_patients_with_several_samples(toy) -> None:
    toy.write("tcr.tsv", "who\tclonality\nP1\t.2\n")
    toy.change("clinical.tsv", "S1\tP1\tbaseline\t-3", "S1\tP1\tC2\t21")
    toy.change("toy.toml", "[plan]", f"{BY_PATIENT}\n[plan]")
    assert "1 problem(s):\n  - in/tcr.tsv: patients 'P1' have several samples at 'on'" in toy.message()


def test_whole_matrices_do_not_name_patients(toy) -> None:
    toy.change("toy.toml", 'platform = "polya_rnaseq"', 'platform = "polya_rnaseq"\nsample_at = "pre"')
    assert "sample_at need features and id_column" in toy.message()
