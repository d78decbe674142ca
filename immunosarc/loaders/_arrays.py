"""Files of numbers: parquet tables and h5ad, which have names and types but no lines."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._expression import Matrix, finished
from immunosarc.loaders._fault import Fault, listed
from immunosarc.loaders._hdf5_guard import hdf5_fault
from immunosarc.loaders._lengths import Lengths
from immunosarc.loaders._unpacking import unpacks_too_much

__all__ = ["read_arrays"]

_AT_ONCE = 4_000_000


class _RefusalError(Exception):
    """A file that cannot be read, with the sentence that says why."""


def read_arrays(
    path: Path,
    block: AssayBlock,
    faults: list[Fault],
    *,
    samples: frozenset[str],
    gene_map: Mapping[str, str] | None,
    lengths: Lengths | None = None,
) -> Matrix | None:
    """Read an assay from a parquet or h5ad file; None when it cannot be, and why is added.

    Parameters
    ----------
    path : Path
        Below the data root.
    block : AssayBlock
    faults : list of Fault
    samples : frozenset of str
        Known library names.
    gene_map : mapping of str to str, optional
        Ensembl id -> symbol.
    lengths : Lengths, optional
        Of genes.
    """
    read = _read_h5ad if path.suffix == ".h5ad" else _read_parquet
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # repeated names are told below, old formats are read all the same
            raw, symbols = read(path, block)
    except _RefusalError as failure:
        faults.append(Fault(ManifestError, f"{block.file}: {failure}"))
        return None
    except Exception as failure:  # h5py and pyarrow have no common class for what damaged files raise
        what = f"cannot be read as {path.suffix[1:]} ({type(failure).__name__}: {str(failure)[:200]})"
        faults.append(Fault(DataFileError, f"{block.file}: {what}; export it again"))
        return None
    found = _name_faults(block, raw.libraries, what="sample", repeat=False)
    found += _name_faults(block, raw.genes, what="gene", repeat=block.duplicates is not None)
    faults += found
    given = symbols if symbols is not None else gene_map
    matrix = finished(raw, block, faults, samples=samples, symbols=given, lengths=lengths)
    return None if found else matrix


def _read_h5ad(path: Path, block: AssayBlock) -> tuple[Matrix, list[str] | None]:
    import h5py

    if what := hdf5_fault(path):
        raise _RefusalError(f"{what}; it is damaged: export it again")
    with h5py.File(path, "r") as file:
        if "encoding-type" not in file.attrs:
            return _from_anndata(anndata.read_h5ad(path), block)
        layers = list(file["layers"]) if "layers" in file else []
        _refuse_layer(block, layers)
        values = file.get("X") if block.layer is None else file[f"layers/{block.layer}"]
        if values is None:
            raise _RefusalError(f"X is empty; name a layer: layer = ... ({listed(layers)})")
        obs, var = anndata.io.read_elem(file["obs"]), anndata.io.read_elem(file["var"])
        numbers = _dense(values) if isinstance(values, h5py.Dataset) else anndata.io.read_elem(values)
    return Matrix(_texts(obs.index), _texts(var.index), _as_float(numbers)), _symbols(block, var)


def _from_anndata(adata: anndata.AnnData, block: AssayBlock) -> tuple[Matrix, list[str] | None]:
    """Read a file that an early version of anndata wrote."""
    _refuse_layer(block, list(adata.layers))
    values = adata.X if block.layer is None else adata.layers[block.layer]
    if values is None:
        raise _RefusalError("X is empty; write the file with a current version of anndata")
    return Matrix(_texts(adata.obs_names), _texts(adata.var_names), _as_float(values)), _symbols(block, adata.var)


def _refuse_layer(block: AssayBlock, layers: list[str]) -> None:
    if block.layer is not None and block.layer not in layers:
        raise _RefusalError(f"there is no layer {block.layer!r}.{did_you_mean(block.layer, layers)}")


def _symbols(block: AssayBlock, var: pd.DataFrame) -> list[str] | None:
    if block.symbol_column is None:
        return None
    if block.symbol_column not in var:
        hint = did_you_mean(block.symbol_column, _texts(var.columns))
        raise _RefusalError(f"var has no column {block.symbol_column!r} (symbol_column).{hint}")
    column = var[block.symbol_column]
    return column.astype(object).where(column.notna(), "").astype(str).tolist()


def _dense(values: Any) -> NDArray[np.float64]:
    """Return a stored matrix, read in parts so that there is never a second one in another type."""
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise _RefusalError(
            f"the matrix has {values.ndim} dimension(s) of {values.dtype}; numbers in two are needed"
        )
    result = np.empty(values.shape, dtype=np.float64)
    height = max(1, _AT_ONCE // max(values.shape[1], 1))
    for start in range(0, len(result), height):
        result[start : start + height] = values[start : start + height]
    return result


def _as_float(values: Any) -> NDArray[np.float64]:
    dense = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray(dense, dtype=np.float64)


def _read_parquet(path: Path, block: AssayBlock) -> tuple[Matrix, list[str] | None]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise _RefusalError("parquet needs pyarrow: pip install 'immunosarc[parquet]'") from None
    with parquet.ParquetFile(path, memory_map=True) as file:
        if (reason := unpacks_too_much(file.metadata, path.stat().st_size)) is not None:
            raise _RefusalError(reason)
        columns = _parquet_columns(file.schema_arrow, block)
        names = _words(file, columns.names)
        symbols = _words(file, block.symbol_column) if block.symbol_column is not None else None
        by_genes = block.orientation == "genes_by_samples"
        values = _parquet_numbers(file, columns.numbers, transposed=by_genes)
    libraries, genes = (columns.numbers, names) if by_genes else (names, columns.numbers)
    return Matrix(libraries, genes, values), symbols


@dataclass(frozen=True)
class _Columns:
    """The column of a parquet file that holds the names, and those that hold numbers."""

    names: str
    numbers: list[str]


def _parquet_columns(schema: Any, block: AssayBlock) -> _Columns:
    import pyarrow

    every = _texts(schema.names)
    stored = (schema.pandas_metadata or {}).get("index_columns", [])
    index = [name for name in stored if isinstance(name, str)]
    if len(index) > 1 or not every:
        raise _RefusalError("one column of names is needed; export the table with one")
    names = index[0] if index and index[0] in every else every[0]
    aside = [("symbol_column", block.symbol_column)] if block.symbol_column is not None else []
    for key, name in [*aside, *(("ignore_columns", name) for name in block.ignore_columns)]:
        if name not in every:
            raise _RefusalError(f"there is no column {name!r} ({key}).{did_you_mean(name, every[:5])}")
    left = {names, block.symbol_column, *block.ignore_columns}
    numbers = [name for name in every if name not in left]
    if len(set(every)) < len(every):
        twice = listed(name for name, times in Counter(every).items() if times > 1)
        raise _RefusalError(f"column names are repeated: {twice}; each may stand there once")
    kinds = pyarrow.types
    words = [
        name
        for name in numbers
        if not (kinds.is_integer(kind := schema.field(name).type) or kinds.is_floating(kind))
    ]
    if words or not numbers:
        what = f"columns {listed(words)} hold no numbers" if words else "there is no column of numbers"
        raise _RefusalError(f"{what}; the first column holds the names, all others numbers")
    return _Columns(names, numbers)


def _words(file: Any, column: str) -> list[str]:
    return ["" if value is None else str(value) for value in file.read([column]).column(0).to_pylist()]


def _parquet_numbers(file: Any, columns: list[str], *, transposed: bool) -> NDArray[np.float64]:
    """Return the columns as rows (transposed) or as columns of a matrix, some hundred at a time."""
    height = file.metadata.num_rows
    result = np.empty((len(columns), height) if transposed else (height, len(columns)), dtype=np.float64)
    width = max(1, _AT_ONCE // max(height, 1))
    for start in range(0, len(columns), width):
        some = columns[start : start + width]
        part = file.read(some)
        read = np.array([part.column(name).to_numpy() for name in some], dtype=np.float64)
        if transposed:
            result[start : start + width] = read
        else:
            result[:, start : start + width] = read.T
    return result


def _texts(names: Any) -> list[str]:
    return [str(name) for name in names]


def _name_faults(block: AssayBlock, names: Sequence[str], *, what: str, repeat: bool) -> list[Fault]:
    every = pd.Series(names, dtype=object)
    faults = []
    if (every.str.strip() == "").any():
        faults.append(Fault(DataFileError, f"{block.file}: a {what} has no name; fill it in"))
    twice = every[every.duplicated()]
    if len(twice) and not repeat:
        cure = "declare duplicates = ... to merge them" if what == "gene" else "each may stand there once"
        what = f"{twice.nunique()} {what} name(s) are repeated: {listed(twice.unique())}"
        faults.append(Fault(DataFileError, f"{block.file}: {what}; {cure}"))
    return faults
