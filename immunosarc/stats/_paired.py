"""Before and after: whether the patients changed, by how much, and whether it is more than chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._fits import Fits, statuses
from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray, as_features, check_level, refuse
from immunosarc.stats._rank_sums import midranks

__all__ = ["hodges_lehmann", "signed_rank"]

# up to here every p-value is exact; above, the normal approximation is as good
_EXACT_PATIENTS = 60
# the interval's order statistics come from the exact distribution up to here
_EXACT_INTERVAL = 200
# numbers held at once, about 100 MB
_NUMBERS = 12_000_000


def signed_rank(differences: ArrayLike, *, level: float = 0.95) -> Fits:
    r"""Ask of each feature whether it changed between two biopsies of the same patients.

    Wilcoxon's signed-rank test of symmetry around zero. ``estimate`` and its interval are those of
    :func:`hodges_lehmann`: the typical change, in the feature's unit. ``statistic`` is

    .. math:: z = \frac{\sum_{d_i > 0} r_i - \tfrac12 \sum r_i}{\sqrt{\tfrac14 \sum r_i^2}}

    with r the midranks of :math:`|d_i|`; differences of exactly zero are left out of the ranking, as
    Wilcoxon did. ``p_exact`` is two-sided from all :math:`2^m` sign patterns of these m midranks, so
    it is exact with ties and zeros too, and ``p_value`` equals it. Above 60 non-zero differences
    ``p_value`` is the normal approximation with continuity correction and ``status`` says so. Source:
    Wilcoxon 1945, doi 10.2307/3001968.

    Parameters
    ----------
    differences : array_like of shape (n_patients,) or (n_patients, n_features)
        After minus before; NaN where one of the two is missing.
    level : float
        Confidence level of the interval.

    Returns
    -------
    Fits
        One row for each feature; ``n`` counts the pairs, ``n_events`` those with an increase.

    Raises
    ------
    ImmunosarcError
        When a value is infinite or the level is not between 0 and 1.

    Examples
    --------
    >>> fits = signed_rank([1.1, 0.4, 2.0, 0.9, -0.2, 1.7, 0.8])
    >>> float(fits.estimate[0].round(3)), float(fits.p_exact[0])
    (0.925, 0.03125)
    """
    values = _differences("signed_rank", differences, level)
    shift = hodges_lehmann(values, level=level)
    moved = np.where(values == 0.0, np.nan, values)
    ranks = np.nan_to_num(midranks(np.abs(moved)), nan=0.0)
    up = (ranks * (moved > 0)).sum(axis=0)
    surplus, deviation = up - ranks.sum(axis=0) / 2.0, np.sqrt((ranks**2).sum(axis=0)) / 2.0
    count = (~np.isnan(moved)).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = surplus / deviation
        normal = special.ndtr(-np.maximum(np.abs(surplus) - 0.5, 0.0) / deviation)
    exact = _exact_p(ranks, up, (count > 0) & (count <= _EXACT_PATIENTS))
    large = count > _EXACT_PATIENTS
    status = statuses(
        values.shape[1],
        (shift.n == 0, "needs 1 pair, has 0"),
        (count == 0, "no patient changed"),
        (large, f"normal approximation: more than {_EXACT_PATIENTS} changes"),
        (np.asarray(shift.status != "ok"), lambda index: str(shift.status[index])),
    )
    return Fits.collect(
        (shift.n, (values > 0).sum(axis=0)),
        status,
        hopeless=shift.n == 0,
        estimate=shift.estimate,
        conf_low=shift.conf_low,
        conf_high=shift.conf_high,
        statistic=z,
        p_value=np.where(large, np.minimum(2.0 * normal, 1.0), exact),
        p_exact=exact,
    )


def hodges_lehmann(differences: ArrayLike, *, level: float = 0.95) -> Fits:
    r"""Give the typical change of a feature and the range of changes that the patients leave credible.

    The estimate is the median of all Walsh averages :math:`(d_i + d_j)/2, i \le j`. The interval runs
    from the c-th smallest to the c-th largest of them, c the largest number with
    :math:`P(W < c) \le \alpha/2` under the exact signed-rank distribution, so it covers the center of
    a symmetric distribution with at least probability ``level``. Up to 5 differences cannot give 95%:
    there is then no interval, and ``status`` says so. Above 200 differences c comes
    from the normal approximation. Source: Hodges and Lehmann 1963, doi 10.1214/aoms/1177704172.

    Parameters
    ----------
    differences : array_like of shape (n_patients,) or (n_patients, n_features)
        After minus before; NaN where one of the two is missing.
    level : float
        Confidence level, reached or exceeded.

    Returns
    -------
    Fits
        ``estimate``, ``conf_low``, ``conf_high`` in the feature's unit; no test, see :func:`signed_rank`.

    Raises
    ------
    ImmunosarcError
        When a value is infinite or the level is not between 0 and 1.

    Examples
    --------
    >>> fits = hodges_lehmann([1.1, 0.4, 2.0, 0.9, -0.2, 1.7, 0.8])
    >>> [round(float(x[0]), 3) for x in (fits.estimate, fits.conf_low, fits.conf_high)]
    [0.925, 0.3, 1.7]
    """
    values = _differences("hodges_lehmann", differences, level)
    count = (~np.isnan(values)).sum(axis=0)
    places = {int(n): _interval_place(int(n), level) for n in np.unique(count)}
    place = np.array([places[int(n)][0] for n in count], dtype=np.int64)
    reached = np.array([places[int(n)][1] for n in count])
    middle, low, high = (np.full(values.shape[1], np.nan) for _ in range(3))
    step = max(1, _NUMBERS // max(len(values) * (len(values) + 1), 1))
    for start in range(0, values.shape[1], step):
        part = slice(start, start + step)
        middle[part], low[part], high[part] = _walsh(values[:, part], count[part], place[part])
    status = statuses(
        values.shape[1],
        (count == 0, "needs 1 pair, has 0"),
        (
            reached < level,
            lambda i: f"no interval: {count[i]} difference(s) cannot give level {level:g}",
        ),
    )
    low, high = np.where(reached < level, np.nan, low), np.where(reached < level, np.nan, high)
    increased = (values > 0).sum(axis=0)
    return Fits.collect(
        (count, increased), status, hopeless=count == 0, estimate=middle, conf_low=low, conf_high=high
    )


def _differences(function: str, differences: ArrayLike, level: float) -> FloatArray:
    problems: list[str] = []
    values = np.asarray(differences)
    matrix = as_features(values[:, None] if values.ndim == 1 else values, problems)
    check_level(level, problems)
    refuse(function, problems)
    return matrix


def _walsh(values: FloatArray, count: IntArray, place: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Median and c-th smallest and largest of the averages of all pairs; missing ones sort last."""
    first, second = np.triu_indices(len(values))
    averages = np.sort((values[first] + values[second]) / 2.0, axis=0)
    size = np.maximum(count * (count + 1) // 2, 1)

    def at(position: IntArray) -> FloatArray:
        return np.asarray(np.take_along_axis(averages, position[None, :], axis=0)[0])

    if len(averages) == 0:
        empty = np.full(values.shape[1], np.nan)
        return empty, empty, empty
    return (at((size - 1) // 2) + at(size // 2)) / 2.0, at(place - 1), at(size - place)


def _interval_place(n: int, level: float) -> tuple[int, float]:
    """Return c, at least 1, and the level that the c-th smallest to c-th largest average reaches."""
    if n == 0:
        return 1, float("nan")
    tail = (1.0 - level) / 2.0
    if n > _EXACT_INTERVAL:
        mean, deviation = n * (n + 1) / 4.0, np.sqrt(n * (n + 1) * (2 * n + 1) / 24.0)
        return max(int(np.floor(mean + special.ndtri(tail) * deviation + 0.5)), 1), level
    below = np.cumsum(_signed_rank_distributions(2 * np.arange(1, n + 1)[None, :])[0][::2])
    # the closed interval misses the center with probability P(W < c) on either side
    place = max(int(np.searchsorted(below, tail * (1.0 + 1e-12), side="right")), 1)
    return place, float(1.0 - 2.0 * below[place - 1])


def _exact_p(ranks: FloatArray, up: FloatArray, fits: BoolArray) -> FloatArray:
    """Two-sided p over all sign patterns; features with the same midranks share a distribution."""
    p = np.full(len(up), np.nan)
    where = np.flatnonzero(fits)
    if where.size == 0:
        return p
    doubled = np.rint(2.0 * np.sort(ranks[:, where], axis=0)).astype(np.int64).T
    distinct, which = np.unique(doubled, axis=0, return_inverse=True)
    which = which.ravel()
    far = np.rint(2.0 * np.maximum(up, ranks.sum(axis=0) - up)).astype(np.int64)[where]
    step = max(1, _NUMBERS // (4 * (int(distinct.sum(axis=1).max()) + 1)))
    for start in range(0, len(distinct), step):
        chances = _signed_rank_distributions(distinct[start : start + step])
        upper = np.cumsum(chances[:, ::-1], axis=1)[:, ::-1]
        here = np.flatnonzero((which >= start) & (which < start + step))
        p[where[here]] = np.minimum(2.0 * upper[which[here] - start, far[here]], 1.0)
    return p


def _signed_rank_distributions(doubled: IntArray) -> FloatArray:
    """Probability of each doubled rank sum when every sign is a fair coin; one row for each set of ranks.

    Adding a patient of doubled rank r mixes the distribution with itself moved up by r.
    """
    total = int(doubled.sum(axis=1).max())
    chance = np.zeros((len(doubled), total + 1))
    chance[:, 0] = 1.0
    positions = np.arange(total + 1)
    for rank in doubled.T:
        from_below = positions - rank[:, None]
        moved = np.take_along_axis(chance, np.maximum(from_below, 0), axis=1)
        chance = (chance + np.where(from_below >= 0, moved, 0.0)) / 2.0
    return chance
