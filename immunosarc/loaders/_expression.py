"""A table of measurements: fast when it is right, exact about the cell when it is not."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.errors import DataFileError, ManifestError, UnitError, did_you_mean
from immunosarc.loaders._cells import parse_number
from immunosarc.loaders._fault import Fault, in_lines, listed
from immunosarc.loaders._genes import ENSEMBL
from immunosarc.loaders._manifest import AssayBlock
from immunosarc.loaders._naming import ensembl_fault, named_genes
from immunosarc.loaders._source import TextFile
from immunosarc.loaders._table import header_faults, read_header, read_rows

__all__ = [
    "ARRAY_FILES",
    "Matrix",
    "checked_header",
    "finished",
    "read_matrix",
    "read_numbers",
    "unreadable_cells",
]

ARRAY_FILES = (".h5ad", ".parquet")
"""Files of numbers and not of text; they have no lines."""

_SHOWN = 5


@dataclass(frozen=True)
class Matrix:
    """Measurements of libraries.

    Attributes
    ----------
    libraries, genes : list of str
        In the order of the file.
    values : ndarray of shape (n_libraries, n_genes)
        Missing = NaN.
    log : DataFrame or None
        What became of each name, indexed by gene; see ``repair_genes``.
    """

    libraries: list[str]
    genes: list[str]
    values: NDArray[np.float64]
    log: pd.DataFrame | None = None


def read_matrix(
    text: TextFile,
    block: AssayBlock,
    faults: list[Fault],
    *,
    samples: frozenset[str],
    gene_map: Mapping[str, str] | None = None,
) -> Matrix | None:
    """Read an assay's file; None when it cannot be, and why is added.

    Parameters
    ----------
    text : TextFile
    block : AssayBlock
        Declares unit, orientation, missing codes and how genes are named.
    faults : list of Fault
    samples : frozenset of str
        Known library names: they tell a reader when the orientation is the other way round.
    gene_map : mapping of str to str, optional
        Ensembl id -> symbol.
    """
    header = checked_header(text, faults)
    beside = _symbol_column(text, header, block, faults) if header is not None else None
    if header is None or (block.symbol_column is not None and beside is None):
        return None
    by_genes = block.orientation == "genes_by_samples"
    genes_first = ("gene", "sample") if by_genes else ("sample", "gene")
    read = _read_frame(text, header, block.missing, beside)
    if read is None:
        faults += unreadable_cells(text, header, block.missing, words=genes_first, beside=beside)
        return None
    names, numbers, symbols = read
    others = [name for place, name in enumerate(header) if place not in (0, beside)]
    repeat = by_genes and block.duplicates is not None
    found = _name_faults(text, names, what=genes_first[0], repeat=repeat)
    faults += found
    genes, libraries = (names, others) if by_genes else (others, names)
    raw = Matrix(libraries, genes, np.ascontiguousarray(numbers.T) if by_genes else numbers)
    given = symbols if symbols is not None else gene_map
    matrix = finished(raw, block, faults, samples=samples, symbols=given)
    return None if found else matrix


def finished(
    raw: Matrix,
    block: AssayBlock,
    faults: list[Fault],
    *,
    samples: frozenset[str],
    symbols: Sequence[str] | Mapping[str, str] | None,
) -> Matrix | None:
    """Check numbers and names of a file that was read, and name the genes as declared.

    Parameters
    ----------
    raw : Matrix
        As the file has it.
    block : AssayBlock
    faults : list of Fault
        What is wrong is added here; the matrix is then None.
    samples : frozenset of str
        Known library names.
    symbols : sequence or mapping of str, optional
        Symbols beside the names, or by Ensembl id.
    """
    found = _gene_faults(block.file, raw.genes, raw.libraries, samples, block)
    found += _unit_faults(block.file, raw, block)
    faults += found
    if found:
        return None
    libraries = [_without_prefix(name, block.sample_prefix) for name in raw.libraries]
    if not _renames(block):
        return Matrix(libraries, raw.genes, raw.values)
    named = named_genes(raw.genes, raw.values, block, faults, symbols=symbols)
    return None if named is None else Matrix(libraries, named[1].index.tolist(), *named)


def _renames(block: AssayBlock) -> bool:
    return block.gene_id == "ensembl" or block.repair_symbols or block.duplicates is not None


def _without_prefix(name: str, prefix: str | None) -> str:
    return name.removeprefix(prefix) if prefix else name


def _symbol_column(text: TextFile, header: list[str], block: AssayBlock, faults: list[Fault]) -> int | None:
    if block.symbol_column is None:
        return None
    if block.symbol_column in header[1:]:
        return header.index(block.symbol_column)
    hint = did_you_mean(block.symbol_column, header[1:])
    what = f"{text.file} line 1: there is no column {block.symbol_column!r} (symbol_column).{hint}"
    faults.append(Fault(ManifestError, what))
    return None


def checked_header(text: TextFile, faults: list[Fault]) -> list[str] | None:
    """Return the names in the first line; None when they or the rows' lengths are wrong, and why is added."""
    header = read_header(text)
    found = header_faults(text.file, header) or _shape_faults(text, header)
    faults += found
    return None if found else header


