"""The partial likelihood of many Cox models at once: who is at risk, its value, slope and information."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from immunosarc.stats._batched import inverse_and_log_determinant
from immunosarc.stats._fits import StatusArray, statuses
from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray

__all__ = [
    "Clock",
    "PartialLikelihood",
    "RiskModel",
    "cox_status",
    "orders_perfectly",
    "reasons_against",
    "standardized_columns",
]

# standardised information below this, next to the number of events, is rounding
_NO_INFORMATION = 1e-9


@dataclass(frozen=True)
class Entrants:
    """Who comes under observation only later: not at risk before."""

    order: IntArray  # patients by stratum and falling entry
    begins: IntArray  # for each event, where its stratum begins in that order
    ends: IntArray  # and where those end that enter at its time or later

    @classmethod
    def of(cls, entry: FloatArray, times: FloatArray, codes: IntArray, dying: IntArray) -> Entrants:
        order = np.lexsort((-entry, codes))
        begins, ends = np.empty((2, dying.size), dtype=np.int64)
        for code in np.unique(codes):
            late = -entry[order[codes[order] == code]]
            mine = codes[dying] == code
            begins[mine] = np.searchsorted(codes[order], code)
            ends[mine] = begins[mine] + np.searchsorted(late, -times[dying[mine]], side="right")
        return cls(order, begins, ends)

    def still_to_come(self, amounts: FloatArray) -> FloatArray:
        """Sum over the patients of the stratum that enter at the time of each event or later."""
        running = np.concatenate([np.zeros((1, amounts.shape[1])), amounts[self.order].cumsum(axis=0)])
        return np.asarray(running[self.ends] - running[self.begins])


@dataclass(frozen=True)
class Clock:
    """Patients by stratum and falling time, cut into groups of equal time."""

    event: BoolArray
    starts: IntArray  # first patient of each group
    group: IntArray  # group of each patient
    strata: list[slice]  # groups of each stratum
    dying: IntArray  # patients with the event
    efron: bool
    entrants: Entrants | None = None  # where some come under observation later

    @classmethod
    def of(
        cls,
        times: FloatArray,
        events: BoolArray,
        codes: IntArray,
        *,
        efron: bool,
        entry: FloatArray | None = None,
    ) -> Clock:
        new = np.ones(times.size, dtype=np.bool_)
        new[1:] = (np.diff(times) != 0) | (np.diff(codes) != 0)
        starts = np.flatnonzero(new)
        edges = np.searchsorted(codes[starts], np.append(np.unique(codes), np.inf))
        strata = [slice(a, b) for a, b in pairwise(edges)]
        dying = np.flatnonzero(events)
        entrants = None if entry is None else Entrants.of(entry, times, codes, dying)
        return cls(events, starts, np.cumsum(new) - 1, strata, dying, efron, entrants)

    def at_risk(self, amounts: FloatArray) -> FloatArray:
        """Sum over the patients at risk at the time of each event, (n_events, m)."""
        by_group = np.add.reduceat(amounts, self.starts, axis=0)
        for groups in self.strata:
            by_group[groups] = by_group[groups].cumsum(axis=0)
        here = by_group[self.group[self.dying]]
        return np.asarray(here if self.entrants is None else here - self.entrants.still_to_come(amounts))

    def stratum(self) -> IntArray:
        """Number of each patient's stratum."""
        by_group = np.repeat(np.arange(len(self.strata)), [s.stop - s.start for s in self.strata])
        return np.asarray(by_group[self.group], dtype=np.int64)

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
class RiskModel:
    """Standardised columns of all models in the order of the clock; the feature's comes first."""

    columns: list[FloatArray]  # (n, m) for the feature, (n, 1) for each covariate
    seen: FloatArray
    shares: FloatArray
    clock: Clock

    def take(self, models: IntArray) -> RiskModel:
        """Keep some models."""
        return RiskModel(
            [self.columns[0][:, models], *self.columns[1:]],
            self.seen[:, models],
            self.shares[:, models],
            self.clock,
        )

    def moments(self, beta: FloatArray) -> Callable[..., FloatArray]:
        """Return what averages products of columns over the patients at risk, (n_events, m)."""
        clock = self.clock
        eta = self.predictor(beta)
        risk = np.exp(np.minimum(eta, 0.0)) * self.seen

        def competing(amounts: FloatArray) -> FloatArray:
            return clock.at_risk(amounts) - self.shares * clock.tied(amounts)

        total = np.where(self.seen[clock.dying] > 0, competing(risk), 1.0)

        def mean_of(*places: int) -> FloatArray:
            product = risk
            for place in places:
                product = product * self.columns[place]
            return competing(product) / total

        return mean_of

    def predictor(self, beta: FloatArray) -> FloatArray:
        """Linear predictor of every patient in every model, at most 0."""
        eta = sum((c * b for c, b in zip(self.columns, beta, strict=True)), np.zeros_like(self.seen))
        return np.asarray(eta - np.where(self.seen > 0, eta, -np.inf).max(axis=0, initial=-np.inf))


