"""Features against an endpoint: one row per feature, with what the whole panel does to its p."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr

from immunosarc import schema, stats
from immunosarc.errors import PlanError
from immunosarc.models._analysis_set import AnalysisSet, Floats, PerPatient, analysis_set
from immunosarc.models._landmark import endpoint_named
from immunosarc.registry import Record, Registry

__all__ = ["MODELS", "associate"]

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
        data.features, _months(data), data.event, covariates=data.covariates, strata=data.strata, level=level
    )


for _name, _label, _kind in (
    ("firth_cox", "Firth Cox regression", "time_to_event"),
    ("log_rank", "Log-rank of a split", "time_to_event"),
    ("proportional_odds", "Proportional odds for CR > PR > SD > PD", "ordinal"),
):
    MODELS.plan(_name, label=_label, kind=_kind)


def associate(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    model: str,
    covariates: PerPatient = None,
    strata: PerPatient = None,
    landmark_day: int | None = None,
    per_sd: bool = False,
    panel: str = "panel",
    alpha: float = 0.05,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """How strongly each feature goes with the endpoint, and what is left of it after looking at all.

    Each feature has a model of its own. Next to its own p-value stands ``p_maxt``: how often the
    best of the whole family does at least as well when outcomes are dealt out at random within
    strata (Westfall-Young step-down). What is permuted is the standardized rank sum for a binary
    endpoint and the standardized log-rank score for a time-to-event endpoint; with covariates,
    of the feature after they were regressed out, which is approximate.

    Parameters
    ----------
    table : DataFrame of shape (n_patients, n_features + 3)
        From ``cohort.at("pre").per_patient(scores)``; ``schema.PATIENT_FEATURES``. Missing values
        leave the patient out for that feature only.
    outcomes : DataFrame
        From ``endpoints.derive(cohort)``; ``schema.OUTCOMES``.
    endpoint : str
        A name of ``schema.ENDPOINTS``.
    model : str
        A name of ``models.MODELS`` of the endpoint's kind.
    covariates, strata : Series or DataFrame, optional
        Indexed by patient. Strata restrict comparisons and permutations to patients of one
        stratum (indicators in the logistic model, strata in the Cox model).
    landmark_day : int, optional
        Study day at which the clock restarts, for an endpoint that time defines: kept is who was at
        risk and measured on that day (:func:`landmark_flow` lists the others). Features measured on
        treatment need it; ``population`` and ``family`` name it.
    per_sd : bool
        Give log ratios per standard deviation of the feature among the analyzed patients.
    panel : str
        The name of this set of features; a family is timepoint/endpoint/model/panel.
    alpha : float
        Family-wise error for ``detectable_80`` and ``noise_ceiling``; intervals have level 1 - alpha.
    n_permutations : int
        At least 1.
    seed : int
        Same seed, same p-values.

    Returns
    -------
    DataFrame
        ``schema.ASSOCIATION``, one row per feature in the order of the table. Ratios are logs.
        ``detectable_80`` is the smallest effect found with 80% power when the test has to pass
        the family's own threshold; ``noise_ceiling`` is that threshold as an effect. Both come
        from n, events, split and spread, never from the observed effect.

    Raises
    ------
    UnknownNameError
        Unknown endpoint or model.
    PlanError
        A model that does not fit the endpoint, covariates where it takes none, or a landmark that
        cannot be.
    ImmortalTimeError
        Features measured on treatment against an endpoint that time defines, without a landmark; or a
        response as feature, covariate or stratum of such an endpoint.

    References
    ----------
    Westfall PH, Young SS. Resampling-Based Multiple Testing. Wiley, 1993.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"], method="singscore")
    >>> result = associate(
    ...     cohort.at("pre").per_patient(scores[["cyt", "mcp_b_lineage"]]),
    ...     ims.endpoints.derive(cohort),
    ...     endpoint="objective_response",
    ...     model="mann_whitney",
    ...     strata=cohort.patients["schedule_stage"],
    ... )
    >>> result["measure"].tolist()
    ['auc', 'auc']
    """
    target = endpoint_named(endpoint)
    record = MODELS[model]
    data = analysis_set(table, outcomes, target, covariates=covariates, strata=strata, landmark_day=landmark_day)
    _check_fit(record, target, data)
    fits = record.call(data, 1 - alpha) if len(data.event) else _nobody(len(data.names))
    chance = _family_wise(record.measure, data, alpha, n_permutations, seed)
    rows = pd.DataFrame(
        {
            "feature": data.names,
            "scoring": [table.attrs.get("scoring", {}).get(name) for name in data.names],
            "timepoint": data.timepoint,
            "endpoint": endpoint,
            "population": data.population,
            "model": model,
            "measure": record.measure,
            "adjusted_for": data.adjusted_for,
            "stratified_by": data.stratified_by,
            **{
                name: getattr(fits, name)
                for name in ("n", "n_events", *_EFFECT, "statistic", "p_value", "p_exact")
            },
            **chance,
            "q_value": stats.benjamini_hochberg(fits.p_value),
            "alpha": alpha,
            "family": f"{data.timepoint}/{_asked(endpoint, landmark_day)}/{model}/{panel}",
            "stamp": "exploratory",
            "status": fits.status,
        }
    )
    return schema.ASSOCIATION.check(_scaled(rows, data) if per_sd else rows)


_EFFECT = ("estimate", "std_error", "conf_low", "conf_high")


def _asked(endpoint: str, landmark_day: int | None) -> str:
    return endpoint if landmark_day is None else f"{endpoint}@day{landmark_day}"


def _check_fit(record: Record, endpoint: schema.Endpoint, data: AnalysisSet) -> None:
    if record.kind != endpoint.kind:
        fitting = [name for name in MODELS if MODELS[name].kind == endpoint.kind]
        raise PlanError(
            f"model {record.name!r} is for a {record.kind} endpoint, {endpoint.name!r} is {endpoint.kind}; "
            f"use {' or '.join(fitting)}."
        )
    if data.covariates.shape[1] and not record.covariates:
        raise PlanError(f"model {record.name!r} takes no covariates; use strata, or model='firth_logistic'.")


def _nobody(n_features: int) -> stats.Fits:
    """Rows for a family in which the endpoint is known of no patient."""
    none = np.zeros(n_features, dtype=int)
    status = np.full(n_features, "no patient with this endpoint", dtype=object)
    return stats.Fits.collect((none, none), status, hopeless=np.ones(n_features, dtype=bool))


def _family_wise(
    measure: str, data: AnalysisSet, alpha: float, n_permutations: int, seed: int
) -> dict[str, Floats]:
    """What the whole family does to each of its features."""
    if not len(data.event):
        return {name: np.full(len(data.names), np.nan) for name in ("p_maxt", "detectable_80", "noise_ceiling")}
    statistic, null = _permutation_null(data, n_permutations, seed)
    threshold = stats.noise_ceiling(null, level=1 - alpha)
    return {
        "p_maxt": stats.step_down_maxt(statistic, null),
        "detectable_80": _reachable(measure, data, threshold, power=0.80),
        "noise_ceiling": _reachable(measure, data, threshold, power=0.50),
    }


def _permutation_null(data: AnalysisSet, n_permutations: int, seed: int) -> tuple[Floats, Floats]:
    features = _without_covariates(data)
    order = stats.permute_within(data.strata, n_permutations, seed)
    if data.time is None:
        return (
            stats.rank_sum_statistic(features, data.event, strata=data.strata),
            stats.rank_sum_null(features, data.event, order, strata=data.strata),
        )
    return (
        stats.logrank_score_statistic(features, _months(data), data.event, strata=data.strata),
        stats.logrank_score_null(features, _months(data), data.event, permutations=order, strata=data.strata),
    )


def _months(data: AnalysisSet) -> Floats:
    """The follow-up of a time-to-event endpoint."""
    if data.time is None:
        raise PlanError("a binary endpoint has no follow-up time.")
    return data.time


def _without_covariates(data: AnalysisSet) -> Floats:
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


def _reachable(measure: str, data: AnalysisSet, threshold: float, *, power: float) -> Floats:
    """The effect that passes the family's threshold with this power."""
    features = _without_covariates(data)
    how = {"alpha": 2 * ndtr(-threshold), "power": power}
    if measure == "log_hazard_ratio":
        return stats.detectable_log_hazard_ratio(features, data.event, strata=data.strata, **how)
    auc = stats.detectable_auc(features, data.event, strata=data.strata, **how)
    if measure == "auc":
        return auc
    return stats.auc_as_log_odds_ratio(auc, features, data.event, strata=data.strata)


def _scaled(rows: pd.DataFrame, data: AnalysisSet) -> pd.DataFrame:
    """Log ratios per standard deviation; an AUC has no unit and stays."""
    if rows["measure"].iloc[0] == "auc":
        return rows
    with np.errstate(invalid="ignore"):
        spread = np.array(
            [np.std(v[~np.isnan(v)], ddof=1) if (~np.isnan(v)).sum() > 1 else np.nan for v in data.features.T]
        )
    columns = [*_EFFECT, "detectable_80", "noise_ceiling"]
    return rows.assign(**{name: rows[name] * spread for name in columns}, measure=rows["measure"] + "_per_sd")


def _indicators(codes: np.ndarray) -> Floats:
    return (codes[:, None] == np.unique(codes)[None, 1:]).astype(float)
