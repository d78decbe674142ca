"""Result tables of the response engine: one row per visit."""

from __future__ import annotations

from immunosarc.schema._clinical import RESPONSES, VISIT_RESPONSES
from immunosarc.schema._table import Column, Table

__all__ = [
    "CONFLICTS",
    "IMMUNE_BEST",
    "IMMUNE_COURSE",
    "IMMUNE_RECIST",
    "IMMUNE_RESPONSES",
    "PFS_SENSITIVITY",
    "RECIST",
    "RESISTANCE",
    "RESISTANCE_CLASSES",
    "RESPONSE_COURSE",
    "RULE_CHANGES",
]

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
        "progression_day": Column(
            "number", "study day of the first PD, whether or not it counts for pfs", required=True
        ),
        "progression_confirmed_day": Column(
            "number",
            "first later PD that confirms it, after at least the days that confirmation needs",
            required=True,
        ),
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

_ID = Column("text", "patient", required=True, filled=True)
_STATUS = Column("text", "'ok', or why there is no value", required=True, filled=True)
_RULES = Column("text", "the rules that derived the row, with their version", required=True, filled=True)

RESISTANCE_CLASSES = (
    "primary",
    "secondary",
    "sensitive_ongoing",
    "insufficient_exposure",
    "off_treatment_progression",
    "unclassified",
    "not_evaluable",
)
"""What a patient's course says about resistance; the first three are classes, the others reasons for none."""

RESISTANCE = Table(
    "resistance",
    {
        "resistance": Column(
            "text", "class, or the kind of reason why there is none", required=True, values=RESISTANCE_CLASSES
        ),
        "primary_resistance": Column(
            "flag", "primary against secondary and sensitive; all others missing", required=True
        ),
        "secondary_resistance": Column(
            "flag", "secondary against sensitive ongoing; all others missing", required=True
        ),
        "exposure_days": Column(
            "number", "checkpoint inhibitor until progression: first to last dose plus an interval", required=True
        ),
        "progression_day": Column("number", "study day of the first PD", required=True),
        "progression_phase": Column(
            "text",
            "where treatment stood at progression",
            required=True,
            values=("chemotherapy", "maintenance", "off_treatment"),
        ),
        "followed_days": Column("number", "days known to be progression-free", required=True),
        "status": Column("text", "'ok', or what to know about the class", required=True, filled=True),
        "rule_set": _RULES,
    },
    index="patient_id",
)

IMMUNE_RESPONSES = ("iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iUPD", "iCPD", "NE")
"""Response at one visit by iRECIST; unconfirmed and confirmed progression are told apart."""

IMMUNE_BEST = ("iCR", "iPR", "iSD", "iUPD", "iCPD", "NE")
"""Best response by iRECIST."""

IMMUNE_RECIST = Table(
    "immune_recist",
    {
        "patient_id": _ID,
        "reader": Column("text", "who measured", required=True),
        "study_day": Column("number", "day of the visit", required=True, filled=True),
        "overall_response": Column("text", "RECIST 1.1 of the same visit", required=True, values=VISIT_RESPONSES),
        "immune_response": Column(
            "text", "iRECIST; missing at and before baseline", required=True, values=IMMUNE_RESPONSES
        ),
        "cause": Column(
            "text",
            "what raised or confirmed progression: targets (T), non-targets (NT), new lesions (NL)",
            required=True,
        ),
        "unconfirmed_since_day": Column("number", "study day of the iUPD in question", required=True),
        "new_lesion_sum_mm": Column(
            "number", "sum of the new measurable lesions, at most five; mm", required=True, low=0
        ),
        "status": _STATUS,
        "rule_set": _RULES,
    },
)

IMMUNE_COURSE = Table(
    "immune_course",
    {
        "immune_best_response": Column("text", "best visit by iRECIST", required=True, values=IMMUNE_BEST),
        "immune_response_day": Column("number", "study day of the first iCR or iPR", required=True),
        "confirmed_progression_day": Column("number", "study day of iCPD", required=True),
        "ipfs_days": Column(
            "number", "first dose to progression (its first iUPD), death or censoring; days", required=True, low=0
        ),
        "ipfs_event": Column("flag", "progression or death", required=True),
        "ipfs_reason": Column("text", "what ended it", required=True),
        "status": _STATUS,
        "rule_set": _RULES,
    },
    index="patient_id",
)

CONFLICTS = Table(
    "conflicts",
    {
        "patient_id": _ID,
        "table": Column("text", "the table of the row", required=True, filled=True),
        "row": Column("number", "position in that table, 0 = first", required=True),
        "problem": Column("text", "what contradicts what", required=True, filled=True),
    },
)

RULE_CHANGES = Table(
    "rule_changes",
    {
        "patient_id": _ID,
        "column": Column("text", "what changes", required=True, filled=True),
        "before": Column("text", "by the first rules", required=True),
        "after": Column("text", "by the second rules", required=True),
        "reason_before": Column("text", "why, by the first rules", required=True),
        "reason_after": Column("text", "why, by the second rules", required=True),
    },
)

PFS_SENSITIVITY = Table(
    "pfs_sensitivity",
    {
        "threshold": Column("text", "the threshold in words", required=True, filled=True),
        "t_days": Column("number", "days since the first dose", required=True, low=1),
        "window_days": Column("number", "how early a scan may show the threshold passed", required=True, low=0),
        "stratum": Column("text", "'all', or the stratum", required=True, filled=True),
        "method": Column("text", "estimator and interval", required=True, filled=True),
        "population": Column("text", "which patients count", required=True, filled=True),
        "n": Column("number", "patients who count", required=True, low=0),
        "n_free": Column("number", "of them progression-free beyond the threshold", required=True, low=0),
        "n_failed": Column("number", "progressed or died by the threshold", required=True, low=0),
        "n_unknown": Column("number", "censored before it", required=True, low=0),
        "estimate": Column("number", "share progression-free", required=True, low=0, high=1),
        "conf_low": Column("number", "lower confidence limit", required=True),
        "conf_high": Column("number", "upper confidence limit", required=True),
        "conf_level": Column("number", "confidence level", required=True, low=0, high=1),
        "status": _STATUS,
    },
)
