"""Clinical endpoints: one row per patient, then the numbers a clinic reads first."""

from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import ResponseRules
from immunosarc.endpoints._curve import survival_curve
from immunosarc.endpoints._derive import RULE_SET, derive
from immunosarc.endpoints._event_counts import count_adverse_events
from immunosarc.endpoints._recist import RECIST_RULES, derive_recist
from immunosarc.endpoints._summary import summarize
from immunosarc.endpoints._timeline import derive_timeline
from immunosarc.endpoints._tumor_change import derive_tumor_change

__all__ = [
    "RECIST_RULES",
    "RULE_SET",
    "ResponseRules",
    "count_adverse_events",
    "derive",
    "derive_course",
    "derive_recist",
    "derive_timeline",
    "derive_tumor_change",
    "summarize",
    "survival_curve",
]
