"""Tables that may leave the hospital: no single patients, no small groups, nothing that gives them away."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from immunosarc.errors import ImmunosarcError
from immunosarc.study import Study

__all__ = ["released_provenance", "suppressed_study", "suppressed_table", "suppressed_tables"]

_GROUPS = ("summary", "families", "associations", "changes")
"""Tables of groups of patients."""

_NO_PATIENTS = ("coverage", "signatures")
_N = ("n", "n_patients")
_EVENTS = "n_events"
_WHOLE_PART = {"summary": ("measure", "stratum"), "changes": ("feature", "group")}
"""Tables whose rows add up: what a row is of, and the column whose parts make ``all``."""

_SAYS_NOTHING = ("conf_level", "alpha", "null_value", "n_features", "n_permutations")
"""Numbers that do not depend on the patients."""


def suppressed_study(study: Study, below: int) -> Study:
    """Return the study with tables of groups only, small counts and what would give them away left out.

    Parameters
    ----------
    study : Study
    below : int
        The smallest count that is told.
    """
    tables = suppressed_tables(study.tables, below)
    gone = sorted(set(study.tables) - set(tables))
    about = {
        **released_provenance(study.provenance, _names_of(study)),
        "suppressed_below": below,
        "tables_left_out": gone,
    }
    return dataclasses.replace(study, tables=MappingProxyType(tables), provenance=MappingProxyType(about))


def _names_of(study: Study) -> set[str]:
    left_out = (row for step in study.cohort.provenance.get("loading", ()) for row in step["left_out"])
    gone = {str(name) for row in left_out for name in row[:2]}
    return gone.union(study.cohort.patients.index, study.cohort.samples.index)


def released_provenance(provenance: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return where the numbers come from, without single patients and without the names of files.

    A folder of samples names them, and a file is often named for a person; the hashes say the same.
    A caveat that holds the name of a patient or sample (``names``) stays behind.
    """
    told = {name: fact for name, fact in provenance.items() if name not in ("loading", "files")}
    if "caveats" in told:
        known = set(names)
        told["caveats"] = [one for one in told["caveats"] if known.isdisjoint(re.findall(r"[\w.-]*\w", one))]
    hashes = sorted(str(facts["sha256"]) for facts in provenance.get("files", {}).values())
    return {**told, "files_sha256": hashes} if hashes else told


def suppressed_tables(tables: Mapping[str, pd.DataFrame], below: int) -> dict[str, pd.DataFrame]:
    """Return the tables of groups alone, each without its small counts."""
    if below < 2:
        raise ImmunosarcError(f"suppress_below = {below}: a whole number of 2 or more is needed")
    return {
        name: table if name in _NO_PATIENTS else suppressed_table(name, table, below)
        for name, table in tables.items()
        if name in (*_GROUPS, *_NO_PATIENTS)
    }


def suppressed_table(name: str, table: pd.DataFrame, below: int) -> pd.DataFrame:
    """Return a table of groups in which no count below ``below`` stands or can be recomputed.

    A row loses all its numbers when its patients, those with the event or those without are fewer;
    when one of these counts differs by less from the same count of a row that is told (the
    difference of two groups is a group, too); and, where rows add up to ``all``, when another part of
    the same whole has lost its own. Rows that many others agree with are told first.
    """
    counts = _counts(table)
    filled = counts["n"].fillna(0) > 0
    large = (counts.isna() | (counts >= below)).all(axis=1)
    told = _compatible(counts, filled & large, _order(name, table, counts), below)
    if name in _WHOLE_PART:
        told &= ~_part_of_a_broken_whole(table, filled & ~told, *_WHOLE_PART[name])
    return _without_numbers(table, filled & ~told, below)


def _counts(table: pd.DataFrame) -> pd.DataFrame:
    n = table[next(name for name in _N if name in table)].astype(float)
    events = table[_EVENTS].astype(float) if _EVENTS in table else pd.Series(np.nan, index=table.index)
    return pd.DataFrame({"n": n, "events": events, "without": n - events})


def _order(name: str, table: pd.DataFrame, counts: pd.DataFrame) -> list[tuple[float, ...]]:
    """Return the different triples of counts: wholes first, then those that most rows share."""
    part = table[_WHOLE_PART[name][1]] if name in _WHOLE_PART else pd.Series("all", index=table.index)
    keys = list(map(tuple, counts.fillna(-1.0).to_numpy()))
    frame = pd.DataFrame({"key": keys, "whole": (part == "all").to_numpy()})
    ranked = frame.groupby("key", sort=False).agg(whole=("whole", "max"), rows=("whole", "size"))
    return list(ranked.sort_values(["whole", "rows"], ascending=False, kind="stable").index)


def _compatible(
    counts: pd.DataFrame, candidates: pd.Series, order: list[tuple[float, ...]], below: int
) -> pd.Series:
    """Keep a triple when each of its counts equals those already told or is far enough from them."""
    keys = pd.Series(list(map(tuple, counts.fillna(-1.0).to_numpy())), index=counts.index, dtype=object)
    wanted = set(keys[candidates])
    told: list[tuple[float, ...]] = []
    for key in order:
        if key in wanted and all(_apart(key, other, below) for other in told):
            told.append(key)
    return candidates & keys.isin(told)


def _apart(one: tuple[float, ...], other: tuple[float, ...], below: int) -> bool:
    pairs = [*zip(one, other, strict=True), (one[0], other[1]), (one[1], other[0])]
    known = [(a, b) for a, b in pairs if a >= 0 and b >= 0]
    return all(a == b or abs(a - b) >= below for a, b in known)


def _part_of_a_broken_whole(table: pd.DataFrame, lost: pd.Series, unit: str, part: str) -> pd.Series:
    is_part = table[part] != "all"
    return is_part & (is_part & lost).groupby(table[unit]).transform("any")


def _without_numbers(table: pd.DataFrame, lost: pd.Series, below: int) -> pd.DataFrame:
    result = table.copy()
    for column in result.columns:
        if pd.api.types.is_numeric_dtype(result[column].dtype) and column not in _SAYS_NOTHING:
            result[column] = result[column].astype(float).mask(lost)
    said = f"suppressed: a group of fewer than {below} patients, or one that gives it away"
    if "status" in result:
        result["status"] = result["status"].mask(lost, said)
    return result
