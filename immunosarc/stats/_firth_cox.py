"""Log hazard ratios that stay finite when a feature orders the events: Firth's penalty in Cox models."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import combinations_with_replacement, permutations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._batched import ascend, inverse_and_log_determinant, newton_step
from immunosarc.stats._cox import fit_in_blocks
from immunosarc.stats._fits import Fits
from immunosarc.stats._inputs import BoolArray, FloatArray, IntArray
from immunosarc.stats._logrank import Ties
from immunosarc.stats._partial_likelihood import (
    Clock,
    PartialLikelihood,
    RiskModel,
    cox_status,
    orders_perfectly,
    standardized_columns,
)
from immunosarc.stats._profile import profile_limits

__all__ = ["firth_cox"]

_ORDERED = "monotone likelihood: finite only through the penalty"
_NAMES = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value")


def firth_cox(
    features: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    covariates: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    ties: Ties = "efron",
    level: float = 0.95,
) -> Fits:
    r"""Estimate how the hazard changes with each feature, finite even when it orders the events perfectly.

    Each feature has its own proportional hazards model with the covariates, fitted within strata by
    the partial likelihood of :func:`cox` with Jeffreys' prior,

    .. math:: \ell^*(\beta) = \ell(\beta) + \tfrac12 \log |I(\beta)|

    ``estimate`` is the log hazard ratio for one unit of the feature. The interval and the test come
    from the profile of :math:`\ell^*`: the limits are where :math:`2(\ell^*_{\max} - \ell^*(\beta))`
    equals the chi-square quantile, verified to 1e-8, the covariates' coefficients maximized anew;
    ``statistic`` is the signed root of the penalized likelihood ratio at zero, ``p_value`` its p-value.
    ``std_error`` is from the inverse information at the estimate; nothing here is computed from it.
    Sources: Firth 1993, doi 10.1093/biomet/80.1.27; Heinze and Schemper 2001,
    doi 10.1111/j.0006-341X.2001.00114.x.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event; none missing.
    entry : array_like of shape (n_patients,), optional
        When a row came under observation, before its ``time``: it is at risk after its entry and up to its
        time (counting process). A patient whose feature changes has one row for each value.
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
        One row for each feature; ``n_events`` counts events, ``p_exact`` is NaN. ``status`` marks
        features that order the events perfectly: their numbers are finite only through the penalty.

    Raises
    ------
    ImmunosarcError
        When lengths differ, a time, event or stratum is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[6.0], [5.0], [4.0], [3.0], [2.0], [1.0]])
    >>> fits = firth_cox(score, [1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1])
    >>> bool(np.isfinite(fits.conf_high[0])), fits.status[0]
    (True, 'monotone likelihood: finite only through the penalty')
    """
    return fit_in_blocks(
        "firth_cox",
        _block,
        features,
        (time, event, entry),
        covariates=covariates,
        strata=strata,
        ties=ties,
        level=level,
    )


@dataclass(frozen=True)
class _Penalized:
    """The penalized partial likelihood of every model at given coefficients."""

    beta: FloatArray  # (p, m)
    value: FloatArray
    slope: FloatArray  # (p, m)
    inverse: FloatArray  # (p, p, m) of the information
    information: FloatArray

    @classmethod
    def at(cls, beta: FloatArray, model: RiskModel) -> _Penalized:
        plain = PartialLikelihood.at(beta, model)
        inverse, log_determinant = inverse_and_log_determinant(plain.information)
        slope = plain.slope + _pull(beta, model, inverse)
        return cls(beta, plain.value + log_determinant / 2.0, slope, inverse, plain.information)

    def take(self, models: BoolArray | IntArray) -> _Penalized:
        """Keep some models."""
        return _Penalized(**{f.name: getattr(self, f.name)[..., models] for f in fields(self)})

    def put(self, models: BoolArray | IntArray, other: _Penalized) -> None:
        """Overwrite some models by those of another point."""
        for f in fields(self):
            getattr(self, f.name)[..., models] = getattr(other, f.name)


def _pull(beta: FloatArray, model: RiskModel, inverse: FloatArray) -> FloatArray:
    """Slope of half the log determinant of the information: half of tr(A dI/db_c).

    The derivative of the information is the sum over deaths of the third central moments of the
    columns among the patients at risk.
    """
    pull = np.zeros_like(beta)
    with np.errstate(all="ignore"):
        third = _third_moments(beta, model)
        for triple, moment in third.items():
            for a, b, c in set(permutations(triple)):
                pull[c] += inverse[a, b] * moment / 2.0
    return pull


def _third_moments(beta: FloatArray, model: RiskModel) -> dict[tuple[int, int, int], FloatArray]:
    mean_of = model.moments(beta)
    places = range(len(beta))
    first = [mean_of(a) for a in places]
    second = {pair: mean_of(*pair) for pair in combinations_with_replacement(places, 2)}
    deaths = model.seen[model.clock.dying]
    found = {}
    for a, b, c in combinations_with_replacement(places, 3):
        central = (
            mean_of(a, b, c)
            - second[a, b] * first[c]
            - second[a, c] * first[b]
            - second[b, c] * first[a]
            + 2.0 * first[a] * first[b] * first[c]
        )
        found[a, b, c] = (deaths * central).sum(axis=0)
    return found


def _block(values: FloatArray, others: FloatArray, clock: Clock, level: float) -> Fits:
    seen = ~np.isnan(values)
    counts = seen.sum(axis=0), (seen & clock.event[:, None]).sum(axis=0)
    model, scale = standardized_columns(values, others, clock)
    flat = np.zeros((len(model.columns), values.shape[1]))
    start = PartialLikelihood.at(flat, model) if clock.dying.size else None
    ordered = orders_perfectly(model)
    status, hopeless = cox_status(values, counts, model, start=start, ordered=ordered, monotone=_ORDERED)
    usable = np.flatnonzero(~hopeless)
    columns = {name: np.full(values.shape[1], np.nan) for name in _NAMES}
    found = _fit(model.take(usable), critical=float(special.chdtri(1.0, 1.0 - level)))
    for name in _NAMES:
        unit = scale[usable] if name not in ("statistic", "p_value") else 1.0
        columns[name][usable] = found[name] / unit
    lost = ~hopeless & ~np.isfinite(columns["estimate"] + columns["conf_low"] + columns["conf_high"])
    status[lost] = "not converged"
    return Fits.collect(counts, status, hopeless=hopeless | lost, **columns)


def _fit(model: RiskModel, *, critical: float) -> dict[str, FloatArray]:
    """Estimate, error, limits, signed root and p-value of each feature, per standard deviation."""
    m = model.seen.shape[1]
    if m == 0 or model.clock.dying.size == 0:
        return {name: np.full(m, np.nan) for name in _NAMES}
    top = _maximize(model, np.zeros((len(model.columns), m)), free=slice(0, None))
    null = _profile(model, np.zeros(m), top.beta)
    ratio = np.maximum(2.0 * (top.value - null.value), 0.0)
    limits = profile_limits(
        top,
        lambda models, held, beta: _profile(model.take(models), held, beta),
        variance=top.inverse[0, 0],
        critical=critical,
    )
    return {
        "estimate": np.where(np.isnan(top.value), np.nan, top.beta[0]),
        "std_error": np.sqrt(top.inverse[0, 0]),
        "conf_low": limits[:m],
        "conf_high": limits[m:],
        "statistic": np.sign(top.beta[0]) * np.sqrt(ratio),
        "p_value": special.chdtrc(1.0, ratio),
    }


def _profile(model: RiskModel, held: FloatArray, beta: FloatArray) -> _Penalized:
    """Hold the feature's coefficient and maximize over the others."""
    return _maximize(model, np.vstack([held[None], beta[1:]]), free=slice(1, None))


def _maximize(model: RiskModel, beta: FloatArray, *, free: slice) -> _Penalized:
    """Climb from ``beta`` over the free coefficients; the value is NaN where it does not arrive."""
    start = _Penalized.at(beta, model)
    if beta[free].size == 0:
        return start
    return ascend(
        start,
        lambda point: newton_step(point.information, point.slope, free),
        lambda trial, models: _Penalized.at(trial, model.take(models)),
    )