def read_numbers(
    text: TextFile, header: Sequence[str], missing: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]] | None:
    """Return the row names and the numbers; None when a cell is neither a number nor missing."""
    read = _read_frame(text, header, missing, None)
    return read[:2] if read is not None else None


def _read_frame(
    text: TextFile, header: Sequence[str], missing: Sequence[str], beside: int | None
) -> tuple[list[str], NDArray[np.float64], list[str] | None] | None:
    """Return the row names, the numbers, and the text column ``beside`` the names."""
    words = [0] if beside is None else [0, beside]
    numeric = [place for place in range(len(header)) if place not in words]
    try:
        frame = pd.read_csv(
            io.BytesIO(text.text),
            sep=text.delimiter,
            header=None,
            skiprows=1,
            dtype={**dict.fromkeys(numeric, float), **dict.fromkeys(words, str)},
            float_precision="round_trip",
            keep_default_na=False,
            na_values={column: ["", *missing] for column in numeric},
            skip_blank_lines=False,
            encoding="utf-8",
        )
    except (ValueError, OverflowError):  # what pandas says does not name the cell
        return None
    symbols = frame[beside].tolist() if beside is not None else None
    return frame[0].tolist(), frame[numeric].to_numpy(dtype=np.float64), symbols


def _shape_faults(text: TextFile, header: list[str]) -> list[Fault]:
    file = text.file
    if len(header) < 2:
        return [
            Fault(
                DataFileError,
                f"{file} line 1: the header has {len(header)} column(s), found {listed(header)}; a name column "
                "and one column per sample or gene are needed (is the delimiter right?)",
            )
        ]
    if b"\n" not in text.text.strip(b"\n"):
        return [Fault(DataFileError, f"{file}: there is a header and no row below it; rows are needed")]
    try:
        wrong = _ragged_lines(text, len(header))
    except csv.Error as failure:
        return [Fault(DataFileError, f"{file}: {failure}; close or remove the quotation mark")]
    rows = text.text.rstrip(b"\n").count(b"\n")
    if len(wrong) == rows and set(wrong.values()) == {len(header) + 1}:
        return [
            Fault(
                DataFileError,
                f"{file} line 1: the header has one name less than each row has cells, as R's write.table writes "
                "it; write with col.names = NA, or put a name over the first column",
            )
        ]
    return [
        Fault(
            DataFileError,
            f"{file} {in_lines([line for line, n in wrong.items() if n == cells])}: {cells} cell"
            f"{'' if cells == 1 else 's'}, the header has {len(header)}; the file was cut or edited, "
            "export it again",
        )
        for cells in dict.fromkeys(wrong.values())
    ]


def _ragged_lines(text: TextFile, width: int) -> dict[int, int]:
    """Return the lines that do not have ``width`` cells, and how many they have."""
    data = text.text.rstrip(b"\n")
    if b'"' in data:
        rows = read_rows(TextFile(text.file, data, text.delimiter))
        lines = [(line, len(row), line + sum(cell.count("\n") for cell in row)) for line, row in rows]
        return {line: cells for line, cells, last in lines if cells != width or last != line}
    codes = np.frombuffer(data, dtype=np.uint8)
    ends = np.append(np.flatnonzero(codes == ord("\n")), len(codes))
    marks = np.flatnonzero(codes == ord(text.delimiter))
    cells = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
    return {int(row) + 1: int(cells[row]) for row in np.flatnonzero(cells != width)}


