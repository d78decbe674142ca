"""Signatures of one's own: from a dictionary of gene lists or a GMT file."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from immunosarc.catalog._signatures import Signature, Signatures
from immunosarc.errors import DataFileError, SchemaError, raise_together

__all__ = ["as_signatures"]

_UNSTATED = "the user who supplied the genes stated no direction"


def as_signatures(signatures: Signatures | Mapping[str, Any] | str | PathLike[str]) -> Signatures:
    """Return signatures from whatever holds them, so that one's own sets score like the catalog's.

    A set has no order and no multiplicity: a gene listed twice counts once.

    Parameters
    ----------
    signatures : Signatures, mapping or path
        The catalog or a subset of it; a mapping of name to gene symbols (or to
        :class:`Signature`); or the path of a GMT file, one set per line: name, description,
        genes, separated by tabs.

    Returns
    -------
    Signatures
        Own sets have ``kind="user"`` and ``direction="unstated"``.

    Raises
    ------
    SchemaError
        For an empty set, a bare string in place of a list, or a gene that is not text.
    DataFileError
        For a GMT file that is missing or unreadable, has lines without genes or repeats a name;
        all such lines are named at once.

    Examples
    --------
    >>> as_signatures({"killers": ["GZMA", "PRF1", "GZMB"]})["killers"].genes
    ('GZMA', 'PRF1', 'GZMB')
    """
    if isinstance(signatures, Signatures):
        return signatures
    if isinstance(signatures, Mapping):
        return _from_mapping(signatures)
    if isinstance(signatures, (str, PathLike)):
        return _from_gmt(Path(signatures))
    raise SchemaError(
        "signatures must be a Signatures object, a mapping of name to genes or the path of a GMT file; "
        f"found {type(signatures).__name__}"
    )


def _from_mapping(sets: Mapping[str, Any]) -> Signatures:
    problems = [problem for name, genes in sets.items() if (problem := _problem(name, genes))]
    problems += [] if sets else ["no set at all"]
    raise_together(SchemaError, "the signatures", problems, cure="Give {'name': ['GENE1', 'GENE2'], ...}.")
    return Signatures([_own(name, genes) for name, genes in sets.items()])


def _problem(name: object, genes: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        return f"{name!r}: a name must be a text"
    if isinstance(genes, Signature):
        return "" if genes.name == name else f"{name!r}: holds the signature named {genes.name!r}"
    if isinstance(genes, str) or not hasattr(genes, "__iter__"):
        return f"{name!r}: genes must be a list of symbols, found {genes!r}"
    odd = [gene for gene in genes if not isinstance(gene, str) or not gene.strip()]
    if odd:
        return f"{name!r}: not gene symbols: {odd[:5]!r}"
    return "" if len(list(genes)) else f"{name!r}: empty set"


def _own(name: str, genes: Any, *, label: str = "") -> Signature:
    if isinstance(genes, Signature):
        return genes
    unique = tuple(dict.fromkeys(gene.strip() for gene in genes))
    return Signature(name, unique, label=label or name, meaning=_UNSTATED)


def _from_gmt(path: Path) -> Signatures:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise DataFileError(f"GMT file {str(path)!r} does not exist; check the path") from None
    except OSError as error:
        raise DataFileError(f"GMT file {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataFileError(f"GMT file {str(path)!r} is not UTF-8 text; is it compressed?") from None
    rows = [(number, line.split("\t")) for number, line in enumerate(lines, start=1) if line.strip()]
    raise_together(
        DataFileError,
        f"GMT file {str(path)!r}",
        _gmt_problems(rows),
        cure="Each line is: name, description, then the genes, separated by tabs.",
    )
    return Signatures([_own(cells[0].strip(), _genes(cells), label=cells[1].strip()) for _, cells in rows])


def _gmt_problems(rows: list[tuple[int, list[str]]]) -> list[str]:
    problems = [] if rows else ["no set at all"]
    first: dict[str, int] = {}
    for number, cells in rows:
        name = cells[0].strip()
        if not name:
            problems.append(f"line {number}: no name")
        elif name in first:
            problems.append(f"line {number}: {name!r} is already on line {first[name]}")
        elif len(cells) < 3:
            problems.append(f"line {number}: {len(cells)} tab-separated field(s), needs at least 3")
        elif not _genes(cells):
            problems.append(f"line {number}: {name!r} is an empty set")
        first.setdefault(name, number)
    return problems


def _genes(cells: list[str]) -> list[str]:
    return [cell for cell in cells[2:] if cell.strip()]
