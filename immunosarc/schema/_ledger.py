"""The ledger of hypotheses: everything a run found, ranked, with what is needed to believe it."""

from __future__ import annotations

from immunosarc.schema._results import STAMPS
from immunosarc.schema._table import Column, Table

__all__ = ["LEDGER"]


def _text(meaning: str, *, filled: bool = False, values: tuple[str, ...] = ()) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


LEDGER = Table(
    "ledger",
    {
        "rank": _number("place: pre-stated questions first, then by p maxT, then by p", low=1),
        "claim": _text("association or change", filled=True, values=("association", "change")),
        "feature": _text("feature", filled=True),
        "family": _text("the family that its p maxT counts", filled=True),
        "measure": _text("what the effect is", filled=True),
        "n": _number("patients", low=0),
        "n_events": _number("of them with the endpoint, or events", low=0),
        "raw": _number("effect as found: too large where it was searched for"),
        "shrunken": _number("what the spread of its family leaves of it; log ratios per standard deviation only"),
        "p_maxt": _number("p that counts the whole family", low=0, high=1),
        "below_alpha": Column("flag", "whether p maxT is below the family's alpha", required=True),
        "replication": _text("what other cohorts say", filled=True),
        "literature": _text("published findings on features of this kind, with citation"),
        "biology": _text("what the signature stands for, and known dangers"),
        "n_to_confirm": _number("new patients to see the shrunken effect again: power 80%, two-sided .05", low=1),
        "design": _text("what to do next", filled=True),
        "stamp": _text("confirmatory, exploratory or deviation", filled=True, values=STAMPS),
    },
)
