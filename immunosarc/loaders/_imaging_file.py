"""One file of cells on the common frame: sample, image, place in micrometers, region, phenotype, markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from immunosarc.errors import DataFileError, ManifestError
from immunosarc.loaders._cell_columns import CellRows, open_cells
from immunosarc.loaders._fault import Fault, in_lines, listed, nearest
from immunosarc.loaders._imaging_block import ImageFile, ImagingBlock
from immunosarc.loaders._imaging_halo import HALO
from immunosarc.loaders._imaging_inform import INFORM
from immunosarc.loaders._imaging_layout import Layout, Places, placed
from immunosarc.loaders._imaging_markers import Markers, called, read_markers, region_codes
from immunosarc.loaders._imaging_mcmicro import MCMICRO
from immunosarc.loaders._imaging_qupath import QUPATH
from immunosarc.loaders._rules import image_name
from immunosarc.loaders._source import Source

__all__ = ["LAYOUTS", "FileCells", "read_cell_file"]

LAYOUTS: Mapping[str, Layout] = {
    "qupath": QUPATH,
    "inform": INFORM,
    "halo": HALO,
    "mcmicro": MCMICRO,
    "cells_csv": Layout(),
}


@dataclass(frozen=True)
class FileCells:
    """The cells of one file, on the common frame."""

    frame: pd.DataFrame
    markers: Markers


def read_cell_file(
    one: ImageFile,
    block: ImagingBlock,
    source: Source,
    faults: list[Fault],
    *,
    where: str,
    owner: Mapping[str, str | None],
) -> FileCells | None:
    layout, before = LAYOUTS[block.format], len(faults)
    opened = open_cells(one, source, faults, where=where, own=layout.own)
    if opened is None:
        return None
    places, problems = placed(layout, block.columns, opened.header, optional=_optional(one, block, layout))
    problems += _absent_markers(block, opened.header)
    if places is not None and not places.in_microns and block.microns_per_pixel is None:
        problems.append(
            "microns_per_pixel is needed: how long a pixel is (1 where positions are micrometers already)"
        )
    if problems or places is None:
        faults += [Fault(ManifestError, f"{one.file} line 1 ({where}): {problem}") for problem in problems]
        return None
    flags = [marker.flag for marker in block.markers.values() if marker.flag is not None]
    lights = [marker.intensity for marker in block.markers.values() if marker.intensity is not None]
    words = [column for role, column in places.words.items() if role != "phenotype" or not block.phenotypes]
    rows = opened.read(
        [*words, *flags],
        [*places.x, *places.y, *lights],
        ids=[places.words[role] for role in ("sample_id", "field_id") if role in places.words],
        missing=[*layout.missing, *block.missing],
        faults=faults,
    )
    if rows is None:
        return None
    n_cells = len(rows.numbers[places.x[0]])
    markers = read_markers(rows, block, n_cells, where=where, faults=faults)
    frame = _frame(one, rows, places, block, where=where, faults=faults)
    frame = _with_owner(frame, one, places, owner, faults)
    if block.phenotypes:
        known = {name: markers.positive[:, place] for place, name in enumerate(block.markers)}
        frame["phenotype"] = called(known, block.rules, n_cells)
    return FileCells(frame, markers) if len(faults) == before else None


def _optional(one: ImageFile, block: ImagingBlock, layout: Layout) -> list[str]:
    """Return the columns that a file may lack: those said elsewhere, and those nothing hangs on."""
    named = one.field_id is not None or layout.image_of is not None
    region = [] if block.regions else ["region"]
    return ["sample_id", "cell_id", "phenotype", *region, *(["field_id"] if named else [])]


def _absent_markers(block: ImagingBlock, header: Sequence[str]) -> list[str]:
    return [
        f"there is no column {column!r} (markers.{name}).{nearest(column, header)}"
        for name, marker in block.markers.items()
        for column in (marker.intensity, marker.flag)
        if column is not None and column not in header
    ]


def _frame(
    one: ImageFile, rows: CellRows, places: Places, block: ImagingBlock, *, where: str, faults: list[Fault]
) -> pd.DataFrame:
    """Return the common columns of a file's cells, its positions in micrometers."""
    scale = 1.0 if places.in_microns else float(block.microns_per_pixel or 1.0)
    frame = pd.DataFrame(
        {
            f"{axis}_um": scale * np.mean([rows.numbers[column] for column in columns], axis=0)
            for axis, columns in (("x", places.x), ("y", places.y))
        }
    )
    lost = frame[["x_um", "y_um"]].isna().any(axis=1).to_numpy()
    if lost.any():
        what = "the cell has no position; remove the row, or export its position"
        faults.append(Fault(DataFileError, f"{one.file} {in_lines(rows.lines(lost))}: {what}"))
    frame["line"] = np.arange(len(frame)) + rows.head + 1
    frame["field_id"] = _fields(one, rows, places, block, faults)
    if one.sample_id is None and "sample_id" in places.words:
        frame["sample_id"] = rows.words[places.words["sample_id"]]
        _refuse_blank(rows, places.words["sample_id"], "sample", faults)
    if "cell_id" in places.words:
        frame["cell_id"] = np.asarray(rows.words[places.words["cell_id"]].astype(object))
        _refuse_blank(rows, places.words["cell_id"], "cell id", faults)
    if "region" in places.words and ("region" in block.columns or block.regions):
        frame["region"] = region_codes(rows, places.words["region"], block, where=where, faults=faults)
    if "phenotype" in places.words and not block.phenotypes:
        frame["phenotype"] = rows.words[places.words["phenotype"]]
    return frame


