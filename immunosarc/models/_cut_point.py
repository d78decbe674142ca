"""High and low by a cut that was searched for, with the price of the search."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema, stats
from immunosarc.cohort import is_simulated, marked
from immunosarc.errors import PlanError
from immunosarc.models._analysis_set import AnalysisSet, PerPatient, analysis_set
from immunosarc.models._landmark import endpoint_named

__all__ = ["search_cut_points"]

Floats = NDArray[np.float64]
_TOO_FEW = "fewer than two groups of patients to tell apart"
_ONE_OUTCOME = "all patients have the same outcome"


def search_cut_points(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    strata: PerPatient = None,
    landmark_day: int | None = None,
    min_share: float = 0.1,
    n_permutations: int = 10_000,
    n_bootstrap: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Where a feature would split patients best, and what is left when the search is paid for.

    Look at the feature as a number first (:func:`associate`): a cut throws information away. When a
    cut is needed, the best one looks far better than it is; pure noise is "significant" at its best
    cut in about four of ten trials of 30 patients. Here the p-value repeats the search in permuted
    data, the interval of the cut comes from bootstrap samples, and the effect is also given in the
    patients who did not choose the cut. The p-value without the correction is not given at all.

    Parameters
    ----------
    table : DataFrame
        ``schema.PATIENT_FEATURES``, from ``cohort.at("pre").per_patient(scores)``.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    endpoint : str
        A binary or time-to-event name of ``schema.ENDPOINTS``.
    strata : Series or DataFrame, optional
        Indexed by patient; expectation and permutation stay within strata.
    landmark_day : int, optional
        As in :func:`associate`.
    min_share : float
        Smallest share of patients on either side of a cut.
    n_permutations, n_bootstrap : int
        Permutations for the p-values; bootstrap samples for interval and out-of-bag effect.
    level : float
        Of the interval of the cut.
    seed : int
        Same seed, same numbers.

    Returns
    -------
    DataFrame
        ``schema.CUT_POINT``, one row per feature in the order of the table. The log hazard ratio is
        the one-step estimate, observed minus expected over its variance (doi
        10.1016/S0033-0620(85)80003-7).

    Raises
    ------
    UnknownNameError
        Unknown endpoint.
    PlanError
        An ordinal endpoint, or strata that are not indexed by these patients.
    ImmortalTimeError
        As in :func:`associate`.

    References
    ----------
    Hothorn T, Lausen B. 2003, doi 10.1016/S0167-9473(02)00225-6.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["mcp_b_lineage"]]
    >>> found = search_cut_points(
    ...     cohort.at("pre").per_patient(scores),
    ...     ims.endpoints.derive(cohort),
    ...     endpoint="objective_response",
    ...     strata=cohort.patients["schedule_stage"],
    ...     n_permutations=500,
    ...     n_bootstrap=50,
    ... )
    >>> found["feature"].tolist()
    ['mcp_b_lineage']
    """
    target = endpoint_named(endpoint)
    if target.kind == "ordinal":
        raise PlanError(f"{endpoint!r} is ordinal; a cut is searched for a binary or a time-to-event endpoint.")
    data = analysis_set(table, outcomes, target, strata=strata, landmark_day=landmark_day)
    found = stats.maximally_selected(
        data.features,
        _scores(data, np.arange(len(data.event))),
        strata=data.strata,
        min_share=min_share,
        n_permutations=n_permutations,
        seed=seed,
    )
    high = data.features > found.cut
    measured = np.isfinite(data.features)
    rows = pd.DataFrame(
        {
            "feature": data.names,
            "scoring": [table.attrs.get("scoring", {}).get(name) for name in data.names],
            "timepoint": data.timepoint,
            "endpoint": endpoint,
            "population": data.population,
            "stratified_by": data.stratified_by,
            "n": found.n,
            "n_events": (measured & data.event[:, None]).sum(axis=0),
            "n_cuts": found.n_cuts,
            "cut": found.cut,
            **_bootstrapped(data, np.sign(found.statistic), (min_share, level), n_bootstrap, seed),
            "n_high": np.where(np.isfinite(found.cut), high.sum(axis=0), np.nan),
            "statistic": found.statistic,
            "p_corrected": found.p_value,
            "p_maxt": found.p_maxt,
            "measure": "risk_difference" if data.time is None else "log_hazard_ratio",
            "apparent": [_effect(data, np.flatnonzero(measured[:, j]), j, cut) for j, cut in enumerate(found.cut)],
            "status": [
                "ok" if np.isfinite(cut) else (_TOO_FEW if cuts == 0 else _ONE_OUTCOME)
                for cut, cuts in zip(found.cut, found.n_cuts, strict=True)
            ],
        }
    )
    return marked(schema.CUT_POINT.check(rows), simulated=is_simulated(outcomes))


