"""Tables of the concordance gate: do several assays of one thing agree, and on whom do they not."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["CONCORDANCE", "CONCORDANCE_RANKS", "RELIABILITY"]


def _text(meaning: str) -> Column:
    return Column("text", meaning, required=True, filled=True)


def _number(meaning: str) -> Column:
    return Column("number", meaning, required=True)


CONCORDANCE = Table(
    "concordance",
    {
        "quantity": _text("what all of them measure"),
        "measure": _text("one measure"),
        "other": _text("another one"),
        "n": _number("patients with both"),
        "estimate": _number("Spearman's correlation"),
        "conf_low": _number("lower limit"),
        "conf_high": _number("upper limit"),
        "n_discordant": _number("patients on whom the two are further apart than declared"),
        "n_discordant_by_chance": _number("how many that would be if the two had nothing in common"),
        "status": _text("'ok', or why there is no estimate"),
    },
)

RELIABILITY = Table(
    "reliability",
    {
        "quantity": _text("what all of them measure"),
        "measure": _text("the measure"),
        "endpoint": Column("text", "the outcome, where one was given", required=True),
        "n": _number("patients with every measure and the outcome"),
        "reliability": _number("squared correlation with what is measured"),
        "reliability_low": _number("lower limit over resampled patients"),
        "reliability_high": _number("upper limit over resampled patients"),
        "correlation": _number("with the outcome, as measured"),
        "corrected": _number("with the outcome, freed of measurement error"),
        "corrected_low": _number("lower limit over resampled patients"),
        "corrected_high": _number("upper limit over resampled patients"),
        "status": _text("'ok', or why there is no estimate"),
    },
)

CONCORDANCE_RANKS = Table(
    "concordance_ranks",
    {
        "quantity": _text("what all of them measure"),
        "patient_id": _text("patient"),
        "measure": _text("one measure"),
        "other": _text("another one"),
        "rank": _number("place among the patients with both by the one, 0 = lowest, 1 = highest"),
        "other_rank": _number("the same by the other"),
        "discordant": Column("flag", "true = the two are further apart than declared", required=True, filled=True),
    },
)
