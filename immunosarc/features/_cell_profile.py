"""One walk over the cells: quality, scores, types and sums, a block of cells at a time, wherever they lie.

What comes out describes patients' samples. A cell is not a patient: no p-value is taken from cells.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from immunosarc import catalog
from immunosarc.errors import UnitError
from immunosarc.features._cell_matrix import CellMatrix, Rows, open_cells
from immunosarc.features._cell_types import UNASSIGNED, CellReference, MarkerPanel, marker_panel
from immunosarc.features._score import coverage, score
from immunosarc.features._scoring import SCORING
from immunosarc.features._units import check_block
from immunosarc.workers import Workers

__all__ = ["CellProfile", "profile_cells"]

_PER_TEN_THOUSAND = 1e4
_MITOCHONDRIAL = "MT-"


@dataclass(frozen=True)
class _Recipe:
    """What is done to each block; the same for all."""

    genes: pd.Index
    unit: str
    types: Any
    signatures: catalog.Signatures | None
    method: str
    min_coverage: float
    mitochondrial: NDArray[np.bool_]
    min_genes: int
    max_mitochondrial: float


@dataclass(frozen=True)
class _Task:
    rows: Rows
    sample: NDArray[np.int32]
    recipe: _Recipe


@dataclass(frozen=True)
class _Seen:
    """What is known of one block of cells."""

    counts: NDArray[np.float64]
    n_genes: NDArray[np.int32]
    mitochondrial: NDArray[np.float32]
    low: NDArray[np.bool_]
    kind: NDArray[np.int16]
    best: NDArray[np.float32]
    lead: NDArray[np.float32]
    scores: NDArray[np.float32] | None
    groups: NDArray[np.int64]
    sums: sparse.csr_matrix | None


@dataclass(frozen=True, repr=False)
class CellProfile:
    """Cells as they were seen in one walk; the tables of samples are made of it.

    Attributes
    ----------
    cells : DataFrame
        One row for each cell: ``sample_id, counts, n_genes, mitochondrial`` (share of the counts; NaN without such
        genes), ``low_quality``, ``cell_type, type_score, type_lead``.
    scores : DataFrame or None
        Signature scores, cells in rows, single precision.
    types : tuple of str
        The cell types that were asked for; ``unassigned`` is not one of them.
    genes : Index
    sums : csr_matrix or None
        Counts of each sample and type (rows: samples by types and unassigned, samples first); None without counts.
    unit : str
    """

    cells: pd.DataFrame
    scores: pd.DataFrame | None
    types: tuple[str, ...]
    genes: pd.Index
    sums: sparse.csr_matrix | None
    unit: str

    @property
    def samples(self) -> tuple[str, ...]:
        """The samples, in alphabetical order."""
        return tuple(map(str, self.cells["sample_id"].cat.categories))

    def __repr__(self) -> str:
        typed = (self.cells["cell_type"] != UNASSIGNED).mean() if len(self.cells) else 0.0
        return (
            f"<CellProfile: {len(self.cells):,} cells of {len(self.samples)} samples, {len(self.genes):,} genes "
            f"({self.unit}), {typed:.0%} typed>"
        )

    def _repr_html_(self) -> str:
        counts = self.cells.groupby(["sample_id", "cell_type"], observed=False).size().unstack(fill_value=0)
        return f"<strong>{html.escape(repr(self))}</strong>{counts.head(20).to_html(border=0)}"


def profile_cells(
    cells: anndata.AnnData | CellMatrix | str | Path,
    signatures: Any = (),
    *,
    method: str = "ucell",
    types: MarkerPanel | CellReference | None = None,
    unit: str | None = None,
    min_coverage: float = 0.8,
    min_genes: int = 0,
    max_mitochondrial: float = 1.0,
    hands: Workers | None = None,
) -> CellProfile:
    """Walk over cells once: their quality, their scores, what they are, and the sums per sample and cell type.

    The matrix is read ten thousand cells at a time and never becomes dense as a whole; it may be larger than the
    memory. Each cell is judged by itself, so that other cells, samples or workers change nothing.

    Parameters
    ----------
    cells : AnnData, path or CellMatrix
        Cells by genes: an AnnData with ``uns["immunosarc"]`` and ``obs["sample_id"]``, an ``.h5ad`` file or a
        ``.zarr`` folder of one, or what :func:`open_cells` returned. Units ``counts`` or ``log1p_cp10k``; scaled
        values are refused.
    signatures : Signatures, mapping or path, optional
        Scored for each cell; none unless given.
    method : str
        A method of ``SCORING`` that looks at one cell alone (``ucell``, ``mean_log2``).
    types : MarkerPanel or CellReference, optional
        How cells are typed; the shipped panel of markers unless given.
    unit : str, optional
        Where the file does not say it.
    min_coverage : float
        Share of a signature's genes that must be there.
    min_genes : int
        A cell with fewer genes seen is of low quality: counted, and left out of types and sums.
    max_mitochondrial : float
        The same for a higher share of mitochondrial counts.
    hands : Workers, optional
        From :func:`immunosarc.workers.workers`; this process unless given. The numbers are the same.

    Returns
    -------
    CellProfile

    Raises
    ------
    UnitError
        When the numbers contradict the unit, as scaled values do, or the method needs all cells at once.
    SchemaError
        When a cell has no sample, or the file holds something else.
    CoverageError
        When fewer than two cell types have their markers, or no signature is covered.

    Examples
    --------
    >>> import pandas as pd
    >>> genes = ["CD3D", "CD3E", "TRAC", "CD79A", "MS4A1", "CD19"]
    >>> counts = pd.DataFrame([[9, 8, 7, 0, 0, 1]], index=["c1"], columns=genes)
    >>> adata = anndata.AnnData(counts, obs=pd.DataFrame({"sample_id": ["S1"]}, index=["c1"]))
    >>> adata.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    >>> profile_cells(adata).cells["cell_type"].tolist()
    ['T cell']
    """
    matrix = cells if isinstance(cells, CellMatrix) else open_cells(cells, unit=unit)
    record = SCORING[method]
    if not (record.per_cell and record.single_sample):
        able = ", ".join(name for name in SCORING if SCORING[name].per_cell and SCORING[name].single_sample)
        raise UnitError(
            f"{method!r} needs all cells at once; in blocks there are {able}. Or features.score in memory."
        )
    sets = catalog.as_signatures(signatures) if signatures else None
    panel = marker_panel() if types is None else types
    recipe = _Recipe(
        genes=matrix.genes,
        unit=matrix.unit,
        types=panel.fitted(matrix.genes),
        signatures=sets,
        method=method,
        min_coverage=min_coverage,
        mitochondrial=np.array([str(gene).startswith(_MITOCHONDRIAL) for gene in matrix.genes]),
        min_genes=min_genes,
        max_mitochondrial=max_mitochondrial,
    )
    if sets is not None:
        coverage(_as_assay(sparse.csr_matrix((1, len(matrix.genes))), recipe), sets, method=method)
    codes = matrix.sample_id.codes.astype(np.int32)
    tasks = (_Task(rows, codes[rows.start : rows.stop], recipe) for rows in matrix.rows())
    return _gathered(matrix, recipe, (hands or Workers()).map(_seen, tasks), panel.types)


def _gathered(matrix: CellMatrix, recipe: _Recipe, seen: Iterator[_Seen], types: tuple[str, ...]) -> CellProfile:
    """Put the blocks together in their order, and add up the sums as they come."""
    n_groups = len(matrix.sample_id.categories) * (len(types) + 1)
    sums = sparse.csr_matrix((n_groups, len(matrix.genes))) if recipe.unit == "counts" else None
    columns: dict[str, list[Any]] = {
        name: [] for name in _Seen.__dataclass_fields__ if name not in ("groups", "sums")
    }
    for block in seen:
        for name, parts in columns.items():
            parts.append(getattr(block, name))
        if sums is not None and block.sums is not None:
            place = sparse.csr_matrix(
                (np.ones(len(block.groups)), (block.groups, np.arange(len(block.groups)))),
                (n_groups, len(block.groups)),
            )
            sums = sums + place @ block.sums
    joined = {
        name: np.concatenate(parts) if parts else np.empty(0)
        for name, parts in columns.items()
        if name != "scores"
    }
    names = [*types, UNASSIGNED]
    frame = pd.DataFrame(
        {
            "sample_id": matrix.sample_id,
            "counts": joined["counts"],
            "n_genes": joined["n_genes"],
            "mitochondrial": joined["mitochondrial"],
            "low_quality": joined["low"].astype(bool),
            "cell_type": pd.Categorical.from_codes(joined["kind"].astype(int), categories=names),
            "type_score": joined["best"],
            "type_lead": joined["lead"],
        },
        index=pd.Index(matrix.cells, name="cell_id"),
    )
    frame.attrs["level"] = "cell"
    scores = None
    if recipe.signatures is not None:
        scores = pd.DataFrame(
            np.concatenate(columns["scores"]), index=frame.index, columns=list(recipe.signatures)
        )
        scores.attrs["level"] = "cell"
    return CellProfile(frame, scores, types, matrix.genes, sums, recipe.unit)


def _seen(task: _Task) -> _Seen:
    """Look at one block of cells."""
    recipe = task.recipe
    block = task.rows.read()
    check_block(block, recipe.unit)
    linear = block if recipe.unit == "counts" else _linear(block)
    counts = np.asarray(linear.sum(axis=1), dtype=np.float64).ravel()
    n_genes = np.asarray((block > 0).sum(axis=1)).ravel().astype(np.int32)
    share = np.full(len(counts), np.nan)
    if recipe.mitochondrial.any():
        of_them = np.asarray(linear[:, recipe.mitochondrial].sum(axis=1), dtype=np.float64).ravel()
        np.divide(of_them, counts, out=share, where=counts > 0)
    low = (n_genes < recipe.min_genes) | (share > recipe.max_mitochondrial) | (counts <= 0)
    kind, best, lead = recipe.types.assign(_logs(block, counts) if recipe.unit == "counts" else block)
    kind = np.where(low, len(recipe.types.types), kind).astype(np.int16)
    scores = None
    if recipe.signatures is not None:
        table = score(
            _as_assay(block, recipe), recipe.signatures, method=recipe.method, min_coverage=recipe.min_coverage
        )
        scores = table.to_numpy(dtype=np.float32)
    groups, sums = _sums(block, task.sample, kind, low, recipe) if recipe.unit == "counts" else (np.empty(0), None)
    return _Seen(
        counts=counts,
        n_genes=n_genes,
        mitochondrial=share.astype(np.float32),
        low=low,
        kind=kind,
        best=best.astype(np.float32),
        lead=lead.astype(np.float32),
        scores=scores,
        groups=groups.astype(np.int64),
        sums=sums,
    )


def _linear(logs: sparse.csr_matrix) -> sparse.csr_matrix:
    linear = logs.astype(np.float64)
    linear.data = np.expm1(linear.data)
    return linear


def _logs(counts: sparse.csr_matrix, totals: NDArray[np.float64]) -> sparse.csr_matrix:
    """Return ln(CP10K + 1); a cell without counts stays empty."""
    logs = counts.astype(np.float64)
    factors = np.divide(_PER_TEN_THOUSAND, totals, out=np.zeros_like(totals), where=totals > 0)
    logs.data = np.log1p(logs.data * np.repeat(factors, np.diff(logs.indptr)))
    return logs


def _sums(
    block: sparse.csr_matrix,
    sample: NDArray[np.int32],
    kind: NDArray[np.int16],
    low: NDArray[np.bool_],
    recipe: _Recipe,
) -> tuple[NDArray[np.int64], sparse.csr_matrix]:
    """Add up the counts of each sample and type that the block holds."""
    group = sample.astype(np.int64) * (len(recipe.types.types) + 1) + kind
    present, code = np.unique(group[~low], return_inverse=True)
    cells = np.flatnonzero(~low)
    place = sparse.csr_matrix((np.ones(len(cells)), (code, cells)), (len(present), block.shape[0]))
    return present, sparse.csr_matrix(place @ block.astype(np.float64))


def _as_assay(block: sparse.csr_matrix, recipe: _Recipe) -> anndata.AnnData:
    names = pd.Index([f"{i}" for i in range(block.shape[0])], dtype=object)
    obs = pd.DataFrame(
        {"sample_id": pd.Categorical.from_codes(np.zeros(len(names), dtype=int), ["S"])}, index=names
    )
    adata = anndata.AnnData(block, obs=obs, var=pd.DataFrame(index=recipe.genes))
    adata.uns["immunosarc"] = {"level": "cell", "unit": recipe.unit, "source": "", "platform": ""}
    return adata