def _scores(data: AnalysisSet, chosen: NDArray[np.intp]) -> Floats:
    """Return the scores of the chosen patients, which may occur twice; log-rank scores within strata."""
    if data.time is None:
        return data.event[chosen].astype(float)
    scores = np.zeros(len(chosen))
    codes = data.strata[chosen]
    for code in np.unique(codes):
        inside = codes == code
        scores[inside] = stats.log_rank_scores(data.follow_up()[chosen[inside]], data.event[chosen[inside]])
    return scores


def _effect(data: AnalysisSet, chosen: NDArray[np.intp], feature: int, cut: float) -> float:
    """Return the effect of being above the cut among the chosen patients; NaN where it has none."""
    above = data.features[chosen, feature] > cut
    if not np.isfinite(cut) or above.all() or not above.any():
        return float("nan")
    if data.time is None:
        event = data.event[chosen]
        return float(event[above].mean() - event[~above].mean())
    surplus = variance = 0.0
    for code in np.unique(data.strata[chosen]):
        mine = chosen[data.strata[chosen] == code]
        part = _log_rank(data.follow_up()[mine], data.event[mine], data.features[mine, feature] > cut)
        surplus, variance = surplus + part[0], variance + part[1]
    return surplus / variance if variance > 0 else float("nan")


def _log_rank(time: Floats, event: NDArray[np.bool_], above: NDArray[np.bool_]) -> tuple[float, float]:
    """Return observed minus expected events above the cut, and the hypergeometric variance."""
    moments = np.unique(time[event])
    n, n_above = (len(t) - np.searchsorted(np.sort(t), moments) for t in (time, time[above]))
    deaths, deaths_above = (
        np.searchsorted(t, moments, side="right") - np.searchsorted(t, moments)
        for t in (np.sort(time[event]), np.sort(time[event & above]))
    )
    share = n_above / n
    spread = deaths * share * (1.0 - share) * (n - deaths) / np.maximum(n - 1, 1)
    return float((deaths_above - deaths * share).sum()), float(spread.sum())


def _bootstrapped(
    data: AnalysisSet, signs: Floats, shares: tuple[float, float], n_bootstrap: int, seed: int
) -> dict[str, Floats]:
    """Return the interval of each cut, and its effect in the patients that a bootstrap sample left out."""
    min_share, level = shares
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(data.strata == code) for code in np.unique(data.strata)]
    cuts = np.full((n_bootstrap, len(data.names)), np.nan)
    uppers, effects = np.full_like(cuts, np.nan), np.full_like(cuts, np.nan)
    for b in range(n_bootstrap):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        scores = _scores(data, drawn)
        out = np.setdiff1d(np.arange(len(data.event)), drawn)
        for j in range(len(data.names)):
            cuts[b, j], uppers[b, j], sign = _best_cut(
                data.features[drawn, j], scores, data.strata[drawn], min_share
            )
            left = out[np.isfinite(data.features[out, j])]
            effects[b, j] = sign * _effect(data, left, j, cuts[b, j])  # in the direction that was promised
    whole = np.isfinite(cuts) & np.isfinite(effects)
    tail = 50.0 * (1.0 - level)
    # every threshold between a cut and the next value splits the same patients: the interval holds them all
    limits = [_column_percentile(cuts, tail), _column_percentile(uppers, 100.0 - tail)]
    return {
        "cut_low": limits[0],
        "cut_high": limits[1],
        "out_of_bag": signs * np.array([_mean(e[w]) for e, w in zip(effects.T, whole.T, strict=True)]),
        "n_bootstrap": whole.sum(axis=0).astype(float),
    }


def _best_cut(
    feature: Floats, scores: Floats, strata: NDArray[np.intp], min_share: float
) -> tuple[float, float, float]:
    """Return the best cut, the next value above it, and whether there are more (1) or fewer (-1) events above."""
    known = np.isfinite(feature)
    cuts, statistics, _ = stats.selected_curve(
        feature[known], scores[known], strata=strata[known], min_share=min_share
    )
    if not np.isfinite(statistics).any():
        return float("nan"), float("nan"), float("nan")
    place = int(np.nanargmax(np.abs(statistics)))
    cut = float(cuts[place])
    above = feature[known & (feature > cut)].min()
    return cut, float(above), float(np.sign(statistics[place]))


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _column_percentile(values: Floats, q: float) -> Floats:
    known = [column[np.isfinite(column)] for column in values.T]
    return np.array([np.percentile(column, q) if len(column) else np.nan for column in known])
