"""The same patient in two cohorts: found by id, or by equal measurements under any id."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.errors import CohortError, raise_together

__all__ = ["refuse_shared_patients"]

_SAME_DAYS = 3
"""Days by which two records of one death may differ."""
_MANY = 10
"""Features from which on equal values are no accident."""
_SHOWN = 20


def refuse_shared_patients(cohorts: Mapping[str, Cohort], namesakes: Collection[str]) -> None:
    """Raise with every patient who may stand in two cohorts.

    Two people may have one id: sex or the day of death tells them apart, or the user does.

    Raises
    ------
    CohortError
        With the ids, and what to do.
    """
    problems = []
    for (first, one), (second, other) in combinations(cohorts.items(), 2):
        shared = one.patients.index.intersection(other.patients.index)
        doubtful = [
            str(p)
            for p in shared
            if p not in namesakes and not _differ(one.patients.loc[p], other.patients.loc[p])
        ]
        same = sorted(set(_samples(one)) & set(_samples(other)))
        if doubtful:
            problems.append(
                f"{first} and {second} share {_named(doubtful)}, and neither sex nor day of death tells them apart"
            )
        if same:
            names = [f"{_samples(one)[key]} = {_samples(other)[key]}" for key in same]
            problems.append(f"{first} and {second} hold the same measurements: {_named(names)}")
    raise_together(
        CohortError,
        "replication",
        problems,
        cure="One patient counts once: leave them out of one cohort with the plan's exclude or cohort.select. If "
        "two people have one id, name the id in namesakes.",
    )


def _differ(one: pd.Series, other: pd.Series) -> bool:
    """Return whether something that never changes is not the same: sex, or the day of death."""
    if all(pd.notna(row.get("sex")) for row in (one, other)) and one["sex"] != other["sex"]:
        return True
    died = [row.get("os_days") for row in (one, other) if pd.notna(row.get("os_event")) and row["os_event"]]
    known = [float(day) for day in died if pd.notna(day)]
    return len(known) == 2 and abs(known[0] - known[1]) > _SAME_DAYS


def _samples(cohort: Cohort) -> dict[str, str]:
    """Return each sample by the hash of its measurements: genes in order, and their values."""
    found = {}
    for adata in cohort.assays.values():
        if adata.uns["immunosarc"]["level"] != "sample" or adata.n_vars < _MANY:
            continue
        order = np.argsort(adata.var_names.astype(str))
        genes = hashlib.sha256("\n".join(adata.var_names[order].astype(str)).encode()).digest()
        values = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
        for name, row in zip(adata.obs_names, np.asarray(values, dtype=np.float64)[:, order], strict=True):
            if len(np.unique(row[np.isfinite(row)])) > 1:
                found[hashlib.sha256(genes + row.tobytes()).hexdigest()] = str(name)
    return found


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
