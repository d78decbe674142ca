"""Scoring kernels: expression and membership in, one score per sample and signature out.

Every kernel takes ``expression`` of shape (n_samples, n_genes) and a boolean ``members`` of shape
(n_genes, n_signatures), and returns (n_samples, n_signatures). A signature without members has NaN,
and so has a sample that lacks the value of a member.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from immunosarc.registry import Registry

__all__ = ["SCORING", "mean_log2", "mean_z", "singscore"]

SCORING = Registry("scoring method")
"""The scoring methods, planned ones included; ``SCORING.table()`` lists them."""

Floats = NDArray[np.float64]


@SCORING.register(
    "singscore",
    label="Mean within-sample rank",
    bounds=(0.0, 1.0),
    single_sample=True,
    all_genes=True,
    needs_variation=False,
    needs="",
    scale="any that keeps the order of genes within a sample",
    reference="10.1186/s12859-018-2435-4",
)
def singscore(expression: Floats, members: NDArray[np.bool_]) -> Floats:
    r"""Return how high a signature's genes rank among all genes of the same sample.

    .. math:: s = \frac{\bar r - (k + 1)/2}{m - k}

    with the mean rank of the k genes among the m genes that have a value in the sample. It is the
    chance that a gene of the signature is above a gene outside it: 0 means the k genes are the
    lowest, 1 the highest, one half no difference. Ties share their mean rank [1]_. The score
    depends on which genes the assay holds: compare it only within one assay.

    Parameters
    ----------
    expression : ndarray of shape (n_samples, n_genes)
        Any scale that keeps the order of genes within a sample. Missing values are left out of a
        sample's ranking; a sample that lacks a gene of the signature has NaN.
    members : ndarray of bool, shape (n_genes, n_signatures)
        Which genes belong to which signature.

    Returns
    -------
    ndarray of shape (n_samples, n_signatures)
        Between 0 and 1; NaN where no gene is inside or none is outside.

    References
    ----------
    .. [1] Foroutan M et al., BMC Bioinformatics 2018;19:404, doi:10.1186/s12859-018-2435-4

    Examples
    --------
    >>> singscore(np.array([[5.0, 1.0, 3.0, 4.0]]), np.array([[True], [False], [False], [True]]))
    array([[1.]])
    """
    listed = _membership(members)
    inside = members.sum(axis=0)
    outside = np.sum(~np.isnan(expression), axis=1)[:, None] - inside
    rank_sums = np.array([listed @ _ranks(sample) for sample in expression]).reshape(
        len(expression), members.shape[1]
    )
    return _ratio(_ratio(rank_sums, inside) - (inside + 1) / 2, outside)


@SCORING.register(
    "mean_log2",
    label="Mean log2 expression",
    bounds=(-np.inf, np.inf),
    single_sample=True,
    all_genes=False,
    needs_variation=False,
    needs="",
    scale="log2",
    reference="10.1186/s13059-016-1070-5",
)
def mean_log2(expression: Floats, members: NDArray[np.bool_]) -> Floats:
    """Return the average log2 expression of a signature's genes in a sample.

    One unit is a doubling. Comparable between samples of one assay for one signature, not between
    signatures. It is the score of MCP-counter [1]_.

    Parameters
    ----------
    expression : ndarray of shape (n_samples, n_genes)
        On the log2 scale; a sample that lacks a gene of the signature has NaN.
    members : ndarray of bool, shape (n_genes, n_signatures)
        Which genes belong to which signature.

    Returns
    -------
    ndarray of shape (n_samples, n_signatures)
        In the unit of ``expression``.

    References
    ----------
    .. [1] Becht E et al., Genome Biol 2016;17:218, doi:10.1186/s13059-016-1070-5

    Examples
    --------
    >>> mean_log2(np.array([[2.0, 4.0, 9.0]]), np.array([[True], [True], [False]]))
    array([[3.]])
    """
    listed = _membership(members)
    sums = np.array([listed @ sample for sample in expression]).reshape(len(expression), members.shape[1])
    return _ratio(sums, members.sum(axis=0))


@SCORING.register(
    "mean_z",
    label="Mean z-score over the samples given",
    bounds=(-np.inf, np.inf),
    single_sample=False,
    all_genes=False,
    needs_variation=True,
    needs="",
    scale="log2",
    reference="",
)
def mean_z(expression: Floats, members: NDArray[np.bool_]) -> Floats:
    r"""Return how many standard deviations a sample's signature genes lie above the cohort's mean.

    .. math:: s_i = \frac{1}{k} \sum_{g} \frac{x_{ig} - \bar x_g}{\mathrm{sd}_g}

    Cohort-relative: the score of a sample changes when other samples join. Every gene has the same
    weight, however strongly it is expressed.

    Parameters
    ----------
    expression : ndarray of shape (n_samples, n_genes)
        On the log2 scale. Mean and standard deviation (n - 1) of a gene are over the samples that have a
        value; a sample that lacks a gene of the signature has NaN.
    members : ndarray of bool, shape (n_genes, n_signatures)
        Which genes belong to which signature. A gene that is constant has no z: its signatures
        are NaN, so leave it out (:func:`immunosarc.features.score` does).

    Returns
    -------
    ndarray of shape (n_samples, n_signatures)
        Without unit; the mean over complete samples is 0.

    Examples
    --------
    >>> mean_z(np.array([[1.0, 9.0], [2.0, 9.0], [3.0, 9.0]]), np.array([[True], [False]])).ravel()
    array([-1.,  0.,  1.])
    """
    used = np.asarray(members.any(axis=1))
    values = expression if used.all() else expression[:, used]
    mean, deviation = _mean_and_deviation(values)
    per_deviation = _ratio(np.ones_like(deviation), np.where(varies(values), deviation, 0.0))
    listed = _membership(members[used]).multiply(per_deviation).tocsr()
    sums = np.array([listed @ (sample - mean) for sample in values]).reshape(len(values), members.shape[1])
    return _ratio(sums, members.sum(axis=0))


def varies(expression: Floats) -> NDArray[np.bool_]:
    """Return which genes have at least two different values."""
    low = np.fmin.reduce(expression, axis=0, initial=np.inf)
    high = np.fmax.reduce(expression, axis=0, initial=-np.inf)
    return np.asarray(low < high)


def _membership(members: NDArray[np.bool_]) -> sparse.csr_matrix:
    """Return one sparse row per signature.

    A missing value reaches no other signature, and a sample's sum does not depend on its
    neighbors, not even in the last digit.
    """
    return sparse.csr_matrix(members.T, dtype=np.float64)


def _ranks(values: Floats) -> Floats:
    """Rank the genes of one sample from the lowest, 1; ties share their mean, missing stays missing."""
    order = np.argsort(values)  # missing values come last
    ordered = values[order]
    n = len(values) - int(np.isnan(values).sum())
    places = np.arange(1.0, len(values) + 1)
    places[n:] = np.nan
    tied = np.flatnonzero(ordered[1:n] == ordered[: max(n - 1, 0)])
    if len(tied):
        first = np.flatnonzero(np.diff(tied, prepend=-2) > 1)  # where a run of equal values begins
        start, end = tied[first], tied[np.append(first[1:], len(tied)) - 1] + 1
        length = end - start + 1
        inside = np.arange(length.sum()) + np.repeat(start - np.cumsum(length) + length, length)
        places[inside] = np.repeat((start + end) / 2 + 1, length)
    ranks = np.empty(len(values))
    ranks[order] = places
    return ranks


def _mean_and_deviation(values: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation (n - 1) of each gene over the samples that have a value."""
    total = values.sum(axis=0)
    n = np.full(len(total), float(len(values)))
    gaps = np.flatnonzero(np.isnan(total))
    n[gaps] = np.sum(~np.isnan(values[:, gaps]), axis=0)
    total[gaps] = np.nansum(values[:, gaps], axis=0)
    mean = _ratio(total, n)
    squares = np.zeros_like(total)
    for sample in values:
        squares += (sample - mean) ** 2
    squares[gaps] = np.nansum((values[:, gaps] - mean[gaps]) ** 2, axis=0)
    return mean, np.sqrt(_ratio(squares, n - 1))


