"""The numbers a clinic reads first: rates, medians, toxicity, each with its population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked
from immunosarc.endpoints._curve import curve_in_days
from immunosarc.endpoints._strata import ALL, split
from immunosarc.errors import ImmunosarcError, UnknownNameError, did_you_mean, raise_together
from immunosarc.stats import binomial_p_greater, clopper_pearson

__all__ = ["summarize"]

_DAY = schema.SIX_MONTHS_DAYS
_EXACT = "binomial; Clopper-Pearson"
_PROPORTIONS = {
    "objective_response": ("response-evaluable", _EXACT),
    "disease_control": ("response-evaluable", _EXACT),
    "durable_clinical_benefit": ("evaluable for durable benefit", _EXACT),
    "pfs6": (f"evaluable at day {_DAY}", f"binomial, evaluable at day {_DAY}; Clopper-Pearson"),
    "treatment_related_grade_3_4": ("treated, toxicity recorded", _EXACT),
    "immune_event_immunosuppression": ("treated, toxicity recorded", _EXACT),
}
"""Binary measures: the population that counts, and how the rate is estimated."""

_BEFORE_CURVES = 4  # efficacy first, then the curves, then toxicity

_SURVIVAL = {
    "pfs": "treated, progression-free survival recorded",
    "os": "treated, overall survival recorded",
}


def summarize(
    outcomes: pd.DataFrame,
    *,
    by: pd.Series | None = None,
    null_rates: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    r"""Give the response rate, the PFS rate, the medians and the toxicity, and how sure one can be.

    Rates count only patients whose answer is known, with the exact interval of Clopper and
    Pearson (doi 10.1093/biomet/26.4.404). Progression-free survival at six months comes twice
    because the two answers differ whenever somebody was censored early: ``pfs6`` is the share
    of the patients evaluable at day 183, ``pfs6_kaplan_meier`` the Kaplan-Meier curve at day
    183, over all treated. Medians are read off the curve; where it is exactly one half over a
    stretch, the middle of that stretch (the convention of R).

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``, see :func:`derive`. Left unchanged.
    by : Series, optional
        Stratum of each patient, indexed by patient, for example
        ``cohort.patients["schedule_stage"]``: adds the same rows for each stratum.
    null_rates : mapping of str to float, optional
        Historical rate of a binary measure, strictly between 0 and 1. Adds the exact one-sided
        :math:`P(X \ge x)` to the row of all patients; a historical rate was not set for strata.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        ``schema.SUMMARY``. Proportions lie between 0 and 1, medians are months. ``n_events``
        counts the patients with the success (rates), with the event by day 183
        (``pfs6_kaplan_meier``) or with the event at all (medians). Every measure has its row in
        every stratum; a missing estimate or limit is explained in ``status``.

    Raises
    ------
    UnknownNameError
        When ``null_rates`` names something that is not a binary measure.
    ImmunosarcError
        When a rate or ``level`` is not strictly between 0 and 1.
    SchemaError
        When ``by`` does not name every patient once.

    Examples
    --------
    >>> from immunosarc import Cohort
    >>> from immunosarc.endpoints import derive
    >>> patients = pd.DataFrame(
    ...     {"best_overall_response": ["PR", "SD", "PD"]},
    ...     index=pd.Index(["P1", "P2", "P3"], name="patient_id"),
    ... )
    >>> summary = summarize(derive(Cohort(patients=patients))).set_index("measure")
    >>> summary.loc["objective_response", ["n_events", "n", "conf_low", "conf_high"]].map("{:.3g}".format).tolist()
    ['1', '3', '0.0084', '0.906']
    >>> summary.loc["median_pfs", "status"]
    'no patient: treated, progression-free survival recorded'
    """
    rates = dict(null_rates or {})
    _check_numbers(rates, level)
    outcomes = schema.OUTCOMES.check(outcomes)
    rows = _block(outcomes, ALL, rates=rates, level=level)
    for stratum, frame in split(outcomes, by).items():
        rows += _block(frame, stratum, rates={}, level=level)
    table = schema.SUMMARY.check(pd.DataFrame(rows, columns=list(schema.SUMMARY.columns)))
    return marked(table, simulated=is_simulated(outcomes))


def _check_numbers(rates: Mapping[str, float], level: float) -> None:
    unknown = [name for name in rates if name not in _PROPORTIONS]
    lines = [f"no binary measure {name!r}.{did_you_mean(name, _PROPORTIONS)}" for name in unknown]
    raise_together(UnknownNameError, "null_rates", lines)
    lines = [f"{name}: {rate!r}" for name, rate in {**rates, "level": level}.items() if not 0 < rate < 1]
    raise_together(ImmunosarcError, "summarize", lines, cure="Rates and level lie strictly between 0 and 1.")


def _block(
    outcomes: pd.DataFrame, stratum: str, *, rates: Mapping[str, float], level: float
) -> list[dict[str, Any]]:
    shared = {"stratum": stratum, "conf_level": level, "null_value": np.nan, "p_value": np.nan}
    exact = [_exact_row(outcomes, name, null=rates.get(name, np.nan), level=level) for name in _PROPORTIONS]
    curves = [
        _six_month_row(outcomes, level=level),
        *(_median_row(outcomes, endpoint, level=level) for endpoint in _SURVIVAL),
    ]
    return [shared | row for row in (*exact[:_BEFORE_CURVES], *curves, *exact[_BEFORE_CURVES:])]


def _exact_row(outcomes: pd.DataFrame, measure: str, *, null: float, level: float) -> dict[str, Any]:
    population, method = _PROPORTIONS[measure]
    known = outcomes[measure].dropna()
    n, successes = len(known), int(known.sum())
    row = _row(measure, population, unit="proportion", method=method, n=n, n_events=successes)
    if not n:
        return row | {"null_value": null}
    low, high = clopper_pearson(successes, n, level=level)
    p_value = np.nan if np.isnan(null) else float(binomial_p_greater(successes, n, null))
    return row | _estimate(successes / n, low, high) | {"null_value": null, "p_value": p_value}


def _six_month_row(outcomes: pd.DataFrame, *, level: float) -> dict[str, Any]:
    known = outcomes[outcomes["pfs_status"] == "ok"]
    events = int((known["pfs_event"] & (known["pfs_days"] <= _DAY)).sum())
    method = f"Kaplan-Meier at day {_DAY}; log-log"
    row = _row(
        "pfs6_kaplan_meier", _SURVIVAL["pfs"], unit="proportion", method=method, n=len(known), n_events=events
    )
    curve = curve_in_days(outcomes, "pfs", level=level)
    return row if curve is None else row | _rate_status(*(float(value) for value in curve.at(_DAY)))


def _median_row(outcomes: pd.DataFrame, endpoint: str, *, level: float) -> dict[str, Any]:
    known = outcomes.loc[outcomes[f"{endpoint}_status"] == "ok", f"{endpoint}_event"]
    row = _row(
        f"median_{endpoint}",
        _SURVIVAL[endpoint],
        unit="months",
        method="Kaplan-Meier; log-log",
        n=len(known),
        n_events=int(known.sum()),
    )
    curve = curve_in_days(outcomes, endpoint, level=level)
    return (
        row if curve is None else row | _median_status(*(days / schema.DAYS_PER_MONTH for days in curve.median()))
    )


def _row(measure: str, population: str, *, unit: str, method: str, n: int, n_events: int) -> dict[str, Any]:
    empty = {"estimate": np.nan, "conf_low": np.nan, "conf_high": np.nan, "status": f"no patient: {population}"}
    named = {"measure": measure, "population": population, "unit": unit, "method": method}
    return named | {"n": n, "n_events": n_events} | empty


def _estimate(estimate: float, low: Any, high: Any, status: str = "ok") -> dict[str, Any]:
    return {"estimate": estimate, "conf_low": float(low), "conf_high": float(high), "status": status}


def _rate_status(estimate: float, low: float, high: float) -> dict[str, Any]:
    if np.isnan(estimate):
        return _estimate(estimate, low, high, f"nobody followed to day {_DAY}")
    if np.isnan(low):
        return _estimate(estimate, low, high, f"no interval: the curve is at {estimate:g}")
    return _estimate(estimate, low, high)


def _median_status(estimate: float, low: float, high: float) -> dict[str, Any]:
    if np.isnan(estimate):
        return _estimate(estimate, low, high, "not reached")
    limits = {"lower": low, "upper": high}
    open_limits = [name for name, limit in limits.items() if np.isnan(limit)]
    words = f"{' and '.join(open_limits)} confidence limit not reached" if open_limits else "ok"
    return _estimate(estimate, low, high, words)
