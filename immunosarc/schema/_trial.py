"""Tables that show a trial patient by patient: change of tumors, course on a time line, toxicity by term."""

from __future__ import annotations

from immunosarc.schema._clinical import VISIT_RESPONSES
from immunosarc.schema._table import Column, Table

__all__ = ["ATTRIBUTIONS", "EVENT_COUNTS", "POPULATIONS", "TIMELINE", "TIMELINE_KINDS", "TUMOR_CHANGE"]

TIMELINE_KINDS = (
    "follow_up",
    "dose",
    "response",
    "progression",
    "new_therapy",
    "death",
    "ongoing",
    "biopsy",
    "immune_event",
    "data_cut",
)
"""What can stand on a patient's line; ``follow_up`` and ``response`` last, the others are days."""

ATTRIBUTIONS = ("any cause", "treatment-related")


def _text(meaning: str, *, values: tuple[str, ...] = (), filled: bool = False) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low)


_PATIENT = _text("patient", filled=True)
_STATUS = _text("'ok', or why there is no value", filled=True)

TUMOR_CHANGE = Table(
    "tumor_change",
    {
        "patient_id": _PATIENT,
        "study_day": _number("day of the visit; missing for a patient without one"),
        "change_percent": _number("change of the sum of diameters from baseline, percent", low=-100),
        "overall_response": _text("response at the visit, RECIST 1.1", values=VISIT_RESPONSES),
        "new_lesion": _text("a new lesion at this visit", values=("yes", "equivocal", "no")),
        "best": Column("flag", "the patient's smallest change up to progression", required=True),
        "ended": _text("on the last row of a patient: what ended progression-free survival"),
        "status": _STATUS,
    },
)

TIMELINE = Table(
    "timeline",
    {
        "patient_id": _PATIENT,
        "kind": _text("what happened", values=TIMELINE_KINDS, filled=True),
        "study_day": _number("day, or first day of what lasted"),
        "end_day": _number("last day of what lasted"),
        "label": _text("drug, response, timepoint or term"),
        "status": _STATUS,
    },
)

EVENT_COUNTS = Table(
    "event_counts",
    {
        "term": _text("CTCAE term", filled=True),
        "attribution": _text("all that emerged, or those a drug caused", values=ATTRIBUTIONS, filled=True),
        "grade": Column("number", "highest grade of the patient in this term", required=True, low=1, high=5),
        "n_patients": _number("patients with that highest grade", low=0),
        "n_treated": _number("patients who received at least one dose", low=0),
    },
)

POPULATIONS = Table(
    "populations",
    {
        "population": _text("which patients", filled=True),
        "stratum": _text("'all', or the stratum", filled=True),
        "definition": _text("who belongs to it", filled=True),
        "n": _number("patients in it", low=0),
        "n_left_out": _number("patients of the stratum that are not", low=0),
        "reasons": _text("why not, and how many"),
    },
)
