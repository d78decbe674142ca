"""Files of numbers: parquet tables and h5ad, which have names and types but no lines."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._expression import Matrix, finished
from immunosarc.loaders._fault import Fault, listed
from immunosarc.loaders._lengths import Lengths
from immunosarc.loaders._manifest import AssayBlock

__all__ = ["read_arrays"]


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
    import anndata

    adata = anndata.read_h5ad(path)
    if block.layer is not None and block.layer not in adata.layers:
        raise _RefusalError(f"there is no layer {block.layer!r}.{did_you_mean(block.layer, list(adata.layers))}")
    symbols = None
    if block.symbol_column is not None:
        if block.symbol_column not in adata.var:
            hint = did_you_mean(block.symbol_column, list(map(str, adata.var.columns)))
            raise _RefusalError(f"var has no column {block.symbol_column!r} (symbol_column).{hint}")
        column = adata.var[block.symbol_column]
        symbols = column.astype(object).where(column.notna(), "").astype(str).tolist()
    values = adata.X if block.layer is None else adata.layers[block.layer]
    if values is None:
        raise _RefusalError(f"X is empty; name a layer: layer = ... ({listed(adata.layers)})")
    dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    return Matrix(_texts(adata.obs_names), _texts(adata.var_names), dense.astype(np.float64)), symbols


def _read_parquet(path: Path, block: AssayBlock) -> tuple[Matrix, list[str] | None]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise _RefusalError("parquet needs pyarrow: pip install 'immunosarc[parquet]'") from None
    frame = parquet.read_table(path).to_pandas()
    if isinstance(frame.index, pd.RangeIndex) and frame.shape[1]:
        frame = frame.set_index(frame.columns[0])
    symbols = None
    if block.symbol_column is not None:
        if block.symbol_column not in frame:
            hint = did_you_mean(block.symbol_column, _texts(frame.columns[:5]))
            raise _RefusalError(f"there is no column {block.symbol_column!r} (symbol_column).{hint}")
        symbols = frame.pop(block.symbol_column).fillna("").astype(str).tolist()
    absent = [name for name in block.ignore_columns if name not in frame]
    if absent:
        hint = did_you_mean(absent[0], _texts(frame.columns[:5]))
        raise _RefusalError(f"there is no column {absent[0]!r} (ignore_columns).{hint}")
    frame = frame.drop(columns=list(block.ignore_columns))
    words = [name for name, kind in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    if words or not frame.shape[1]:
        what = f"columns {listed(words)} hold no numbers" if words else "there is no column of numbers"
        raise _RefusalError(f"{what}; the first column holds the names, all others numbers")
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    if block.orientation == "genes_by_samples":
        return Matrix(_texts(frame.columns), _texts(frame.index), np.ascontiguousarray(values.T)), symbols
    return Matrix(_texts(frame.index), _texts(frame.columns), values), symbols


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
