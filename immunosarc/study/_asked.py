"""A plan that asks only some of its questions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from immunosarc.errors import PlanError, did_you_mean, raise_together
from immunosarc.features import signatures
from immunosarc.study._plan import Plan
from immunosarc.study._questions import FeatureSpec, Panel

__all__ = ["asking_only"]

_ASKED = "asked"


def asking_only(
    plan: Plan,
    *,
    features: Sequence[str] = (),
    endpoints: Sequence[str] = (),
    timepoints: Sequence[str] = (),
) -> Plan:
    """Return the plan with only these features, endpoints and timepoints; each feature stays in its panel.

    Fewer features make smaller families: p maxT counts what is asked. Hypotheses, the two-stage design and the
    paths of analysis are left behind.

    Parameters
    ----------
    plan : Plan
    features : sequence of str
        Names of the plan's features, or ``SIGNATURE:METHOD``, which the panel ``asked`` then holds under the name
        ``SIGNATURE_METHOD``. All of the plan's unless given.
    endpoints, timepoints : sequence of str
        All of the plan's unless given.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        With every name that does not exist.

    Examples
    --------
    >>> asked = asking_only(Plan(), features=["tis_mean_z", "cyt:singscore"], endpoints=["os"])
    >>> [(panel.name, list(panel.features)) for panel in asked.panels], asked.endpoints
    ([('primary', ['tis_mean_z']), ('asked', ['cyt_singscore'])], ('os',))
    """
    changed: dict[str, Any] = {"hypotheses": (), "two_stage": None, "multiverse": None}
    if endpoints:
        changed["endpoints"] = tuple(dict.fromkeys(endpoints))
    if timepoints:
        changed["timepoints"] = tuple(dict.fromkeys(timepoints))
    if features:
        changed["panels"] = _panels(plan, list(dict.fromkeys(features)))
    narrow = plan.model_copy(update=changed)
    raise_together(PlanError, "plan", narrow.problems())
    return narrow


def _panels(plan: Plan, wanted: list[str]) -> tuple[Panel, ...]:
    scores, named = ([one for one in wanted if (":" in one) is scored] for scored in (True, False))
    known = [name for panel in plan.panels for name, _ in panel.specs()]
    any_column = any(panel.columns == "all" for panel in plan.panels)  # which columns there are, the cohort knows
    problems = [
        f"the plan has no feature '{one}'.{did_you_mean(one, known)} A score of the catalog is SIGNATURE:METHOD."
        for one in named
        if one not in known and not any_column
    ]
    if scores and any(panel.name == _ASKED for panel in plan.panels):
        problems.append(f"the plan has a panel '{_ASKED}' of its own: name its features, or rename it")
    raise_together(PlanError, "features", problems)
    parts = [_narrowed(panel, named, columns=[one for one in named if one not in known]) for panel in plan.panels]
    return tuple(panel for panel in (*parts, _asked(scores)) if panel.scored or panel.columns)


def _narrowed(panel: Panel, named: Collection[str], *, columns: Sequence[str]) -> Panel:
    listed = signatures() if panel.signatures == "all" else panel.signatures
    return panel.model_copy(
        update={
            "features": {name: spec for name, spec in panel.features.items() if name in named},
            "signatures": tuple(name for name in listed if name in named),
            "gene_sets": {name: genes for name, genes in panel.gene_sets.items() if name in named},
            "columns": tuple(columns) if panel.columns == "all" else tuple(c for c in panel.columns if c in named),
        }
    )


def _asked(scores: Sequence[str]) -> Panel:
    pairs = [one.split(":", 1) for one in scores]
    specs = {f"{name}_{method}": FeatureSpec(signature=name, method=method) for name, method in pairs}
    return Panel(name=_ASKED, features=specs)