def unreadable_cells(
    text: TextFile,
    header: Sequence[str],
    missing: Sequence[str],
    *,
    words: tuple[str, str],
    beside: int | None = None,
) -> list[Fault]:
    """Name the first cells that are not numbers: the slow way, only after the fast one failed."""
    allowed = {"", *missing}
    places = (
        (f"{text.file} line {line}, {words[0]} {row[0]!r}, {words[1]} {header[column]!r}", cell)
        for line, row in itertools.islice(read_rows(text), 1, None)
        for column, cell in enumerate(row)
        if column not in (0, beside) and cell not in allowed and parse_number(cell) is None
    )
    cure = "write a decimal point and no thousands separator, or list a code in missing = [...]"
    found = []
    try:
        found += [f"{place}: {cell!r} is not a number; {cure}" for place, cell in itertools.islice(places, _SHOWN)]
    except csv.Error as failure:  # a cell larger than any name or number can be
        found.append(f"{text.file}: {failure}; export the file again")
    reasons = found or [f"{text.file}: the numbers cannot be read; export the file again"]
    return [Fault(DataFileError, reason) for reason in reasons]


def _name_faults(text: TextFile, names: list[str], *, what: str, repeat: bool) -> list[Fault]:
    rows = pd.Series(names, index=range(2, len(names) + 2), dtype=object)
    faults = []
    blank = rows.index[rows.str.strip() == ""]
    if len(blank):
        faults.append(Fault(DataFileError, f"{text.file} {in_lines(blank)}: no {what} name; fill it in"))
    repeated = rows[rows.duplicated(keep=False) & (rows.str.strip() != "")]
    if len(repeated) and not repeat:
        first = repeated.iloc[0]
        faults.append(
            Fault(
                DataFileError,
                f"{text.file}: {repeated.nunique()} {what} name(s) are repeated, {listed(repeated.unique())} "
                f"({first!r} in {in_lines(repeated.index[repeated == first])}); each may stand there once: "
                f"merge or remove the rows",
            )
        )
    return faults


def _gene_faults(
    file: str, genes: list[str], libraries: list[str], samples: frozenset[str], block: AssayBlock
) -> list[Fault]:
    if samples.intersection(genes) and not samples.intersection(libraries):
        other = {"genes_by_samples": "samples_by_genes", "samples_by_genes": "genes_by_samples"}[block.orientation]
        return [
            Fault(
                ManifestError,
                f"{file}: {len(samples.intersection(genes))} sample ids stand where orientation = "
                f"{block.orientation!r} expects genes; declare orientation = {other!r}",
            )
        ]
    if block.gene_id == "ensembl":
        return ensembl_fault(file, genes)
    ensembl = [gene for gene in genes if ENSEMBL.fullmatch(gene)]
    if 2 * len(ensembl) > len(genes):
        return [
            Fault(
                ManifestError,
                f"{file}: gene_id = 'symbol' is declared, but {len(ensembl)} of {len(genes)} names are "
                f"Ensembl ids ({listed(ensembl[:2])}); declare gene_id = 'ensembl' with symbol_column or "
                "gene_map, or write gene symbols into the file",
            )
        ]
    return []


_UNIT_CURES = {
    "infinite": "correct the file",
    "negative": "declare the unit the numbers have (a log2 unit, or score), or correct the file",
    "unit counts": "declare the unit the numbers have, or round the estimated counts of RSEM or salmon",
    "unit log2": "declare the unit before the logarithm, or take the logarithm",
    "unit fraction": "declare unit = 'score', or divide percentages by 100",
    "unit": "declare the unit that the numbers have",
}


def _unit_faults(file: str, matrix: Matrix, block: AssayBlock) -> list[Fault]:
    faults = []
    for what, sample, gene in schema.unit_problems(matrix.values, block.unit):
        line = (gene if block.orientation == "genes_by_samples" else sample) + 2
        at = f"{file} line {line}" if Path(file).suffix not in ARRAY_FILES else file
        cure = next(words for start, words in _UNIT_CURES.items() if what.startswith(start))
        faults.append(
            Fault(
                UnitError,
                f"{at}, gene {matrix.genes[gene]!r}, sample {matrix.libraries[sample]!r}: {what}: "
                f"{matrix.values[sample, gene]:.10g}; {cure}",
            )
        )
    return faults
