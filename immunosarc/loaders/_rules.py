"""The closed vocabulary of what a manifest may do to a column: no expressions, each rule with one meaning."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

import pandas as pd

from immunosarc import schema

__all__ = ["DAY_COLUMNS", "RULES", "Rule", "image_name", "row_matches", "study_day"]

DAY_COLUMNS = frozenset({"study_day", "end_day", "death_day", "last_alive_day", "data_cut_day"})
"""Columns that hold study days, and into which ``day_one`` turns calendar dates."""

_DATE = re.compile(r"((?:19|20)\d\d-\d\d-\d\d)(?:[T ]\d\d(?::\d\d){0,2}(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?")
_TCGA = re.compile(r"(TCGA[-.]\w{2}[-.]\w{4})(?:([-.]\d\d)[A-Z]?(?:[-.].+)?)?")


Kind = Literal["text", "number", "flag"]


@dataclass(frozen=True)
class Rule:
    """One rule of ``transform``.

    Attributes
    ----------
    reads, gives : {"number", "flag", "text"}
        What a cell has to be, and what it becomes.
    apply : callable
        From the value of one cell to another; None when the rule has no answer for it, NA when
        the answer is "missing".
    says : str
        What the rule needs, for the message about a cell that it cannot take.
    """

    reads: Kind
    gives: Kind
    apply: Callable[[Any], Any]
    says: str


def _times(factor: float) -> Rule:
    return Rule("number", "number", lambda value: _finite(value * factor), "a number is needed")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _barcode(*, sample: bool) -> Callable[[str], str | None]:
    def cut(text: str) -> str | None:
        found = _TCGA.fullmatch(text)
        if found is None or (sample and found[2] is None):
            return None
        return ((found[1] + found[2]) if sample else found[1]).replace(".", "-")

    return cut


_IMAGE_ENDING = re.compile(
    r"\.(ome\.)?(tiff?|qptiff|im3|svs|ndpi|czi|mrxs|scn|lif|vsi|bif|zarr|h5)$", re.IGNORECASE
)


def image_name(text: str) -> str:
    r"""Return the name of an image without the folder before it and the ending behind it.

    Examples
    --------
    >>> image_name("D:\\\\slides\\\\TMA1_[3,B].tif"), image_name("exemplar-001.ome.tif")
    ('TMA1_[3,B]', 'exemplar-001')
    """
    return _IMAGE_ENDING.sub("", re.split(r"[/\\]", text.strip())[-1])


_MONTHS_PER_YEAR = 12.0
_RESPONSE: Mapping[str, Any] = {"CR": True, "PR": True, "SD": False, "PD": False, "NE": pd.NA}

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "inverted": Rule("flag", "flag", lambda flag: not flag, "a flag is needed"),
        "objective_response": Rule("text", "flag", _RESPONSE.get, f"one of {', '.join(_RESPONSE)} is needed"),
        "weeks_to_days": _times(7.0),
        "months_to_days": _times(schema.DAYS_PER_MONTH),
        "years_to_days": _times(365.25),
        "days_to_months": _times(1 / schema.DAYS_PER_MONTH),
        "years_to_months": _times(_MONTHS_PER_YEAR),
        "days_to_years": _times(1 / 365.25),
        "months_to_years": _times(1 / _MONTHS_PER_YEAR),
        "percent_to_fraction": _times(0.01),
        "um2_to_mm2": _times(1e-6),
        "image_name": Rule("text", "text", image_name, "the name of an image is needed"),
        "tcga_patient": Rule("text", "text", _barcode(sample=False), "a TCGA barcode is needed"),
        "tcga_sample": Rule("text", "text", _barcode(sample=True), "a TCGA barcode with a sample type is needed"),
    }
)
"""What ``transform`` may name.

``inverted`` turns a flag round (1 = censored becomes 1 = event); ``objective_response`` is true for
CR and PR, false for SD and PD, missing for NE; a month has 30.4375 days, a year 365.25 days and 12
months; ``um2_to_mm2`` makes
square millimeters of square micrometers; ``image_name`` cuts folder and ending off the name of an image; the TCGA
rules cut a barcode down to the patient (TCGA-XX-XXXX) or to the sample (TCGA-XX-XXXX-01).
"""


def study_day(text: str, first: str) -> int | None:
    """Return the study day of a date: the first dose is day 1, the day before is -1.

    Parameters
    ----------
    text, first : str
        Dates as YYYY-MM-DD, with or without a time of day, which is not used.

    Returns
    -------
    int or None
        None when one of the two is not a complete date.

    Examples
    --------
    >>> study_day("2020-03-02", "2020-03-01"), study_day("2020-02-29", "2020-03-01T09:30")
    (2, -1)
    """
    day, origin = _date(text), _date(first)
    if day is None or origin is None:
        return None
    days = (day - origin).days
    return days + 1 if days >= 0 else days


def _date(text: str) -> date | None:
    found = _DATE.fullmatch(text.strip())
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def row_matches(text: str, wanted: Mapping[str, str]) -> bool:
    """Return whether a cell starts or ends as ``keep`` or ``drop`` says."""
    return text.startswith(wanted.get("starts_with", "")) and text.endswith(wanted.get("ends_with", ""))
