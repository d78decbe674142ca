"""Variants as a MAF of MC3, cBioPortal or Funcotator holds them, and the megabases that were looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from immunosarc import schema
from immunosarc.errors import DataFileError, ManifestError
from immunosarc.loaders._clinical import Part
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._long_block import LongTableBlock
from immunosarc.loaders._source import Source
from immunosarc.loaders._table import read_header

__all__ = ["MAF_COLUMNS", "completed_maf", "with_callable_size"]

_ALSO = {"protein_change": ("Protein_Change",), "position": ("Start_position",)}
MAF_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {ours: (name, *_ALSO.get(ours, ())) for ours, name in schema.CBIOPORTAL_COLUMNS["variants"].items()}
)
"""Our name -> names in a MAF; the first that the file has is read."""

_MISSING = ("NA", "__UNKNOWN__", ".")


def completed_maf(
    block: LongTableBlock, source: Source, faults: list[Fault], *, where: str
) -> LongTableBlock | None:
    """Return the block of a MAF with the columns that the file has; what the block says goes first.

    Parameters
    ----------
    block : LongTableBlock
        With ``format = "maf"``.
    source : Source
    faults : list of Fault
    where : str
        The block, for messages.
    """
    commented = block.model_copy(update={"comment": block.comment or "#"})
    text = source.open(commented, where, faults)
    if text is None:
        return None
    header = read_header(text)
    found = {
        ours: name
        for ours, names in MAF_COLUMNS.items()
        if (name := next((one for one in names if one in header), None)) is not None
    }
    if block.sample_at is not None:
        found.pop("sample_id", None)
    columns = {**found, **block.columns}
    if "gene" not in columns:
        what = "no column Hugo_Symbol, so this is no MAF; correct format, or declare columns"
        faults.append(Fault(DataFileError, f"{block.file} line {text.head}: {what}"))
        return None
    return commented.model_copy(update={"columns": columns, "missing": [*block.missing, *_MISSING]})


def with_callable_size(samples: Part, variants: Part, megabases: float, faults: list[Fault]) -> Part:
    """Return the samples, those that have a variant with the megabases that were looked at.

    A sample without any row may not have been sequenced: its size stays unknown.

    Parameters
    ----------
    samples, variants : Part
    megabases : float
        What [tables.variants] declares.
    faults : list of Fault
    """
    if "callable_mb" in samples.frame:
        what = "[tables.variants] callable_mb: the samples have this column already; keep one of the two"
        faults.append(Fault(ManifestError, what))
        return samples
    sequenced = samples.frame["sample_id"].isin(variants.frame["sample_id"].unique())
    size = pd.Series(megabases, index=samples.frame.index, dtype=float).where(sequenced)
    return dataclasses.replace(samples, frame=samples.frame.assign(callable_mb=size))