def _fields(
    one: ImageFile, rows: CellRows, places: Places, block: ImagingBlock, faults: list[Fault]
) -> pd.Categorical:
    """Return the image of each cell: as the manifest says, as its column says, or as the file is called."""
    image_of = LAYOUTS[block.format].image_of
    n_cells = len(rows.numbers[places.x[0]])
    if one.field_id is not None or "field_id" not in places.words:
        name = one.field_id or (image_of(PurePosixPath(one.file).name) if image_of else "")
        return pd.Categorical.from_codes(np.zeros(n_cells, dtype=int), [name])
    column = places.words["field_id"]
    _refuse_blank(rows, column, "image", faults)
    images = rows.words[column]
    short = [image_name(str(image)) for image in images.categories]
    if len(set(short)) < len(short):
        twice = pd.Series(short)[pd.Series(short).duplicated()].unique()
        what = f"images differ in folder or ending alone: {listed(twice)}; give each a name of its own"
        faults.append(Fault(DataFileError, f"{one.file}, column {column!r}: {what}"))
        return images
    return images.rename_categories(short)


def _refuse_blank(rows: CellRows, column: str, what: str, faults: list[Fault]) -> None:
    blank = rows.words[column].codes < 0
    if blank.any():
        at = f"{rows.file} {in_lines(rows.lines(blank))}, column {column!r}"
        faults.append(Fault(DataFileError, f"{at}: no {what}; fill it in"))


def _with_owner(
    frame: pd.DataFrame, one: ImageFile, places: Places, owner: Mapping[str, str | None], faults: list[Fault]
) -> pd.DataFrame:
    """Return the cells with their sample: as the manifest says of the file, by a column, or by the table."""
    if one.sample_id is not None:
        return frame.assign(sample_id=pd.Categorical.from_codes(np.zeros(len(frame), dtype=int), [one.sample_id]))
    if "sample_id" in frame:
        return frame
    images = frame["field_id"].array
    unknown = [str(image) for image in images.categories if owner.get(str(image)) is None]
    if unknown:
        what = (
            f'whose are the images {listed(unknown)}? Name a column with columns = {{ sample_id = "..." }}, say '
            "sample_id with the file under files, or list them in [tables.fields], each once"
        )
        faults.append(Fault(ManifestError, f"{one.file}: {what}"))
        return frame.assign(sample_id=pd.Categorical([None] * len(frame)))
    whose = pd.Series(images).map({str(i): owner[str(i)] for i in images.categories}).astype("category")
    return frame.assign(sample_id=whose.to_numpy(dtype=object)).astype({"sample_id": "category"})
