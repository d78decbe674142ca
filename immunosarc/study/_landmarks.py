"""Who a landmark analysis keeps, and who is left out of it and why."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from immunosarc import models
from immunosarc.study._plan import Plan

__all__ = ["landmark_tables"]


def landmark_tables(
    plan: Plan, outcomes: pd.DataFrame, measured: Mapping[str, Mapping[str, pd.DataFrame]]
) -> dict[str, pd.DataFrame]:
    """Return the table ``landmarks``: each patient at each planned landmark; none where none is planned.

    Parameters
    ----------
    plan : Plan
        Its ``landmark_days``.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    measured : mapping
        Patient features by timepoint and panel.

    Returns
    -------
    dict of str to DataFrame
        ``landmarks``, or nothing.
    """
    asked = dict.fromkeys((test.timepoint, test.endpoint, test.landmark_day) for test in plan.tests())
    flows = [
        models.landmark_flow(table, outcomes, endpoint=endpoint, landmark_day=day).assign(timepoint=timepoint)
        for timepoint, endpoint, day in asked
        if day is not None
        for table in list(measured.get(timepoint, {}).values())[:1]
    ]
    return {"landmarks": pd.concat(flows, ignore_index=True)} if flows else {}
