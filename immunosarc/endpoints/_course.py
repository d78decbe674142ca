"""From visit calls to one row per patient: best response, its duration, progression-free survival."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.endpoints._best_response import BEST, BestResponse, best_response
from immunosarc.endpoints._course_rules import ResponseRules, chosen_rules
from immunosarc.endpoints._course_visits import CourseVisits, VisitsOfPatients, course_visits
from immunosarc.endpoints._progression import REASONS, Dates, ProgressionFree, progression_free
from immunosarc.endpoints._visit_reasons import EXCLUDED, NO_BASELINE, text
from immunosarc.errors import SchemaError, raise_together

__all__ = ["derive_course"]

FloatArray = NDArray[np.float64]


def derive_course(
    visits: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    rules: ResponseRules | str | None = None,
    reader: str | None = None,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
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
      the last adequate scan; no adequate scan after baseline, or no baseline, censors on day 1. NE is
      not adequate. Other rule sets (``endpoints.RULE_SETS``) let an event count all the same, count
      another therapy as one, or count progression that nobody imaged.
    - Duration of response runs from the first response to the same end,
      :math:`\text{end} - \text{start} + 1` days; time to response from day 1. Responders only.

    Definitions: Eisenhauer 2009, doi 10.1016/j.ejca.2008.10.026.

    Parameters
    ----------
    visits : DataFrame
        ``schema.RECIST``, see :func:`derive_recist`, or ``schema.ASSESSMENTS``.
    patients : DataFrame
        One row per patient, indexed by patient; ``death_day``, ``data_cut_day``, ``new_therapy_day``
        and ``clinical_progression_day`` are used where they are.
    rules : ResponseRules or str, optional
        The choices of the protocol, or the name of a rule set.
    reader : str, optional
        Whose calls count; needed when there are several readers.
    on_conflict : {"raise", "exclude_patient"}
        What to do with a patient whose rows contradict each other: stop with all of them, or give the
        patient no result and the contradiction as status.

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
    chosen = chosen_rules(rules)
    death, cut, therapy, clinical = (_days(patients, name) for name in _DATES)
    given = course_visits(visits, patients.index, reader)
    impossible = _impossible(given, death, cut)
    if on_conflict == "raise":
        _refuse(impossible, patients.index)
    excluded = {patient: EXCLUDED + "; ".join(lines) for patient, lines in impossible.items()} | given.excluded
    dates = Dates(*(np.where(day > cut, np.nan, day) for day in (death, therapy, clinical)))
    known = ~np.isin(given.called.patient, list(excluded))
    called = given.called.where(known) if excluded else given.called
    best = best_response(_before(called, dates.therapy), given.baseline, chosen)
    pfs = progression_free(called, dates, rules=chosen)
    seen = given.seen | ~np.isnan(dates.death)
    seen[list(excluded)] = False
    table = _table(patients.index, called, best, pfs, seen=seen, rules=chosen)
    return table.assign(status=_status(given._replace(called=called), best, seen, rules=chosen, excluded=excluded))


_DATES = ("death_day", "data_cut_day", "new_therapy_day", "clinical_progression_day")


def _days(patients: pd.DataFrame, name: str) -> FloatArray:
    absent = np.full(len(patients), np.nan)
    return patients[name].to_numpy(dtype=np.float64, na_value=np.nan) if name in patients else absent


def _before(visits: CourseVisits, therapy: FloatArray) -> CourseVisits:
    return visits.where(~(visits.day > therapy[visits.patient]))


def _impossible(given: VisitsOfPatients, death: FloatArray, cut: FloatArray) -> dict[int, list[str]]:
    """Return by patient what cannot be: two calls of one visit, a visit after death or the data cut."""
    found = {patient: [*lines] for patient, lines in given.called_twice.items()}
    visits = given.called
    for name, limit in (("death_day", death), ("data_cut_day", cut)):
        for i in np.flatnonzero(visits.day > limit[visits.patient]):
            patient = int(visits.patient[i])
            words = f"visit on day {visits.day[i]} is after {name} {limit[patient]:g}"
            found.setdefault(patient, []).append(words)
    return found


def _refuse(impossible: Mapping[int, list[str]], patients: pd.Index) -> None:
    """Stop with every contradiction."""
    lines = [f"{patients[patient]}: {words}" for patient, found in sorted(impossible.items()) for words in found]
    cure = (
        "Correct the dates (first dose = day 1) and keep one call per visit, or leave these patients without "
        "result with on_conflict='exclude_patient'."
    )
    raise_together(SchemaError, "visits", lines, cure=cure)


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
    progression = visits.first_day(visits.called("PD"))
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
            "progression_day": progression,
            "progression_confirmed_day": _confirmed_progression(visits, progression, rules),
            "ttr_days": start,
            "dor_days": end - start + 1,
            "dor_event": pd.array(pfs.event, dtype="boolean"),
            "rule_set": text((rules.label,), np.zeros(len(patients), dtype=np.int64)),
        },
        index=pd.Index(patients, name="patient_id"),
    ).assign(
        pfs_event=lambda t: t["pfs_event"].where(kept),
        dor_event=lambda t: t["dor_event"].where(responded),
    )


def _confirmed_progression(visits: CourseVisits, first: FloatArray, rules: ResponseRules) -> FloatArray:
    """Return the day of the next PD that is late enough to confirm the first."""
    return visits.first_day(visits.called("PD") & (visits.day >= first[visits.patient] + rules.confirm_days))


def _status(
    given: VisitsOfPatients,
    best: BestResponse,
    seen: NDArray[np.bool_],
    *,
    rules: ResponseRules,
    excluded: Mapping[int, str],
) -> object:
    words = [
        "ok",
        "no visit recorded",
        "no visit after baseline",
        f"stable disease for less than {rules.min_sd_days} days after baseline",
        "no adequate visit after baseline",
        NO_BASELINE,
    ]
    followed = given.called.any(np.ones(len(given.called.day), dtype=bool))
    unclear = best.best == BEST.index("NE")
    code = np.select(
        [~seen, ~unclear, given.without_baseline, ~followed, best.stable_too_short], [1, 0, 5, 2, 3], default=4
    )
    for patient, status in excluded.items():
        code[patient] = len(words)
        words.append(status)
    return text(words, code)
