"""The block of a manifest that names the cells of images: files, columns, markers, phenotypes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from immunosarc import schema
from immunosarc.errors import did_you_mean
from immunosarc.loaders._blocks import Block, ManifestPart
from immunosarc.loaders._declared import known_delimiter, sha256_of_file

__all__ = ["IMAGING_FORMATS", "CellMarker", "ImageFile", "ImagingBlock", "is_imaging"]

IMAGING_FORMATS = ("qupath", "inform", "halo", "mcmicro", "cells_csv")
"""What writes tables of cells, by the word for ``format``."""

_COLUMNS = ("sample_id", "field_id", "cell_id", "x", "y", "region", "phenotype")


def _column_names(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if name not in _COLUMNS:
            raise ValueError(f"{name!r} is not a column of cells.{did_you_mean(name, _COLUMNS)}")
    return value


def _rules(value: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
    for name, rule in value.items():
        if not rule or not rule.keys() <= {"all", "any", "none"} or not any(rule.values()):
            raise ValueError(
                f"{name!r}: lists of terms under all, any and none are needed, as "
                '{ all = ["CD3+", "CD8+"], none = ["CK+"] }'
            )
        if name.strip() != name or not name or name == "other" or re.search(r"[+-]$", name):
            raise ValueError(f"{name!r} cannot name a phenotype: not 'other', and no '+' or '-' at its end")
    return value


def _regions(value: dict[str, str]) -> dict[str, str]:
    for code, region in value.items():
        if region not in schema.REGIONS:
            raise ValueError(f"{code!r}: {region!r} is not one of {', '.join(schema.REGIONS)}")
    return value


class CellMarker(ManifestPart):
    """Where the files say of a marker how bright a cell is, and whether it is positive.

    Attributes
    ----------
    intensity : str, optional
        Column of numbers.
    at_least : float, optional
        The intensity from which on a cell is positive.
    flag : str, optional
        Column that says whether the cell is positive; instead of ``at_least``.
    positive, negative : list of str
        The codes of that column; every code must be listed.
    part : str, optional
        A word of a name that ``": "`` joins, as QuPath writes classes (``"CD3: CD8"``): the cell is
        positive where it is one of the words. Instead of ``positive`` and ``negative``.
    """

    intensity: str | None = None
    at_least: float | None = None
    flag: str | None = None
    positive: list[str] = Field(default_factory=lambda: ["1"])
    negative: list[str] = Field(default_factory=lambda: ["0"])
    part: str | None = None

    @model_validator(mode="after")
    def _one_way_to_be_positive(self) -> CellMarker:
        if self.intensity is None and self.flag is None:
            raise ValueError("intensity or flag is needed: the column that the marker is read from")
        if self.at_least is not None and (self.flag is not None or self.intensity is None):
            raise ValueError("at_least is for intensity, and not beside flag; keep one of the two")
        if self.part is not None and self.flag is None:
            raise ValueError("part needs flag: the column that holds the words")
        if shared := set(self.positive) & set(self.negative):
            raise ValueError(f"codes are both positive and negative: {', '.join(sorted(shared))}")
        return self


class ImageFile(Block):
    """One file of several: an image each, or a slide each.

    Attributes
    ----------
    sample_id : str, optional
        The sample that the file shows, where no column says it.
    field_id : str, optional
        The image, where no column says it and the file's name does not.
    """

    sample_id: str | None = None
    field_id: str | None = None


class ImagingBlock(ManifestPart):
    """The cells of images: one row for each cell, as a vendor's program exports them.

    Attributes
    ----------
    format : {"qupath", "inform", "halo", "mcmicro", "cells_csv"}
        Which program wrote the files; ``cells_csv`` is any table, whose ``columns`` are all named.
    file : str, optional
        The one file; or ``files``, or ``folder``.
    sha256, url, delimiter
        Of the one file; see :class:`Block`. With ``folder``, ``sha256`` is that of its files together.
    files : list of ImageFile
        Several files, each with its hash and, where no column says them, its sample and its image.
    folder : str, optional
        A folder all of whose files that end in ``ending`` are read.
    ending : str, optional
        How the names of those files end (``"_cell_seg_data.txt"``).
    columns : dict of str to str
        ``sample_id``, ``field_id``, ``cell_id``, ``x``, ``y``, ``region`` and ``phenotype`` -> column of the
        files, where it is not the vendor's usual one. Without ``sample_id`` the table ``fields`` says whose an
        image is. HALO's box stands for ``x`` and ``y``.
    microns_per_pixel : float, optional
        Needed where positions are pixels; 1 says that they are micrometers.
    markers : dict of str to CellMarker
        Marker -> where it is read.
    phenotypes : dict of str to dict
        Phenotype -> ``{ all = [...], any = [...], none = [...] }`` of signed markers (``"CD8+"``). A cell is
        called by the first that fits, ``other`` where none does, and stays without a name where a marker that
        decides is missing. Instead of a column ``phenotype``.
    regions : dict of str to str
        Code of the column ``region`` -> ``tumor``, ``stroma`` or ``other``; every code must be listed.
    missing : list of str
        Codes that mean "missing", beside the empty cell and the vendor's own.
    negative_intensity : {"missing"}, optional
        Read intensities below zero, which subtracting a background leaves, as missing; else they are refused.
    """

    format: Literal["qupath", "inform", "halo", "mcmicro", "cells_csv"]
    file: str | None = None
    sha256: Annotated[str, AfterValidator(sha256_of_file)] | None = None
    url: str | None = None
    delimiter: Annotated[str, AfterValidator(known_delimiter)] | None = None
    files: list[ImageFile] = Field(default_factory=list)
    folder: str | None = None
    ending: str | None = None
    columns: Annotated[dict[str, str], AfterValidator(_column_names)] = Field(default_factory=dict)
    microns_per_pixel: Annotated[float, Field(gt=0)] | None = None
    markers: dict[str, CellMarker] = Field(default_factory=dict)
    phenotypes: Annotated[dict[str, dict[str, list[str]]], AfterValidator(_rules)] = Field(default_factory=dict)
    regions: Annotated[dict[str, str], AfterValidator(_regions)] = Field(default_factory=dict)
    missing: list[str] = Field(default_factory=list)
    negative_intensity: Literal["missing"] | None = None

    @property
    def rules(self) -> dict[str, schema.CellRule]:
        """The phenotypes, in their order."""
        return {
            name: schema.CellRule(**{part: tuple(terms) for part, terms in rule.items()})
            for name, rule in self.phenotypes.items()
        }

    @property
    def listed(self) -> tuple[ImageFile, ...]:
        """The files that the manifest names one by one."""
        if self.file is None:
            return tuple(one if one.delimiter else _with_delimiter(one, self.delimiter) for one in self.files)
        return (ImageFile(file=self.file, sha256=self.sha256, url=self.url, delimiter=self.delimiter),)

    @property
    def positioned(self) -> tuple[str, ...]:
        """The markers of which the files say whether a cell is positive."""
        return tuple(n for n, one in self.markers.items() if one.flag is not None or one.at_least is not None)

    @model_validator(mode="after")
    def _one_way_to_the_files(self) -> ImagingBlock:
        given = [name for name in ("file", "files", "folder") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"one of file, files and folder is needed, found {' and '.join(given) or 'none'}")
        if (self.folder is None) != (self.ending is None):
            raise ValueError("folder and ending go together: how the names of the files end")
        if self.files and (self.sha256 or self.url):
            raise ValueError("sha256 and url stand with each of the files")
        if self.folder is not None and self.url:
            raise ValueError("a folder has no address; name its files under files")
        return self

    @model_validator(mode="after")
    def _phenotypes_name_markers(self) -> ImagingBlock:
        if self.phenotypes and "phenotype" in self.columns:
            raise ValueError("phenotypes and columns.phenotype both name the cells; keep one of the two")
        wrong = [
            f"phenotype {name!r}: {term!r} is not a marker with its sign; markers that can be positive are "
            f"{', '.join(self.positioned) or 'none'}"
            for name, rule in self.rules.items()
            for term in rule.unknown_terms(self.positioned, ())
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def _with_delimiter(one: ImageFile, delimiter: str | None) -> ImageFile:
    return one.model_copy(update={"delimiter": delimiter})


def is_imaging(value: Any) -> bool:
    """Return whether a block of [assays] declares cells of images."""
    return (isinstance(value, dict) and value.get("format") in IMAGING_FORMATS) or isinstance(value, ImagingBlock)
