"""What happened to each patient and when: the rows from which a swimmer plot is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort, marked
from immunosarc.endpoints._course_rules import ResponseRules, chosen_rules

__all__ = ["derive_timeline"]

_PROGRESSION = "progression"
_KNOWN = ("death_day", "last_alive_day")


def derive_timeline(
    cohort: Cohort, course: pd.DataFrame, *, rules: ResponseRules | str | None = None
) -> pd.DataFrame:
    """Put every patient's doses, response, progression, biopsies and death on one line of study days.

    - ``follow_up`` runs from day 1 to the last day on which anything is known of the patient; its
      label is the best response.
    - ``response`` runs from the first response (confirmed, if the rules ask for confirmation) to
      the day that ended it or on which it was last seen.
    - ``ongoing``: alive, without progression and without another therapy, and the last adequate
      scan is not older than one scan interval and its window when the data were cut.
    - ``immune_event``: onset of an event called immune-mediated.

    Parameters
    ----------
    cohort : Cohort
        Tables ``exposures`` and ``adverse_events`` are used where they are, and the tumor samples.
    course : DataFrame
        ``schema.RESPONSE_COURSE`` of the cohort's patients, see :func:`derive_course`.
    rules : ResponseRules or str, optional
        The rules of the course.

    Returns
    -------
    DataFrame
        ``schema.TIMELINE``: at least one row, ``follow_up``, for every patient of the cohort.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> visits = ims.endpoints.derive_recist(cohort.tables["lesions"])
    >>> course = ims.endpoints.derive_course(visits, cohort.patients)
    >>> line = derive_timeline(cohort, course)
    >>> line.loc[line["patient_id"] == "SIM12", ["kind", "study_day"]].query("kind == 'death'").to_numpy().tolist()
    [['death', 177.0]]
    """
    rules = chosen_rules(rules)
    needed = ["data_cut_day", "new_therapy_day", *_KNOWN]
    patients = cohort.patients.reindex(columns=cohort.patients.columns.union(needed))
    course = course.reindex(patients.index)
    parts = [
        _treatment(cohort),
        _response(course, rules),
        _days(course["pfs_days"].where(course["pfs_reason"] == _PROGRESSION), "progression"),
        _days(patients["new_therapy_day"], "new_therapy"),
        _days(patients["death_day"], "death"),
        _biopsies(cohort),
        _immune_events(cohort),
        _days(patients["data_cut_day"], "data_cut"),
    ]
    happened = pd.concat(parts, ignore_index=True)
    known = _last_known(happened, patients, course)
    ongoing = known.where(_is_ongoing(patients, course, rules))
    everything = pd.concat([_follow_up(known, course), happened, _days(ongoing, "ongoing")], ignore_index=True)
    order = everything.assign(
        place=patients.index.get_indexer(everything["patient_id"]),
        rank=everything["kind"].map(schema.TIMELINE_KINDS.index),
    )
    sorted_rows = order.sort_values(["place", "rank", "study_day"], kind="stable", ignore_index=True)
    return marked(schema.TIMELINE.check(sorted_rows.drop(columns=["place", "rank"])), simulated=cohort.simulated)


def _rows(patient: object, kind: str, day: object, *, end: object = np.nan, label: object = None) -> pd.DataFrame:
    frame = pd.DataFrame({"patient_id": patient, "study_day": day, "end_day": end, "label": label})
    return frame.assign(kind=kind, status="ok").astype(
        {"patient_id": "string", "study_day": "float64", "end_day": "float64", "label": "string"}
    )


def _days(day: pd.Series, kind: str) -> pd.DataFrame:
    given = day.astype("float64").dropna()
    return _rows(given.index.to_numpy(), kind, given.to_numpy())


def _treatment(cohort: Cohort) -> pd.DataFrame:
    doses = cohort.tables.get("exposures", schema.EXPOSURES.empty())
    given = doses[~(doses["dose"] == 0).fillna(False).astype(bool)] if "dose" in doses else doses
    return _rows(
        given["patient_id"].to_numpy(), "dose", given["study_day"].to_numpy(), label=given["drug"].to_numpy()
    )


def _response(course: pd.DataFrame, rules: ResponseRules) -> pd.DataFrame:
    suffix = "_confirmed" if rules.confirmation else ""
    start = course[f"response_day{suffix}"].astype("float64")
    held = course[start.notna()]
    first = start[start.notna()].to_numpy()
    last = np.fmax(held["pfs_days"].to_numpy(dtype=np.float64), first)
    label = held[f"best_overall_response{suffix}"].to_numpy()
    return _rows(held.index.to_numpy(), "response", first, end=last, label=label)


def _biopsies(cohort: Cohort) -> pd.DataFrame:
    taken = cohort.samples
    if "study_day" not in taken:
        return _rows([], "biopsy", [])
    if "specimen" in taken:
        taken = taken[(taken["specimen"] == "tumor").fillna(False).astype(bool)]
    taken = taken[taken["study_day"].notna()]
    label = taken["timepoint"].to_numpy()
    return _rows(taken["patient_id"].to_numpy(), "biopsy", taken["study_day"].to_numpy(), label=label)


def _immune_events(cohort: Cohort) -> pd.DataFrame:
    events = cohort.tables.get("adverse_events", schema.ADVERSE_EVENTS.empty())
    if not {"immune_mediated", "study_day"} <= set(events.columns):
        return _rows([], "immune_event", [])
    caused = events[events["immune_mediated"].fillna(False).astype(bool) & events["study_day"].notna()]
    label = caused["term"].to_numpy()
    return _rows(caused["patient_id"].to_numpy(), "immune_event", caused["study_day"].to_numpy(), label=label)


def _last_known(happened: pd.DataFrame, patients: pd.DataFrame, course: pd.DataFrame) -> pd.Series:
    seen = happened[happened["kind"] != "data_cut"]
    latest = seen[["study_day", "end_day"]].max(axis=1).groupby(seen["patient_id"]).max()
    columns = [
        latest.reindex(patients.index).astype("float64"),
        *(patients[name].astype("float64") for name in _KNOWN),
        course["pfs_days"].astype("float64"),
    ]
    return pd.concat(columns, axis=1).max(axis=1)


def _follow_up(known: pd.Series, course: pd.DataFrame) -> pd.DataFrame:
    rows = _rows(
        known.index.to_numpy(),
        "follow_up",
        np.where(known.isna(), np.nan, 1.0),
        end=known.to_numpy(),
        label=course["best_overall_response"].to_numpy(),
    )
    return rows.assign(status=rows["end_day"].isna().map({True: "nothing recorded after day 1", False: "ok"}))


def _is_ongoing(patients: pd.DataFrame, course: pd.DataFrame, rules: ResponseRules) -> pd.Series:
    since = patients["data_cut_day"].astype("float64") - course["pfs_days"].astype("float64")
    recent = since <= rules.scan_interval_days + rules.scan_window_days
    free = course["pfs_event"].eq(False).fillna(False).astype(bool)
    return recent & free & patients["death_day"].isna() & patients["new_therapy_day"].isna()
