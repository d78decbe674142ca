"""A stratum rule as a record and as a file: all that decides whom it selects, under one hash."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from immunosarc import features, whole
from immunosarc.cohort import Cohort
from immunosarc.design._apply_rule import assigned
from immunosarc.errors import DataFileError, raise_together

__all__ = ["StratumRule", "read_rule", "write_rule"]

_FORMAT = "immunosarc stratum rule"
_VERSION = 1
_SHIPPED = "shipped"
_TEXTS = ("name", "method", "measure", "unit", "platform", "timepoint", "guard", "immunosarc_version")
_LISTS = ("thresholds", "strata", "valid_range")


@dataclass(frozen=True, eq=False, repr=False)
class StratumRule:
    """A frozen rule of selection: the same patient is in the same stratum whoever else is looked at.

    Attributes
    ----------
    name : str
        How tables call it.
    method, measure : str
        ``"placement"`` on a reference, read as ``"percentile"`` or ``"z"``; or a scoring method and ``"score"``.
    genes, genes_down : mapping of str to tuple of str
        The genes of each feature; what the thresholds are compared with is the mean over the features.
    thresholds, strata : tuple
        Between ``strata[i]`` and ``strata[i + 1]`` lies ``thresholds[i]``; a value equal to it is below.
    valid_range : (float, float)
        Of the score, for a placement of the mean z: outside it nobody is assigned.
    unit, platform, timepoint : str
        What a sample must be: the unit that is scored, and what it was measured on and when; ``""`` is any.
    min_coverage : float
        Share of each feature's genes that a sample needs.
    guard : str
        As for :func:`immunosarc.features.place`.
    reference : Reference or None
        What the sample is placed on, or whose genes are ranked.
    immunosarc_version : str
        Which version wrote it.
    evidence : mapping
        Where the thresholds come from; never read when patients are assigned.
    """

    name: str
    method: str
    measure: str
    genes: Mapping[str, tuple[str, ...]]
    thresholds: tuple[float, ...]
    strata: tuple[str, ...]
    valid_range: tuple[float, float]
    unit: str
    platform: str
    timepoint: str
    min_coverage: float
    guard: str
    reference: features.Reference | None
    immunosarc_version: str
    genes_down: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Hash of everything in the rule, its reference included."""
        return _hash(content_of(self))

    def apply(self, cohort: Cohort, *, assay: str = "rna") -> pd.DataFrame:
        """Return the stratum of each sample; one patient alone has the same as among others.

        Parameters
        ----------
        cohort : Cohort
            New patients, one or many.
        assay : str
            The assay that is read.

        Returns
        -------
        DataFrame
            ``schema.STRATA``, one row per sample and one for each patient without any. Who cannot be assigned
            has no stratum, and the reason in ``status``.

        Raises
        ------
        UnitError
            When the assay is of another platform or does not say which, or its numbers contradict its unit.
        CohortError
            When the cohort has no such assay.
        """
        return assigned(self, cohort, assay)

    def __repr__(self) -> str:
        return f"<StratumRule {self.name!r}: {', '.join(self.genes)} by {self.method}, {' | '.join(self.strata)}>"


def content_of(rule: StratumRule) -> dict[str, Any]:
    """Return what the file holds, without its hash."""
    reference = rule.reference
    content: dict[str, Any] = {"format": f"{_FORMAT} {_VERSION}"}
    content |= {name: getattr(rule, name) for name in _TEXTS}
    content |= {name: list(getattr(rule, name)) for name in _LISTS}
    content["min_coverage"] = rule.min_coverage
    content["features"] = {
        name: {"genes": list(genes), "genes_down": list(rule.genes_down.get(name, ()))}
        for name, genes in rule.genes.items()
    }
    if reference is not None:
        content["reference"] = {"name": reference.name, "sha256": reference.hash, "file": _file_of(rule)}
    content["evidence"] = dict(rule.evidence)
    return content


