"""Spoilt copies of good files: every reader answers with what the file says, or with one of our errors.

``IMMUNOSARC_FUZZ_CASES`` sets how many copies each reader sees (10000 for a long run; the files of one
reader share them), and ``IMMUNOSARC_FUZZ_SEED`` which ones.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import schema
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.loaders import _arrays
from immunosarc.loaders._assay import read_assay
from immunosarc.loaders._block import read_block
from immunosarc.loaders._clinical import Part, long_part, patients_part, samples_part
from immunosarc.loaders._fault import Fault, error_of
from immunosarc.loaders._parse import Parsed, parse_manifest
from immunosarc.loaders._source import Source
from immunosarc.loaders._variants import of_samples, without_patient
from tests.loaders.export_targets import FIRST_DOSES, cbioportal, cdisc, gene_map, redcap, salmon
from tests.loaders.patience import Walker, within
from tests.loaders.spoiling import spoilt
from tests.loaders.targets import (
    CLINICAL,
    COUNTS,
    Answer,
    Target,
    clinical,
    counts,
    h5ad,
    lengths,
    matrix_rows,
    numbers_of_h5ad,
    parquet_rows,
    rows_of,
    sheet_rows,
    whole_manifest,
    workbook,
    written,
)  # fmt: skip

CASES = int(os.environ.get("IMMUNOSARC_FUZZ_CASES", "300"))
MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"
SEED = int(os.environ.get("IMMUNOSARC_FUZZ_SEED", "20260101"))

READERS: dict[str, Callable[[], Target]] = {
    "text": lambda: clinical("clinical.tsv", CLINICAL.encode(), rows_of),
    "workbook": lambda: clinical("clinical.xlsx", workbook(), sheet_rows),
    "parquet": lambda: clinical(
        "clinical.parquet", written(pd.read_csv(io.StringIO(CLINICAL), sep="\t")), parquet_rows
    ),
    "matrix": lambda: counts("counts.tsv", COUNTS.to_csv(sep="\t", index_label="sample").encode(), rows_of),
    "matrix in parquet": lambda: counts("counts.parquet", written(COUNTS.rename_axis("sample")), matrix_rows),
    "matrix in h5ad": lambda: _pinned(counts("counts.h5ad", h5ad(), lambda _: [])),
    "matrix in damaged h5ad": lambda: replace(
        _pinned(counts("counts.h5ad", h5ad(), lambda _: [])), holds=numbers_of_h5ad, refused=0.3, pinned=True
    ),
    "salmon": salmon,
    "gene map": gene_map,
    "lengths": lengths,
    "redcap export": lambda: redcap("export.csv"),
    "redcap dictionary": lambda: redcap("dictionary.csv"),
    "cbioportal patients": lambda: cbioportal("data_clinical_patient.txt"),
    "cbioportal samples": lambda: cbioportal("data_clinical_sample.txt"),
    "cbioportal timeline": lambda: cbioportal("data_timeline_treatment.txt"),
    "cbioportal expression": lambda: cbioportal("data_mrna_seq_v2_rsem.txt"),
    "cbioportal mutations": lambda: cbioportal("data_mutations.txt"),
    "cbioportal meta": lambda: cbioportal("meta_mrna.txt"),
    "cdisc text": lambda: cdisc("tr", "csv"),
    "cdisc times": lambda: cdisc("adtte", "csv"),
    "cdisc parquet": lambda: cdisc("tr", "parquet"),
    "cdisc transport": lambda: cdisc("tr", "xpt"),
    "cdisc transport of times": lambda: cdisc("adtte", "xpt"),
    "manifest": whole_manifest,
}


FILES_OF_ONE_READER = (
    ("matrix in h5ad", "matrix in damaged h5ad"),
    ("salmon", "gene map"),
    ("redcap export", "redcap dictionary"),
    tuple(name for name in READERS if name.startswith("cbioportal")),
    tuple(name for name in READERS if name.startswith("cdisc")),
)


# seconds of processor time after which a file counts as one that the reader does not come back from
PATIENCE = 20


def _cases(name: str) -> int:
    return CASES // next((len(files) for files in FILES_OF_ONE_READER if name in files), 1)


def _pinned(target: Target) -> Target:
    return replace(target, manifest=f'{target.manifest}sha256 = "{target.digest}"\n', refused=0.9)


def _laid_out(folder: Path, target: Target) -> Path:
    for name, data in target.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "toy.toml").write_text(target.manifest)
    return folder / target.file


def _read(target: Target, manifest: Path, samples: Part, *, whole: bool) -> Answer | ims.Cohort:
    cohort = ims.load_cohort(manifest) if whole or target.part == "all" else None
    return cohort if target.part == "all" else _only_the_part(target, manifest, samples)


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
    elif (part := _rows(target, parsed, source, samples, faults)) is not None:
        answer = Answer(part.frame.set_index("patient_id") if target.part == "patients" else samples.frame)
        answer = replace(answer, rows=part.frame)
    if faults:
        raise_together(error_of(faults), "the file", [fault.text for fault in faults])
    return answer


def _rows(target: Target, parsed: Parsed, source: Source, samples: Part, faults: list[Fault]) -> Part | None:
    """Read a clinical table beside the patients of the good files."""
    wanted, table = target.part, schema.PATIENTS
    where = ("patients",) if wanted in ("patients", "also") else ("tables", wanted)
    if wanted not in ("patients", "also"):
        where = ("samples",) if wanted == "samples" else where
        table = schema.SAMPLES if wanted == "samples" else schema.LONG_TABLES[wanted]
        table = without_patient(table) if wanted == "variants" else table
    if where not in parsed.blocks:
        return None
    block = parsed.blocks[where].also[0] if wanted == "also" else parsed.blocks[where]
    at = "[[patients.also]] 1" if wanted == "also" else f"[{'.'.join(where)}]"
    unit, origins = parsed.raw.get("time_unit"), FIRST_DOSES
    read = read_block(block, table, source, faults, where=at, time_unit=unit, first_doses=origins)
    if read is None:
        return None
    if wanted in ("patients", "also"):
        return patients_part(read, faults)
    patients = Part(samples.frame.reset_index(), {}, {})
    if wanted == "samples":
        return samples_part(read, patients, None, faults)
    if wanted == "variants":
        return of_samples(wanted, read, samples, faults)
    return long_part(wanted, read, patients, faults)


def _samples(manifest: Path) -> Part:
    """Return the samples of the good files."""
    cohort = ims.load_cohort(manifest)
    owners = cohort.samples["patient_id"].astype(str).to_dict() if len(cohort.samples) else {}
    return Part(cohort.patients, {}, {}, {name: name for name in owners}, owners)


@pytest.fixture
def one_walker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One process that reads damaged h5ad files first, since libhdf5 does not come back from some of them."""
    walker = Walker()
    monkeypatch.setattr(_arrays, "hdf5_fault", walker.fault)
    yield
    walker.close()


