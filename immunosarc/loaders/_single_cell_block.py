"""The block of a manifest that names single cells: an h5ad file, or what Cell Ranger writes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from immunosarc.loaders._blocks import Block, ManifestPart
from immunosarc.loaders._declared import known_platform, sha256_of_file

__all__ = ["SINGLE_CELL_FORMATS", "CellFile", "SingleCellBlock", "is_single_cell"]

SINGLE_CELL_FORMATS = ("cells_h5ad", "10x_h5", "10x_mtx")
"""What holds single cells, by the word for ``format``."""


class CellFile(Block):
    """One file of several, with the cells of one sample.

    Attributes
    ----------
    sample_id : str, optional
        The sample whose cells the file holds; needed where no ``sample_column`` says it.
    """

    sample_id: str | None = None


class SingleCellBlock(ManifestPart):
    """Single cells by genes; they stay sparse.

    Attributes
    ----------
    format : {"cells_h5ad", "10x_h5", "10x_mtx"}
        ``10x_mtx`` is a folder with ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` (or ``genes.tsv``), each
        also with ``.gz``. Of the 10x formats only features of gene expression are read.
    file, sha256, url
        Of the one file or folder; see :class:`Block`.
    sample_id : str, optional
        The sample whose cells the one file holds.
    files : list of CellFile
        Several files instead, each with its hash and its sample.
    sample_column : str, optional
        Column of ``obs`` that names the sample of each cell; for ``cells_h5ad``, instead of ``sample_id``.
    unit : {"counts", "log1p_cp10k"}
        What the numbers are; the 10x formats hold counts. Scaled values are refused.
    layer : str, optional
        Of an h5ad file, instead of ``X``: a name under ``layers``, or ``raw``.
    symbol_column : str, optional
        Column of ``var`` of an h5ad file that holds the symbols.
    duplicates : {"sum"}, optional
        How counts of genes with one symbol are brought together; without it they are refused.
    platform : str, optional
        One of ``schema.PLATFORMS``.
    """

    format: Literal["cells_h5ad", "10x_h5", "10x_mtx"]
    file: str | None = None
    sha256: Annotated[str, AfterValidator(sha256_of_file)] | None = None
    url: str | None = None
    sample_id: str | None = None
    files: list[CellFile] = Field(default_factory=list)
    sample_column: str | None = None
    unit: Literal["counts", "log1p_cp10k"] = Field(description="'counts' or 'log1p_cp10k'")
    layer: str | None = None
    symbol_column: str | None = None
    duplicates: Literal["sum"] | None = None
    platform: Annotated[str, AfterValidator(known_platform)] | None = None

    @property
    def listed(self) -> tuple[CellFile, ...]:
        """The files, also where there is only one."""
        if self.file is None:
            return tuple(self.files)
        return (CellFile(file=self.file, sha256=self.sha256, url=self.url, sample_id=self.sample_id),)

    @model_validator(mode="after")
    def _files_and_their_samples(self) -> SingleCellBlock:
        if (self.file is None) == (not self.files):
            raise ValueError("one of file and files is needed")
        if self.files and (self.sha256 or self.url or self.sample_id):
            raise ValueError("sha256, url and sample_id stand with each of the files")
        named = [one.sample_id is not None for one in self.listed]
        if self.sample_column is not None and (any(named) or self.format != "cells_h5ad"):
            raise ValueError("sample_column is for cells_h5ad, and not beside sample_id; keep one of the two")
        if self.sample_column is None and not all(named):
            cure = " or sample_column (a column of obs)" if self.format == "cells_h5ad" else ""
            raise ValueError(f"sample_id of each file{cure} is needed: whose the cells are")
        return self

    @model_validator(mode="after")
    def _what_the_format_has(self) -> SingleCellBlock:
        if self.format != "cells_h5ad" and (self.layer or self.symbol_column or self.unit != "counts"):
            raise ValueError("the 10x formats hold counts and symbols; layer, symbol_column and log1p are of h5ad")
        if self.duplicates is not None and self.unit != "counts":
            raise ValueError("only counts can be summed over genes of one symbol; make the symbols unique")
        if self.format == "10x_mtx" and any(one.url for one in self.listed):
            raise ValueError("a folder has no address; fetch its three files by hand")
        return self


def is_single_cell(value: Any) -> bool:
    """Return whether a block of [assays] declares single cells."""
    declared = isinstance(value, dict) and value.get("format") in SINGLE_CELL_FORMATS
    return declared or isinstance(value, SingleCellBlock)
