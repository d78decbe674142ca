"""Scores that read the order of all genes within a sample.

What every kernel takes and returns is said in :mod:`immunosarc.features._scoring`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from immunosarc.errors import ImmunosarcError
from immunosarc.features._averages import less_down
from immunosarc.features._ranking import tied_ranks, top_rank_sums
from immunosarc.features._scoring import Bools, Floats, as_rows, ratio_of, register

__all__ = [
    "MAX_RANK",
    "aucell",
    "estimate",
    "singscore",
    "singscore_signed",
    "ssgsea",
    "ssgsea_normalized",
    "ucell",
    "ucell_of_rank_sums",
]

_POWER = 0.25
MAX_RANK = 1500
_TOP_SHARE = 0.05
_ANY_MONOTONE = "any that keeps the order of genes within a sample"
TIES = ("average", "row_order")


@register(
    "singscore",
    label="Mean within-sample rank",
    bounds=(0.0, 1.0),
    all_genes=True,
    needs_others=True,
    scale=_ANY_MONOTONE,
    reference="10.1186/s12859-018-2435-4",
)
def singscore(expression: Floats, members: Bools) -> Floats:
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
    used, listed, inside = _used(members)
    result = np.empty((len(expression), members.shape[1]))
    for row, found in enumerate(tied_ranks(expression, used)):
        rank_sum = listed @ found.place
        result[row] = ratio_of(ratio_of(rank_sum, inside) - (inside + 1) / 2, found.n - inside)
    return result


@register(
    "singscore_signed",
    label="Mean rank of up genes less that of down genes",
    bounds=(-1.0, 1.0),
    all_genes=True,
    needs_others=True,
    roles=("down",),
    scale=_ANY_MONOTONE,
    reference="10.1186/s12859-018-2435-4",
)
def singscore_signed(expression: Floats, members: Bools, *, down: Bools | None = None) -> Floats:
    r"""Return how much higher a signature's up genes rank than its down genes, in one sample.

    .. math:: s = (s_{up} - \tfrac12) + (s'_{down} - \tfrac12)

    with :func:`singscore` of the up genes and that of the down genes in reversed order, both centered. Without
    down genes it is the centered score of the up genes, between -1/2 and 1/2.

    Examples
    --------
    >>> up, down = np.array([[True], [False], [False]]), np.array([[False], [True], [False]])
    >>> singscore_signed(np.array([[5.0, 1.0, 3.0]]), up, down=down)
    array([[1.]])
    """
    score = singscore(expression, members) - 0.5
    if down is not None and down.any():
        has = down.any(axis=0)
        score[:, has] += 0.5 - singscore(expression, down[:, has])
    return score


@register(
    "ssgsea",
    label="Single-sample gene set enrichment, not normalized",
    all_genes=True,
    needs_others=True,
    roles=("down",),
    scale=_ANY_MONOTONE,
    options={"ties": TIES},
    reference="10.1038/nature08460",
    oracle="R GSVA 1.46 and 1.53 (ties in row order)",
)
def ssgsea(expression: Floats, members: Bools, *, down: Bools | None = None, ties: str = "average") -> Floats:
    r"""Return how far a signature's genes lie toward the top of a sample's genes, weighted by rank.

    The sum, over all genes from the highest, of the running difference between the weighted share of
    signature genes and the share of other genes seen so far [1]_, in closed form

    .. math:: s = \frac{\sum_g w_g q_g}{\sum_g w_g} - \frac{n(n+1)/2 - \sum_g q_g}{n - k},
              \qquad w_g = \lfloor r_g \rfloor^{1/4}

    with the rank r from the lowest, ties sharing their mean, and the position q. By default equal values share
    their mean position (``ties="average"``), so the order of the rows of a file does not matter;
    ``ties="row_order"`` puts the earlier row higher, as R does. Nothing is divided by the range over the cohort:
    the score of a sample stays when others join. With down genes theirs is subtracted.

    References
    ----------
    .. [1] Barbie DA et al., Nature 2009;462:108, doi:10.1038/nature08460; definition of R's GSVA.

    Examples
    --------
    >>> ssgsea(np.array([[4.0, 3.0, 2.0, 1.0]]), np.array([[True], [False], [False], [True]])).round(3)
    array([[0.257]])
    """
    if ties not in TIES:
        raise ImmunosarcError(f"ties is 'average' or 'row_order'; found {ties!r}")

    def up(values: Floats, inside: Bools) -> Floats:
        return _running_sum(values, inside, whole_ranks=True, by_row=ties == "row_order")

    return less_down(up, expression, members, down)


@register(
    "ssgsea_normalized",
    label="Single-sample gene set enrichment over its range in this run",
    single_sample=False,
    all_genes=True,
    needs_others=True,
    roles=("down",),
    scale=_ANY_MONOTONE,
    options={"ties": TIES},
    reference="10.1038/nature08460",
    oracle="R GSVA 1.46 and 1.53 (ties in row order)",
)
def ssgsea_normalized(
    expression: Floats, members: Bools, *, down: Bools | None = None, ties: str = "average"
) -> Floats:
    """Return :func:`ssgsea` divided by its range over all samples and signatures of this run.

    Relative to the cohort and to the other signatures: it changes when either changes. Offered because
    published figures use it.

    Examples
    --------
    >>> values, inside = np.array([[4.0, 3.0, 1.0], [1.0, 2.0, 3.0]]), np.array([[True], [False], [False]])
    >>> scores = ssgsea_normalized(values, inside)
    >>> float(np.ptp(scores).round(12))
    1.0
    """
    raw = ssgsea(expression, members, down=down, ties=ties)
    known = raw[~np.isnan(raw)]
    span = np.ptp(known) if known.size else 0.0
    return ratio_of(raw, np.full_like(raw, span))


@register(
    "estimate",
    label="ESTIMATE enrichment",
    all_genes=True,
    needs_others=True,
    scale=_ANY_MONOTONE,
    reference="10.1038/ncomms3612",
)
def estimate(expression: Floats, members: Bools) -> Floats:
    """Return the enrichment that ESTIMATE computes for its immune and its stromal genes.

    :func:`ssgsea` with the mean rank of ties as weight, not cut to a whole number, and positions shared by
    ties. The published tool first keeps 10,412 genes common to its platforms; here every gene of the assay
    counts, so hold the gene list fixed when numbers are compared. In sarcoma the tumor cells themselves make
    the stromal genes. The published purity, with its warning, is
    :func:`immunosarc.features.estimate_purity`.

    Examples
    --------
    >>> estimate(np.array([[4.0, 3.0, 2.0, 1.0]]), np.array([[True], [False], [False], [True]])).round(3)
    array([[0.257]])
    """
    return _running_sum(expression, members, whole_ranks=False, by_row=False)


@register(
    "ucell",
    label="UCell",
    bounds=(0.0, 1.0),
    all_genes=True,
    most_genes=MAX_RANK,
    per_cell=True,
    scale=_ANY_MONOTONE,
    reference="10.1016/j.csbj.2021.06.043",
)
def ucell(expression: Floats, members: Bools) -> Floats:
    r"""Return how near a signature's genes are to the top of a sample's 1,500 highest genes.

    .. math:: s = 1 - \frac{\sum_g \min(r_g, M + 1) - k(k+1)/2}{k M}

    with ranks r from the highest, 1, ties sharing their mean, and M = 1500 (all genes where the assay has
    fewer). Ranks beyond M count as M + 1. NaN for a signature of more than M genes. pyucell counts ranks
    beyond M as M and divides by k M - k(k+1)/2, so its scores differ.

    Examples
    --------
    >>> ucell(np.array([[5.0, 4.0, 3.0, 1.0]]), np.array([[True], [True], [False], [False]]))
    array([[1.]])
    """
    inside = members.sum(axis=0)
    rank_sums, n = top_rank_sums(expression, members, MAX_RANK)
    return ucell_of_rank_sums(rank_sums, inside, np.minimum(MAX_RANK, n)[:, None])


def ucell_of_rank_sums(rank_sums: Floats, inside: NDArray[np.int64], most: int | NDArray[np.int64]) -> Floats:
    """Return the scores from each signature's sum of ranks, those beyond ``most`` counted as one more."""
    excess = rank_sums - inside * (inside + 1) / 2
    return np.where(inside <= most, 1.0 - ratio_of(excess, inside * most), np.nan)


@register(
    "aucell",
    label="AUCell",
    bounds=(0.0, 1.0),
    all_genes=True,
    scale=_ANY_MONOTONE,
    reference="10.1038/nmeth.4463",
)
def aucell(expression: Floats, members: Bools) -> Floats:
    r"""Return the share of the greatest possible recovery of a signature among a sample's top 5% genes.

    .. math:: s = \frac{\sum_g \max(T - r_g, 0)}{\sum_{i=1}^{\min(k, T-1)} (T - i)}

    with ranks r from the highest, 1, and T = 5% of the genes measured in the sample, rounded up and at least 2.
    The reference implementation breaks ties at random; here equal values get the mean over all orders, so the
    score is a function of one sample and of nothing else.

    Examples
    --------
    >>> values = np.arange(100.0)[None, :]
    >>> top, bottom = np.arange(100) >= 98, np.arange(100) < 2
    >>> aucell(values, np.column_stack([top, bottom]))
    array([[1., 0.]])
    """
    used, listed, inside = _used(members)
    result = np.empty((len(expression), members.shape[1]))
    for row, found in enumerate(tied_ranks(expression, used)):
        limit = max(2, int(np.ceil(_TOP_SHARE * found.n)))
        best, worst = found.n + 1 - found.high, found.n + 1 - found.low  # ranks from the highest
        last = np.minimum(worst, limit)
        gained = np.where(best < limit, (last - best + 1) * (limit - (best + last) / 2), 0.0)
        recovered = listed @ np.where(np.isnan(best), np.nan, gained / (worst - best + 1))
        most = np.minimum(inside, limit - 1)
        result[row] = ratio_of(recovered, most * limit - most * (most + 1) / 2)
    return result


def _running_sum(expression: Floats, members: Bools, *, whole_ranks: bool, by_row: bool) -> Floats:
    """Sum the weighted walk in closed form: ranks are taken once for all signatures."""
    used, listed, inside = _used(members)
    powers = np.arange(expression.shape[1] + 1.0) ** _POWER
    result = np.empty((len(expression), members.shape[1]))
    for row, found in enumerate(tied_ranks(expression, used, by_row=by_row)):
        n, ranks = found.n, (found.low + found.high) / 2 if by_row else found.place
        weights = _whole_powers(powers, ranks) if whole_ranks else ranks**_POWER
        weighted, total, position = (listed @ part for part in (weights * found.place, weights, found.place))
        misses = ratio_of(n * (n + 1) / 2 - position, n - inside)
        result[row] = ratio_of(weighted, total) - misses
    return result


def _whole_powers(powers: Floats, ranks: Floats) -> Floats:
    missing = np.isnan(ranks)
    weights = powers[np.where(missing, 0.0, ranks).astype(np.int64)]
    weights[missing] = np.nan
    return weights


def _used(members: Bools) -> tuple[NDArray[np.int64], sparse.csr_matrix, NDArray[np.int64]]:
    """Return the genes that any signature has, the membership among them, and the sizes."""
    used = np.flatnonzero(members.any(axis=1))
    return used, as_rows(members[used]), members.sum(axis=0)
