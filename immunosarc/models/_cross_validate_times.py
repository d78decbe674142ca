"""Risks by a month from a model of hazards: what they are worth when some patients left before it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema, stats
from immunosarc.models._cross_validate_pipeline import Patients, Recipe, deal_folds, fit_tuned

__all__ = ["left_out_risks", "timed_decisions", "timed_groups", "timed_rows"]

Floats = NDArray[np.float64]
_N_GROUPS = 3
_THRESHOLDS = np.arange(5, 100, 5) / 100


def left_out_risks(recipe: Recipe, data: Patients, n_folds: int, rng: np.random.Generator, *, by: float) -> Floats:
    """Return each patient's risk by a month, hazards and baseline from patients of the other folds.

    With the generator of a round of cross-validation these are its folds and its models.
    """
    assert data.time is not None  # noqa: S101 - only asked where time counts
    risk = np.full(len(data.event), np.nan)
    for train, test in deal_folds(data, n_folds, rng):
        if not len(test) or not data.take(train).can_be_fitted():
            continue
        linear = fit_tuned(recipe, data.take(train), rng).linear(data.x)[0]
        free = stats.baseline_survival(linear[train], data.time[train], data.event[train], by=by)
        risk[test] = 1 - free ** np.exp(linear[test])
    return risk


def timed_rows(risks: list[Floats], data: Patients, *, by: float) -> list[dict[str, object]]:
    """Return the Brier score of the rounds, and that of the curve of everybody."""
    assert data.time is not None  # noqa: S101 - only asked where time counts
    how = f"by month {by:g}, censoring weighed"
    if not all(np.isfinite(one).all() for one in risks):
        said = f"{how}: no fold may end before that month"
        return [{"measure": "brier", "estimator": "cross_validated", "estimate": np.nan, "method": said}]
    found = [stats.brier_censored(one, data.time, data.event, by=by) for one in risks]
    honest = {
        "measure": "brier",
        "estimator": "cross_validated",
        "method": f"{how}; mean over {len(found)} rounds",
    }
    curve = {"measure": "brier", "estimator": "no_model", "method": f"{how}: the Kaplan-Meier risk for everybody"}
    return [
        honest | {"estimate": float(np.mean([one.score for one in found]))},
        curve | {"estimate": found[0].of_the_curve},
    ]


def timed_groups(risk: Floats, data: Patients, *, by: float) -> pd.DataFrame:
    """Return predicted risk and Kaplan-Meier risk by thirds of the predicted one."""
    assert data.time is not None  # noqa: S101 - only asked where time counts
    if not np.isfinite(risk).all():
        return schema.RISK_GROUPS.empty()
    rows = []
    for i, part in enumerate(np.array_split(np.argsort(risk, kind="stable"), _N_GROUPS)):
        free, low, high = (float(one) for one in stats.kaplan_meier(data.time[part], data.event[part]).at(by))
        rows.append(
            {
                "group": i + 1,
                "n": len(part),
                "predicted": float(risk[part].mean()),
                "n_events": int((data.event[part] & (data.time[part] <= by)).sum()),
                "observed": 1 - free,
                "conf_low": 1 - high,
                "conf_high": 1 - low,
            }
        )
    return schema.RISK_GROUPS.check(pd.DataFrame(rows))


def timed_decisions(risk: Floats, data: Patients, *, by: float) -> pd.DataFrame:
    """Return what treating by the left-out risks would have been worth."""
    assert data.time is not None  # noqa: S101 - only asked where time counts
    if not np.isfinite(risk).all():
        return schema.DECISION_CURVE.empty()
    gain = stats.net_benefit_censored(risk, data.time, data.event, by=by, thresholds=_THRESHOLDS)
    table = {"threshold": gain.threshold, "model": gain.model, "treat_all": gain.treat_all, "treat_none": 0.0}
    return schema.DECISION_CURVE.check(pd.DataFrame(table))
