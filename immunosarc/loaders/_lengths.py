"""Gene lengths beside the numbers of an assay: one for each gene, or one for each sample and gene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.errors import DataFileError
from immunosarc.loaders._fault import Fault, listed
from immunosarc.loaders._genes import one_of_several
from immunosarc.loaders._manifest import AssayBlock, Block
from immunosarc.loaders._source import Source
from immunosarc.loaders._text_matrix import checked_header, read_frame, text_columns, unreadable_cells

__all__ = ["Lengths", "aligned_lengths", "merged_lengths", "pooled_length", "read_lengths", "with_lengths"]


@dataclass(frozen=True)
class Lengths:
    """Lengths of genes in bases, as a file has them.

    Attributes
    ----------
    file : str
    table : DataFrame of shape (n_genes, n_libraries)
        Indexed by the names in the file; one column without the name of a library when a gene has
        one length in all.
    """

    file: str
    table: pd.DataFrame


def read_lengths(block: AssayBlock, source: Source, faults: list[Fault], *, where: str) -> Lengths | None:
    """Return the table that ``gene_lengths`` names; None without one, or when it cannot be read.

    The first column names the genes as the assay's file does; then comes one column of lengths, or
    one for each library (``gene_lengths.tsv`` of nf-core/rnaseq).
    """
    if block.gene_lengths is None:
        return None
    text = source.open(Block(file=block.gene_lengths), where, faults)
    header = checked_header(text, faults) if text else None
    if text is None or header is None:
        return None
    aside = text_columns(header, block)
    read = read_frame(text, header, [], aside)
    if read is None:
        faults += unreadable_cells(text, header, [], words=("gene", "column"), aside=aside)
        return None
    names, numbers, _ = read
    libraries = [name for place, name in enumerate(header) if place not in (0, *aside)]
    table = pd.DataFrame(numbers, index=pd.Index(names, dtype=object), columns=libraries)
    wrong = np.argwhere(~(np.isfinite(numbers) & (numbers > 0)))
    if len(wrong):
        row, column = (int(place) for place in wrong[0])
        what = f"gene {names[row]!r} has no length above 0 in column {libraries[column]!r}; correct it"
        faults.append(Fault(DataFileError, f"{text.file} line {row + 2}: {what}"))
        return None
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()].unique()
        faults.append(
            Fault(DataFileError, f"{text.file}: genes are repeated: {listed(twice)}; keep one row of each")
        )
        return None
    return Lengths(text.file, table)


def aligned_lengths(
    lengths: Lengths, genes: Sequence[str], libraries: Sequence[str], faults: list[Fault]
) -> NDArray[np.float64] | None:
    """Return lengths in the order of a matrix: shape (1, n_genes) or (n_libraries, n_genes)."""
    table = lengths.table
    single = table.shape[1] == 1 and table.columns[0] not in libraries
    absent = [("gene", [name for name in genes if name not in table.index])]
    absent += [] if single else [("library", [name for name in libraries if name not in table.columns])]
    found = [
        Fault(
            DataFileError,
            f"{lengths.file}: {len(names)} of the assay's {'genes' if what == 'gene' else 'libraries'} have no "
            f"lengths ({listed(names)}); add them, or remove gene_lengths",
        )
        for what, names in absent
        if names
    ]
    faults += found
    if found:
        return None
    rows = table.reindex(list(genes)) if not table.index.equals(pd.Index(genes, dtype=object)) else table
    return np.ascontiguousarray((rows if single else rows[list(libraries)]).to_numpy(dtype=np.float64).T)


def pooled_length(
    values: NDArray[np.float64], lengths: NDArray[np.float64], *, unit: str, axis: int
) -> NDArray[np.float64]:
    r"""Return the length of several rows of a gene, or libraries of a sample, that became one.

    The length is the one that keeps the abundance: reads :math:`c` over length :math:`l` add up, so
    :math:`L = \sum c / \sum (c / l)` for counts, and :math:`L = \sum t l / \sum t` for abundances
    :math:`t`; the plain mean where nothing was measured and for logarithms.
    """
    plain = lengths.mean(axis=axis)
    if unit.startswith("log2") or unit in ("score", "fraction"):
        return plain
    reads = values if unit == "counts" else values * lengths
    molecules = values / lengths if unit == "counts" else values
    total = molecules.sum(axis=axis)
    measured = np.isfinite(total) & (total > 0)
    return np.where(measured, reads.sum(axis=axis) / np.where(measured, total, 1.0), plain)


def with_lengths(adata: anndata.AnnData, lengths: NDArray[np.float64] | None) -> None:
    """Put lengths into an assay that was just made: ``var`` when all samples share them, else a layer."""
    if lengths is None:
        return
    if len(lengths) == 1:
        adata.var["gene_length"] = lengths[0]
    else:
        adata.layers["gene_length"] = lengths


def merged_lengths(
    values: NDArray[np.float64], lengths: NDArray[np.float64], plan: pd.DataFrame, *, rule: str | None, unit: str
) -> NDArray[np.float64]:
    """Return the lengths of genes after their rows were merged as ``plan`` and ``rule`` say."""
    codes = pd.factorize(plan["symbol"])[0]
    first = np.unique(codes, return_index=True)[1]
    several = np.flatnonzero(np.bincount(codes) > 1)
    if not len(several):
        return lengths[:, first]
    every = np.broadcast_to(lengths, values.shape)
    result = every[:, first].copy()
    for code in several:
        columns = np.flatnonzero(codes == code)
        kept = one_of_several(values[:, columns], str(rule))[1]
        if kept is None:
            result[:, code] = pooled_length(values[:, columns], every[:, columns], unit=unit, axis=1)
        else:
            result[:, code] = every[:, columns[kept]]
    return result