def _ratio(numerator: Floats, denominator: NDArray[np.number]) -> Floats:
    """Divide, with NaN where there is nothing to divide by."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    nothing = np.full(shape, np.nan)
    return np.divide(numerator, denominator, out=nothing, where=np.broadcast_to(denominator > 0, shape))


for _name, _label, _reference, _needs in (
    ("mean_log10", "Mean log10 expression", "", ""),
    ("median_log2", "Median log2 expression", "", ""),
    ("mean_rank", "Mean of ranks over the cohort", "", ""),
    ("signed_mean", "Mean z of up genes minus mean z of down genes", "", ""),
    ("geometric_mean", "Geometric mean of TPM", "10.1016/j.cell.2014.12.033", "tpm"),
    ("weighted_sum", "Weighted sum, normalized by housekeeping genes", "10.1172/JCI91190", ""),
    ("ratio", "Difference of log expression", "", ""),
    ("pair_count", "Number of gene pairs in the stated order", "10.1038/s41591-018-0157-9", ""),
    ("pc1", "First principal component", "", ""),
    ("ssgsea", "Single-sample gene set enrichment", "10.1038/nature08460", ""),
    ("gsva", "Gene set variation analysis", "10.1186/1471-2105-14-7", ""),
    ("zscore", "Combined z-score", "10.1371/journal.pcbi.1000217", ""),
    ("ucell", "UCell", "10.1016/j.csbj.2021.06.043", ""),
    ("aucell", "AUCell", "10.1038/nmeth.4463", ""),
    ("immunophenoscore", "Immunophenoscore", "10.1016/j.celrep.2016.12.019", ""),
    ("estimate", "ESTIMATE", "10.1038/ncomms3612", ""),
    ("published", "The published form of each signature", "each signature's own", ""),
):
    SCORING.plan(_name, label=_label, reference=_reference, needs=_needs)
