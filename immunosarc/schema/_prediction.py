"""Result tables of prediction: how good, how calibrated, how useful, and whether anything leaked."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["DECISION_CURVE", "LEAKAGE", "PERFORMANCE", "PREDICTED", "PREDICTIONS", "RISK_GROUPS", "TRANSPORT"]


def _text(meaning: str, *, filled: bool = True, values: tuple[str, ...] = ()) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


PERFORMANCE = Table(
    "performance",
    {
        "endpoint": _text("endpoint"),
        "model": _text("prediction model"),
        "measure": _text(
            "what was measured",
            values=("auc", "concordance", "brier", "calibration_slope", "calibration_in_the_large"),
        ),
        "estimator": _text("cross_validated, apparent, optimism_corrected, bootstrap_632_plus or no_model"),
        "estimate": _number("the estimate"),
        "conf_low": _number("lower limit, from bootstraps of the whole pipeline"),
        "conf_high": _number("upper limit, from bootstraps of the whole pipeline"),
        "conf_level": _number("confidence level", low=0, high=1),
        "n": _number("patients", low=0),
        "n_events": _number("of them with the event", low=0),
        "n_parameters": _number("candidate features and covariate columns", low=0),
        "method": _text("how it was estimated"),
        "status": _text("'ok', 'exploratory' with the reason, or why there is no value"),
    },
)

PREDICTIONS = Table(
    "predictions",
    {
        "patient_id": _text("patient"),
        "event": Column("flag", "what happened", required=True, filled=True),
        "time": _number("months, for a time-to-event endpoint", low=0),
        "predicted": _number("risk (log hazard where time counts), by models that never saw the patient"),
    },
)

RISK_GROUPS = Table(
    "risk_groups",
    {
        "group": _number("1 = lowest predicted risk", low=1),
        "n": _number("patients", low=1),
        "predicted": _number("mean predicted risk", low=0, high=1),
        "n_events": _number("patients with the event", low=0),
        "observed": _number("their share", low=0, high=1),
        "conf_low": _number("lower exact limit of the share", low=0, high=1),
        "conf_high": _number("upper exact limit of the share", low=0, high=1),
    },
)

DECISION_CURVE = Table(
    "decision_curve",
    {
        "threshold": _number("risk at which benefit and harm of treatment weigh the same", low=0, high=1),
        "model": _number("net benefit of treating by the model, true positives per patient"),
        "treat_all": _number("net benefit of treating everybody"),
        "treat_none": _number("net benefit of treating nobody: 0"),
    },
)

PREDICTED = Table(
    "predicted",
    {
        "linear_predictor": _number("log odds, or log hazard against the mean training patient"),
        "risk": _number("probability of the endpoint; missing for a time-to-event endpoint", low=0, high=1),
        "status": _text("'ok', or why there is no prediction"),
    },
    index="patient_id",
)

TRANSPORT = Table(
    "transport",
    {
        "model": _text("the locked model"),
        "model_sha256": _text("its hash"),
        "endpoint": _text("endpoint"),
        "measure": _text(
            "what was measured",
            values=(
                "auc",
                "concordance",
                "brier",
                "brier_of_rate",
                "calibration_in_the_large",
                "observed_to_expected",
                "calibration_slope",
            ),
        ),
        "estimate": _number("the estimate in this cohort"),
        "conf_low": _number("lower limit"),
        "conf_high": _number("upper limit"),
        "in_training": _number("what honest cross-validation gave in the training cohort"),
        "n": _number("patients who could be predicted", low=0),
        "n_events": _number("of them with the event", low=0),
        "n_refused": _number("patients who could not be predicted", low=0),
        "differs": _text("what of the assay is not as in training, or 'nothing'"),
        "needed": _text(
            "what must be fitted anew", values=("nothing", "intercept", "slope", "intercept and slope", "unknown")
        ),
        "p_as_it_is": _number("test of the model as it is", low=0, high=1),
        "verdict": _text("by the declared rule", values=("transports", "transports poorly", "undecided")),
        "reason": _text("why, in numbers"),
        "method": _text("how it was estimated"),
        "status": _text("'ok', or why there is no value"),
    },
)

LEAKAGE = Table(
    "leakage",
    {
        "check": _text("what was looked for"),
        "kind": _text(
            "static: read from tables and folds; dynamic: the pipeline was run", values=("static", "dynamic")
        ),
        "passed": Column("flag", "nothing was found", required=True),
        "found": _number("how much was found"),
        "limit": _number("from where on it counts as a leak"),
        "finding": _text("in words: what leaks, where, and how to mend it"),
        "status": _text("'ok', or why the check could not be made"),
    },
)
