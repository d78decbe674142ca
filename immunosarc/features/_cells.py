"""Scores of single cells: a sparse matrix goes by in blocks of rows and never becomes dense.

A cell is not a patient: what is returned describes cells, and no p-value is taken from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from immunosarc import catalog
from immunosarc.errors import UnitError
from immunosarc.features._alignment import Alignment, check_options
from immunosarc.features._control_genes import control_genes
from immunosarc.features._parts import Genes, kernel_parts
from immunosarc.features._ranked import MAX_RANK, ucell, ucell_of_rank_sums
from immunosarc.features._scoring import SCORING, Bools, Floats, ratio_of, sets_of_genes
from immunosarc.features._units import check_block, on_scored_scale, scored_unit, unit_of

if TYPE_CHECKING:
    import anndata

    from immunosarc.registry import Record

__all__ = ["align_cells", "cell_scores", "refuse_cells"]

_CELLS_AT_ONCE = 2048
_LARGE = 20_000_000
"""Values other than zero from which compiled code is worth loading."""


def refuse_cells(method: str) -> None:
    """Raise with the methods that score cells."""
    able = ", ".join(name for name in SCORING if SCORING[name].per_cell)
    raise UnitError(
        f"{method!r} scores samples and one row of this assay is one cell: choose a method for cells ({able}), "
        "or sum the counts per sample first"
    )


def align_cells(
    adata: anndata.AnnData,
    signatures: catalog.Signatures,
    record: Record,
    *,
    min_coverage: float,
    options: Mapping[str, Any] | None = None,
) -> Alignment:
    """Lay signatures over the genes of cells; their numbers stay where they are."""
    if not record.per_cell:
        refuse_cells(record.name)
    chosen = dict(options or {})
    check_options(record, chosen)
    unit = unit_of(adata, level="cell")
    if not (sparse.issparse(adata.X) or isinstance(adata.X, np.ndarray)):
        raise UnitError(f"cells are scored in memory, the matrix is a {type(adata.X).__name__}: adata.to_memory()")
    wanted = {gene for one in signatures.values() for gene in one.genes}
    used = np.array([str(gene) in wanted for gene in adata.var_names], dtype=bool)
    n_used = int(used.sum())
    return Alignment(
        sets=signatures,
        record=record,
        options=chosen,
        assay=adata,
        unit=scored_unit(unit),
        given_unit=unit,
        used=used,
        values=np.empty((0, n_used)),
        present=np.ones(n_used, dtype=bool),
        constant=np.zeros(n_used, dtype=bool),
        min_coverage=min_coverage,
        empty=np.concatenate([[False] * 0, *(_zero_throughout(block) for block in _rows(adata.X))]).astype(bool),
    )


def cell_scores(aligned: Alignment) -> Floats:
    """Score the covered signatures, a block of cells at a time; a cell without any value has no score."""
    chosen = [one for one, ok in zip(aligned.sets.values(), aligned.covered, strict=True) if ok]
    members, _ = kernel_parts(chosen, Genes(aligned.assay.var_names, aligned.usable), ())
    scores = _SCORERS[aligned.record.name](aligned, members, **aligned.options)
    scores[aligned.empty] = np.nan
    return scores


def _mean_log2(aligned: Alignment, members: Bools) -> Floats:
    return _weighted(aligned, ratio_of(members.astype(np.float64), members.sum(axis=0)))


def _mean_log10(aligned: Alignment, members: Bools) -> Floats:
    return _mean_log2(aligned, members) * np.log10(2.0)


def _score_genes(aligned: Alignment, members: Bools, **options: Any) -> Floats:
    controls = control_genes(_gene_means(aligned), members, **options)
    inside, beside = (ratio_of(genes.astype(np.float64), genes.sum(axis=0)) for genes in (members, controls))
    return _weighted(aligned, inside - beside)


def _ucell(aligned: Alignment, members: Bools) -> Floats:
    if _stored(aligned.assay.X) < _LARGE:
        return _stacked(aligned, members, lambda block: ucell(block.toarray(), members))
    from immunosarc.features._radix import top_rank_sums_sparse

    starts, sets = sets_of_genes(members)
    inside, most = members.sum(axis=0), min(MAX_RANK, len(members))

    def score(block: sparse.csr_matrix) -> Floats:
        values = block.data.astype(np.float64)
        found = top_rank_sums_sparse(values, block.indices, block.indptr, starts, sets, inside, most)
        return ucell_of_rank_sums(found, inside, most)

    return _stacked(aligned, members, score)


_SCORERS: Mapping[str, Callable[..., Floats]] = MappingProxyType(
    {
        "mean_log2": _mean_log2,
        "mean_log10": _mean_log10,
        "scanpy_score_genes": _score_genes,
        "ucell": _ucell,
    }
)


def _weighted(aligned: Alignment, weights: Floats) -> Floats:
    """Return the weighted sum of each cell's genes; a signature whose weights are unknown has none."""
    known = ~np.isnan(weights).any(axis=0)
    scores = _stacked(aligned, weights, lambda block: np.asarray(block @ np.where(known, weights, 0.0)))
    scores[:, ~known] = np.nan
    return scores


