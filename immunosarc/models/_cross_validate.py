"""How well could new patients be predicted: nested cross-validation that may say "too few"."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked
from immunosarc.errors import PlanError
from immunosarc.models._analysis_set import AnalysisSet, PerPatient, analysis_set
from immunosarc.models._cross_validate_bootstrap import Redone, bootstrapped, one_round
from immunosarc.models._cross_validate_gate import ModelGate, gate_of
from immunosarc.models._cross_validate_measures import (
    calibration_rows,
    decision_curve,
    measures,
    performance_table,
    risk_groups,
)
from immunosarc.models._cross_validate_pipeline import PREDICTORS, Patients, Recipe, fit_tuned, patients_of
from immunosarc.models._cross_validate_record import Prediction
from immunosarc.models._cross_validate_times import left_out_risks, timed_decisions, timed_groups, timed_rows
from immunosarc.models._landmark import endpoint_named
from immunosarc.workers import Workers

__all__ = ["checked_settings", "cross_validate", "model_for"]

Floats = NDArray[np.float64]


def cross_validate(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    model: str | None = None,
    covariates: PerPatient = None,
    landmark_day: int | None = None,
    n_select: int | None = None,
    n_folds: int = 5,
    n_repeats: int = 10,
    n_bootstrap: int = 200,
    min_events_per_parameter: float = 10.0,
    risk_by: float | None = None,
    level: float = 0.95,
    seed: int = 0,
    hands: Workers | None = None,
) -> Prediction:
    """How well all features together would predict patients that the model has never seen.

    With thirty patients the honest answer is usually that there are too few: where the rarer outcome has fewer
    than ``min_events_per_parameter`` patients for each candidate feature, nothing is fitted and ``status`` says
    so. Otherwise imputation, scaling, selection and the choice of the penalty are repeated in every training
    fold. The AUC (or Harrell's C) is that of each test fold, averaged: pooling the scores of left-out patients,
    as leave-one-out must, ranks patients by models that differ, and noise then does worse than a coin.

    Beside it stand the apparent performance, Harrell's optimism correction and the .632+ estimate, both with
    the whole pipeline in each bootstrap sample. The interval has the cross-validated estimate in its middle and
    the spread of the same cross-validation in bootstrap samples (on the logit scale for the AUC), the copies of
    a patient in one fold; in small cohorts it is wider than it need be. The calibration slope is the median
    slope of the bootstrap models in all patients: below 1, predictions are too extreme. It is fitted with Firth's
    penalty.

    Parameters
    ----------
    table : DataFrame
        ``schema.PATIENT_FEATURES``, from ``cohort.at("pre").per_patient(scores)``. Missing values are replaced
        by the median of the training patients.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    endpoint : str
        A binary or time-to-event name of ``schema.ENDPOINTS``.
    model : str, optional
        A name of ``models.PREDICTORS``; by default ridge.
    covariates : Series or DataFrame, optional
        Indexed by patient; penalized like features, never selected away.
    landmark_day : int, optional
        As in :func:`associate`.
    n_select : int, optional
        Keep that many features, the best of each training fold.
    n_folds : int
        Outer folds, and inner ones that choose the penalty.
    n_repeats : int
        Times the patients are dealt to folds anew.
    n_bootstrap : int
        Bootstrap samples; 0 leaves out optimism, .632+, slope and interval.
    min_events_per_parameter : float
        The gate. 0 computes in any case, and ``status`` then says "exploratory".
    risk_by : float, optional
        Month by which the risk of a time-to-event endpoint is judged too: Brier score and thirds of risk, and
        the decision curve, with patients who left earlier weighed in (:func:`immunosarc.stats.brier_censored`).
    level : float
        Of the intervals.
    seed : int
        Same seed, same numbers.
    hands : Workers, optional
        From :func:`immunosarc.workers.workers`; this process unless given. The numbers are the same.

    Returns
    -------
    Prediction

    Raises
    ------
    UnknownNameError
        Unknown endpoint or model.
    PlanError
        An ordinal endpoint, a model of another kind, leave-one-out, or settings that cannot be.
    ImmortalTimeError
        As in :func:`associate`.

    References
    ----------
    Airola A et al. 2011, doi 10.1016/j.csda.2010.11.018 (pooling); Harrell FE et al. 1996, doi
    10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4; Efron B, Tibshirani R. 1997, doi
    10.1080/01621459.1997.10474007; Riley RD et al. 2020, doi 10.1136/bmj.m441 (how many patients).

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])
    >>> honest = cross_validate(
    ...     cohort.at("pre").per_patient(scores), ims.endpoints.derive(cohort), endpoint="objective_response"
    ... )
    >>> honest.status.split(":")[0]
    'not enough data to model'
    """
    target = endpoint_named(endpoint)
    name = model_for(target, model)
    checked_settings(n_folds=n_folds, n_repeats=n_repeats, n_bootstrap=n_bootstrap, level=level)
    if n_select is not None and n_select < 1:
        raise PlanError(f"n_select must be at least 1, not {n_select!r}; leave it out to keep every feature.")
    if risk_by is not None and (target.kind == "binary" or not 0 < risk_by < np.inf):
        raise PlanError(f"risk_by = {risk_by!r} must be a month above 0, of a time-to-event endpoint.")
    found = analysis_set(table, outcomes, target, covariates=covariates, landmark_day=landmark_day)
    data = patients_of(found)
    _refuse_leave_one_out(len(data.event), n_folds)
    gate = gate_of(data, n_folds, min_events_per_parameter)
    head = (endpoint, name)
    simulated = is_simulated(outcomes)
    if not gate.open:
        nothing = np.full(len(data.event), np.nan)
        return _record(gate, data, [], found, nothing, head=head, curves=_no_curves(), simulated=simulated)
    recipe = Recipe(name, n_select, found.covariates.shape[1], n_folds)
    repeats = (Redone(recipe, data, n_folds, (seed, 0, i)) for i in range(n_repeats))
    rounds = list((hands or Workers()).map(one_round, repeats))
    linear = fit_tuned(recipe, data, np.random.default_rng([seed, 2])).linear(data.x)[0]
    boots = bootstrapped(recipe, data, n_folds, n_bootstrap=n_bootstrap, seed=seed, hands=hands)
    left_out = np.array([one for _, one in rounds])
    predicted = (special.expit(left_out) if data.time is None else left_out).mean(axis=0)
    how = f"mean over test folds, {n_repeats} x {n_folds} nested folds"
    rows = measures(data, [scores for scores, _ in rounds], linear, boots, (how, level))
    rows += calibration_rows(data, predicted, boots, level)
    curves = _no_curves()
    if data.time is None:
        curves = (risk_groups(predicted, data), decision_curve(predicted, data))
    elif risk_by is not None:
        risks = [
            left_out_risks(recipe, data, n_folds, np.random.default_rng([seed, 0, i]), by=risk_by)
            for i in range(n_repeats)
        ]
        rows += timed_rows(risks, data, by=risk_by)
        risk = np.mean(risks, axis=0)
        curves = (timed_groups(risk, data, by=risk_by), timed_decisions(risk, data, by=risk_by))
    return _record(gate, data, rows, found, predicted, head=head, curves=curves, simulated=simulated)


def _no_curves() -> tuple[pd.DataFrame, pd.DataFrame]:
    return schema.RISK_GROUPS.empty(), schema.DECISION_CURVE.empty()


def model_for(endpoint: schema.Endpoint, model: str | None) -> str:
    """Return the prediction model, ridge of the endpoint's kind by default; refuse one of another kind."""
    if endpoint.kind == "ordinal":
        raise PlanError(f"{endpoint.name!r} is ordinal; predict a binary or a time-to-event endpoint.")
    if model is None:
        return "ridge_logistic" if endpoint.kind == "binary" else "ridge_cox"
    if PREDICTORS[model].kind != endpoint.kind:
        fitting = [name for name in PREDICTORS if PREDICTORS[name].kind == endpoint.kind]
        raise PlanError(
            f"model {model!r} is for a {PREDICTORS[model].kind} endpoint, {endpoint.name!r} is {endpoint.kind}; "
            f"use {' or '.join(fitting)}."
        )
    return model


