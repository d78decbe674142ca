"""Reading a manifest: every mistake in words, and the blocks that are right all the same."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from immunosarc import schema
from immunosarc.errors import ManifestError, did_you_mean, raise_together
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._blocks import PatientsBlock, Replicates, SamplesBlock, TableBlock
from immunosarc.loaders._cbioportal import NotRead, expanded
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._imaging_block import IMAGING_FORMATS, CellMarker, ImageFile, ImagingBlock
from immunosarc.loaders._long_block import LongTableBlock
from immunosarc.loaders._manifest import ASSAY_KINDS, Manifest, assay_kind
from immunosarc.loaders._places import key_lines, line_of
from immunosarc.loaders._single_cell_block import SINGLE_CELL_FORMATS, CellFile, SingleCellBlock
from immunosarc.loaders._source import Source

__all__ = ["Parsed", "parse_manifest", "read_manifest", "read_toml"]

UNKNOWN = "?"
AnyBlock = TableBlock | AssayBlock | ImagingBlock | SingleCellBlock
Where = tuple[str, ...]


@dataclass(frozen=True)
class Parsed:
    """A manifest as far as it can be read.

    ``manifest`` is None when anything in it is wrong; ``blocks`` still holds those parts
    that are right, so that their files are checked in the same go.
    """

    path: Path
    sha256: str
    manifest: Manifest | None
    blocks: Mapping[Where, AnyBlock]
    raw: Mapping[str, Any] = field(default_factory=dict)
    not_read: tuple[NotRead, ...] = ()


@dataclass
class _Lines:
    """On which lines the keys of a manifest stand; looked up when something is wrong."""

    data: bytes
    found: dict[Where, int] | None = None

    def of(self, where: Where) -> str:
        if self.found is None:
            self.found = key_lines(self.data.decode("utf-8-sig"))
        return line_of(where, self.found)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    r"""Return what a manifest declares, without looking at the files it names.

    Parameters
    ----------
    path : path
        A TOML file.

    Returns
    -------
    Manifest

    Raises
    ------
    ManifestError
        With every mistake: broken TOML, unknown keys, values still ``"?"``, missing keys.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> text = 'name = "toy"\n[patients]\nfile = "clinical.tsv"\n'
    >>> _ = (folder / "toy.toml").write_text(text)
    >>> read_manifest(folder / "toy.toml").name
    'toy'
    """
    faults: list[Fault] = []
    parsed = parse_manifest(path, faults)
    raise_together(ManifestError, f"manifest {Path(path).name}", [fault.text for fault in faults])
    assert parsed.manifest is not None  # noqa: S101 - no faults, so it was read
    return parsed.manifest


def parse_manifest(path: str | os.PathLike[str], faults: list[Fault], *, source: Source | None = None) -> Parsed:
    """Read a manifest; what is wrong is added to ``faults``. A study folder needs its files (``source``)."""
    place = Path(path)
    data, raw = read_toml(place, faults)
    digest = hashlib.sha256(data).hexdigest()
    if raw is None:
        return Parsed(place, digest, None, {})
    unknown = list(_unknown_values(raw))
    not_read: tuple[NotRead, ...] = ()
    if "cbioportal" in raw and source is None:
        what = "[cbioportal] is filled in from the files of the study; load_cohort and check_manifest read them"
        faults.append(Fault(ManifestError, f"{place.name}: {what}"))
        return Parsed(place, digest, None, {}, raw)
    lines = _Lines(data)
    if "cbioportal" in raw and source is not None:
        raw, not_read = expanded(raw, source, faults, at=lambda key: lines.of(("cbioportal", key)))
    try:
        manifest: Manifest | None = Manifest.model_validate(raw)
        wrong: list[Any] = []
    except ValidationError as failure:
        manifest, wrong = None, failure.errors()
    shown = [error for error in wrong if not _explained(_where(error), unknown)]
    if unknown or shown:
        said = [lines.of(where) + _fill_in(where, _declared_kind(raw, where)) for where in unknown]
        said += [lines.of(_where(error)) + _in_words(error) for error in shown]
        faults += [Fault(ManifestError, text) for text in dict.fromkeys(said)]
    tables = raw.get("tables")
    for name in tables if isinstance(tables, Mapping) else ():
        if name not in schema.LONG_TABLES:
            what = f"[tables.{name}]: unknown table.{did_you_mean(name, schema.LONG_TABLES)}"
            faults.append(Fault(ManifestError, lines.of(("tables", name)) + what))
    inner = [_where(error) for error in wrong if _where(error)[2:3] in _PARTS]
    bad = [_where(error) for error in wrong if error["type"] != "extra_forbidden"] + inner + unknown
    blocks = dict(_right_blocks(raw, bad))
    return Parsed(place, digest, None if unknown else manifest, blocks, raw, not_read)


def read_toml(path: Path, faults: list[Fault]) -> tuple[bytes, dict[str, Any] | None]:
    """Read a TOML file; None when it cannot be read, and why is added to ``faults``."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as failure:
        why = "does not exist" if isinstance(failure, FileNotFoundError) else f"cannot be read ({failure})"
        faults.append(Fault(ManifestError, f"{path} {why}; give the path of a TOML file"))
        return b"", None
    try:
        return data, tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as failure:
        line = data.count(b"\n", 0, failure.start) + 1
        what = f"line {line} holds byte 0x{data[failure.start]:02X}, which is not UTF-8; save the file as UTF-8"
    except ValueError as failure:  # broken TOML, or a whole number of thousands of digits
        what = f"this is not TOML: {failure}"
    except RecursionError:
        what = "this is not TOML that can be read: brackets are nested too deeply"
    faults.append(Fault(ManifestError, f"{path.name}: {what}"))
    return data, None


