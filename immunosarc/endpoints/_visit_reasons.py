"""Why a visit has no response, in words, for all visits at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.endpoints._lesion_rows import LesionRows, Problems
from immunosarc.endpoints._visit_calls import NonTargetCalls, TargetCalls

__all__ = ["EXCLUDED", "NO_BASELINE", "VisitReasons", "text"]

EXCLUDED = "excluded: "
"""How the status of a patient begins whose rows contradict each other."""

NO_BASELINE = "no baseline visit on or before day 1"
"""The status of the visits of a series that has no baseline."""

IntArray = NDArray[np.int64]

_WORDS = (
    "ok",
    "baseline",
    "screening: a later visit is the baseline",
    NO_BASELINE,
    "no lesion at baseline",
    "no lesion was listed at this visit",
    "sum of diameters at baseline is 0",
)
_OK, _BASELINE, _SCREENING, _NO_BASELINE, _NO_DISEASE, _UNLISTED, _ZERO = range(len(_WORDS))


def text(words: Sequence[str] | NDArray[np.object_], code: NDArray[Any]) -> Any:
    """Return the words of the codes as a text column; a code of -1 is missing."""
    table = np.empty(len(words) + 1, dtype=object)
    table[:-1] = list(words)
    table[-1] = pd.NA
    return pd.array(table[code], dtype="string")


@dataclass
class VisitReasons:
    """The status of each visit while it is being worked out.

    Attributes
    ----------
    words : list of str
        What the codes mean; grows as reasons are found.
    code : ndarray of int
        Of each visit.
    follow_up : ndarray of bool
        Of each visit: after the baseline, or in a series without one.
    listed, of : ndarray
        Of each visit: whether a lesion was listed, and its series.
    """

    words: list[str]
    code: IntArray
    follow_up: NDArray[np.bool_]
    listed: NDArray[np.bool_]
    of: IntArray

    @classmethod
    def of_visits(cls, rows: LesionRows, base: IntArray) -> VisitReasons:
        """Start with the place of each visit in its series."""
        place = np.arange(len(rows.day))
        start = base[rows.visits.of]
        code = np.select(
            [start < 0, place == start, place < start], [_NO_BASELINE, _BASELINE, _SCREENING], default=_OK
        )
        return cls(list(_WORDS), code, (place > start) | (start < 0), rows.listed, rows.visits.of)

    def explain(self, unclear: NDArray[np.bool_], target: TargetCalls, non_target: NonTargetCalls) -> None:
        """Say of every visit called NE what was missing."""
        asked = unclear & (self.code == _OK)
        nothing = (target.expected == 0) & (non_target.expected == 0)
        zero = (target.expected > 0) & (target.baseline == 0)
        simple = np.select([nothing, ~self.listed, zero], [_NO_DISEASE, _UNLISTED, _ZERO], default=_OK)
        self.code = np.where(asked, simple, self.code)
        left = asked & (simple == _OK)
        of_targets = target.expected > 0
        self._counted(left & of_targets, "target", target.assessed, target.expected, target.other_method)
        self._counted(left & ~of_targets, "non-target", non_target.assessed, non_target.expected, None)

    def _counted(
        self,
        which: NDArray[np.bool_],
        noun: str,
        assessed: IntArray,
        expected: IntArray,
        other_method: IntArray | None,
    ) -> None:
        where = np.flatnonzero(which)
        other = np.zeros_like(assessed) if other_method is None else other_method
        cases = np.stack([assessed[where], expected[where], other[where]], axis=1)
        distinct, case = np.unique(cases, axis=0, return_inverse=True)
        self.code[where] = len(self.words) + case.reshape(-1)
        for found, needed, imaged in distinct.tolist():
            method = f", {imaged} imaged by another method than at first" if imaged else ""
            self.words.append(f"{found} of {needed} {noun} lesions assessed{method}")

    def exclude(self, problems: Problems, rows: LesionRows) -> NDArray[np.bool_]:
        """Give the visits of patients whose rows contradict each other that reason; return which they are."""
        patient = rows.patient[self.of]
        out = np.isin(patient, list(problems))
        for one, lines in problems.items():
            self.code[patient == one] = len(self.words)
            self.words.append(EXCLUDED + "; ".join(line.words for line in lines))
        return out
