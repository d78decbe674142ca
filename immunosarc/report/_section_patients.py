"""One row per patient: who, what happened, which tissue."""

from __future__ import annotations

import pandas as pd

from immunosarc import plots, schema
from immunosarc.report._section import Grid, Section, cell
from immunosarc.report._select import patient_column, table_of
from immunosarc.study import Study

__all__ = ["build"]

_CENSORED = "+"


def build(study: Study) -> Section:
    """Return the patients as a grid."""
    patients, outcomes = study.cohort.patients, table_of(study, "outcomes")
    strata = patient_column(study)
    shown = [name for name in (strata, "histology", "age", "sex") if name and name in patients]
    grouped = study.cohort.samples.groupby("patient_id")["timepoint"].agg(list).to_dict()
    early_first = schema.TIMEPOINTS.index
    rows = []
    for patient in patients.index:
        clinical = [cell(patients.loc[patient, name]) for name in shown]
        outcome = outcomes.loc[patient] if patient in outcomes.index else pd.Series(dtype=object)
        rows.append(
            [
                str(patient),
                *clinical,
                cell(outcome.get("best_overall_response")),
                _duration(outcome, "pfs"),
                _duration(outcome, "os"),
                ", ".join(sorted(grouped.get(patient, []), key=early_first)) or plots.DASH,
            ]
        )
    head = ["Patient", *(name.replace("_", " ").capitalize() for name in shown)]
    head += ["Best response", "PFS, months", "OS, months", "Samples"]
    numeric = frozenset({len(head) - 3, len(head) - 2})
    note = f"{_CENSORED} = censored: no event when last seen."
    return Section("patients", "Patients", "Patients", (Grid("Patients", head, rows, numeric, note),))


def _duration(outcome: pd.Series, endpoint: str) -> str:
    months, event = outcome.get(f"{endpoint}_time"), outcome.get(f"{endpoint}_event")
    if months is None or pd.isna(months):
        return plots.DASH
    return f"{months:.1f}{'' if pd.isna(event) or event else _CENSORED}"
