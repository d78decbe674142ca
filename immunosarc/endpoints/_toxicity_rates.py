"""How often each adverse event happened among treated patients, also per time at risk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.endpoints._patient_toxicity import days_at_risk
from immunosarc.endpoints._strata import ALL, split
from immunosarc.stats import clopper_pearson, poisson_rate

__all__ = ["summarize_toxicity"]

ANY = "any"
"""The row of all terms together."""

_CATEGORIES = {
    "treatment-emergent": ("grade_treatment_emergent", 1, 5),
    "treatment-emergent, grade 3 or 4": ("grade_treatment_emergent", 3, 4),
    "treatment-emergent, grade 3 or higher": ("grade_treatment_emergent", 3, 5),
    "treatment-related": ("grade_related", 1, 5),
    "treatment-related, grade 3 or 4": ("grade_related", 3, 4),
    "treatment-related, grade 3 or higher": ("grade_related", 3, 5),
    "immune-mediated": ("grade_immune_mediated", 1, 5),
    "immune-mediated, immunosuppression": ("immunosuppression", 1, 1),
}
"""Column and grades (lowest, highest) that count."""


def summarize_toxicity(
    toxicity: pd.DataFrame,
    patients: pd.DataFrame,
    exposures: pd.DataFrame,
    *,
    by: pd.Series | None = None,
    window_days: int = 30,
    level: float = 0.95,
) -> pd.DataFrame:
    """Give the share of treated patients with each adverse event, and the rate per time at risk.

    A patient counts once per term, with the worst grade; "grade 3 or 4" leaves out grade 5, "3 or
    higher" includes it. The denominator is everybody who had at least one dose. The exposure-adjusted
    rate divides patients with the event by the months until the first onset of its term, or until the
    window, life or follow-up ended. Intervals: Clopper-Pearson, and exact Poisson.

    Parameters
    ----------
    toxicity : DataFrame
        ``schema.TOXICITY``, see :func:`derive_toxicity`.
    patients : DataFrame
        One row per patient; ``death_day``, ``last_alive_day`` and ``data_cut_day`` end the time at risk.
    exposures : DataFrame
        ``schema.EXPOSURES``: who was treated, and until when.
    by : Series, optional
        Stratum of each patient, indexed by patient: adds the same rows for each stratum.
    window_days : int
        Days after the last dose that still count, as in :class:`ToxicityRules`.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        ``schema.TOXICITY_RATES``: one row per term (first ``"any"``), category and stratum; categories
        that nobody had are listed for ``"any"`` alone.

    Examples
    --------
    >>> from immunosarc.endpoints import derive_toxicity
    >>> events = pd.DataFrame(
    ...     {"patient_id": ["P1"], "study_day": [9], "term": ["Anemia"], "grade": [4], "related": [True]}
    ... )
    >>> patients = pd.DataFrame(index=pd.Index(["P1", "P2"], name="patient_id"))
    >>> doses = pd.DataFrame({"patient_id": ["P1", "P2"], "study_day": [1, 1], "drug": "doxorubicin"})
    >>> rates = summarize_toxicity(derive_toxicity(events, exposures=doses), patients, doses)
    >>> rates.loc[0, ["term", "category"]].tolist(), rates["n_events"].tolist()[0]
    (['any', 'treatment-emergent'], 1.0)
    """
    terms = schema.TOXICITY.check(toxicity)
    at_risk = days_at_risk(patients, exposures, window_days)
    treated = patients.loc[at_risk.notna()]
    groups = {ALL: treated, **split(treated, by)}
    rows = [
        row | {"stratum": stratum, "conf_level": level}
        for stratum, group in groups.items()
        for row in _rows(terms[terms["patient_id"].isin(group.index)], at_risk[group.index], level)
    ]
    columns = list(schema.TOXICITY_RATES.columns)
    return schema.TOXICITY_RATES.check(pd.DataFrame(rows, columns=columns))


def _rows(terms: pd.DataFrame, at_risk: pd.Series, level: float) -> Iterator[dict[str, Any]]:
    for name in (ANY, *dict.fromkeys(terms["term"])):
        of_term = terms if name == ANY else terms[terms["term"] == name]
        for category, (column, low, high) in _CATEGORIES.items():
            value = of_term[column].astype("Float64").fillna(0)
            hit = of_term[(value >= low) & (value <= high)]
            day = "immune_onset_day" if category.startswith("immune") else "onset_day"
            if name == ANY or len(hit):
                open_rows = of_term[column].isna() & of_term["grade_immune_mediated"].notna()
                unclear = column == "immunosuppression" and bool(open_rows.any())
                yield {"term": name, "category": category} | _rate(
                    hit, at_risk, day=day, level=level, unclear=unclear
                )


def _rate(hit: pd.DataFrame, at_risk: pd.Series, *, day: str, level: float, unclear: bool) -> dict[str, Any]:
    onset = hit.groupby("patient_id")[day].min()
    n, events = len(at_risk), len(onset)
    if not n:
        return {"n": 0, "n_events": 0, "status": "no treated patient"}
    low, high = clopper_pearson(events, n, level=level)
    until = onset.reindex(at_risk.index).fillna(np.inf)
    months = float(np.minimum(at_risk, until).sum()) / schema.DAYS_PER_MONTH
    rate, rate_low, rate_high = poisson_rate(events, months / 100, level=level)
    return {
        "n": n,
        "n_events": events,
        "estimate": events / n,
        "conf_low": float(low),
        "conf_high": float(high),
        "patient_months": months,
        "rate": float(rate),
        "rate_low": float(rate_low),
        "rate_high": float(rate_high),
        "median_onset_days": float(onset.median()) if events else np.nan,
        "status": "counts only what is recorded: immunosuppression is not known for all" if unclear else "ok",
    }
