"""A plan, or a part of one, from a file of its own."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunosarc.errors import DataFileError, PlanError

if TYPE_CHECKING:
    from immunosarc.cohort import Cohort
    from immunosarc.study import Plan

__all__ = ["plan_part", "plan_table", "plan_with"]


def plan_table(file: Path) -> dict[str, Any]:
    """Return the plan of a TOML file: its table ``[plan]``, as in a manifest, or the whole file.

    Raises
    ------
    DataFileError
        When there is no such file, or it is no TOML.
    PlanError
        When it is a manifest without a plan.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as failure:
        raise DataFileError(f"{file}: no such file.") from failure
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise DataFileError(f"{file}: not a TOML file: {failure}") from failure
    if "plan" not in content and "patients" in content:
        raise PlanError(f"{file} is a manifest without a table [plan]: add one, or give a file that holds a plan.")
    plan = content.get("plan", content)
    if not isinstance(plan, dict):
        raise PlanError(f"{file}: plan must be a table [plan], found {plan!r}")
    return plan


def plan_part(file: Path, name: str) -> Any:
    """Return one table of a plan that stands in a file of its own.

    Raises
    ------
    PlanError
        When the file has no such table.
    """
    plan = plan_table(file)
    if name not in plan:
        raise PlanError(f"{file}: a table [{name}] or [plan.{name}] is needed, found {sorted(plan) or 'nothing'}")
    return plan[name]


def plan_with(cohort: Cohort, **parts: Any) -> Plan:
    """Return the cohort's own plan with some of its tables given anew, read as those of a manifest are."""
    from immunosarc.study import Plan, plan_for

    read = Plan.from_mapping(parts)
    given = {name: getattr(read, name) for name in parts}
    return plan_for(cohort, plan_for(cohort).model_copy(update=given))
