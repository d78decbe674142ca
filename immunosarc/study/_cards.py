"""What every family of a study could have found, before anything is found."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pandas as pd

from immunosarc import models
from immunosarc.cohort import Cohort
from immunosarc.study._directions import alternatives_of
from immunosarc.study._plan import Plan

__all__ = ["card_table"]

_log = logging.getLogger("immunosarc")


def card_table(
    cohort: Cohort,
    plan: Plan,
    outcomes: pd.DataFrame,
    measured: Mapping[str, Mapping[str, pd.DataFrame]],
    seed: int,
) -> pd.DataFrame:
    """Return the detectability cards of all planned families, from the permutations of the associations.

    Parameters
    ----------
    cohort : Cohort
        Its patients give covariates and strata.
    plan : Plan
        What was declared.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    measured : mapping
        Patient features by timepoint and panel.
    seed : int
        As for the associations.

    Returns
    -------
    DataFrame
        As from ``models.detectability``, family by family; empty where nothing was measured.
    """
    _log.info("what could be found")
    cards = [
        models.detectability(
            table,
            outcomes,
            endpoint=test.endpoint,
            model=test.model,
            landmark_day=test.landmark_day,
            alternative=alternatives_of(plan, panel, test.endpoint, table),
            covariates=cohort.patients[list(plan.covariates)]
            if plan.covariates and models.MODELS[test.model].covariates
            else None,
            strata=cohort.patients[plan.strata] if plan.strata else None,
            panel=panel,
            alpha=plan.alpha,
            n_permutations=plan.n_permutations,
            seed=seed,
        )
        for test in plan.tests()
        for panel, table in measured.get(test.timepoint, {}).items()
    ]
    return pd.concat(cards, ignore_index=True) if cards else pd.DataFrame()
