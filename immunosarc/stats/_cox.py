"""Log hazard ratios of every feature, each in its own Cox model, fitted together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.errors import did_you_mean
from immunosarc.stats._batched import climb, inverse_and_log_determinant, solve_with
from immunosarc.stats._fits import Fits, StatusArray, statuses
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_covariates,
    as_features,
    as_follow_up,
    as_strata,
    check_level,
    refuse,
)
from immunosarc.stats._logrank import Ties

__all__ = ["cox"]

_ITERATIONS = 60
_STEP_TOLERANCE = 1e-9
_LONGEST_STEP = 4.0
# standardised information below this, next to the number of events, is rounding
_NO_INFORMATION = 1e-9
# numbers held at once for each block of features, some tens of MB
_NUMBERS = 2_000_000


def cox(
    features: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    ties: Ties = "efron",
    level: float = 0.95,
) -> Fits:
    r"""Estimate how the hazard of the event changes with each feature.

    Each feature has its own proportional hazards model with the covariates, fitted by the partial
    likelihood within strata. With D_j the patients who have the event at time j, d_j of them, R_j
    those at risk and, for Efron's ties,

    .. math::

        \ell(\beta) = \sum_j \Big[ \sum_{i \in D_j} \eta_i - \sum_{l=0}^{d_j - 1} \log \Big(
        \sum_{i \in R_j} e^{\eta_i} - \frac{l}{d_j} \sum_{i \in D_j} e^{\eta_i} \Big) \Big]

    (Breslow's without the second sum). ``estimate`` is the log hazard ratio for one unit of the feature;
    ``std_error``, ``statistic`` (z), ``p_value`` and the interval are Wald's, from the observed information.
    A feature that orders the events perfectly has no finite estimate: its numbers are NaN and
    ``status`` says so. Sources: Cox 1972; Efron 1977, doi 10.1080/01621459.1977.10480613.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event; none missing.
    covariates : array_like of shape (n_patients, k), optional
        In every model; a patient with a missing one is left out of all.
    strata : array_like of shape (n_patients,), optional
        Each stratum has its own baseline hazard; none missing.
    ties : {"efron", "breslow"}
        How equal event times share their risk set.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; ``n_events`` counts events, ``p_exact`` is NaN.

    Raises
    ------
    ImmunosarcError
        When lengths differ, a time, event or stratum is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[2.0], [0.5], [1.8], [0.1], [0.9], [1.1]])
    >>> fits = cox(score, [2, 9, 4, 3, 8, 5], [1, 0, 1, 1, 1, 1])
    >>> float(fits.estimate[0].round(3))
    1.274
    """
    problems: list[str] = []
    values = as_features(features, problems)
    times, events = as_follow_up(time, event, len(values), problems)
    others = as_covariates(covariates, len(values), problems)
    codes = as_strata(strata, len(values), problems)
    check_level(level, problems)
    if ties not in get_args(Ties):
        problems.append(f"ties: unknown {ties!r}.{did_you_mean(ties, get_args(Ties))}")
    refuse("cox", problems)
    complete = np.flatnonzero(~np.isnan(others).any(axis=1))
    # latest first within a stratum, so that a risk set is a running sum
    order = complete[np.lexsort((-times[complete], codes[complete]))]
    clock = _Clock.of(times[order], events[order], codes[order], efron=ties == "efron")
    critical = float(special.ndtri((1.0 + level) / 2.0))
    step = max(1, _NUMBERS // max(len(values), 1))
    blocks = [
        _block(values[order, start : start + step], others[order], clock, critical=critical)
        for start in range(0, max(values.shape[1], 1), step)
    ]
    return Fits.join(blocks)


@dataclass(frozen=True)
class _Clock:
    """Patients by stratum and falling time, cut into groups of equal time."""

    event: BoolArray
    starts: IntArray  # first patient of each group
    group: IntArray  # group of each patient
    strata: list[slice]  # groups of each stratum
    dying: IntArray  # patients with the event
    efron: bool

    @classmethod
    def of(cls, times: FloatArray, events: BoolArray, codes: IntArray, *, efron: bool) -> _Clock:
        new = np.ones(times.size, dtype=np.bool_)
        new[1:] = (np.diff(times) != 0) | (np.diff(codes) != 0)
        starts = np.flatnonzero(new)
        edges = np.searchsorted(codes[starts], np.append(np.unique(codes), np.inf))
        strata = [slice(a, b) for a, b in pairwise(edges)]
        return cls(events, starts, np.cumsum(new) - 1, strata, np.flatnonzero(events), efron)

    def at_risk(self, amounts: FloatArray) -> FloatArray:
        """Sum over the patients at risk at the time of each event, (n_events, m)."""
        by_group = np.add.reduceat(amounts, self.starts, axis=0)
        for groups in self.strata:
            by_group[groups] = by_group[groups].cumsum(axis=0)
        return np.asarray(by_group[self.group[self.dying]])

    def tied(self, amounts: FloatArray) -> FloatArray:
        """Sum over the patients with an event at the same time, (n_events, m)."""
        by_group = np.add.reduceat(amounts * self.event[:, None], self.starts, axis=0)
        return np.asarray(by_group[self.group[self.dying]])

    def shares(self, seen: FloatArray) -> FloatArray:
        """Share of the tied deaths that each death no longer competes with, (n_events, m)."""
        deaths = seen[self.dying]
        if not self.efron:
            return np.zeros_like(deaths)
        running = deaths.cumsum(axis=0)
        first = np.searchsorted(self.group[self.dying], self.group[self.dying], side="left")
        place = running - running[first] + deaths[first] - deaths
        return np.asarray(place / np.maximum(self.tied(seen), 1.0))


@dataclass(frozen=True)
class _Model:
    """Standardised columns of all models in the order of the clock; the feature's comes first."""

    columns: list[FloatArray]  # (n, m) for the feature, (n, 1) for each covariate
    seen: FloatArray
    shares: FloatArray
    clock: _Clock

    def take(self, models: IntArray) -> _Model:
        """Keep some models."""
        return _Model(
            [self.columns[0][:, models], *self.columns[1:]],
            self.seen[:, models],
            self.shares[:, models],
            self.clock,
        )


