"""Good files of every reader, the manifest that reads them, and what a spoilt copy must still say if it loads."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd

CLINICAL = "id\tsample\tage\n" + "".join(f"P{i}\tS{i}\t{40 + i}.5\n" for i in range(4))
PATIENTS = """
name = "toy"
[patients]
file = "{clinical}"
columns = {{ patient_id = "id", age = "age" }}
"""
SAMPLES = """
[samples]
file = "clinical.tsv"
columns = { sample_id = "sample", patient_id = "id" }
constants = { timepoint = "pre" }
"""
ASSAY = """
[assays.rna]
file = "{counts}"
unit = "counts"
orientation = "samples_by_genes"
gene_id = "symbol"
"""
COUNTS = pd.DataFrame(
    np.random.default_rng(1).poisson(20, size=(4, 3)).astype(float),
    index=[f"S{i}" for i in range(4)],
    columns=["GZMA", "PRF1", "ACTB"],
)
LENGTHS = "gene\tlength\nGZMA\t900\nPRF1\t700.5\nACTB\t1100\n"


@dataclass(frozen=True)
class Answer:
    """What the readers of one file gave, without the rest of a cohort.

    ``rows`` is a table that is neither the patients nor an assay.
    """

    patients: pd.DataFrame
    rna: Any = None
    rows: Any = None

    def __getitem__(self, name: str) -> Any:
        assert name == "rna"
        return self.rna


@dataclass(frozen=True)
class Target:
    """A file that is spoilt, the good files beside it, and what must be left of it in a cohort that loads.

    ``part`` is what the file becomes: ``patients``, ``also``, ``samples``, ``rna``, a long table, or ``all``.
    A file that is ``pinned`` has its own hash in the manifest, damaged or not.
    """

    file: str
    files: Mapping[str, bytes]
    manifest: str
    holds: Callable[[bytes, Any], bool]
    refused: float = 0.3
    part: str = "patients"
    pinned: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.files[self.file]).hexdigest()

    @property
    def is_text(self) -> bool:
        return not self.file.endswith((".xlsx", ".parquet", ".h5ad", ".xpt", ".sas7bdat"))


def rows_of(data: bytes, delimiter: str = "\t", *, comment: str = "") -> list[list[str]]:
    """Read a table by other means than the package: decode, and let the csv module split."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    while comment and text.startswith(comment):
        text = text.partition("\n")[2]
    try:
        rows = list(csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter))
    except csv.Error:  # a name longer than the module reads
        rows = [line.split(delimiter) for line in text.split("\n")]
    while rows and not "".join(rows[-1]).strip():
        rows.pop()
    return rows


def _same_patients(rows: list[list[str]], cohort: Answer) -> bool:
    """Every row of the file is a patient with the age that stands there."""
    name, age = rows[0].index("id"), rows[0].index("age")
    wanted = {row[name]: float(row[age]) if row[age].strip() else np.nan for row in rows[1:]}
    found = cohort.patients["age"]
    return set(found.index) == set(wanted) and all(
        np.isnan(found[one]) if np.isnan(value) else found[one] == value for one, value in wanted.items()
    )


def _same_numbers(rows: list[list[str]], cohort: Answer) -> bool:
    """Every cell of the file is a number of the assay."""
    wanted = {row[0]: [float(cell) if cell else np.nan for cell in row[1:]] for row in rows[1:]}
    found = cohort["rna"].to_df()
    return (
        list(found.columns) == rows[0][1:]
        and set(found.index) == set(wanted)
        and all(np.array_equal(found.loc[name], values, equal_nan=True) for name, values in wanted.items())
    )


def sheet_rows(data: bytes) -> list[list[str]]:
    rows = openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows(values_only=True)
    return [["" if cell is None else str(cell) for cell in row] for row in rows]


def parquet_rows(data: bytes) -> list[list[str]]:
    from pyarrow import parquet

    columns = parquet.read_table(io.BytesIO(data)).to_pydict()
    return [
        list(columns),
        *(["" if cell is None else str(cell) for cell in row] for row in zip(*columns.values(), strict=True)),
    ]


def workbook() -> bytes:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in csv.reader(io.StringIO(CLINICAL), delimiter="\t"):
        book.active.append([float(cell) if cell[:1] == "4" else cell for cell in row])
    book.save(buffer)
    return buffer.getvalue()


def written(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def h5ad() -> bytes:
    import anndata

    adata = anndata.AnnData(
        COUNTS.to_numpy(), obs=pd.DataFrame(index=COUNTS.index), var=pd.DataFrame(index=COUNTS.columns)
    )
    with tempfile.TemporaryDirectory() as folder:
        adata.write_h5ad(Path(folder) / "made.h5ad")
        return (Path(folder) / "made.h5ad").read_bytes()


def matrix_rows(data: bytes) -> list[list[str]]:
    header, *rows = parquet_rows(data)
    names = next(place for place, cell in enumerate(rows[0]) if not cell[:1].isdigit())
    return [[row[names], *row[:names], *row[names + 1 :]] for row in (header, *rows)]


def clinical(file: str, data: bytes, read: Callable[[bytes], list[list[str]]]) -> Target:
    manifest = PATIENTS.format(clinical=file)
    return Target(file, {file: data}, manifest, lambda spoilt, cohort: _same_patients(read(spoilt), cohort))


def counts(file: str, data: bytes, read: Callable[[bytes], list[list[str]]]) -> Target:
    manifest = PATIENTS.format(clinical="clinical.tsv") + SAMPLES + ASSAY.format(counts=file)
    files = {"clinical.tsv": CLINICAL.encode(), file: data}
    return Target(file, files, manifest, lambda spoilt, cohort: _same_numbers(read(spoilt), cohort), part="rna")


def _no_row_lost(data: bytes, cohort: Answer) -> bool:
    return cohort.patients.index.is_unique and len(cohort.patients) > 0


def lengths() -> Target:
    target = counts("counts.tsv", COUNTS.to_csv(sep="\t", index_label="sample").encode(), rows_of)
    manifest = target.manifest + 'gene_lengths = "lengths.tsv"\n'

    def same(data: bytes, cohort: Answer) -> bool:
        wanted = {row[0]: float(row[1]) for row in rows_of(data)[1:]}
        found = cohort["rna"].var["gene_length"]
        return all(wanted[name] == value for name, value in found.items())

    return Target("lengths.tsv", {**target.files, "lengths.tsv": LENGTHS.encode()}, manifest, same, part="rna")


def whole_manifest() -> Target:
    target = counts("counts.tsv", COUNTS.to_csv(sep="\t", index_label="sample").encode(), rows_of)
    return Target("toy.toml", target.files, target.manifest, _no_row_lost, part="all")


def numbers_of_h5ad(data: bytes, cohort: Answer) -> bool:
    """The numbers and names are those that stand in the same bytes."""
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        wanted = file["X"][()].astype(float)
        samples, genes = (
            [name.decode() for name in file[part][file[part].attrs["_index"]]] for part in ("obs", "var")
        )
    found = cohort["rna"].to_df()
    return (
        set(found.index) == set(samples)
        and list(found.columns) == genes
        and np.array_equal(found.loc[samples].to_numpy(), wanted, equal_nan=True)
    )
