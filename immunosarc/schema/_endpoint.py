"""The endpoints: what each is called, what kind it is, and whether time defines it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["DAYS_PER_MONTH", "ENDPOINTS", "SIX_MONTHS_DAYS", "Endpoint"]

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
    kind : {"binary", "time_to_event"}
        Which models fit it.
    time_defined : bool
        Whether elapsed time decides it. A feature measured on treatment must not be tested
        against such an endpoint from baseline: the patient had to live long enough to have it.
    status : str
        The column of ``schema.OUTCOMES`` that says why a value is missing.
    """

    name: str
    label: str
    kind: Literal["binary", "time_to_event"]
    time_defined: bool
    status: str


def _endpoints(*records: Endpoint) -> Mapping[str, Endpoint]:
    return MappingProxyType({record.name: record for record in records})


ENDPOINTS = _endpoints(
    Endpoint("objective_response", "Objective response", "binary", False, "response_status"),
    Endpoint("disease_control", "Disease control", "binary", True, "response_status"),
    Endpoint("durable_clinical_benefit", "Durable clinical benefit", "binary", True, "durable_status"),
    Endpoint("pfs6", "Progression-free at 6 months", "binary", True, "pfs6_status"),
    Endpoint("pfs", "Progression-free survival", "time_to_event", True, "pfs_status"),
    Endpoint("os", "Overall survival", "time_to_event", True, "os_status"),
)
"""The endpoints that can be derived and tested, by name."""
