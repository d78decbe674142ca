"""What is wrong with a manifest or its files: collected everywhere, raised once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from immunosarc.errors import ImmunosarcError, ManifestError, PrivacyError, did_you_mean

__all__ = ["Fault", "error_of", "few", "in_lines", "listed", "nearest"]

_SHOWN = 5


@dataclass(frozen=True)
class Fault:
    """One problem: the kind of error it is, and the sentence with place, value and cure."""

    error: type[ImmunosarcError]
    text: str


def error_of(faults: Sequence[Fault]) -> type[ImmunosarcError]:
    """Return the class under which several faults are raised together.

    Faults of one kind keep their kind; a breach of privacy outranks the rest; a mixture is
    told as the manifest's.
    """
    kinds = {fault.error for fault in faults}
    if PrivacyError in kinds:
        return PrivacyError
    return kinds.pop() if len(kinds) == 1 else ManifestError


def few(faults: Sequence[Fault], noun: str) -> list[Fault]:
    """Return the first faults of one kind, and how many more there are."""
    if len(faults) <= _SHOWN:
        return list(faults)
    rest = len(faults) - _SHOWN
    return [*faults[:_SHOWN], Fault(faults[0].error, f"... and {rest} more {noun} like these")]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` where ids or files are too many to be listed."""
    sentence = did_you_mean(name, known)
    return sentence if sentence.startswith(" Did you mean") else ""


def in_lines(lines: Iterable[int]) -> str:
    """Return where in a file: ``"line 3"``, ``"lines 3, 5 and 9"``, ``"lines 3, ... and 12 more"``."""
    numbers = [f"{int(line)}" for line in lines]
    return f"line{'' if len(numbers) == 1 else 's'} {_joined(numbers)}"


def listed(names: Iterable[object]) -> str:
    """Return a few names in quotes, and how many more there are."""
    return _joined([repr(str(name)) for name in names])


def _joined(parts: list[str]) -> str:
    if len(parts) > _SHOWN:
        return f"{', '.join(parts[:_SHOWN])} and {len(parts) - _SHOWN} more"
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
