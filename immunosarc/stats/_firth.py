"""The likelihood of many logistic models at once, penalised or not: maximum, profile and limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy import special

from immunosarc.stats._batched import climb, inverse_and_log_determinant, solve_with
from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray
from immunosarc.stats._profile import profile_limits

__all__ = ["Design", "fit_profile"]

_ITERATIONS = 200
_STEP_TOLERANCE = 1e-9
_LONGEST_STEP = 5.0
# a feature that covariates explain up to this share of its variance cannot be told from them
_COLLINEAR = 1e-8


@dataclass(frozen=True)
class Design:
    """Standardised columns of all models: the feature of each, and what they have in common.

    Coefficients are (1 + q, n_features): the feature's first, then the intercept's and covariates'.
    """

    x: FloatArray  # (n, m), 0 where missing
    seen: FloatArray  # (n, m), 1.0 where measured
    y: FloatArray  # (n, 1)
    common: FloatArray  # (n, q), first column 1
    products: FloatArray  # (n, q * q) of the common columns
    penalty: float  # times the log determinant: one half for Firth's, 0 for plain maximum likelihood

    @classmethod
    def standardized(
        cls, values: FloatArray, happened: BoolArray, others: FloatArray, *, penalty: float = 0.5
    ) -> tuple[Design, FloatArray, BoolArray]:
        """Center and scale; also return each feature's unit, and whether covariates determine it."""
        seen = ~np.isnan(values)
        size = np.maximum(seen.sum(axis=0), 1)
        mean = np.where(seen, values, 0.0).sum(axis=0) / size
        centred = np.where(seen, values - mean, 0.0)
        scale = np.sqrt((centred**2).sum(axis=0) / size)
        scale = np.where(scale > 0, scale, 1.0)
        x = centred / scale
        common = np.column_stack([np.ones(len(values)), _standard_columns(others)])
        products = (common[:, :, None] * common[:, None, :]).reshape(len(values), -1)
        happened_column = happened[:, None].astype(np.float64)
        design = cls(x, seen.astype(np.float64), happened_column, common, products, penalty)
        return design, scale, design._explained()

    def take(self, columns: IntArray) -> Design:
        """Keep some features."""
        return replace(self, x=self.x[:, columns], seen=self.seen[:, columns])

    def predictor(self, beta: FloatArray) -> FloatArray:
        """Linear predictor of every patient in every model."""
        return np.asarray(self.x * beta[0] + self.common @ beta[1:])

    def information(self, weights: FloatArray) -> FloatArray:
        """X'WX of each model, (p, p, m)."""
        q = self.common.shape[1]
        matrix = np.empty((q + 1, q + 1, self.x.shape[1]))
        weighted = weights * self.x
        matrix[0, 0] = (weighted * self.x).sum(axis=0)
        matrix[0, 1:] = matrix[1:, 0] = self.common.T @ weighted
        matrix[1:, 1:] = (self.products.T @ weights).reshape(q, q, -1)
        return matrix

    def third_moments(self, weights: FloatArray) -> FloatArray:
        """Sum of w x_a x_b x_c of each model, (p, p, p, m)."""
        q = self.common.shape[1]
        moments = np.empty((q + 1, q + 1, q + 1, self.x.shape[1]))
        once, twice = weights * self.x, weights * self.x**2
        moments[0, 0, 0] = (twice * self.x).sum(axis=0)
        moments[0, 0, 1:] = moments[0, 1:, 0] = moments[1:, 0, 0] = self.common.T @ twice
        pairs = (self.products.T @ once).reshape(q, q, -1)
        moments[0, 1:, 1:] = moments[1:, 0, 1:] = moments[1:, 1:, 0] = pairs
        triples = (self.products[:, :, None] * self.common[:, None, :]).reshape(len(self.x), -1)
        moments[1:, 1:, 1:] = (triples.T @ weights).reshape(q, q, q, -1)
        return moments

    def quadratic(self, inverse: FloatArray) -> FloatArray:
        """Leverage without weight, x' A x, of every patient in every model."""
        q = self.common.shape[1]
        cross = self.common @ inverse[0, 1:]
        rest = self.products @ inverse[1:, 1:].reshape(q * q, -1)
        return np.asarray((self.x * inverse[0, 0] + 2.0 * cross) * self.x + rest)

    def gradient(self, residuals: FloatArray) -> FloatArray:
        """X'r of each model, (p, m)."""
        return np.vstack([(self.x * residuals).sum(axis=0)[None], self.common.T @ residuals])

    def _explained(self) -> BoolArray:
        information = self.information(self.seen)
        inverse, _ = inverse_and_log_determinant(information)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = 1.0 / (inverse[0, 0] * information[0, 0])
        return np.asarray(~(left > _COLLINEAR))


