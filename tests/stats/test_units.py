"""Expression units against edgeR and against their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import counts_per_million, log_cpm, tmm_factors, transcripts_per_million


@pytest.fixture(scope="module")
def counts(oracles: Path) -> np.ndarray:
    """The counts that edgeR saw: samples by the genes that its filter kept."""
    table = pd.read_csv(oracles / "counts.csv", index_col=0)
    keep = pd.read_csv(oracles / "edger_filterByExpr.csv", index_col=0)["keep"].astype(bool)
    return table[keep.reindex(table.index)].T.to_numpy(dtype=float)


@pytest.fixture(scope="module")
def tmm(oracles: Path) -> pd.DataFrame:
    return pd.read_csv(oracles / "edger_tmm.csv", index_col=0)


def test_tmm_factors_are_edgers(counts: np.ndarray, tmm: pd.DataFrame) -> None:
    before = counts.copy()
    np.testing.assert_array_equal(counts.sum(axis=1), tmm["lib.size"])
    np.testing.assert_allclose(tmm_factors(counts), tmm["tmm"], rtol=1e-12)
    np.testing.assert_array_equal(counts, before)


def test_log_cpm_is_edgers(counts: np.ndarray, tmm: pd.DataFrame, oracles: Path) -> None:
    expected = pd.read_csv(oracles / "edger_logcpm.csv", index_col=0).T.to_numpy()
    np.testing.assert_allclose(log_cpm(counts, tmm["tmm"]), expected, rtol=1e-12)


def test_tmm_ignores_a_few_genes_that_take_the_reads() -> None:
    rng = np.random.default_rng(3)
    base = rng.poisson(rng.uniform(50, 400, size=400)).astype(float)
    greedy = base.copy()
    greedy[:10] += 20_000
    cpm = counts_per_million(np.vstack([base, greedy]), tmm_factors(np.vstack([base, greedy])))
    np.testing.assert_allclose(cpm[1, 10:] / cpm[0, 10:], 1.0, rtol=1e-2)
    plain = counts_per_million(np.vstack([base, greedy]))
    assert (plain[1, 10:] < 0.4 * plain[0, 10:]).all()


def test_factors_multiply_to_one_and_do_not_depend_on_depth(counts: np.ndarray) -> None:
    factors = tmm_factors(counts)
    assert np.prod(factors) == pytest.approx(1.0, rel=1e-12)
    with_zeros = np.hstack([counts, np.zeros((len(counts), 50))])
    np.testing.assert_allclose(tmm_factors(with_zeros), factors, rtol=1e-12)


def test_sparse_counts_with_factors() -> None:
    reads = np.array([[1.0, 3.0, 0.0], [0.0, 2.0, 2.0]])
    dense = counts_per_million(reads, [2.0, 0.5])
    np.testing.assert_allclose(dense, [[125000, 375000, 0], [0, 1e6, 1e6]])
    np.testing.assert_allclose(counts_per_million(sparse.csr_matrix(reads), [2.0, 0.5]).toarray(), dense)


def test_tpm_is_its_definition() -> None:
    reads, lengths = np.array([[10.0, 20.0, 0.0], [5.0, 0.0, 40.0]]), np.array([500.0, 2000.0, 1000.0])
    tpm = transcripts_per_million(reads, lengths)
    for row, got in zip(reads, tpm, strict=True):
        rate = [count / length for count, length in zip(row, lengths, strict=True)]
        assert got.tolist() == pytest.approx([1e6 * one / sum(rate) for one in rate])
    np.testing.assert_allclose(tpm.sum(axis=1), 1e6)
    np.testing.assert_allclose(transcripts_per_million(sparse.csr_matrix(reads), lengths), tpm)
    per_sample = np.vstack([lengths, 2 * lengths])
    np.testing.assert_allclose(transcripts_per_million(reads, per_sample), tpm)


def test_gaps() -> None:
    tpm = transcripts_per_million(np.array([[1.0, np.nan], [0.0, 0.0], [1.0, 1.0]]), [1.0, 1.0])
    assert np.isnan(tpm[:2]).all()
    assert tpm[2].tolist() == [5e5, 5e5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tmm_factors([[1.0, np.nan]]), "every count must be finite"),
        (lambda: tmm_factors([[1.0, -1.0]]), "not below 0"),
        (lambda: tmm_factors([[1.0, 2.0], [0.0, 0.0]]), "sample 2 has no reads"),
        (lambda: transcripts_per_million(np.ones((2, 3)), [1.0, 2.0]), "do not fit counts of shape"),
        (lambda: transcripts_per_million(np.ones((2, 2)), [1.0, 0.0]), "finite length above 0"),
        (lambda: log_cpm([[1.0]], prior_count=0), "above 0 is needed"),
    ],
)
def test_what_is_refused(call, message: str) -> None:
    with pytest.raises(ImmunosarcError, match=message):
        call()
