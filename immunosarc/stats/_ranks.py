"""Do responders rank higher? The AUC of every feature, with its interval and p-values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._exact_rank_sum import enumerated_p
from immunosarc.stats._fits import Fits, StatusArray, statuses
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_binary,
    as_features,
    as_sides,
    as_strata,
    check_level,
    refuse,
)
from immunosarc.stats._placements import Placements, placements

__all__ = ["mann_whitney"]

# above this product of group sizes the normal and the exact p-value agree to three digits
_EXACT_PAIRS = 10_000
# variance of a placement that is anywhere between 0 and 1 with equal chance
_NOISE_VARIANCE = 1.0 / 12.0


def mann_whitney(
    features: ArrayLike,
    group: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    sides: ArrayLike | None = None,
    level: float = 0.95,
) -> Fits:
    r"""Ask of each feature how often a responder has the higher value than a non-responder.

    ``estimate`` is the AUC: the probability that a patient of group True has the higher value than
    one of group False of the same stratum, ties counting one half. 0.5 is no association, 1 means
    that every responder is higher.

    .. math:: \mathrm{AUC} = \frac{\sum_s U_s}{\sum_s n_{1s} n_{0s}}

    ``std_error`` is DeLong's (strata added; a stratum with a single patient in a group borrows the
    variance of that group's placements from the other strata, or takes that of noise, 1/12, if it
    is larger: one patient tells nothing of its spread). The interval of a single stratum is DeLong's
    on the logit scale; with several strata, or where the AUC is 0 or 1, it is Newcombe's (method 5,
    Hanley-McNeil variance at the limit, strata added), which needs no variance from a stratum with a
    single responder, and ends at 0 or 1 with a width where the data are separated.
    ``statistic`` is :func:`rank_sum_statistic`; ``p_value`` is normal with the tie-corrected
    variance and a continuity correction of one half, two-sided unless ``sides`` says otherwise;
    ``p_exact`` comes from the permutation distribution of U: without ties and strata up to 10,000
    pairs, with them by counting every labeling within strata of at most 60 patients. Sources:
    DeLong 1988, doi 10.2307/2531595; Newcombe 2006, doi 10.1002/sim.2324; strata add their U with equal weight.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    group : array_like of bool, shape (n_patients,)
        True for the responders; none missing.
    strata : array_like of shape (n_patients,), optional
        Only patients of the same stratum are compared; none missing.
    sides : array_like of shape (n_features,), optional
        1 where only high values of responders count, -1 where only low ones do, 0 for either (default): both
        p-values are those of the stated side. Intervals stay two-sided.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; needs 2 patients in each group.

    Raises
    ------
    ImmunosarcError
        When lengths differ, a group or stratum is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[2.1], [3.4], [2.9], [0.3], [1.2], [2.5]])
    >>> fits = mann_whitney(score, [1, 1, 1, 0, 0, 0])
    >>> float(fits.estimate[0].round(3)), float(fits.p_exact[0].round(2))
    (0.889, 0.2)
    """
    problems: list[str] = []
    values = as_features(features, problems)
    marked = as_binary(group, len(values), "group", problems)
    codes = as_strata(strata, len(values), problems)
    signs = as_sides(sides, values.shape[1], problems)
    check_level(level, problems)
    refuse("mann_whitney", problems)
    strata_rows = [codes == code for code in np.unique(codes)] or [np.zeros(0, dtype=np.bool_)]
    parts = [placements(values[rows], marked[rows]) for rows in strata_rows]
    nothing = np.zeros(values.shape[1])
    pairs = sum((part.pairs for part in parts), nothing)
    wins = sum((part.wins for part in parts), nothing)
    variance = sum((part.null_variance for part in parts), nothing)
    with np.errstate(divide="ignore", invalid="ignore"):
        auc = wins / pairs
        z = (wins - pairs / 2.0) * np.where(variance > 0, 1.0 / np.sqrt(variance), np.nan)
    error = _delong_error(parts, pairs)
    low, high = _auc_interval(auc, error, parts, critical=float(special.ndtri((1.0 + level) / 2.0)))
    counts = _counts(values, marked)
    status, hopeless = _status(parts, counts)
    return Fits.collect(
        counts,
        status,
        hopeless=hopeless,
        estimate=auc,
        std_error=error,
        conf_low=low,
        conf_high=high,
        statistic=z,
        p_value=_normal_p(wins - pairs / 2.0, z, signs),
        p_exact=_exact_p(values, wins, parts, marked=marked, codes=codes, sides=signs),
    )


def _delong_error(parts: list[Placements], pairs: FloatArray) -> FloatArray:
    usable = [(part.pairs > 0) for part in parts]
    variance = np.zeros_like(pairs)
    for size_name, squares_name in (("cases", "case_squares"), ("controls", "control_squares")):
        sizes = [np.where(ok, getattr(part, size_name), 0.0) for ok, part in zip(usable, parts, strict=True)]
        squares = [np.where(ok, getattr(part, squares_name), 0.0) for ok, part in zip(usable, parts, strict=True)]
        freedom = sum((np.maximum(size - 1.0, 0.0) for size in sizes), np.zeros_like(pairs))
        with np.errstate(divide="ignore", invalid="ignore"):
            pooled = sum(squares, np.zeros_like(pairs)) / freedom
            for part, size, square in zip(parts, sizes, squares, strict=True):
                own = np.where(size > 1, square / (size - 1.0), np.maximum(pooled, _NOISE_VARIANCE))
                share = part.pairs / pairs
                variance += np.where(share > 0, share**2 * own / size, 0.0)
    return np.sqrt(variance)


def _auc_interval(
    auc: FloatArray, error: FloatArray, parts: list[Placements], *, critical: float
) -> tuple[FloatArray, FloatArray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        middle, margin = special.logit(auc), critical * error / (auc * (1.0 - auc))
        low, high = special.expit(middle - margin), special.expit(middle + margin)
    several = sum(((part.pairs > 0).astype(int) for part in parts), np.zeros(len(auc), int)) > 1
    edged = np.flatnonzero((several | (error == 0.0) | (auc <= 0.0) | (auc >= 1.0)) & ~np.isnan(auc))
    sizes = np.array([[part.cases[edged], part.controls[edged]] for part in parts]).reshape(
        len(parts), 2, edged.size
    )
    for limit, end in ((low, 0.0), (high, 1.0)):
        limit[edged] = _newcombe_limit(auc[edged], end, sizes, critical=critical)
    unknown = np.isnan(error)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def _newcombe_limit(auc: FloatArray, end: float, sizes: FloatArray, *, critical: float) -> FloatArray:
    """Halve the way between the estimate and 0 or 1 to where the estimate is just credible."""
    outer, inner = np.full_like(auc, end), auc
    for _ in range(60):
        middle = (outer + inner) / 2.0
        distance = np.abs(auc - middle)
        outside = distance > critical * np.sqrt(_newcombe_variance(middle, sizes))
        outer, inner = np.where(outside, middle, outer), np.where(outside, inner, middle)
    return np.where(auc == end, end, inner)


def _newcombe_variance(auc: FloatArray, sizes: FloatArray) -> FloatArray:
    """Variance of the AUC by Hanley and McNeil with the mean of the group sizes, as Newcombe takes it.

    ``sizes`` holds cases and controls of each stratum: (n_strata, 2, n_features).
    """
    pairs = sizes.prod(axis=1)
    half = sizes.sum(axis=1) / 2.0 - 1.0
    inside = 1.0 + half * ((1.0 - auc) / (2.0 - auc) + auc / (1.0 + auc))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(auc * (1.0 - auc) * (pairs * inside).sum(axis=0) / pairs.sum(axis=0) ** 2)


def _normal_p(surplus: FloatArray, z: FloatArray, sides: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        error = surplus / z
        error = np.where(surplus == 0.0, np.inf, np.abs(error))
        either = np.minimum(2.0 * special.ndtr(-np.maximum(np.abs(surplus) - 0.5, 0.0) / error), 1.0)
        stated = special.ndtr(-(sides * surplus - 0.5) / error)
    return np.where(np.isnan(z), np.nan, np.where(sides == 0, either, stated))


def _exact_p(
    values: FloatArray,
    wins: FloatArray,
    parts: list[Placements],
    *,
    marked: BoolArray,
    codes: IntArray,
    sides: FloatArray,
) -> FloatArray:
    """By recursion where there are no ties and one stratum, else by enumeration where that is feasible."""
    p = np.full(len(wins), np.nan)
    if len(parts) == 1:
        p = _untied_p(wins, parts[0], sides)
    left = np.flatnonzero(np.isnan(p))
    if left.size and len(values):
        p[left] = enumerated_p(values[:, left], marked, codes, sides[left])
    return p


def _untied_p(wins: FloatArray, part: Placements, sides: FloatArray) -> FloatArray:
    p = np.full(len(wins), np.nan)
    cases, controls = part.cases.astype(np.int64), part.controls.astype(np.int64)
    fits = part.untied & (cases * controls <= _EXACT_PAIRS)
    sizes = np.column_stack([cases, controls])
    for n1, n0 in np.unique(sizes[fits & (cases > 0) & (controls > 0)], axis=0):
        same = fits & (cases == n1) & (controls == n0)
        upper = np.cumsum(_rank_sum_distribution(int(n1), int(n0)))
        won, lost, side = wins[same], n1 * n0 - wins[same], sides[same]
        # U is symmetric: as many wins or more are as likely as as many losses or fewer
        far = np.where(side == 0, np.minimum(won, lost), np.where(side > 0, lost, won)).astype(np.int64)
        p[same] = np.minimum(np.where(side == 0, 2.0, 1.0) * upper[far], 1.0)
    return p


def _rank_sum_distribution(n1: int, n0: int) -> FloatArray:
    """Probability of U = 0 ... n1 n0 when all orders are equally likely.

    The largest of all values belongs to group True with probability i / (i + j) and then wins j pairs.
    """
    smaller, larger = min(n1, n0), max(n1, n0)
    rows = [np.ones(1) for _ in range(larger + 1)]
    for i in range(1, smaller + 1):
        current = [np.ones(1)]
        for j in range(1, larger + 1):
            chance = np.zeros(i * j + 1)
            chance[j:] += rows[j] * (i / (i + j))
            chance[: i * (j - 1) + 1] += current[j - 1] * (j / (i + j))
            current.append(chance)
        rows = current
    return rows[larger]


def _counts(values: FloatArray, marked: BoolArray) -> tuple[IntArray, IntArray]:
    seen = ~np.isnan(values)
    return seen.sum(axis=0), (seen & marked[:, None]).sum(axis=0)


def _status(parts: list[Placements], counts: tuple[IntArray, IntArray]) -> tuple[StatusArray, BoolArray]:
    shape = (len(parts), len(counts[0]))
    both = np.array([part.pairs > 0 for part in parts]).reshape(shape)
    cases = np.where(both, [part.cases for part in parts], 0.0)
    controls = np.where(both, [part.controls for part in parts], 0.0)
    if len(parts) == 1:
        place, sizes = "per group", (counts[1], counts[0] - counts[1])
    else:
        place = "per group in strata that hold both groups"
        sizes = (cases.sum(axis=0).astype(np.int64), controls.sum(axis=0).astype(np.int64))
    few = (sizes[0] < 2) | (sizes[1] < 2)
    level = [(p.case_squares == 0) & (p.control_squares == 0) & (2 * p.wins == p.pairs) for p in parts]
    constant: BoolArray = np.asarray(np.array(level).all(axis=0))  # a stratum with one class is level too
    alone = np.asarray((cases < 2).all(axis=0) | (controls < 2).all(axis=0))
    status = statuses(
        shape[1],
        (few, lambda i: f"needs 2 patients {place}, has {sizes[0][i]} and {sizes[1][i]}"),
        (constant, "constant feature"),
        (alone, "no interval: every stratum has a single patient in one group"),
    )
    return status, few | constant
