"""How varied a sample of receptors is: from the count of each clone to a few numbers, at one depth for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import IntArray, refuse
from immunosarc.stats._ways import log_ways

__all__ = ["Diversity", "diversity", "rarefied_diversity", "rarefied_richness", "rarefied_shannon", "subsample"]

# the marginal method of numpy's multivariate hypergeometric draw is exact below this many receptors
_MOST = 10**9
_FEWEST = 2


@dataclass(frozen=True)
class Diversity:
    """What the clones of one sample add up to.

    Attributes
    ----------
    richness : float
        Clones.
    shannon : float
        Shannon entropy; nats.
    clonality : float
        1 minus the entropy as a share of what as many equal clones would have: 0 = all equal, 1 = one clone.
    gini : float
        Gini coefficient of the clone sizes: 0 = all equal (or one clone), near 1 = few hold nearly all.
    top_clone_share : float
        Share of the largest clone.
    d50 : float
        Largest clones that together hold at least half of the receptors.
    """

    richness: float
    shannon: float
    clonality: float
    gini: float
    top_clone_share: float
    d50: float


def diversity(counts: ArrayLike) -> Diversity:
    r"""Say how varied the receptors of one sample are: many small clones, or few large ones.

    With clones of :math:`n_1 \ge \dots \ge n_S` receptors, :math:`p_i = n_i / N`:

    .. math:: H = -\sum p_i \ln p_i, \quad C = 1 - \frac{H}{\ln S}, \quad
              G = \frac{\sum_i (S + 1 - 2 i)\, n_i}{S N}, \quad
              D_{50} = \min \{k : \textstyle\sum_{i \le k} n_i \ge N / 2\}

    C of a single clone is 1. All but C depend on how many receptors were seen: compare samples by
    :func:`rarefied_diversity`. Source: Shannon 1948, doi 10.1002/j.1538-7305.1948.tb01338.x; Pielou 1966,
    doi 10.1016/0022-5193(66)90013-0.

    Parameters
    ----------
    counts : array_like of int, shape (n_clones,)
        Receptors of each clone; clones with none do not count.

    Returns
    -------
    Diversity
        NaN throughout when there is no receptor.

    Raises
    ------
    ImmunosarcError
        When a count is negative, missing or not whole.

    Examples
    --------
    >>> found = diversity([5, 3, 1, 1])
    >>> found.d50, round(found.clonality, 3)
    (1.0, 0.157)
    """
    return _of_sizes(*_sizes(_checked(counts, "diversity")))


def rarefied_diversity(counts: ArrayLike, depth: int, *, seed: int, draws: int = 20) -> Diversity:
    """Say how varied the receptors of one sample would look had exactly ``depth`` of them been sequenced.

    Richness and entropy are exact expectations (:func:`rarefied_richness`, :func:`rarefied_shannon`); the other
    numbers are means over random draws without replacement.

    Parameters
    ----------
    counts : array_like of int, shape (n_clones,)
        Receptors of each clone.
    depth : int
        Receptors of each draw, at least 2.
    seed : int
        For the draws.
    draws : int
        How many.

    Returns
    -------
    Diversity
        NaN throughout when the sample has fewer receptors than ``depth``.

    Raises
    ------
    ImmunosarcError
        When a count is negative, missing or not whole, ``depth`` is below 2 or ``draws`` below 1.

    Examples
    --------
    >>> round(rarefied_diversity([50, 30, 10, 10], 20, seed=1).richness, 3)
    3.809
    """
    values = _checked(counts, "rarefied_diversity", depth=depth, draws=draws)
    if values.sum() < depth:
        return Diversity(*[np.nan] * 6)
    rng = np.random.default_rng(seed)
    drawn = [_of_sizes(*_sizes(_draw(values, depth, rng))) for _ in range(draws)]
    return Diversity(
        richness=rarefied_richness(values, depth),
        shannon=rarefied_shannon(values, depth),
        **{
            name: float(np.mean([getattr(one, name) for one in drawn]))
            for name in ("clonality", "gini", "top_clone_share", "d50")
        },
    )


def rarefied_richness(counts: ArrayLike, depth: int) -> float:
    r"""Give the number of clones to expect among ``depth`` receptors drawn from a sample.

    .. math:: E[S_d] = \sum_i 1 - \binom{N - n_i}{d} / \binom{N}{d}

    Source: Hurlbert 1971, doi 10.2307/1934145.

    Parameters
    ----------
    counts : array_like of int, shape (n_clones,)
        Receptors of each clone.
    depth : int
        Receptors drawn without replacement, at least 2.

    Returns
    -------
    float
        NaN when the sample has fewer receptors than ``depth``.

    Raises
    ------
    ImmunosarcError
        When a count is negative, missing or not whole, or ``depth`` is below 2.

    Examples
    --------
    >>> round(rarefied_richness([2, 1, 1], 2), 4)
    1.8333
    """
    sizes, clones = _sizes(_checked(counts, "rarefied_richness", depth=depth))
    total = int(sizes @ clones)
    if total < depth:
        return float("nan")
    steps = np.arange(min(int(sizes[-1]), total - depth))
    # ln of the chance that none of n receptors is drawn; a sum keeps the digits that factorials lose
    none = np.concatenate([[0.0], np.cumsum(np.log1p(-depth / (total - steps)))])
    absent = np.where(total - sizes >= depth, np.exp(none[np.minimum(sizes, len(none) - 1)]), 0.0)
    return float(clones @ (1.0 - absent))


def rarefied_shannon(counts: ArrayLike, depth: int) -> float:
    r"""Give the Shannon entropy to expect among ``depth`` receptors drawn from a sample, in nats.

    .. math:: E[H_d] = -\sum_i \sum_{k=1}^{d} \frac{\binom{n_i}{k} \binom{N - n_i}{d - k}}{\binom{N}{d}}
              \frac{k}{d} \ln \frac{k}{d}

    Source: Chao et al. 2014, doi 10.1890/13-0133.1.

    Parameters
    ----------
    counts : array_like of int, shape (n_clones,)
        Receptors of each clone.
    depth : int
        Receptors drawn without replacement, at least 2.

    Returns
    -------
    float
        NaN when the sample has fewer receptors than ``depth``.

    Raises
    ------
    ImmunosarcError
        When a count is negative, missing or not whole, or ``depth`` is below 2.

    Examples
    --------
    >>> round(rarefied_shannon([2, 1, 1], 2), 4)
    0.5776
    """
    sizes, clones = _sizes(_checked(counts, "rarefied_shannon", depth=depth))
    total = int(sizes @ clones)
    if total < depth:
        return float("nan")
    entropy = 0.0
    for size, many in zip(sizes.tolist(), clones.tolist(), strict=True):
        drawn = np.arange(max(0, depth - (total - size)), min(size, depth) + 1)
        chance = special.softmax(log_ways(size, drawn) + log_ways(total - size, depth - drawn))
        entropy += many * float(chance @ special.entr(drawn / depth))
    return entropy


def subsample(counts: ArrayLike, depth: int, *, seed: int) -> IntArray:
    """Draw ``depth`` receptors of a sample without replacement, as if it had been sequenced less deeply.

    Parameters
    ----------
    counts : array_like of int, shape (n_clones,)
        Receptors of each clone.
    depth : int
        How many to draw, at least 2 and at most as many as there are.
    seed : int
        The same seed draws the same receptors.

    Returns
    -------
    ndarray of int, shape (n_clones,)
        Receptors drawn of each clone; they add up to ``depth``.

    Raises
    ------
    ImmunosarcError
        When a count is negative, missing or not whole, or there are fewer receptors than ``depth``.

    Examples
    --------
    >>> int(subsample([5, 3, 2], 4, seed=0).sum())
    4
    """
    values = _checked(counts, "subsample", depth=depth)
    if values.sum() < depth:
        refuse("subsample", [f"depth: {depth:,} receptors wanted, the sample has {values.sum():,}"])
    return _draw(values, depth, np.random.default_rng(seed))


def _draw(values: IntArray, depth: int, rng: np.random.Generator) -> IntArray:
    return rng.multivariate_hypergeometric(values, depth, method="marginals").astype(np.int64)


def _checked(counts: ArrayLike, function: str, *, depth: int = _FEWEST, draws: int = 1) -> IntArray:
    values = np.asarray(counts, dtype=np.float64)
    problems = []
    if values.ndim != 1:
        problems.append(f"counts: need one number for each clone, have {values.ndim} dimension(s)")
    if not np.isfinite(values).all() or (values < 0).any() or (values % 1 != 0).any():
        problems.append("counts: need whole numbers of at least 0, none missing")
    elif values.sum() >= _MOST:
        problems.append(
            f"counts: {values.sum():,.0f} receptors are more than can be drawn from exactly ({_MOST:,})"
        )
    if depth < _FEWEST:
        problems.append(f"depth: need at least {_FEWEST}, have {depth}")
    if draws < 1:
        problems.append(f"draws: need at least 1, have {draws}")
    refuse(function, problems)
    return values.astype(np.int64)


def _sizes(values: IntArray) -> tuple[IntArray, IntArray]:
    """Return the clone sizes that occur, smallest first, and how many clones have each."""
    sizes, clones = np.unique(values[values > 0], return_counts=True)
    return sizes, clones.astype(np.int64)


def _of_sizes(sizes: IntArray, clones: IntArray) -> Diversity:
    if not len(sizes):
        return Diversity(*[np.nan] * 6)
    richness, total = int(clones.sum()), int(sizes @ clones)
    share = sizes / total
    entropy = max(0.0, -float(clones @ (share * np.log(share))))
    # clones of one size take the places up to ``last``, smallest first; their places add up in closed form
    last = np.cumsum(clones)
    places = clones * (2 * last - clones + 1)
    gini = float(sizes @ (places - clones * (richness + 1))) / (richness * total)
    largest, many = sizes[::-1], clones[::-1]
    held = np.cumsum(largest * many)
    at = int(np.searchsorted(2 * held, total))
    before = int(held[at - 1]) if at else 0
    inside = -(-(total - 2 * before) // (2 * int(largest[at])))
    return Diversity(
        richness=float(richness),
        shannon=entropy,
        clonality=float(1.0 - entropy / np.log(richness)) if richness > 1 else 1.0,
        gini=gini,
        top_clone_share=float(share[-1]),
        d50=float(many[:at].sum() + inside),
    )
