"""A frozen reference as a file that people can read, and whose limits they can set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import whole
from immunosarc.errors import DataFileError, did_you_mean, raise_together
from immunosarc.features._reference import Population, Reference, Rules

__all__ = ["read_reference", "write_reference"]

_FORMAT = "immunosarc reference 1"
_FACTS = ("name", "unit", "platform", "n", "absolute", "source", "license")


def write_reference(reference: Reference, path: str | PathLike[str]) -> Path:
    """Write a frozen reference into one JSON file: the same file places patients alike next year.

    Parameters
    ----------
    reference : Reference
        From :func:`build_reference` or :func:`sarcoma_reference`.
    path : path
        A file that does not exist yet: a reference is never overwritten.

    Returns
    -------
    Path
        The file. Its ``rules`` may be edited; its numbers may not, they carry a hash.

    Raises
    ------
    DataFileError
        When the file exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from immunosarc.features import sarcoma_reference
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_reference(sarcoma_reference(), f"{folder}/sarcoma.json")
    ...     read_reference(path).hash == sarcoma_reference().hash
    True
    """
    target = Path(path)
    if target.exists():
        raise DataFileError(f"{target.name} exists: a reference is frozen once; choose another name")
    content = {
        "format": _FORMAT,
        **{name: getattr(reference, name) for name in _FACTS},
        "data_sha256": reference.data_hash,
        "rules": {key: _plain(value) for key, value in asdict(reference.rules).items()},
        "populations": {name: asdict(one) for name, one in reference.populations.items()},
        "genes": {
            "gene": [str(gene) for gene in reference.genes.index],
            **{column: _numbers(reference.genes[column]) for column in ("mean", "sd")},
        },
    }
    return whole.write_file(target, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_reference(path: str | PathLike[str]) -> Reference:
    """Read a frozen reference, and refuse one whose numbers were changed since it was frozen.

    Parameters
    ----------
    path : path
        A file of :func:`write_reference`. Limits under ``rules`` may have been edited, such as ``hot_from``.

    Returns
    -------
    Reference

    Raises
    ------
    DataFileError
        When the file is missing, is no reference, holds unknown or impossible rules, or its numbers do not have
        the hash that it states.

    Examples
    --------
    >>> read_reference("none.json")
    Traceback (most recent call last):
    ...
    immunosarc.errors.DataFileError: reference file 'none.json' does not exist; check the path
    """
    content = _content(Path(path))
    try:
        genes = content["genes"]
        reference = Reference(
            **{name: content[name] for name in _FACTS},
            populations={name: _population(one) for name, one in content["populations"].items()},
            genes=pd.DataFrame(
                {column: np.array(genes[column], dtype=np.float64) for column in ("mean", "sd")},
                index=pd.Index(genes["gene"], name="gene", dtype=object),
            ),
            rules=_rules(content["rules"], Path(path).name),
        )
        stated = content["data_sha256"]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DataFileError(f"{Path(path).name} is no whole reference: {error}") from None
    except DataFileError:
        raise
    except ValueError as error:
        raise DataFileError(f"{Path(path).name} is no whole reference: {error}") from None
    if reference.data_hash != stated:
        raise DataFileError(
            f"{Path(path).name}: its numbers are not those that were frozen (hash {reference.data_hash[:8]}, "
            f"stated {str(stated)[:8]}). Take the file as it was written; only its rules may be edited."
        )
    return reference


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataFileError(f"reference file {str(path)!r} does not exist; check the path") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataFileError(f"{path.name} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise DataFileError(f"{path.name} is no reference of this package: its format must be {_FORMAT!r}")
    return content


def _population(stored: Mapping[str, Any]) -> Population:
    lists = {key: tuple(stored[key]) for key in ("genes", "probabilities", "quantiles")}
    return Population(mean=float(stored["mean"]), sd=float(stored["sd"]), **lists)


def _rules(stored: Mapping[str, Any], name: str) -> Rules:
    known = [one.name for one in fields(Rules)]
    problems = [f"unknown rule {key!r}.{did_you_mean(key, known)}" for key in stored if key not in known]
    flat = [(key, value) for key, value in stored.items() if key in known and key != "offset_sd"]
    flat += [(f"offset_sd {axis}", value) for axis, value in dict(stored.get("offset_sd", {})).items()]
    wrong = [f"{key} must be a number not below 0, found {value!r}" for key, value in flat if not _usable(value)]
    raise_together(DataFileError, name, problems + wrong)
    rules = Rules(**stored)
    if not rules.cold_to < rules.hot_from <= 1:
        found = f"found {rules.cold_to!r} and {rules.hot_from!r}"
        raise DataFileError(f"{name}: cold_to must lie below hot_from, and that at most at 1; {found}")
    return rules


def _usable(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _numbers(column: pd.Series) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in column]
