"""What looking at a whole family does to each of its features: maxT, noise ceiling, detectable effect."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import ndtr

from immunosarc import stats
from immunosarc.models._analysis_set import AnalysisSet, Floats
from immunosarc.models._null_model import adjusted_null, without_covariates

__all__ = ["family_wise", "permutation_null", "reachable"]


def family_wise(
    measure: str, data: AnalysisSet, alpha: float, n_permutations: int, seed: int, *, sides: Floats
) -> dict[str, Floats]:
    """What the whole family does to each of its features."""
    if not len(data.event):
        return {name: np.full(len(data.names), np.nan) for name in ("p_maxt", "detectable_80", "noise_ceiling")}
    statistic, null = permutation_null(data, n_permutations, seed)
    threshold = stats.noise_ceiling(null, level=1 - alpha, sides=sides)
    return {
        "p_maxt": stats.step_down_maxt(statistic, null, sides=sides),
        "detectable_80": reachable(measure, data, threshold, power=0.80),
        "noise_ceiling": np.where(np.isnan(statistic), np.nan, threshold),
    }


def permutation_null(data: AnalysisSet, n_permutations: int, seed: int) -> tuple[Floats, Floats]:
    """The observed statistics and, row by row, those of permuted outcomes."""
    order = stats.permute_within(data.strata, n_permutations, seed)
    identity = np.arange(len(data.event))[None, :]
    if data.covariates.shape[1]:
        return adjusted_null(data, order)
    features = data.features
    if data.grade is not None:
        ranked = partial(stats.rank_correlation_null, features, data.grade, strata=data.strata)
        return ranked(permutations=identity)[0], ranked(permutations=order)
    if data.time is None:
        return (
            stats.rank_sum_statistic(features, data.event, strata=data.strata),
            stats.rank_sum_null(features, data.event, order, strata=data.strata),
        )
    if data.entry is not None:
        scores = stats.entry_scores(data.time, data.event, data.entry, strata=data.strata)
        dealt = partial(stats.linear_score_null, features, scores, strata=data.strata)
        return dealt(permutations=identity)[0], dealt(permutations=order)
    return (
        stats.logrank_score_statistic(features, data.time, data.event, strata=data.strata),
        stats.logrank_score_null(features, data.time, data.event, permutations=order, strata=data.strata),
    )


def reachable(measure: str, data: AnalysisSet, threshold: float, *, power: float) -> Floats:
    """The effect that passes the family's threshold with this power."""
    features = without_covariates(data)
    how = {"alpha": 2 * ndtr(-threshold), "power": power}
    if measure == "log_hazard_ratio":
        return stats.detectable_log_hazard_ratio(features, data.event, strata=data.strata, **how)
    if data.grade is not None:
        reach = stats.detectable_rank_correlation if measure == "rank_correlation" else stats.detectable_ordinal
        return reach(features, data.grade, strata=data.strata, **how)
    auc = stats.detectable_auc(features, data.event, strata=data.strata, **how)
    if measure == "auc":
        return auc
    return stats.auc_as_log_odds_ratio(auc, features, data.event, strata=data.strata)
