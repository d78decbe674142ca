"""The endpoints: what each is called, what kind it is, and whether time defines it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from immunosarc.errors import ImmortalTimeError

__all__ = ["DAYS_PER_MONTH", "ENDPOINTS", "SIX_MONTHS_DAYS", "Endpoint", "refuse_response_groups"]

DAYS_PER_MONTH = 30.4375
"""365.25 / 12."""

SIX_MONTHS_DAYS = 183
"""Six months, unless a protocol says 24 or 26 weeks."""


@dataclass(frozen=True)
class Endpoint:
    """One clinical endpoint of a patient.

    Attributes
    ----------
    name, label : str
        The name to pass, and the words for a figure.
    kind : {"binary", "ordinal", "time_to_event"}
        Which models fit it.
    time_defined : bool
        Whether elapsed time decides it. A feature measured on treatment must not be tested
        against such an endpoint from baseline: the patient had to live long enough to have it.
    status : str
        The column of ``schema.OUTCOMES`` that says why a value is missing.
    decided_on_day : int or None
        The day on which everybody's value is settled, where there is one.
    grades : tuple of str
        The values of an ordinal endpoint, worst first.
    """

    name: str
    label: str
    kind: Literal["binary", "ordinal", "time_to_event"]
    time_defined: bool
    status: str
    decided_on_day: int | None = None
    grades: tuple[str, ...] = ()

    @property
    def clock(self) -> str:
        """The follow-up whose end settles the endpoint: its own, or progression-free survival."""
        return self.name if self.kind == "time_to_event" else "pfs"


def _endpoints(*records: Endpoint) -> Mapping[str, Endpoint]:
    return MappingProxyType({record.name: record for record in records})


ENDPOINTS = _endpoints(
    Endpoint("objective_response", "Objective response", "binary", False, "response_status"),
    Endpoint("disease_control", "Disease control", "binary", True, "response_status"),
    Endpoint(
        "durable_clinical_benefit", "Durable clinical benefit", "binary", True, "durable_status", SIX_MONTHS_DAYS
    ),
    Endpoint("primary_resistance", "Primary resistance", "binary", True, "resistance_status", SIX_MONTHS_DAYS),
    Endpoint("secondary_resistance", "Secondary resistance", "binary", True, "resistance_status"),
    Endpoint("pfs6", "Progression-free at 6 months", "binary", True, "pfs6_status", SIX_MONTHS_DAYS),
    Endpoint(
        "best_overall_response",
        "Best overall response",
        "ordinal",
        True,
        "response_status",
        grades=("PD", "SD", "PR", "CR"),
    ),
    Endpoint("pfs", "Progression-free survival", "time_to_event", True, "pfs_status"),
    Endpoint("os", "Overall survival", "time_to_event", True, "os_status"),
)
"""The endpoints that can be derived and tested, by name."""

_SETTLED_LATER = tuple(e.name for e in ENDPOINTS.values() if e.kind != "time_to_event")


def refuse_response_groups(names: Iterable[object], endpoint: str) -> None:
    """Refuse to compare responders with non-responders from the first day of treatment on.

    A responder had to live until the response was seen, so that early events can only fall among the
    non-responders: survival looks better for responders even where response changes nothing.

    Parameters
    ----------
    names : iterable of str
        What the patients are grouped or described by.
    endpoint : str
        A name of ``schema.ENDPOINTS``.

    Raises
    ------
    ImmortalTimeError
        When a name is an outcome that follow-up settles and time defines the endpoint.

    References
    ----------
    Anderson JR, Cain KC, Gelber RD. J Clin Oncol 1983;1:710-719, doi:10.1200/JCO.1983.1.11.710.

    Examples
    --------
    >>> refuse_response_groups(["schedule_stage"], "pfs")
    """
    found = [str(name) for name in names if name in _SETTLED_LATER]
    if not found or not ENDPOINTS[endpoint].time_defined:
        return
    raise ImmortalTimeError(
        f"{endpoint} from the start of treatment cannot be compared by {found[0]}: a patient had to live long "
        "enough to be called a responder, so early events can only fall among the others (immortal time), and "
        "responders do better even where response changes nothing. Group the patients by what was known at a "
        "landmark day, in a column with a name of its own, and pass landmark_day to models.associate; or group "
        "by something known before treatment."
    )
