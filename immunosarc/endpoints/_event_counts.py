"""How many patients had each adverse event, by their highest grade."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort, marked
from immunosarc.endpoints._toxicity import ToxicityRules, derive_toxicity
from immunosarc.endpoints._visit_reasons import EXCLUDED
from immunosarc.errors import SchemaError

__all__ = ["count_adverse_events"]


def count_adverse_events(
    cohort: Cohort,
    *,
    rules: ToxicityRules | None = None,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> pd.DataFrame:
    """Count for every term the patients by the highest grade they had, of any cause and treatment-related.

    A patient counts once per term, at the highest grade of the treatment-emergent events, and of
    those that were attributed to a drug, see :func:`derive_toxicity`. The denominator is everybody
    who received at least one dose; where there is no table ``exposures``, every patient. Events
    without a dose are not counted.

    Parameters
    ----------
    cohort : Cohort
        With a table ``adverse_events``; ``exposures`` says who was treated.
    rules : ToxicityRules, optional
        The window in which events count.
    on_conflict : {"raise", "exclude_patient"}
        What becomes of patients with grades that CTCAE does not have; those left out are not in ``n_treated``.

    Returns
    -------
    DataFrame
        ``schema.EVENT_COUNTS``: terms in the order of how many patients had them, then by name.

    Raises
    ------
    SchemaError
        When the cohort has no table ``adverse_events``.

    Examples
    --------
    >>> import immunosarc as ims
    >>> events = pd.DataFrame(
    ...     {
    ...         "patient_id": ["P1", "P1", "P2"], "term": "Nausea", "grade": [1, 3, 2],
    ...         "related_to": ["doxorubicin", "none", "none"], "study_day": [5, 30, 6],
    ...     }
    ... )
    >>> cohort = ims.Cohort(pd.DataFrame({"patient_id": ["P1", "P2"]}), tables={"adverse_events": events})
    >>> count_adverse_events(cohort)[["attribution", "grade", "n_patients", "n_treated"]].to_numpy().tolist()
    [['any cause', 2.0, 1.0, 2.0], ['any cause', 3.0, 1.0, 2.0], ['treatment-related', 1.0, 1.0, 2.0]]
    """
    if "adverse_events" not in cohort.tables:
        raise SchemaError(
            "the cohort has no table 'adverse_events'; nothing was recorded, which is not the same as no event."
        )
    doses, events = cohort.tables.get("exposures"), cohort.tables["adverse_events"]
    toxicity = derive_toxicity(events, exposures=doses, rules=rules, on_conflict=on_conflict)
    out = toxicity.loc[toxicity["status"].str.startswith(EXCLUDED), "patient_id"]
    treated = _treated(cohort).difference(out, sort=False)
    toxicity = toxicity[toxicity["patient_id"].isin(treated)]
    grades = ("grade_treatment_emergent", "grade_related")
    parts = [
        _counted(toxicity, grade).assign(attribution=attribution)
        for attribution, grade in zip(schema.ATTRIBUTIONS, grades, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True).assign(n_treated=float(len(treated)))
    frequent = toxicity.groupby("term")["patient_id"].nunique()
    order = table.assign(frequency=-table["term"].map(frequent).astype("float64"))
    table = order.sort_values(["frequency", "term", "attribution", "grade"], ignore_index=True)
    return marked(schema.EVENT_COUNTS.check(table.drop(columns="frequency")), simulated=cohort.simulated)


def _treated(cohort: Cohort) -> pd.Index:
    if "exposures" not in cohort.tables:
        return cohort.patients.index
    doses = cohort.tables["exposures"]
    given = doses[~(doses["dose"] == 0).fillna(False).astype(bool)] if "dose" in doses else doses
    return cohort.patients.index[cohort.patients.index.isin(given["patient_id"])]


def _counted(toxicity: pd.DataFrame, grade: str) -> pd.DataFrame:
    counts = toxicity.dropna(subset=grade).groupby(["term", grade]).size()
    return counts.rename("n_patients").astype("float64").rename_axis(["term", "grade"]).reset_index()
