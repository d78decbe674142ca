"""A manifest template from a clinical file and an expression file: minutes instead of an afternoon."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.errors import DataFileError, raise_together
from immunosarc.loaders._block import TIMES
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._evidence import (
    MISSING_CODES,
    codes,
    column_evidence,
    gene_evidence,
    mapped_columns,
    same_for_patient,
    time_evidence,
    unit_evidence,
)
from immunosarc.loaders._fault import Fault, error_of
from immunosarc.loaders._privacy import Gate
from immunosarc.loaders._source import Source, TextFile
from immunosarc.loaders._table import RawTable, read_table
from immunosarc.loaders._text_matrix import checked_header, read_numbers, unreadable_cells

__all__ = ["draft_manifest"]

AnyPath = str | os.PathLike[str]
_HEAD = """\
# Draft of a manifest. Fill in every "?": `immunosarc check` names those that are left.
# What stands behind # is evidence from the files, not a decision. Paths start from the data root."""
_LEADS = ("title", "citation", "license", "source")


@dataclass(frozen=True)
class _Files:
    clinical: RawTable
    matrix_file: str
    header: list[str]
    names: list[str]
    numbers: NDArray[np.float64]
    missing: list[str]
    hashes: Mapping[str, str]


def draft_manifest(
    clinical: AnyPath,
    expression: AnyPath,
    *,
    name: str | None = None,
    data_root: AnyPath | None = None,
    allow_columns: Iterable[str] = (),
) -> str:
    r"""Return the text of a manifest for two files, with everything that they cannot say marked ``"?"``.

    Hashes, columns with unmistakable names, and every code that needs a meaning are filled in;
    unit, time unit and meanings are left to the reader, with the evidence beside them.

    Parameters
    ----------
    clinical : path
        One row per patient or per sample; .tsv, .txt or .csv, gzip or not.
    expression : path
        Genes by samples or samples by genes.
    name : str, optional
        Of the cohort.
    data_root : path, optional
        The folder that paths in the manifest start from; by default the folder that both
        files lie in or below.
    allow_columns : iterable of str
        Columns that look as if they named persons, and do not. ``check``, ``lock`` and ``run`` have
        to be told again.

    Returns
    -------
    str
        TOML. :func:`check_manifest` names each ``"?"`` that is left.

    Raises
    ------
    DataFileError, PrivacyError
        With every problem of the two files.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "clinical.tsv").write_text("sample_id\tpatient_id\tbor\nS1\tP1\tPR\n")
    >>> _ = (folder / "counts.tsv").write_text("gene\tS1\nGZMA\t3\n")
    >>> text = draft_manifest(folder / "clinical.tsv", folder / "counts.tsv", name="toy")
    >>> [line.split(";")[0] for line in text.splitlines() if line.startswith("unit")]
    ['unit = "?"  # all whole numbers from 3 to 3: probably counts']
    """
    faults: list[Fault] = []
    gate = Gate(frozenset(allow_columns))
    files = _read(clinical, expression, data_root, faults, gate=gate)
    if files is None:
        raise_together(error_of(faults), "draft", [fault.text for fault in faults])
    assert files is not None  # noqa: S101 - a fault was raised above
    parts = [
        [_HEAD],
        [f"name = {_quoted(name or '?')}", *(f'{lead} = "?"' for lead in _LEADS), "caveats = []"],
        *_clinical_parts(files),
        _assay_part(files),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _read(
    clinical: AnyPath, expression: AnyPath, data_root: AnyPath | None, faults: list[Fault], *, gate: Gate
) -> _Files | None:
    paths = [Path(os.path.abspath(path)) for path in (clinical, expression)]
    root = Path(data_root).resolve() if data_root is not None else _common_folder(paths)
    names = [_below(path, root, faults) for path in paths]
    if names[0] is None or names[1] is None:
        return None
    source = Source(root, gate)
    texts = [source.open(Block(file=file), "", faults) for file in names if file is not None]
    table = read_table(texts[0], faults) if texts[0] else None
    matrix = _read_matrix(texts[1], faults) if texts[1] else None
    if table is None or matrix is None:
        return None
    hashes = {file: facts["sha256"] for file, facts in source.files.items()}
    return _Files(table, names[1], *matrix, hashes=hashes)


def _common_folder(paths: list[Path]) -> Path:
    return Path(os.path.commonpath([path.resolve().parent for path in paths]))


def _below(path: Path, root: Path, faults: list[Fault]) -> str | None:
    for one in (path, path.resolve()):
        if one.is_relative_to(root):
            return one.relative_to(root).as_posix()
    faults.append(
        Fault(DataFileError, f"{path} lies outside the data root {root}; move it, or give another data_root")
    )
    return None


def _read_matrix(
    text: TextFile, faults: list[Fault]
) -> tuple[list[str], list[str], NDArray[np.float64], list[str]] | None:
    header = checked_header(text, faults)
    if header is None:
        return None
    for missing in ([], list(MISSING_CODES)):
        read = read_numbers(text, header, missing)
        if read is not None:
            return header, *read, [code for code in missing if _stands_alone(code, text)]
    faults += unreadable_cells(text, header, MISSING_CODES, words=("row", "column"))
    return None


def _stands_alone(code: str, text: TextFile) -> bool:
    edge = f'["\\n{re.escape(text.delimiter)}]'
    return re.search(f"{edge}{re.escape(code)}(?:{edge}|$)".encode(), text.text) is not None


def _clinical_parts(files: _Files) -> list[list[str]]:
    cells = files.clinical.cells
    library = _library_column(files)
    patients = mapped_columns(list(cells.columns), ["patient_id", *_patient_names()])
    for time, days in TIMES.items():
        if days in patients:
            patients.pop(time, None)
    samples = mapped_columns(list(cells.columns), ["patient_id", *schema.SAMPLES.columns])
    samples = ({"sample_id": library} if library else {}) | samples
    times = {name: source for name, source in patients.items() if name in TIMES}
    used = {*patients.values(), *samples.values()}
    unused = [str(name) for name in cells.columns if name not in used]
    owner = cells[patients["patient_id"]] if "patient_id" in patients else None
    steady = [name for name in unused if same_for_patient(cells[name], owner)]
    varying = [name for name in unused if name not in steady]
    parts = [
        [f'time_unit = "?"  # {_comment(time_evidence(times, cells))}; days, weeks, months or years']
        if times
        else []
    ]
    parts.append(_table_part(files, "patients", patients, schema.PATIENTS, unused=steady, owner=owner))
    if library:
        parts.append(_table_part(files, "samples", samples, schema.SAMPLES, unused=varying))
    else:
        parts.append(
            [
                "# no column of the clinical file holds the names of the expression file",
                "[samples]",
                'file = "?"',
                'columns = { sample_id = "?", patient_id = "?", timepoint = "?" }',
            ]
        )
    return parts


def _patient_names() -> list[str]:
    return [*schema.PATIENTS.columns, *TIMES]


def _library_column(files: _Files) -> str | None:
    """Return the clinical column whose values are most of the expression file's names."""
    libraries = {*files.header[1:], *files.names}
    cells = files.clinical.cells
    hits = {str(name): len(libraries.intersection(cells[name])) for name in cells.columns}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else None


def _table_part(
    files: _Files,
    block: str,
    columns: Mapping[str, str],
    table: schema.Table,
    *,
    unused: list[str],
    owner: pd.Series | None = None,
) -> list[str]:
    cells = files.clinical.cells
    lines = [f"[{block}]", *_file_lines(files.clinical.file, files)]
    missing = [code for code in MISSING_CODES if cells[list(columns.values())].eq(code).any(axis=None)]
    if missing:
        lines.append(f"missing = {json.dumps(missing)}  # found in mapped columns: do they mean missing?")
    replicates = [name for name in unused if "replicate" in name.lower()]
    lines += [f"# keep = {{ {_key(name)} = 0 }}  # leaves rows out, with a record" for name in replicates]
    lines += ["", f"[{block}.columns]"]
    for name, source in columns.items():
        doubt = "" if same_for_patient(cells[source], owner) else "  # not the same in all rows of a patient!"
        lines.append(f"{_key(name)} = {_quoted(source)}{doubt}")
    needed = [str(table.index), *(name for name, column in table.columns.items() if column.required)]
    lines += [f'{name} = "?"' for name in needed if name not in columns]
    lines += [f"# {_key(name)} = {_quoted(name)}  # {column_evidence(cells[name])}" for name in unused]
    return lines + _recode_lines(cells, block, columns, table)


def _recode_lines(cells: pd.DataFrame, block: str, columns: Mapping[str, str], table: schema.Table) -> list[str]:
    lines = []
    for name, source in columns.items():
        column = table.columns.get(name)
        meanings = codes(cells[source], column) if column is not None else None
        if column is None or meanings is None:
            continue
        allowed = "true or false" if column.kind == "flag" else f"one of {', '.join(column.values)}"
        lines += ["", f"[{block}.recode.{_key(name)}]  # {column.meaning}; {allowed}"]
        for code, meaning in meanings.items():
            count = int((cells[source] == code).sum())
            lines.append(f"{_quoted(code)} = {_quoted(str(meaning))}  # {count} rows")
    return lines


def _assay_part(files: _Files) -> list[str]:
    library = _library_column(files)
    ids = set(files.clinical.cells[library]) if library else set()
    across, down = (len(ids.intersection(names)) for names in (files.header[1:], files.names))
    by_genes = across >= down
    orientation = "?" if across == down else "genes_by_samples" if by_genes else "samples_by_genes"
    genes = files.names if by_genes else files.header[1:]
    values = files.numbers.T if by_genes else files.numbers
    gene_id, why = gene_evidence(genes)
    lines = ["[assays.rna]", *_file_lines(files.matrix_file, files)]
    if files.missing:
        lines.append(f"missing = {json.dumps(files.missing)}  # found in the file: do they mean missing?")
    return [
        *lines,
        f'unit = "?"  # {unit_evidence(values)}; one of {", ".join(schema.UNITS)}',
        f'orientation = "{orientation}"  # {across} of {len(files.header) - 1} column names and {down} of '
        f"{len(files.names)} row names are in the clinical file",
        f'gene_id = "{gene_id}"  # {why}',
        f'# platform = "?"  # one of {", ".join(schema.PLATFORMS)}',
    ]


def _file_lines(file: str, files: _Files) -> list[str]:
    return [f"file = {_quoted(file)}", f'sha256 = "{files.hashes[file]}"']


def _quoted(text: str) -> str:
    """Return a TOML basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else _quoted(name)


def _comment(text: str) -> str:
    return "".join(mark if mark.isprintable() else " " for mark in text)
