"""What the source called, beside what its measurements give, and why the two differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["called_twice", "with_reported"]

_KEY = ["patient_id", "reader", "study_day"]
_PARTS = {"target_response": "reported_target_response", "overall_response": "reported_response"}


def with_reported(visits: pd.DataFrame, called: pd.DataFrame, against_baseline: Any) -> pd.DataFrame:
    """Return the visits with the reported calls and the reason of every discrepancy.

    Parameters
    ----------
    visits : DataFrame
        ``schema.RECIST``.
    called : DataFrame
        ``schema.ASSESSMENTS``; its visits are among ``visits``.
    against_baseline : array of text
        Target response of each visit if growth were measured from baseline.
    """
    given = [name for name in _PARTS if name in called]
    columns = [name for name in _KEY if name in called]
    once = called.drop(called.index[[row for row, _ in called_twice(called)]])
    asked = once[[*columns, *given]].astype(dict.fromkeys([*columns[:-1], *given], "string"))
    asked = asked.drop_duplicates(columns)
    asked = asked.rename(columns={name: _PARTS[name] for name in given})
    asked = asked if "reader" in asked else asked.assign(reader=pd.array([pd.NA] * len(asked), dtype="string"))
    joined = visits.merge(asked, on=_KEY, how="left", validate="one_to_one")
    for name in _PARTS.values():
        joined[name] = joined.get(name, pd.Series(pd.NA, index=joined.index)).astype("string")
    return joined.assign(discrepancy=_discrepancies(joined, pd.Series(against_baseline, index=joined.index)))


def called_twice(called: pd.DataFrame) -> list[tuple[int, str]]:
    """Return position and words of every row that calls a visit otherwise than a row before it.

    Parameters
    ----------
    called : DataFrame
        ``schema.ASSESSMENTS``.
    """
    parts = [name for name in _PARTS if name in called]
    key = [name for name in _KEY if name in called]
    plain = called[[*key, *parts]].reset_index(drop=True)
    plain = plain.astype(dict.fromkeys([*key[:-1], *parts], "string"))
    distinct = plain.drop_duplicates().dropna(subset=parts, how="all") if parts else plain[:0]
    again = distinct[distinct.duplicated(key)]
    return [(int(row), f"day {day:g} is called twice") for row, day in again["study_day"].items()]


def _discrepancies(visits: pd.DataFrame, against_baseline: pd.Series) -> pd.Series:
    target, reported = visits["target_response"], visits["reported_target_response"]
    differs = _unequal(target, reported)
    by_nadir = differs & (target == "PD") & (against_baseline == reported)
    words = pd.Series(pd.NA, index=visits.index, dtype="string")
    overall = _unequal(visits["overall_response"], visits["reported_response"])
    words = words.mask(
        overall, "overall: derived " + visits["overall_response"] + ", reported " + visits["reported_response"]
    )
    words = words.mask(differs, "target: derived " + target + ", reported " + reported)
    more = (visits["sum_mm"] - visits["nadir_mm"]).map("{:g}".format).astype("string")
    nadir = visits["nadir_mm"].map("{:g}".format).astype("string")
    day = visits["nadir_day"].map("{:g}".format).astype("string")
    reason = f"; {''}" + more + " mm over the nadir of " + nadir + " mm on day " + day
    words = words.mask(by_nadir, words + reason + ": the report agrees only if growth is measured from baseline")
    silent = differs & (visits["status"] != "ok")
    return words.mask(silent, words + "; " + visits["status"])


def _unequal(one: pd.Series, other: pd.Series) -> pd.Series:
    return (one != other).fillna(False).astype(bool) & one.notna() & other.notna() & np.ones(len(one), dtype=bool)