@dataclass(frozen=True)
class _Point:
    """The penalised likelihood of every model at given coefficients."""

    beta: FloatArray
    value: FloatArray
    slope: FloatArray  # (p, m)
    information: FloatArray
    inverse: FloatArray
    chance: FloatArray  # (n, m)
    weights: FloatArray  # (n, m)
    leverage: FloatArray  # (n, m)

    @classmethod
    def at(cls, beta: FloatArray, design: Design) -> _Point:
        with np.errstate(all="ignore"):
            eta = design.predictor(beta)
            chance = special.expit(eta)
            weights = chance * special.expit(-eta) * design.seen
            information = design.information(weights)
            inverse, log_determinant = inverse_and_log_determinant(information)
            leverage = weights * design.quadratic(inverse)
            fit = design.seen * (design.y * eta - np.logaddexp(0.0, eta))
            pull = 2.0 * design.penalty * leverage * (0.5 - chance)
            residuals = design.seen * (design.y - chance) + pull
            value = fit.sum(axis=0) + design.penalty * log_determinant
        slope = design.gradient(residuals)
        return cls(beta, value, slope, information, inverse, chance=chance, weights=weights, leverage=leverage)

    def step(self, free: slice, design: Design) -> FloatArray:
        """Newton step of the free coefficients, cut to a sane length; 0 for the held ones.

        Where the penalised likelihood bends the wrong way the information stands in for its curvature,
        which keeps the step uphill.
        """
        inverse, bends = inverse_and_log_determinant(self._curvature(design)[free, free])
        wrong = np.flatnonzero(np.isnan(bends))
        inverse[..., wrong], _ = inverse_and_log_determinant(self.information[free, free][..., wrong])
        step = np.zeros_like(self.beta)
        step[free] = solve_with(inverse, self.slope[free])
        longest = np.abs(step).max(axis=0)
        return np.asarray(step * np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, 1e-300)))

    def _curvature(self, design: Design) -> FloatArray:
        """Minus the second derivatives of the penalised likelihood, (p, p, m).

        Of half the log determinant they are half of tr(A I_ab) - tr(A I_a A I_b), where A is the inverse
        information and I_a, I_ab its derivatives by the coefficients.
        """
        if design.penalty == 0.0:
            return self.information
        with np.errstate(all="ignore"):
            slant = self.weights * (1.0 - 2.0 * self.chance)
            moved = design.third_moments(slant)
            spread = np.einsum("cdm,adbm->acbm", self.inverse, moved)
            cross = np.einsum("acdm,bdcm->abm", spread, spread)
            own = design.information((1.0 - 6.0 * self.weights) * self.leverage)
            return np.asarray(self.information - design.penalty * (own - cross))

    def take(self, models: BoolArray | IntArray) -> _Point:
        """Keep some models."""
        return _Point(**{f.name: getattr(self, f.name)[..., models] for f in fields(self)})

    def put(self, models: BoolArray | IntArray, other: _Point) -> None:
        """Overwrite some models by those of another point."""
        for f in fields(self):
            getattr(self, f.name)[..., models] = getattr(other, f.name)


def _maximize(design: Design, beta: FloatArray, *, free: slice) -> _Point:
    """Climb from ``beta`` by Newton steps over the free coefficients; NaN where it does not arrive."""
    best = _Point.at(beta, design)
    active, point = np.arange(beta.shape[1]), best
    for _ in range(_ITERATIONS):
        here = design.take(active)
        step = point.step(free, here)
        point = climb(point, step, _evaluated(here))
        best.put(active, point)
        going = np.abs(step).max(axis=0) > _STEP_TOLERANCE
        active, point = active[going], point.take(going)
        if active.size == 0:
            return best
    best.value[active] = np.nan
    return best


def _evaluated(design: Design) -> Callable[[FloatArray, IntArray | None], _Point]:
    """Return what evaluates the coefficients of some of the models."""
    return lambda beta, models: _Point.at(beta, design if models is None else design.take(models))


def _profile(design: Design, held: FloatArray, beta: FloatArray) -> _Point:
    """Hold the feature's coefficient and maximise over the others."""
    return _maximize(design, np.vstack([held[None], beta[1:]]), free=slice(1, None))


def fit_profile(design: Design, *, critical: FloatArray) -> dict[str, FloatArray]:
    """Estimate, error, limits and signed root of each feature, per standard deviation."""
    m = design.x.shape[1]
    top = _maximize(design, np.zeros((design.common.shape[1] + 1, m)), free=slice(0, None))
    null = _profile(design, np.zeros(m), top.beta)
    ratio = np.maximum(2.0 * (top.value - null.value), 0.0)
    weights = top.weights * (1.0 + 2.0 * design.penalty * top.leverage)
    variance = inverse_and_log_determinant(design.information(weights))[0][0, 0]
    limits = profile_limits(
        top,
        lambda models, held, beta: _profile(design.take(models), held, beta),
        variance=top.inverse[0, 0],
        critical=critical,
    )
    return {
        "estimate": np.where(np.isnan(top.value), np.nan, top.beta[0]),
        "std_error": np.sqrt(variance),
        "conf_low": limits[:m],
        "conf_high": limits[m:],
        "statistic": np.sign(top.beta[0]) * np.sqrt(ratio),
    }


def _standard_columns(others: FloatArray) -> FloatArray:
    if others.size == 0:
        return others
    centred = others - others.mean(axis=0)
    scale = centred.std(axis=0)
    return np.asarray(centred / np.where(scale > 0, scale, 1.0))
