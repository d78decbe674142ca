"""Check a manifest and its plan: every problem at once, nothing written."""

from __future__ import annotations

import os
from collections.abc import Iterable

from immunosarc.cohort import Cohort
from immunosarc.errors import ImmunosarcError, ManifestError, PlanError, raise_together
from immunosarc.loaders import ManifestCheck, check_manifest, read_manifest
from immunosarc.study._default_plan import plan_for
from immunosarc.study._plan import Plan

__all__ = ["check", "checked_cohort"]

AnyPath = str | os.PathLike[str]


def check(manifest: AnyPath, *, data_root: AnyPath | None = None, allow_columns: Iterable[str] = ()) -> list[str]:
    """Return every problem of a manifest, its files and its plan; empty when it is ready to run.

    Parameters
    ----------
    manifest : path
        The manifest.
    data_root : path, optional
        Folder that the manifest's paths start from; the manifest's own folder unless given.
    allow_columns : iterable of str
        Columns that the privacy gate lets through; see ``load_cohort``.

    Returns
    -------
    list of str
        One line per problem.

    Examples
    --------
    >>> "does not exist" in check("data_manifests/missing.toml")[0]
    True
    """
    loaded = check_manifest(manifest, data_root=data_root, allow_columns=allow_columns)
    return [*loaded.problems, *_plan_problems(manifest, loaded)]


def checked_cohort(
    manifest: AnyPath, *, data_root: AnyPath | None = None, allow_columns: Iterable[str] = ()
) -> Cohort:
    """Return the cohort of a manifest that is ready to run, or every problem of files and plan at once.

    Parameters
    ----------
    manifest : path
        The manifest.
    data_root : path, optional
        Folder that the manifest's paths start from; the manifest's own folder unless given.
    allow_columns : iterable of str
        Columns that the privacy gate lets through; see ``load_cohort``.

    Returns
    -------
    Cohort

    Raises
    ------
    ManifestError, DataFileError, UnitError, PrivacyError, PlanError
        With all that :func:`check` says.

    Examples
    --------
    >>> checked_cohort("data_manifests/missing.toml")
    Traceback (most recent call last):
    ...
    immunosarc.errors.ManifestError: ...
    """
    loaded = check_manifest(manifest, data_root=data_root, allow_columns=allow_columns)
    of_plan = _plan_problems(manifest, loaded)
    error = loaded.error if loaded.problems else PlanError
    raise_together(error, loaded.subject, [*loaded.problems, *of_plan])
    assert loaded.cohort is not None  # noqa: S101 - there is one when there is no problem
    return loaded.cohort


def _plan_problems(manifest: AnyPath, loaded: ManifestCheck) -> list[str]:
    """What is wrong with the plan: with its data, or as far as can be said without them."""
    try:
        if loaded.cohort is not None:
            plan_for(loaded.cohort)
            return []
        declared = read_manifest(manifest).plan
        return Plan.from_mapping(declared).problems() if declared else []
    except ManifestError:
        return []  # the manifest itself cannot be read: said already
    except ImmunosarcError as failure:
        return [str(failure)]
