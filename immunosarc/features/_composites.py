"""Scores made of several pieces: gene pairs, principal component, immunophenoscore.

What every kernel takes and returns is said in :mod:`immunosarc.features._scoring`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from immunosarc.features._scoring import Bools, Floats, register, varies

__all__ = ["immunophenoscore", "pair_count", "pc1"]

Pairs = Sequence[NDArray[np.int64]]
Part = tuple[str, float, NDArray[np.int64]]

_FLAT = 1e-9
"""Loadings whose sum is below this fix no sign."""


@register(
    "pair_count",
    label="Number of gene pairs in the stated order",
    bounds=(0.0, np.inf),
    needs="tpm",
    scale="any that keeps the order of genes within a sample",
    roles=("pairs", "n_pairs"),
    requires=("pairs",),
    reference="10.1038/s41591-018-0157-9",
    coverage_rule="min_coverage of the pairs; the count is then scaled to all pairs",
)
def pair_count(
    expression: Floats,
    members: Bools,
    *,
    pairs: Pairs | None = None,
    n_pairs: Sequence[int] | None = None,
) -> Floats:
    """Return in how many of a signature's gene pairs the first gene is higher than the second.

    The score of Auslander 2018 counts 15 checkpoint pairs. Equal values do not count. It compares different
    genes within a sample, so it needs length-normalized expression. Where the published form has ``n_pairs``
    and the assay fewer, the count is scaled to all of them. A signature without pairs has NaN.

    Examples
    --------
    >>> pairs = [np.array([[0, 1], [2, 1]])]
    >>> pair_count(np.array([[5.0, 3.0, 1.0]]), np.array([[True], [True], [True]]), pairs=pairs)
    array([[1.]])
    """
    result = np.full((len(expression), members.shape[1]), np.nan)
    for column, listed in enumerate(pairs or ()):
        if len(listed):
            first, second = expression[:, listed[:, 0]], expression[:, listed[:, 1]]
            unknown = np.isnan(first).any(axis=1) | np.isnan(second).any(axis=1)
            scale = n_pairs[column] / len(listed) if n_pairs else 1.0
            result[:, column] = np.where(unknown, np.nan, (first > second).sum(axis=1) * scale)
    return result


@register(
    "pc1",
    label="First principal component",
    bounds=(-1.0, 1.0),
    single_sample=False,
    needs_variation=True,
    reference="10.1186/1471-2105-6-225",
    oracle="R GSVA 1.46 and 1.53 plage, up to sign",
)
def pc1(expression: Floats, members: Bools) -> Floats:
    """Return a sample's place on the strongest common pattern of a signature's genes.

    The first right singular vector of the genes' z-scores over the cohort, of length one (PLAGE, Tomfohr
    2005). Its sign is fixed so that the sum of the genes' loadings is positive: higher means more of most
    genes; where the loadings cancel, the largest is positive. Cohort-relative, and smaller the more samples
    there are. A sample that lacks a gene of the signature takes no part.

    Examples
    --------
    >>> pc1(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]), np.array([[True], [True]])).ravel().round(3)
    array([-0.707,  0.   ,  0.707])
    """
    result = np.full((len(expression), members.shape[1]), np.nan)
    for column, inside in enumerate(members.T):
        values = expression[:, inside]
        whole = ~np.isnan(values).any(axis=1)
        values = values[whole]
        if values.shape[1] == 0 or len(values) < 2 or not varies(values).all():
            continue
        z = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
        left, _, loadings = np.linalg.svd(z, full_matrices=False)
        balance = loadings[0].sum()
        leading = balance if abs(balance) > _FLAT else loadings[0][np.argmax(np.abs(loadings[0]))]
        result[whole, column] = left[:, 0] * np.sign(leading)
    return result


@register(
    "immunophenoscore",
    label="Immunophenoscore",
    bounds=(0.0, 10.0),
    all_genes=True,
    needs="tpm",
    roles=("parts",),
    requires=("classes",),
    reference="10.1016/j.celrep.2016.12.019",
)
def immunophenoscore(
    expression: Floats, members: Bools, *, parts: Sequence[Sequence[Part]] | None = None
) -> Floats:
    """Return the immunophenoscore: antigen presentation and effectors less checkpoints and suppressors, 0 to 10.

    A gene's z is taken within the sample over all genes of the assay, so the score depends on which genes the
    assay holds. Every element is the mean z of its genes times its weight; every category (MHC, CP,
    EC, SC) the mean of its elements; their sum times 10/3, rounded half to even, is capped at 0 and 10.
    Genes belong to an element by name. A missing gene is left out of its element's mean, and an element without
    genes out of its category; a category without elements leaves NaN.

    Examples
    --------
    >>> parts = [[("MHC", 1.0, np.array([0])), ("SC", -1.0, np.array([1]))]]
    >>> values = np.array([[3.0, 1.0, 2.0]])
    >>> immunophenoscore(values, np.array([[True], [True], [False]]), parts=parts)
    array([[7.]])
    """
    result = np.full((len(expression), members.shape[1]), np.nan)
    for row, sample in enumerate(expression if parts else ()):
        known = sample[~np.isnan(sample)]
        if len(known) < 2 or known.min() == known.max():
            continue
        z = (sample - known.mean()) / known.std(ddof=1)
        result[row] = [_from_parts(z, elements) for elements in parts or ()]
    return result


def _from_parts(z: Floats, elements: Sequence[Part]) -> float:
    categories: dict[str, list[float]] = {}
    for category, weight, genes in elements:
        found = categories.setdefault(category, [])
        if len(genes):
            found.append(weight * float(z[genes].mean()))
    if not categories or not all(categories.values()):
        return float("nan")
    total = sum(float(np.mean(found)) for found in categories.values())
    return float(np.clip(np.round(total * 10 / 3), 0.0, 10.0))  # NaN stays NaN
