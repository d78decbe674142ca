"""Features against an endpoint: one row per feature, with what the whole panel does to its p."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import is_simulated, marked
from immunosarc.errors import PlanError
from immunosarc.models._analysis_set import AnalysisSet, PerPatient, analysis_set
from immunosarc.models._family import family_wise
from immunosarc.models._landmark import endpoint_named
from immunosarc.models._methods import MODELS, fitted, prepared
from immunosarc.models._sides import Alternative, one_sided, sides_of
from immunosarc.registry import Record

__all__ = ["asked", "associate", "check_fit", "spreads"]


def associate(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    model: str,
    covariates: PerPatient = None,
    strata: PerPatient = None,
    landmark_day: int | None = None,
    alternative: Alternative = "two-sided",
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
    endpoint and the standardized log-rank score for a time-to-event endpoint. With covariates it is the
    score of the model without the feature, whose residuals are dealt out within strata; that is approximate,
    because residuals of patients with unlike covariates are not quite exchangeable, and too bold where the spread
    of the features changes with a covariate (docs/calibration.md). A stratum with one
    class contributes nothing (:func:`effective_sizes` counts it).

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
        treatment need it, or ``model="cox_time_dependent"``, in which each patient is at risk from the day of
        the own sample on; ``population`` and ``family`` name it.
    alternative : {"two-sided", "greater", "less"} or mapping
        One for all features, or by feature (those not named are two-sided). ``"greater"``: only high values
        that go with the event, the response or the better grade count as a finding; ``"less"``: only low
        ones. To be stated before the outcomes are seen, as a signature's published direction is. Then
        ``p_value``, ``p_exact``, ``p_maxt``, ``noise_ceiling`` and ``detectable_80`` are one-sided;
        intervals stay two-sided.
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
        the family's own threshold, from n, events, split and spread, never from the observed
        effect. ``noise_ceiling`` is that threshold: the permuted statistic (standard normal under
        no association) that the best of the family exceeds by chance with probability ``alpha``.

    Raises
    ------
    UnknownNameError
        Unknown endpoint or model.
    PlanError
        A model that does not fit the endpoint, covariates where it takes none, a landmark that
        cannot be, or an alternative that is none.
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
    data = analysis_set(
        table,
        outcomes,
        target,
        covariates=covariates,
        strata=strata,
        landmark_day=landmark_day,
        from_sample=bool(record.facts.get("entry")),
    )
    check_fit(record, target, data)
    data = prepared(record, data)
    words, sides = sides_of(alternative, data.names)
    fits = one_sided(fitted(record, data, 1 - alpha), data, sides)
    chance = family_wise(record.measure, data, alpha, n_permutations, seed, sides=sides)
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
            "alternative": words,
            "family": f"{data.timepoint}/{asked(endpoint, landmark_day)}/{model}/{panel}",
            "stamp": "exploratory",
            "status": fits.status,
        }
    )
    rows = schema.ASSOCIATION.check(_scaled(rows, data) if per_sd else rows)
    return marked(rows, simulated=is_simulated(outcomes))


_EFFECT = ("estimate", "std_error", "conf_low", "conf_high")


def asked(endpoint: str, landmark_day: int | None) -> str:
    """Return the endpoint with the day its clock starts on, as a family names it.

    Parameters
    ----------
    endpoint : str
        A name of ``schema.ENDPOINTS``.
    landmark_day : int or None
        Study day; None is the first dose.

    Returns
    -------
    str

    Examples
    --------
    >>> asked("pfs", 60), asked("pfs", None)
    ('pfs@day60', 'pfs')
    """
    return endpoint if landmark_day is None else f"{endpoint}@day{landmark_day}"


def check_fit(record: Record, endpoint: schema.Endpoint, data: AnalysisSet) -> None:
    """Refuse a model that does not fit the endpoint, or covariates where it takes none."""
    if record.kind != endpoint.kind:
        fitting = [name for name in MODELS if MODELS[name].kind == endpoint.kind]
        raise PlanError(
            f"model {record.name!r} is for a {record.kind} endpoint, {endpoint.name!r} is {endpoint.kind}; "
            f"use {' or '.join(fitting)}."
        )
    if data.covariates.shape[1] and not record.covariates:
        able = [name for name in MODELS if MODELS[name].kind == endpoint.kind and MODELS[name].covariates]
        raise PlanError(f"model {record.name!r} takes no covariates; use strata, or model={' or '.join(able)}.")


def _scaled(rows: pd.DataFrame, data: AnalysisSet) -> pd.DataFrame:
    """Log ratios per standard deviation; an AUC, a correlation and a split have no unit and stay."""
    if not rows["measure"].iloc[0].startswith("log_") or MODELS[rows["model"].iloc[0]].facts.get("split"):
        return rows
    spread = spreads(data)
    columns = [*_EFFECT, "detectable_80"]
    return rows.assign(**{name: rows[name] * spread for name in columns}, measure=rows["measure"] + "_per_sd")


def spreads(data: AnalysisSet) -> np.ndarray:
    """Standard deviation of each feature among the analyzed patients."""
    known = [values[~np.isnan(values)] for values in data.features.T]
    return np.array([np.std(values, ddof=1) if len(values) > 1 else np.nan for values in known])
