"""What the search for a cut point costs, without permutations: two asymptotic p-values and an exact bound."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray, check_level, refuse

__all__ = ["ROUNDING", "check_share", "hothorn_lausen", "lausen_1992", "lausen_1994"]

ROUNDING = 1e-10
"""Statistics that differ by less are equal."""


def lausen_1992(statistic: float, *, min_share: float = 0.1) -> float:
    r"""Give the asymptotic p of a maximally selected statistic.

    :math:`\varphi(b)(b - 1/b)\log\frac{\varepsilon_2(1 - \varepsilon_1)}{(1 - \varepsilon_2)\varepsilon_1}
    + 4\varphi(b)/b`. Sources: Miller and Siegmund 1982, doi 10.2307/2529881; Lausen and Schumacher
    1992, doi 10.2307/2532740.

    Parameters
    ----------
    statistic : float
        Absolute standardized statistic at the best cut.
    min_share : float
        Smallest share of patients on either side.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    ImmunosarcError
        When ``min_share`` is not between 0 and one half.

    Examples
    --------
    >>> round(lausen_1992(3.0601720128), 6)
    0.049189
    """
    problems: list[str] = []
    check_share(min_share, problems)
    refuse("lausen_1992", problems)
    density = float(distributions.norm.pdf(statistic))
    width = 2.0 * np.log((1.0 - min_share) / min_share)
    return float(min(1.0, density * (statistic - 1.0 / statistic) * width + 4.0 * density / statistic))


def lausen_1994(statistic: float, low: ArrayLike, n: int) -> float:
    r"""Give the improved Bonferroni p of a maximally selected statistic, from the cuts that were tried.

    Source: Lausen, Sauerbrei and Schumacher 1994; the inequality of Worsley 1982, doi
    10.1093/biomet/69.2.297.

    Parameters
    ----------
    statistic : float
        Absolute standardized statistic at the best cut.
    low : array
        Number of patients at or below each cut, ascending.
    n : int
        Patients.

    Returns
    -------
    float
        At most 1.

    Examples
    --------
    >>> round(lausen_1994(2.5, [10, 15, 20], 30), 4)
    0.0313
    """
    m = np.asarray(low, dtype=np.float64)
    between = np.sqrt(1.0 - m[:-1] * (n - m[1:]) / ((n - m[:-1]) * m[1:]))
    steps = np.exp(-(statistic**2) / 2.0) / np.pi * (between - (statistic**2 / 4.0 - 1.0) * between**3 / 6.0)
    return float(min(1.0, 2.0 * distributions.norm.sf(statistic) + steps.sum()))


def hothorn_lausen(
    scores: ArrayLike, low: ArrayLike, *, ties: Literal["count", "maxstat"] = "count"
) -> tuple[float, float]:
    r"""Give a bound of the exact conditional p of a maximally selected statistic.

    The permutation distribution of the sum of m scores is counted exactly for every m; outcomes that
    are certain to stay extreme with one patient more are counted once. Scores that are not whole
    numbers are first mapped to 0 ... n. Source: Hothorn and Lausen 2003, doi
    10.1016/S0167-9473(02)00225-6.

    Parameters
    ----------
    scores : array (n_patients,)
        In the order of the feature.
    low : array
        Number of patients at or below each cut, ascending.
    ties : {"count", "maxstat"}
        ``"count"``: outcomes as extreme as the observed one belong to its p. ``"maxstat"``: the number
        of the R package maxstat 0.7-25, which leaves them out (up to rounding), and is smaller.

    Returns
    -------
    (statistic, p)
        Of the mapped scores.

    Examples
    --------
    >>> statistic, p = hothorn_lausen([1, 2, 3, 6, 5, 4, 8, 7], [2, 4, 6])
    >>> round(statistic, 3), round(p, 3)
    (2.0, 0.2)
    """
    a = np.asarray(scores, dtype=np.float64)
    n, m = len(a), np.arange(len(a) + 1)
    if not (a == np.round(a)).all():
        a = np.round((a - a.min()) * n / (a.max() - a.min()))
    whole = (a - a.min()).astype(np.int64)
    total = int(whole.sum())
    variance = m * (n - m) / (n**2 * (n - 1)) * (n * (whole**2).sum() - total**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.abs(np.arange(total + 1)[None, :] - (m / n * total)[:, None]) / np.sqrt(variance)[:, None]
    sizes = np.asarray(low, dtype=np.int64)
    centered = a - a.mean()
    observed = np.abs(np.cumsum(centered)[sizes - 1]) / np.sqrt(
        sizes * (n - sizes) / (n * (n - 1)) * (centered**2).sum()
    )
    statistic = float(observed.max())
    if ties == "maxstat":
        raw = a.sum()
        spread = sizes * (n - sizes) / (n**2 * (n - 1)) * (n * (a**2).sum() - raw**2)
        statistic = float((np.abs(np.cumsum(a)[sizes - 1] - sizes / n * raw) / np.sqrt(spread)).max())
    share = _sums_of_subsets(whole)
    possible = (share > 0) & (np.arange(total + 1)[None, :] > 0)
    limit = distance > statistic if ties == "maxstat" else distance >= statistic - ROUNDING
    return statistic, _counted_once(share, possible & limit, whole, sizes)


def _sums_of_subsets(whole: IntArray) -> FloatArray:
    """Return P(sum of m scores = s): rows m = 0 ... n, columns s."""
    n, total = len(whole), int(whole.sum())
    ways = np.zeros((n + 1, total + 1))
    ways[0, 0] = 1.0
    for score in whole:
        ways[1:, score:] += ways[:-1, : total + 1 - score].copy()
    share: FloatArray = ways / ways.sum(axis=1, keepdims=True)
    return share


def _counted_once(share: FloatArray, extreme: BoolArray, whole: IntArray, sizes: IntArray) -> float:
    """Return the sum over sizes of P(extreme), without what was certain to be extreme one patient before."""
    mass = np.where(extreme, share, 0.0)
    kept = mass.sum(axis=1)
    n, total = len(whole), int(whole.sum())
    sums = np.arange(total + 1)
    for m in range(int(sizes.min()), n - 1):
        mean = m / n * total
        for side, step in ((sums < mean, whole.max()), (sums > mean, whole.min())):
            here = sums[side & (mass[m] > 0)]
            here = here[extreme[m + 1, np.minimum(here + step, total)]]
            kept[m + 1] -= mass[m, here].sum()
    return float(min(1.0, kept[sizes].sum()))


def check_share(min_share: float, problems: list[str]) -> None:
    """Note a smallest share of patients beside a cut that is not between 0 and one half."""
    check_level(min_share, problems, "min_share")
    if min_share >= 0.5:
        problems.append(f"min_share: need a share below one half, have {min_share!r}")
