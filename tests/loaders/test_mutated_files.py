"""Spoilt copies of good files: every reader answers with what the file says, or with one of our errors.

``IMMUNOSARC_FUZZ_CASES`` sets how many copies each reader sees (10000 for a long run), and
``IMMUNOSARC_FUZZ_SEED`` which ones.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import schema
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.loaders._assay import read_assay
from immunosarc.loaders._block import read_block
from immunosarc.loaders._clinical import Part, patients_part
from immunosarc.loaders._fault import Fault, error_of
from immunosarc.loaders._parse import parse_manifest
from immunosarc.loaders._source import Source
from tests.loaders import test_cbioportal, test_pipelines, test_redcap
from tests.loaders.spoiling import spoilt

CASES = int(os.environ.get("IMMUNOSARC_FUZZ_CASES", "300"))
SEED = int(os.environ.get("IMMUNOSARC_FUZZ_SEED", "20260101"))

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
    """What the readers of one file gave, without the rest of a cohort."""

    patients: pd.DataFrame
    rna: Any = None

    def __getitem__(self, name: str) -> Any:
        assert name == "rna"
        return self.rna


@dataclass(frozen=True)
class Target:
    """A file that is spoilt, the good files beside it, and what must be left of it in a cohort that loads."""

    file: str
    files: Mapping[str, bytes]
    manifest: str
    holds: Callable[[bytes, Any], bool]
    refused: float = 0.3
    part: str = "patients"

    @property
    def is_text(self) -> bool:
        return not self.file.endswith((".xlsx", ".parquet", ".h5ad"))


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


def _sheet(data: bytes) -> list[list[str]]:
    rows = openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows(values_only=True)
    return [["" if cell is None else str(cell) for cell in row] for row in rows]


def _parquet_rows(data: bytes) -> list[list[str]]:
    from pyarrow import parquet

    columns = parquet.read_table(io.BytesIO(data)).to_pydict()
    return [
        list(columns),
        *(["" if cell is None else str(cell) for cell in row] for row in zip(*columns.values(), strict=True)),
    ]


def _workbook() -> bytes:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in csv.reader(io.StringIO(CLINICAL), delimiter="\t"):
        book.active.append([float(cell) if cell[:1] == "4" else cell for cell in row])
    book.save(buffer)
    return buffer.getvalue()


def _written(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def _h5ad(folder: Path) -> bytes:
    import anndata

    adata = anndata.AnnData(
        COUNTS.to_numpy(), obs=pd.DataFrame(index=COUNTS.index), var=pd.DataFrame(index=COUNTS.columns)
    )
    adata.write_h5ad(folder / "made.h5ad")
    return (folder / "made.h5ad").read_bytes()


def _clinical(file: str, data: bytes, read: Callable[[bytes], list[list[str]]]) -> Target:
    manifest = PATIENTS.format(clinical=file)
    return Target(file, {file: data}, manifest, lambda spoilt, cohort: _same_patients(read(spoilt), cohort))


def _counts(file: str, data: bytes, read: Callable[[bytes], list[list[str]]]) -> Target:
    manifest = PATIENTS.format(clinical="clinical.tsv") + SAMPLES + ASSAY.format(counts=file)
    files = {"clinical.tsv": CLINICAL.encode(), file: data}
    return Target(file, files, manifest, lambda spoilt, cohort: _same_numbers(read(spoilt), cohort), part="rna")


def _no_row_lost(data: bytes, cohort: Answer) -> bool:
    return cohort.patients.index.is_unique and len(cohort.patients) > 0


def _salmon() -> Target:
    good = {f"salmon/{name}/quant.sf": test_pipelines._quant(name).encode() for name in test_pipelines.QUANT}
    files = good | {"clinical.tsv": test_pipelines.CLINICAL.encode(), "tx2gene.tsv": test_pipelines.MAP.encode()}

    def same(data: bytes, cohort: Answer) -> bool:
        rows = rows_of(data)
        tpm = rows[0].index("TPM")
        return np.isclose(cohort["rna"].X[0].sum(), sum(float(row[tpm]) for row in rows[1:]), rtol=1e-12)

    return Target("salmon/S1/quant.sf", files, test_pipelines.HEAD + test_pipelines.SALMON, same, part="rna")


def _lengths() -> Target:
    target = _counts("counts.tsv", COUNTS.to_csv(sep="\t", index_label="sample").encode(), rows_of)
    manifest = target.manifest + 'gene_lengths = "lengths.tsv"\n'

    def same(data: bytes, cohort: Answer) -> bool:
        wanted = {row[0]: float(row[1]) for row in rows_of(data)[1:]}
        found = cohort["rna"].var["gene_length"]
        return all(wanted[name] == value for name, value in found.items())

    return Target("lengths.tsv", {**target.files, "lengths.tsv": LENGTHS.encode()}, manifest, same, part="rna")


def _redcap(file: str) -> Target:
    files = {"export.csv": test_redcap.EXPORT.encode(), "dictionary.csv": test_redcap.DICTIONARY.encode()}
    manifest = test_redcap.MANIFEST.split("columns")[0].replace('missing = ["Not known"]\n', "") + (
        'columns = { patient_id = "record_id", sex_at_birth = "sex" }\n'
    )
    labels = {"1": "Female", "2": "Male", "9": "Not known"}

    def same(data: bytes, cohort: Answer) -> bool:
        if file != "export.csv":
            return len(cohort.patients) == 3
        rows = rows_of(data, ",")
        name, form, sex = (rows[0].index(one) for one in ("record_id", "redcap_repeat_instrument", "sex"))
        wanted = {row[name]: labels.get(row[sex].strip(), row[sex].strip()) for row in rows[1:] if row[form] == ""}
        return cohort.patients["sex_at_birth"].fillna("").to_dict() == wanted

    return Target(file, files, manifest, same)


def _cbioportal(file: str) -> Target:
    files = {f"study/{name}": text.encode() for name, text in test_cbioportal.STUDY.items()}
    patients = [line.split("\t") for line in test_cbioportal.STUDY["data_clinical_patient.txt"].splitlines()]
    files["study/data_clinical_patient.txt"] = "".join(f"{row[0]}\t{row[2]}\n" for row in patients).encode()
    manifest = test_cbioportal.MANIFEST.replace('first_dose = { AGENT = "Doxorubicin" }\n', "")

    def same(data: bytes, cohort: Answer) -> bool:
        if file != "data_clinical_patient.txt":
            return len(cohort.patients) == 3
        rows = rows_of(data, comment="#")
        missing = ("", "NA", "[Not Available]", "[Not Applicable]", "[Unknown]", "[Discrepancy]")
        ages = {
            row[rows[0].index("PATIENT_ID")]: row[rows[0].index("AGE")] if "AGE" in rows[0] else ""
            for row in rows[1:]
        }
        found = cohort.patients.get("age", pd.Series(np.nan, index=cohort.patients.index))
        return set(found.index) == set(ages) and all(
            np.isnan(found[one]) if age.strip() in missing else found[one] == float(age)
            for one, age in ages.items()
        )

    part = "patients" if "patient" in file else "rna"
    return Target(f"study/{file}", files, manifest, same, refused=0.1, part=part)


def _manifest() -> Target:
    target = _counts("counts.tsv", COUNTS.to_csv(sep="\t", index_label="sample").encode(), rows_of)
    return Target("toy.toml", target.files, target.manifest, _no_row_lost, part="all")


def targets(folder: Path) -> dict[str, Callable[[], Target]]:
    frame = pd.read_csv(io.StringIO(CLINICAL), sep="\t")
    matrix = COUNTS.to_csv(sep="\t", index_label="sample").encode()
    return {
        "text": lambda: _clinical("clinical.tsv", CLINICAL.encode(), rows_of),
        "workbook": lambda: _clinical("clinical.xlsx", _workbook(), _sheet),
        "parquet": lambda: _clinical("clinical.parquet", _written(frame), _parquet_rows),
        "matrix": lambda: _counts("counts.tsv", matrix, rows_of),
        "matrix in parquet": lambda: _counts(
            "counts.parquet", _written(COUNTS.rename_axis("sample")), _matrix_rows
        ),
        "matrix in h5ad": lambda: _pinned(_counts("counts.h5ad", _h5ad(folder), lambda _: [])),
        "salmon": _salmon,
        "lengths": _lengths,
        "redcap export": lambda: _redcap("export.csv"),
        "redcap dictionary": lambda: _redcap("dictionary.csv"),
        "cbioportal patients": lambda: _cbioportal("data_clinical_patient.txt"),
        "cbioportal meta": lambda: _cbioportal("meta_mrna.txt"),
        "manifest": _manifest,
    }


def _matrix_rows(data: bytes) -> list[list[str]]:
    header, *rows = _parquet_rows(data)
    names = next(place for place, cell in enumerate(rows[0]) if not cell[:1].isdigit())
    return [[row[names], *row[:names], *row[names + 1 :]] for row in (header, *rows)]


def _pinned(target: Target) -> Target:
    digest = hashlib.sha256(target.files[target.file]).hexdigest()
    return Target(
        target.file, target.files, f'{target.manifest}sha256 = "{digest}"\n', target.holds, refused=0.9, part="rna"
    )


def _laid_out(folder: Path, target: Target) -> Path:
    for name, data in target.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "toy.toml").write_text(target.manifest)
    return folder / target.file


def _only_the_part(target: Target, manifest: Path, samples: Part) -> Answer:
    """Read the part of the manifest that the spoilt file belongs to: a hundred times in a second or two."""
    faults: list[Fault] = []
    source = Source(manifest.parent)
    parsed = parse_manifest(manifest, faults, source=source)
    answer = Answer(samples.frame)
    if target.part == "rna":
        read = None
        if ("assays", "rna") in parsed.blocks:
            read = read_assay("rna", parsed.blocks["assays", "rna"], samples, source, faults, rule=None)
        answer = Answer(samples.frame, read[0] if read else None)
    elif ("patients",) in parsed.blocks:
        unit = parsed.raw.get("time_unit")
        block = parsed.blocks[("patients",)]
        rows = read_block(block, schema.PATIENTS, source, faults, where="[patients]", time_unit=unit)
        if rows is not None:
            answer = Answer(patients_part(rows, faults).frame.set_index("patient_id"))
    if faults:
        raise_together(error_of(faults), "the file", [fault.text for fault in faults])
    return answer


def _samples(manifest: Path) -> Part:
    """Return the samples of the good files."""
    cohort = ims.load_cohort(manifest)
    owners = cohort.samples["patient_id"].astype(str).to_dict()
    return Part(cohort.patients, {}, {}, {name: name for name in owners}, owners)


@pytest.mark.parametrize("name", list(targets(Path())))
def test_every_spoilt_copy_is_answered(tmp_path: Path, name: str) -> None:
    if "parquet" in name:
        pytest.importorskip("pyarrow")
    target = targets(tmp_path)[name]()
    path = _laid_out(tmp_path, target)
    manifest = tmp_path / "toy.toml"
    original, rng, samples = path.read_bytes(), np.random.default_rng(SEED), _samples(manifest)
    loaded, refusals = 0, []
    for case in range(CASES):
        data = spoilt(original, rng, text=target.is_text)
        path.write_bytes(data)
        whole = target.part == "all" or case % 100 == 0
        try:
            cohort = ims.load_cohort(manifest) if whole else _only_the_part(target, manifest, samples)
        except ImmunosarcError as failure:
            refusals.append(str(failure))
        else:
            assert data == original or target.holds(data, cohort), f"case {case}: {data[:500]!r}"
            loaded += 1
    assert loaded + len(refusals) == CASES
    assert len(refusals) > CASES * target.refused
    assert all(refusals)
    path.write_bytes(original)
    assert len(ims.load_cohort(manifest).patients) == len(samples.frame)


REAL = {
    "riaz2017/clinical.tsv": "riaz2017.toml",
    "hugo2016/expression.tsv.gz": "hugo2016.toml",
    "tcga_sarc/sample_table.tsv": "tcga_sarc.toml",
}


@pytest.mark.parametrize("file", list(REAL))
def test_spoilt_copies_of_real_files(data_root: Path, tmp_path: Path, file: str) -> None:
    """The first lines of a real file, spoilt, in a manifest without its hash: a sentence or a cohort."""
    text = (Path(__file__).resolve().parents[2] / "data_manifests" / REAL[file]).read_text()
    head = "\n".join(line for line in text.split("\n") if not line.startswith("sha256"))
    head = (
        head
        if "sheet" in head
        else head.split("[assays.")[0] + ("[assays." + head.split("[assays.")[1] if "expression" in file else "")
    )
    (tmp_path / "toy.toml").write_text(head)
    for other in {line.split('"')[1] for line in head.split("\n") if line.startswith("file = ")}:
        data = (data_root / other).read_bytes()
        data = gzip.decompress(data) if other.endswith(".gz") else data
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_bytes(b"\n".join(data.split(b"\n")[: 40 if other == file else None]) + b"\n")
    original, rng = (tmp_path / file).read_bytes(), np.random.default_rng(SEED)
    answers = {"loaded": 0, "refused": 0}
    for _ in range(max(10, CASES // 30)):
        (tmp_path / file).write_bytes(spoilt(original, rng, text=True))
        try:
            ims.load_cohort(tmp_path / "toy.toml")
        except ImmunosarcError as failure:
            answers["refused"] += bool(str(failure))
        else:
            answers["loaded"] += 1
    assert sum(answers.values()) == max(10, CASES // 30)
    assert answers["refused"] > 2
