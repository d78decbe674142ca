"""Cells by genes wherever they lie: in memory, in an .h5ad file or in a zarr folder, read some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
from scipy import sparse

from immunosarc import schema
from immunosarc.errors import SchemaError, UnitError, did_you_mean

__all__ = ["CELLS_AT_ONCE", "CellMatrix", "Rows", "open_cells"]

CELLS_AT_ONCE = 10_000
"""Cells of one task. It is fixed: sums over cells keep their order, whoever adds them up."""

_UNITS = ("counts", "log1p_cp10k")


@dataclass(frozen=True)
class Rows:
    """Some rows of the matrix: themselves, or where they lie, for whoever reads them.

    Attributes
    ----------
    start, stop : int
    values : csr_matrix or None
        The rows, where the matrix is in memory.
    path : str or None
        The file or folder otherwise.
    key : str
        The matrix within it.
    """

    start: int
    stop: int
    values: sparse.csr_matrix | None = None
    path: str | None = None
    key: str = "X"

    def read(self) -> sparse.csr_matrix:
        """Return the rows, each stored value once.

        Raises
        ------
        SchemaError
            When this process cannot read the file.
        """
        if self.values is not None:
            return self.values
        try:
            with _opened(str(self.path)) as file:
                stored = file[self.key]
                rows = (_sparse(stored) if hasattr(stored, "keys") else stored)[self.start : self.stop]
        except (OSError, KeyError) as failure:
            raise SchemaError(
                f"{self.path} cannot be read where the work is done ({type(failure).__name__}: {failure}); "
                "every worker must see it at the same path"
            ) from failure
        block = sparse.csr_matrix(rows)
        block.sum_duplicates()
        return block


@dataclass(frozen=True)
class CellMatrix:
    """Cells by genes with what is known of them; the numbers stay where they are.

    Attributes
    ----------
    genes : Index
    cells : Index
        Names of the cells.
    sample_id : Categorical
        The sample of each cell.
    unit : {"counts", "log1p_cp10k"}
    """

    genes: pd.Index
    cells: pd.Index
    sample_id: pd.Categorical
    unit: str
    matrix: Any = None
    path: str | None = None
    key: str = "X"

    def __len__(self) -> int:
        return len(self.cells)

    def rows(self) -> Iterator[Rows]:
        """Yield the whole matrix as tasks of ``CELLS_AT_ONCE`` cells."""
        for start in range(0, len(self), CELLS_AT_ONCE):
            stop = min(start + CELLS_AT_ONCE, len(self))
            if self.path is not None:
                yield Rows(start, stop, path=self.path, key=self.key)
                continue
            block = sparse.csr_matrix(self.matrix[start:stop])
            block.sum_duplicates()
            yield Rows(start, stop, block)


def open_cells(
    cells: anndata.AnnData | str | Path,
    *,
    unit: str | None = None,
    sample_column: str = "sample_id",
    key: str = "X",
) -> CellMatrix:
    """Return cells by genes without reading the numbers.

    Parameters
    ----------
    cells : AnnData or path
        In memory, or an ``.h5ad`` file or ``.zarr`` folder; the matrix is CSR or dense.
    unit : {"counts", "log1p_cp10k"}, optional
        What ``uns["immunosarc"]`` says unless given.
    sample_column : str
        The column of ``obs`` that names the sample of each cell.
    key : str
        The matrix: ``X``, ``layers/counts``, ``raw/X``.

    Returns
    -------
    CellMatrix

    Raises
    ------
    SchemaError
        When a cell has no sample, names are repeated, or the file holds something else.
    UnitError
        When the unit is missing or is not one of cells.

    Examples
    --------
    >>> import numpy as np
    >>> cells = anndata.AnnData(np.ones((2, 1)), obs=pd.DataFrame({"sample_id": ["S1", "S2"]}, index=["c1", "c2"]))
    >>> len(open_cells(cells, unit="counts"))
    2
    """
    if isinstance(cells, anndata.AnnData):
        about, obs, genes, matrix = _in_memory(cells, key)
        place = None
    else:
        about, obs, genes = _on_disk(str(cells), key)
        matrix, place = None, str(cells)
    _check(obs, genes, sample_column)
    return CellMatrix(
        genes=pd.Index(genes.astype(str), dtype=object),
        cells=pd.Index(obs.index.astype(str), dtype=object),
        sample_id=pd.Categorical(obs[sample_column].astype(str)),
        unit=_unit(unit, about),
        matrix=matrix,
        path=place,
        key=key,
    )


def _in_memory(adata: anndata.AnnData, key: str) -> tuple[Mapping[str, Any], pd.DataFrame, pd.Index, Any]:
    about = adata.uns.get("immunosarc", {})
    if key == "raw/X":
        return about, adata.obs, adata.raw.var_names, adata.raw.X
    matrix = adata.X if key == "X" else adata.layers[key.removeprefix("layers/")]
    if adata.isbacked:
        raise SchemaError(
            "the AnnData is backed by a file: give the path of the file, its rows are read as needed"
        )
    return about, adata.obs, adata.var_names, matrix.tocsr() if sparse.issparse(matrix) else matrix


def _on_disk(path: str, key: str) -> tuple[Mapping[str, Any], pd.DataFrame, pd.Index]:
    if not Path(path).exists():
        raise SchemaError(f"{path} does not exist; give an .h5ad file or a .zarr folder of cells")
    try:
        with _opened(path) as file:
            if key not in file:
                raise SchemaError(f"{path} has no {key!r}.{did_you_mean(key, ['X', *_layers(file)])}")
            stored = file[key]
            if hasattr(stored, "keys") and stored.attrs.get("encoding-type") != "csr_matrix":
                what = stored.attrs.get("encoding-type", "something else")
                raise SchemaError(f"{path}: {key} is stored as {what}; write it with cells in rows (csr_matrix)")
            read = anndata.io.read_elem
            about = dict(read(file["uns/immunosarc"])) if "uns/immunosarc" in file else {}
            var = "raw/var" if key.startswith("raw/") else "var"
            return about, read(file["obs"]), read(file[var]).index
    except (OSError, KeyError, ValueError, RuntimeError) as failure:
        if isinstance(failure, SchemaError):
            raise
        raise SchemaError(f"{path} cannot be read as cells ({type(failure).__name__}: {failure})") from failure


def _opened(path: str) -> Any:
    if path.rstrip("/").endswith(".zarr"):
        import contextlib

        import zarr

        return contextlib.nullcontext(zarr.open_group(path, mode="r"))
    import h5py

    return h5py.File(path, "r")


def _sparse(group: Any) -> Any:
    return anndata.io.sparse_dataset(group)


def _layers(file: Any) -> list[str]:
    return [f"layers/{name}" for name in file.get("layers", ())]


def _check(obs: pd.DataFrame, genes: pd.Index, sample_column: str) -> None:
    if sample_column not in obs:
        raise SchemaError(
            f"cells need the column {sample_column!r}: whose each cell is."
            f"{did_you_mean(sample_column, obs.columns)}"
        )
    if obs[sample_column].isna().any():
        raise SchemaError(f"{int(obs[sample_column].isna().sum())} cells have no {sample_column}; fill it in")
    for what, names in (("cell", obs.index), ("gene", genes)):
        if not names.is_unique:
            twice = list(map(str, names[names.duplicated()].unique()[:3]))
            raise SchemaError(f"{what} names are repeated: {twice}; each may stand there once")


def _unit(unit: str | None, about: Mapping[str, Any]) -> str:
    found = unit if unit is not None else about.get("unit")
    if found not in _UNITS:
        known = ", ".join(f"{name} ({schema.UNITS[name]})" for name in _UNITS)
        raise UnitError(f"the unit of cells is {found!r}; one of {known} is needed: unit = ...")
    return str(found)
