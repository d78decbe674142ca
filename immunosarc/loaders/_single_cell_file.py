"""One file of single cells: barcodes, genes and a sparse matrix with cells in rows, or the reason why not."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import io as matrices
from scipy import sparse

from immunosarc.errors import DataFileError, did_you_mean
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._fault import Fault, listed
from immunosarc.loaders._hdf5_guard import hdf5_fault
from immunosarc.loaders._single_cell_block import CellFile, SingleCellBlock
from immunosarc.loaders._source import Source, clean_text

__all__ = ["Cells", "read_single_cells"]

_EXPRESSION = "Gene Expression"
_PARTS = (("matrix.mtx",), ("barcodes.tsv",), ("features.tsv", "genes.tsv"))
_TOTAL = 10_000.0
_NEAR = 0.01


class _RefusalError(Exception):
    """A file that cannot be read, with the sentence that says why."""


@dataclass(frozen=True)
class Cells:
    """The cells of one file.

    Attributes
    ----------
    barcodes, genes : Index
    sample : ndarray of str
        As the file or the manifest names it, for each cell.
    values : csr_matrix of shape (n_cells, n_genes)
    """

    barcodes: pd.Index
    genes: pd.Index
    sample: np.ndarray
    values: sparse.csr_matrix


def read_single_cells(one: CellFile, block: SingleCellBlock, source: Source, faults: list[Fault]) -> Cells | None:
    """Return the cells of a file; None when it cannot be read as declared, and what is wrong is added.

    Parameters
    ----------
    one : CellFile
    block : SingleCellBlock
    source : Source
    faults : list of Fault
    """
    before = len(faults)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # repeated names are told below
            read = _READERS[block.format](one, block, source, faults)
            cells = None if read is None else _checked(read, one, block)
    except _RefusalError as failure:
        faults.append(Fault(DataFileError, f"{one.file}: {failure}"))
        return None
    except Exception as failure:  # h5py, scipy and anndata have no common class for what damaged files raise
        said = f"cannot be read as {block.format} ({type(failure).__name__}: {str(failure)[:200]})"
        faults.append(Fault(DataFileError, f"{one.file}: {said}; export it again"))
        return None
    return cells if len(faults) == before else None


def _h5ad(one: CellFile, block: SingleCellBlock, source: Source, faults: list[Fault]) -> Cells | None:
    import h5py

    if (path := _located(one, source, faults)) is None:
        return None
    with h5py.File(path, "r") as file:
        key = "X" if block.layer is None else "raw/X" if block.layer == "raw" else f"layers/{block.layer}"
        if key not in file:
            known = [*(["raw"] if "raw" in file else []), *file.get("layers", ())]
            hint = did_you_mean(str(block.layer), known)
            raise _RefusalError(f"there is no {key}; it has the layers {listed(known) or 'none'}.{hint}")
        obs = anndata.io.read_elem(file["obs"])
        var = anndata.io.read_elem(file["raw/var" if key == "raw/X" else "var"])
        values = sparse.csr_matrix(anndata.io.read_elem(file[key]))
    genes = _column(var, block.symbol_column, "var") if block.symbol_column else var.index
    if block.sample_column is None:
        sample = np.full(len(obs), one.sample_id, dtype=object)
    else:
        named = _column(obs, block.sample_column, "obs")
        if named.isna().any():
            raise _RefusalError(f"{int(named.isna().sum())} cells have no {block.sample_column}; fill it in")
        sample = named.astype(str).to_numpy(dtype=object)
    return Cells(_names(obs.index), _names(genes), sample, values)


def _column(frame: pd.DataFrame, name: str, where: str) -> pd.Series:
    if name not in frame:
        raise _RefusalError(f"{where} has no column {name!r}.{did_you_mean(name, frame.columns)}")
    return frame[name]


def _tenx_h5(one: CellFile, block: SingleCellBlock, source: Source, faults: list[Fault]) -> Cells | None:
    import h5py

    if (path := _located(one, source, faults)) is None:
        return None
    with h5py.File(path, "r") as file:
        group = file["matrix"] if "matrix" in file else _only_genome(file)
        missing = [name for name in ("data", "indices", "indptr", "shape", "barcodes") if name not in group]
        if missing:
            raise _RefusalError(f"lacks {listed(missing)}; give the filtered_feature_bc_matrix.h5 of Cell Ranger")
        stored = {name: group[name][()] for name in ("data", "indices", "indptr", "shape", "barcodes")}
        features = group["features"] if "features" in group else {"name": group["gene_names"]}
        names = [text.decode() for text in features["name"][()]]
        kinds = [text.decode() for text in features["feature_type"][()]] if "feature_type" in features else None
    n_genes, n_cells = map(int, stored["shape"])
    if len(names) != n_genes or len(stored["barcodes"]) != n_cells:
        raise _RefusalError("names and shape of the matrix differ; the file is damaged: export it again")
    values = sparse.csr_matrix((stored["data"], stored["indices"], stored["indptr"]), (n_cells, n_genes))
    values.check_format()
    return _of_expression([text.decode() for text in stored["barcodes"]], names, kinds, values, one)


def _only_genome(file: Mapping[str, Any]) -> Any:
    genomes = [name for name in file if "indptr" in file[name]]
    if len(genomes) != 1:
        raise _RefusalError(f"holds no matrix of Cell Ranger (groups: {listed(list(file)) or 'none'})")
    return file[genomes[0]]


def _tenx_mtx(one: CellFile, block: SingleCellBlock, source: Source, faults: list[Fault]) -> Cells | None:
    folder = one.file.rstrip("/")
    where = source.target(folder, lambda what: faults.append(Fault(DataFileError, f"{one.file}: {what}")))
    if where is None:
        return None
    if not where.is_dir():
        raise _RefusalError("is not a folder below the data root; give the folder that holds matrix.mtx")
    found = [_present(where, names) for names in _PARTS]
    if absent := [names[0] for names, name in zip(_PARTS, found, strict=True) if name is None]:
        raise _RefusalError(f"the folder lacks {listed(absent)} (or .gz); a matrix needs all three files")
    texts = [_text(f"{folder}/{name}", source, faults) for name in found]
    source.compare_files(Block(file=one.file, sha256=one.sha256), [f"{folder}/{name}" for name in found], faults)
    if any(text is None for text in texts):
        return None
    matrix, barcodes, genes = (text or b"" for text in texts)
    values = sparse.csr_matrix(matrices.mmread(io.BytesIO(matrix)).T)
    named = [line.split("\t") for line in genes.decode().splitlines()]
    cells = barcodes.decode().split()
    if values.shape != (len(cells), len(named)):
        raise _RefusalError(
            f"matrix.mtx holds {values.shape[1]} genes x {values.shape[0]} cells, its names say {len(named)} x "
            f"{len(cells)}; the files are not of one export"
        )
    kinds = [line[2] for line in named] if all(len(line) > 2 for line in named) else None
    return _of_expression(cells, [line[1] if len(line) > 1 else line[0] for line in named], kinds, values, one)


def _present(folder: Path, names: tuple[str, ...]) -> str | None:
    every = [f"{name}{ending}" for name in names for ending in (".gz", "")]
    return next((name for name in every if (folder / name).is_file()), None)


def _text(file: str, source: Source, faults: list[Fault]) -> bytes | None:
    path = source.locate(Block(file=file), faults)
    if path is None:
        return None
    return clean_text(path.read_bytes(), lambda what: faults.append(Fault(DataFileError, f"{file}: {what}")))


_READERS = {"cells_h5ad": _h5ad, "10x_h5": _tenx_h5, "10x_mtx": _tenx_mtx}


def _located(one: CellFile, source: Source, faults: list[Fault]) -> Path | None:
    path = source.locate(one, faults)
    if path is not None and (what := hdf5_fault(path)):
        raise _RefusalError(f"{what}; it is damaged: export it again")
    return path


def _of_expression(
    barcodes: list[str], names: list[str], kinds: list[str] | None, values: sparse.csr_matrix, one: CellFile
) -> Cells:
    """Leave out antibodies, guides and the like, which are no genes."""
    kept = np.array([kind == _EXPRESSION for kind in kinds]) if kinds else np.ones(len(names), dtype=bool)
    if not kept.any():
        raise _RefusalError(f"holds no features of {_EXPRESSION}, only {listed(list(dict.fromkeys(kinds or [])))}")
    genes = _names(pd.Index(np.array(names, dtype=object)[kept]))
    sample = np.full(len(barcodes), one.sample_id, dtype=object)
    return Cells(_names(pd.Index(barcodes)), genes, sample, values if kept.all() else values[:, kept])


def _names(names: Any) -> pd.Index:
    return pd.Index(names).astype(str).astype(object)


def _checked(cells: Cells, one: CellFile, block: SingleCellBlock) -> Cells:
    """Refuse repeated names, and numbers that contradict the unit; bring genes of one symbol together."""
    if not cells.barcodes.is_unique:
        twice = list(cells.barcodes[cells.barcodes.duplicated()].unique())
        raise _RefusalError(f"{len(twice)} cell names are repeated: {listed(twice)}; each may stand there once")
    values = cells.values
    values.sum_duplicates()
    data = np.asarray(values.data)
    if not np.isfinite(data).all():
        raise _RefusalError("holds values that are missing or infinite; cells need numbers throughout")
    if data.size and data.min() < 0:
        raise _RefusalError(
            f"holds negative values (the least is {data.min():g}): these are scaled or residuals; give the counts"
            + (" (layer = ...)" if block.format == "cells_h5ad" else "")
        )
    if block.unit == "counts" and (data != np.floor(data)).any():
        raise _RefusalError(f"unit counts, but a value is {data[data != np.floor(data)][0]:g}: not a whole number")
    if block.unit == "log1p_cp10k":
        _refuse_other_logs(values)
    return _unique_genes(cells, block)


def _refuse_other_logs(values: sparse.csr_matrix) -> None:
    linear = values.astype(np.float64)
    if linear.nnz and linear.data.max() > np.log1p(_TOTAL) + _NEAR:
        raise _RefusalError(f"unit log1p_cp10k, but a value is {linear.data.max():g}: more than ln(10,001)")
    linear.data = np.expm1(linear.data)
    total = np.asarray(linear.sum(axis=1)).ravel()
    if (total > _TOTAL * (1 + _NEAR)).any():
        raise _RefusalError(f"unit log1p_cp10k, but a cell sums to {total.max():,.0f}, not to at most 10,000")


def _unique_genes(cells: Cells, block: SingleCellBlock) -> Cells:
    if cells.genes.is_unique:
        return cells
    twice = list(cells.genes[cells.genes.duplicated()].unique())
    if block.duplicates is None:
        cure = '; duplicates = "sum" adds their counts up' if block.unit == "counts" else "; make them unique"
        raise _RefusalError(f"{len(twice)} gene symbols are repeated: {listed(twice)}{cure}")
    codes, names = pd.factorize(cells.genes)
    place = sparse.csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes)), (len(codes), len(names)))
    return Cells(
        cells.barcodes, pd.Index(names, dtype=object), cells.sample, sparse.csr_matrix(cells.values @ place)
    )
