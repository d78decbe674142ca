"""Which plan is run: the one given, else the cohort's own, else one that fits what the cohort holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immunosarc.cohort import Cohort
from immunosarc.errors import PlanError, raise_together
from immunosarc.study._columns import READY_MADE
from immunosarc.study._imaging import ImagingSpec, image_assays
from immunosarc.study._molecular import default_molecular
from immunosarc.study._plan import Plan
from immunosarc.study._questions import Panel
from immunosarc.study._single_cells import CellSpec, cell_assays

__all__ = ["plan_for"]


def plan_for(cohort: Cohort, plan: Plan | Mapping[str, Any] | None = None) -> Plan:
    """Return the plan to run: the one given, else the cohort's own, else the default.

    The default plan stratifies by ``schedule_stage`` where the cohort has it. In a cohort without
    expression its features are the columns of the ready-made assays, one panel for each.

    Parameters
    ----------
    cohort : Cohort
        Its columns, assays and own plan count.
    plan : Plan or mapping, optional
        Overrides the cohort's own.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        With every name that does not exist.

    Examples
    --------
    >>> import pandas as pd
    >>> cohort = Cohort(pd.DataFrame({"patient_id": ["P1"], "schedule_stage": ["1"]}))
    >>> plan_for(cohort).strata
    'schedule_stage'
    """
    declared = plan if plan is not None else cohort.provenance.get("plan")
    if not declared:
        chosen = _default_plan(cohort)
    else:
        chosen = declared if isinstance(declared, Plan) else Plan.from_mapping(declared)
    chosen = chosen.spelled_out(cohort)
    raise_together(PlanError, f"plan '{chosen.title}'", chosen.problems(cohort))
    return chosen


def _default_plan(cohort: Cohort) -> Plan:
    strata = "schedule_stage" if "schedule_stage" in cohort.patients else None
    images, cells = image_assays(cohort), cell_assays(cohort)
    of_cells = {*images, *cells}
    units = {n: adata.uns["immunosarc"]["unit"] for n, adata in cohort.assays.items() if n not in of_cells}
    if of_cells and not units:
        panels = tuple(Panel(name=name, imaging=ImagingSpec(), assay=name) for name in images)
        panels += tuple(Panel(name=name, cells=CellSpec(), assay=name) for name in cells)
        return Plan(strata=strata, assay=panels[0].name, panels=panels)
    if not units and (measures := default_molecular(cohort)):
        return Plan(strata=strata, panels=tuple(Panel(name=name, molecular=spec) for name, spec in measures))
    expression = [name for name, unit in units.items() if unit not in READY_MADE]
    if units and not expression:
        panels = tuple(Panel(name=name, columns="all", assay=name) for name in units)
        return Plan(strata=strata, assay=panels[0].name, panels=panels)
    only = expression[0] if len(expression) == 1 else "rna"
    return Plan(strata=strata, assay=only)
