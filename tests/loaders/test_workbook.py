"""Excel workbooks: what a sheet says is read, what only Excel knows is refused with the cell."""

from __future__ import annotations

import csv
import datetime
import io
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest

from immunosarc.loaders._workbook import cell_text


def _as_workbook(toy, name: str, *, change=None, others: tuple[str, ...] = ()):
    """Replace a text file of the toy cohort by a workbook of the same content."""
    text = toy.path(name).read_text()
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "data"
    for row in csv.reader(io.StringIO(text), delimiter="\t"):
        sheet.append([_typed(cell) for cell in row])
    for other in others:
        book.create_sheet(other)
    if change:
        change(sheet)
    stem = name.split(".")[0]
    book.save(toy.root / "in" / f"{stem}.xlsx")
    toy.manifest.write_text(toy.manifest.read_text().replace(f"in/{name}", f"in/{stem}.xlsx"))
    return toy


def _typed(cell: str) -> object:
    if cell in ("07", "11"):  # a ward is a name
        return cell
    try:
        return float(cell) if cell else None
    except ValueError:
        return cell


@pytest.mark.parametrize("name", ["clinical.tsv", "counts.tsv"])
def test_a_workbook_says_what_the_text_says(toy, name: str) -> None:
    before = toy.load()
    after = _as_workbook(toy, name).load()
    pd.testing.assert_frame_equal(before.patients, after.patients)
    pd.testing.assert_frame_equal(before.samples, after.samples)
    np.testing.assert_array_equal(before["rna"].X, after["rna"].X)


def test_the_sheet_is_found_by_name(toy) -> None:
    before = toy.load().patients
    _as_workbook(toy, "clinical.tsv", others=("notes",))
    assert "has 2 sheets ('data', 'notes'); say which: sheet = 'data'" in toy.message()
    text = toy.manifest.read_text().replace(
        'file = "in/clinical.xlsx"', 'file = "in/clinical.xlsx"\nsheet = "data"'
    )
    toy.manifest.write_text(text)
    pd.testing.assert_frame_equal(toy.load().patients, before)
    toy.manifest.write_text(text.replace('"data"', '"dat"'))
    assert "there is no sheet 'dat'. Did you mean 'data'?" in toy.message()


def test_a_sheet_of_a_text_file_is_a_mistake(toy) -> None:
    toy.change("toy.toml", 'file = "in/counts.tsv"', 'file = "in/counts.tsv"\nsheet = "data"')
    assert "sheet is for Excel workbooks" in toy.message()


def _formula(sheet) -> None:
    sheet["I3"] = "=I2+1"


def _error(sheet) -> None:
    sheet["I3"] = "#DIV/0!"


def _merge(sheet) -> None:
    sheet.merge_cells("F1:G1")


def _date(sheet) -> None:
    sheet["I3"] = datetime.datetime(1958, 3, 1)


def _break(sheet) -> None:
    sheet["K2"] = "07\n"


def _hole(sheet) -> None:
    sheet["C1"] = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_formula, "sheet 'data' line 3, cell I3: holds a formula; copy the sheet and paste it as values"),
        (_error, "line 3, cell I3: holds an Excel error"),
        (_merge, "cells are merged (F1:G1); unmerge them"),
        (_date, "in/clinical.xlsx line 3, column 'age': looks like a calendar date"),
        (_hole, "there is no column 'time'"),
    ],
)
def test_what_is_not_in_the_cells_is_refused(toy, change, message: str) -> None:
    assert message in _as_workbook(toy, "clinical.tsv", change=change).message()


def test_empty_rows_and_columns_around_the_table_do_not_count(toy) -> None:
    before = toy.load().patients

    def surround(sheet) -> None:
        sheet["Z40"].number_format = "0.0"

    pd.testing.assert_frame_equal(_as_workbook(toy, "clinical.tsv", change=surround).load().patients, before)


def test_a_line_break_in_a_cell_does_not_move_the_lines(toy) -> None:
    def spoil(sheet) -> None:
        sheet["K2"] = "first\nsecond"
        sheet["I4"] = "old"

    assert "in/clinical.xlsx line 4, column 'age': 'old' is not a number" in (
        _as_workbook(toy, "clinical.tsv", change=spoil).message()
    )


@pytest.mark.parametrize("cut", [0, 1, 100, -200, -1])
def test_a_damaged_workbook(toy, cut: int) -> None:
    _as_workbook(toy, "counts.tsv")
    path = toy.root / "in" / "counts.xlsx"
    path.write_bytes(path.read_bytes()[:cut])
    assert "in/counts.xlsx: " in toy.message()


def test_an_archive_that_is_no_workbook(toy) -> None:
    _as_workbook(toy, "counts.tsv")
    with zipfile.ZipFile(toy.root / "in" / "counts.xlsx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "cannot be read as an Excel workbook" in toy.message()


def test_a_zip_bomb_is_not_unpacked(toy) -> None:
    _as_workbook(toy, "counts.tsv")
    with zipfile.ZipFile(toy.root / "in" / "counts.xlsx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros.bin", bytes(60_000_000))
    assert "the workbook would unpack to 60," in toy.message()


def test_an_old_workbook(toy) -> None:
    toy.write("counts.tsv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    assert "this is an old Excel workbook (.xls); save it as .xlsx" in toy.message()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028"])
def test_an_id_is_not_shortened(end: str) -> None:
    """A break at the end of a cell is not taken off: P3 and P3 with a break could be two patients."""
    assert cell_text(f"P3{end}") != "P3"
    assert cell_text("two\r\nlines\nand\rthree") == "two lines and three"
