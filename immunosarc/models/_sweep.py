"""A landmark analysis at several days, to see whether the answer hangs on the day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from immunosarc import schema
from immunosarc.errors import PlanError
from immunosarc.models._association import associate

__all__ = ["sweep_landmarks"]


def sweep_landmarks(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    model: str,
    landmark_days: Sequence[int],
    **options: Any,
) -> pd.DataFrame:
    """Repeat a landmark analysis at several days: an effect that comes and goes with the day is none.

    Each day is a family of its own, with its own patients; nothing corrects for having looked at
    several days, so the day that a conclusion rests on has to be chosen beforehand.

    Parameters
    ----------
    table, outcomes, endpoint, model
        As in :func:`associate`.
    landmark_days : sequence of int
        Study days, at least one, each once.
    **options
        Whatever else :func:`associate` takes.

    Returns
    -------
    DataFrame
        ``schema.ASSOCIATION`` with a further column ``landmark_day``, day by day.

    Raises
    ------
    PlanError
        When there is no day, or a day twice.
    ImmunosarcError
        As in :func:`associate`.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt"]]
    >>> sweep = sweep_landmarks(
    ...     cohort.at("on").per_patient(scores),
    ...     ims.endpoints.derive(cohort),
    ...     endpoint="pfs",
    ...     model="cox",
    ...     landmark_days=[45, 60],
    ...     n_permutations=200,
    ... )
    >>> sweep["landmark_day"].tolist()
    [45, 60]
    """
    days = list(landmark_days)
    if not days or len(set(days)) < len(days):
        raise PlanError(f"landmark_days must name each day once, and at least one; found {days}.")
    parts = [
        associate(table, outcomes, endpoint=endpoint, model=model, landmark_day=day, **options).assign(
            landmark_day=day
        )
        for day in days
    ]
    return schema.ASSOCIATION.check(pd.concat(parts, ignore_index=True))
