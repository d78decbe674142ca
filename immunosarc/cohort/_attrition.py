"""The flow of a trial: who entered each step, who went on, and why the rest did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from immunosarc import schema
from immunosarc.cohort._cohort import Cohort
from immunosarc.cohort._simulated import marked

__all__ = ["attrition"]


def attrition(cohort: Cohort, *tables: pd.DataFrame) -> pd.DataFrame:
    """Return the flow: who and what entered each step, what went on, and why the rest did not.

    Parameters
    ----------
    cohort : Cohort
        What loading left out is read from its provenance.
    *tables : DataFrame
        Tables of the steps that followed, each with one row per patient or sample and one or
        more status columns (``schema.OUTCOMES``, ``schema.PATIENT_FEATURES``, ...).

    Returns
    -------
    DataFrame
        ``schema.ATTRITION``: one row per step and unit. Within a step, kept + left out is
        what entered; for the loading steps that is the number of rows of the input file.

    Examples
    --------
    >>> cohort = Cohort(patients=pd.DataFrame(index=pd.Index(["P1", "P2"], name="patient_id")))
    >>> attrition(cohort).groupby("step")["kept"].sum().to_dict()
    {'patients': 2}
    """
    parts = [_loading_rows(entry) for entry in cohort.provenance.get("loading", [])]
    parts.append(_step("patients", "patient", cohort.patients.index, patient_id=cohort.patients.index))
    if len(cohort.samples):
        parts.append(
            _step(
                "samples",
                "sample",
                cohort.samples.index,
                patient_id=cohort.samples["patient_id"].to_numpy(),
                sample_id=cohort.samples.index,
            )
        )
    for table in tables:
        parts += _status_steps(cohort, table)
    return marked(schema.ATTRITION.check(pd.concat(parts, ignore_index=True)), simulated=cohort.simulated)


def _loading_rows(entry: Mapping[str, Any]) -> pd.DataFrame:
    """One loading step: ``{step, kept, left_out: [{patient_id, sample_id, reason}]}``, of rows or of ``level``."""
    level = str(entry.get("level", "row"))
    left_out = pd.DataFrame(entry["left_out"], columns=["patient_id", "sample_id", "reason"], dtype="string")
    kept = _step(entry["step"], level, range(int(entry["kept"])))
    return pd.concat([kept, left_out.assign(step=entry["step"], level=level, kept=False)], ignore_index=True)


def _step(name: str, level: str, rows: Iterable[Any], **ids: Any) -> pd.DataFrame:
    blank = {"patient_id": pd.NA, "sample_id": pd.NA, "reason": pd.NA}
    frame = pd.DataFrame({**blank, **ids}, index=range(len(list(rows)))).astype("string")
    return frame.assign(step=name, level=level, kept=True)


def _status_steps(cohort: Cohort, table: pd.DataFrame) -> list[pd.DataFrame]:
    level = "patient" if table.index.isin(cohort.patients.index).all() else "sample"
    timepoint = f"{table['timepoint'].iloc[0]} " if level == "patient" and "timepoint" in table else ""
    ids: dict[str, Any] = {f"{level}_id": table.index}
    if level == "sample":
        ids["patient_id"] = cohort.samples["patient_id"].reindex(table.index).to_numpy()
    steps = []
    for column in table.columns[table.columns.astype(str).str.endswith("status")]:
        what = str(column).removesuffix("status").rstrip("_") or "features"
        part = _step(f"{timepoint}{what}", level, table.index, **ids)
        fine = (table[column] == "ok").to_numpy(dtype=bool)
        steps.append(part.assign(kept=fine, reason=table[column].astype("string").mask(fine).to_numpy()))
    return steps
