"""The block of a manifest that names a long table: clinical rows, receptors, variants."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from immunosarc import schema
from immunosarc.errors import ManifestError
from immunosarc.loaders._blocks import ManifestPart, TableBlock
from immunosarc.loaders._fault import Fault

__all__ = ["REPERTOIRE_FORMATS", "LongTableBlock", "fitting"]

Format = Literal["airr", "immunoseq", "mixcr", "trust4", "immunarch", "maf"]
REPERTOIRE_FORMATS = tuple(name for name in get_args(Format) if name != "maf")
"""Formats of receptors, for [tables.clonotypes]."""


class Limits(ManifestPart):
    """How a cell says that a reading lies below a limit.

    Attributes
    ----------
    below : str
        What the cell begins with; the limit follows.
    """

    below: Annotated[str, Field(min_length=1)] = Field(description="what such a cell begins with")


class LongTableBlock(TableBlock):
    """A long table.

    Attributes
    ----------
    format : {"airr", "immunoseq", "mixcr", "trust4", "immunarch", "maf"}, optional
        What wrote the file: its columns need not be declared, those that are go first. Of receptors
        ``file`` may be a folder with one file per sample, which is named as the sample is, before the
        first of ``.tsv``, ``.txt``, ``.csv`` (each also with ``.gz``) or ``.parquet``; ``recode.sample_id``
        brings other names.
    callable_mb : float, optional
        Of [tables.variants]: megabases of the exome or panel in which a variant could be called, for
        every sample that has a row. Samples without any, and panels of several sizes, have it in the
        column ``callable_mb`` of [samples].
    sample_at : {"pre", "on", "post"}, optional
        The file names patients and no samples: each row is of the patient's tumor sample of this
        timepoint.
    limits : Limits, optional
        Of [tables.analytes]: how a reading says that it lies below a limit, ``{ below = "<" }`` for ``<3.2``. The
        number behind is the limit of detection.
    """

    format: Format | None = None
    callable_mb: Annotated[float, Field(gt=0)] | None = None
    sample_at: Literal["pre", "on", "post"] | None = None
    limits: Limits | None = None


def fitting(name: str, block: LongTableBlock, faults: list[Fault], *, where: str) -> bool:
    """Return whether the keys of a block are meant for its table; what is not is added to the faults."""
    found = []
    if block.format is not None:
        table = "variants" if block.format == "maf" else "clonotypes"
        if name != table:
            found.append(f"{where} format = {block.format!r} belongs in [tables.{table}]")
    if block.callable_mb is not None and name != "variants":
        found.append(f"{where} callable_mb belongs in [tables.variants]")
    if block.limits is not None and name != "analytes":
        found.append(f"{where} limits belongs in [tables.analytes]")
    if block.sample_at is not None and "sample_id" not in schema.LONG_TABLES[name].columns:
        found.append(f"{where} sample_at: rows of this table are of patients, not of samples; remove it")
    if block.sample_at is None and {"patient_id", "sample_id"} <= set(block.columns):
        found.append(f"{where} columns: a row is of the patient whose sample it is; remove patient_id")
    if block.sample_at is not None and block.format in REPERTOIRE_FORMATS:
        found.append(f"{where} sample_at does not go with format = {block.format!r}; use recode.sample_id")
    faults += [Fault(ManifestError, text) for text in found]
    return not found
