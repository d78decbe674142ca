"""Resistance as a question: who counts, and how progression competes with death."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import is_simulated, marked
from immunosarc.errors import PlanError, raise_together

__all__ = ["progression_incidence", "with_resistance"]

_CLASSIFIED = ("primary", "secondary", "sensitive_ongoing")
_PROGRESSED, _DIED = 1, 2


def with_resistance(outcomes: pd.DataFrame, resistance: pd.Series) -> pd.DataFrame:
    """Add to the outcomes the two questions that a ready-made class of resistance answers.

    ``primary_resistance``: primary against every other patient who could be classified.
    ``secondary_resistance``: secondary against those still sensitive; patients with primary resistance never
    had a response to lose and are missing. Everybody else is missing in both.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    resistance : Series of str
        Indexed by patient: ``primary``, ``secondary``, ``sensitive_ongoing``; any other word is the reason why
        there is no class, as is a missing value.

    Returns
    -------
    DataFrame
        The outcomes with ``primary_resistance``, ``secondary_resistance`` and ``resistance_status``; an earlier
        column of the same name is replaced.

    Raises
    ------
    PlanError
        When the classes are no Series indexed by these patients, or nobody has one.

    References
    ----------
    Rizvi NA et al. J Immunother Cancer 2023;11:e005920, doi:10.1136/jitc-2022-005920.

    Examples
    --------
    >>> import immunosarc as ims
    >>> outcomes = ims.endpoints.derive(ims.simulate_cohort(seed=7)).iloc[:3]
    >>> said = pd.Series(["primary", "secondary", "off_treatment_progression"], index=outcomes.index)
    >>> with_resistance(outcomes, said)["primary_resistance"].tolist()
    [True, False, <NA>]
    """
    problems = []
    if not isinstance(resistance, pd.Series):
        raise PlanError(f"resistance must be a Series indexed by patient_id, not {type(resistance).__name__}.")
    if resistance.index.has_duplicates:
        problems.append("a patient occurs twice")
    if not resistance.index.isin(outcomes.index).any():
        problems.append("none of its rows is a patient of the outcomes")
    elif not resistance.isin(_CLASSIFIED).any():
        problems.append(
            f"nobody is {', '.join(_CLASSIFIED)}; found {sorted(map(str, resistance.dropna().unique()))}"
        )
    raise_together(PlanError, "resistance", problems, cure="Index it by patient_id and name the classes so.")
    named = resistance.reindex(outcomes.index).astype("string")
    classified = named.isin(_CLASSIFIED)
    late = named.isin(_CLASSIFIED[1:])
    reason = ("resistance is " + named).fillna("resistance is not recorded")
    return outcomes.assign(
        primary_resistance=(named == "primary").astype("boolean").where(classified),
        secondary_resistance=(named == "secondary").astype("boolean").where(late),
        resistance_status=reason.mask(classified, "ok").astype("string"),
    )


def progression_incidence(
    outcomes: pd.DataFrame,
    *,
    by: pd.Series | None = None,
    days: Sequence[int] = (91, 183, 365),
    level: float = 0.95,
) -> pd.DataFrame:
    """How many patients had progressed, and how many had died without progression, by a day.

    Who dies without progression can progress no more: one minus a Kaplan-Meier curve that censors deaths
    would count them as if they still could. The two incidences and the share without either add up to one
    (Aalen-Johansen).

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``; a progression-free survival that ends with a death on the same day counts as death
        without progression.
    by : Series, optional
        Stratum of each patient, indexed by patient.
    days : sequence of int
        Days after the first dose.
    level : float
        Of the pointwise intervals.

    Returns
    -------
    DataFrame
        ``stratum, event, day, n, n_events, incidence, conf_low, conf_high, status``; missing after the last
        follow-up.

    Raises
    ------
    PlanError
        When a day is below 1, none is given, or strata are no Series indexed by patient.

    References
    ----------
    Aalen OO, Johansen S. Scand J Stat 1978;5:141-150.

    Examples
    --------
    >>> import immunosarc as ims
    >>> table = progression_incidence(ims.endpoints.derive(ims.simulate_cohort(seed=7)), days=[183])
    >>> table["event"].tolist()
    ['progression', 'death without progression']
    """
    if not len(days) or any(day < 1 for day in days):
        raise PlanError(f"days must be whole numbers of at least 1, found {list(days)}.")
    if by is not None and not isinstance(by, pd.Series):
        raise PlanError(f"by must be a Series indexed by patient_id, not {type(by).__name__}.")
    checked = schema.OUTCOMES.check(outcomes)
    known = checked[checked["pfs_days"].notna() & checked["pfs_event"].notna()]
    groups = {"all": known}
    if by is not None:
        label = by.reindex(known.index).astype("string").fillna("not recorded")
        groups |= {str(name): known[(label == name).to_numpy(dtype=bool)] for name in sorted(label.unique())}
    rows = [row for name, part in groups.items() for row in _incidences(name, part, list(days), level)]
    return marked(pd.DataFrame(rows), simulated=is_simulated(outcomes))


def _incidences(stratum: str, part: pd.DataFrame, days: list[int], level: float) -> list[dict[str, Any]]:
    happened = part["pfs_event"].astype(bool).to_numpy()
    dead = part["os_event"].fillna(False).astype(bool).to_numpy()
    died = happened & dead & (part["os_days"] == part["pfs_days"]).fillna(False).to_numpy(dtype=bool)
    cause = np.where(died, _DIED, np.where(happened, _PROGRESSED, 0))
    rows = []
    for event, code in (("progression", _PROGRESSED), ("death without progression", _DIED)):
        facts = {"stratum": stratum, "event": event, "n": len(part), "n_events": int((cause == code).sum())}
        if not len(part):
            rows += [{**facts, "day": day, "status": "no patient with follow-up"} for day in days]
            continue
        curve = stats.cumulative_incidence(part["pfs_days"].to_numpy(float), cause, interest=code, level=level)
        share, low, high = curve.at(days)
        rows += [
            {
                **facts,
                "day": day,
                "incidence": share[i],
                "conf_low": low[i],
                "conf_high": high[i],
                "status": "ok" if np.isfinite(share[i]) else "beyond the last follow-up",
            }
            for i, day in enumerate(days)
        ]
    return rows
