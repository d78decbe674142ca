"""Scores of single cells: scanpy's numbers, the dense kernels' numbers, and never a dense matrix."""

from __future__ import annotations

import tracemalloc

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

from immunosarc.cohort import make_assay
from immunosarc.errors import CohortError, ImmunosarcError, SchemaError, UnitError
from immunosarc.features import SCORING, _cells, coverage, score
from immunosarc.features._control_genes import control_genes
from immunosarc.features._radix import top_rank_sums_sparse

PER_CELL = [name for name in SCORING if SCORING[name].per_cell]


def cells(matrix, unit="log2_cpm", **about):
    names = [f"G{i}" for i in range(matrix.shape[1])]
    obs = pd.DataFrame({"sample_id": "S1"}, index=[f"C{i}" for i in range(matrix.shape[0])])
    adata = anndata.AnnData(matrix, obs=obs, var=pd.DataFrame(index=names))
    adata.uns["immunosarc"] = {"level": "cell", "unit": unit, **about}
    return adata


def draw(n_cells=300, n_genes=400, *, density=0.15, seed=0, counts=False):
    rng = np.random.default_rng(seed)
    matrix = sparse.random_array((n_cells, n_genes), density=density, format="csr", rng=rng)
    matrix.data = rng.geometric(0.3, matrix.nnz).astype(float)
    if not counts:
        matrix.data = np.log2(matrix.data + rng.random(matrix.nnz))
    return sparse.csr_matrix(matrix)


def draw_sets(n_genes=400, seed=1):
    rng = np.random.default_rng(seed)
    return {
        f"s{k}": [f"G{i}" for i in rng.choice(n_genes, size, replace=False)] for k, size in enumerate((3, 20, 60))
    }


def by_scanpy(adata, sets, **options):
    given = anndata.AnnData(adata.X, obs=pd.DataFrame(index=adata.obs_names), var=adata.var)
    for name, genes in sets.items():
        sc.tl.score_genes(given, genes, score_name=name, **options)
    return given.obs[list(sets)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"seed": 7, "ctrl_size": 5},
        {"n_bins": 4, "ctrl_size": 11},
        {"ctrl_as_ref": False, "ctrl_size": 3, "seed": 2},
    ],
)
@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
def test_scanpy_scores_the_same(kind, options):
    matrix = draw()
    adata = cells({"csr": matrix, "csc": matrix.tocsc(), "dense": matrix.toarray()}[kind])
    sets = draw_sets()
    theirs = {("random_state" if name == "seed" else name): value for name, value in options.items()}
    found = score(adata, sets, method="scanpy_score_genes", options=options)
    np.testing.assert_allclose(found, by_scanpy(adata, sets, **theirs), rtol=0, atol=1e-10)


def test_scanpy_draws_the_same_genes_from_single_precision():
    rng = np.random.default_rng(3)
    values = (rng.random(500) * (rng.random(500) < 0.3)).astype(np.float32)
    columns = [rng.permutation(values) for _ in range(400)]  # their means differ by rounding alone
    adata = cells(sparse.csr_matrix(np.column_stack(columns)))
    sets = draw_sets()
    found = score(adata, sets, method="scanpy_score_genes", options={"ctrl_size": 4})
    # another gene among the controls would move a score by 0.01; scanpy sums in the precision of the data
    np.testing.assert_allclose(found, by_scanpy(adata, sets, ctrl_size=4), rtol=0, atol=2e-6)


def test_scanpy_scores_the_same_on_counts_converted_block_by_block(monkeypatch):
    monkeypatch.setattr(_cells, "_CELLS_AT_ONCE", 37)
    counts = draw(counts=True)
    logged = counts.copy()
    total = np.asarray(counts.sum(axis=1)).ravel()
    logged.data = np.log2(counts.data * np.repeat(1e6 / total, np.diff(counts.indptr)) + 1)
    found = score(cells(counts, "counts"), draw_sets(), method="scanpy_score_genes", options={"ctrl_size": 6})
    assert found.attrs["unit"] == "log2_cpm"
    np.testing.assert_allclose(found, by_scanpy(cells(logged), draw_sets(), ctrl_size=6), rtol=0, atol=1e-10)


def test_controls_by_hand():
    means = np.array([5.0, 1.0, 2.0, 4.0, 3.0, np.nan])  # ranks 5 1 2 4 3, two a bin: {1}, {2, 4}, {3, 0}
    members = np.array([[True, False, False, True, False, False], [False, True, False, False, True, False]]).T
    controls = control_genes(means, members, n_bins=3)
    assert controls.T.tolist() == [[False] * 6, [False, False, True, False, False, False]]
    values = np.array([[5.0, 1.0, 2.0, 4.0, 3.0]])
    scores = SCORING["scanpy_score_genes"].func(values, members[:5], n_bins=3)
    assert np.isnan(scores[0, 0])
    assert scores[0, 1] == (1 + 3) / 2 - 2


