"""Clinical endpoints: one row per patient, then the numbers a clinic reads first."""

from immunosarc.endpoints._curve import survival_curve
from immunosarc.endpoints._derive import RULE_SET, derive
from immunosarc.endpoints._summary import summarize

__all__ = ["RULE_SET", "derive", "summarize", "survival_curve"]
