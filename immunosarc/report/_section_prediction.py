"""Could new patients be predicted: is there enough data, how good, does anything leak, does it transport."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from immunosarc import plots, schema
from immunosarc.report._section import Block, FigureOrder, Grid, Part, Section, Text, count
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build"]

_SIZE = (4.6, 3.4)
_MEASURES = {
    "auc": "AUC",
    "concordance": "Harrell's C",
    "brier": "Brier score",
    "brier_of_rate": "Brier score of the event rate",
    "calibration_slope": "Calibration slope (1 is right)",
    "calibration_in_the_large": "Calibration in the large (0 is right)",
    "observed_to_expected": "Observed to expected events",
}
_ESTIMATORS = {
    "cross_validated": "cross-validated",
    "apparent": "apparent: too good",
    "optimism_corrected": "optimism-corrected",
    "bootstrap_632_plus": ".632+",
    "no_model": "event rate for everybody",
}
_CHECKS = {
    "fitted_outside_the_fold": "A step fitted before the folds were dealt",
    "scaled_outside_the_fold": "Features scaled or ranked over all patients",
    "cohort_relative_scores": "Scores that depend on the other patients",
    "outcome_among_features": "The outcome among the features",
    "measured_later": "Measured when the outcome was under way",
    "same_patient_twice": "One patient under two names",
    "patient_in_two_folds": "A patient in training and in test",
    "repeatable": "Two runs agree",
    "test_outcomes_seen": "Outcomes of test patients move a score",
    "test_features_seen_in_training": "Features of test patients move a training score",
    "test_patients_see_each_other": "Test patients move each other's scores",
    "shuffled_outcomes": "Outcomes dealt out at random are predicted",
}


def build(study: Study) -> Section:
    """Return the gate's answer, and where a question was declared its numbers and the leakage certificate."""
    parts = (*_asked(study), *_certificate(study), *_transport(study))
    return Section("prediction", "Prediction", "Could new patients be predicted?", parts)


def _asked(study: Study) -> Iterator[Block]:
    table = table_of(study, "prediction")
    if table.empty:
        return
    first = table.iloc[0]
    declared = getattr(study.plan, "prediction", None)
    what = plots.endpoint_label(str(first["endpoint"]))
    named = ", ".join(declared.features) if declared else "the features of the first panel together"
    rarer = _rarer(first)
    each = rarer / first["n_parameters"] if first["n_parameters"] else float("nan")
    facts = (
        f"{what} from {named}: {count(first['n'])} patients, {count(first['n_events'])} with the event, "
        f"{count(first['n_parameters'])} candidate(s), {each:.1f} of the rarer outcome for each; 10 are customary."
    )
    status = str(first["status"])
    blocks: list[Block] = [Text(facts)]
    if status != "ok":
        blocks.append(Text(f"{status[0].upper()}{status[1:].rstrip('.')}.", tone="note"))
    if status.startswith("not enough data"):
        blocks.append(
            Text("With so few patients this is the normal answer, and the honest one. Nothing was fitted.")
        )
    if table["estimate"].notna().any():
        blocks += [_numbers(table), *_figures(study)]
    yield Part("Is there enough data to model?", tuple(blocks))


def _rarer(row: pd.Series) -> float:
    events = float(row["n_events"])
    timed = schema.ENDPOINTS[str(row["endpoint"])].kind == "time_to_event"
    return events if timed else min(events, float(row["n"]) - events)


def _numbers(table: pd.DataFrame) -> Grid:
    rows = [
        [
            _MEASURES[str(row["measure"])],
            _ESTIMATORS.get(str(row["estimator"]), str(row["estimator"])),
            _with_limits(row),
            str(row["method"]),
        ]
        for _, row in table.iterrows()
    ]
    head = ["Measure", "Estimator", "Value [interval]", "How"]
    note = "Quote the cross-validated numbers; the apparent ones show how much a model flatters itself."
    return Grid("What predictions would be worth", head, rows, frozenset({2}), note)


def _with_limits(row: pd.Series) -> str:
    if pd.isna(row["estimate"]):
        return plots.DASH
    limits = "" if pd.isna(row["conf_low"]) else f" [{row['conf_low']:.2f}, {row['conf_high']:.2f}]"
    return f"{row['estimate']:.2f}{limits}"


