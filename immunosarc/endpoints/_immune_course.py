"""From iRECIST visits to one row per patient: best response, and survival without confirmed progression."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import ResponseRules, chosen_rules
from immunosarc.endpoints._course_visits import days_between, of_reader

__all__ = ["derive_irecist_course"]

_AS_RECIST = {"iCR": "CR", "iPR": "PR", "iSD": "SD", "NON-iCR/NON-iUPD": "NON-CR/NON-PD", "NE": "NE"}


def derive_irecist_course(
    visits: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    rules: ResponseRules | str | None = None,
    reader: str | None = None,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> pd.DataFrame:
    """Say for each patient what the iRECIST visits add up to: best response, and until when without progression.

    - Best response is the best of iCR > iPR > iSD until confirmed progression or another therapy, also
      after an iUPD that was not confirmed; else iCPD, or iUPD that nothing followed up. iSD counts
      from ``min_sd_days`` after baseline.
    - Progression is dated at the first iUPD that a later scan confirmed without iSD, iPR or iCR between
      them, or at one after which no scan says otherwise (death, deterioration, no further scan). What
      else ends or censors the time is as in :func:`derive_course`, with the same rule sets.

    Definitions: Seymour 2017, doi 10.1016/S1470-2045(17)30074-8.

    Parameters
    ----------
    visits : DataFrame
        ``schema.IMMUNE_RECIST``, see :func:`derive_irecist`.
    patients : DataFrame
        One row per patient, as for :func:`derive_course`.
    rules : ResponseRules or str, optional
        The choices of the protocol, or the name of a rule set.
    reader : str, optional
        Whose calls count; needed when there are several readers.
    on_conflict : {"raise", "exclude_patient"}
        As in :func:`derive_course`.

    Returns
    -------
    DataFrame
        ``schema.IMMUNE_COURSE``: one row for every patient, in order.

    Raises
    ------
    SchemaError, UnknownNameError
        As :func:`derive_course`.

    Examples
    --------
    >>> from immunosarc.endpoints import derive_irecist
    >>> lesions = pd.DataFrame(
    ...     {
    ...         "patient_id": "P1", "study_day": [-5, 43, 85, 127], "lesion_id": "T1", "role": "target",
    ...         "diameter_mm": [50.0, 62.0, 30.0, 28.0],
    ...     }
    ... )
    >>> patients = pd.DataFrame(index=pd.Index(["P1"], name="patient_id"))
    >>> course = derive_irecist_course(derive_irecist(lesions), patients)
    >>> course[["immune_best_response", "ipfs_days", "ipfs_event"]].values.tolist()
    [['iPR', 127.0, False]]
    """
    chosen = chosen_rules(rules)
    calls = of_reader(schema.IMMUNE_RECIST.check(visits), reader)
    counted = _until_therapy(calls, patients).assign(baseline_day=lambda t: t["patient_id"].map(_baseline(calls)))
    since = _standing(counted)
    course = derive_course(
        _as_recist(calls, since), patients, rules=chosen, reader=reader, on_conflict=on_conflict
    )
    known = course["pfs_days"].notna()
    day = since.reindex(course.index)
    confirmed = _first_day(counted, "iCPD").reindex(course.index)
    progressed = (course["pfs_reason"] == "progression").fillna(False)
    words = course["pfs_reason"].mask(progressed & confirmed.notna(), "progression, confirmed")
    words = words.mask(progressed & confirmed.isna(), "progression, not confirmed: no later scan says otherwise")
    best = _best(counted, course.index, min_sd_days=chosen.min_sd_days)
    table = pd.DataFrame(
        {
            "immune_best_response": best.where(known),
            "immune_response_day": _first_day(_before_confirmation(counted), "iCR", "iPR").reindex(course.index),
            "confirmed_progression_day": confirmed.where(day.notna()),
            "ipfs_days": course["pfs_days"],
            "ipfs_event": course["pfs_event"],
            "ipfs_reason": words,
            "status": _status(course["status"], best),
            "rule_set": calls["rule_set"].iloc[0] + " + " + chosen.label if len(calls) else chosen.label,
        },
        index=course.index,
    )
    return schema.IMMUNE_COURSE.check(table)


def _until_therapy(calls: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Return the called visits up to another therapy."""
    called = calls[calls["immune_response"].notna() & (calls["study_day"] > 1)].sort_values(
        "study_day", kind="stable"
    )
    if "new_therapy_day" not in patients:
        return called
    return called[~(called["study_day"] > called["patient_id"].map(patients["new_therapy_day"]))]


def _baseline(calls: pd.DataFrame) -> pd.Series:
    """Return the day of each patient's baseline."""
    return calls[calls["status"] == "baseline"].groupby("patient_id")["study_day"].max()


def _standing(called: pd.DataFrame) -> pd.Series:
    """Return of each patient the day of the iUPD that stands at the last visit: confirmed, or not gone."""
    last = called.groupby("patient_id").tail(1).set_index("patient_id")
    return last["unconfirmed_since_day"].dropna()


def _as_recist(calls: pd.DataFrame, since: pd.Series) -> pd.DataFrame:
    """Return the visits with calls that RECIST knows: progression where it counts, SD where it was taken back."""
    call = calls["immune_response"].map(_AS_RECIST).astype("string")
    call = call.mask(calls["immune_response"].isin(["iUPD", "iCPD"]), "SD")
    counts = calls["study_day"] >= calls["patient_id"].map(since)
    call = call.mask(calls["immune_response"].isin(["iUPD", "iCPD"]) & counts, "PD")
    return calls.assign(overall_response=call)


def _first_day(called: pd.DataFrame, *names: str) -> pd.Series:
    return called[called["immune_response"].isin(names)].groupby("patient_id")["study_day"].min()


def _before_confirmation(called: pd.DataFrame) -> pd.DataFrame:
    end = called["patient_id"].map(_first_day(called, "iCPD")).astype("float64")
    return called[~(called["study_day"] > end)]


def _best(called: pd.DataFrame, patients: pd.Index, *, min_sd_days: int) -> pd.Series:
    """Return the best response of each patient, NE without any."""
    window = _before_confirmation(called)
    call = window["immune_response"].replace({"NON-iCR/NON-iUPD": "iSD"})
    baseline = window["baseline_day"].fillna(1.0).to_numpy(dtype=float)
    elapsed = days_between(baseline, window["study_day"].to_numpy(dtype=float))
    call = call.mask((call == "iSD") & (elapsed < min_sd_days), "NE")
    order = ["iCR", "iPR", "iSD", "iCPD", "iUPD", "NE"]
    rank = call.map({name: place for place, name in enumerate(order)}).astype("float64")
    best = rank.groupby(window["patient_id"]).min().reindex(patients).fillna(len(order) - 1)
    return pd.Series(np.array(order, dtype=object)[best.astype(int)], index=patients, dtype="string")


def _status(status: pd.Series, best: pd.Series) -> pd.Series:
    """Return RECIST's reason where there is no response by iRECIST either."""
    return status.mask((best != "NE") & ~status.str.startswith("excluded: "), "ok")
