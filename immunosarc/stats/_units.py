"""Arithmetic of expression units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, stats

from immunosarc.errors import ImmunosarcError

__all__ = [
    "counts_per_million",
    "exp2_minus_one",
    "log2_plus_one",
    "log_cpm",
    "tmm_factors",
    "transcripts_per_million",
]

FloatArray = NDArray[np.float64]
_TRIM_RATIO, _TRIM_INTENSITY = 0.30, 0.05
_NO_DIFFERENCE = 1e-6
_ALL_ZERO = 1e-20


def counts_per_million(counts: Any, factors: ArrayLike | None = None) -> Any:
    r"""Return each gene's share of a sample's reads, in millionths.

    .. math:: \mathrm{CPM}_{ig} = 10^6 \, c_{ig} / \sum_h c_{ih}

    Parameters
    ----------
    counts : ndarray or sparse matrix of shape (n_samples, n_genes)
        Reads per gene, every gene that was counted.
    factors : array_like of shape (n_samples,), optional
        What each library size is multiplied with; see :func:`tmm_factors`.

    Returns
    -------
    ndarray or sparse matrix
        Same shape and kind, float64. A sample without reads, or with a missing count, has no
        library size: its whole row is NaN.

    Examples
    --------
    >>> counts_per_million(np.array([[1.0, 3.0], [0.0, 0.0]]))
    array([[250000., 750000.],
           [    nan,     nan]])
    """
    total = np.asarray(counts.sum(axis=1), dtype=np.float64).reshape(-1, 1)
    if factors is not None:
        total = total * np.asarray(factors, dtype=np.float64).reshape(-1, 1)
    known = total > 0
    factor = np.divide(1e6, total, out=np.full_like(total, np.nan), where=known)
    if not sparse.issparse(counts):
        return np.asarray(counts, dtype=np.float64) * factor
    if not known.all():
        return counts_per_million(counts.toarray(), factors)
    return sparse.csr_matrix(counts.astype(np.float64).multiply(factor))


def log2_plus_one(values: Any) -> Any:
    """Return log2(x + 1): zero stays zero, and doubling a large value adds one.

    Parameters
    ----------
    values : ndarray or sparse matrix
        Linear units, zero or above; NaN stays NaN.

    Returns
    -------
    ndarray or sparse matrix
        Same shape and kind, float64.

    Examples
    --------
    >>> log2_plus_one(np.array([0.0, 1.0, 3.0]))
    array([0., 1., 2.])
    """
    if not sparse.issparse(values):
        return np.log2(np.asarray(values, dtype=np.float64) + 1.0)
    result = values.astype(np.float64)
    result.data = np.log2(result.data + 1.0)
    return result


def exp2_minus_one(logs: Any) -> Any:
    r"""Return the linear values below a log2 scale: :math:`2^x - 1`.

    Parameters
    ----------
    logs : ndarray or sparse matrix
        log2(value + 1).

    Returns
    -------
    ndarray or sparse matrix
        Same shape and kind, float64. Missing values stay missing.

    Examples
    --------
    >>> exp2_minus_one(np.array([[0.0, 1.0, 3.0]]))
    array([[0., 1., 7.]])
    """
    if sparse.issparse(logs):
        result = logs.astype(np.float64)
        result.data = np.expm1(result.data * np.log(2.0))
        return result
    return np.expm1(np.asarray(logs, dtype=np.float64) * np.log(2.0))


def transcripts_per_million(counts: Any, lengths: ArrayLike) -> FloatArray:
    r"""Return each gene's share of a sample's transcripts, in millionths.

    A long gene gives more reads than a short one with as many transcripts; dividing by the length
    makes genes of one sample comparable.

    .. math:: \mathrm{TPM}_{ig} = 10^6 \, \frac{c_{ig} / l_{ig}}{\sum_h c_{ih} / l_{ih}}

    Source: Wagner 2012, doi 10.1007/s12064-012-0162-3.

    Parameters
    ----------
    counts : ndarray or sparse matrix of shape (n_samples, n_genes)
        Reads per gene, every gene that was counted.
    lengths : array_like of shape (n_genes,) or (n_samples, n_genes)
        Length of each gene, or its effective length in each sample; only ratios matter.

    Returns
    -------
    ndarray of shape (n_samples, n_genes)
        A sample without reads, or with a missing count, is NaN as a whole.

    Raises
    ------
    ImmunosarcError
        When a length is missing, infinite, zero or below, or the shapes differ.

    Examples
    --------
    >>> transcripts_per_million(np.array([[10.0, 30.0]]), [1000, 1000])
    array([[250000., 750000.]])
    >>> transcripts_per_million(np.array([[10.0, 30.0]]), [1000, 3000])
    array([[500000., 500000.]])
    """
    reads = np.asarray(counts.toarray() if sparse.issparse(counts) else counts, dtype=np.float64)
    per_gene = np.asarray(lengths, dtype=np.float64)
    if per_gene.shape not in (reads.shape, reads.shape[1:]):
        raise ImmunosarcError(
            f"lengths of shape {per_gene.shape} do not fit counts of shape {reads.shape}; give one length for "
            "each gene, or one for each sample and gene"
        )
    if not (np.isfinite(per_gene) & (per_gene > 0)).all():
        raise ImmunosarcError("lengths: every gene needs a finite length above 0; leave out genes without one")
    result: FloatArray = counts_per_million(reads / per_gene)
    return result


def tmm_factors(counts: ArrayLike) -> FloatArray:
    r"""Return what each library size is multiplied with, so that most genes do not differ between samples.

    A few very active genes take reads from all others and make them look lower. The trimmed mean of
    M values (TMM) of each sample against the sample whose upper quartile is nearest to the mean one,
    over the genes that both have, without the outer 30% of log ratios and 5% of log intensities,
    weighted by the inverse of their binomial variance; the factors multiply to 1. Source: Robinson
    and Oshlack 2010, doi 10.1186/gb-2010-11-3-r25.

    Parameters
    ----------
    counts : array_like of shape (n_samples, n_genes)
        Reads per gene, none missing.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ImmunosarcError
        When a count is missing, infinite or below zero, or a sample has no reads.

    Examples
    --------
    >>> reads = np.array([[10.0, 20.0, 30.0, 40.0], [20.0, 40.0, 60.0, 80.0]])
    >>> tmm_factors(reads)
    array([1., 1.])
    """
    reads = np.asarray(counts, dtype=np.float64)
    if not np.isfinite(reads).all() or (reads < 0).any():
        raise ImmunosarcError("counts: every count must be finite and not below 0; leave out genes with gaps")
    sizes = reads.sum(axis=1)
    if (sizes == 0).any():
        raise ImmunosarcError(f"counts: sample {int(np.argmin(sizes)) + 1} has no reads; leave it out")
    seen = reads[:, (reads > 0).any(axis=0)]
    upper = np.quantile(seen / sizes[:, None], 0.75, axis=1)
    reference = int(np.argmin(np.abs(upper - upper.mean())))
    if np.median(upper) < _ALL_ZERO:
        reference = int(np.argmax(np.sqrt(seen).sum(axis=1)))
    logs = np.array(
        [_log_tmm(row, seen[reference], size, sizes[reference]) for row, size in zip(seen, sizes, strict=True)]
    )
    factors: FloatArray = np.exp2(logs - logs.mean())
    return factors


def _log_tmm(reads: FloatArray, reference: FloatArray, size: float, reference_size: float) -> float:
    both = (reads > 0) & (reference > 0)
    share, other = reads[both] / size, reference[both] / reference_size
    ratio, intensity = np.log2(share / other), (np.log2(share) + np.log2(other)) / 2.0
    if not both.any() or np.abs(ratio).max() < _NO_DIFFERENCE:
        return 0.0
    variance = (1.0 - share) / reads[both] + (1.0 - other) / reference[both]
    kept = _middle(ratio, _TRIM_RATIO) & _middle(intensity, _TRIM_INTENSITY)
    if not kept.any():
        return 0.0
    return float((ratio[kept] / variance[kept]).sum() / (1.0 / variance[kept]).sum())


def _middle(values: FloatArray, trim: float) -> NDArray[np.bool_]:
    """Return which values are not among the lowest or highest share; ties have their mean rank."""
    low = np.floor(len(values) * trim) + 1
    ranks = stats.rankdata(values)
    inside: NDArray[np.bool_] = (ranks >= low) & (ranks <= len(values) + 1 - low)
    return inside


def log_cpm(counts: ArrayLike, factors: ArrayLike | None = None, *, prior_count: float = 2.0) -> FloatArray:
    r"""Return log2 counts per million with a prior count in proportion to the library size.

    The prior shrinks the ratios of genes with few reads, by the same amount in large and small
    libraries. With N_i the library size times its factor and p_i = prior N_i / mean(N):

    .. math:: \log_2 \frac{10^6 (c_{ig} + p_i)}{N_i + 2 p_i}

    Parameters
    ----------
    counts : array_like of shape (n_samples, n_genes)
        Reads per gene, every gene that was counted.
    factors : array_like of shape (n_samples,), optional
        See :func:`tmm_factors`; 1 when not given.
    prior_count : float
        Reads added at the mean library size.

    Returns
    -------
    ndarray of shape (n_samples, n_genes)
        NaN for a sample with a missing count.

    Raises
    ------
    ImmunosarcError
        When the prior count is not above 0.

    Examples
    --------
    >>> log_cpm(np.array([[6.0, 0.0], [0.0, 6.0]]), prior_count=1.0).round(2)
    array([[19.74, 16.93],
           [16.93, 19.74]])
    """
    if not prior_count > 0:
        raise ImmunosarcError(f"prior_count = {prior_count:g}: a number above 0 is needed")
    reads = np.asarray(counts, dtype=np.float64)
    sizes = reads.sum(axis=1) * (1.0 if factors is None else np.asarray(factors, dtype=np.float64))
    priors = (prior_count * sizes / np.nanmean(sizes))[:, None]
    result: FloatArray = np.log2(1e6 * (reads + priors) / (sizes[:, None] + 2.0 * priors))
    return result
