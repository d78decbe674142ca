"""Mutated copies of good files: every reader answers with a cohort or with one of our errors.

``IMMUNOSARC_FUZZ_CASES`` sets how many copies each reader sees (10000 for a long run).
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import ImmunosarcError

CASES = int(os.environ.get("IMMUNOSARC_FUZZ_CASES", "40"))
CLINICAL = "id\tsample\tbor\tage\n" + "".join(
    f"P{i}\tS{i}\t{bor}\t{40 + i}.5\n" for i, bor in enumerate(["CR", "PR", "SD", "PD", "NE", ""])
)
PATIENTS = """
name = "toy"
[patients]
file = "{clinical}"
columns = {{ patient_id = "id", best_overall_response = "bor", age = "age" }}
"""
ASSAY = """
[samples]
file = "clinical.tsv"
columns = {{ sample_id = "sample", patient_id = "id" }}
constants = {{ timepoint = "pre" }}
[assays.rna]
file = "{counts}"
unit = "counts"
orientation = "samples_by_genes"
gene_id = "symbol"
repair_symbols = true
"""


def _counts() -> pd.DataFrame:
    values = np.random.default_rng(1).poisson(20, size=(6, 5)).astype(float)
    return pd.DataFrame(
        values, index=[f"S{i}" for i in range(6)], columns=["GZMA", "SDPR", "2-Sep", "ACTB", "HGF"]
    )


def _workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in csv.reader(io.StringIO(CLINICAL), delimiter="\t"):
        book.active.append([cell or None for cell in row])
    book.save(path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "clinical.tsv": lambda path: path.write_text(CLINICAL),
    "clinical.xlsx": _workbook,
    "clinical.parquet": lambda path: pd.read_csv(io.StringIO(CLINICAL), sep="\t").to_parquet(path),
    "counts.tsv": lambda path: _counts().to_csv(path, sep="\t", index_label="sample"),
    "counts.parquet": lambda path: _counts().to_parquet(path),
}


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        WRITERS["clinical.tsv"](tmp_path / "clinical.tsv")
        WRITERS[name](tmp_path / name)
        clinical = name if name.startswith("clinical") else "clinical.tsv"
        text = PATIENTS.format(clinical=clinical)
        text += ASSAY.format(counts=name) if name.startswith("counts") else ""
        (tmp_path / "toy.toml").write_text(text)
        return tmp_path / name

    return write


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, flip, insert, repeat, exchange or re-encode."""
    kind, at = rng.integers(9), int(rng.integers(max(len(data), 1)))
    other = int(rng.integers(max(len(data), 1)))
    first, last = sorted((at, other))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([int(rng.integers(256))]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + rng.integers(0, 256, size=int(rng.integers(1, 9)), dtype=np.uint8).tobytes() + data[at:]
    if kind == 3:
        return data[:first] + data[last:]
    if kind == 4:
        return data[:last] + data[first:]
    if kind == 5:
        return data[:at] + b"\0" * int(rng.integers(1, 50)) + data[at + 1 :]
    if kind == 6:
        return data.replace(b".5", b",5").replace(b"\t", bytes([int(rng.choice([9, 44, 59, 32]))]))
    if kind == 7:
        return data[:at] + b"9" * int(rng.integers(1, 140_000)) + data[at:]
    return data.decode("latin-1").encode(str(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8"])))


@pytest.mark.parametrize("name", list(WRITERS))
def test_every_mutated_copy_is_answered(folder, name: str) -> None:
    if "parquet" in name:
        pytest.importorskip("pyarrow")
    path = folder(name)
    original, rng = path.read_bytes(), np.random.default_rng(20260101)
    manifest = path.with_name("toy.toml")
    loaded, refusals = 0, []
    for _ in range(CASES):
        path.write_bytes(_mutated(original, rng))
        try:
            cohort = ims.load_cohort(manifest)
        except ImmunosarcError as failure:
            refusals.append(str(failure))
        else:
            assert cohort.patients.index.is_unique
            loaded += 1
    assert loaded + len(refusals) == CASES
    assert len(refusals) > CASES // 3
    assert [message for message in refusals if name not in message] == []
    path.write_bytes(original)
    assert len(ims.load_cohort(manifest).patients) == 6


@pytest.mark.parametrize("name", ["clinical.tsv", "counts.tsv"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_another_encoding_says_the_same(folder, name: str, encoding: str) -> None:
    path = folder(name)
    before = ims.load_cohort(path.with_name("toy.toml"))
    path.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
    pd.testing.assert_frame_equal(ims.load_cohort(path.with_name("toy.toml")).patients, before.patients)


def test_shuffled_rows_are_the_same_patients(folder) -> None:
    path = folder("clinical.tsv")
    before = ims.load_cohort(path.with_name("toy.toml")).patients
    header, *rows = CLINICAL.splitlines(keepends=True)
    path.write_text(header + "".join(reversed(rows)))
    after = ims.load_cohort(path.with_name("toy.toml")).patients
    pd.testing.assert_frame_equal(after.sort_index(), before.sort_index())
