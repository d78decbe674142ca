"""The planned associations of a cohort, and how many features each family of them looked at."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from immunosarc import schema
from immunosarc.cohort import Cohort
from immunosarc.study._plan import Plan
from immunosarc.study._question_tasks import Asked, answered
from immunosarc.study._scores import PanelScores
from immunosarc.workers import Workers

__all__ = ["associations_of", "families_of", "measured_features"]

_log = logging.getLogger("immunosarc")


def measured_features(
    cohort: Cohort, plan: Plan, scored: Mapping[str, PanelScores]
) -> dict[str, dict[str, pd.DataFrame]]:
    """Patient features by timepoint and panel, for the planned timepoints that have samples."""
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for timepoint in plan.timepoints:
        for panel, part in scored.items():
            there = (part.cohort or cohort).at(timepoint)
            if len(there.samples):
                found.setdefault(timepoint, {})[panel] = there.per_patient(part.with_reasons())
    return found


def associations_of(questions: Iterable[Asked], hands: Workers | None = None) -> pd.DataFrame:
    """Return the answer of every panel to every planned question; ``hands`` do the work, or this process."""
    parts = list((hands or Workers()).map(answered, _told(questions)))
    return pd.concat(parts, ignore_index=True) if parts else schema.ASSOCIATION.empty()


def _told(questions: Iterable[Asked]) -> Iterator[Asked]:
    for one in questions:
        _log.info("association: %s", one.words)
        yield one


def families_of(associations: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """How many features each family looked at, and what is left after counting them."""
    marked_rows = associations.assign(below_alpha=schema.significant(associations).astype(int))
    grouped = marked_rows.groupby("family", sort=False)
    return (
        grouped.agg(
            n_features=("feature", "size"),
            n_tested=("p_value", "count"),
            n_patients=("n", "max"),
            n_events=("n_events", "max"),
            smallest_p_maxt=("p_maxt", "min"),
            n_below_alpha=("below_alpha", "sum"),
        )
        .assign(n_permutations=plan.n_permutations)
        .reset_index()
    )
