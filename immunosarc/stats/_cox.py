"""Log hazard ratios of every feature, each in its own Cox model, fitted together."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.errors import did_you_mean
from immunosarc.stats._batched import WORTH_COMPILING, climb, inverse_and_log_determinant, solve_with
from immunosarc.stats._fits import Fits, StatusArray
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_covariates,
    as_entry,
    as_features,
    as_follow_up,
    as_strata,
    check_level,
    refuse,
)
from immunosarc.stats._logrank import Ties
from immunosarc.stats._partial_likelihood import (
    Clock,
    PartialLikelihood,
    RiskModel,
    cox_status,
    orders_perfectly,
    reasons_against,
    standardized_columns,
)

__all__ = ["cox", "fit_in_blocks"]

_ITERATIONS = 60
_STEP_TOLERANCE = 1e-9
_LONGEST_STEP = 4.0
_MONOTONE = "monotone likelihood: no finite estimate (Firth Cox needed)"
# numbers held at once for each block of features, some tens of MB
_NUMBERS = 2_000_000


def cox(
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
    block = _compiled_block if entry is None and _worth_compiling(features, covariates) else _block
    return fit_in_blocks(
        "cox", block, features, (time, event, entry), covariates=covariates, strata=strata, ties=ties, level=level
    )


def fit_in_blocks(
    function: str,
    block: Callable[[FloatArray, FloatArray, Clock, float], Fits],
    features: ArrayLike,
    follow_up: tuple[ArrayLike, ArrayLike, ArrayLike | None],
    *,
    covariates: ArrayLike | None,
    strata: ArrayLike | None,
    ties: Ties,
    level: float,
) -> Fits:
    """Check the input of a Cox model, set the clock, and fit some features at a time.

    ``block(values, covariates, clock, level)`` gets patients in the order of the clock.
    """
    problems: list[str] = []
    values = as_features(features, problems)
    times, events = as_follow_up(*follow_up[:2], len(values), problems)
    entry = as_entry(follow_up[2], times, problems)
    others = as_covariates(covariates, len(values), problems)
    codes = as_strata(strata, len(values), problems)
    check_level(level, problems)
    if ties not in get_args(Ties):
        problems.append(f"ties: unknown {ties!r}.{did_you_mean(ties, get_args(Ties))}")
    refuse(function, problems)
    complete = np.flatnonzero(~np.isnan(others).any(axis=1))
    # latest first within a stratum, so that a risk set is a running sum; events last among equal times
    order = complete[np.lexsort((events[complete], -times[complete], codes[complete]))]
    clock = Clock.of(
        times[order],
        events[order],
        codes[order],
        efron=ties == "efron",
        entry=None if entry is None else entry[order],
    )
    step = max(1, _NUMBERS // max(len(values), 1))
    blocks = [
        block(values[order, start : start + step], others[order], clock, level)
        for start in range(0, max(values.shape[1], 1), step)
    ]
    return Fits.join(blocks)


def _block(values: FloatArray, others: FloatArray, clock: Clock, level: float) -> Fits:
    seen = ~np.isnan(values)
    counts = seen.sum(axis=0), (seen & clock.event[:, None]).sum(axis=0)
    model, scale = standardized_columns(values, others, clock)
    flat = np.zeros((len(model.columns), values.shape[1]))
    start = PartialLikelihood.at(flat, model) if clock.dying.size else None
    ordered = orders_perfectly(model)
    status, hopeless = cox_status(values, counts, model, start=start, ordered=ordered, monotone=_MONOTONE)
    hopeless = hopeless | ordered
    usable = np.flatnonzero(~hopeless)
    estimate, error = np.full((2, values.shape[1]), np.nan)
    top, arrived = _maximize(model.take(usable), flat[:, usable])
    inverse, _ = inverse_and_log_determinant(top.information)
    estimate[usable] = np.where(arrived, top.beta[0] / scale[usable], np.nan)
    error[usable] = np.where(arrived, np.sqrt(inverse[0, 0]) / scale[usable], np.nan)
    status[usable[~arrived]] = _MONOTONE
    return _wald(counts, status, hopeless=hopeless, estimate=estimate, error=error, level=level)


def _wald(
    counts: tuple[IntArray, IntArray],
    status: StatusArray,
    *,
    hopeless: BoolArray,
    estimate: FloatArray,
    error: FloatArray,
    level: float,
) -> Fits:
    critical = float(special.ndtri((1.0 + level) / 2.0))
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


def _worth_compiling(features: ArrayLike, covariates: ArrayLike | None) -> bool:
    """Whether the compiled scan saves more than it costs to load; it knows no covariates."""
    return covariates is None and np.size(features) >= WORTH_COMPILING


def _compiled_block(values: FloatArray, others: FloatArray, clock: Clock, level: float) -> Fits:
    """The numbers of :func:`_block` for models without covariates."""
    from immunosarc.stats._cox_compiled import COLUMNS, fit_each  # numba loads only for large panels

    found = dict(
        zip(COLUMNS, fit_each(values, clock.group, clock.stratum(), clock.event, clock.efron), strict=True)
    )
    counts = found["n"].astype(np.int64), found["n_events"].astype(np.int64)
    ordered = found["ordered"] > 0
    status, hopeless = reasons_against(
        counts[1], constant=found["unit"] == 0, free=found["information"], ordered=ordered, monotone=_MONOTONE
    )
    hopeless = hopeless | ordered
    lost = np.flatnonzero(~hopeless & (found["arrived"] == 0))
    fits = _wald(
        counts,
        status,
        hopeless=hopeless,
        estimate=found["estimate"],
        error=np.where(hopeless, np.nan, found["std_error"]),
        level=level,
    )
    return fits.replaced(lost, _block(values[:, lost], others, clock, level)) if lost.size else fits


def _maximize(model: RiskModel, beta: FloatArray) -> tuple[PartialLikelihood, BoolArray]:
    """Climb by Newton steps; a model has arrived when the whole step has become tiny."""
    best = PartialLikelihood.at(beta, model)
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


def _evaluated(model: RiskModel) -> Callable[[FloatArray, IntArray | None], PartialLikelihood]:
    """Return what evaluates the coefficients of some of the models."""
    return lambda beta, models: PartialLikelihood.at(beta, model if models is None else model.take(models))
