"""Gene lengths beside the numbers of an assay: one for each gene, or one for each sample and gene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.errors import DataFileError
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._fault import Fault, listed
from immunosarc.loaders._source import Source
from immunosarc.loaders._text_matrix import checked_header, read_frame, text_columns, unreadable_cells

__all__ = ["Lengths", "aligned_lengths", "read_lengths"]


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
