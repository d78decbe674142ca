"""A folder of salmon's quant.sf files: transcripts of each sample, summed to genes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.errors import DataFileError, ManifestError, UnitError, did_you_mean
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._fault import Fault, few, in_lines, listed
from immunosarc.loaders._genes import ENSEMBL
from immunosarc.loaders._source import Source, TextFile
from immunosarc.loaders._table import read_header, read_table
from immunosarc.loaders._text_matrix import checked_header, read_frame, unreadable_cells

__all__ = ["QUANT_FILES", "Quantified", "gene_lengths_of", "read_salmon"]

QUANT_FILES = ("quant.sf", "quant.sf.gz")
"""What salmon calls the file of a sample."""

_COLUMNS = ["Name", "Length", "EffectiveLength", "TPM", "NumReads"]
_MILLION, _TOLERANCE = 1e6, 0.01


@dataclass(frozen=True)
class Quantified:
    """Genes of a folder of quant.sf files.

    Attributes
    ----------
    libraries, genes : list of str
        Names of the folders, and names of the transcript map.
    values, lengths : ndarray of shape (n_libraries, n_genes)
        In the declared unit, and in bases.
    symbols : list of str or None
        From the column ``symbol_column`` of the map.
    """

    libraries: list[str]
    genes: list[str]
    values: NDArray[np.float64]
    lengths: NDArray[np.float64]
    symbols: list[str] | None


def read_salmon(
    block: AssayBlock, source: Source, faults: list[Fault], *, where: str, samples: frozenset[str]
) -> Quantified | None:
    """Read ``FOLDER/SAMPLE/quant.sf`` of every sample; None when one cannot be read, and why is added.

    TPM and reads of a gene are the sums over its transcripts; its length is the mean of their
    effective lengths weighted by TPM, as tximport computes it (doi:10.12688/f1000research.7563).
    """
    before = len(faults)
    map_of = _transcript_map(block, source, faults, where=where)
    texts = source.open_folder(block, QUANT_FILES, where, faults)
    if texts is None:
        return None
    absent = [name for name in texts.without if name in samples]
    if absent:
        what = f"folders of samples hold no quant.sf: {listed(absent)}; get the file, or remove the folder"
        faults.append(Fault(DataFileError, f"{block.file}: {what}"))
    read = {name: table for name, text in texts.files.items() if (table := _quantified(text, faults)) is not None}
    if map_of is None or len(faults) > before:
        return None
    transcripts = next(iter(read.values())).index
    different = [name for name, table in read.items() if not _same(table.index, transcripts)]
    if different:
        first = next(iter(read))
        what = f"the transcripts of {listed(different)} are not those of {first!r}; quantify all with one index"
        faults.append(Fault(DataFileError, f"{block.file}: {what}"))
        return None
    genes = _genes_of(block, transcripts, map_of, faults)
    if genes is None:
        return None
    tables = [table.reindex(transcripts) for table in read.values()]
    tpm, reads, length = (
        np.array([table[name] for table in tables]) for name in ("TPM", "NumReads", "EffectiveLength")
    )
    codes, names = pd.factorize(genes["gene"])
    values = _summed(reads if block.unit == "counts" else tpm, codes)
    symbols = genes.drop_duplicates("gene")["symbol"].tolist() if block.symbol_column else None
    return Quantified(list(read), list(names), values, gene_lengths_of(tpm, length, codes), symbols)


def gene_lengths_of(
    tpm: NDArray[np.float64], length: NDArray[np.float64], codes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the length of each gene in each sample.

    Parameters
    ----------
    tpm, length : ndarray of shape (n_samples, n_transcripts)
        Abundances and effective lengths.
    codes : ndarray of int, shape (n_transcripts,)
        The gene of each transcript.

    Returns
    -------
    ndarray of shape (n_samples, n_genes)
        Mean effective length weighted by TPM. Where a gene is absent from a sample: the geometric
        mean over the other samples; where it is absent from all, the plain mean of its transcripts.
    """
    total = _summed(tpm, codes)
    present = total > 0
    result = _summed(tpm * length, codes) / np.where(present, total, 1.0)
    plain = np.bincount(codes, weights=length.mean(axis=0)) / np.bincount(codes)
    logs = np.where(present, np.log(np.where(present, result, 1.0)), 0.0)
    shared = np.exp(logs.sum(axis=0) / np.maximum(present.sum(axis=0), 1))
    return np.where(present, result, np.where(present.any(axis=0), shared, plain))


