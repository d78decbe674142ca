"""Which way a feature was stated to go: from the catalog, where the plan declares it."""

from __future__ import annotations

import pandas as pd

from immunosarc import features, schema
from immunosarc.study._plan import Plan
from immunosarc.study._questions import Panel

__all__ = ["alternatives_of", "stated_sides"]

_TOWARD = {
    "higher_hot": 1,
    "higher_sensitive": 1,
    "higher_cold": -1,
    "higher_resistant": -1,
}
"""Whether a higher score was published as better for the patient (1) or worse (-1)."""


def stated_sides(plan: Plan, panel: Panel, endpoint: str) -> str | dict[str, str]:
    """Return the alternative of each feature of a panel: one side where the catalog states a direction.

    A signature of an inflamed or sensitive tumor is tested for more response and fewer events, one of a
    cold or resistant tumor for the opposite; one without a fixed sign or with a prognostic one, and a gene set
    of the user's own, both ways.

    Parameters
    ----------
    plan : Plan
        Its ``directions``.
    panel : Panel
        The features.
    endpoint : str
        A name of ``schema.ENDPOINTS``.

    Returns
    -------
    str or dict of str to str
        ``"two-sided"``, or the features that are tested on one side.
    """
    if plan.directions == "none":
        return "two-sided"
    target = schema.ENDPOINTS[endpoint]
    better = -1 if target.kind == "time_to_event" or endpoint.endswith("_resistance") else 1
    catalog = features.signatures()
    found = {}
    for name, (_, what) in panel.specs():
        toward = _TOWARD.get(catalog[what].direction, 0) if isinstance(what, str) and what in catalog else 0
        if toward:
            found[name] = "greater" if toward * better > 0 else "less"
    return found


def alternatives_of(plan: Plan, panel: str, endpoint: str, table: pd.DataFrame) -> str | dict[str, str]:
    """Return the stated alternatives of the features that a table has.

    Parameters
    ----------
    plan : Plan
        Its ``directions`` and panels.
    panel : str
        The name of one of them.
    endpoint : str
        A name of ``schema.ENDPOINTS``.
    table : DataFrame
        Features of the panel, one column each.

    Returns
    -------
    str or dict of str to str
        As from :func:`stated_sides`.
    """
    stated = stated_sides(plan, next(one for one in plan.panels if one.name == panel), endpoint)
    return stated if isinstance(stated, str) else {name: side for name, side in stated.items() if name in table}
