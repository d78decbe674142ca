"""Expression profiles of pure cell types: read from files, or summed from single cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pandas as pd
from scipy import sparse

from immunosarc.errors import DataFileError, ImmunosarcError, SchemaError, UnitError, raise_together
from immunosarc.features._scoring import Floats

if TYPE_CHECKING:
    import anndata

__all__ = ["CellProfiles", "as_profiles", "profiles_of", "read_cell_profiles", "signature_matrix"]

_MARKER_RATIO = 2.0
"""How many times the next cell type a marker must reach."""


@dataclass(frozen=True, eq=False)
class CellProfiles:
    """Linear expression of each pure cell type, and how much mRNA a cell of it holds.

    Attributes
    ----------
    profiles : DataFrame of shape (n_genes, n_cell_types)
        Index gene symbol.
    mrna_scaling : Series or None
        Cell type to mRNA content, any unit; None means that fractions are shares of mRNA, not of cells.
    source : str
        Where they come from.
    """

    profiles: pd.DataFrame
    mrna_scaling: pd.Series | None = None
    source: str = ""

    def __post_init__(self) -> None:
        problems = [*_profile_problems(self.profiles), *_scaling_problems(self)]
        raise_together(ImmunosarcError, "the reference of cell types", problems)

    def as_stored(self) -> dict[str, Any]:
        """Return what an assay carries in ``uns["cell_profiles"]``, and an .h5ad file holds."""
        stored: dict[str, Any] = {"profiles": self.profiles.rename_axis("gene"), "source": self.source}
        if self.mrna_scaling is not None:
            stored["mrna_scaling"] = self.mrna_scaling.rename_axis("cell_type").to_frame("content")
        return stored

    def __repr__(self) -> str:
        genes, types = self.profiles.shape
        return f"<CellProfiles: {genes} genes, {types} cell types ({', '.join(map(str, self.profiles.columns))})>"


def as_profiles(reference: CellProfiles | pd.DataFrame) -> CellProfiles:
    """Return profiles from whatever holds them."""
    return reference if isinstance(reference, CellProfiles) else CellProfiles(reference)


def read_cell_profiles(
    profiles: str | PathLike[str] | BinaryIO, *, mrna_scaling: str | PathLike[str] | BinaryIO | None = None
) -> CellProfiles:
    r"""Read what pure cell types express from tab-separated files, such as the TIL10 matrix of quanTIseq.

    Parameters
    ----------
    profiles : path or binary file
        Genes by cell types, linear: first column the symbol, a header with the cell types.
    mrna_scaling : path or binary file, optional
        Without header: cell type and mRNA content.

    Returns
    -------
    CellProfiles

    Raises
    ------
    DataFileError
        When a file is missing or is no such table.
    ImmunosarcError
        With every fault of the numbers at once.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "pure.tsv").write_text("ID\tB\tT\nCD19\t90\t1\nCD3D\t2\t80\n")
    >>> read_cell_profiles(folder / "pure.tsv")
    <CellProfiles: 2 genes, 2 cell types (B, T)>
    """
    table = _read(profiles, header=0)
    if mrna_scaling is None:
        return CellProfiles(table, source=_name(profiles))
    content = _read(mrna_scaling, header=None)
    if content.shape[1] != 1:
        raise DataFileError(
            f"{_name(mrna_scaling)}: each line is a cell type and a number; found {content.shape[1] + 1} columns"
        )
    return CellProfiles(table, content.iloc[:, 0], source=_name(profiles))


def profiles_of(adata: anndata.AnnData) -> CellProfiles | None:
    """Return the profiles that an assay carries; None without any."""
    stored = adata.uns.get("cell_profiles")
    if stored is None:
        return None
    content = stored.get("mrna_scaling")
    return CellProfiles(
        stored["profiles"], None if content is None else content["content"], source=str(stored["source"])
    )


def signature_matrix(
    cells: anndata.AnnData | str | PathLike[str], *, cell_type: str = "cell_type", n_markers: int = 50
) -> CellProfiles:
    """Sum single cells of known type to the profiles that a deconvolution reads.

    A profile is the counts of a type's cells together, per million; kept are the genes that one type has at
    least twice as high as any other, the strongest of each type first. The mean number of counts in a cell is its
    mRNA content, so that fractions count cells. Sparse matrices stay sparse. A sarcoma's own cells belong among
    the types, else what they express is read as something else.

    Parameters
    ----------
    cells : AnnData of shape (n_cells, n_genes), or path of an .h5ad file
        Counts.
    cell_type : str, default "cell_type"
        Column of ``obs`` with the type of each cell; cells without one are left out.
    n_markers : int, default 50
        Most markers for a type.

    Returns
    -------
    CellProfiles
        For ``deconvolve(..., method="nnls", reference=...)``.

    Raises
    ------
    SchemaError
        When the column is missing, holds fewer than two types, or symbols are repeated.
    UnitError
        When the numbers are no counts.
    ImmunosarcError
        When a type has no marker.

    Examples
    --------
    >>> import anndata
    >>> obs = pd.DataFrame({"cell_type": ["B", "B", "T"]}, index=["c1", "c2", "c3"])
    >>> var = pd.DataFrame(index=["CD19", "CD3D", "ACTB"])
    >>> found = signature_matrix(anndata.AnnData(np.array([[6.0, 0, 4], [4, 0, 6], [0, 2, 2]]), obs, var))
    >>> found.profiles.loc["CD19"].tolist(), found.mrna_scaling.tolist()
    ([500000.0, 0.0], [10.0, 4.0])
    """
    adata = _cells(cells)
    types = _types(adata, cell_type)
    kinds = sorted(types.dropna().unique())
    if len(kinds) < 2:
        raise SchemaError(f"obs[{cell_type!r}] holds {len(kinds)} cell type(s); two or more are needed")
    _refuse_what_are_no_counts(adata)
    inside = sparse.csr_matrix([types.eq(kind).to_numpy(dtype=float) for kind in kinds])
    sums = inside @ adata.X
    totals = np.asarray(sums.toarray() if sparse.issparse(sums) else sums, dtype=np.float64)
    sizes = np.asarray(inside.sum(axis=1)).ravel()
    per_million = totals / totals.sum(axis=1, keepdims=True) * 1e6
    genes = _markers(per_million, kinds, n_markers)
    names = pd.Index([str(gene) for gene in adata.var_names[genes]], name="gene")
    return CellProfiles(
        pd.DataFrame(per_million[:, genes].T, index=names, columns=kinds),
        pd.Series(totals.sum(axis=1) / sizes, index=kinds),
        source=f"sums of {int(sizes.sum())} cells",
    )


def _markers(per_million: Floats, kinds: Iterable[str], n_markers: int) -> Any:
    """Return the places of each type's strongest markers, in the order of the genes."""
    ordered = np.sort(per_million, axis=0)
    ratio = (ordered[-1] + 1.0) / (ordered[-2] + 1.0)
    chosen: set[int] = set()
    problems = []
    for row, kind in enumerate(kinds):
        own = np.flatnonzero((per_million.argmax(axis=0) == row) & (ratio >= _MARKER_RATIO))
        if not len(own):
            problems.append(
                f"{kind!r} has no gene at {_MARKER_RATIO:g} times the next type: merge it with another"
            )
        chosen |= set(own[np.argsort(-ratio[own], kind="stable")][:n_markers].tolist())
    raise_together(ImmunosarcError, "the cell types", problems)
    return sorted(chosen)


