"""What chance gives: labels permuted within strata, and the statistics of every feature under them.

All patients' labels are permuted; then each feature keeps the patients in whom it is measured. So
one permutation is the same event for all features, and their dependence is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunosarc.errors import did_you_mean
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_binary,
    as_features,
    as_follow_up,
    as_strata,
    refuse,
)
from immunosarc.stats._rank_sums import rank_blocks, standardized_rank_sum

__all__ = ["Ties", "logrank_score_null", "logrank_score_statistic", "permute_within", "rank_sum_null"]

Ties = Literal["efron", "breslow"]
# Rows of one matrix product. Constant, the last block filled up, so that a row's value never
# depends on how many permutations were asked for.
_BLOCK = 256


def permute_within(strata_codes: ArrayLike, n_permutations: int, seed: int, *, first: int = 0) -> IntArray:
    """Shuffle patients among the patients of their stratum, as a trial stratified so would have allowed.

    Permutation b depends on the seed and on b alone: the first rows of a longer run are the shorter
    run, and ``first`` starts anywhere, so work can be cut into pieces without changing a number.

    Parameters
    ----------
    strata_codes : array_like of shape (n_patients,)
        Stratum of each patient; all equal for free permutation.
    n_permutations : int
        Rows to return.
    seed : int
        At least 0.
    first : int
        Number of the first permutation.

    Returns
    -------
    ndarray of int, shape (n_permutations, n_patients)
        ``labels[row]`` are the permuted labels.

    Raises
    ------
    ImmunosarcError
        When a stratum is missing or a number is negative.

    Examples
    --------
    >>> permute_within(["a", "a", "b", "b"], 3, seed=1).tolist()
    [[0, 1, 2, 3], [0, 1, 3, 2], [1, 0, 3, 2]]
    """
    problems: list[str] = []
    if min(n_permutations, seed, first) < 0:
        problems.append(
            f"n_permutations, seed, first: need whole numbers of at least 0, have {(n_permutations, seed, first)}"
        )
    codes = as_strata(strata_codes, len(np.atleast_1d(np.asarray(strata_codes, dtype=object))), problems)
    refuse("permute_within", problems)
    bits = np.random.PCG64(seed)
    bits.advance(first * codes.size)  # one draw for each patient of each permutation before
    keys = np.random.Generator(bits).random((n_permutations, codes.size))
    permutations = np.empty(keys.shape, dtype=np.int64)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        permutations[:, rows] = rows[np.argsort(keys[:, rows], axis=1, kind="stable")]
    return permutations


def rank_sum_null(
    features: ArrayLike, group: ArrayLike, permutations: ArrayLike, *, strata: ArrayLike | None = None
) -> FloatArray:
    """Give the standardised rank sums that arise when the group labels are dealt out at random.

    Each row is :func:`rank_sum_statistic` with the labels ``group[permutation]``, to the last bit. A
    feature's group sizes among the measured patients vary with the permutation, and so does its
    standardisation.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured.
    group : array_like of bool, shape (n_patients,)
        Observed labels.
    permutations : array_like of int, shape (n_permutations, n_patients)
        From :func:`permute_within` with the same strata.
    strata : array_like of shape (n_patients,), optional
        As for :func:`mann_whitney`.

    Returns
    -------
    ndarray of shape (n_permutations, n_features)
        NaN where a permutation leaves one group without a measured patient.

    Raises
    ------
    ImmunosarcError
        When shapes do not fit or a permutation moves a patient to another stratum.

    Examples
    --------
    >>> import numpy as np
    >>> score, group = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([0, 0, 1, 1])
    >>> rank_sum_null(score, group, [[0, 1, 2, 3], [3, 1, 2, 0]]).round(3).tolist()
    [[1.549], [-0.775]]
    """
    problems: list[str] = []
    values = as_features(features, problems)
    marked = as_binary(group, len(values), "group", problems)
    codes = as_strata(strata, len(values), problems)
    rows = _permutation_rows(permutations, codes, problems)
    refuse("rank_sum_null", problems)
    blocks = rank_blocks(values, codes)
    labels = marked.astype(np.float64)
    null = np.empty((len(rows), values.shape[1]))
    for part, piece in _pieces(rows):
        null[part] = standardized_rank_sum(blocks, labels[piece])[: len(null[part])]
    return null


def logrank_score_statistic(
    features: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    ties: Ties = "efron",
) -> FloatArray:
    r"""Tell how many standard errors high values go with early events, or low ones (negative).

    The score of the Cox model at no effect over its standard error under permutation:

    .. math::

        z = \frac{\sum_s \sum_i (x_i - \bar x_s) a_i}
        {\sqrt{\sum_s \frac{\sum_i (x_i - \bar x_s)^2 \sum_i a_i^2}{N_s - 1}}}

    with log-rank scores :math:`a_i = \delta_i - \hat\Lambda_s(t_i)` among the measured patients of
    stratum s, :math:`\hat\Lambda` the Nelson-Aalen estimate (``ties="breslow"``, the log-rank
    test's) or its Efron form (the one that :func:`cox` fits). Positive means that high values go with
    early events.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event; none missing.
    strata : array_like of shape (n_patients,), optional
        Risk sets are formed within strata.
    ties : {"efron", "breslow"}
        How equal event times share their risk set.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN where the feature is constant or no measured patient has an event.

    Raises
    ------
    ImmunosarcError
        When lengths differ or a time, event or stratum is missing.

    Examples
    --------
    >>> import numpy as np
    >>> logrank_score_statistic(np.array([[4.0], [3.0], [2.0], [1.0]]), [1, 2, 3, 4], [1, 1, 1, 0]).round(3)
    array([1.679])
    """
    identity = np.arange(len(np.atleast_1d(np.asarray(time))))[None, :]
    return logrank_score_null(features, time, event, permutations=identity, strata=strata, ties=ties)[0]


def logrank_score_null(
    features: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    permutations: ArrayLike,
    strata: ArrayLike | None = None,
    ties: Ties = "efron",
) -> FloatArray:
    """Give the standardised log-rank scores that arise when the follow-up is dealt out at random.

    Each row is :func:`logrank_score_statistic` with ``time[permutation], event[permutation]``. Where a
    feature is missing in some patients, the risk sets are those of the outcomes that fell to the
    measured ones; features missing in the same patients share them.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event; none missing.
    permutations : array_like of int, shape (n_permutations, n_patients)
        From :func:`permute_within` with the same strata.
    strata : array_like of shape (n_patients,), optional
        Risk sets are formed within strata.
    ties : {"efron", "breslow"}
        As in :func:`logrank_score_statistic`.

    Returns
    -------
    ndarray of shape (n_permutations, n_features)
        NaN where a permutation leaves the measured patients without event.

    Raises
    ------
    ImmunosarcError
        When shapes do not fit or a permutation moves a patient to another stratum.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[4.0], [3.0], [2.0], [1.0]])
    >>> logrank_score_null(x, [1, 2, 3, 4], [1, 1, 1, 0], permutations=[[3, 2, 1, 0]]).round(3)
    array([[-1.679]])
    """
    problems: list[str] = []
    values = as_features(features, problems)
    times, events = as_follow_up(time, event, len(values), problems)
    codes = as_strata(strata, len(values), problems)
    rows = _permutation_rows(permutations, codes, problems)
    if ties not in get_args(Ties):
        problems.append(f"ties: unknown {ties!r}.{did_you_mean(ties, get_args(Ties))}")
    refuse("logrank_score_null", problems)
    clocks = [_Clock.of(np.flatnonzero(codes == code), times, events) for code in np.unique(codes)]
    null = np.empty((len(rows), values.shape[1]))
    for seen, columns in _mask_patterns(values):
        weights = [_Weights.of(values[:, columns], seen, clock.rows) for clock in clocks]
        for part, piece in _pieces(rows):
            scores = _scores(clocks, seen, piece, ties=ties)
            null[part, columns] = _standardized(weights, scores)[: len(null[part])]
    return null


@dataclass(frozen=True)
class _Clock:
    """The outcomes of one stratum in order of time."""

    rows: IntArray  # patients of the stratum
    order: IntArray  # the same, by time
    event: BoolArray  # in that order
    starts: IntArray  # first outcome of each distinct time
    group: IntArray  # distinct time of each outcome

    @classmethod
    def of(cls, rows: IntArray, times: FloatArray, events: BoolArray) -> _Clock:
        order = rows[np.argsort(times[rows], kind="stable")]
        _, starts, group = np.unique(times[order], return_index=True, return_inverse=True)
        return cls(rows, order, events[order], starts, group)

    def scores(self, seen: FloatArray, ties: Ties) -> FloatArray:
        """Log-rank scores of the outcomes seen, 0 for the others; one row for each permutation."""
        deaths = np.add.reduceat(seen * self.event, self.starts, axis=1)
        leaving = np.add.reduceat(seen, self.starts, axis=1)
        at_risk = leaving[:, ::-1].cumsum(axis=1)[:, ::-1]
        hazard = self._hazard(deaths, at_risk, ties)
        cumulative = hazard.cumsum(axis=1)
        own = 1.0 - cumulative
        if ties == "efron":
            # 1 - sum over l < d of (1 - l/d) / (n - l), written with the whole step of the hazard
            spared = (at_risk - deaths) / np.maximum(deaths, 1.0)
            own = hazard - cumulative + hazard * spared
        scores = np.where(self.event, own[:, self.group], -cumulative[:, self.group])
        return np.asarray(scores * seen)

    def _hazard(self, deaths: FloatArray, at_risk: FloatArray, ties: Ties) -> FloatArray:
        if ties == "breslow":
            return deaths / np.maximum(at_risk, 1.0)
        harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, self.order.size + 1))])
        alive = at_risk.astype(np.int64)
        return np.asarray(harmonic[alive] - harmonic[alive - deaths.astype(np.int64)])


@dataclass(frozen=True)
class _Weights:
    """Features of one stratum, centred among the measured, and their variance factor."""

    rows: IntArray
    centred: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, values: FloatArray, seen: BoolArray, rows: IntArray) -> _Weights:
        here = seen[rows]
        size = int(here.sum())
        own = values[rows]
        mean = own[here].mean(axis=0) if size else np.zeros(values.shape[1])
        centred = np.where(here[:, None], own - mean, 0.0)
        # a constant feature centres to rounding noise, which must not pass for a variance
        constant = np.ptp(own[here], axis=0) == 0 if size else np.ones(values.shape[1], dtype=np.bool_)
        centred = np.where(constant, 0.0, centred)
        return cls(rows, centred, (centred**2).sum(axis=0) / max(size - 1, 1))


def _scores(clocks: list[_Clock], seen: BoolArray, piece: IntArray, *, ties: Ties) -> FloatArray:
    """Scores in the order of patients, for each permutation of the block."""
    everyone = bool(seen.all())
    fell_to_seen = np.ones((1, seen.size)) if everyone else np.empty(piece.shape)
    if not everyone:
        np.put_along_axis(fell_to_seen, piece, seen.astype(np.float64)[None, :], axis=1)
    by_outcome = np.empty(fell_to_seen.shape)
    for clock in clocks:
        by_outcome[:, clock.order] = clock.scores(fell_to_seen[:, clock.order], ties)
    return by_outcome[0][piece] if everyone else np.take_along_axis(by_outcome, piece, axis=1)


def _standardized(weights: list[_Weights], scores: FloatArray) -> FloatArray:
    shape = (len(scores), weights[0].spread.size)
    total, variance = np.zeros(shape), np.zeros(shape)
    for weight in weights:
        own = scores[:, weight.rows]
        total += own @ weight.centred
        variance += (own**2).sum(axis=1)[:, None] * weight.spread
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, total / np.sqrt(variance), np.nan)


def _mask_patterns(values: FloatArray) -> Iterator[tuple[BoolArray, IntArray]]:
    """Yield who is measured, and the features measured in just these patients."""
    patterns, which = np.unique(~np.isnan(values).T, axis=0, return_inverse=True)
    for index, seen in enumerate(patterns):
        yield seen, np.flatnonzero(which.ravel() == index)


def _pieces(rows: IntArray) -> Iterator[tuple[slice, IntArray]]:
    for start in range(0, len(rows), _BLOCK):
        piece = rows[start : start + _BLOCK]
        missing = _BLOCK - len(piece)
        if missing:
            piece = np.concatenate([piece, np.tile(np.arange(rows.shape[1]), (missing, 1))])
        yield slice(start, start + _BLOCK), piece


def _permutation_rows(permutations: ArrayLike, codes: IntArray, problems: list[str]) -> IntArray:
    rows: NDArray[np.int64] = np.asarray(permutations)
    length = codes.size
    if rows.ndim != 2 or rows.shape[1] != length or not np.issubdtype(rows.dtype, np.integer):
        problems.append(
            f"permutations: need whole numbers of shape (n_permutations, {length}), "
            f"have shape {rows.shape} of {rows.dtype}; permute_within makes them"
        )
    elif rows.size and (rows.min() < 0 or rows.max() >= length):
        problems.append(f"permutations: need row numbers 0 to {length - 1}; permute_within makes them")
    elif not np.array_equal(codes[rows], np.broadcast_to(codes, rows.shape)):
        problems.append("permutations: move patients between strata; pass the same strata to permute_within")
    return rows
