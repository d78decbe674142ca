"""How much each planned feature changed from before to on treatment, panel by panel."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from immunosarc import models, schema
from immunosarc.cohort import Cohort
from immunosarc.study._plan import Plan
from immunosarc.study._scores import PanelScores
from immunosarc.workers import Workers

__all__ = ["change_tables"]

_log = logging.getLogger("immunosarc")


class _Step(NamedTuple):
    """One panel with all that its change depends on."""

    cohort: Cohort
    scores: pd.DataFrame
    outcomes: pd.DataFrame
    options: Mapping[str, Any]


def change_tables(
    cohort: Cohort,
    plan: Plan,
    outcomes: pd.DataFrame,
    scored: Mapping[str, PanelScores],
    *,
    seed: int,
    hands: Workers | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables ``paired`` and ``changes``; empty where the cohort lacks one of the timepoints.

    Parameters
    ----------
    cohort : Cohort
        Its tumor samples.
    plan : Plan
        Gives the two timepoints.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    scored : mapping of str to PanelScores
        By panel.
    seed : int
        For the sign flips.
    hands : Workers, optional
        They do the work; this process unless given.

    Returns
    -------
    dict of str to DataFrame
        ``paired`` and ``changes``.
    """
    twice = {
        panel: (part, part.cohort or cohort)
        for panel, part in scored.items()
        if {plan.before, plan.after} <= set((part.cohort or cohort).samples["timepoint"])
    }
    if not twice:
        return {"paired": schema.PAIRED.empty(), "changes": schema.CHANGE.empty()}
    when = {"before": plan.before, "after": plan.after}
    _log.info("change from %s to %s", plan.before, plan.after)
    paired = [models.pair_timepoints(own, part.scores, outcomes, **when) for part, own in twice.values()]
    how = {**when, "alpha": plan.alpha, "n_permutations": plan.n_permutations, "seed": seed}
    steps = (
        _Step(_light(own), part.scores, outcomes, {**how, "panel": panel}) for panel, (part, own) in twice.items()
    )
    return {
        "paired": pd.concat(paired, ignore_index=True).drop_duplicates(
            ["patient_id", "feature"], ignore_index=True
        ),
        "changes": pd.concat(list((hands or Workers()).map(_changed, steps)), ignore_index=True),
    }


def _light(cohort: Cohort) -> Cohort:
    """Whose samples they are is all a worker needs."""
    return dataclasses.replace(cohort, assays={}, tables={})


def _changed(step: _Step) -> pd.DataFrame:
    return models.compare_timepoints(step.cohort, step.scores, step.outcomes, **step.options)
