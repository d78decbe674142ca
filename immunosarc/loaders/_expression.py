"""Measurements of libraries: numbers and names checked against what the manifest declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.errors import ManifestError, UnitError, did_you_mean
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._fault import Fault, listed
from immunosarc.loaders._genes import ENSEMBL, merged
from immunosarc.loaders._lengths import Lengths, aligned_lengths
from immunosarc.loaders._naming import ensembl_fault, planned_genes
from immunosarc.loaders._pooling import merged_lengths
from immunosarc.loaders._r_names import without_r
from immunosarc.loaders._source import TextFile
from immunosarc.loaders._text_matrix import checked_header, name_faults, read_frame, text_columns, unreadable_cells

__all__ = ["ARRAY_FILES", "Matrix", "finished", "read_matrix"]

ARRAY_FILES = (".h5ad", ".parquet")
"""Files of numbers and not of text; they have no lines."""

_MILLION = 1e6


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
    lengths : ndarray of shape (1, n_genes) or (n_libraries, n_genes), or None
        Of genes, in bases.
    """

    libraries: list[str]
    genes: list[str]
    values: NDArray[np.float64]
    log: pd.DataFrame | None = None
    lengths: NDArray[np.float64] | None = None


def read_matrix(
    text: TextFile,
    block: AssayBlock,
    faults: list[Fault],
    *,
    samples: frozenset[str],
    gene_map: Mapping[str, str] | None = None,
    lengths: Lengths | None = None,
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
    lengths : Lengths, optional
        Of genes.
    """
    header = checked_header(text, faults)
    if header is None or not _has_text_columns(text, header, block, faults):
        return None
    aside = text_columns(header, block)
    by_genes = block.orientation == "genes_by_samples"
    genes_first = ("gene", "sample") if by_genes else ("sample", "gene")
    read = read_frame(text, header, block.missing, aside)
    if read is None:
        faults += unreadable_cells(text, header, block.missing, words=genes_first, aside=aside)
        return None
    names, numbers, texts = read
    others = [name for place, name in enumerate(header) if place not in (0, *aside)]
    repeat = by_genes and block.duplicates is not None
    found = name_faults(text, names, what=genes_first[0], repeat=repeat)
    faults += found
    genes, libraries = (names, others) if by_genes else (others, names)
    raw = Matrix(libraries, genes, np.ascontiguousarray(numbers.T) if by_genes else numbers)
    given = texts[header.index(block.symbol_column)] if block.symbol_column is not None else gene_map
    matrix = finished(raw, block, faults, samples=samples, symbols=given, lengths=lengths)
    return None if found else matrix


def finished(
    raw: Matrix,
    block: AssayBlock,
    faults: list[Fault],
    *,
    samples: frozenset[str],
    symbols: Sequence[str] | Mapping[str, str] | None,
    lengths: Lengths | None = None,
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
    lengths : Lengths, optional
        Of genes; those of ``raw`` come first.
    """
    raw = replace(raw, values=_rounded(raw, block, faults)) if block.round_counts else raw
    found = _gene_faults(block.file, raw.genes, raw.libraries, samples, block)
    found += _unit_faults(block.file, raw, block)
    faults += found
    if found:
        return None
    libraries = _library_names(raw.libraries, block, samples, faults)
    sizes = raw.lengths
    if sizes is None and lengths is not None:
        sizes = aligned_lengths(lengths, raw.genes, raw.libraries, faults)
        if sizes is None:
            return None
    if not _renames(block):
        return Matrix(libraries, raw.genes, raw.values, lengths=sizes)
    plan = planned_genes(raw.genes, block, faults, symbols=symbols)
    if plan is None:
        return None
    values, log = merged(raw.values, plan, rule=block.duplicates)
    if sizes is not None:
        sizes = merged_lengths(raw.values, sizes, plan, rule=block.duplicates, unit=block.unit)
    return Matrix(libraries, log.index.tolist(), values, log, sizes)


def _rounded(raw: Matrix, block: AssayBlock, faults: list[Fault]) -> NDArray[np.float64]:
    """Return whole numbers; TPM that were declared as counts would be rounded away, so they are refused."""
    sums = raw.values.sum(axis=1)
    if len(sums) > 1 and (np.abs(sums / _MILLION - 1) < 1e-4).all():
        what = "every sample adds up to a million, as TPM and CPM do and reads do not; declare the unit they have"
        faults.append(Fault(UnitError, f"{block.file}: unit counts declared, but {what}"))
    return np.rint(raw.values)


def _library_names(names: list[str], block: AssayBlock, samples: frozenset[str], faults: list[Fault]) -> list[str]:
    prefix = block.sample_prefix
    bare = [name.removeprefix(prefix) for name in names] if prefix else names
    return without_r(block.file, bare, samples, faults) if block.r_names else bare


def _renames(block: AssayBlock) -> bool:
    return block.gene_id == "ensembl" or block.repair_symbols or block.duplicates is not None


def _has_text_columns(text: TextFile, header: list[str], block: AssayBlock, faults: list[Fault]) -> bool:
    asked = [("symbol_column", block.symbol_column)] if block.symbol_column is not None else []
    asked += [("ignore_columns", name) for name in block.ignore_columns]
    found = [
        Fault(
            ManifestError,
            f"{text.file} line 1: there is no column {name!r} ({key}).{did_you_mean(name, header[1:])}",
        )
        for key, name in asked
        if name not in header[1:]
    ]
    if not found and len(text_columns(header, block)) == len(header) - 1:
        found.append(Fault(ManifestError, f"{text.file} line 1: ignore_columns leaves no column of numbers"))
    faults += found
    return not found


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
    "unit counts": "declare the unit the numbers have, or round_counts = true for estimated ones (RSEM, salmon)",
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
