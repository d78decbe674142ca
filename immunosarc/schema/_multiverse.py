"""Result table of one question asked along every declared path of analysis."""

from __future__ import annotations

from typing import Any

import pandas as pd

from immunosarc.schema._table import Column, Table

__all__ = ["MULTIVERSE", "MULTIVERSE_CHOICES", "PATH_DIMENSIONS", "choice_text"]

PATH_DIMENSIONS = ("method", "endpoint", "rule_set", "covariates", "population", "landmark_day")
"""What a path of analysis chooses, in the order of the columns."""


def _text(meaning: str, *, filled: bool = True) -> Column:
    return Column("text", meaning, required=True, filled=filled)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


MULTIVERSE = Table(
    "multiverse",
    {
        "signature": _text("signature"),
        "method": _text("scoring method"),
        "endpoint": _text("clinical endpoint"),
        "rule_set": _text("rules of response and censoring"),
        "covariates": _text("what the model adjusts for; 'none'"),
        "population": _text("name of the population"),
        "landmark_day": _number("study day on which the clock starts; missing = first dose", low=1),
        "primary": Column("flag", "whether this path was declared the primary one", required=True),
        "measure": _text("log ratio per standard deviation", filled=False),
        "n": _number("patients", low=0),
        "n_events": _number("of them with the endpoint, or events", low=0),
        "estimate": _number("effect"),
        "std_error": _number("its standard error", low=0),
        "conf_low": _number("lower confidence limit"),
        "conf_high": _number("upper confidence limit"),
        "z": _number("estimate over its error, positive where higher is better for the patient"),
        "n_paths": _number("paths in the grid", low=1),
        "p_joint": _number("p of all paths together: the size of their median z, by permutation", low=0, high=1),
        "status": _text("'ok', or why this path has no effect"),
    },
)

MULTIVERSE_CHOICES = Table(
    "multiverse_choices",
    {
        "dimension": _text("what is chosen"),
        "choice": _text("the choice"),
        "n_paths": _number("paths that make it", low=1),
        "n_estimated": _number("of them with an effect", low=0),
        "z_median": _number("their median z, positive where higher is better for the patient"),
        "z_low": _number("their smallest z"),
        "z_high": _number("their largest z"),
        "n_better": _number("of them with z above 0", low=0),
    },
)


def choice_text(value: Any) -> str:
    """Return a choice of a path in words: a day is a day, a missing one the first dose.

    Parameters
    ----------
    value : object
        A cell of one of :data:`PATH_DIMENSIONS`.

    Examples
    --------
    >>> choice_text(60.0), choice_text(float("nan")), choice_text("singscore")
    ('day 60', 'first dose', 'singscore')
    """
    if pd.isna(value):
        return "first dose"
    return str(value) if isinstance(value, str) else f"day {value:g}"
