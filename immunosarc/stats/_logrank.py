"""Do high values go with early events? Log-rank scores of every feature, observed and under permutation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.errors import did_you_mean
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_features,
    as_follow_up,
    as_strata,
    refuse,
)
from immunosarc.stats._permutation import blocks_of, permutation_rows

__all__ = ["Ties", "logrank_score_null", "logrank_score_statistic"]

Ties = Literal["efron", "breslow"]


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
    rows = permutation_rows(permutations, codes, problems)
    if ties not in get_args(Ties):
        problems.append(f"ties: unknown {ties!r}.{did_you_mean(ties, get_args(Ties))}")
    refuse("logrank_score_null", problems)
    clocks = [_Clock.of(np.flatnonzero(codes == code), times, events) for code in np.unique(codes)]
    null = np.empty((len(rows), values.shape[1]))
    for seen, columns in _mask_patterns(values):
        weights = [_Weights.of(values[:, columns], seen, clock.rows) for clock in clocks]
        for part, piece in blocks_of(rows):
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
