"""Result table: one count against every historical rate it could be compared with."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["HISTORICAL_CONTROL"]


def _text(meaning: str, *, filled: bool = True, values: tuple[str, ...] = ()) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = 0.0, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


HISTORICAL_CONTROL = Table(
    "historical_control",
    {
        "endpoint": _text("endpoint that is counted"),
        "control": _text("where the rate comes from"),
        "role": _text("declared by the plan, doxorubicin alone, or another regimen"),
        "p0": _number("historical rate", high=1),
        "x": _number("patients of this trial with the endpoint"),
        "n": _number("patients of this trial in whom it is known"),
        "rate": _number("rate of this trial", high=1),
        "conf_low": _number("lower limit of its exact interval", high=1),
        "conf_high": _number("upper limit of its exact interval", high=1),
        "p_value": _number("exact one-sided p against this rate, one look", high=1),
        "alpha": _number("one-sided level of the conclusion", high=1),
        "superior": Column("flag", "whether the p is below alpha", required=True),
        "break_even": _number("highest historical rate that these patients would beat at alpha", high=1),
        "n_next": _number("patients of a next trial, exact, that finds the gain over this rate"),
        "gain": _number("gain in rate that the next trial is to find", high=1),
        "evidence": _text("how the rate is known; V read in a public copy, C computed from published numbers"),
        "citation": _text("source of the rate", filled=False),
    },
)
