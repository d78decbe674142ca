"""How long the patients were followed, and the mean survival up to a horizon."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked
from immunosarc.endpoints._strata import ALL, split
from immunosarc.errors import ImmunosarcError
from immunosarc.stats import kaplan_meier, restricted_mean

__all__ = ["summarize_follow_up"]

_NAMES = tuple(e.name for e in schema.ENDPOINTS.values() if e.kind == "time_to_event")


def summarize_follow_up(
    outcomes: pd.DataFrame, *, horizon_days: int = 365, by: pd.Series | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Give the median follow-up, and the mean time without event up to a horizon, for each survival endpoint.

    Follow-up by reverse Kaplan-Meier: being censored is the event, so that patients who died early do
    not make the follow-up look short. Source: Schemper and Smith 1996, doi
    10.1016/0197-2456(96)00075-X. The restricted mean is :func:`immunosarc.stats.restricted_mean`.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``, see :func:`derive`.
    horizon_days : int
        Horizon of the restricted mean.
    by : Series, optional
        Stratum of each patient, indexed by patient: adds the same rows for each stratum.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        ``schema.SUMMARY``: rows ``median_follow_up_pfs``, ``restricted_mean_pfs`` and the same for os,
        in months. ``n_events`` counts the censored for follow-up, events up to the horizon for the mean.

    Raises
    ------
    ImmunosarcError
        When the horizon is not above 0.

    Examples
    --------
    >>> from immunosarc import Cohort
    >>> from immunosarc.endpoints import derive
    >>> patients = pd.DataFrame(
    ...     {"os_days": [100, 400, 500], "os_event": [True, False, False]},
    ...     index=pd.Index(["P1", "P2", "P3"], name="patient_id"),
    ... )
    >>> table = summarize_follow_up(derive(Cohort(patients=patients))).set_index("measure")
    >>> (table["estimate"] * 30.4375).round(2).loc[["median_follow_up_os", "restricted_mean_os"]].tolist()
    [450.0, 276.67]
    """
    if not horizon_days > 0:
        raise ImmunosarcError(f"horizon_days: need a number of days above 0, have {horizon_days!r}.")
    outcomes = schema.OUTCOMES.check(outcomes)
    rows = [
        row | {"stratum": stratum, "unit": "months", "conf_level": level, "null_value": np.nan, "p_value": np.nan}
        for stratum, group in {ALL: outcomes, **split(outcomes, by)}.items()
        for name in _NAMES
        for row in _rows(group, name, horizon_days=horizon_days, level=level)
    ]
    table = schema.SUMMARY.check(pd.DataFrame(rows, columns=list(schema.SUMMARY.columns)))
    return marked(table, simulated=is_simulated(outcomes))


def _rows(outcomes: pd.DataFrame, name: str, *, horizon_days: int, level: float) -> list[dict[str, Any]]:
    known = outcomes[outcomes[f"{name}_status"] == "ok"]
    days, event = known[f"{name}_days"].to_numpy(dtype=float), known[f"{name}_event"].to_numpy(dtype=bool)
    shared = {"population": f"treated, {name} recorded", "n": len(known)}
    follow_up = shared | {"measure": f"median_follow_up_{name}", "method": "reverse Kaplan-Meier; log-log"}
    mean = shared | {"measure": f"restricted_mean_{name}", "method": f"restricted to day {horizon_days}; normal"}
    if not len(known):
        empty = {"n_events": 0, "status": "no patient"}
        return [follow_up | empty, mean | empty]
    median = kaplan_meier(days, ~event, level=level).median()
    area = restricted_mean(days, event, horizon_days, level=level)
    reached = days.max() >= horizon_days
    return [
        follow_up | _months(*median) | {"n_events": int((~event).sum()), "status": _reached(*median)},
        mean
        | _months(area.mean, area.conf_low, area.conf_high)
        | {
            "n_events": int((event & (days <= horizon_days)).sum()),
            "status": "ok" if reached else f"nobody followed to day {horizon_days}: the curve is taken on level",
        },
    ]


def _months(estimate: float, low: float, high: float) -> dict[str, float]:
    scale = schema.DAYS_PER_MONTH
    return {"estimate": estimate / scale, "conf_low": low / scale, "conf_high": high / scale}


def _reached(estimate: float, low: float, high: float) -> str:
    if np.isnan(estimate):
        return "not reached"
    return "ok" if not (np.isnan(low) or np.isnan(high)) else "a confidence limit is not reached"
