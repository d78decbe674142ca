"""Result table of a stratum rule: one row per sample, and one for each patient without any."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["STRATA"]


def _text(meaning: str, *, filled: bool = False) -> Column:
    return Column("text", meaning, required=True, filled=filled)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


STRATA = Table(
    "strata",
    {
        "patient_id": _text("patient", filled=True),
        "sample_id": _text("sample; missing where the patient has none"),
        "timepoint": _text("when it was taken"),
        "rule": _text("name of the rule", filled=True),
        "rule_sha256": _text("hash of the rule file's content", filled=True),
        "value": _number("what the thresholds are compared with"),
        "stratum": _text("the stratum; missing where the sample is not assignable"),
        "margin": _number("distance to the nearest threshold", low=0),
        "coverage": _number("smallest share of a feature's genes that the sample has", low=0, high=1),
        "status": _text("'ok', or 'not assignable: ' and the reason", filled=True),
        "note": _text("what else to know"),
    },
)
