"""Every exception and warning class of the package, and the two sentences they share.

A message says what is wrong, what was found and how to mend it. Problems are collected first
and raised together, so that a user mends a file once and not ten times.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "CohortError",
    "CoverageError",
    "DataFileError",
    "ImmortalTimeError",
    "ImmunosarcError",
    "ImmunosarcWarning",
    "LockError",
    "ManifestError",
    "PlanError",
    "PrivacyError",
    "SchemaError",
    "UnitError",
    "UnknownNameError",
    "did_you_mean",
    "raise_together",
]


_SHOWN = 12


class ImmunosarcError(ValueError):
    """Something the user can mend; the command line prints it and exits with 2."""


class SchemaError(ImmunosarcError):
    """A table does not have the columns or the values that its schema declares."""


class CohortError(ImmunosarcError):
    """The parts of a cohort do not fit together: an unknown patient, a repeated sample."""


class ManifestError(ImmunosarcError):
    """A manifest cannot be read, or declares something that its files do not hold."""


class DataFileError(ImmunosarcError):
    """A data file is missing, altered, unreadable or outside the data root."""


class PrivacyError(ImmunosarcError):
    """A file carries columns that identify a person."""


class UnitError(ImmunosarcError):
    """The numbers of an assay contradict its declared unit, or a conversion is not defined."""


class CoverageError(ImmunosarcError):
    """No signature at all has enough of its genes in the assay."""


class UnknownNameError(ImmunosarcError):
    """A name that no registry or table knows."""


class ImmortalTimeError(ImmunosarcError):
    """A feature measured on treatment was to be tested against an outcome that time defines."""


class PlanError(ImmunosarcError):
    """An analysis plan names something that does not exist or contradicts itself."""


class LockError(ImmunosarcError):
    """A lock file cannot be written or read."""


class ImmunosarcWarning(UserWarning):
    """A usable but doubtful result; the row's ``status`` says the same."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return the sentence that helps with a misspelt name.

    Parameters
    ----------
    name : object
        What was given.
    known : iterable of str
        What would have been accepted.

    Returns
    -------
    str
        ``" Did you mean 'x'?"`` when something is close, else the list of what is known.

    Examples
    --------
    >>> did_you_mean("singscor", ["singscore", "mean_z"])
    " Did you mean 'singscore'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f" Known: {', '.join(names[:_SHOWN])}{more}."


def raise_together(error: type[ImmunosarcError], subject: str, problems: Sequence[str], *, cure: str = "") -> None:
    """Raise one error that lists every problem; do nothing when there is none.

    Parameters
    ----------
    error : type
        The class to raise.
    subject : str
        What has the problems, for example ``"table 'patients'"``.
    problems : sequence of str
        One line each.
    cure : str, optional
        A last line that says what to do.

    Raises
    ------
    ImmunosarcError
        Of the class ``error``, when ``problems`` is not empty.

    Examples
    --------
    >>> raise_together(SchemaError, "table 'patients'", [])
    """
    if not problems:
        return
    lines = [f"{subject} has {len(problems)} problem(s):", *(f"  - {line}" for line in problems)]
    raise error("\n".join([*lines, cure] if cure else lines))
