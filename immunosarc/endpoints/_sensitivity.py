"""Progression-free at six months, by every threshold and estimator that trials print, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked
from immunosarc.endpoints._curve import curve_in_days
from immunosarc.endpoints._strata import ALL, split
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.stats import clopper_pearson

__all__ = ["PFS_THRESHOLDS", "pfs_sensitivity"]

PFS_THRESHOLDS: Mapping[str, int] = MappingProxyType(
    {"24 weeks": 168, "26 weeks": 182, "6 months": schema.SIX_MONTHS_DAYS}
)
"""What "six months" has been taken to mean, in days."""


def pfs_sensitivity(
    outcomes: pd.DataFrame,
    *,
    thresholds: Mapping[str, int] = PFS_THRESHOLDS,
    window_days: int = 0,
    by: pd.Series | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Give the share of patients progression-free at each threshold, by three estimators side by side.

    - *binomial, evaluable*: progressed or died up to the threshold against an event or a
      progression-free scan after it; patients censored before it are left out.
    - *binomial, all treated*: the same, but the censored count as failures.
    - *Kaplan-Meier* at the threshold, with the log-log interval.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``, see :func:`derive`.
    thresholds : mapping of str to int
        Days since the first dose, by the words that name them.
    window_days : int
        A progression-free scan so many days before the threshold still shows that it was passed.
    by : Series, optional
        Stratum of each patient, indexed by patient: adds the same rows for each stratum.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        ``schema.PFS_SENSITIVITY``: three rows for each threshold and stratum.

    Raises
    ------
    ImmunosarcError
        When a threshold is not a whole number of days above 0, or the window is below 0.

    Examples
    --------
    >>> from immunosarc import Cohort
    >>> from immunosarc.endpoints import derive
    >>> patients = pd.DataFrame(
    ...     {"pfs_days": [100, 175, 175, 300], "pfs_event": [True, True, False, False]},
    ...     index=pd.Index(["P1", "P2", "P3", "P4"], name="patient_id"),
    ... )
    >>> table = pfs_sensitivity(derive(Cohort(patients=patients)))
    >>> table["estimate"].round(3).tolist()
    [0.75, 0.75, 0.75, 0.333, 0.25, 0.5, 0.333, 0.25, 0.5]
    """
    _check(thresholds, window_days)
    outcomes = schema.OUTCOMES.check(outcomes)
    groups = {ALL: outcomes, **split(outcomes, by)}
    rows = [
        row
        | {"threshold": name, "t_days": day, "window_days": window_days, "stratum": stratum, "conf_level": level}
        for stratum, group in groups.items()
        for name, day in thresholds.items()
        for row in _rows(group, day, window=window_days, level=level)
    ]
    table = schema.PFS_SENSITIVITY.check(pd.DataFrame(rows, columns=list(schema.PFS_SENSITIVITY.columns)))
    return marked(table, simulated=is_simulated(outcomes))


def _check(thresholds: Mapping[str, int], window_days: int) -> None:
    lines = [
        f"{name}: {day!r} is not a whole number of days above 0"
        for name, day in thresholds.items()
        if not isinstance(day, int) or isinstance(day, bool) or day < 1
    ]
    if not isinstance(window_days, int) or window_days < 0:
        lines.append(f"window_days: need a whole number of at least 0, have {window_days!r}")
    raise_together(ImmunosarcError, "pfs_sensitivity", lines)


def _rows(outcomes: pd.DataFrame, day: int, *, window: int, level: float) -> list[dict[str, Any]]:
    known = outcomes[outcomes["pfs_status"] == "ok"]
    days, event = known["pfs_days"], known["pfs_event"].astype(bool)
    free = int(((days > day) | (~event & (days >= day - window) & (window > 0))).sum())
    failed = int((event & (days <= day)).sum())
    counts = {"n_free": free, "n_failed": failed, "n_unknown": len(known) - free - failed}
    evaluable = ("binomial, evaluable; Clopper-Pearson", "decided by the threshold", free + failed)
    treated = ("binomial, all treated; Clopper-Pearson", "treated, the censored as failures", len(known))
    rows = [
        counts | _binomial(free, n, level) | {"method": method, "population": population, "n": n}
        for method, population, n in (evaluable, treated)
    ]
    curve = {"method": "Kaplan-Meier; log-log", "population": "treated", "n": len(known)}
    return [*rows, counts | curve | _kaplan_meier(outcomes, day, level)]


def _binomial(free: int, n: int, level: float) -> dict[str, Any]:
    if not n:
        return {"estimate": np.nan, "conf_low": np.nan, "conf_high": np.nan, "status": "no patient is decided"}
    low, high = clopper_pearson(free, n, level=level)
    return {"estimate": free / n, "conf_low": float(low), "conf_high": float(high), "status": "ok"}


def _kaplan_meier(outcomes: pd.DataFrame, day: int, level: float) -> dict[str, Any]:
    curve = curve_in_days(outcomes, "pfs", level=level)
    if curve is None:
        return {"estimate": np.nan, "conf_low": np.nan, "conf_high": np.nan, "status": "no patient"}
    estimate, low, high = (float(value) for value in curve.at(day))
    status = f"nobody followed to day {day}" if np.isnan(estimate) else "ok"
    status = f"no interval: the curve is at {estimate:g}" if status == "ok" and np.isnan(low) else status
    return {"estimate": estimate, "conf_low": low, "conf_high": high, "status": status}
