"""The questions of a plan, each put to each panel: a task of its own, wherever it is answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from immunosarc import models
from immunosarc.cohort import Cohort
from immunosarc.study._directions import alternatives_of
from immunosarc.study._plan import Plan

__all__ = ["Asked", "answered", "asked", "could_be_found"]


@dataclass(frozen=True)
class Asked:
    """One question to one panel, with all that its answer depends on.

    Attributes
    ----------
    words : str
        The question and the panel, for the log.
    table, outcomes : DataFrame
    options : mapping
        What ``models.associate`` and ``models.detectability`` both take.
    per_sd : bool
    """

    words: str
    table: pd.DataFrame
    outcomes: pd.DataFrame
    options: Mapping[str, Any]
    per_sd: bool


def asked(
    cohort: Cohort,
    plan: Plan,
    outcomes: pd.DataFrame,
    measured: Mapping[str, Mapping[str, pd.DataFrame]],
    seed: int,
) -> Iterator[Asked]:
    """Yield every planned question to every panel that has samples."""
    strata = cohort.patients[plan.strata] if plan.strata else None
    for test in plan.tests():
        for panel, table in measured.get(test.timepoint, {}).items():
            adjusting = plan.covariates and models.MODELS[test.model].covariates
            options = {
                "endpoint": test.endpoint,
                "model": test.model,
                "landmark_day": test.landmark_day,
                "alternative": alternatives_of(plan, panel, test.endpoint, table),
                "covariates": cohort.patients[list(plan.covariates)] if adjusting else None,
                "strata": strata,
                "panel": panel,
                "alpha": plan.alpha,
                "n_permutations": plan.n_permutations,
                "seed": seed,
            }
            yield Asked(f"{test.words}/{panel}", table, outcomes, options, plan.per_sd)


def answered(one: Asked) -> pd.DataFrame:
    """Return what the panel answers."""
    return models.associate(one.table, one.outcomes, per_sd=one.per_sd, **one.options)


def could_be_found(one: Asked) -> pd.DataFrame:
    """Return what the panel could have answered, before it does."""
    return models.detectability(one.table, one.outcomes, **one.options)
