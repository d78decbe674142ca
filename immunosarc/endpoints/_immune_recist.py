"""iRECIST beside RECIST 1.1: unconfirmed and confirmed progression, and what raised it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.endpoints._immune_state import CAUSES, IMMUNE_CALLS, immune_calls, immune_facts
from immunosarc.endpoints._lesion_rows import MICROMETERS
from immunosarc.endpoints._recist import judge, read_lesions, refuse_lesions
from immunosarc.endpoints._visit_calls import CALLS
from immunosarc.endpoints._visit_reasons import VisitReasons, text
from immunosarc.errors import ImmunosarcError

__all__ = ["IMMUNE_RULES", "derive_irecist"]

IMMUNE_RULES = "irecist/1"
"""The rules of :func:`derive_irecist`, with their version: stored in every row of its result."""


def derive_irecist(
    lesions: pd.DataFrame,
    assessments: pd.DataFrame | None = None,
    *,
    confirm_days: int = 28,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> pd.DataFrame:
    """Call every visit by iRECIST, where progression waits for a later scan to confirm it.

    Rules ``irecist/1``, computed beside RECIST 1.1 and never instead of it:

    - The first progression is *iUPD*, with its cause: targets (T), non-targets (NT), new lesions (NL).
    - It is *iCPD* when a scan at least ``confirm_days`` later shows more: the targets another 5 mm
      since the iUPD; more or larger progressive non-targets, or ``further_progression``; another new
      lesion, 5 mm more in the sum of up to five measurable new ones, or any growth of the others; or
      progression of a part that had not progressed before.
    - Without more it stays iUPD, also while a new lesion merely persists. When no part is progressive
      any longer, the visit is iSD, iPR or iCR, and the bar is reset: a new progression needs its own
      confirmation. NE does not reset.
    - New lesions have their own sum and are never added to the baseline sum.

    Definitions: Seymour 2017, doi 10.1016/S1470-2045(17)30074-8.

    Parameters
    ----------
    lesions : DataFrame
        ``schema.LESIONS``, as for :func:`derive_recist`. Left unchanged.
    assessments : DataFrame, optional
        ``schema.ASSESSMENTS``: adds the visits at which no lesion was listed.
    confirm_days : int
        How much later a scan can confirm; 4 weeks.
    on_conflict : {"raise", "exclude_patient"}
        As in :func:`derive_recist`.

    Returns
    -------
    DataFrame
        ``schema.IMMUNE_RECIST``: one row per patient, reader and visit, in the order of
        :func:`derive_recist`, whose call stands beside.

    Raises
    ------
    SchemaError
        As :func:`derive_recist`.
    ImmunosarcError
        When ``confirm_days`` is below 0.

    Examples
    --------
    >>> lesions = pd.DataFrame(
    ...     {
    ...         "patient_id": "P1", "study_day": [-5, 43, 85, 127], "lesion_id": "T1", "role": "target",
    ...         "diameter_mm": [50.0, 62.0, 30.0, 37.0],
    ...     }
    ... )
    >>> derive_irecist(lesions)["immune_response"].tolist()
    [<NA>, 'iUPD', 'iPR', 'iUPD']
    """
    if confirm_days < 0:
        raise ImmunosarcError(f"confirm_days: need at least 0, have {confirm_days!r}.")
    _, base, problems, rows = read_lesions(lesions, assessments)
    if on_conflict == "raise":
        refuse_lesions(problems, rows)
    judged = judge(rows, base)
    facts = immune_facts(judged.rows, judged.target, judged.non_target, overall=judged.call, new=judged.new)
    immune = immune_calls(facts, rows.day, visits=rows.visits, base=base, confirm_days=confirm_days)
    reasons = VisitReasons.of_visits(rows, base)
    reasons.explain(reasons.follow_up & (judged.call == CALLS.index("NE")), judged.target, judged.non_target)
    known = reasons.follow_up & ~reasons.exclude(problems, rows)
    call = np.where(reasons.follow_up & (immune.call < 0), CALLS.index("NE"), immune.call)
    series = rows.visits.of
    return pd.DataFrame(
        {
            "patient_id": text(rows.patients, rows.patient[series]),
            "reader": text(rows.readers, rows.reader[series]),
            "study_day": rows.day.astype(np.float64),
            "overall_response": text(CALLS, np.where(known, judged.call, -1)),
            "immune_response": text(IMMUNE_CALLS, np.where(known, call, -1)),
            "cause": text(CAUSES, np.where(known & (immune.cause > 0), immune.cause, -1)),
            "unconfirmed_since_day": _day_of(immune.since, rows.day, known),
            "new_lesion_sum_mm": np.where(known, facts.new_sum / MICROMETERS, np.nan),
            "status": text(reasons.words, reasons.code),
            "rule_set": _label(confirm_days, len(series)),
        }
    )


def _day_of(visit: NDArray[np.int64], day: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    if not len(day):
        return np.zeros(0)
    return np.where(known & (visit >= 0), day[np.maximum(visit, 0)], np.nan)


def _label(confirm_days: int, n: int) -> object:
    name = IMMUNE_RULES if confirm_days == 28 else f"{IMMUNE_RULES} confirm_days={confirm_days}"
    return text((name,), np.zeros(n, dtype=np.int64))
