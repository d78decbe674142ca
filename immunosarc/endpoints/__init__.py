"""Clinical endpoints: one row per patient, then the numbers a clinic reads first."""

from immunosarc.endpoints._derive import RULE_SET, derive

__all__ = ["RULE_SET", "derive"]
