"""Log odds ratios that stay finite when a feature separates the responders: Firth's penalty."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._batched import inverse_and_log_determinant, solve_with
from immunosarc.stats._fits import Fits, StatusArray, statuses
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_binary,
    as_covariates,
    as_features,
    check_level,
    refuse,
)

__all__ = ["firth_logistic"]

_ITERATIONS = 200
_STEP_TOLERANCE = 1e-9
_LONGEST_STEP = 5.0
# twice the log-likelihood difference must meet the chi-square quantile this closely
_ROOT_TOLERANCE = 1e-10
# a feature that covariates explain up to this share of its variance cannot be told from them
_COLLINEAR = 1e-8
# numbers held at once for each block of features, some tens of MB
_NUMBERS = 2_000_000


def firth_logistic(
    features: ArrayLike,
    outcome: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    level: float = 0.95,
) -> Fits:
    r"""Estimate how the odds of response change with each feature, finite even when it separates them.

    Each feature has its own logistic model with intercept and the covariates, fitted by the
    likelihood with Jeffreys' prior,

    .. math:: \ell^*(\beta) = \sum_i [y_i \eta_i - \log(1 + e^{\eta_i})] + \tfrac12 \log |X^T W X|

    ``estimate`` is the log odds ratio for one unit of the feature. The interval and the test come
    from the profile of :math:`\ell^*`: the limits are where
    :math:`2(\ell^*_{\max} - \ell^*(\beta))` equals the chi-square quantile, verified to 1e-8, the other
    coefficients maximised anew; ``statistic`` is the signed root of the penalised likelihood ratio
    at zero and ``p_value`` its p-value. ``std_error`` is from the augmented information
    :math:`X^T W (1 + h) X`, as the R package logistf reports it; with few patients it is a little smaller
    than the root of the inverse Fisher information and nothing here is computed from it. Sources:
    Firth 1993, doi 10.1093/biomet/80.1.27; Heinze and Schemper 2002, doi 10.1002/sim.1047.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    outcome : array_like of bool, shape (n_patients,)
        True for response; none missing.
    covariates : array_like of shape (n_patients, k), optional
        In every model; a patient with a missing one is left out of all.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; ``p_exact`` is NaN. ``status`` marks features that separate the
        groups completely: estimate and limits are then finite only through the penalty.

    Raises
    ------
    ImmunosarcError
        When lengths differ, an outcome is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])
    >>> fits = firth_logistic(score, [0, 0, 1, 0, 1, 1])
    >>> [round(float(x[0]), 2) for x in (fits.estimate, fits.conf_low, fits.conf_high)]
    [0.68, -0.21, 2.35]
    """
    problems: list[str] = []
    values = as_features(features, problems)
    happened = as_binary(outcome, len(values), "outcome", problems)
    others = as_covariates(covariates, len(values), problems)
    check_level(level, problems)
    refuse("firth_logistic", problems)
    complete = ~np.isnan(others).any(axis=1)
    critical = float(special.chdtri(1.0, 1.0 - level))
    step = max(1, _NUMBERS // max(len(values), 1))
    blocks = [
        _block(values[complete, start : start + step], happened[complete], others[complete], critical=critical)
        for start in range(0, max(values.shape[1], 1), step)
    ]
    return Fits.join(blocks)


def _block(values: FloatArray, happened: BoolArray, others: FloatArray, *, critical: float) -> Fits:
    seen = ~np.isnan(values)
    counts = seen.sum(axis=0), (seen & happened[:, None]).sum(axis=0)
    design, scale, explained = _Design.standardized(values, happened, others)
    status, hopeless = _status(values, happened, counts, explained=explained, n_others=others.shape[1])
    usable = np.flatnonzero(~hopeless)
    names = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value")
    columns = {name: np.full(values.shape[1], np.nan) for name in names}
    found = _fit(design.take(usable), critical=critical)
    for name in names:
        unit = scale[usable] if name not in ("statistic", "p_value") else 1.0
        columns[name][usable] = found[name] / unit
    lost = ~hopeless & ~np.isfinite(columns["estimate"] + columns["conf_low"] + columns["conf_high"])
    status[lost] = "not converged"
    return Fits.collect(counts, status, hopeless=hopeless, **columns)


@dataclass(frozen=True)
class _Design:
    """Standardised columns of all models: the feature of each, and what they have in common.

    Coefficients are (1 + q, n_features): the feature's first, then the intercept's and covariates'.
    """

    x: FloatArray  # (n, m), 0 where missing
    seen: FloatArray  # (n, m), 1.0 where measured
    y: FloatArray  # (n, 1)
    common: FloatArray  # (n, q), first column 1
    products: FloatArray  # (n, q * q) of the common columns

    @classmethod
    def standardized(
        cls, values: FloatArray, happened: BoolArray, others: FloatArray
    ) -> tuple[_Design, FloatArray, BoolArray]:
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
        design = cls(x, seen.astype(np.float64), happened[:, None].astype(np.float64), common, products)
        return design, scale, design._explained()

    def take(self, columns: IntArray) -> _Design:
        """Keep some features."""
        return _Design(self.x[:, columns], self.seen[:, columns], self.y, self.common, self.products)

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
    def at(cls, beta: FloatArray, design: _Design) -> _Point:
        with np.errstate(all="ignore"):
            eta = design.predictor(beta)
            chance = special.expit(eta)
            weights = chance * special.expit(-eta) * design.seen
            information = design.information(weights)
            inverse, log_determinant = inverse_and_log_determinant(information)
            leverage = weights * design.quadratic(inverse)
            fit = design.seen * (design.y * eta - np.logaddexp(0.0, eta))
            residuals = design.seen * (design.y - chance) + leverage * (0.5 - chance)
            value = fit.sum(axis=0) + log_determinant / 2.0
        slope = design.gradient(residuals)
        return cls(beta, value, slope, information, inverse, chance=chance, weights=weights, leverage=leverage)

    def step(self, free: slice, design: _Design) -> FloatArray:
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

    def _curvature(self, design: _Design) -> FloatArray:
        """Minus the second derivatives of the penalised likelihood, (p, p, m).

        Of half the log determinant they are half of tr(A I_ab) - tr(A I_a A I_b), where A is the inverse
        information and I_a, I_ab its derivatives by the coefficients.
        """
        with np.errstate(all="ignore"):
            slant = self.weights * (1.0 - 2.0 * self.chance)
            moved = design.third_moments(slant)
            spread = np.einsum("cdm,adbm->acbm", self.inverse, moved)
            cross = np.einsum("acdm,bdcm->abm", spread, spread)
            own = design.information((1.0 - 6.0 * self.weights) * self.leverage)
            return np.asarray(self.information - (own - cross) / 2.0)

    def take(self, models: BoolArray | IntArray) -> _Point:
        """Keep some models."""
        return _Point(**{f.name: getattr(self, f.name)[..., models] for f in fields(self)})

    def put(self, models: BoolArray | IntArray, other: _Point) -> None:
        """Overwrite some models by those of another point."""
        for f in fields(self):
            getattr(self, f.name)[..., models] = getattr(other, f.name)


def _maximize(design: _Design, beta: FloatArray, *, free: slice) -> _Point:
    """Climb from ``beta`` by Newton steps over the free coefficients; NaN where it does not arrive."""
    best = _Point.at(beta, design)
    active, point = np.arange(beta.shape[1]), best
    for _ in range(_ITERATIONS):
        here = design.take(active)
        step = point.step(free, here)
        point = _climb(point, step, here)
        best.put(active, point)
        going = np.abs(step).max(axis=0) > _STEP_TOLERANCE
        active, point = active[going], point.take(going)
        if active.size == 0:
            return best
    best.value[active] = np.nan
    return best


def _climb(point: _Point, step: FloatArray, design: _Design) -> _Point:
    """Take the step, halved where it would go down."""
    trial = _Point.at(point.beta + step, design)
    slack = 1e-12 * (1.0 + np.abs(point.value))
    for _ in range(40):
        worse = np.flatnonzero(~(trial.value >= point.value - slack))
        if worse.size == 0:
            break
        step[:, worse] /= 2.0
        trial.put(worse, _Point.at(point.beta[:, worse] + step[:, worse], design.take(worse)))
    return trial


def _profile(design: _Design, held: FloatArray, beta: FloatArray) -> _Point:
    """Hold the feature's coefficient and maximise over the others."""
    return _maximize(design, np.vstack([held[None], beta[1:]]), free=slice(1, None))


