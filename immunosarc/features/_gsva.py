"""Gene set variation analysis: a walk over genes ranked by how unusual they are for a sample.

What every kernel takes and returns is said in :mod:`immunosarc.features._scoring`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from immunosarc.errors import ImmunosarcError, did_you_mean
from immunosarc.features._averages import less_down
from immunosarc.features._densities import DENSITIES
from immunosarc.features._ranked import TIES
from immunosarc.features._ranking import LARGE, tied_ranks
from immunosarc.features._scoring import Bools, Floats, ratio_of, register, sets_of_genes, varies

__all__ = ["gsva", "gsva_signed"]

_OPTIONS = {
    "kcdf": tuple(DENSITIES),
    "ties": TIES,
    "max_diff": (True, False),
    "abs_ranking": (False, True),
}
_FACTS: dict[str, Any] = {
    "single_sample": False,
    "all_genes": True,
    "needs_others": True,
    "needs_variation": True,
    "options": _OPTIONS,
    "reference": "10.1186/1471-2105-14-7",
    "oracle": "R GSVA 1.46 and 1.53 (ties in row order)",
}
_AT_ONCE = 16
_DIGITS = 12
"""Densities that agree to so many digits are ties; what is left is rounding of sums."""


@register("gsva", label="Gene set variation analysis", bounds=(-2.0, 2.0), **_FACTS)
def gsva(
    expression: Floats,
    members: Bools,
    *,
    kcdf: str = "gaussian",
    ties: str = "average",
    max_diff: bool = True,
    abs_ranking: bool = False,
) -> Floats:
    """Return whether a signature's genes are unusually high in a sample, for this cohort and these genes.

    Every gene is replaced by where the sample lies in its distribution over the cohort; genes are ranked by
    that within a sample, and a Kolmogorov-Smirnov-like walk over the ranks gives its greatest rise plus its
    greatest fall [1]_. Cohort-relative twice over: it changes when samples or genes join. Constant genes take
    no part.

    ``kcdf`` is the distribution: ``"gaussian"`` (a normal kernel, exact; scores differ from R's by up to 6e-3
    because R looks the normal distribution up in a table), ``"gaussian_table"`` (R's table), ``"ecdf"`` (R's
    ``kcdf="none"``) or ``"poisson"`` (for counts). It never changes by itself with the number of samples. ``ties``
    is as for ssgsea. ``max_diff=False`` returns the larger of rise and fall, ``abs_ranking=True`` their distance.

    References
    ----------
    .. [1] Haenzelmann S et al., BMC Bioinformatics 2013;14:7, doi:10.1186/1471-2105-14-7

    Examples
    --------
    >>> values = np.array([[9.0, 8.0, 1.0, 2.0], [1.0, 2.0, 3.0, 5.0], [2.0, 1.0, 5.0, 3.0]])
    >>> gsva(values, np.array([[True], [True], [False], [False]])).ravel().round(3)
    array([ 1., -1., -1.])
    """
    _check(kcdf=kcdf, ties=ties, max_diff=max_diff, abs_ranking=abs_ranking)
    usable = varies(expression)
    result = np.full((len(expression), members.shape[1]), np.nan)
    whole = members.any(axis=0) & ~members[~usable].any(axis=0)
    if not whole.any():
        return result
    all_used = bool(usable.all())
    densities = DENSITIES[kcdf](expression if all_used else expression[:, usable])
    inside = (members if all_used else members[usable])[:, whole]
    rise, fall = _walk(densities, inside, by_row=ties == "row_order")
    if max_diff:
        result[:, whole] = rise - fall if abs_ranking else rise + fall
    else:
        result[:, whole] = np.where(rise > np.abs(fall), rise, fall)
    return result


@register(
    "gsva_signed",
    label="GSVA of up genes minus GSVA of down genes",
    bounds=(-4.0, 4.0),
    roles=("down",),
    **_FACTS,
)
def gsva_signed(expression: Floats, members: Bools, *, down: Bools | None = None, **options: Any) -> Floats:
    """Return :func:`gsva` of the up genes less that of the down genes; options are the same.

    Examples
    --------
    >>> values = np.array([[9.0, 8.0, 1.0, 2.0], [1.0, 2.0, 3.0, 5.0], [2.0, 1.0, 5.0, 3.0]])
    >>> up = np.array([[True], [True], [False], [False]])
    >>> gsva_signed(values, up, down=~up).ravel().round(3)
    array([ 2., -2., -2.])
    """
    return less_down(lambda values, inside: gsva(values, inside, **options), expression, members, down)


def _check(**options: Any) -> None:
    for name, value in options.items():
        if value not in _OPTIONS[name]:
            hint = did_you_mean(str(value), map(str, _OPTIONS[name]))
            raise ImmunosarcError(f"unknown {name} {value!r}.{hint}")


def _walk(densities: Floats, members: Bools, *, by_row: bool) -> tuple[Floats, Floats]:
    """Return the greatest rise and fall of each signature's walk over the genes of a sample."""
    densities = np.asarray(densities, dtype=np.float64)
    if densities.size < LARGE:
        return _walk_along_members(densities, members, by_row=by_row)
    from immunosarc.features._radix import walk_rows

    starts, sets = sets_of_genes(members)
    inside = members.sum(axis=0)
    rise, fall = np.empty((2, len(densities), len(inside)))
    for start in range(0, len(densities), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        block = densities[rows] if by_row else _rounded(densities[rows])
        rise[rows], fall[rows] = walk_rows(block, starts, sets, inside, by_row)
    return rise, fall


def _walk_along_members(densities: Floats, members: Bools, *, by_row: bool) -> tuple[Floats, Floats]:
    """Walk without a compiler: only members can be the extremes.

    Sums are of quarters and their products below 2**53, so nothing is rounded before the last division.
    """
    sets, genes = np.nonzero(members.T)
    starts = np.searchsorted(sets, np.arange(members.shape[1]))
    inside = np.diff(np.append(starts, len(sets)))
    within = np.arange(len(sets)) - starts[sets]  # place of a member among those of its signature
    rise, fall = (np.full((len(densities), members.shape[1]), np.nan) for _ in range(2))
    values = densities if by_row else _rounded(densities)
    for row, found in enumerate(tied_ranks(values, genes, by_row=by_row)):
        low, high = (found.place, found.place) if by_row else (found.low, found.high)
        n, middle = found.n, found.place
        order = np.argsort(sets * (n + 2.0) - np.where(np.isnan(middle), 0.0, middle))
        weight = np.abs(middle - n / 2)[order]
        total = np.add.reduceat(weight, starts)
        running = np.cumsum(np.where(np.isnan(weight), 0.0, weight))
        running -= (running[starts] - np.where(np.isnan(weight[starts]), 0.0, weight[starts]))[sets]
        best, worst = n + 1 - high[order], n + 1 - low[order]
        share, misses = total[sets], (n - inside)[sets]
        after = running * misses - (worst - within - 1) * share
        before = (running - weight) * misses - (best - 1 - within) * share
        whole = total * (n - inside)
        rise[row] = ratio_of(np.maximum(np.maximum.reduceat(after, starts), 0.0), whole)
        fall[row] = ratio_of(np.minimum(np.minimum.reduceat(before, starts), 0.0), whole)
    return rise, fall


def _rounded(densities: Floats) -> Floats:
    return np.rint(densities * 10.0**_DIGITS)
