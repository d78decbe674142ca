"""Sample names that went through R, found again among the names in the samples table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from immunosarc.errors import DataFileError
from immunosarc.loaders._fault import Fault, listed

__all__ = ["r_name", "without_r"]

_RESERVED = frozenset(
    [
        "if",
        "else",
        "repeat",
        "while",
        "function",
        "for",
        "next",
        "break",
        "TRUE",
        "FALSE",
        "NULL",
        "Inf",
        "NaN",
        "NA",
        "NA_integer_",
        "NA_real_",
        "NA_character_",
        "NA_complex_",
        "in",
    ]
)


def r_name(name: str) -> str:
    """Return what R's ``make.names`` turns a name into when a table is read or written.

    Examples
    --------
    >>> [r_name(name) for name in ("12-04", "Pt 7", "_a", ".5", "ok_1", "NA")]
    ['X12.04', 'Pt.7', 'X_a', 'X.5', 'ok_1', 'NA.']
    """
    begins = re.match(r"[^\W\d_]|\.(?!\d)", name)
    made = re.sub(r"[^\w.]", ".", name if begins else f"X{name}")
    return f"{made}." if made in _RESERVED else made


def without_r(file: str, names: Sequence[str], samples: Iterable[str], faults: list[Fault]) -> list[str]:
    """Return the names of the samples table that R made these names of; unknown ones stay.

    Parameters
    ----------
    file : str
        For the messages.
    names : sequence of str
        As the file of measurements has them.
    samples : iterable of str
        As the samples table has them.
    faults : list of Fault
        A name that several samples can stand behind is added here.
    """
    made: dict[str, list[str]] = {}
    for sample in sorted(samples):
        for form in {sample, r_name(sample)}:
            made.setdefault(form, []).append(sample)
    for name in names:
        if len(made.get(name, ())) > 1:
            what = f"{name!r} can be {listed(made[name])} of the samples table, since R writes them alike"
            faults.append(Fault(DataFileError, f"{file}: {what}; rename one of them in both files"))
    return [made[name][0] if name in made else name for name in names]
