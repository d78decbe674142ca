"""The folder: what is in it, the same bytes each time, and what it never overwrites."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import zipfile
from types import MappingProxyType

import matplotlib
import openpyxl
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import schema
from immunosarc.errors import DataFileError
from immunosarc.report import _write, write, write_tables
from tests.report.conftest import build


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    return write(study, tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="module")
def drawings(study):
    return _write.draw(study)


@pytest.fixture
def quick(drawings, monkeypatch):
    """Spare the drawing where the figures are not the question."""
    monkeypatch.setattr(_write, "draw", lambda _study: drawings)


def _hashes(folder):
    files = (
        path for path in folder.rglob("*") if path.is_file() and "cohort" not in path.relative_to(folder).parts
    )
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _with_patients(study, **columns):
    patients = study.tables["patients"].assign(**columns)
    return dataclasses.replace(study, tables=MappingProxyType({**study.tables, "patients": patients}))


def test_everything_is_there(study, folder):
    assert {path.name for path in folder.iterdir()} == {
        "report.html",
        "tables",
        "tables.xlsx",
        "figures",
        "results.json",
        "cohort",
    }
    names = {path.name for path in (folder / "tables").iterdir()}
    assert names == {f"{name}.{kind}" for name in study.tables for kind in ("tsv", "json")}
    assert ims.Cohort.read(folder / "cohort").equals(study.cohort)
    assert not list(folder.parent.glob(".*"))


def test_same_study_same_bytes_whatever_the_users_settings(study, folder, tmp_path):
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "pink", "svg.hashsalt": "other"}):
        again = write(build(), tmp_path / "elsewhere")
    assert _hashes(again) == _hashes(folder)


def test_another_seed_other_bytes(folder, tmp_path):
    other = _hashes(write(build(8), tmp_path / "out"))
    same = {name for name, value in _hashes(folder).items() if other.get(name) == value}
    assert not same & {"report.html", "results.json", "tables/scores.tsv", "tables.xlsx", "figures/heatmap.svg"}


def test_tables_read_back_to_the_last_digit(study, folder):
    back = pd.read_csv(folder / "tables" / "associations.tsv", sep="\t", float_precision="round_trip")
    for column in ("estimate", "conf_low", "p_maxt", "noise_ceiling"):
        pd.testing.assert_series_equal(back[column], study["associations"][column], check_exact=True)
    scores = pd.read_csv(folder / "tables" / "scores.tsv", sep="\t", index_col=0)
    assert scores.index.tolist() == study["scores"].index.tolist()
    assert set(pd.read_csv(folder / "tables" / "families.tsv", sep="\t")["simulated"]) == {"SIMULATED"}


def test_json_beside_a_table_describes_it(study, folder):
    about = json.loads((folder / "tables" / "summary.json").read_text())
    text = (folder / "tables" / "summary.tsv").read_bytes()
    assert about["sha256"] == hashlib.sha256(text).hexdigest()
    assert about["rows"] == len(study["summary"]) == text.count(b"\n") - 1
    meanings = {column["column"]: column["meaning"] for column in about["columns"]}
    assert meanings["conf_low"] == schema.SUMMARY.columns["conf_low"].meaning
    assert meanings["simulated"].startswith("SIMULATED")
    assert (about["provenance"]["seed"], about["plan_sha256"]) == (7, study.plan.sha256)


def test_results_are_strict_json_with_null_for_missing(study, folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    results = json.loads((folder / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert results["format"] == "immunosarc-results/1"
    assert (results["stamp"], results["simulated"], results["plan"]["alpha"]) == ("exploratory", True, 0.05)
    table = study["associations"]
    for record, (_, row) in zip(results["tables"]["associations"], table.iterrows(), strict=True):
        assert record["feature"] == row["feature"]
        assert record["estimate"] == (None if math.isnan(row["estimate"]) else row["estimate"])
    first = results["tables"]["outcomes"][0]
    assert (first["patient_id"], first["objective_response"], first["pfs_days"]) == ("SIM01", False, 42.0)
    assert any(record["objective_response"] is None for record in results["tables"]["outcomes"])


def test_workbook_holds_every_table(study, folder):
    book = openpyxl.load_workbook(folder / "tables.xlsx")
    assert book.sheetnames == ["README", *study.tables]
    assert book["README"]["A1"].value == study.title
    assert book["README"]["A2"].value.startswith("SIMULATED")
    sheet = book["summary"]
    head = [cell.value for cell in sheet[1]]
    row = [cell.value for cell in sheet[2]]
    assert head == list(study["summary"].columns)
    assert row[head.index("estimate")] == study["summary"]["estimate"].iloc[0]
    assert row[head.index("p_value")] is None


def test_workbook_never_holds_a_formula(study, tmp_path, quick):
    attacks = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("x")', "bad\x07bell"]
    n = len(study["patients"])
    hostile = _with_patients(study, histology=[attacks[i % len(attacks)] for i in range(n)])
    book = openpyxl.load_workbook(write(hostile, tmp_path / "out") / "tables.xlsx")
    sheet = book["patients"]
    column = next(cell.column for cell in sheet[1] if cell.value == "histology")
    cells = [sheet.cell(row, column) for row in range(2, 2 + len(attacks))]
    assert [cell.value for cell in cells] == [*attacks[:-1], "bad\ufffdbell"]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [bool(cell.quotePrefix) for cell in cells] == [True] * 5 + [False]


def test_workbook_knows_no_clock(folder):
    with zipfile.ZipFile(folder / "tables.xlsx") as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert core.count("1980-01-01T00:00:00Z") == 2


def test_an_earlier_report_is_replaced(study, folder, tmp_path, quick):
    out = write(study, tmp_path / "out")
    (out / "figures" / "old.svg").write_text("old")
    again = write(study, out)
    assert again == out
    assert not (out / "figures" / "old.svg").exists()
    assert _hashes(out) == _hashes(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_filled(study, tmp_path, quick):
    (tmp_path / "out").mkdir()
    assert (write(study, tmp_path / "out") / "report.html").is_file()


@pytest.mark.parametrize("content", ["{}", '{"format": "theirs"}', "not json", "[]"])
def test_a_folder_of_somebody_else_is_left_alone(content, study, tmp_path):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(DataFileError, match="is no report of this program"):
        write(study, tmp_path)
    assert (tmp_path / "results.json").read_text() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_notes_beside_an_earlier_report_are_not_deleted(study, tmp_path, quick):
    out = write(study, tmp_path / "out")
    (out / "my notes.txt").write_text("mine")
    before = _hashes(out)
    with pytest.raises(DataFileError, match=r"beside it my notes\.txt, which replacing it would delete"):
        write(study, out)
    assert _hashes(out) == before


def test_a_file_in_the_way(study, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataFileError, match="is a file; give a folder"):
        write(study, tmp_path / "out")


@pytest.mark.parametrize("step", ["draw", "write_workbook", "page"])
def test_nothing_half_written(step, study, folder, tmp_path, monkeypatch, quick):
    out = write(study, tmp_path / "out")

    def fail(*_args, **_kwargs):
        raise RuntimeError("power cut")

    monkeypatch.setattr(_write, step, fail)
    with pytest.raises(RuntimeError, match="power cut"):
        write(build(8), out)
    assert _hashes(out) == _hashes(folder)
    with pytest.raises(RuntimeError, match="power cut"):
        write(study, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_move_brings_the_old_report_back(study, folder, tmp_path, monkeypatch, quick):
    out = write(study, tmp_path / "out")
    calls, real = [], _write.os.replace

    def second_fails(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError("disk gone")
        real(source, target)

    monkeypatch.setattr(_write.os, "replace", second_fails)
    monkeypatch.setattr(_write, "_fill", lambda _study, partial: (partial / "half").write_text("half"))
    with pytest.raises(DataFileError, match=r"cannot write the report to .*: disk gone"):
        write(study, out)
    assert _hashes(out) == _hashes(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_study_is_left_unchanged(tmp_path):
    study, copy = build(), build()
    write(study, tmp_path / "out")
    for name, table in copy.tables.items():
        pd.testing.assert_frame_equal(study[name], table)


def test_tables_of_one_step_say_that_they_are_simulated_and_replace_only_their_own(tmp_path):
    table = pd.DataFrame({"cyt": [5.25, math.nan]}, index=pd.Index(["S1", "=S2"], name="sample_id"))
    how = {"title": "Scores", "about": {"seed": 3}, "simulated": True}
    folder = write_tables({"scores": table}, tmp_path / "out", **how)
    assert (folder / "tables" / "scores.tsv").read_text() == "sample_id\tcyt\nS1\t5.25\n=S2\t\n"
    beside = json.loads((folder / "tables" / "scores.json").read_text())
    assert (beside["simulated"], beside["seed"], beside["rows"]) == (True, 3, 2)
    assert beside["sha256"] == hashlib.sha256((folder / "tables" / "scores.tsv").read_bytes()).hexdigest()
    book = openpyxl.load_workbook(folder / "tables.xlsx")
    assert book["README"]["A2"].value.startswith("SIMULATED")
    assert book["scores"]["A3"].data_type == "s"
    first = (folder / "tables.xlsx").read_bytes()
    again = write_tables({"scores": table}, tmp_path / "out", **how)
    assert (again / "tables.xlsx").read_bytes() == first
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(DataFileError, match=r"no report of this program"):
        write_tables({"scores": table}, tmp_path / "other", **how)
    assert (tmp_path / "other" / "mine.txt").read_text() == "mine"
