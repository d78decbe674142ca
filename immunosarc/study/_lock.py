"""The lock: plan and data frozen before the answers are seen, and what a later run may claim."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from immunosarc import __version__
from immunosarc.cohort import Cohort
from immunosarc.errors import LockError
from immunosarc.loaders import load_cohort
from immunosarc.study._plan import Plan, plan_for

__all__ = ["lock", "stamp_rows", "standing"]

_FORMAT = 1


def lock(manifest: str | os.PathLike[str], *, data_root: str | os.PathLike[str] | None = None) -> Path:
    """Freeze the plan and the data of a manifest into ``NAME.lock.toml`` beside it.

    From then on a run says whether plan and data are still the ones that were frozen.

    Parameters
    ----------
    manifest : path
        The manifest; its plan is the ``[plan]`` table, or the default plan.
    data_root : path, optional
        Folder that the manifest's paths start from; the manifest's own folder unless given.

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
    cohort = load_cohort(path, data_root=data_root)
    _write_whole(target, _lock_text(path.name, plan_for(cohort), _file_hashes(cohort.provenance)))
    return target


def _lock_text(manifest: str, plan: Plan, files: Mapping[str, str]) -> str:
    lines = [
        "# Plan and data as frozen by 'immunosarc lock'. Do not edit: a run compares both with these hashes.",
        f"format = {_FORMAT}",
        f"manifest = {json.dumps(manifest)}",
        f"locked_on = {datetime.datetime.now(datetime.UTC).date().isoformat()}",
        f"immunosarc_version = {json.dumps(__version__)}",
        f"plan_sha256 = {json.dumps(plan.sha256)}",
        f"plan = {json.dumps(json.dumps(plan.model_dump(mode='json'), sort_keys=True))}",
        "",
        "[files]",
        *(f"{json.dumps(name)} = {json.dumps(digest)}" for name, digest in sorted(files.items())),
    ]
    return "\n".join(lines) + "\n"


def _write_whole(target: Path, text: str) -> None:
    handle, partial = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent, text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(partial, target)


def _file_hashes(provenance: Mapping[str, Any]) -> dict[str, str]:
    return {name: about["sha256"] for name, about in provenance.get("files", {}).items()}


def standing(cohort: Cohort, plan: Plan) -> tuple[str, str]:
    """Return the stamp that a pre-stated question may carry in this run, and why.

    Returns
    -------
    tuple of str
        ``"confirmatory"``, ``"exploratory"`` or ``"deviation"``; and one sentence.
    """
    lock_content = cohort.provenance.get("lock")
    if not lock_content:
        return "exploratory", "No lock file: plan and data were not frozen before the analysis."
    changes = []
    if lock_content.get("plan_sha256") != plan.sha256:
        changes.append("the plan")
    locked, found = dict(lock_content.get("files", {})), _file_hashes(cohort.provenance)
    changes += [
        f"file {name}" for name in sorted(locked.keys() | found.keys()) if locked.get(name) != found.get(name)
    ]
    date = lock_content.get("locked_on", "an unknown day")
    if changes:
        return "deviation", f"Locked on {date}, but changed since: {', '.join(changes)}."
    return "confirmatory", f"Plan and data were locked on {date} and are unchanged."


def stamp_rows(associations: pd.DataFrame, plan: Plan, stamp: str) -> pd.DataFrame:
    """Return the table with ``stamp`` on the pre-stated questions; all else stays exploratory."""
    asked = {(hypothesis.feature, hypothesis.family) for hypothesis in plan.hypotheses}
    planned = [pair in asked for pair in zip(associations["feature"], associations["family"], strict=True)]
    return associations.assign(
        stamp=associations["stamp"].mask(pd.Series(planned, index=associations.index), stamp)
    )
