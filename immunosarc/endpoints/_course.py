"""From visit calls to one row per patient: best response, its duration, progression-free survival."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.endpoints._best_response import BEST, BestResponse, best_response
from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._course_visits import CourseVisits, course_visits
from immunosarc.endpoints._progression import REASONS, ProgressionFree, progression_free
from immunosarc.endpoints._visit_reasons import text
from immunosarc.errors import SchemaError, raise_together

__all__ = ["derive_course"]

FloatArray = NDArray[np.float64]


def derive_course(
    visits: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    rules: ResponseRules | None = None,
    reader: str | None = None,
) -> pd.DataFrame:
    r"""Say for each patient what the visits add up to: best response, how long it held, and until when.

    Rules ``recist_1.1_course/1``:

    - Best response is the best of CR > PR > SD > PD > NE from treatment start to the first PD or
      another therapy; NON-CR/NON-PD counts as SD, and SD only ``min_sd_days`` after baseline.
      Confirmed: CR or PR only when a response at least ``confirm_days`` later follows with no more
      than the allowed visits between; less than CR after CR is a reappearance, which ends the
      window and confirms nothing.
    - Progression-free survival runs from day 1 to the scan that shows PD, or death. In this order:
      another therapy first censors at the last adequate scan before it; an event later than the
      scan calendar allows censors at the last adequate scan before the gap; no event censors at
      the last adequate scan; no adequate scan after baseline censors on day 1. NE is not adequate.
    - Duration of response runs from the first response to the same end,
      :math:`\text{end} - \text{start} + 1` days; time to response from day 1. Responders only.

    Definitions: Eisenhauer 2009, doi 10.1016/j.ejca.2008.10.026.

    Parameters
    ----------
    visits : DataFrame
        ``schema.RECIST``, see :func:`derive_recist`, or ``schema.ASSESSMENTS``.
    patients : DataFrame
        One row per patient, indexed by patient; ``death_day``, ``data_cut_day`` and
        ``new_therapy_day`` are used where they are.
    rules : ResponseRules, optional
        The choices of the protocol.
    reader : str, optional
        Whose calls count; needed when there are several readers.

    Returns
    -------
    DataFrame
        ``schema.RESPONSE_COURSE``: one row for every patient, in order; days. ``status`` says why
        there is no response, ``pfs_reason`` what ended progression-free survival.

    Raises
    ------
    SchemaError
        When a visit lies after death or after the data cut, a visit is called twice, a patient is
        unknown, or several readers wait for a choice.
    UnknownNameError
        When ``reader`` called no visit.

    Examples
    --------
    >>> visits = pd.DataFrame(
    ...     {"patient_id": "P1", "study_day": [43, 85, 127], "overall_response": ["PR", "PR", "PD"]}
    ... )
    >>> patients = pd.DataFrame(index=pd.Index(["P1", "P2"], name="patient_id"))
    >>> course = derive_course(visits, patients)
    >>> course.loc["P1", "best_overall_response_confirmed"]
    'PR'
    >>> course["pfs_days"].tolist(), course["dor_days"].tolist()
    ([127.0, nan], [85.0, nan])
    >>> course["status"].tolist()
    ['ok', 'no visit recorded']
    """
    rules = ResponseRules() if rules is None else rules
    death, cut, therapy = (_days(patients, name) for name in ("death_day", "data_cut_day", "new_therapy_day"))
    called, baseline, seen = course_visits(visits, patients.index, reader)
    _refuse_impossible(called, patients.index, death, cut)
    death = np.where(death > cut, np.nan, death)
    best = best_response(_before(called, therapy), baseline, rules)
    pfs = progression_free(called, death, therapy, rules=rules)
    return _table(patients.index, called, best, pfs, seen=seen | ~np.isnan(death), rules=rules)


def _days(patients: pd.DataFrame, name: str) -> FloatArray:
    absent = np.full(len(patients), np.nan)
    return patients[name].to_numpy(dtype=np.float64, na_value=np.nan) if name in patients else absent


def _before(visits: CourseVisits, therapy: FloatArray) -> CourseVisits:
    return visits.where(~(visits.day > therapy[visits.patient]))


def _refuse_impossible(visits: CourseVisits, patients: pd.Index, death: FloatArray, cut: FloatArray) -> None:
    lines = [
        f"{patients[visits.patient[i]]}: visit on day {visits.day[i]} is after {name} {limit[visits.patient[i]]:g}"
        for name, limit in (("death_day", death), ("data_cut_day", cut))
        for i in np.flatnonzero(visits.day > limit[visits.patient])
    ]
    raise_together(
        SchemaError, "visits", lines, cure="Correct the dates; every day counts from the first dose = 1."
    )


def _table(
    patients: pd.Index,
    visits: CourseVisits,
    best: BestResponse,
    pfs: ProgressionFree,
    *,
    seen: NDArray[np.bool_],
    rules: ResponseRules,
) -> pd.DataFrame:
    start = best.first_day_confirmed if rules.confirmation else best.first_day
    responded = ~np.isnan(start)
    # without one row nothing was looked at, which is not the same as nothing found
    kept = seen
    end = np.where(responded, np.maximum(pfs.days, start), np.nan)
    return pd.DataFrame(
        {
            "best_overall_response": text(BEST, np.where(kept, best.best, -1)),
            "best_overall_response_confirmed": text(BEST, np.where(kept, best.confirmed, -1)),
            "response_day": best.first_day,
            "response_day_confirmed": best.first_day_confirmed,
            "pfs_days": np.where(kept, pfs.days, np.nan),
            "pfs_event": pd.array(pfs.event, dtype="boolean"),
            "pfs_reason": text(REASONS, np.where(kept, pfs.reason, -1)),
            "ttr_days": start,
            "dor_days": end - start + 1,
            "dor_event": pd.array(pfs.event, dtype="boolean"),
            "status": _status(visits, best, kept, rules),
            "rule_set": text((rules.label,), np.zeros(len(patients), dtype=np.int64)),
        },
        index=pd.Index(patients, name="patient_id"),
    ).assign(
        pfs_event=lambda t: t["pfs_event"].where(kept),
        dor_event=lambda t: t["dor_event"].where(responded),
    )


def _status(visits: CourseVisits, best: BestResponse, seen: NDArray[np.bool_], rules: ResponseRules) -> object:
    words = (
        "ok",
        "no visit recorded",
        "no visit after baseline",
        f"stable disease for less than {rules.min_sd_days} days after baseline",
        "no adequate visit after baseline",
    )
    followed = visits.any(np.ones(len(visits.day), dtype=bool))
    unclear = best.best == BEST.index("NE")
    code = np.select([~seen, ~unclear, ~followed, best.stable_too_short], [1, 0, 2, 3], default=4)
    return text(words, code)
