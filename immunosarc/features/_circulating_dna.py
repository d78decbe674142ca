"""Circulating tumor DNA over time: fall from before treatment, and clearance by a landmark day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort
from immunosarc.errors import CohortError
from immunosarc.features._soluble import readings

__all__ = ["circulating_dna", "ctdna_clearance"]

_NAMES = ("ctdna_log10", "ctdna_detected", "ctdna_log10_change", "ctdna_cleared")


def circulating_dna(cohort: Cohort, *, analyte: str = "ctdna_fraction") -> pd.DataFrame:
    """Say of each blood sample how much tumor DNA it holds, and how far that is from before treatment.

    Where less than the limit of detection was found, the limit stands in the logs (the fall is at least so
    large), and the sample counts as not detected. Change and clearance compare with the last sample of the
    patient before treatment; clearance needs tumor DNA there.

    Parameters
    ----------
    cohort : Cohort
        With the table ``analytes``.
    analyte : str
        What the table calls the fraction, or the mean tumor molecules.

    Returns
    -------
    DataFrame
        Index ``sample_id``; ``ctdna_log10, ctdna_detected`` (1 or 0), ``ctdna_log10_change, ctdna_cleared`` (1 or
        0; both only after the first dose), ``status``.

    Raises
    ------
    CohortError, SchemaError, UnknownNameError
        As :func:`soluble`; when a patient has several samples before treatment and their days are not known.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": ["A", "B"], "analyte": "ctdna_fraction"})
    >>> rows = rows.assign(value=[0.1, np.nan], limit_of_detection=0.001, below_limit=[False, True])
    >>> samples = pd.DataFrame({"sample_id": ["A", "B"], "patient_id": "P1", "timepoint": ["pre", "on"]})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), samples, tables={"analytes": rows})
    >>> circulating_dna(toy).loc[["B"], ["ctdna_log10_change", "ctdna_cleared"]].values.tolist()
    [[-2.0, 1.0]]
    """
    rows = _rows(cohort, analyte)
    found = {}
    for patient, own in rows.groupby("patient_id", sort=False):
        base, why = _baseline(own, str(patient))
        for sample, row in own.iterrows():
            found[sample] = _against(row, base, why)
    order = cohort.samples.index[cohort.samples.index.isin(list(found))]
    table = pd.DataFrame.from_dict(found, orient="index", columns=[*_NAMES, "status"]).reindex(order)
    table = table.astype(dict.fromkeys(_NAMES, float) | {"status": "string"}).rename_axis("sample_id")
    table.attrs = {"scoring": dict.fromkeys(_NAMES, analyte)}
    return table


def ctdna_clearance(cohort: Cohort, *, landmark_day: int, analyte: str = "ctdna_fraction") -> pd.DataFrame:
    """Say of each patient whether tumor DNA was gone by a landmark day: a feature for survival from that day on.

    The last sample on treatment up to the landmark is compared with the last before treatment. The feature is
    known on the day of that sample: ``associate`` takes it with the same ``landmark_day`` and follows the
    patients from there; from the first dose it is refused, since those who cleared had to live long enough to.

    Parameters
    ----------
    cohort : Cohort
        With the table ``analytes`` and the samples' study days.
    landmark_day : int
        Study day.
    analyte : str
        What the table calls the fraction.

    Returns
    -------
    DataFrame
        ``schema.PATIENT_FEATURES`` of timepoint ``on``: ``ctdna_cleared`` (1 or 0), ``ctdna_log10_change``, the
        day, and why a patient has none.

    Raises
    ------
    CohortError, SchemaError, UnknownNameError
        As :func:`circulating_dna`; when the samples have no study days, or the landmark is before day 2.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": ["A", "B"], "analyte": "ctdna_fraction"})
    >>> rows = rows.assign(value=[0.1, np.nan], limit_of_detection=0.001, below_limit=[False, True])
    >>> samples = pd.DataFrame({"sample_id": ["A", "B"], "patient_id": "P1", "timepoint": ["pre", "on"]})
    >>> samples["study_day"] = [-2, 43]
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), samples, tables={"analytes": rows})
    >>> ctdna_clearance(toy, landmark_day=57)[["measured_day", "ctdna_cleared"]].values.tolist()
    [[43.0, 1.0]]
    """
    if landmark_day <= 1:
        raise CohortError(f"landmark_day: a day after the first dose is needed, found {landmark_day}")
    if "study_day" not in cohort.samples:
        raise CohortError("the samples have no study_day; without it nobody knows what was known by the landmark")
    rows = _rows(cohort, analyte)
    found = {
        str(patient): _by_landmark(rows[rows["patient_id"] == patient], str(patient), landmark_day)
        for patient in cohort.patients.index
    }
    names = ["ctdna_cleared", "ctdna_log10_change"]
    columns = ["measured_day", *names, "status"]
    table = pd.DataFrame.from_dict(found, orient="index", columns=columns).reindex(cohort.patients.index)
    table = table.astype(dict.fromkeys([*names, "measured_day"], float)).assign(timepoint="on")
    table = schema.PATIENT_FEATURES.check(table.rename_axis("patient_id"))
    table.attrs = {"scoring": dict.fromkeys(names, f"{analyte} by day {landmark_day}")}
    return table


def _rows(cohort: Cohort, analyte: str) -> pd.DataFrame:
    """Return the readings by sample, in the order of the days, with the day and the timepoint of each."""
    rows = readings(cohort, [analyte]).set_index("sample_id")
    about = cohort.samples.reindex(rows.index)
    day = about.get("study_day", pd.Series(np.nan, index=rows.index)).astype(float)
    return rows.assign(day=day, timepoint=about["timepoint"]).sort_values("day", kind="stable")


def _baseline(own: pd.DataFrame, patient: str) -> tuple[pd.Series | None, str]:
    """Return the last sample before treatment, or why there is none."""
    before = own[own["timepoint"] == "pre"]
    if before.empty:
        return None, "no sample before treatment"
    if len(before) > 1 and before["day"].isna().any():
        raise CohortError(f"patient {patient} has {len(before)} samples before treatment; give them a study_day")
    last = before.iloc[-1]
    return (last, "") if pd.notna(last["value"]) else (None, "reading before treatment is missing")


def _against(row: pd.Series, base: pd.Series | None, why: str) -> dict[str, Any]:
    if pd.isna(row["value"]):
        reason = "below a limit that nobody says" if row["below"] else "no reading"
        return {"ctdna_detected": 0.0 if row["below"] else np.nan, "status": reason}
    own = {"ctdna_log10": float(np.log10(row["value"])), "ctdna_detected": float(not row["below"]), "status": "ok"}
    if row["timepoint"] == "pre":
        return own
    if base is None:
        return {**own, "status": why}
    if base["below"]:
        return {**own, "status": "not detected before treatment"}
    change = float(np.log10(row["value"]) - np.log10(base["value"]))
    return {**own, "ctdna_log10_change": change, "ctdna_cleared": float(row["below"])}


def _by_landmark(own: pd.DataFrame, patient: str, landmark_day: int) -> dict[str, Any]:
    if own.empty:
        return {"status": "sample was not measured"}
    later = own[(own["timepoint"] != "pre") & (own["day"] <= landmark_day)]
    base, why = _baseline(own, patient)
    if later.empty:
        undated = (own["timepoint"] != "pre") & own["day"].isna()
        why = "no study_day of samples on treatment" if undated.any() else f"no sample by day {landmark_day}"
        return {"status": why}
    against = _against(later.iloc[-1], base, why)
    return {
        "measured_day": later["day"].iloc[-1],
        **{name: against.get(name, np.nan) for name in ("ctdna_cleared", "ctdna_log10_change")},
        "status": against["status"],
    }
