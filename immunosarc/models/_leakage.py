"""Does a pipeline know what it should predict: an audit, and its certificate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked
from immunosarc.errors import ImmunosarcError, PlanError, raise_together
from immunosarc.models._analysis_set import AnalysisSet, analysis_set
from immunosarc.models._cross_validate import model_for
from immunosarc.models._cross_validate_pipeline import (
    PREDICTORS,
    Patients,
    Recipe,
    deal_folds,
    fit_tuned,
    patients_of,
)
from immunosarc.models._landmark import endpoint_named, endpoint_recorded, features_of_patients
from immunosarc.models._leakage_dynamic import Scorer, Trial, dynamic_findings
from immunosarc.models._leakage_static import Finding, Split, static_findings

__all__ = ["audit_leakage"]

_DYNAMIC = (
    "repeatable",
    "test_outcomes_seen",
    "test_features_seen_in_training",
    "test_patients_see_each_other",
    "shuffled_outcomes",
)


def audit_leakage(
    pipeline: Any,
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    landmark_day: int | None = None,
    splits: Sequence[Split] | None = None,
    n_folds: int = 5,
    n_shuffles: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Whether a prediction pipeline could know the answer from where it should not: a certificate.

    Static checks read the table, the folds and the objects: steps that are fitted already, features that were
    scaled over all patients, scores that depend on the other patients, outcomes among the features, samples
    taken after the outcome, one patient under two names or on both sides of a fold. Dynamic checks run the
    pipeline again with one thing changed: the outcomes of the test patients, their features, or all outcomes
    dealt out at random. Nothing that training must not see may move a score. What happened before the table
    was made cannot be seen: features that were chosen by these patients' outcomes pass every check.

    Parameters
    ----------
    pipeline : callable, scikit-learn estimator or str
        A function ``pipeline(features, outcome, train, test)`` that gets all patients (``outcome`` has the
        column ``event``, and ``time`` where the endpoint has one) and who is in training and in test, and returns
        a Series of scores by patient, of the test patients and better of all; or an unfitted classifier; or a
        name of ``models.PREDICTORS``.
    table : DataFrame
        ``schema.PATIENT_FEATURES``.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    endpoint : str
        A binary or time-to-event name of ``schema.ENDPOINTS``.
    landmark_day : int, optional
        As in :func:`associate`.
    splits : sequence of (train, test), optional
        Lists of patients, the folds that were used; by default patients are dealt to folds here.
    n_folds : int
        Folds to deal where no splits are given.
    n_shuffles : int
        Times the outcomes are dealt out at random, at least 5.
    seed : int
        Same seed, same certificate.

    Returns
    -------
    DataFrame
        ``schema.LEAKAGE``: one row per check. The audit is passed when no row has ``passed`` False; a row
        whose ``status`` is not "ok" could not be checked.

    Raises
    ------
    UnknownNameError
        Unknown endpoint or model.
    PlanError
        An ordinal endpoint, folds of unknown patients, or a pipeline that returns no scores by patient.

    References
    ----------
    Kapoor S, Narayanan A. 2022, doi 10.48550/arXiv.2207.07048.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"], method="singscore")[["cyt", "mcp_b_lineage"]]
    >>> audit = audit_leakage(
    ...     "ridge_logistic",
    ...     cohort.at("pre").per_patient(scores),
    ...     ims.endpoints.derive(cohort),
    ...     endpoint="objective_response",
    ...     n_folds=3,
    ...     n_shuffles=5,
    ... )
    >>> bool((audit["passed"] == False).any())
    False
    """
    target = endpoint_named(endpoint)
    model_for(target, pipeline if isinstance(pipeline, str) else None)
    _check_settings(n_folds, n_shuffles)
    table, outcomes = features_of_patients(table), schema.OUTCOMES.check(outcomes)
    endpoint_recorded(outcomes, target)
    given: list[Split] = [(list(map(str, train)), list(map(str, test))) for train, test in splits or ()]
    found = static_findings(table, outcomes, target, estimator=pipeline, splits=given, landmark_day=landmark_day)
    try:
        data = analysis_set(table, outcomes, target, landmark_day=landmark_day)
        found += _run(pipeline, data, given, (n_folds, n_shuffles, seed))
    except ImmunosarcError as refusal:
        if not any(one.words for one in found):
            raise
        why = f"not run, mend the findings first: {refusal}"
        found += [Finding(check, "dynamic", status=why) for check in _DYNAMIC]
    rows = pd.DataFrame([one.row() for one in found])
    return marked(schema.LEAKAGE.check(rows), simulated=is_simulated(outcomes))


def _check_settings(n_folds: int, n_shuffles: int) -> None:
    problems = []
    if n_folds < 2:
        problems.append(f"n_folds must be at least 2, not {n_folds!r}")
    if n_shuffles < 5:
        problems.append(f"n_shuffles must be at least 5, not {n_shuffles!r}: fewer say nothing")
    raise_together(PlanError, "the audit", problems)


def _run(pipeline: Any, data: AnalysisSet, given: list[Split], settings: tuple[int, int, int]) -> list[Finding]:
    n_folds, n_shuffles, seed = settings
    index = pd.Index(data.patients, name="patient_id")
    outcome = pd.DataFrame({"event": data.event}, index=index)
    if data.time is not None:
        outcome["time"] = data.time
    splits = given or [
        (list(index[train]), list(index[test]))
        for train, test in deal_folds(patients_of(data), n_folds, np.random.default_rng([seed, 4]))
    ]
    strangers = sorted({str(one) for part in splits for side in part for one in side} - set(index))
    if strangers:
        raise PlanError(f"splits name patients that are not analyzed: {', '.join(strangers[:5])}.")
    features = pd.DataFrame(data.features, index=index, columns=data.names)
    trial = Trial(_scorer(pipeline, seed), features, outcome, splits)
    return dynamic_findings(trial, n_shuffles=n_shuffles, seed=seed)


def _scorer(pipeline: Any, seed: int) -> Scorer:
    if isinstance(pipeline, str):
        return _of_name(pipeline, seed)
    if hasattr(pipeline, "fit"):
        return _of_estimator(pipeline)
    if not callable(pipeline):
        raise PlanError(
            f"pipeline must be a function, a scikit-learn classifier or one of {', '.join(PREDICTORS)}, "
            f"not {type(pipeline).__name__}."
        )
    return pipeline


def _of_name(model: str, seed: int) -> Scorer:
    def scores(
        features: pd.DataFrame, outcome: pd.DataFrame, train: Sequence[str], test: Sequence[str]
    ) -> pd.Series:
        place = features.index.get_indexer(list(train))
        time = outcome["time"].to_numpy(float) if "time" in outcome else None
        x = features.to_numpy(float)
        data = Patients(x, outcome["event"].to_numpy(bool), time, np.arange(len(features))).take(place)
        fitted = fit_tuned(Recipe(model, None, 0, 3), data, np.random.default_rng([seed, 5]))
        return pd.Series(fitted.linear(x)[0], index=features.index)

    return scores


def _of_estimator(estimator: Any) -> Scorer:
    def scores(
        features: pd.DataFrame, outcome: pd.DataFrame, train: Sequence[str], test: Sequence[str]
    ) -> pd.Series:
        from sklearn.base import clone

        fitted = clone(estimator).fit(
            features.loc[list(train)].to_numpy(), outcome.loc[list(train), "event"].to_numpy(dtype=int)
        )
        values = features.to_numpy()
        told = (
            fitted.decision_function(values)
            if hasattr(fitted, "decision_function")
            else fitted.predict_proba(values)[:, 1]
        )
        return pd.Series(told, index=features.index)

    return scores
