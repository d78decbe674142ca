"""A block that names a CDISC domain, completed by what the standard says of that domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immunosarc.errors import ManifestError, did_you_mean
from immunosarc.loaders._blocks import Block, TableBlock
from immunosarc.loaders._cdisc import DOMAINS, standard_parts
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._source import Source
from immunosarc.loaders._table import RawTable, read_table

__all__ = ["completed_block"]


def completed_block(
    block: TableBlock,
    raw: RawTable,
    source: Source,
    faults: list[Fault],
    *,
    where: str,
    first_doses: Mapping[str, str],
) -> tuple[TableBlock, RawTable] | None:
    """Return the block with every key that its domain declares, and the cells prepared for it.

    What the block says itself goes before the standard, key by key. None when the file is not of
    that domain, and why is added.

    Parameters
    ----------
    block : TableBlock
        With ``cdisc``.
    raw : RawTable
        Its file.
    source : Source
        For the TU domain, if the block names it.
    faults : list of Fault
    where : str
        The block, for messages.
    first_doses : mapping of str to str
        Patient -> date of the first dose, from DM or ADSL.
    """
    name = str(block.cdisc)
    if (fault := _misplaced(name, block, where)) is not None:
        faults.append(Fault(ManifestError, fault))
        return None
    tumors = None
    if block.tumors is not None:
        text = source.open(Block(file=block.tumors), f"{where} tumors", faults)
        tumors = read_table(text, faults) if text else None
        if tumors is None:
            return None
    standard = standard_parts(
        name,
        raw,
        faults,
        where=where,
        given={**block.columns, **dict.fromkeys(block.constants, "")},
        day_one=block.day_one,
        origins=first_doses,
        tumors=tumors,
    )
    if standard is None:
        return None
    recode = {ours: {**codes, **block.recode.get(ours, {})} for ours, codes in standard.recode.items()}
    keep = {**standard.keep, **block.keep}
    completed = {
        "columns": {**_of_its_time(name, standard.columns, keep), **block.columns},
        "recode": {**block.recode, **recode},
        "keep": keep,
        "missing": [*block.missing, *standard.missing],
        "day_one": standard.day_one,
    }
    return block.model_copy(update=completed), standard.raw


def _of_its_time(name: str, columns: Mapping[str, str], keep: Mapping[str, Any]) -> dict[str, str]:
    """Overall survival goes into its own columns: PARAMCD says which time an ADTTE block reads."""
    overall = name == "ADTTE" and keep.get("PARAMCD") == "OS"
    swap = {"pfs_time": "os_time", "pfs_event": "os_event"} if overall else {}
    return {swap.get(ours, ours): variable for ours, variable in columns.items()}


def _misplaced(name: str, block: TableBlock, where: str) -> str | None:
    if name not in DOMAINS:
        return f"{where} cdisc = {name!r} is not a domain that is read.{did_you_mean(name, DOMAINS)}"
    table = DOMAINS[name].table
    asked = "patients" if "patients" in where else where.strip("[]").removeprefix("tables.")
    if table != asked:
        needed = "[patients] or [[patients.also]]" if table == "patients" else f"[tables.{table}]"
        return f"{where} cdisc = {name!r} belongs in {needed}"
    if block.tumors is not None and name != "TR":
        return f"{where} tumors goes with cdisc = 'TR'"
    return None