def _figures(study: Study) -> Iterator[FigureOrder]:
    groups, decisions = table_of(study, "calibration"), table_of(study, "decision_curve")
    if len(groups):
        yield _drawn("calibration", groups, "Predicted and observed shares by thirds of the left-out risk.")
    if len(decisions):
        words = "Net benefit of treating by the left-out predictions, beside treating everybody and nobody."
        yield _drawn("decision_curve", decisions, words)


def _drawn(name: str, table: pd.DataFrame, caption: str, *, key: str = "") -> FigureOrder:
    hand: Any = plots.calibration if "observed" in table else plots.decision_curve
    shown = table.drop(columns="model") if key and "observed" in table else table
    return FigureOrder(name, caption, _SIZE, partial(_on, hand, shown), key)


def _on(hand: Any, table: pd.DataFrame, ax: Any) -> object:
    return hand(table, ax=ax)


def _certificate(study: Study) -> Iterator[Block]:
    table = table_of(study, "leakage")
    if table.empty:
        return
    leaks = table[table["passed"].fillna(True).eq(False)]
    unseen = table[table["passed"].isna()]
    words = (
        f"{len(leaks)} of {len(table)} checks found a leak: what the numbers above say cannot be trusted."
        if len(leaks)
        else f"{len(table) - len(unseen)} checks found nothing. That rules out these leaks, not every one."
    )
    rows = [
        [
            _CHECKS.get(str(row["check"]), str(row["check"]).replace("_", " ")),
            str(row["kind"]),
            "not made" if pd.isna(row["passed"]) else ("passed" if row["passed"] else "LEAK"),
            str(row["finding"]) if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in table.iterrows()
    ]
    note = (
        "Static checks read tables and folds; dynamic ones run the pipeline again with one thing changed. "
        "Features that were chosen by these patients' outcomes beforehand pass them all."
    )
    grid = Grid("Leakage certificate", ["Check", "Kind", "Result", "Finding"], rows, frozenset(), note)
    yield Part(
        "Leakage certificate", (Text(words), grid), condition=f"{len(leaks)} leak(s) found" if len(leaks) else ""
    )


def _transport(study: Study) -> Iterator[Block]:
    table = table_of(study, "transport")
    for model, rows in table.groupby("model", sort=False):
        yield Part(f"Transport of {model}", tuple(_of_model(study, str(model), rows)), under=_under(rows))


def _under(rows: pd.DataFrame) -> str:
    return f"locked on another cohort, SHA-256 {str(rows['model_sha256'].iloc[0])[:8]}"


def _of_model(study: Study, model: str, rows: pd.DataFrame) -> Iterator[Block]:
    first = rows.iloc[0]
    what = plots.endpoint_label(str(first["endpoint"]))
    yield Text(
        f"{what}: the model {_VERDICTS[str(first['verdict'])]}: {first['reason']}. {count(first['n'])} patients "
        f"were predicted ({count(first['n_events'])} with the event), {count(first['n_refused'])} could not be."
    )
    if str(first["differs"]) != "nothing":
        yield Text(f"The assay is not that of the training: {first['differs']}.", tone="note")
    grid = [
        [
            _MEASURES[str(row["measure"])],
            _with_limits(row),
            plots.DASH if pd.isna(row["in_training"]) else f"{row['in_training']:.2f}",
            str(row["method"]) if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in rows.iterrows()
    ]
    p = plots.p_text(first["p_as_it_is"])
    note = (
        f"To be fitted anew here: {first['needed']} (test of the model as it is, p {p}). Nothing was fitted here."
    )
    head = ["Measure", "Here [interval]", "In training", "How"]
    yield Grid("In these patients", head, grid, frozenset({1, 2}), note)
    groups = table_of(study, "transport_calibration")
    part = groups[groups["model"] == model] if len(groups) else groups
    if len(part):
        words = f"Predicted and observed shares by thirds of the risk that {model} predicts."
        yield _drawn(f"calibration_{model}", part, words, key=model)


_VERDICTS = {
    "transports": "transports",
    "transports poorly": "transports poorly",
    "undecided": "can be neither trusted nor refuted",
}
