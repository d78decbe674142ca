"""The planned associations of a cohort, and how many features each family of them looked at."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pandas as pd

from immunosarc import models, schema
from immunosarc.cohort import Cohort
from immunosarc.study._directions import alternatives_of
from immunosarc.study._plan import Plan
from immunosarc.study._scores import PanelScores

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


def associations_of(
    cohort: Cohort,
    plan: Plan,
    outcomes: pd.DataFrame,
    measured: Mapping[str, Mapping[str, pd.DataFrame]],
    seed: int,
) -> pd.DataFrame:
    """Put every planned question to every panel."""
    parts = []
    for test in plan.tests():
        for panel, table in measured.get(test.timepoint, {}).items():
            _log.info("association: %s/%s", test.words, panel)
            adjusting = plan.covariates and models.MODELS[test.model].covariates
            parts.append(
                models.associate(
                    table,
                    outcomes,
                    endpoint=test.endpoint,
                    model=test.model,
                    landmark_day=test.landmark_day,
                    alternative=alternatives_of(plan, panel, test.endpoint, table),
                    covariates=cohort.patients[list(plan.covariates)] if adjusting else None,
                    strata=cohort.patients[plan.strata] if plan.strata else None,
                    per_sd=plan.per_sd,
                    panel=panel,
                    alpha=plan.alpha,
                    n_permutations=plan.n_permutations,
                    seed=seed,
                )
            )
    return pd.concat(parts, ignore_index=True) if parts else schema.ASSOCIATION.empty()


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
