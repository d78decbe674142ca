"""Readings that say they lie below a limit (``<3.2``), taken apart: the limit, and that it is one."""

from __future__ import annotations

import dataclasses

from immunosarc import schema
from immunosarc.errors import ManifestError
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._long_block import LongTableBlock
from immunosarc.loaders._table import RawTable

__all__ = ["with_limits"]

_LIMIT, _BELOW = "limit in the reading", "below the limit in the reading"
_OURS = ("limit_of_detection", "below_limit")


def with_limits(
    block: LongTableBlock, raw: RawTable, faults: list[Fault], *, below: str, where: str
) -> tuple[LongTableBlock, RawTable] | None:
    """Return the block and the cells with readings below a limit taken apart; None when that is not possible.

    Parameters
    ----------
    block : LongTableBlock
        Of [tables.analytes].
    raw : RawTable
    faults : list of Fault
        Why not is added here.
    below : str
        What a reading below a limit begins with.
    where : str
        The block, for messages.
    """
    source = block.columns.get("value", "value")
    taken = [name for name in _OURS if name in block.columns]
    if taken:
        what = f"{where} limits takes {' and '.join(taken)} from the readings; remove columns.{taken[0]}"
        faults.append(Fault(ManifestError, what))
        return None
    if source not in raw.cells:
        return block, raw  # that there is no such column is told with the others
    cells = raw.cells[source].str.strip()
    low = cells.str.startswith(below).astype(bool)
    bare = raw.cells[source].where(~low, cells.str.slice(len(below)).str.strip())
    unknown = cells.isin(["", *block.missing])
    said = low.map({True: "true", False: "false"}).mask(unknown, "")
    cells_of = {source: bare, _LIMIT: bare.where(low, ""), _BELOW: said}
    own = {name: name for name in schema.ANALYTES.columns if name in raw.cells and name not in _OURS}
    columns = {**(block.columns or own), "limit_of_detection": _LIMIT, "below_limit": _BELOW}
    widened = dataclasses.replace(raw, cells=raw.cells.assign(**cells_of))
    return block.model_copy(update={"columns": columns}), widened
