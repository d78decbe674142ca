"""The study: everything that one run of one plan on one cohort found, by name."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.errors import UnknownNameError, did_you_mean
from immunosarc.study._plan import Plan

__all__ = ["Study"]


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Named tables, the flow, the stamp and where it all comes from.

    Attributes
    ----------
    cohort : Cohort
        What was analyzed.
    plan : Plan
        What was declared.
    tables : mapping of str to DataFrame
        The results; ``study["associations"]`` returns one.
    stamp, stamp_reason : str
        What a pre-stated question may claim, and why.
    methods : tuple of str
        The methods, in paragraphs with citations.
    provenance : mapping
        Files with hashes, versions, seed, arguments.
    """

    cohort: Cohort
    plan: Plan
    tables: Mapping[str, pd.DataFrame]
    stamp: str
    stamp_reason: str
    methods: tuple[str, ...]
    provenance: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Short name of the cohort."""
        return self.cohort.name

    @property
    def simulated(self) -> bool:
        """Whether the cohort was simulated."""
        return self.cohort.simulated

    @property
    def title(self) -> str:
        """Title of the cohort, led by SIMULATED where that is so."""
        title = str(self.cohort.provenance.get("title", self.name))
        return f"SIMULATED: {title}" if self.simulated and not title.startswith("SIMULATED") else title

    @property
    def attrition(self) -> pd.DataFrame:
        """Who was left out where: ``schema.ATTRITION``."""
        return self.tables["attrition"]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return the table ``name``."""
        if name not in self.tables:
            raise UnknownNameError(f"the study has no table {name!r}.{did_you_mean(name, self.tables)}")
        return self.tables[name]

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} ({len(table)})" for name, table in self.tables.items())
        return f"Study of {self.title}\n  {self.stamp}: {self.stamp_reason}\n  tables: {rows}"

    def _repr_html_(self) -> str:
        listing = pd.DataFrame(
            {"table": list(self.tables), "rows": [len(table) for table in self.tables.values()]}
        )
        return (
            f"<strong>Study of {html.escape(self.title)}</strong>"
            f"<p>{html.escape(self.stamp)}: {html.escape(self.stamp_reason)}</p>"
            f"{listing.to_html(index=False, border=0)}"
        )
