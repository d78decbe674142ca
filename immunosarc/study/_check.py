"""Check a manifest and its plan: every problem at once, nothing written."""

from __future__ import annotations

import os

from immunosarc.errors import ImmunosarcError
from immunosarc.loaders import load_cohort
from immunosarc.study._plan import plan_for

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
        One message per part that has problems, each listing all of them.

    Examples
    --------
    >>> check("data_manifests/missing.toml")[0].startswith("manifest")
    True
    """
    found = []
    try:
        cohort = load_cohort(manifest, data_root=data_root)
        plan_for(cohort)
    except ImmunosarcError as failure:
        found.append(str(failure))
    return found
