"""The lock: plan and data frozen before the answers are seen, and what a later run may claim."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunosarc import __version__, whole
from immunosarc.cohort import Cohort
from immunosarc.errors import LockError
from immunosarc.study._check import checked_cohort
from immunosarc.study._default_plan import plan_for
from immunosarc.study._plan import Plan

__all__ = ["lock", "stamp_rows", "standing"]

_FORMAT = 1


def lock(
    manifest: str | os.PathLike[str],
    *,
    data_root: str | os.PathLike[str] | None = None,
    seed: int = 0,
    allow_columns: Iterable[str] = (),
) -> Path:
    """Freeze the plan and the data of a manifest into ``NAME.lock.toml`` beside it.

    From then on a run says whether plan, data and seed are still the ones that were frozen. The
    data are what the manifest makes of its files: another recode or ``keep`` is other data.

    Parameters
    ----------
    manifest : path
        The manifest; its plan is the ``[plan]`` table, or the default plan.
    data_root : path, optional
        Folder that the manifest's paths start from; the manifest's own folder unless given.
    seed : int
        The seed that the run will use.
    allow_columns : iterable of str
        Columns that the privacy gate lets through; see ``load_cohort``.

    Returns
    -------
    Path
        The lock file.

    Raises
    ------
    LockError
        When there is a lock already: a second one would undo the promise of the first.
    ManifestError, DataFileError, PlanError
        When the manifest, a file or the plan has problems.

    Examples
    --------
    >>> lock("data_manifests/missing.toml")
    Traceback (most recent call last):
    ...
    immunosarc.errors.ManifestError: ...
    """
    path = Path(manifest)
    target = path.with_name(f"{path.stem}.lock.toml")
    if target.exists():
        raise LockError(
            f"{target.name} exists already. A plan is locked once; "
            "to start over, delete it yourself: results seen since then cannot become confirmatory."
        )
    cohort = checked_cohort(path, data_root=data_root, allow_columns=allow_columns)
    return whole.write_file(target, _lock_text(path.name, cohort, plan_for(cohort), seed))


def _lock_text(manifest: str, cohort: Cohort, plan: Plan, seed: int) -> str:
    lines = [
        "# Plan and data as frozen by 'immunosarc lock'. Do not edit: a run compares both with these hashes.",
        f"format = {_FORMAT}",
        f"manifest = {json.dumps(manifest)}",
        f"locked_on = {datetime.datetime.now(datetime.UTC).date().isoformat()}",
        f"immunosarc_version = {json.dumps(__version__)}",
        f"seed = {seed}",
        f"data_sha256 = {json.dumps(cohort.sha256)}",
        f"plan_sha256 = {json.dumps(plan.sha256)}",
        f"plan = {json.dumps(json.dumps(plan.model_dump(mode='json'), sort_keys=True))}",
        "",
        "[files]",
        *(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in sorted(_file_hashes(cohort.provenance).items())),
    ]
    return "\n".join(lines) + "\n"


def _file_hashes(provenance: Mapping[str, Any]) -> dict[str, str]:
    return {name: about["sha256"] for name, about in provenance.get("files", {}).items()}


def standing(cohort: Cohort, plan: Plan, *, seed: int) -> tuple[str, str]:
    """Return the stamp that a pre-stated question may carry in this run, and why.

    Returns
    -------
    tuple of str
        ``"confirmatory"``, ``"exploratory"`` or ``"deviation"``; and one sentence.
    """
    locked = cohort.provenance.get("lock")
    if not locked:
        return "exploratory", "No lock file: plan and data were not frozen before the analysis."
    date = locked.get("locked_on", "an unknown day")
    if changes := _changes(locked, cohort, plan, seed):
        return "deviation", f"Locked on {date}, but changed since: {', '.join(changes)}."
    if not plan.hypotheses:
        return "exploratory", f"Plan and data were locked on {date}, but no question was stated beforehand."
    return "confirmatory", f"Plan and data were locked on {date} and are unchanged."


def _changes(locked: Mapping[str, Any], cohort: Cohort, plan: Plan, seed: int) -> list[str]:
    before, now = dict(locked.get("files", {})), _file_hashes(cohort.provenance)
    changes = [f"file {name}" for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    if locked.get("data_sha256") != cohort.sha256:
        changes.append("the data as the manifest reads them")
    if locked.get("plan_sha256") != plan.sha256:
        changes.append("the plan")
    if locked.get("seed") != seed:
        changes.append(f"the seed, {locked.get('seed')} to {seed}")
    return changes


def stamp_rows(associations: pd.DataFrame, plan: Plan, stamp: str) -> pd.DataFrame:
    """Return the table with ``stamp`` on the pre-stated questions; all else stays exploratory."""
    asked = {(hypothesis.feature, hypothesis.family) for hypothesis in plan.hypotheses}
    planned = [pair in asked for pair in zip(associations["feature"], associations["family"], strict=True)]
    return associations.assign(
        stamp=associations["stamp"].mask(pd.Series(planned, index=associations.index), stamp)
    )