def _fit(design: _Design, *, critical: float) -> dict[str, FloatArray]:
    m = design.x.shape[1]
    top = _maximize(design, np.zeros((design.common.shape[1] + 1, m)), free=slice(0, None))
    null = _profile(design, np.zeros(m), top.beta)
    ratio = np.maximum(2.0 * (top.value - null.value), 0.0)
    augmented = top.weights * (1.0 + top.leverage)
    variance = inverse_and_log_determinant(design.information(augmented))[0][0, 0]
    limits = _limits(design, top, critical=critical)
    return {
        "estimate": np.where(np.isnan(top.value), np.nan, top.beta[0]),
        "std_error": np.sqrt(variance),
        "conf_low": limits[:m],
        "conf_high": limits[m:],
        "statistic": np.sign(top.beta[0]) * np.sqrt(ratio),
        "p_value": special.chdtrc(1.0, ratio),
    }


def _limits(design: _Design, top: _Point, *, critical: float) -> FloatArray:
    """All lower, then all upper limits: where the profile has fallen by half the critical value.

    Newton on the signed root of the fall, which is nearly straight, inside a bracket that grows
    until it holds the limit; a limit counts only when the fall there is the critical value.
    """
    m = top.value.size
    model, side = np.tile(np.arange(m), 2), np.repeat([-1.0, 1.0], m)
    peak, height = top.beta[0, model], top.value[model]
    held = peak + side * np.sqrt(critical * top.inverse[0, 0, model])
    inner, outer = peak.copy(), np.full(2 * m, np.inf) * side
    beta, found = top.beta[:, model], np.full(2 * m, np.nan)
    active = np.flatnonzero(np.isfinite(held))
    for _ in range(_ITERATIONS):
        if active.size == 0:
            break
        point = _profile(design.take(model[active]), held[active], beta[:, active])
        beta[:, active] = point.beta
        fall = 2.0 * (height[active] - point.value)
        done = np.abs(fall - critical) < _ROOT_TOLERANCE * max(1.0, critical)
        found[active[done]] = held[active[done]]
        short, far = active[fall < critical], active[fall > critical]
        inner[short], outer[far] = held[short], held[far]
        held[active] = _next_guess(
            held[active],
            fall,
            point.slope[0],
            critical=critical,
            bracket=(peak[active], inner[active], outer[active]),
        )
        active = active[~done & np.isfinite(fall)]
    return found


