"""Result tables of the response engine: one row per visit."""

from __future__ import annotations

from immunosarc.schema._clinical import RESPONSES, VISIT_RESPONSES
from immunosarc.schema._table import Column, Table

__all__ = ["RECIST", "RESPONSE_COURSE"]

RECIST = Table(
    "recist",
    {
        "patient_id": Column("text", "patient", required=True, filled=True),
        "reader": Column("text", "who measured", required=True),
        "study_day": Column("number", "day of the visit", required=True, filled=True),
        "target_response": Column("text", "target lesions; missing without any", required=True, values=RESPONSES),
        "non_target_response": Column(
            "text",
            "non-target lesions; missing without any",
            required=True,
            values=("CR", "NON-CR/NON-PD", "PD", "NE"),
        ),
        "new_lesion": Column(
            "text", "a new lesion at this visit", required=True, values=("yes", "equivocal", "no")
        ),
        "overall_response": Column(
            "text", "RECIST 1.1; missing at and before baseline", required=True, values=VISIT_RESPONSES
        ),
        "n_targets": Column("number", "target lesions at baseline", required=True, low=0),
        "n_assessed": Column("number", "of them assessed at this visit", required=True, low=0),
        "sum_mm": Column("number", "sum of diameters of the targets assessed; mm", required=True, low=0),
        "baseline_mm": Column("number", "sum of diameters at baseline; mm", required=True, low=0),
        "nadir_mm": Column(
            "number", "smallest sum before this visit, baseline included; mm", required=True, low=0
        ),
        "nadir_day": Column("number", "study day of that smallest sum", required=True),
        "status": Column("text", "'ok', or why there is no response", required=True, filled=True),
        "rule_set": Column(
            "text", "the rules that derived the row, with their version", required=True, filled=True
        ),
        "reported_target_response": Column("text", "what the source called the targets", values=RESPONSES),
        "reported_response": Column("text", "what the source called overall", values=VISIT_RESPONSES),
        "discrepancy": Column("text", "how the derived and the reported call differ, and why"),
    },
)

RESPONSE_COURSE = Table(
    "response_course",
    {
        "best_overall_response": Column("text", "best visit, not confirmed", required=True, values=RESPONSES),
        "best_overall_response_confirmed": Column(
            "text", "best response, CR and PR confirmed", required=True, values=RESPONSES
        ),
        "response_day": Column("number", "study day of the first response", required=True),
        "response_day_confirmed": Column("number", "study day of the first confirmed response", required=True),
        "pfs_days": Column("number", "first dose to progression, death or censoring; days", required=True, low=0),
        "pfs_event": Column("flag", "progression or death", required=True),
        "pfs_reason": Column("text", "what ended it", required=True),
        "ttr_days": Column("number", "first dose to first response; responders only; days", required=True, low=0),
        "dor_days": Column(
            "number", "first response to progression, death or censoring; days", required=True, low=0
        ),
        "dor_event": Column("flag", "progression or death after response", required=True),
        "status": Column("text", "'ok', or why there is no response", required=True, filled=True),
        "rule_set": Column(
            "text", "the rules that derived the row, with their version", required=True, filled=True
        ),
    },
    index="patient_id",
)
