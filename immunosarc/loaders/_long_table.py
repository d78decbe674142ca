"""One long table: by the format that its block names, of patients or of samples."""

from __future__ import annotations

from collections.abc import Mapping

from immunosarc import schema
from immunosarc.loaders._block import read_block
from immunosarc.loaders._blocks import TimeUnit
from immunosarc.loaders._clinical import Part, long_part
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._long_block import REPERTOIRE_FORMATS, LongTableBlock, fitting
from immunosarc.loaders._maf import completed_maf
from immunosarc.loaders._repertoire import read_repertoires
from immunosarc.loaders._source import Source
from immunosarc.loaders._variants import at_timepoint, of_samples, without_patient, without_sample

__all__ = ["read_long_table"]


def read_long_table(
    name: str,
    block: LongTableBlock,
    source: Source,
    faults: list[Fault],
    *,
    patients: Part | None,
    samples: Part | None,
    time_unit: TimeUnit | None,
    first_doses: Mapping[str, str],
) -> dict[str, Part]:
    """Return a table by its name; nothing when it cannot be read, and why is added.

    Parameters
    ----------
    name : str
        Of ``schema.LONG_TABLES``.
    block : LongTableBlock
    source : Source
    faults : list of Fault
    patients, samples : Part or None
        None when they could not be read; nothing is said of links then.
    time_unit : str or None
        Of durations.
    first_doses : mapping of str to str
        Patient -> date of the first dose.
    """
    table, where = schema.LONG_TABLES[name], f"[tables.{name}]"
    if not fitting(name, block, faults, where=where):
        return {}
    if block.format in REPERTOIRE_FORMATS:
        receptors = read_repertoires(block, samples, source, faults, where=where)
        return {} if receptors is None else {name: receptors}
    completed = completed_maf(block, source, faults, where=where) if block.format == "maf" else block
    if completed is None:
        return {}
    of_sample = "sample_id" in table.columns
    if of_sample:
        table = without_patient(table) if block.sample_at is None else without_sample(table)
    read = read_block(completed, table, source, faults, where=where, time_unit=time_unit, first_doses=first_doses)
    if read is None:
        return {}
    if block.sample_at is not None:
        return {name: at_timepoint(name, read, samples, faults, timepoint=block.sample_at)}
    return {
        name: of_samples(name, read, samples, faults) if of_sample else long_part(name, read, patients, faults)
    }
