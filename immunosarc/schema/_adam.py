"""Tables in the shape of CDISC ADaM; days count from the first dose, no calendar date leaves."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["ADRS", "ADTR", "ADTTE"]


def _text(meaning: str, *, filled: bool = False, values: tuple[str, ...] = ()) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


_KEYS = {
    "STUDYID": _text("study", filled=True),
    "USUBJID": _text("patient", filled=True),
    "PARAMCD": _text("what the row is of", filled=True),
    "PARAM": _text("the same in words", filled=True),
}

ADRS = Table(
    "ADRS",
    {
        **_KEYS,
        "RSEVAL": _text("who called it"),
        "ADY": _number("study day of the response"),
        "AVALC": _text("the response; MISSING where nobody looked", filled=True),
        "AVAL": _number("1 CR, 2 PR, 3 SD, 4 NON-CR/NON-PD, 5 PD, 6 NE, 7 MISSING", low=1, high=7),
    },
)

ADTR = Table(
    "ADTR",
    {
        **_KEYS,
        "TREVAL": _text("who measured"),
        "ADY": _number("study day of the visit"),
        "AVAL": _number("sum of diameters; mm", low=0),
        "BASE": _number("sum at baseline; mm", low=0),
        "CHG": _number("AVAL - BASE"),
        "PCHG": _number("100 CHG / BASE"),
        "NADIR": _number("smallest sum before the visit; mm", low=0),
        "CHGNAD": _number("AVAL - NADIR"),
        "PCHGNAD": _number("100 CHGNAD / NADIR"),
        "ABLFL": _text("Y at baseline", values=("Y",)),
    },
)

ADTTE = Table(
    "ADTTE",
    {
        **_KEYS,
        "STARTDY": _number("study day on which the clock starts"),
        "ADY": _number("study day on which it stops"),
        "AVAL": _number("days from the one to the other, both counted", low=0),
        "AVALU": _text("unit", filled=True, values=("DAYS",)),
        "CNSR": _number("0 = event, 1 = censored", low=0, high=1),
        "EVNTDESC": _text("the event"),
        "CNSDTDSC": _text("why it was censored"),
    },
)
