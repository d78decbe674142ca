"""Profiles of pure cell types beside an assay: what fractions of cell types are found with."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from immunosarc.errors import DataFileError, ImmunosarcError
from immunosarc.features import CellProfiles, read_cell_profiles
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._source import Source

__all__ = ["profile_facts", "read_profiles"]


def read_profiles(block: AssayBlock, source: Source, faults: list[Fault], *, where: str) -> CellProfiles | None:
    """Return the profiles that ``cell_profiles`` names; None without any, or when they cannot be read.

    Their files are hashed like every other file of the manifest.
    """
    if block.cell_profiles is None:
        return None
    before = len(faults)
    found = {
        name: source.open(Block(file=name), where, faults)
        for name in (block.cell_profiles, block.mrna_scaling)
        if name is not None
    }
    if len(faults) > before:
        return None
    profiles, *content = (BytesIO(text.text) for text in found.values() if text is not None)
    try:
        read = read_cell_profiles(profiles, mrna_scaling=content[0] if content else None)
    except ImmunosarcError as failure:
        faults.append(Fault(DataFileError, f"{' with '.join(found)}: {failure}"))
        return None
    return CellProfiles(read.profiles, read.mrna_scaling, source=block.cell_profiles)


def profile_facts(block: AssayBlock, source: Source) -> dict[str, Any]:
    """Return the files behind the fractions of an assay, each with its hash."""
    facts: dict[str, Any] = {}
    for key, name in (("cell_profiles", block.cell_profiles), ("mrna_scaling", block.mrna_scaling)):
        if name is not None:
            facts |= {key: name, f"{key}_sha256": source.files[name]["sha256"]}
    return facts