@dataclass(frozen=True)
class _Point:
    """The partial likelihood of every model at given coefficients."""

    beta: FloatArray  # (p, m)
    value: FloatArray
    slope: FloatArray
    information: FloatArray  # (p, p, m)

    @classmethod
    def at(cls, beta: FloatArray, model: _Model) -> _Point:
        clock, columns = model.clock, model.columns
        with np.errstate(all="ignore"):
            eta = sum((c * b for c, b in zip(columns, beta, strict=True)), np.zeros_like(model.seen))
            eta = eta - np.where(model.seen > 0, eta, -np.inf).max(axis=0, initial=-np.inf)
            risk = np.exp(np.minimum(eta, 0.0)) * model.seen
            deaths = model.seen[clock.dying]

            def competing(amounts: FloatArray) -> FloatArray:
                return clock.at_risk(amounts) - model.shares * clock.tied(amounts)

            total = np.where(deaths > 0, competing(risk), 1.0)
            value = (deaths * (eta[clock.dying] - np.log(total))).sum(axis=0)
            means = [competing(risk * column) / total for column in columns]
            slope = np.array(
                [(deaths * (c[clock.dying] - mean)).sum(axis=0) for c, mean in zip(columns, means, strict=True)]
            )
            information = np.empty((len(beta), *beta.shape))
            for a, b in zip(*np.triu_indices(len(beta)), strict=True):
                both = competing(risk * columns[a] * columns[b]) / total - means[a] * means[b]
                information[a, b] = information[b, a] = (deaths * both).sum(axis=0)
        return cls(beta, value, slope, information)

    def take(self, models: BoolArray | IntArray) -> _Point:
        """Keep some models."""
        return _Point(**{f.name: getattr(self, f.name)[..., models] for f in fields(self)})

    def put(self, models: BoolArray | IntArray, other: _Point) -> None:
        """Overwrite some models by those of another point."""
        for f in fields(self):
            getattr(self, f.name)[..., models] = getattr(other, f.name)


