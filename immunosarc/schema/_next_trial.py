"""Result table of candidate next trials."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["NEXT_TRIAL"]


def _text(meaning: str) -> Column:
    return Column("text", meaning, required=True, filled=True)


def _number(meaning: str, *, low: float | None = 0.0, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


NEXT_TRIAL = Table(
    "next_trial",
    {
        "endpoint": Column("text", "what is counted"),
        "rule": _text("who is selected"),
        "p0": _number("historical rate to beat", high=1),
        "n_here": _number("patients of this trial whom the rule selects"),
        "responders_here": _number("of them with the endpoint"),
        "prevalence": _number("share of patients whom the rule selects", high=1),
        "prevalence_low": _number("lower limit of its 95% interval", high=1),
        "prevalence_high": _number("upper limit of its 95% interval", high=1),
        "rate_raw": _number("rate in the selected, as seen", high=1),
        "rate": _number("rate in the selected, shrunken towards the rate of all patients", high=1),
        "rate_low": _number("lower limit of its 95% credible interval", high=1),
        "rate_high": _number("upper limit of its 95% credible interval", high=1),
        "source": _text("where the rate comes from"),
        "n": _number("evaluable patients of the next trial"),
        "r": _number("more successes than this make it a success"),
        "screened": _number("patients to screen on average"),
        "screened_90": _number("patients to screen to be 90% sure of n"),
        "alpha": _number("chance of success when the rate is p0", high=1),
        "power": _number("chance of success when the shrunken rate is true", high=1),
        "assurance": _number("chance of success, averaged over what the rate may be", high=1),
        "status": _text("'ok', or why there is no trial"),
    },
)
