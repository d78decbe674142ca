"""Result tables of safety and dosing: what went wrong for whom, and how much was given."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["DOSING", "PATIENT_TOXICITY", "TOXICITY", "TOXICITY_RATES"]


def _text(meaning: str, *, filled: bool = False) -> Column:
    return Column("text", meaning, required=True, filled=filled)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


def _flag(meaning: str) -> Column:
    return Column("flag", meaning, required=True)


def _grade(meaning: str) -> Column:
    return _number(f"highest CTCAE grade {meaning}; missing without such an event", low=1, high=5)


_STATUS = _text("'ok', or what could not be decided and why", filled=True)
_RULES = _text("the rules that derived the row, with their version", filled=True)

TOXICITY = Table(
    "toxicity",
    {
        "patient_id": _text("the patient", filled=True),
        "term": _text("CTCAE term", filled=True),
        "n_events": _number("rows of this term", low=1),
        "grade": _grade("of the term at any time"),
        "grade_treatment_emergent": _grade("with onset from the first dose until the window closes"),
        "grade_related": _grade("of those, related to any study drug"),
        "grade_immune_mediated": _grade("of those, immune-mediated by attribution"),
        "related_to": _text("the drugs it was attributed to, separated by semicolons"),
        "immunosuppression": _flag("immune-mediated, and systemic immunosuppression was given for it"),
        "onset_day": _number("study day of the first treatment-emergent onset"),
        "immune_onset_day": _number("study day of the first immune-mediated treatment-emergent onset"),
        "status": _STATUS,
        "rule_set": _RULES,
    },
)

PATIENT_TOXICITY = Table(
    "patient_toxicity",
    {
        "grade": _grade("of all treatment-emergent events"),
        "grade_related": _grade("of all treatment-related events"),
        "grade_immune_mediated": _grade("of all immune-mediated events"),
        "treatment_related_grade_3_4": _flag("a treatment-related term whose highest grade is 3 or 4"),
        "treatment_related_grade_3_or_higher": _flag("a treatment-related term of grade 3, 4 or 5"),
        "immune_mediated": _flag("an immune-mediated event"),
        "immune_event_immunosuppression": _flag("an immune-mediated event that needed systemic immunosuppression"),
        "days_to_immune_event": _number("first dose to the first immune-mediated event; days", low=1),
        "days_at_risk": _number("first dose to the end of the window, death or the data cut; days", low=0),
        "status": _STATUS,
        "rule_set": _RULES,
    },
    index="patient_id",
)

TOXICITY_RATES = Table(
    "toxicity_rates",
    {
        "term": _text("CTCAE term; 'any' for all terms", filled=True),
        "category": _text("which events count", filled=True),
        "stratum": _text("'all', or the stratum", filled=True),
        "n": _number("patients who had at least one dose", low=0),
        "n_events": _number("of them, patients with such an event", low=0),
        "estimate": _number("their proportion", low=0, high=1),
        "conf_low": _number("lower limit, Clopper-Pearson", low=0, high=1),
        "conf_high": _number("upper limit, Clopper-Pearson", low=0, high=1),
        "patient_months": _number("months at risk, each patient until the first such event", low=0),
        "rate": _number("patients with a first event per 100 patient-months at risk", low=0),
        "rate_low": _number("lower limit, exact Poisson", low=0),
        "rate_high": _number("upper limit, exact Poisson", low=0),
        "median_onset_days": _number("median days to onset among patients with the event", low=1),
        "conf_level": _number("confidence level", low=0, high=1),
        "status": _STATUS,
    },
)

DOSING = Table(
    "dosing",
    {
        "patient_id": _text("the patient", filled=True),
        "drug": _text("what was given", filled=True),
        "n_doses": _number("administrations with a dose above 0", low=0),
        "first_day": _number("study day of the first"),
        "last_day": _number("study day of the last"),
        "exposure_days": _number("first to last, plus one dosing interval; days", low=0),
        "cumulative_dose": _number("sum of the doses, in dose_unit", low=0),
        "dose_unit": _text("unit of the dose"),
        "planned_dose": _number("sum of what was planned, in dose_unit", low=0),
        "relative_dose_intensity": _number(
            "dose given per day of exposure over dose planned per dosing interval", low=0
        ),
        "status": _STATUS,
    },
)