def _cells(cells: anndata.AnnData | str | PathLike[str]) -> anndata.AnnData:
    if not isinstance(cells, (str, PathLike)):
        return cells
    import anndata

    try:
        return anndata.read_h5ad(cells)
    except FileNotFoundError:
        raise DataFileError(f"{str(cells)!r} does not exist; check the path") from None
    except (OSError, KeyError, ValueError) as error:
        raise DataFileError(f"{str(cells)!r} is no .h5ad file: {error}") from None


def _types(adata: anndata.AnnData, column: str) -> pd.Series:
    if column not in adata.obs:
        raise SchemaError(f"the cells have no obs[{column!r}]; found {', '.join(map(str, adata.obs)) or 'none'}")
    repeated = adata.var_names[adata.var_names.duplicated()].tolist()
    if repeated:
        raise SchemaError(f"gene symbols repeated: {repeated[:5]}; merge them first")
    return adata.obs[column].astype(object)


def _refuse_what_are_no_counts(adata: anndata.AnnData) -> None:
    stored = adata.X.data if sparse.issparse(adata.X) else np.asarray(adata.X)
    if np.any(np.isnan(stored)) or np.any(stored < 0) or np.any(stored != np.floor(stored)):
        raise UnitError("the cells must hold counts (whole numbers, none negative); found something else")


def _name(file: str | PathLike[str] | BinaryIO) -> str:
    return Path(file).name if isinstance(file, str | PathLike) else "the file"


def _read(file: str | PathLike[str] | BinaryIO, *, header: int | None) -> pd.DataFrame:
    try:
        table = pd.read_csv(file, sep="\t", index_col=0, header=header, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise DataFileError(f"{str(file)!r} does not exist; check the path") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, IndexError) as error:
        raise DataFileError(f"{_name(file)} is no tab-separated table: {error}") from None
    text = [str(name) for name in table.columns if table[name].dtype == object]
    if text:
        raise DataFileError(f"{_name(file)}: not numbers in column(s) {', '.join(text[:5])}")
    return table.rename(index=str)


def _profile_problems(profiles: pd.DataFrame) -> list[str]:
    genes, types = profiles.shape
    found = []
    if types < 2 or genes < types:
        found.append(
            "must have at least two cell types and at least as many genes as these; "
            f"found {genes} genes, {types} cell types"
        )
    if repeated := profiles.index[profiles.index.duplicated()].tolist():
        found.append(f"repeated genes: {repeated[:5]}")
    if twice := profiles.columns[profiles.columns.duplicated()].tolist():
        found.append(f"repeated cell types: {twice[:5]}")
    if profiles.isna().any(axis=None) or (profiles < 0).any(axis=None) or np.isinf(profiles).any(axis=None):
        found.append("must hold linear expression, no missing, infinite or negative value")
    return found


def _scaling_problems(given: CellProfiles) -> list[str]:
    if given.mrna_scaling is None:
        return []
    absent = [str(kind) for kind in given.profiles.columns if kind not in given.mrna_scaling.index]
    if absent:
        return [f"no mRNA content for {', '.join(absent[:5])}"]
    if not (given.mrna_scaling > 0).all():
        return ["mRNA content must be above 0"]
    return []
