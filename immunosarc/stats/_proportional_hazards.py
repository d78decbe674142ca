"""Does a hazard ratio hold all the time? The score test for effects that drift with time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.errors import did_you_mean
from immunosarc.stats._cox import cox
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_covariates,
    as_follow_up,
    as_strata,
    refuse,
)
from immunosarc.stats._rank_sums import midranks
from immunosarc.stats._survival import kaplan_meier

__all__ = ["HazardDrift", "TimeScale", "proportional_hazards"]

TimeScale: TypeAlias = Literal["km", "rank", "identity", "log"]


@dataclass(frozen=True)
class HazardDrift:
    """What speaks against a constant hazard ratio: of each term of a Cox model, and of all together.

    Attributes
    ----------
    statistic, p_value : ndarray of shape (n_terms,)
        Chi-square with one degree of freedom, and its p.
    global_statistic, global_p_value : float
        Of all terms, with ``n_terms`` degrees of freedom.
    status : str
        ``"ok"``, or why there are no numbers.

    Examples
    --------
    >>> drift = proportional_hazards([[1], [0], [1], [0], [0], [1]], [1, 2, 3, 4, 5, 6], [1] * 6)
    >>> drift.status, drift.statistic.shape
    ('ok', (1,))
    """

    statistic: FloatArray
    p_value: FloatArray
    global_statistic: float
    global_p_value: float
    status: str


def proportional_hazards(
    covariates: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    transform: TimeScale = "km",
) -> HazardDrift:
    r"""Ask whether the hazard ratios of one Cox model change with time.

    A small p says that a term works early and not late, or the other way round, so that its hazard ratio is an
    average over the follow-up. It is the score test of the terms :math:`x_j g(t)` added to the fitted model
    (Efron's ties),

    .. math:: U_j = \sum_t g(t) \sum_{i \in D_t} (x_{ij} - \bar x_j(t)), \qquad
              \chi^2_j = U_j^2 \, [I^{-1}]_{jj}

    with I the information of all terms and the added one. With 20 events it finds crude failures only: no
    finding is no proof. Source: Grambsch and Therneau 1994, doi 10.1093/biomet/81.3.515.

    Parameters
    ----------
    covariates : array_like of shape (n_patients, n_terms)
        All terms of the model; a patient with a missing one is left out.
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event; none missing.
    strata : array_like of shape (n_patients,), optional
        Each stratum has its own baseline hazard; none missing.
    transform : {"km", "rank", "identity", "log"}
        g: one less the Kaplan-Meier estimate just before t, the rank among all follow-up times, t,
        or its logarithm.

    Returns
    -------
    HazardDrift
        NaN with a ``status`` where the model cannot be fitted.

    Raises
    ------
    ImmunosarcError
        When lengths differ, something is missing, the transform is unknown, or an event at time 0
        has no logarithm.

    Examples
    --------
    >>> early = [[1], [1], [1], [0], [0], [0], [1], [0], [1], [1]]
    >>> drift = proportional_hazards(early, range(1, 11), [1] * 10)
    >>> float(drift.statistic[0].round(2)), float(drift.p_value[0].round(2))
    (3.5, 0.06)
    """
    problems: list[str] = []
    times, events = as_follow_up(time, event, None, problems)
    terms = as_covariates(covariates, times.size, problems)
    codes = as_strata(strata, times.size, problems)
    if transform not in get_args(TimeScale):
        problems.append(f"transform: unknown {transform!r}.{did_you_mean(transform, get_args(TimeScale))}")
    elif transform == "log" and (times[events] <= 0).any():
        problems.append("transform: an event at time 0 has no logarithm; use 'km' or 'rank'")
    refuse("proportional_hazards", problems)
    known = ~np.isnan(terms).any(axis=1)
    terms, times, events, codes = terms[known], times[known], events[known], codes[known]
    slopes, status = _slopes(terms, times, events, codes)
    if status != "ok":
        nothing = np.full(terms.shape[1], np.nan)
        return HazardDrift(nothing, nothing.copy(), np.nan, np.nan, status)
    terms = terms - terms.mean(axis=0)
    scale = _time_scale(times, events, transform)
    return _tested(*_score(terms, np.exp(terms @ slopes), (times, events, codes), scale))


def _slopes(terms: FloatArray, times: FloatArray, events: BoolArray, codes: IntArray) -> tuple[FloatArray, str]:
    """The coefficients of one model with all terms, each asked for in turn."""
    n_terms = terms.shape[1]
    if not n_terms:
        return np.zeros(0), "the model has no term"
    fits = [
        cox(terms[:, [j]], times, events, covariates=np.delete(terms, j, axis=1), strata=codes)
        for j in range(n_terms)
    ]
    status = next((str(fit.status[0]) for fit in fits if fit.status[0] != "ok"), "ok")
    return np.array([fit.estimate[0] for fit in fits]), status


def _time_scale(times: FloatArray, events: BoolArray, transform: TimeScale) -> dict[float, float]:
    """G at each event time."""
    moments = np.unique(times[events])
    if transform == "km":
        curve = kaplan_meier(times, events)
        values = 1.0 - np.concatenate([[1.0], curve.survival])[np.searchsorted(curve.time, moments, side="left")]
    elif transform == "rank":
        values = np.sort(midranks(times[:, None])[:, 0])[np.searchsorted(np.sort(times), moments)]
    else:
        values = np.log(moments) if transform == "log" else moments
    return dict(zip(moments.tolist(), (values - values.mean()).tolist(), strict=True))


def _score(
    terms: FloatArray,
    risk: FloatArray,
    follow_up: tuple[FloatArray, BoolArray, IntArray],
    scale: dict[float, float],
) -> tuple[FloatArray, FloatArray]:
    """Score of the drifting terms, and the information of the constant and the drifting ones."""
    times, events, codes = follow_up
    n_terms = terms.shape[1]
    score, information = np.zeros(n_terms), np.zeros((2, 2, n_terms, n_terms))
    for code, moment in sorted(set(zip(codes[events].tolist(), times[events].tolist(), strict=True))):
        waiting = (codes == code) & (times >= moment)
        dying = (waiting & events & (times == moment))[waiting]
        x, g, deaths = terms[waiting], scale[moment], np.count_nonzero(dying)
        surplus = x[dying].sum(axis=0)
        for place in range(deaths):
            weight = risk[waiting] * np.where(dying, 1.0 - place / deaths, 1.0)
            weight /= weight.sum()
            mean = weight @ x
            surplus -= mean
            spread = (x * weight[:, None]).T @ x - np.outer(mean, mean)
            information += np.array([[1.0, g], [g, g * g]])[:, :, None, None] * spread
        score += g * surplus
    return score, information


def _tested(score: FloatArray, information: FloatArray) -> HazardDrift:
    n_terms = len(score)
    whole = information.transpose(0, 2, 1, 3).reshape(2 * n_terms, 2 * n_terms)
    statistic = np.array([_chi_square(score, whole, [j]) for j in range(n_terms)])
    together = _chi_square(score, whole, list(range(n_terms)))
    status = "ok" if np.isfinite([*statistic, together]).all() else "events at too few times to see a drift"
    return HazardDrift(
        statistic, special.chdtrc(1, statistic), together, float(special.chdtrc(n_terms, together)), status
    )


def _chi_square(score: FloatArray, whole: FloatArray, added: list[int]) -> float:
    n_terms = len(score)
    rows = [*range(n_terms), *(n_terms + j for j in added)]
    part = whole[np.ix_(rows, rows)]
    if np.linalg.cond(part) > 1e14:
        return float("nan")
    gain = np.concatenate([np.zeros(n_terms), score[added]])
    return float(gain @ np.linalg.solve(part, gain))
