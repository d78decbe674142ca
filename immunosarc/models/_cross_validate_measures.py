"""From left-out predictions and bootstraps to the rows of the result."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special
from scipy.stats import norm

from immunosarc import schema, stats
from immunosarc.models._cross_validate_bootstrap import Bootstraps, Scores, scores_of
from immunosarc.models._cross_validate_pipeline import Patients

__all__ = ["calibration_rows", "decision_curve", "measures", "performance_table", "risk_groups"]

Floats = NDArray[np.float64]
_N_GROUPS = 3
_EDGE = 1e-3
_THRESHOLDS = np.arange(5, 100, 5) / 100


def measures(
    data: Patients, rounds: list[Scores], linear: Floats, boots: Bootstraps, context: tuple[str, float]
) -> list[dict[str, object]]:
    """Return discrimination, and for a binary endpoint the Brier score, by every estimator."""
    how, level = context
    apparent = scores_of(linear, data)
    rate = data.event.mean()
    discrimination = "auc" if data.time is None else "concordance"
    rows = _estimators(
        discrimination,
        float(np.mean([one.discrimination for one in rounds])),
        apparent.discrimination,
        [part[:, 0] for part in (boots.in_sample, boots.in_original, boots.out_of_bag, boots.repeated)],
        (how, level, 0.5),
    )
    if data.time is not None:
        return rows
    risk = special.expit(linear)
    chance = float(np.mean((risk[:, None] - data.event) ** 2))
    rows += _estimators(
        "brier",
        float(np.mean([one.brier for one in rounds])),
        apparent.brier,
        [part[:, 1] for part in (boots.in_sample, boots.in_original, boots.out_of_bag, boots.repeated)],
        (how.replace("mean over test folds", "mean over patients"), level, chance),
    )
    rows.append(_row("brier", "no_model", float(rate * (1 - rate)), "the event rate predicted for everybody"))
    return rows


def _estimators(
    measure: str, honest: float, apparent: float, parts: list[Floats], context: tuple[str, float, float]
) -> list[dict[str, object]]:
    in_sample, in_original, out_of_bag, repeated = parts
    how, level, chance = context
    n = int(np.isfinite(repeated).sum())
    rows = [
        _row(measure, "cross_validated", honest, how) | _interval(measure, honest, repeated, level),
        _row(measure, "apparent", apparent, "in the patients the model was fitted to: too good"),
    ]
    if n:
        corrected = apparent - stats.optimism(in_sample, in_original)
        outside = float(out_of_bag[np.isfinite(out_of_bag)].mean()) if np.isfinite(out_of_bag).any() else np.nan
        plus = _point_632_plus(measure, apparent, outside, chance)
        whole = f"{n} bootstraps of the whole pipeline"
        rows.append(_row(measure, "optimism_corrected", corrected, f"Harrell, {whole}"))
        rows.append(_row(measure, "bootstrap_632_plus", plus, f"Efron and Tibshirani, {whole}"))
    return rows


def _point_632_plus(measure: str, apparent: float, outside: float, chance: float) -> float:
    """A Brier score is an error; of an AUC the error is what it lacks to 1."""
    if measure == "brier":
        return stats.point_632_plus(apparent, outside, chance)
    return 1 - stats.point_632_plus(1 - apparent, 1 - outside, 1 - chance)


def _interval(measure: str, center: float, repeated: Floats, level: float) -> dict[str, object]:
    """Interval around the estimate with the spread of bootstraps; normal on the logit scale unless Brier.

    The spread is taken as it is and brought to the logit scale at the estimate: small folds give an AUC of 1 in
    many a bootstrap sample, and the spread of those logits would say nothing.
    """
    known = repeated[np.isfinite(repeated)]
    if len(known) < 2 or not np.isfinite(center):
        return {}
    reach = norm.ppf(0.5 + level / 2)
    if measure == "brier":
        half = reach * known.std(ddof=1)
        return {"conf_low": max(center - half, 0.0), "conf_high": min(center + half, 1.0), "conf_level": level}
    inside = np.clip(center, _EDGE, 1 - _EDGE)  # an AUC of 0 or 1 has no logit
    middle, half = special.logit(inside), reach * known.std(ddof=1) / (inside * (1 - inside))
    return {
        "conf_low": float(special.expit(middle - half)),
        "conf_high": float(special.expit(middle + half)),
        "conf_level": level,
    }


def calibration_rows(
    data: Patients, predicted: Floats, boots: Bootstraps, level: float
) -> list[dict[str, object]]:
    """Return whether predictions are too extreme, and whether they are too high."""
    rows = []
    whole = boots.linear[np.isfinite(boots.linear).all(axis=1) & (np.ptp(boots.linear, axis=1) > 1e-8)]
    if len(whole):
        if data.time is None:
            slopes = stats.firth_logistic(whole.T, data.event).estimate
        else:
            slopes = stats.firth_cox(whole.T, data.time, data.event).estimate
        slopes = slopes[np.isfinite(slopes)]
        tail = 50.0 * (1 - level)
        limits = np.percentile(slopes, [tail, 100 - tail]) if len(slopes) else (np.nan, np.nan)
        # the median: a nearly flat model has a slope without end
        slope = float(np.median(slopes)) if len(slopes) else float("nan")
        rows.append(
            _row(
                "calibration_slope",
                "optimism_corrected",
                slope,
                f"median of {len(slopes)} bootstrap models in all patients",
            )
            | {"conf_low": limits[0], "conf_high": limits[1], "conf_level": level}
        )
    if data.time is None:
        gap = float((predicted - data.event)[np.isfinite(predicted)].mean())
        rows.append(_row("calibration_in_the_large", "cross_validated", gap, "mean predicted less observed share"))
    return rows


def _row(measure: str, estimator: str, estimate: float, method: str) -> dict[str, object]:
    return {"measure": measure, "estimator": estimator, "estimate": estimate, "method": method}


def performance_table(rows: list[dict[str, object]], data: Patients) -> pd.DataFrame:
    """Return the rows with counts; without any, one row that says that nothing was estimated."""
    discrimination = "auc" if data.time is None else "concordance"
    rows = rows or [_row(discrimination, "cross_validated", float("nan"), "not estimated")]
    counts = {"n": len(data.event), "n_events": int(data.event.sum()), "n_parameters": data.x.shape[1]}
    limits = {"conf_low": np.nan, "conf_high": np.nan, "conf_level": np.nan}
    return pd.DataFrame([limits | counts | row for row in rows])


def risk_groups(predicted: Floats, data: Patients) -> pd.DataFrame:
    """Return predicted and observed shares by thirds of the predicted risk."""
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, _N_GROUPS) if len(part)]
    n, n_events = (np.array([f(part) for part in parts]) for f in (len, lambda part: int(data.event[part].sum())))
    low, high = stats.clopper_pearson(n_events, n)
    frame = pd.DataFrame(
        {
            "group": np.arange(len(parts)) + 1,
            "n": n,
            "predicted": [predicted[part].mean() for part in parts],
            "n_events": n_events,
            "observed": n_events / n,
            "conf_low": low,
            "conf_high": high,
        }
    )
    return schema.RISK_GROUPS.check(frame)


def decision_curve(predicted: Floats, data: Patients) -> pd.DataFrame:
    """Return what treating by the left-out predictions would have been worth."""
    gain = stats.net_benefit(predicted, data.event, thresholds=_THRESHOLDS)
    return schema.DECISION_CURVE.check(
        pd.DataFrame(
            {
                "threshold": gain.threshold,
                "model": gain.model,
                "treat_all": gain.treat_all,
                "treat_none": 0.0,
            }
        )
    )
