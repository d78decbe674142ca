"""Clinical endpoints: one row per patient, then the numbers a clinic reads first."""

from immunosarc.endpoints._compare_rules import compare_rules
from immunosarc.endpoints._conflicts import find_conflicts
from immunosarc.endpoints._course import derive_course
from immunosarc.endpoints._course_rules import RULE_SETS, ResponseRules
from immunosarc.endpoints._curve import survival_curve
from immunosarc.endpoints._derive import RULE_SET, derive
from immunosarc.endpoints._dosing import derive_dosing
from immunosarc.endpoints._event_counts import count_adverse_events
from immunosarc.endpoints._explain import explain
from immunosarc.endpoints._explanation import Explanation
from immunosarc.endpoints._follow_up_summary import summarize_follow_up
from immunosarc.endpoints._immune_course import derive_irecist_course
from immunosarc.endpoints._immune_recist import IMMUNE_RULES, derive_irecist
from immunosarc.endpoints._patient_toxicity import derive_patient_toxicity
from immunosarc.endpoints._recist import RECIST_RULES, derive_recist
from immunosarc.endpoints._resistance import RESISTANCE_RULES, ResistanceRules, derive_resistance
from immunosarc.endpoints._sensitivity import PFS_THRESHOLDS, pfs_sensitivity
from immunosarc.endpoints._summary import summarize
from immunosarc.endpoints._timeline import derive_timeline
from immunosarc.endpoints._toxicity import ToxicityRules, derive_toxicity
from immunosarc.endpoints._toxicity_rates import summarize_toxicity
from immunosarc.endpoints._tumor_change import derive_tumor_change

__all__ = [
    "IMMUNE_RULES",
    "PFS_THRESHOLDS",
    "RECIST_RULES",
    "RESISTANCE_RULES",
    "RULE_SET",
    "RULE_SETS",
    "Explanation",
    "ResistanceRules",
    "ResponseRules",
    "ToxicityRules",
    "compare_rules",
    "count_adverse_events",
    "derive",
    "derive_course",
    "derive_dosing",
    "derive_irecist",
    "derive_irecist_course",
    "derive_patient_toxicity",
    "derive_recist",
    "derive_resistance",
    "derive_timeline",
    "derive_toxicity",
    "derive_tumor_change",
    "explain",
    "find_conflicts",
    "pfs_sensitivity",
    "summarize",
    "summarize_follow_up",
    "summarize_toxicity",
    "survival_curve",
]
