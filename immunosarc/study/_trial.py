"""The tables of the trial itself: who counts, what happened, and what the numbers depend on."""

from __future__ import annotations

import logging

import pandas as pd

from immunosarc import endpoints, models
from immunosarc.cohort import Cohort
from immunosarc.study._plan import Plan

__all__ = ["trial_tables"]

_log = logging.getLogger("immunosarc")


def trial_tables(
    cohort: Cohort, plan: Plan, outcomes: pd.DataFrame, *, by: pd.Series | None
) -> dict[str, pd.DataFrame]:
    """Return populations, competing risks, sensitivity and follow-up, two-stage inference, and all that rows give.

    Parameters
    ----------
    cohort : Cohort
    plan : Plan
        Rules, reader, level, the two-stage design.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    by : Series or None
        Stratum of each patient.

    Returns
    -------
    dict of str to DataFrame
        ``populations, progression_incidence, pfs_sensitivity, follow_up``; ``two_stage`` where the plan declares
        a design; and those of :func:`immunosarc.endpoints.derive_trial_tables`.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> tables = trial_tables(cohort, ims.study.plan_for(cohort), ims.endpoints.derive(cohort), by=None)
    >>> tables["two_stage"]["estimate"].round(3).tolist()
    [0.464, 0.518]
    """
    _log.info("visits, doses and toxicity")
    level = 1 - plan.alpha
    found = {
        "populations": endpoints.summarize_populations(outcomes, by=by),
        "progression_incidence": models.progression_incidence(outcomes, by=by, level=level),
        "pfs_sensitivity": endpoints.pfs_sensitivity(outcomes, by=by, level=level),
        "follow_up": endpoints.summarize_follow_up(outcomes, by=by, level=level),
    }
    if plan.two_stage is not None:
        found["two_stage"] = endpoints.summarize_two_stage(
            outcomes,
            design=(plan.two_stage.r1, plan.two_stage.n1, plan.two_stage.n),
            p0=plan.two_stage.p0,
            endpoint=plan.two_stage.endpoint,
            level=1 - 2 * plan.alpha,
        )
    return found | endpoints.derive_trial_tables(
        cohort,
        rules=plan.rule_set,
        reader=plan.reader,
        by=by,
        on_conflict=plan.on_conflict,
        dosing_interval_days=plan.dosing_interval_days,
    )
