"""Safety of each patient: the worst grades, and whether immunosuppression was needed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.endpoints._dosing import administrations
from immunosarc.endpoints._toxicity import ToxicityRules
from immunosarc.endpoints._visit_reasons import EXCLUDED
from immunosarc.errors import SchemaError, raise_together

__all__ = ["days_at_risk", "derive_patient_toxicity"]


def derive_patient_toxicity(
    toxicity: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    exposures: pd.DataFrame | None = None,
    window_days: int = 30,
) -> pd.DataFrame:
    """Give for each patient the worst grades, and whether immunity was harmed so far that it had to be suppressed.

    A patient without a row in ``toxicity`` had no event. "Grade 3 or 4" means a term whose worst grade
    is 3 or 4; "3 or higher" includes 5.

    Parameters
    ----------
    toxicity : DataFrame
        ``schema.TOXICITY``, see :func:`derive_toxicity`.
    patients : DataFrame
        One row per patient; ``death_day``, ``data_cut_day`` and ``last_alive_day`` end the time at risk.
    exposures : DataFrame, optional
        ``schema.EXPOSURES``; a patient without a dose was not treated and has no values. Without it everybody
        counts as treated, and the time at risk is missing.
    window_days : int
        Days after the last dose that still count, as in :class:`ToxicityRules`.

    Returns
    -------
    DataFrame
        ``schema.PATIENT_TOXICITY``: one row for every patient, in order.

    Raises
    ------
    SchemaError
        When a patient of ``toxicity`` is unknown.

    Examples
    --------
    >>> from immunosarc.endpoints import derive_toxicity
    >>> events = pd.DataFrame(
    ...     {"patient_id": ["P1"], "study_day": [9], "term": ["Anemia"], "grade": [4], "related": [True]}
    ... )
    >>> patients = pd.DataFrame(index=pd.Index(["P1", "P2"], name="patient_id"))
    >>> derive_patient_toxicity(derive_toxicity(events), patients)["treatment_related_grade_3_4"].tolist()
    [True, False]
    """
    terms = schema.TOXICITY.check(toxicity)
    unknown = sorted(set(terms["patient_id"]) - set(patients.index))
    raise_together(SchemaError, "toxicity", [f"patient {one!r} is not among the patients" for one in unknown[:5]])
    any_of, worst = _any_of(terms, patients.index), _worst(terms, patients.index)
    excluded = terms["status"].where(terms["status"].str.startswith(EXCLUDED)).groupby(terms["patient_id"]).first()
    at_risk = days_at_risk(patients, exposures, window_days)
    status = excluded.reindex(patients.index).astype("string")
    if exposures is not None:
        status = status.mask(status.isna() & at_risk.isna(), "no dose recorded")
    table = pd.DataFrame(
        {
            "grade": worst["grade_treatment_emergent"],
            "grade_related": worst["grade_related"],
            "grade_immune_mediated": worst["grade_immune_mediated"],
            "treatment_related_grade_3_4": _flag(any_of["severe"], any_of["cause_open"]),
            "treatment_related_grade_3_or_higher": _flag(any_of["severe_or_fatal"], any_of["cause_open"]),
            "immune_mediated": any_of["immune"].astype("boolean"),
            "immune_event_immunosuppression": _flag(any_of["suppressed"], any_of["suppression_open"]),
            "days_to_immune_event": worst["immune_onset_day"],
        },
        index=patients.index,
    ).where(status.isna(), axis=0)
    rule_set = terms["rule_set"].iloc[0] if len(terms) else ToxicityRules(window_days=window_days).label
    told = status.fillna("ok")
    told = told.mask(
        (told == "ok") & table["immune_event_immunosuppression"].isna(), "immunosuppression not recorded"
    )
    told = told.mask((told == "ok") & table["treatment_related_grade_3_4"].isna(), "cause or onset not recorded")
    table = table.assign(days_at_risk=at_risk, status=told, rule_set=rule_set)
    return schema.PATIENT_TOXICITY.check(table.rename_axis("patient_id"))


_OPEN = {
    "immune_event_immunosuppression": "immunosuppression not recorded",
    "treatment_related_grade_3_4": "cause or onset not recorded",
}


def _any_of(terms: pd.DataFrame, patients: pd.Index) -> pd.DataFrame:
    """Return what holds for any term of each patient."""
    immune = terms["grade_immune_mediated"].notna()
    flags = pd.DataFrame(
        {
            "patient_id": terms["patient_id"],
            "severe": terms["grade_related"].isin([3, 4]),
            "severe_or_fatal": terms["grade_related"] >= 3,
            "cause_open": terms["status"].str.startswith(("whether treatment", "onset")) & (terms["grade"] >= 3),
            "immune": immune,
            "suppressed": terms["immunosuppression"].fillna(False).astype(bool),
            "suppression_open": terms["immunosuppression"].isna() & immune,
        }
    )
    return flags.groupby("patient_id").any().reindex(patients, fill_value=False)


def _worst(terms: pd.DataFrame, patients: pd.Index) -> pd.DataFrame:
    """Return each patient's highest grades and earliest immune-mediated onset."""
    how = {
        "grade_treatment_emergent": "max",
        "grade_related": "max",
        "grade_immune_mediated": "max",
        "immune_onset_day": "min",
    }
    return terms.groupby("patient_id")[list(how)].agg(how).reindex(patients)


def _flag(yes: pd.Series, unclear: pd.Series) -> pd.Series:
    """True where certain, missing where something open could make it true."""
    return yes.astype("boolean").mask(~yes & unclear)


def days_at_risk(patients: pd.DataFrame, exposures: pd.DataFrame | None, window_days: int) -> pd.Series:
    """Return days from the first dose to the end of the window, death, last contact or data cut.

    Parameters
    ----------
    patients, exposures, window_days
        See :func:`derive_patient_toxicity`.
    """
    if exposures is None:
        return pd.Series(np.nan, index=patients.index)
    last_dose = administrations(exposures).groupby("patient_id")["study_day"].max().reindex(patients.index)
    ends = [last_dose + window_days]
    ends += [patients[name] for name in ("death_day", "last_alive_day", "data_cut_day") if name in patients]
    end = pd.concat(ends, axis=1).astype("float64").min(axis=1)
    return end.where(last_dose.notna() & (end >= 1))  # whoever was last seen before the first dose was not at risk