def _block(values: FloatArray, others: FloatArray, clock: _Clock, *, critical: float) -> Fits:
    seen = ~np.isnan(values)
    counts = seen.sum(axis=0), (seen & clock.event[:, None]).sum(axis=0)
    model, scale = _standardized(values, others, clock)
    flat = np.zeros((len(model.columns), values.shape[1]))
    start = _Point.at(flat, model) if clock.dying.size else None
    status, hopeless = _status(values, counts, model, start)
    usable = np.flatnonzero(~hopeless)
    estimate, error = np.full((2, values.shape[1]), np.nan)
    top, arrived = _maximize(model.take(usable), flat[:, usable])
    inverse, _ = inverse_and_log_determinant(top.information)
    estimate[usable] = np.where(arrived, top.beta[0] / scale[usable], np.nan)
    error[usable] = np.where(arrived, np.sqrt(inverse[0, 0]) / scale[usable], np.nan)
    status[usable[~arrived]] = "monotone likelihood: no finite estimate (Firth Cox needed)"
    z = estimate / error
    return Fits.collect(
        counts,
        status,
        hopeless=hopeless,
        estimate=estimate,
        std_error=error,
        conf_low=estimate - critical * error,
        conf_high=estimate + critical * error,
        statistic=z,
        p_value=2.0 * special.ndtr(-np.abs(z)),
    )


def _standardized(values: FloatArray, others: FloatArray, clock: _Clock) -> tuple[_Model, FloatArray]:
    seen = ~np.isnan(values)
    size = np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, values - np.where(seen, values, 0.0).sum(axis=0) / size, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / size)
    scale = np.where(scale > 0, scale, 1.0)
    columns = [centred / scale]
    for column in others.T:
        spread = column.std()
        columns.append(((column - column.mean()) / (spread if spread > 0 else 1.0))[:, None])
    known = seen.astype(np.float64)
    return _Model(columns, known, clock.shares(known), clock), scale


def _maximize(model: _Model, beta: FloatArray) -> tuple[_Point, BoolArray]:
    """Climb by Newton steps; a model has arrived when the whole step has become tiny."""
    best = _Point.at(beta, model)
    arrived = np.zeros(beta.shape[1], dtype=np.bool_)
    active, point = np.arange(beta.shape[1]), best
    for _ in range(_ITERATIONS):
        if active.size == 0:
            break
        inverse, _ = inverse_and_log_determinant(point.information)
        step = solve_with(inverse, point.slope)
        longest = np.abs(step).max(axis=0)
        step = step * np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, 1e-300))
        here = model.take(active)
        point = climb(point, step, _evaluated(here))
        best.put(active, point)
        arrived[active] = longest < _STEP_TOLERANCE
        going = np.flatnonzero(longest >= _STEP_TOLERANCE)
        active, point = active[going], point.take(going)
    return best, arrived


def _evaluated(model: _Model) -> Callable[[FloatArray, IntArray | None], _Point]:
    """Return what evaluates the coefficients of some of the models."""
    return lambda beta, models: _Point.at(beta, model if models is None else model.take(models))


def _status(
    values: FloatArray, counts: tuple[IntArray, IntArray], model: _Model, start: _Point | None
) -> tuple[StatusArray, BoolArray]:
    events = counts[1]
    top = np.fmax.reduce(values, axis=0, initial=-np.inf)
    constant = ~(top > np.fmin.reduce(values, axis=0, initial=np.inf))
    few = events < 2
    uninformed = np.zeros_like(few)
    if start is not None:
        inverse, _ = inverse_and_log_determinant(start.information)
        with np.errstate(divide="ignore", invalid="ignore"):
            uninformed = ~(1.0 / inverse[0, 0] > _NO_INFORMATION * np.maximum(events, 1))
    ordered = _orders_perfectly(model)
    status = statuses(
        values.shape[1],
        (few, lambda i: f"needs 2 events, has {events[i]}"),
        (constant, "constant feature"),
        (uninformed, "does not vary among patients at risk together, or only with the covariates"),
        (ordered, "monotone likelihood: no finite estimate (Firth Cox needed)"),
    )
    return status, few | constant | uninformed | ordered


def _orders_perfectly(model: _Model) -> BoolArray:
    """Whether every event falls to the highest, or every one to the lowest, of those at risk."""
    clock, x = model.clock, model.columns[0]
    result = np.zeros(x.shape[1], dtype=np.bool_)
    if clock.dying.size == 0:
        return result
    deaths = model.seen[clock.dying] > 0
    for sign in (1.0, -1.0):
        by_group = np.maximum.reduceat(np.where(model.seen > 0, sign * x, -np.inf), clock.starts, axis=0)
        for groups in clock.strata:
            by_group[groups] = np.maximum.accumulate(by_group[groups], axis=0)
        highest = by_group[clock.group[clock.dying]]
        result |= (~deaths | (sign * x[clock.dying] >= highest)).all(axis=0)
    return result
