"""The choices that a protocol makes between visit calls and endpoints, named and versioned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal, get_args

from immunosarc.errors import ImmunosarcError, UnknownNameError, did_you_mean, raise_together

__all__ = ["RULE_SETS", "ResponseRules", "chosen_rules"]

_DEFAULT = "recist_1.1_course/1"

NewTherapy = Literal["censor", "event", "ignore"]
MissedScans = Literal["censor", "count"]
ClinicalProgression = Literal["ignore", "event"]

_CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "new_therapy": get_args(NewTherapy),
        "after_missed_scans": get_args(MissedScans),
        "clinical_progression": get_args(ClinicalProgression),
    }
)
_WORDS = ("name", "confirmation", *_CHOICES)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


@dataclass(frozen=True)
class ResponseRules:
    """How visits become best response, duration and progression-free survival.

    The defaults are version 1 of the rule set ``recist_1.1_course``; ``endpoints.RULE_SETS`` holds the
    others. A result names its set and every choice that differs from it.

    Attributes
    ----------
    min_sd_days : int
        Stable disease counts from a visit at least so many days after baseline (6 weeks).
    confirm_days : int
        A response, or a progression, is confirmed by another at least so many days later.
    ne_between, sd_between : int
        How many NE, and how many SD, visits may lie between two responses that confirm each other.
    confirmation : bool
        Whether time to response and its duration start from a confirmed response.
    scan_interval_days, scan_window_days, missed_scans : int
        The scan calendar. An event later than ``missed_scans`` intervals and one window after the
        last adequate scan does not count; the patient is censored at that scan.
    new_therapy : {"censor", "event", "ignore"}
        What another therapy before progression does: censor at the last adequate scan before it,
        count as the event, or nothing.
    after_missed_scans : {"censor", "count"}
        Whether progression or death right after missed scans is censored, or counts all the same.
    clinical_progression : {"ignore", "event"}
        Whether progression that nobody imaged (``clinical_progression_day``) is an event.
    name : str
        A name of ``endpoints.RULE_SETS``: what the label compares these choices with.

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
    new_therapy: NewTherapy = "censor"
    after_missed_scans: MissedScans = "censor"
    clinical_progression: ClinicalProgression = "ignore"
    name: str = _DEFAULT

    def __post_init__(self) -> None:
        wrong = [
            f"{field.name}: need a whole number of at least 0, have {getattr(self, field.name)!r}"
            for field in fields(self)
            if field.name not in _WORDS and not _is_count(getattr(self, field.name))
        ]
        wrong += [
            f"{name}: unknown {getattr(self, name)!r}.{did_you_mean(getattr(self, name), allowed)}"
            for name, allowed in _CHOICES.items()
            if getattr(self, name) not in allowed
        ]
        raise_together(ImmunosarcError, "ResponseRules", wrong)

    @property
    def longest_gap_days(self) -> int:
        """Days after an adequate scan within which an event still counts."""
        return self.missed_scans * self.scan_interval_days + self.scan_window_days

    @property
    def label(self) -> str:
        """Name, version, and what differs from the rule set of that name."""
        usual = RULE_SETS.get(self.name, RULE_SETS[_DEFAULT])
        changed = [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if field.name != "name" and getattr(self, field.name) != getattr(usual, field.name)
        ]
        return " ".join([self.name, *changed])


def _named(name: str, **choices: Any) -> tuple[str, ResponseRules]:
    return name, ResponseRules(**choices, name=name)


RULE_SETS: Mapping[str, ResponseRules] = MappingProxyType(
    dict(
        [
            _named(_DEFAULT),
            _named("confirmed_response/1", confirmation=True),
            _named("every_event/1", new_therapy="ignore", after_missed_scans="count"),
            _named("missed_scans_count/1", after_missed_scans="count"),
            _named("new_therapy_is_event/1", new_therapy="event"),
            _named("new_therapy_ignored/1", new_therapy="ignore"),
            _named("clinical_progression_is_event/1", clinical_progression="event"),
            _named("stable_8_weeks/1", min_sd_days=56),
            _named("scans_every_12_weeks/1", scan_interval_days=84, scan_window_days=14),
        ]
    )
)
"""The rule sets with a name and a version; the first is the default."""


def chosen_rules(rules: ResponseRules | str | None) -> ResponseRules:
    """Return the rules that were meant.

    Parameters
    ----------
    rules : ResponseRules, str or None
        A name of ``RULE_SETS``; None is the default.

    Raises
    ------
    UnknownNameError
        When no rule set has this name.
    """
    if isinstance(rules, ResponseRules):
        return rules
    name = _DEFAULT if rules is None else rules
    if name not in RULE_SETS:
        raise UnknownNameError(f"no rule set {name!r}.{did_you_mean(name, RULE_SETS)}")
    return RULE_SETS[name]
