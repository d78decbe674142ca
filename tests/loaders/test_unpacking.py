"""Files that are small and would become enormous, and links that lead out of the data root, are refused at once."""

from __future__ import annotations

import gzip
import io
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest

import immunosarc as ims
from immunosarc.loaders import _unpacking
from immunosarc.loaders._cells import parse_number

PATIENTS = 'name = "toy"\n[patients]\nfile = "{file}"\ncolumns = {{ patient_id = "id" }}\n'


def _message(folder: Path, file: str) -> str:
    (folder / "toy.toml").write_text(PATIENTS.format(file=file))
    start = time.process_time()
    with pytest.raises(ims.errors.DataFileError) as caught:
        ims.load_cohort(folder / "toy.toml")
    assert time.process_time() - start < 5
    return str(caught.value)


def test_a_gzip_bomb(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(_unpacking, "SMALL", 1_000_000)
    packed = gzip.compress(b"id\n" + b"P1\n" * 20_000_000, 9)
    assert len(packed) < 100_000
    (tmp_path / "clinical.tsv.gz").write_bytes(packed)
    assert "clinical.tsv.gz: would unpack to more than 200 times its size" in _message(tmp_path, "clinical.tsv.gz")


def test_gzip_streams_behind_each_other_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "clinical.tsv.gz").write_bytes(gzip.compress(b"id\nP1\n") + gzip.compress(b"P2\n") + b"\0" * 512)
    (tmp_path / "toy.toml").write_text(PATIENTS.format(file="clinical.tsv.gz"))
    assert ims.load_cohort(tmp_path / "toy.toml").patients.index.tolist() == ["P1", "P2"]


def test_a_large_file_that_was_packed_as_usual_is_no_bomb() -> None:
    assert _unpacking.excess(5_000_000_000, 500_000_000) is None
    assert _unpacking.excess(199_000_000, 1) is None
    assert _unpacking.excess(9_000_000_000, 5_000_000_000) == "would unpack to more than 8,000,000,000 bytes"


def test_a_parquet_bomb(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = 60_000_000
    column = pyarrow.chunked_array([pyarrow.nulls(rows, pyarrow.int8())])
    parquet.write_table(pyarrow.table({"id": column}), tmp_path / "clinical.parquet")
    assert (tmp_path / "clinical.parquet").stat().st_size < 200_000
    assert "clinical.parquet: would unpack to more than 200 times its size" in _message(
        tmp_path, "clinical.parquet"
    )


def test_a_cell_far_out(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id"])
    book.active.append(["P1"])
    book.active["XFD1048576"] = "x"
    book.save(tmp_path / "clinical.xlsx")
    assert "reaches over 1,048,576 rows by 16,384 columns; delete the cells that lie far out" in _message(
        tmp_path, "clinical.xlsx"
    )


def test_a_zip_bomb_in_a_workbook(tmp_path: Path) -> None:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["id"])
    book.save(buffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet2.xml", b" " * 60_000_000)
    (tmp_path / "clinical.xlsx").write_bytes(buffer.getvalue())
    assert "the workbook would unpack to 60," in _message(tmp_path, "clinical.xlsx")


@pytest.mark.parametrize("file", ["clinical.tsv", "in/clinical.tsv"])
def test_a_link_out_of_the_root(tmp_path: Path, file: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "clinical.tsv").write_text("id\nP1\n")
    (root / "clinical.tsv").symlink_to(outside / "clinical.tsv")
    (root / "in").symlink_to(outside)
    assert f"{file}: the path leaves the data root" in _message(root, file)


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "clinical.tsv").symlink_to(tmp_path / "other.tsv")
    (tmp_path / "other.tsv").symlink_to(tmp_path / "clinical.tsv")
    assert "clinical.tsv: " in _message(tmp_path, "clinical.tsv")


@pytest.mark.parametrize("end", ["x", "\x1e", ".."])
def test_a_gigantic_number_takes_no_time(end: str) -> None:
    start = time.process_time()
    assert parse_number("9" * 130_000 + end) is None
    assert time.process_time() - start < 1