def _next_guess(
    held: FloatArray,
    fall: FloatArray,
    slope: FloatArray,
    *,
    critical: float,
    bracket: tuple[FloatArray, FloatArray, FloatArray],
) -> FloatArray:
    peak, inner, outer = bracket
    with np.errstate(all="ignore"):
        root = np.sqrt(fall)
        newton = held - (np.sqrt(critical) - root) * root / slope
        # without an outer end yet, go at most three times as far from the peak
        end = np.where(np.isfinite(outer), outer, peak + 3.0 * (held - peak))
        inside = (newton - inner) * (newton - end) < 0
        fallback = np.where(np.isfinite(outer), (inner + outer) / 2.0, end)
    return np.where(inside, newton, fallback)


def _standard_columns(others: FloatArray) -> FloatArray:
    if others.size == 0:
        return others
    centred = others - others.mean(axis=0)
    scale = centred.std(axis=0)
    return np.asarray(centred / np.where(scale > 0, scale, 1.0))


def _status(
    values: FloatArray,
    happened: BoolArray,
    counts: tuple[IntArray, IntArray],
    *,
    explained: BoolArray,
    n_others: int,
) -> tuple[StatusArray, BoolArray]:
    size, events = counts
    top_yes, bottom_yes = _extremes(values[happened])
    top_no, bottom_no = _extremes(values[~happened])
    one_class = (events == 0) | (events == size)
    constant = np.maximum(top_yes, top_no) <= np.minimum(bottom_yes, bottom_no)
    few = size < n_others + 3
    separated = (bottom_yes >= top_no) | (bottom_no >= top_yes)
    status = statuses(
        values.shape[1],
        (one_class, lambda i: f"needs patients in both groups, has {events[i]} and {size[i] - events[i]}"),
        (constant, "constant feature"),
        (few, lambda i: f"needs {n_others + 3} patients, has {size[i]}"),
        (explained, "determined by the covariates, or these by each other"),
        (separated, "separated: finite only through the penalty"),
    )
    return status, one_class | constant | few | explained


def _extremes(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    top = np.fmax.reduce(values, axis=0, initial=-np.inf)
    bottom = np.fmin.reduce(values, axis=0, initial=np.inf)
    return top, bottom
