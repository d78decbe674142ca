"""Result tables of change: adjusted for composition, by class, by course, by patient."""

from __future__ import annotations

from immunosarc.schema._clinical import TIMEPOINTS
from immunosarc.schema._results import STAMPS
from immunosarc.schema._table import Column, Table

__all__ = ["ADJUSTED_CHANGE", "CLASS_CHANGE", "SHIFT", "TRANSITION"]


def _text(meaning: str, *, values: tuple[str, ...] = (), filled: bool = True) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


_STATUS = _text("'ok', or why there is no value")
_WHEN = {
    "before": _text("earlier timepoint", values=TIMEPOINTS),
    "after": _text("later timepoint", values=TIMEPOINTS),
}

ADJUSTED_CHANGE = Table(
    "adjusted_change",
    {
        "feature": _text("feature"),
        **_WHEN,
        "group": _text("all, or the surplus of responders"),
        "adjustment": _text("what was taken off the feature", values=("none", "balance", "purity")),
        "against": _text("the immune scores of the balance, or the purity", filled=False),
        "adjusted_for": _text("covariates of the regression", filled=False),
        "n": _number("pairs", low=0),
        "n_responders": _number("of them with a response; for all: with an increase", low=0),
        "estimate": _number("change of a patient who began at the average, at one site; units of the feature"),
        "std_error": _number("its standard error", low=0),
        "conf_low": _number("lower confidence limit"),
        "conf_high": _number("upper confidence limit"),
        "regression_to_mean": _number("change to be expected of these patients from where they began alone"),
        "p_value": _number("two-sided p of this feature alone", low=0, high=1),
        "p_maxt": _number("step-down maxT p within the family", low=0, high=1),
        "q_value": _number("Benjamini-Hochberg within the family", low=0, high=1),
        "alpha": _number("family-wise error that p_maxt is held against", low=0, high=1),
        "family": _text("before-after/group/adjustment/panel"),
        "stamp": _text("confirmatory, exploratory or deviation", values=STAMPS),
        "status": _STATUS,
    },
)

TRANSITION = Table(
    "transition",
    {
        "scheme": _text("class scheme"),
        "reference": _text("what the axis was frozen from"),
        **_WHEN,
        "from_class": _text("class before"),
        "to_class": _text("class after"),
        "n": _number("patients", low=0),
        "n_from": _number("patients of the class before", low=0),
        "expected": _number("patients expected when each class is as sure as its posterior", low=0),
        "share": _number("posterior mean of the share of the class before", low=0, high=1),
        "conf_low": _number("lower limit of its credible interval", low=0, high=1),
        "conf_high": _number("upper limit of its credible interval", low=0, high=1),
        "statistic": _number("Stuart-Maxwell statistic of the whole table", low=0),
        "p_exact": _number("exact p that classes are as frequent after as before", low=0, high=1),
        "p_trend": _number("exact p that as many tumors moved up as down the scale", low=0, high=1),
        "status": _STATUS,
    },
)

CLASS_CHANGE = Table(
    "class_change",
    {
        "patient_id": _text("patient"),
        "scheme": _text("class scheme"),
        **_WHEN,
        "class_before": _text("class before", filled=False),
        "class_after": _text("class after", filled=False),
        "probability": _number("probability of the transition asked for", low=0, high=1),
        "status": _STATUS,
    },
)

SHIFT = Table(
    "shift",
    {
        "patient_id": _text("patient"),
        **_WHEN,
        "n_components": _number("components with a change", low=0),
        "shift": _number("mean change of the components; standard deviations of everybody before"),
        "std_error": _number("its standard error", low=0),
        "conf_low": _number("lower confidence limit"),
        "conf_high": _number("upper confidence limit"),
        "error_from": _text("what the error stands for", filled=False),
        "status": _STATUS,
    },
)
