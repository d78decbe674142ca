"""The manifest: which files make up a cohort, and what their columns, codes and units mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._blocks import ManifestPart, PatientsBlock, SamplesBlock, TimeUnit
from immunosarc.loaders._imaging_block import ImagingBlock, is_imaging
from immunosarc.loaders._long_block import LongTableBlock
from immunosarc.loaders._single_cell_block import SingleCellBlock, is_single_cell

__all__ = ["ASSAY_KINDS", "AnyAssay", "Manifest", "assay_kind"]

ASSAY_KINDS: Mapping[str, type[AssayBlock] | type[ImagingBlock] | type[SingleCellBlock]] = {
    "measured": AssayBlock,
    "imaging": ImagingBlock,
    "single_cell": SingleCellBlock,
}
"""The blocks of [assays]: a table of measurements, the cells of images, or single cells by genes."""


def assay_kind(value: Any) -> str:
    """Return which block an entry of [assays] is, by its ``format``."""
    if is_single_cell(value):
        return "single_cell"
    return "imaging" if is_imaging(value) else "measured"


AnyAssay = Annotated[
    Annotated[AssayBlock, Tag("measured")]
    | Annotated[ImagingBlock, Tag("imaging")]
    | Annotated[SingleCellBlock, Tag("single_cell")],
    Discriminator(assay_kind),
]


def _assay_names(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(f"{name!r} cannot name an assay; use letters, digits, '_' and '-'")
    return value


class Manifest(ManifestPart):
    """What a cohort's files are and what they mean; nothing in them is guessed.

    Attributes
    ----------
    name : str
        Short name of the cohort.
    title, citation, license, source : str
        For the report and for those who use the data.
    time_unit : {"days", "weeks", "months", "years"}, optional
        Of ``pfs_time`` and ``os_time``; a week has 7 days, a month 30.4375, a year 365.25.
    simulated : bool
        Whether the numbers were made by a program; every table and figure then says so.
    caveats : list of str
        What a reader of the results has to know.
    patients : PatientsBlock
    samples : SamplesBlock, optional
        The clinical tables; ``samples`` is needed for assays.
    assays : dict of str to AssayBlock, ImagingBlock or SingleCellBlock
        Measurements, by the name they get in the cohort.
    tables : dict of str to LongTableBlock
        Long tables, by the names of ``schema.LONG_TABLES``.
    plan : dict
        The analysis plan, kept as it is.

    Examples
    --------
    >>> manifest = Manifest(name="toy", patients=PatientsBlock(file="clinical.tsv"))
    >>> manifest.patients.file
    'clinical.tsv'
    """

    name: str = Field(description="a short name of the cohort")
    title: str = ""
    citation: str = ""
    license: str = ""
    source: str = ""
    time_unit: TimeUnit | None = None
    simulated: bool = False
    caveats: list[str] = Field(default_factory=list)
    patients: PatientsBlock = Field(description="a table with file, columns, ...")
    samples: SamplesBlock | None = None
    assays: Annotated[dict[str, AnyAssay], AfterValidator(_assay_names)] = Field(default_factory=dict)
    tables: dict[str, LongTableBlock] = Field(default_factory=dict)
    plan: dict[str, Any] = Field(default_factory=dict)