def _summed(values: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return sums over the columns of one code; codes are 0, 1, ... without gaps."""
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    return np.add.reduceat(values[:, order], starts, axis=1)


def _quantified(text: TextFile, faults: list[Fault]) -> pd.DataFrame | None:
    header = read_header(text)
    if header != _COLUMNS:
        what = f"the header is not that of salmon's quant.sf ({', '.join(_COLUMNS)}), found {listed(header)}"
        faults.append(Fault(DataFileError, f"{text.file} line 1: {what}"))
        return None
    # its column "Name" is that of a transcript, and not the name of a person
    text = TextFile(text.file, text.text.replace(b"Name", b"transcript", 1), text.delimiter)
    if checked_header(text, faults) is None:
        return None
    read = read_frame(text, header, [], [])
    if read is None:
        faults += unreadable_cells(text, header, [], words=("transcript", "column"))
        return None
    names, numbers, _ = read
    table = pd.DataFrame(numbers, index=[_transcript(name) for name in names], columns=_COLUMNS[1:])
    found = _number_faults(text.file, table)
    if not table.index.is_unique:
        twice = table.index.duplicated(keep=False)
        what = f"transcripts are repeated: {listed(table.index[twice].unique())}; quantify again"
        found.append(Fault(DataFileError, f"{text.file} {in_lines(np.flatnonzero(twice)[:2] + 2)}: {what}"))
    faults += found
    return None if found else table


def _number_faults(file: str, table: pd.DataFrame) -> list[Fault]:
    numbers = table.to_numpy()
    wrong = ~np.isfinite(numbers) | (numbers < 0)
    wrong[:, :2] |= numbers[:, :2] <= 0
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        value = f"{table.columns[column]} is {numbers[row, column]:g}"
        return [
            Fault(
                DataFileError, f"{file} line {row + 2}, transcript {table.index[row]!r}: {value}; quantify again"
            )
        ]
    total = float(table["TPM"].sum())
    if total and abs(total / _MILLION - 1) > _TOLERANCE:
        what = f"TPM add up to {total:.6g} and not to a million: the file was cut or edited; quantify again"
        return [Fault(UnitError, f"{file}: {what}")]
    return []


def _same(one: pd.Index, other: pd.Index) -> bool:
    return one.equals(other) or (len(one) == len(other) and one.isin(other).all())


def _transcript(name: str) -> str:
    """Return a transcript's name without what GENCODE writes behind it, Ensembl ids without version."""
    first = name.split("|", 1)[0]
    stem, dot, version = first.partition(".")
    cut = stem.startswith("ENS") and dot and version.split("_", 1)[0].isdigit()
    return stem + version[len(version.split("_", 1)[0]) :] if cut else first


def _transcript_map(block: AssayBlock, source: Source, faults: list[Fault], *, where: str) -> pd.DataFrame | None:
    """Return gene and symbol of each transcript, indexed by transcript."""
    text = source.open(Block(file=str(block.transcript_map)), where, faults)
    raw = read_table(text, faults) if text else None
    if raw is None:
        return None
    gene = "gene_id" if block.gene_id == "ensembl" else "gene_name"
    columns = {"transcript": "transcript_id", "gene": gene, "symbol": block.symbol_column or gene}
    for name in columns.values():
        if name not in raw.cells.columns:
            hint = did_you_mean(name, map(str, raw.cells.columns))
            what = f"{raw.file} line 1: there is no column {name!r} ({where} transcript_map).{hint}"
            faults.append(Fault(ManifestError, what))
            return None
    table = pd.DataFrame({name: raw.cells[column] for name, column in columns.items()})
    table["transcript"] = table["transcript"].map(_transcript)
    if block.gene_id == "ensembl":
        table["gene"] = table["gene"].map(lambda name: found[1] if (found := ENSEMBL.fullmatch(name)) else name)
    table = table.drop_duplicates()
    faults += _map_faults(raw.file, table)
    return table.drop_duplicates("transcript").set_index("transcript")


def _map_faults(file: str, table: pd.DataFrame) -> list[Fault]:
    blank = table.index[table["gene"].str.strip() == ""]
    found = [Fault(DataFileError, f"{file} {in_lines(blank)}: no gene; fill it in")] if len(blank) else []
    several = table[table["transcript"].duplicated(keep=False)]
    found += few(
        [
            Fault(DataFileError, f"{file} {in_lines(rows.index)}: transcript {name!r} has several genes; keep one")
            for name, rows in several.groupby("transcript", sort=False)
        ],
        "transcripts",
    )
    symbols = table.groupby("gene")["symbol"].nunique()
    twice = symbols.index[symbols > 1]
    if len(twice):
        found.append(
            Fault(DataFileError, f"{file}: genes have several symbols: {listed(twice)}; keep one of each")
        )
    return found


def _genes_of(
    block: AssayBlock, transcripts: Sequence[str], map_of: pd.DataFrame, faults: list[Fault]
) -> pd.DataFrame | None:
    unknown = [name for name in transcripts if name not in map_of.index]
    if unknown:
        what = (
            f"{len(unknown)} of {len(transcripts)} transcripts are not in {block.transcript_map}: "
            f"{listed(unknown)}; use the map that belongs to the index, or add them"
        )
        faults.append(Fault(DataFileError, f"{block.file}: {what}"))
        return None
    return map_of.loc[list(transcripts)]