@pytest.mark.usefixtures("one_walker")
@pytest.mark.parametrize("name", list(READERS))
def test_every_spoilt_copy_is_answered(tmp_path: Path, name: str) -> None:
    if "parquet" in name:
        pytest.importorskip("pyarrow")
    target = READERS[name]()
    path = _laid_out(tmp_path, target)
    manifest = tmp_path / "toy.toml"
    original, rng, samples = path.read_bytes(), np.random.default_rng(SEED), _samples(manifest)
    loaded, refusals, cases = 0, [], _cases(name)
    for case in range(cases):
        data = spoilt(original, rng, text=target.is_text)
        path.write_bytes(data)
        if target.pinned:
            digest = hashlib.sha256(data).hexdigest()
            manifest.write_text(target.manifest.replace(target.digest, digest))
        try:
            with within(PATIENCE):
                cohort = _read(target, manifest, samples, whole=case % 100 == 0)
        except ImmunosarcError as failure:
            refusals.append(str(failure))
        else:
            assert data == original or target.holds(data, cohort), f"case {case}: {data[:500]!r}"
            loaded += 1
    assert loaded + len(refusals) == cases
    assert len(refusals) > cases * target.refused
    assert all(refusals)
    _laid_out(tmp_path, target)
    assert len(ims.load_cohort(manifest).patients) == len(samples.frame)


