"""Check a manifest and its plan: every problem at once, nothing written."""

from __future__ import annotations

import os

from immunosarc.errors import ImmunosarcError, ManifestError
from immunosarc.loaders import check_manifest, read_manifest
from immunosarc.study._plan import Plan, plan_for

__all__ = ["check"]


def check(manifest: str | os.PathLike[str], *, data_root: str | os.PathLike[str] | None = None) -> list[str]:
    """Return every problem of a manifest, its files and its plan; empty when it is ready to run.

    Parameters
    ----------
    manifest : path
        The manifest.
    data_root : path, optional
        Folder that the manifest's paths start from; the manifest's own folder unless given.

    Returns
    -------
    list of str
        One line per problem.

    Examples
    --------
    >>> "does not exist" in check("data_manifests/missing.toml")[0]
    True
    """
    loaded = check_manifest(manifest, data_root=data_root)
    if loaded.cohort is None:
        return [*loaded.problems, *_plan_problems(manifest)]
    try:
        plan_for(loaded.cohort)
    except ImmunosarcError as failure:
        return [str(failure)]
    return []


def _plan_problems(manifest: str | os.PathLike[str]) -> list[str]:
    """What can be said of the plan without its data."""
    try:
        declared = read_manifest(manifest).plan
        return Plan.from_mapping(declared).problems() if declared else []
    except ManifestError:
        return []  # the manifest itself cannot be read: said already
    except ImmunosarcError as failure:
        return [str(failure)]