@dataclass(frozen=True)
class PartialLikelihood:
    """The partial likelihood of every model at given coefficients."""

    beta: FloatArray  # (p, m)
    value: FloatArray
    slope: FloatArray
    information: FloatArray  # (p, p, m)

    @classmethod
    def at(cls, beta: FloatArray, model: RiskModel) -> PartialLikelihood:
        clock, columns = model.clock, model.columns
        with np.errstate(all="ignore"):
            eta = model.predictor(beta)
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

    def take(self, models: BoolArray | IntArray) -> PartialLikelihood:
        """Keep some models."""
        return PartialLikelihood(**{f.name: getattr(self, f.name)[..., models] for f in fields(self)})

    def put(self, models: BoolArray | IntArray, other: PartialLikelihood) -> None:
        """Overwrite some models by those of another point."""
        for f in fields(self):
            getattr(self, f.name)[..., models] = getattr(other, f.name)


def standardized_columns(values: FloatArray, others: FloatArray, clock: Clock) -> tuple[RiskModel, FloatArray]:
    """Center and scale; also return each feature's unit."""
    seen = ~np.isnan(values)
    size = np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, values - np.where(seen, values, 0.0).sum(axis=0) / size, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / size)
    scale = np.where(scale > 0, scale, 1.0)
    columns = [centred / scale]
    for column in others.T:
        middle, spread = (column.mean(), column.std()) if column.size else (0.0, 0.0)
        columns.append(((column - middle) / (spread if spread > 0 else 1.0))[:, None])
    known = seen.astype(np.float64)
    return RiskModel(columns, known, clock.shares(known), clock), scale


def cox_status(
    values: FloatArray,
    counts: tuple[IntArray, IntArray],
    model: RiskModel,
    *,
    start: PartialLikelihood | None,
    ordered: BoolArray,
    monotone: str,
) -> tuple[StatusArray, BoolArray]:
    """Why a Cox model cannot be fitted, or not be trusted, and for which features it is hopeless."""
    top = np.fmax.reduce(values, axis=0, initial=-np.inf)
    constant = ~(top > np.fmin.reduce(values, axis=0, initial=np.inf))
    free = np.zeros(values.shape[1])
    if start is not None:
        inverse, _ = inverse_and_log_determinant(start.information)
        with np.errstate(divide="ignore", invalid="ignore"):
            free = 1.0 / inverse[0, 0]
    return reasons_against(counts[1], constant=constant, free=free, ordered=ordered, monotone=monotone)


def reasons_against(
    events: IntArray, *, constant: BoolArray, free: FloatArray, ordered: BoolArray, monotone: str
) -> tuple[StatusArray, BoolArray]:
    """Status and hopelessness from what was counted; ``free`` is the standardized information at no effect."""
    few = events < 2
    with np.errstate(invalid="ignore"):
        uninformed = ~(free > _NO_INFORMATION * np.maximum(events, 1))
    status = statuses(
        len(events),
        (few, lambda i: f"needs 2 events, has {events[i]}"),
        (constant, "constant feature"),
        (uninformed, "does not vary among patients at risk together, or only with the covariates"),
        (ordered, monotone),
    )
    return status, few | constant | uninformed


def orders_perfectly(model: RiskModel) -> BoolArray:
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