def _unknown_values(value: Any, where: Where = ()) -> Iterator[Where]:
    """Every key that still holds the question mark of a draft; the plan is not ours to read."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "missing" and (where or key != "plan"):
                yield from _unknown_values(inner, (*where, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _unknown_values(inner, where)
    elif value == UNKNOWN:
        yield where


def _declared_kind(raw: Mapping[str, Any], where: Where) -> type[BaseModel] | None:
    """Return the block of [assays] that some keys of a manifest stand in."""
    if len(where) < 2 or where[0] != "assays":
        return None
    return ASSAY_KINDS[assay_kind(raw["assays"][where[1]])]


def _fill_in(where: Where, kind: type[BaseModel] | None = None) -> str:
    block, model = _place(where[:-1], kind)
    if len(where) > len(block) + 2 and where[len(block)] == "recode":
        column, code = where[len(block) + 1 :][:2]
        return f"{_dotted(block)} recode.{column}: say what the code {code!r} means; it is still '{UNKNOWN}'"
    key = ".".join(where[len(block) :])
    known = model.model_fields.get(where[len(block)]) if len(where) > len(block) else None
    needed = f": {known.description} is needed" if known is not None and known.description else ""
    return f"{_dotted(block)} {key} is still '{UNKNOWN}'; fill it in{needed}".strip()


def _explained(where: Where, unknown: list[Where]) -> bool:
    return any(where[: len(one)] == one for one in unknown)


def _where(error: Mapping[str, Any]) -> Where:
    """Return the keys to a mistake, without the words by which kinds of assays are told apart."""
    where = tuple(str(part) for part in error["loc"])
    tagged = len(where) > 2 and where[0] == "assays" and where[2] in ASSAY_KINDS
    return (*where[:2], *where[3:]) if tagged else where


def _kind(error: Mapping[str, Any]) -> type[BaseModel] | None:
    """Return the block of [assays] that a mistake is in."""
    loc = error["loc"]
    return ASSAY_KINDS.get(str(loc[2])) if len(loc) > 2 and loc[0] == "assays" else None


def _place(inside: Where, kind: type[BaseModel] | None = None) -> tuple[Where, type[BaseModel]]:
    """Return the block that some keys stand in, and the model of that block; ``kind`` is that of an assay."""
    blocks: dict[str, tuple[int, type[BaseModel]]] = {
        "patients": (1, PatientsBlock),
        "samples": (1, SamplesBlock),
        "assays": (2, kind or AssayBlock),
        "tables": (2, LongTableBlock),
    }
    depth, model = blocks.get(inside[0], (0, Manifest)) if inside else (0, Manifest)
    if not depth or len(inside) < depth:
        return (), Manifest
    if len(inside) > depth and inside[depth] == "replicates":
        return inside[: depth + 1], Replicates
    parts: dict[str, type[BaseModel]] = {"markers": CellMarker, "files": ImageFile}
    parts |= {"files": CellFile} if model is SingleCellBlock else {}
    several = model in (ImagingBlock, SingleCellBlock)
    if several and len(inside) > depth + 1 and inside[depth] in parts:
        return inside[: depth + 2], parts[inside[depth]]
    return inside[:depth], model


def _dotted(block: Where) -> str:
    return f"[{'.'.join(block)}]" if block else ""


_PARTS = (("markers",), ("files",))


def _in_words(error: Mapping[str, Any]) -> str:
    where, kind = _where(error), error["type"]
    whole = kind == "value_error" and where[0] == "assays" and (len(where) == 2 or where[2:3] in _PARTS)
    block, model = _place(where if whole else where[:-1], _kind(error))
    at, key = _dotted(block), ".".join(where[len(block) :])
    subject = f"{at} {key}".strip()
    if kind == "extra_forbidden":
        hint = did_you_mean(key, model.model_fields)
        return f"unknown key '{key}' in {at or 'the manifest'}.{hint}"
    if kind == "missing":
        about = model.model_fields[where[-1]].description
        return f"{at or 'the manifest'} lacks '{key}'; {about} is needed"
    if kind == "literal_error":
        allowed = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        allowed += [*IMAGING_FORMATS, *SINGLE_CELL_FORMATS] if key == "format" and model is AssayBlock else []
        return f"{subject} = {error['input']!r} is not one of {', '.join(allowed)}."
    if kind == "value_error":
        return f"{subject}: {error['ctx']['error']}"
    wanted = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return f"{subject}: {wanted} is needed, found {error['input']!r}"


def _right_blocks(raw: Mapping[str, Any], bad: list[Where]) -> Iterator[tuple[Where, AnyBlock]]:
    """Yield the blocks that nothing is wrong with but, perhaps, an unknown key."""
    for where, model in _declared_blocks(raw):
        if any(one[: len(where)] == where or where[: len(one)] == one for one in bad):
            continue
        content: Any = raw
        for part in where:
            content = content[part]
        yield where, model.model_validate(_without_unknown_keys(content, model))


def _without_unknown_keys(content: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    known = {key: value for key, value in content.items() if key in model.model_fields}
    if isinstance(known.get("replicates"), Mapping):
        known["replicates"] = _without_unknown_keys(known["replicates"], Replicates)
    if isinstance(known.get("also"), list):
        known["also"] = [_without_unknown_keys(one, TableBlock) for one in known["also"]]
    return known


def _declared_blocks(raw: Mapping[str, Any]) -> Iterator[tuple[Where, type[AnyBlock]]]:
    if "patients" in raw:
        yield ("patients",), PatientsBlock
    if "samples" in raw:
        yield ("samples",), SamplesBlock
    for group in ("tables", "assays"):
        if isinstance(raw.get(group), Mapping):
            for name, content in raw[group].items():
                yield (group, name), LongTableBlock if group == "tables" else ASSAY_KINDS[assay_kind(content)]
