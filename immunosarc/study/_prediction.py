"""The declared question of prediction: is there enough data, how good would it be, and does anything leak."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunosarc import models, schema
from immunosarc.cohort import Cohort
from immunosarc.errors import PlanError, did_you_mean, raise_together
from immunosarc.study._locked import transport_to
from immunosarc.study._questions import PredictionQuestion
from immunosarc.workers import Workers

if TYPE_CHECKING:
    from immunosarc.study._plan import Plan

__all__ = ["prediction_tables", "question_problems", "transport_tables"]

_log = logging.getLogger("immunosarc")
_SHUFFLES = 20


def question_problems(plan: Plan) -> list[str]:
    """Return every name in ``[plan.prediction]`` that no panel and no registry knows."""
    asked = plan.prediction
    if asked is None:
        return []
    found = []
    if asked.model is not None and (refusal := models.PREDICTORS.why_not(asked.model)):
        found.append(f"prediction: {refusal}")
    if asked.endpoint not in schema.ENDPOINTS:
        found.append(
            f"prediction: unknown endpoint '{asked.endpoint}'.{did_you_mean(asked.endpoint, schema.ENDPOINTS)}"
        )
    elif schema.ENDPOINTS[asked.endpoint].kind == "ordinal":
        found.append(f"prediction: '{asked.endpoint}' is ordinal; predict a binary or a time-to-event endpoint")
    elif asked.model in list(models.PREDICTORS) and models.PREDICTORS[str(asked.model)].kind != _kind(asked):
        found.append(f"prediction: model '{asked.model}' is not for a {_kind(asked)} endpoint")
    if asked.risk_by is not None and asked.endpoint in schema.ENDPOINTS and _kind(asked) != "time_to_event":
        found.append(f"prediction: risk_by is for time-to-event endpoints, '{asked.endpoint}' is {_kind(asked)}")
    if asked.timepoint not in plan.timepoints:
        found.append(f"prediction: timepoint '{asked.timepoint}' is none of the plan's {list(plan.timepoints)}")
    panels = {one.name: one for one in plan.panels}
    if asked.panel not in panels:
        return [*found, f"prediction: unknown panel '{asked.panel}'.{did_you_mean(asked.panel, panels)}"]
    if panels[asked.panel].columns == "all":
        return found  # its names are known when the cohort is
    known = dict(panels[asked.panel].specs())
    found += [
        f"prediction: panel '{asked.panel}' has no feature '{one}'.{did_you_mean(one, known)}"
        for one in asked.features
        if one not in known
    ]
    return found


def _kind(asked: PredictionQuestion) -> str:
    return str(schema.ENDPOINTS[asked.endpoint].kind)


def prediction_tables(
    plan: Plan,
    outcomes: pd.DataFrame,
    measured: Mapping[str, Mapping[str, pd.DataFrame]],
    seed: int,
    hands: Workers | None = None,
) -> dict[str, pd.DataFrame]:
    """Return what prediction is worth and the certificate; undeclared, only whether there is enough data.

    Returns
    -------
    dict of str to DataFrame
        ``prediction``, and where a question is declared ``left_out_predictions, calibration, decision_curve,
        leakage``.
    """
    asked = plan.prediction
    if asked is None:
        return _undeclared(plan, outcomes, measured)
    panel = measured.get(asked.timepoint, {}).get(asked.panel)
    if panel is None:
        return {}
    _log.info("prediction of %s", asked.endpoint)
    absent = [one for one in asked.features if one not in panel]
    raise_together(
        PlanError,
        "plan",
        [f"prediction: panel '{asked.panel}' has no feature '{one}'.{did_you_mean(one, panel)}" for one in absent],
    )
    table = panel[[*schema.PATIENT_FEATURES.columns, *asked.features]]
    table.attrs = dict(panel.attrs)
    how: dict[str, Any] = {"endpoint": asked.endpoint, "landmark_day": asked.landmark_day, "seed": seed}
    found = models.cross_validate(
        table,
        outcomes,
        model=asked.model,
        n_folds=asked.n_folds,
        n_repeats=asked.n_repeats,
        n_bootstrap=asked.n_bootstrap,
        min_events_per_parameter=asked.min_events_per_parameter,
        risk_by=asked.risk_by,
        level=1 - plan.alpha,
        hands=hands,
        **how,
    )
    tables = {
        "prediction": found.performance,
        "left_out_predictions": found.predictions,
        "calibration": found.calibration,
        "decision_curve": found.decision_curve,
    }
    rarer = found.n_events if _kind(asked) == "time_to_event" else min(found.n_events, found.n - found.n_events)
    if rarer >= asked.n_folds:  # with fewer no pipeline can be run in every fold
        how |= {"n_folds": asked.n_folds, "n_shuffles": _SHUFFLES}
        tables["leakage"] = models.audit_leakage(found.model, table, outcomes, **how)
    return tables


def _undeclared(
    plan: Plan, outcomes: pd.DataFrame, measured: Mapping[str, Mapping[str, pd.DataFrame]]
) -> dict[str, pd.DataFrame]:
    """The gate's answer for the first panel and the first endpoint that a model could be asked about."""
    before = measured.get("pre", {})
    asked = [
        name
        for name in plan.endpoints
        if schema.ENDPOINTS[name].kind == "binary" and name in outcomes and outcomes[name].notna().any()
    ]
    if not before or not asked:
        return {}
    gate = models.model_gate(next(iter(before.values())), outcomes, endpoint=asked[0])
    status = gate.status
    if gate.open:
        status = "not declared: there is enough data for a model of features that the plan names in advance"
    row = {
        "endpoint": asked[0],
        "model": "ridge_logistic",
        "measure": "auc",
        "estimator": "cross_validated",
        **dict.fromkeys(("estimate", "conf_low", "conf_high", "conf_level"), np.nan),
        **{name: getattr(gate, name) for name in ("n", "n_events", "n_parameters")},
        "method": "not estimated",
        "status": status,
    }
    return {"prediction": schema.PERFORMANCE.check(pd.DataFrame([row]))}


def transport_tables(
    locked: Sequence[models.LockedModel], cohort: Cohort, plan: Plan, outcomes: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return what locked models of other cohorts are worth in this one: ``transport`` and what it rests on."""
    tried = [
        _tables_of(one, transport_to(one, cohort, outcomes, assay=plan.assay, level=1 - plan.alpha))
        for one in locked
    ]
    if not tried:
        return {}
    parts = zip(*tried, strict=True)
    names = ("transport", "transport_calibration", "transport_decisions", "transport_predictions")
    return {name: pd.concat(part) for name, part in zip(names, parts, strict=True)}


def _tables_of(locked: models.LockedModel, found: models.Transport) -> tuple[pd.DataFrame, ...]:
    """Return the tables of one model, each row with the model's name."""
    return (
        found.performance,
        found.calibration.assign(model=locked.name),
        found.decision_curve.assign(model=locked.name),
        found.predictions.assign(model=locked.name).reset_index(),
    )