def write_rule(rule: StratumRule, path: Path) -> Path:
    """Write a rule, and beside it the reference unless that is shipped; nothing is ever overwritten."""
    if path.exists():
        raise DataFileError(f"{path.name} exists: a rule is frozen once; choose another name")
    content = content_of(rule)
    if rule.reference is not None and (file := content["reference"]["file"]) != _SHIPPED:
        features.write_reference(rule.reference, path.with_name(file))
    top = {key: value for key, value in content.items() if not isinstance(value, dict)}
    lines = ["# Frozen by immunosarc.design.stratify. Do not edit: the hash would no longer fit.", *_lines(top)]
    lines.append(f"sha256 = {json.dumps(_hash(content))}")
    tables = {"reference": content.get("reference", {}), "evidence": content["evidence"]}
    tables |= {f"features.{json.dumps(name)}": one for name, one in content["features"].items()}
    for name, one in tables.items():
        lines += ["", f"[{name}]", *_lines(one)] if one else []
    return whole.write_file(path, "\n".join(lines) + "\n")


def read_rule(path: str | os.PathLike[str]) -> StratumRule:
    """Read a frozen rule, and refuse one that is not what was frozen.

    Parameters
    ----------
    path : path
        A file of :func:`stratify`; a reference of one's own lies beside it.

    Returns
    -------
    StratumRule

    Raises
    ------
    DataFileError
        When the file is missing, is no rule or one of another format version, was altered, or its reference is
        missing or not the one that was frozen.

    Examples
    --------
    >>> read_rule("none.toml")
    Traceback (most recent call last):
    ...
    immunosarc.errors.DataFileError: rule file 'none.toml' does not exist; check the path
    """
    place = Path(path)
    content = _content(place)
    stated = content.pop("sha256")
    if _hash(content) != stated:
        raise DataFileError(
            f"{place.name} was altered since it was frozen (hash {_hash(content)[:8]}, stated {str(stated)[:8]}). "
            "Take the file as it was written, or freeze another rule with design.stratify."
        )
    try:
        return StratumRule(
            **{name: str(content[name]) for name in _TEXTS},
            thresholds=tuple(float(one) for one in content["thresholds"]),
            strata=tuple(content["strata"]),
            valid_range=(float(content["valid_range"][0]), float(content["valid_range"][1])),
            min_coverage=float(content["min_coverage"]),
            genes={name: tuple(one["genes"]) for name, one in content["features"].items()},
            genes_down={
                n: tuple(one["genes_down"]) for n, one in content["features"].items() if one["genes_down"]
            },
            reference=_reference(content.get("reference"), place),
            evidence=content["evidence"],
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataFileError(f"{place.name} is no whole rule: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataFileError(f"rule file {str(path)!r} does not exist; check the path") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataFileError(f"{path.name} cannot be read as TOML: {error}") from None
    found = str(content.get("format", ""))
    if not found.startswith(_FORMAT):
        raise DataFileError(f"{path.name} is no rule of this package: its format must be '{_FORMAT} {_VERSION}'")
    if found != f"{_FORMAT} {_VERSION}":
        raise DataFileError(
            f"{path.name} has format {found!r}, this version reads '{_FORMAT} {_VERSION}'. Apply it with "
            f"immunosarc {content.get('immunosarc_version', 'of the version that wrote it')}, or freeze the rule "
            "anew with design.stratify."
        )
    needed = {*_TEXTS, *_LISTS, "min_coverage", "features", "sha256"}
    raise_together(DataFileError, path.name, [f"{name} is missing" for name in sorted(needed - content.keys())])
    content.setdefault("evidence", {})
    return content


def _reference(stated: Mapping[str, Any] | None, rule: Path) -> features.Reference | None:
    if stated is None:
        return None
    shipped = stated["file"] == _SHIPPED
    if not shipped and Path(stated["file"]).name != stated["file"]:
        raise DataFileError(f"{rule.name}: the reference {stated['file']!r} must lie beside the rule")
    if shipped:
        found = features.sarcoma_reference()
        cure = "Apply it with the version that wrote it, or freeze the rule anew with design.stratify."
    else:
        found = features.read_reference(rule.with_name(stated["file"]))
        cure = f"Put back the {stated['file']} that was written with the rule, its rules section unedited too."
    if found.hash != stated["sha256"]:
        raise DataFileError(
            f"{rule.name}: its reference '{found.name}' is not the one that was frozen (hash {found.hash[:8]}, "
            f"the rule states {str(stated['sha256'])[:8]}). {cure}"
        )
    return found


def _file_of(rule: StratumRule) -> str:
    if rule.reference is None or rule.reference.hash == features.sarcoma_reference().hash:
        return _SHIPPED
    return f"{rule.name}.reference.json"


def _lines(content: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in content.items()]


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()