def _stacked(aligned: Alignment, columns: Any, score: Callable[[sparse.csr_matrix], Floats]) -> Floats:
    scores = np.empty((aligned.assay.n_obs, columns.shape[1]))
    start = 0
    for block in _blocks(aligned):
        scores[start : start + block.shape[0]] = score(block)
        start += block.shape[0]
    return scores


def _gene_means(aligned: Alignment) -> Floats:
    """Return each gene's mean over the cells, summed in the order and precision in which scanpy sums.

    The bins of the controls hang on the last digit: another order of summing may draw another gene.
    """
    matrix, n = aligned.assay.X, aligned.assay.n_obs
    if aligned.unit == aligned.given_unit:
        if not sparse.issparse(matrix):
            return np.asarray(matrix.mean(axis=0), dtype=np.float64)
        return np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel() / n
    total: Any = None
    for block in _blocks(aligned):
        rows = block if total is None else sparse.vstack([sparse.csr_matrix(total), block], format="csr")
        total = np.asarray(rows.sum(axis=0)).reshape(1, -1)
    return np.asarray(total, dtype=np.float64).ravel() / n


def _blocks(aligned: Alignment) -> Iterator[sparse.csr_matrix]:
    """Yield the cells on the scale that is scored, some rows at a time, checked."""
    for block in _rows(aligned.assay.X):
        check_block(block, aligned.given_unit)
        yield _scored(block, aligned.given_unit)


def _scored(block: sparse.csr_matrix, unit: str) -> sparse.csr_matrix:
    """Convert a block; cells without any value stay zero, they have no share of anything."""
    some = ~_zero_throughout(block)
    if some.all():
        return sparse.csr_matrix(on_scored_scale(block, unit))
    places = np.flatnonzero(some)
    back = sparse.csr_matrix((np.ones(len(places)), (places, np.arange(len(places)))), (len(some), len(places)))
    return sparse.csr_matrix(back @ on_scored_scale(block[places], unit))


def _rows(matrix: Any) -> Iterator[sparse.csr_matrix]:
    """Yield the matrix some rows at a time, each stored value once; rows of a sparse matrix are not copied."""
    by_row = matrix.tocsr() if sparse.issparse(matrix) else matrix
    for start in range(0, matrix.shape[0], _CELLS_AT_ONCE):
        if not sparse.issparse(matrix):
            yield sparse.csr_matrix(by_row[start : start + _CELLS_AT_ONCE])
            continue
        ends = by_row.indptr[start : start + _CELLS_AT_ONCE + 1]
        stored = slice(ends[0], ends[-1])
        shape = len(ends) - 1, matrix.shape[1]
        block = sparse.csr_matrix((by_row.data[stored], by_row.indices[stored], ends - ends[0]), shape)
        if not block.has_canonical_format:
            block = block.copy()
            block.sum_duplicates()
        yield block


def _zero_throughout(block: sparse.csr_matrix) -> Bools:
    if block.data.all():
        return np.asarray(np.diff(block.indptr) == 0)
    stored = np.append(0, np.cumsum(block.data != 0))
    return np.asarray(stored[block.indptr[1:]] == stored[block.indptr[:-1]])


def _stored(matrix: Any) -> int:
    return int(matrix.nnz if sparse.issparse(matrix) else matrix.size)
