"""The Kaplan-Meier curve of an endpoint as a table that a figure can draw."""

from __future__ import annotations

import pandas as pd

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked
from immunosarc.endpoints._strata import ALL, split
from immunosarc.errors import UnknownNameError, did_you_mean
from immunosarc.stats import KaplanMeier, kaplan_meier

__all__ = ["curve_in_days", "survival_curve"]


def survival_curve(
    outcomes: pd.DataFrame, endpoint: str = "pfs", *, by: pd.Series | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Give the share of treated patients still without the event, month by month.

    Kaplan-Meier with pointwise log-log intervals, over the patients whose endpoint is known.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``, see :func:`derive`.
    endpoint : {"pfs", "os"}
        Which survival.
    by : Series, optional
        Stratum of each patient, indexed by patient; one curve each. Without it, one curve
        of stratum ``"all"``.
    level : float
        Confidence level of the pointwise interval.

    Returns
    -------
    DataFrame
        ``schema.SURVIVAL_CURVE``: one row per distinct time in months, after a row at time 0 where
        survival is 1. The interval is missing where survival is 1 or 0. A stratum in which
        nobody's endpoint is known has no rows.

    Raises
    ------
    UnknownNameError
        When the endpoint is not a survival time.
    SchemaError
        When ``by`` does not name every patient once.
    ImmortalTimeError
        When ``by`` is a response: responders had to live long enough to respond.

    Examples
    --------
    >>> from immunosarc import Cohort
    >>> from immunosarc.endpoints import derive
    >>> patients = pd.DataFrame(
    ...     {"pfs_days": [42, 84, 168], "pfs_event": [True, True, False]},
    ...     index=pd.Index(["P1", "P2", "P3"], name="patient_id"),
    ... )
    >>> curve = survival_curve(derive(Cohort(patients=patients)))
    >>> curve["survival"].round(3).tolist(), curve["at_risk"].tolist()
    ([1.0, 0.667, 0.333, 0.333], [3.0, 3.0, 2.0, 1.0])
    """
    known = [name for name, record in schema.ENDPOINTS.items() if record.kind == "time_to_event"]
    if endpoint not in known:
        raise UnknownNameError(f"no survival curve for endpoint {endpoint!r}.{did_you_mean(endpoint, known)}")
    schema.refuse_response_groups([] if by is None else [by.name], endpoint)
    outcomes = schema.OUTCOMES.check(outcomes)
    groups = {ALL: outcomes} if by is None else split(outcomes, by)
    parts = [schema.SURVIVAL_CURVE.empty()]
    for stratum, frame in groups.items():
        curve = curve_in_days(frame, endpoint, level=level)
        if curve is not None:
            parts.append(_rows(curve).assign(endpoint=endpoint, stratum=stratum))
    table = schema.SURVIVAL_CURVE.check(pd.concat(parts[1:] or parts, ignore_index=True))
    return marked(table, simulated=is_simulated(outcomes))


def curve_in_days(outcomes: pd.DataFrame, endpoint: str, *, level: float) -> KaplanMeier | None:
    """Return the curve on the day scale, where times are whole.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    endpoint : {"pfs", "os"}
        Which survival.
    level : float
        Confidence level of the pointwise interval.

    Returns
    -------
    KaplanMeier or None
        None when nobody's endpoint is known.
    """
    known = outcomes[outcomes[f"{endpoint}_status"] == "ok"]
    if known.empty:
        return None
    return kaplan_meier(
        known[f"{endpoint}_days"].to_numpy(dtype=float),
        known[f"{endpoint}_event"].to_numpy(dtype=bool),
        "log-log",
        level=level,
    )


def _rows(curve: KaplanMeier) -> pd.DataFrame:
    steps = pd.DataFrame(
        {
            "time": curve.time / schema.DAYS_PER_MONTH,
            "at_risk": curve.at_risk,
            "n_events": curve.n_event,
            "n_censored": curve.n_censored,
            "survival": curve.survival,
            "conf_low": curve.conf_low,
            "conf_high": curve.conf_high,
        }
    )
    start = {"time": 0.0, "at_risk": curve.at_risk[0], "n_events": 0, "n_censored": 0, "survival": 1.0}
    return pd.concat([pd.DataFrame([start]), steps], ignore_index=True)