REAL = {
    "riaz2017/clinical.tsv": "riaz2017.toml",
    "hugo2016/clinical.tsv": "hugo2016.toml",
    "hugo2016/expression.tsv.gz": "hugo2016.toml",
    "imvigor210_subset/clinical.tsv": "imvigor210.toml",
    "imvigor210_subset/expression_log2tpm.tsv.gz": "imvigor210.toml",
    "tcga_sarc/sample_table.tsv": "tcga_sarc.toml",
    "tcga_ucs/clinical.tsv": "tcga_ucs.toml",
}
LINES = 40
"""As many of a real file are spoilt; a clinical file is whole beside an assay, and without assays of other files."""


def _beginnings(file: str, data_root: Path, folder: Path) -> tuple[Path, bool]:
    """Lay out the beginnings of real files and their manifest without hashes; say whether ``file`` is an assay."""
    head, *assays = (MANIFESTS / REAL[file]).read_text().split("\n[assays.")
    assays = [block for block in assays if f'"{file}"' in block]
    is_assay = any(block.startswith("rna") for block in assays)
    lines = "\n[assays.".join([head, *assays]).split("\n")
    (folder / "toy.toml").write_text("\n".join(line for line in lines if not line.startswith("sha256")))
    for other in {line.split('"')[1] for line in lines if line.startswith("file = ")}:
        data = (data_root / other).read_bytes()
        data = gzip.decompress(data) if other.endswith(".gz") else data
        (folder / other).parent.mkdir(exist_ok=True)
        (folder / other).write_bytes(b"\n".join(data.split(b"\n")[: LINES if other == file else None]) + b"\n")
    return folder / "toy.toml", is_assay


def _every_row_is_kept_or_left_out(data: bytes, cohort: ims.Cohort, file: str) -> bool:
    rows = len(rows_of(data)) - 1
    counted = [
        one["kept"] + len(one["left_out"])
        for one in cohort.provenance["loading"]
        if one["step"] in (f"{file}: patients", f"{file}: samples")
    ]
    return bool(counted) and set(counted) == {rows}


def _every_number_is_there(data: bytes, cohort: ims.Cohort, _: str) -> bool:
    header, *rows = rows_of(data)
    found = cohort["rna"].to_df()
    named = header if len(header) == len(rows[0]) else ["", *header]
    wanted = {row[0]: dict(zip(named[1:], row[1:], strict=True)) for row in rows}
    return set(found.columns) == set(wanted) and all(
        number == (float(wanted[gene][sample]) if wanted[gene][sample].strip() else number)
        for gene in found.columns
        for sample, number in found[gene].dropna().items()
    )


@pytest.mark.parametrize("file", list(REAL))
def test_spoilt_copies_of_real_files(data_root: Path, tmp_path: Path, file: str) -> None:
    """The first lines of a real file, spoilt, in a manifest without hashes: a sentence, or a cohort with every row."""
    manifest, is_assay = _beginnings(file, data_root, tmp_path)
    holds = _every_number_is_there if is_assay else _every_row_is_kept_or_left_out
    original, rng = (tmp_path / file).read_bytes(), np.random.default_rng(SEED)
    assert holds(original, ims.load_cohort(manifest), file)
    cases = max(10, CASES // (10 * len(REAL)))
    answers = {"loaded": 0, "refused": 0}
    for case in range(cases):
        data = spoilt(original, rng, text=True)
        (tmp_path / file).write_bytes(data)
        try:
            with within(PATIENCE):
                cohort = ims.load_cohort(manifest)
        except ImmunosarcError as failure:
            answers["refused"] += bool(str(failure))
        else:
            assert holds(data, cohort, file), f"case {case}: {data[:500]!r}"
            answers["loaded"] += 1
    assert sum(answers.values()) == cases
    assert answers["refused"] > cases // 10