def checked_settings(*, n_folds: int, n_repeats: int, n_bootstrap: int, level: float) -> None:
    """Refuse numbers of folds, repeats and bootstraps that cannot be."""
    wrong = [
        f"{name} must be a whole number of at least {low}, not {value!r}"
        for name, value, low in (
            ("n_folds", n_folds, 2),
            ("n_repeats", n_repeats, 1),
            ("n_bootstrap", n_bootstrap, 0),
        )
        if isinstance(value, bool) or value != int(value) or value < low
    ]
    if not 0 < level < 1:
        wrong.append(f"level must lie between 0 and 1, not {level!r} (write 0.95 for 95%)")
    if wrong:
        raise PlanError("; ".join(wrong) + ".")


def _refuse_leave_one_out(n: int, n_folds: int) -> None:
    if n_folds > n / 2 and n > 2:
        raise PlanError(
            f"n_folds={n_folds} of {n} patients leaves folds of one patient, in which nobody can be ranked; "
            "pooling their scores over folds is biased (leaving a patient out shifts the model away, so noise "
            "scores below 0.5). Use n_folds=5 and average over repeats."
        )


def _record(
    gate: ModelGate,
    data: Patients,
    rows: list[dict[str, object]],
    found: AnalysisSet,
    predicted: Floats,
    *,
    head: tuple[str, str],
    curves: tuple[pd.DataFrame, pd.DataFrame],
    simulated: bool,
) -> Prediction:
    endpoint, model = head
    performance = performance_table(rows, data).assign(endpoint=endpoint, model=model, status=gate.status)
    predictions = pd.DataFrame(
        {
            "patient_id": found.patients,
            "event": data.event,
            "time": np.full(gate.n, np.nan) if data.time is None else data.time,
            "predicted": predicted,
        }
    )
    calibration, decisions = curves
    return Prediction(
        endpoint=endpoint,
        model=model,
        status=gate.status,
        n=gate.n,
        n_events=gate.n_events,
        n_parameters=gate.n_parameters,
        events_per_parameter=gate.events_per_parameter,
        performance=marked(schema.PERFORMANCE.check(performance), simulated=simulated),
        predictions=marked(schema.PREDICTIONS.check(predictions), simulated=simulated),
        calibration=marked(calibration, simulated=simulated),
        decision_curve=marked(decisions, simulated=simulated),
    )
