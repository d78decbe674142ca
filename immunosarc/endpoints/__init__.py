"""Clinical endpoints: one row per patient, then the numbers a clinic reads first."""

from immunosarc.endpoints._conflicts import find_conflicts
from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import RULE_SETS, ResponseRules
from immunosarc.endpoints._curve import survival_curve
from immunosarc.endpoints._derive import RULE_SET, derive
from immunosarc.endpoints._recist import RECIST_RULES, derive_recist
from immunosarc.endpoints._summary import summarize

__all__ = [
    "RECIST_RULES",
    "RULE_SET",
    "RULE_SETS",
    "ResponseRules",
    "derive",
    "derive_course",
    "derive_recist",
    "find_conflicts",
    "summarize",
    "survival_curve",
]
