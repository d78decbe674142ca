"""The registry of association models: what each estimates, for which endpoints, and what is permuted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from immunosarc import stats
from immunosarc.models._analysis_set import AnalysisSet, Floats
from immunosarc.registry import Record, Registry

__all__ = ["MODELS", "fitted", "prepared"]

MODELS = Registry("association model")


@MODELS.register(
    "mann_whitney",
    label="Mann-Whitney",
    kind="binary",
    measure="auc",
    covariates=False,
    permuted="standardized rank sum",
    reference="10.2307/2531595",
)
def _mann_whitney(data: AnalysisSet, level: float) -> stats.Fits:
    return stats.mann_whitney(data.features, data.event, strata=data.strata, level=level)


@MODELS.register(
    "firth_logistic",
    label="Firth logistic regression",
    kind="binary",
    measure="log_odds_ratio",
    covariates=True,
    permuted="standardized rank sum",
    reference="10.1093/biomet/80.1.27",
)
def _firth_logistic(data: AnalysisSet, level: float) -> stats.Fits:
    nuisance = np.hstack([data.covariates, _indicators(data.strata)])
    return stats.firth_logistic(data.features, data.event, covariates=nuisance, level=level)


@MODELS.register(
    "cox",
    label="Cox regression, Efron ties",
    kind="time_to_event",
    measure="log_hazard_ratio",
    covariates=True,
    permuted="standardized log-rank score",
    reference="10.1080/01621459.1977.10480613",
)
def _cox(data: AnalysisSet, level: float) -> stats.Fits:
    return stats.cox(
        data.features, data.follow_up(), data.event, covariates=data.covariates, strata=data.strata, level=level
    )


@MODELS.register(
    "firth_cox",
    label="Firth Cox regression, Efron ties",
    kind="time_to_event",
    measure="log_hazard_ratio",
    covariates=True,
    permuted="standardized log-rank score",
    reference="10.1111/j.0006-341X.2001.00114.x",
)
def _firth_cox(data: AnalysisSet, level: float) -> stats.Fits:
    return stats.firth_cox(
        data.features, data.follow_up(), data.event, covariates=data.covariates, strata=data.strata, level=level
    )


@MODELS.register(
    "cox_time_dependent",
    label="Cox regression, at risk from the day of the sample, Efron ties",
    kind="time_to_event",
    measure="log_hazard_ratio",
    covariates=True,
    permuted="standardized martingale residual, at risk from the day of the sample (approximate)",
    entry=True,
    reference="10.1214/aos/1176345976",
)
def _cox_time_dependent(data: AnalysisSet, level: float) -> stats.Fits:
    return stats.cox(
        data.features,
        data.follow_up(),
        data.event,
        entry=data.entry,
        covariates=data.covariates,
        strata=data.strata,
        level=level,
    )


@MODELS.register(
    "log_rank",
    label="Log-rank test of high against low, split at the median",
    kind="time_to_event",
    measure="log_hazard_ratio",
    covariates=False,
    permuted="standardized log-rank score of the split",
    split=True,
    reference="10.2307/2344317",
)
def _log_rank(data: AnalysisSet, level: float) -> stats.Fits:
    return stats.log_rank(data.features, data.follow_up(), data.event, strata=data.strata, level=level)


@MODELS.register(
    "logistic",
    label="Logistic regression",
    kind="binary",
    measure="log_odds_ratio",
    covariates=True,
    permuted="standardized rank sum",
    reference="10.1111/j.2517-6161.1958.tb00292.x",
)
def _logistic(data: AnalysisSet, level: float) -> stats.Fits:
    nuisance = np.hstack([data.covariates, _indicators(data.strata)])
    return stats.logistic(data.features, data.event, covariates=nuisance, level=level)


@MODELS.register(
    "proportional_odds",
    label="Proportional odds for CR > PR > SD > PD",
    kind="ordinal",
    measure="log_odds_ratio",
    covariates=True,
    permuted="standardized rank correlation",
    reference="10.1111/j.2517-6161.1980.tb01109.x",
)
def _proportional_odds(data: AnalysisSet, level: float) -> stats.Fits:
    nuisance = np.hstack([data.covariates, _indicators(data.strata)])
    return stats.proportional_odds(data.features, data.grades(), covariates=nuisance, level=level)


@MODELS.register(
    "rank_correlation",
    label="Rank correlation with CR > PR > SD > PD",
    kind="ordinal",
    measure="rank_correlation",
    covariates=False,
    permuted="standardized rank correlation",
    reference="10.1007/BF02294183",
)
def _rank_correlation(data: AnalysisSet, level: float) -> stats.Fits:
    return stats.rank_correlation(data.features, data.grades(), strata=data.strata, level=level)


def prepared(record: Record, data: AnalysisSet) -> AnalysisSet:
    """Return what the model looks at: the features, or their halves."""
    return replace(data, features=stats.median_split(data.features)) if record.facts.get("split") else data


def fitted(record: Record, data: AnalysisSet, level: float) -> stats.Fits:
    """Fit the model; a family in which the endpoint is known of no patient has rows without numbers."""
    if len(data.event):
        return record.call(data, level)
    none = np.zeros(len(data.names), dtype=int)
    status = np.full(len(data.names), "no patient with this endpoint", dtype=object)
    return stats.Fits.collect((none, none), status, hopeless=np.ones(len(data.names), dtype=bool))


def _indicators(codes: np.ndarray) -> Floats:
    return (codes[:, None] == np.unique(codes)[None, 1:]).astype(float)
