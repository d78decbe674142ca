"""Result tables of the same questions in several cohorts."""

from __future__ import annotations

from immunosarc.schema._results import STAMPS
from immunosarc.schema._table import Column, Table

__all__ = ["COHORT_EFFECTS", "POOLED_EFFECTS", "WITHOUT_COHORT"]


def _text(meaning: str, *, filled: bool = True, values: tuple[str, ...] = ()) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


_WHAT = {
    "feature": _text("feature"),
    "family": _text("timepoint/endpoint/model/panel"),
    "measure": _text("log ratio per standard deviation of the feature in its own cohort"),
}
_POOLED = {
    "n_cohorts": _number("cohorts with an estimate", low=0),
    "n": _number("patients in them", low=0),
    "n_events": _number("of them with the endpoint, or events", low=0),
    "estimate": _number("average effect over cohorts"),
    "std_error": _number("its standard error (Hartung and Knapp; truncated unless asked otherwise)", low=0),
    "conf_low": _number("lower confidence limit"),
    "conf_high": _number("upper confidence limit"),
    "p_value": _number("two-sided p of the average effect", low=0, high=1),
}

COHORT_EFFECTS = Table(
    "cohort_effects",
    {
        "cohort": _text("cohort; the first one is the original, the others replicate it"),
        **_WHAT,
        "scoring": _text("scoring method and what it was computed on, in this cohort", filled=False),
        "n": _number("patients", low=0),
        "n_events": _number("of them with the endpoint, or events", low=0),
        "estimate": _number("effect in this cohort"),
        "std_error": _number("its standard error", low=0),
        "conf_low": _number("lower confidence limit"),
        "conf_high": _number("upper confidence limit"),
        "p_value": _number("two-sided p in this cohort alone", low=0, high=1),
        "p_maxt": _number("p corrected for the family, in this cohort alone", low=0, high=1),
        "weight": _number("share of the pooled effect", low=0, high=1),
        "same_direction": Column("flag", "whether it points where the original points", required=True),
        "p_direction": _number("one-sided p in the direction of the original", low=0, high=1),
        "bayes_factor": _number("how much better the original's effect fits than none", low=0),
        "status": _text("'ok', or why there is no effect"),
    },
)

POOLED_EFFECTS = Table(
    "pooled_effects",
    {
        **_WHAT,
        **_POOLED,
        "q_value": _number("Benjamini-Hochberg within the family", low=0, high=1),
        "tau": _number("standard deviation of the true effect between cohorts", low=0),
        "i_squared": _number("share of the scatter that is no chance", low=0, high=1),
        "q": _number("Cochran's Q", low=0),
        "q_p_value": _number("p of no heterogeneity", low=0, high=1),
        "predict_low": _number("lower limit of the effect in a new cohort"),
        "predict_high": _number("upper limit of the effect in a new cohort"),
        "prediction": _text("how much the prediction interval can say"),
        "n_same_direction": _number("replicating cohorts that point where the original points", low=0),
        "n_replications": _number("replicating cohorts with an estimate", low=0),
        "stamp": _text("confirmatory, exploratory or deviation", values=STAMPS),
        "status": _text("'ok', or why there is no pooled effect"),
    },
)

WITHOUT_COHORT = Table("without_cohort", {"left_out": _text("the cohort that was left out"), **_WHAT, **_POOLED})