@pytest.mark.parametrize("method", PER_CELL)
@pytest.mark.parametrize("negative", [False, True])
def test_cells_are_scored_like_samples(method, negative, monkeypatch):
    monkeypatch.setattr(_cells, "_CELLS_AT_ONCE", 41)
    matrix = draw(90, 2100, density=0.9 if negative else 0.2)
    if negative:
        matrix.data -= 1.5
    matrix.data[:50] = 0.0  # stored zeros are zeros
    matrix.data[matrix.indptr[3] : matrix.indptr[4]] = 0.0
    sets = draw_sets(2100)
    unit = "log2" if negative else "log2_cpm"
    adata, before = cells(matrix.copy(), unit), matrix.copy()
    found = score(adata, sets, method=method)
    assert found.index.name == "cell_id"
    frame = pd.DataFrame(matrix.toarray(), index=adata.obs_names, columns=adata.var_names)
    expected = score(make_assay(frame, unit=unit), sets, method=method)
    assert np.isnan(found.loc["C3"]).all()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert (before != adata.X).nnz == 0
    monkeypatch.setattr(_cells, "_LARGE", 0)  # compiled
    np.testing.assert_allclose(score(adata, sets, method=method), expected, rtol=1e-12, atol=1e-12)
    reasons = coverage(adata, {**sets, "gone": ["X", "Y"]}, method=method)
    assert reasons["status"].tolist() == ["ok"] * 3 + ["covers 0 of 2 genes (0%), needs 80%"]
    assert reasons.loc[0, "note"] == "1 of 90 cells are zero throughout"


def test_the_compiled_rank_sums_of_a_cell_by_hand():
    # values 4 0 2 2 -1 0: ranks 1, 4.5, 2.5, 2.5, 6, 4.5; with at most 4 the rest counts 5
    row = sparse.csr_matrix(np.array([[4.0, 0.0, 2.0, 2.0, -1.0, 0.0]]))
    members = np.array([[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0], [1, 1, 1, 1, 1, 1]], dtype=bool).T
    genes, sets = np.nonzero(members)
    starts = np.searchsorted(genes, np.arange(7))
    arguments = row.data, row.indices, row.indptr, starts, sets, members.sum(axis=0)
    assert top_rank_sums_sparse(*arguments, 6).tolist() == [[3.5, 13.0, 21.0]]
    assert top_rank_sums_sparse(*arguments, 4).tolist() == [[3.5, 12.5, 21.0]]


@pytest.mark.parametrize("method", PER_CELL)
def test_single_precision_is_scored_like_double(method):
    matrix = draw(2100, 2100, density=0.05)  # a block of it is ranked by the compiled sort
    matrix.data = matrix.data.astype(np.float32)
    single, sets = cells(matrix), draw_sets(2100)
    double = cells(matrix.astype(np.float64))
    apart = 0.02 if method == "scanpy_score_genes" else 1e-12  # single precision may put a gene into another bin
    np.testing.assert_allclose(
        score(single, sets, method=method), score(double, sets, method=method), rtol=0, atol=apart
    )
    members = np.column_stack([single.var_names.isin(genes) for genes in sets.values()])
    if method == "ucell":
        dense = SCORING["ucell"].func(matrix.toarray(), members)
        np.testing.assert_array_equal(dense, SCORING["ucell"].func(matrix.toarray().astype(np.float64), members))


@pytest.mark.parametrize("method", PER_CELL)
def test_the_matrix_never_becomes_dense(method):
    n_cells, n_genes = 20_000, 20_000  # 3.2 GB as a dense matrix
    rng = np.random.default_rng(5)
    indptr = np.arange(0, n_cells * 20 + 1, 20)
    columns = np.sort(rng.integers(0, n_genes // 20, (n_cells, 20)) + np.arange(0, n_genes, n_genes // 20))
    matrix = sparse.csr_matrix((rng.random(n_cells * 20) + 1, columns.ravel(), indptr), (n_cells, n_genes))
    adata, sets = cells(matrix), draw_sets(n_genes)
    _cells_large, _cells._LARGE = _cells._LARGE, 0
    try:
        tracemalloc.start()
        score(adata, sets, method=method)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        _cells._LARGE = _cells_large
    assert peak < 60e6


def test_methods_for_samples_refuse_cells_with_a_cure():
    adata = cells(draw())
    for call in (score, coverage):
        for method in ("gsva", "published", "mean_z"):
            with pytest.raises(
                UnitError, match=rf"'{method}' scores samples .* one cell: choose .*ucell.* or sum"
            ):
                call(adata, draw_sets(), method=method)


def test_cells_with_gaps_and_wrong_numbers_are_refused():
    matrix = draw()
    matrix.data[5] = np.nan
    with pytest.raises(UnitError, match="missing value; cells are scored on complete genes"):
        score(cells(matrix), draw_sets(), method="ucell")
    matrix.data[5] = 300.0
    with pytest.raises(UnitError, match="unit log2_cpm declared, but a value above 100"):
        score(cells(matrix), draw_sets(), method="mean_log2")
    with pytest.raises(UnitError, match="unit counts declared, but a decimal found"):
        score(cells(matrix, "counts"), draw_sets(), method="mean_log2")
    with pytest.raises(UnitError, match="holds ready-made values"):
        score(cells(draw(), "score"), draw_sets(), method="mean_log2")
    twice = cells(draw())
    twice.obs_names = ["C0", *twice.obs_names[:-1]]
    with pytest.raises(SchemaError, match="observation names repeated"):
        score(twice, draw_sets(), method="ucell")
    with pytest.raises(ImmunosarcError, match="ctrl_size is a whole number from 1 to 999999; found 0"):
        score(cells(draw()), draw_sets(), method="scanpy_score_genes", options={"ctrl_size": 0})


def test_scores_of_cells_do_not_pass_for_patients():
    import immunosarc as ims

    adata = cells(draw())
    samples = pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]})
    patients = pd.DataFrame({"patient_id": ["P1"]})
    cohort = ims.Cohort(patients, samples, assays={"cells": adata})
    with pytest.raises(CohortError):
        cohort.at("pre").per_patient(score(cohort["cells"], draw_sets(), method="ucell"))
