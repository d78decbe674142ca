"""Averages of a signature's genes: means, medians, z-scores, signed and weighted sums.

What every kernel takes and returns is said in :mod:`immunosarc.features._scoring`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunosarc.features._scoring import Bools, Floats, as_rows, ratio_of, register, sums, varies

__all__ = [
    "geometric_mean",
    "less_down",
    "mean_log2",
    "mean_log10",
    "mean_rank",
    "mean_z",
    "median_log2",
    "ratio",
    "signed_mean",
    "weighted_sum",
    "zscore",
]

Kernel = Callable[[Floats, Bools], Floats]

_OFFSET = 0.01
"""TPM added before the geometric mean, as Rooney 2015 do: one absent gene does not make it zero."""


@register(
    "mean_log2",
    label="Mean log2 expression",
    per_cell=True,
    reference="10.1186/s13059-016-1070-5",
    oracle="R MCPcounter 1.2.0",
)
def mean_log2(expression: Floats, members: Bools) -> Floats:
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
    return ratio_of(sums(expression, as_rows(members)), members.sum(axis=0))


@register(
    "mean_log10",
    label="Mean log10 expression",
    scale="log2(x+1)",
    per_cell=True,
    reference="10.1172/JCI91190",
)
def mean_log10(expression: Floats, members: Bools) -> Floats:
    """Return the average log10(x+1) of a signature's genes: one unit is a tenfold expression.

    It is :func:`mean_log2` times log10(2), so it orders samples alike. The publication took
    quantile-normalized values; none are normalized here, because that would tie a sample to its cohort.

    Examples
    --------
    >>> mean_log10(np.log2([[9.0 + 1, 99.0 + 1]]), np.array([[True], [True]])).round(12)
    array([[1.5]])
    """
    return mean_log2(expression, members) * np.log10(2.0)


@register("median_log2", label="Median log2 expression", reference="10.1038/sj.bjc.6605450")
def median_log2(expression: Floats, members: Bools) -> Floats:
    """Return the median log2 expression of a signature's genes, which a few outlying genes do not move.

    Examples
    --------
    >>> median_log2(np.array([[2.0, 4.0, 90.0]]), np.array([[True], [True], [True]]))
    array([[4.]])
    """
    result = np.full((len(expression), members.shape[1]), np.nan)
    for column, inside in enumerate(members.T):
        if inside.any():
            result[:, column] = np.median(expression[:, inside], axis=1)
    return result


@register(
    "geometric_mean",
    label="Geometric mean of linear expression",
    bounds=(0.0, np.inf),
    needs="tpm",
    scale="log2(x+1)",
    reference="10.1016/j.cell.2014.12.033",
)
def geometric_mean(expression: Floats, members: Bools) -> Floats:
    r"""Return the geometric mean of a signature's genes in TPM, each plus 0.01.

    .. math:: s = \Bigl(\prod_g (\mathrm{TPM}_g + 0.01)\Bigr)^{1/k}

    Cytolytic activity is this for GZMA and PRF1. ``expression`` is log2(x+1) and taken back to x.

    Examples
    --------
    >>> geometric_mean(np.log2([[3.99 + 1, 15.99 + 1]]), np.array([[True], [True]])).round(12)
    array([[8.]])
    """
    linear = np.exp2(expression) - 1.0 + _OFFSET
    logs = np.log(linear, out=np.full_like(linear, np.nan), where=linear > 0)
    return np.exp(mean_log2(logs, members))


@register(
    "mean_z",
    label="Mean z-score over the samples given",
    single_sample=False,
    needs_variation=True,
    oracle="R GSVA 1.46 zscore over the root of k",
)
def mean_z(expression: Floats, members: Bools) -> Floats:
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
    used = np.flatnonzero(members.any(axis=1))
    mean, deviation = _mean_and_deviation(expression, used)
    listed = as_rows(members[used]).multiply(ratio_of(np.ones_like(deviation), deviation)).tocsr()
    totals = [listed @ (sample - mean) for sample in _rows(expression, used)]
    return ratio_of(np.array(totals).reshape(len(expression), members.shape[1]), members.sum(axis=0))


@register(
    "zscore",
    label="Combined z-score",
    single_sample=False,
    needs_variation=True,
    reference="10.1371/journal.pcbi.1000217",
    oracle="R GSVA 1.46 and 1.53",
)
def zscore(expression: Floats, members: Bools) -> Floats:
    r"""Return the sum of a signature's z-scores over the root of their number (Lee 2008).

    .. math:: s_i = \frac{1}{\sqrt k} \sum_g z_{ig}

    It has variance one when the genes are independent. Cohort-relative, like :func:`mean_z`.

    Examples
    --------
    >>> zscore(np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]), np.array([[True], [True]])).ravel().round(3)
    array([-1.414,  0.   ,  1.414])
    """
    return mean_z(expression, members) * np.sqrt(members.sum(axis=0))


@register(
    "signed_mean",
    label="Mean z of up genes minus mean z of down genes",
    single_sample=False,
    needs_variation=True,
    roles=("down",),
)
def signed_mean(expression: Floats, members: Bools, *, down: Bools | None = None) -> Floats:
    """Return how far the up genes lie above the cohort, less how far the down genes do.

    Cohort-relative. Without down genes it is :func:`mean_z`.

    Examples
    --------
    >>> up, down = np.array([[True], [False]]), np.array([[False], [True]])
    >>> signed_mean(np.array([[1.0, 9.0], [2.0, 8.0], [3.0, 7.0]]), up, down=down).ravel()
    array([-2.,  0.,  2.])
    """
    return less_down(mean_z, expression, members, down)


@register("ratio", label="Difference of mean log2 expression", roles=("down",), requires=("down",))
def ratio(expression: Floats, members: Bools, *, down: Bools | None = None) -> Floats:
    """Return the mean log2 expression of the up genes less that of the down genes.

    A log ratio: 1 means that the up genes are twice as high. NaN without down genes.

    Examples
    --------
    >>> ratio(np.array([[5.0, 3.0]]), np.array([[True], [False]]), down=np.array([[False], [True]]))
    array([[2.]])
    """
    against = np.zeros_like(members) if down is None else down
    return mean_log2(expression, members) - mean_log2(expression, against)


@register(
    "weighted_sum",
    label="Weighted sum, normalized by housekeeping genes",
    roles=("weights", "housekeeping"),
    requires=("weights",),
    reference="10.1172/JCI91190",
    coverage_rule="min_coverage of the weighted and of the housekeeping genes",
)
def weighted_sum(
    expression: Floats,
    members: Bools,
    *,
    weights: Floats | None = None,
    housekeeping: Bools | None = None,
) -> Floats:
    r"""Return the weighted log2 expression of a signature's genes above the housekeeping genes.

    .. math:: s = \sum_g w_g \bigl(x_g - \bar x_{\mathrm{housekeeping}}\bigr)

    Weights keep their sign: CD276 counts against the T cell-inflamed profile. Without housekeeping
    genes nothing is subtracted; without weights every gene weighs one.

    Examples
    --------
    >>> inside, house = np.array([[True], [True], [False]]), np.array([[False], [False], [True]])
    >>> weights = np.array([[0.5], [-1.0], [0.0]])
    >>> weighted_sum(np.array([[6.0, 3.0, 2.0]]), inside, weights=weights, housekeeping=house)
    array([[1.]])
    """
    heavy = np.where(members, 1.0 if weights is None else weights, 0.0)
    total = sums(expression, as_rows(heavy))
    total[:, ~members.any(axis=0)] = np.nan
    if housekeeping is None:
        return total
    level = np.where(housekeeping.any(axis=0), mean_log2(expression, housekeeping), 0.0)
    return total - heavy.sum(axis=0) * level


@register(
    "mean_rank",
    label="Mean of ranks over the cohort",
    bounds=(0.0, 1.0),
    single_sample=False,
    needs_variation=True,
    reference="10.1126/science.aaf8399",
)
def mean_rank(expression: Floats, members: Bools) -> Floats:
    r"""Return where a sample stands among the samples given, averaged over a signature's genes.

    .. math:: s_i = \frac{1}{k} \sum_g \frac{r_{ig} - 1}{n_g - 1}

    with the rank of the sample among the n that have a value of the gene, ties sharing their mean:
    0 is the lowest of the cohort for every gene, 1 the highest. Cohort-relative.

    Examples
    --------
    >>> mean_rank(np.array([[1.0, 9.0], [2.0, 7.0], [5.0, 8.0]]), np.array([[True], [True]])).ravel()
    array([0.5 , 0.25, 0.75])
    """
    used = np.asarray(members.any(axis=1))
    values = expression[:, used]
    ranks = stats.rankdata(values, axis=0, nan_policy="omit") if values.size else values
    others = np.where(varies(values), np.sum(~np.isnan(values), axis=0) - 1.0, 0.0)
    return mean_log2(ratio_of(ranks - 1.0, others), members[used])


def less_down(kernel: Kernel, expression: Floats, members: Bools, down: Bools | None) -> Floats:
    """Score the up genes less the down genes, where a signature has any; both in one pass over the genes."""
    if down is None or not down.any():
        return kernel(expression, members)
    has = down.any(axis=0)
    scores = kernel(expression, np.hstack([members, down[:, has]]))
    score, against = np.split(scores, [members.shape[1]], axis=1)
    score[:, has] -= against
    return score


def _rows(expression: Floats, genes: NDArray[np.int64]) -> Iterator[Floats]:
    """Yield each sample's values of some genes: their matrix is never copied."""
    for sample in expression:
        yield sample[genes] if len(genes) < len(sample) else sample


def _mean_and_deviation(expression: Floats, genes: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Mean and standard deviation (n - 1) of genes over the samples that have a value; zero where none varies."""
    n, total, squares = np.zeros((3, len(genes)))
    low, high = np.full(len(genes), np.inf), np.full(len(genes), -np.inf)
    for sample in _rows(expression, genes):
        known = ~np.isnan(sample)
        n += known
        np.add(total, sample, out=total, where=known)
        np.fmin(low, sample, out=low)
        np.fmax(high, sample, out=high)
    mean = ratio_of(total, n)
    for sample in _rows(expression, genes):
        apart = sample - mean
        np.add(squares, apart * apart, out=squares, where=~np.isnan(sample))
    return mean, np.where(low < high, np.sqrt(ratio_of(squares, n - 1)), 0.0)
