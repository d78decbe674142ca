"""Published forms that read what a user supplies: the sets of IPRES, the centroids of CINSARC.

What every kernel takes and returns is said in :mod:`immunosarc.features._scoring`; beside that come by keyword
``sets``, one list of arrays of gene positions per signature, and ``centroids``, per signature the gene positions
and an array (n_genes, 2) with the low and the high class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from immunosarc.features._gsva import gsva
from immunosarc.features._scoring import Bools, Floats, register

__all__ = ["ipres_count", "nearest_centroid_spearman"]

_FLAT = 1e-9
"""Spread of a set's scores below which it orders nobody."""


@register(
    "ipres_count",
    label="Mean z of GSVA over the IPRES sets",
    single_sample=False,
    all_genes=True,
    needs_variation=True,
    roles=("sets",),
    requires=("classes",),
    reference="10.1016/j.cell.2016.02.065",
    oracle="R GSVA 1.46, through the kernel; the definition",
    coverage_rule="min_coverage of the genes and of the sets, each with half of its genes",
)
def ipres_count(
    expression: Floats, members: Bools, *, sets: Sequence[Sequence[NDArray[np.int64]]] | None = None
) -> Floats:
    """Return how strongly the sets of innate resistance are raised together, in standard deviations.

    GSVA of every set, its z over the cohort (n - 1), and their mean. The publication calls a tumor resistant
    above 0.35; the sets of mesenchymal transition and of vessels are high in every sarcoma, so that limit means
    little here. Cohort-relative twice over. NaN where a set does not differ between samples.

    Examples
    --------
    >>> values = np.array([[9.0, 8.0, 1.0, 2.0], [1.0, 2.0, 3.0, 5.0], [2.0, 1.0, 5.0, 3.0]])
    >>> every = np.ones((4, 1), dtype=bool)
    >>> ipres_count(values, every, sets=[[np.array([0, 1]), np.array([1, 0])]]).ravel().round(2)
    array([ 1.15, -0.58, -0.58])
    """
    result = np.full((len(expression), members.shape[1]), np.nan)
    for column, listed in enumerate(sets or ()):
        inside = np.zeros((expression.shape[1], len(listed)), dtype=bool)
        for place, genes in enumerate(listed):
            inside[genes, place] = True
        if not len(listed):
            continue
        scores = gsva(expression, inside)
        known = ~np.isnan(scores).any(axis=1)
        part = scores[known]
        if len(part) > 1 and (np.ptp(part, axis=0) > _FLAT).all():
            result[known, column] = ((part - part.mean(axis=0)) / part.std(axis=0, ddof=1)).mean(axis=1)
    return result


@register(
    "nearest_centroid_spearman",
    label="Spearman correlation with the high less that with the low centroid",
    bounds=(-2.0, 2.0),
    single_sample=False,
    roles=("centroids",),
    requires=("centroids",),
    reference="10.1038/nm.2174",
)
def nearest_centroid_spearman(
    expression: Floats, members: Bools, *, centroids: Sequence[tuple[NDArray[np.int64], Floats]] | None = None
) -> Floats:
    """Return how much more a sample resembles the high-risk than the low-risk centroid.

    Every gene is centered by its median over the cohort; then the Spearman correlation with the second centroid
    less that with the first. Above zero is the high-risk class of the publication. No class is given, because the
    centering ties each sample to its cohort.

    Examples
    --------
    >>> values = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 2.0, 2.0]])
    >>> low_high = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    >>> every = np.ones((3, 1), dtype=bool)
    >>> nearest_centroid_spearman(values, every, centroids=[(np.arange(3), low_high)]).ravel()
    array([ 2., -2., nan])
    """
    result = np.full((len(expression), members.shape[1]), np.nan)
    for column, (genes, values) in enumerate(centroids or ()):
        whole = ~np.isnan(expression[:, genes]).any(axis=1)
        part = expression[whole][:, genes]
        if not len(part) or len(genes) < 2:
            continue
        ranks = stats.rankdata(part - np.median(part, axis=0), axis=1)
        low, high = (_correlations(ranks, stats.rankdata(values[:, side])) for side in (0, 1))
        result[whole, column] = high - low
    return result


def _correlations(rows: Floats, against: Floats) -> Floats:
    """Pearson correlation of each row with one vector; NaN for a row without spread."""
    rows, against = rows - rows.mean(axis=1, keepdims=True), against - against.mean()
    scale = np.sqrt((rows**2).sum(axis=1) * (against @ against))
    return np.divide(rows @ against, scale, out=np.full(len(rows), np.nan), where=scale > 0)
