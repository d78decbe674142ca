"""What covariates alone foretell of each patient's outcome, and what is left to be explained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from immunosarc import stats
from immunosarc.models._analysis_set import AnalysisSet, Floats

__all__ = ["adjusted_null", "without_covariates"]


def adjusted_null(data: AnalysisSet, permutations: np.ndarray) -> tuple[Floats, Floats]:
    """The standardized score statistics of the model without features, and those of its residuals dealt out.

    Approximate: residuals of patients with unlike covariates are not quite exchangeable. Dealt out, they may
    lean on the covariates again, which the ones seen cannot, so that the statistics dealt out vary too little by
    the degrees of freedom that the covariates took; they are widened by as much. It holds as long as the spread
    of the features is the same whatever the covariates: where it grows e-fold in two standard deviations of one,
    0.08 instead of 0.05 of trials of 30 have a false lead. Dealing out Pearson residuals is worse (0.06 to 0.21),
    as their largest fall to patients who cannot have them; errors that allow for unlike spread, permutation by
    permutation, lose 5 to 10 points of power and take back only part of the surplus. NaN where the covariates
    cannot be fitted.
    """
    scores, features = _residuals(data), without_covariates(data)
    rows = np.vstack([np.arange(len(scores)), permutations])
    if not np.isfinite(scores).all():
        nothing = np.full((len(rows), features.shape[1]), np.nan)
        return nothing[0], nothing[1:]
    # the part of a feature that covariates explain adds nothing to the score, only to its variance
    both = stats.linear_score_null(features, scores, permutations=rows, strata=data.strata)
    free = (~np.isnan(features)).sum(axis=0) - len(np.unique(data.strata))
    widened = np.sqrt(np.maximum(free, 1) / np.maximum(free - data.covariates.shape[1], 1))
    return both[0], both[1:] * widened


def without_covariates(data: AnalysisSet) -> Floats:
    """Residuals of each feature on the covariates, among the patients who have the feature."""
    if not data.covariates.shape[1]:
        return data.features
    design = np.column_stack([np.ones(len(data.event)), data.covariates])
    residuals = np.full_like(data.features, np.nan)
    for j, values in enumerate(data.features.T):
        has = ~np.isnan(values)
        if has.any():
            fitted = design[has] @ np.linalg.lstsq(design[has], values[has], rcond=None)[0]
            residuals[has, j] = values[has] - fitted
    return residuals


def _residuals(data: AnalysisSet) -> Floats:
    """Martingale residuals of a Firth Cox model, or residuals of a Firth logistic or a proportional-odds model."""
    if data.time is not None:
        entry = np.full(len(data.time), -1.0) if data.entry is None else data.entry
        predictor = _foretold(
            data,
            lambda one, others: stats.firth_cox(
                one, data.follow_up(), data.event, entry=data.entry, covariates=others, strata=data.strata
            ),
        )
        if not np.isfinite(predictor).all():
            return predictor
        return stats.entry_scores(data.time, data.event, entry, strata=data.strata, predictor=predictor)
    outcome = data.event if data.grade is None else data.grade
    dummies = (data.strata[:, None] == np.unique(data.strata)[None, 1:]).astype(float)

    def fit(one: Floats, others: Floats) -> stats.Fits:
        nuisance = np.hstack([others, dummies])
        if data.grade is None:
            return stats.firth_logistic(one, data.event, covariates=nuisance)
        return stats.proportional_odds(one, data.grades(), covariates=nuisance)

    predictor = _foretold(data, fit)
    if not np.isfinite(predictor).all():
        return predictor
    return stats.graded_scores(outcome, predictor=predictor, strata=data.strata)


def _foretold(data: AnalysisSet, fit: Callable[[Floats, Floats], stats.Fits]) -> Floats:
    """Linear predictor of the covariates: the coefficients of one model, asked for in turn."""
    columns = data.covariates
    slopes = [fit(columns[:, [j]], np.delete(columns, j, axis=1)).estimate[0] for j in range(columns.shape[1])]
    return np.asarray(columns @ np.array(slopes))
