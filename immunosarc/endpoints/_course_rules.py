"""The choices that a protocol makes between visit calls and endpoints, named and versioned."""

from __future__ import annotations

from dataclasses import dataclass, fields

from immunosarc.errors import ImmunosarcError, raise_together

__all__ = ["ResponseRules"]


@dataclass(frozen=True)
class ResponseRules:
    """How visits become best response, duration and progression-free survival.

    The defaults are version 1 of the rule set ``recist_1.1_course``; a result names every choice
    that differs from them.

    Attributes
    ----------
    min_sd_days : int
        Stable disease counts from a visit at least so many days after baseline (6 weeks).
    confirm_days : int
        A response is confirmed by another at least so many days later.
    ne_between, sd_between : int
        How many NE, and how many SD, visits may lie between two responses that confirm each other.
    confirmation : bool
        Whether time to response and its duration start from a confirmed response.
    scan_interval_days, scan_window_days, missed_scans : int
        The scan calendar. An event later than ``missed_scans`` intervals and one window after the
        last adequate scan does not count; the patient is censored at that scan.

    Examples
    --------
    >>> ResponseRules(min_sd_days=56).label
    'recist_1.1_course/1 min_sd_days=56'
    """

    min_sd_days: int = 42
    confirm_days: int = 28
    ne_between: int = 1
    sd_between: int = 0
    confirmation: bool = False
    scan_interval_days: int = 42
    scan_window_days: int = 7
    missed_scans: int = 2

    def __post_init__(self) -> None:
        wrong = [
            f"{field.name}: need a whole number of at least 0, have {getattr(self, field.name)!r}"
            for field in fields(self)
            if field.name != "confirmation" and not _is_count(getattr(self, field.name))
        ]
        raise_together(ImmunosarcError, "ResponseRules", wrong)

    @property
    def longest_gap_days(self) -> int:
        """Days after an adequate scan within which an event still counts."""
        return self.missed_scans * self.scan_interval_days + self.scan_window_days

    @property
    def label(self) -> str:
        """Name, version, and what differs from the defaults."""
        changed = [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return " ".join(["recist_1.1_course/1", *changed])


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
