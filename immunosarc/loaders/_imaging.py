"""From files of cells to an assay with a row for each cell, which knows its sample, image, place and phenotype."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import anndata
import numpy as np
import pandas as pd

from immunosarc.cohort import make_cells
from immunosarc.errors import DataFileError
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._clinical import Part, loading_step
from immunosarc.loaders._fault import Fault, few, in_lines, nearest
from immunosarc.loaders._imaging_block import ImageFile, ImagingBlock
from immunosarc.loaders._imaging_file import read_cell_file
from immunosarc.loaders._imaging_markers import Markers
from immunosarc.loaders._source import Source

__all__ = ["read_imaging"]


def read_imaging(
    name: str,
    block: ImagingBlock,
    samples: Part | None,
    source: Source,
    faults: list[Fault],
    *,
    fields: pd.DataFrame | None,
) -> tuple[anndata.AnnData, Mapping[str, Any]] | None:
    """Return the cells of an assay and its loading step; None when a file is wrong, and what is added.

    Every file is looked at, also behind one that is wrong. The step counts images, not cells.

    Parameters
    ----------
    name : str
        Of the assay in the cohort.
    block : ImagingBlock
    samples : Part or None
        The samples that stay; None when they could not be read, so that only the files are checked.
    source : Source
    faults : list of Fault
    fields : DataFrame or None
        The table ``fields``: whose an image is, where the files do not say it.
    """
    where, before = f"[assays.{name}]", len(faults)
    files = _files(block, source, faults, where=where)
    owner = _owners(fields)
    read = [read_cell_file(one, block, source, faults, where=where, owner=owner) for one in files]
    if block.folder is not None:
        source.compare_files(Block(file=block.folder, sha256=block.sha256), [one.file for one in files], faults)
    cells = [one for one in read if one is not None]
    if len(faults) > before or not cells or samples is None:
        return None
    frame = _stacked([one.frame for one in cells])
    faults += _repeated_cells(frame, files)
    stays, left_out, unknown = _of_samples(frame, samples)
    faults += unknown
    if len(faults) > before:
        return None
    kept = frame[stays].reset_index(drop=True)
    kept["sample_id"] = (
        kept["sample_id"].cat.rename_categories(str).map(dict(samples.libraries)).astype("category")
    )
    adata = _assay(kept, [one.markers for one in cells], stays, block, files)
    adata.uns["immunosarc"]["sha256"] = _hash(block, files, source)
    step = f"{block.folder or files[0].file}: {name}"
    if len(files) > 1 and not block.folder:
        step = f"{len(files)} files: {name}"
    return adata, loading_step(step, len(kept[["sample_id", "field_id"]].drop_duplicates()), left_out)


def _files(block: ImagingBlock, source: Source, faults: list[Fault], *, where: str) -> tuple[ImageFile, ...]:
    if block.folder is None:
        return block.listed
    names = source.files_ending(block.folder, str(block.ending), faults)
    return tuple(ImageFile(file=name, delimiter=block.delimiter) for name in names)


def _owners(fields: pd.DataFrame | None) -> dict[str, str | None]:
    """Return the sample of each image; None where images of two samples have one name."""
    if fields is None:
        return {}
    pairs = fields[["field_id", "sample_id"]].drop_duplicates()
    twice = set(pairs["field_id"][pairs["field_id"].duplicated()])
    return {str(f): None if f in twice else str(s) for f, s in pairs.itertuples(index=False, name=None)}


def _stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the cells of all files, numbered by file; what only some files have is missing in the others."""
    numbered = [frame.assign(file=place) for place, frame in enumerate(frames)]
    columns = list(dict.fromkeys(column for frame in numbered for column in frame))
    stacked = {}
    for column in columns:
        parts = [frame[column] if column in frame else pd.Series(np.nan, index=frame.index) for frame in numbered]
        if any(isinstance(part.dtype, pd.CategoricalDtype) for part in parts):
            words = dict.fromkeys(word for part in parts if hasattr(part, "cat") for word in part.cat.categories)
            parts = [part.astype(pd.CategoricalDtype(list(words))) for part in parts]
        stacked[column] = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(stacked)


def _repeated_cells(frame: pd.DataFrame, files: Sequence[ImageFile]) -> list[Fault]:
    if "cell_id" not in frame:
        return []
    key = ["sample_id", "field_id", "cell_id"]
    twice = frame["cell_id"].notna() & frame.duplicated(key, keep=False)
    found = [
        Fault(
            DataFileError,
            f"{', '.join(dict.fromkeys(files[at].file for at in rows['file']))} {in_lines(rows['line'])}: cell "
            f"{cell!r} of image {image!r} is repeated; the image was exported twice, or two images have one name: "
            "remove one, or tell them apart with columns.field_id",
        )
        for (_, image, cell), rows in frame[twice].groupby(key, observed=True, sort=False)
    ]
    return few(found, "cells")


def _of_samples(frame: pd.DataFrame, samples: Part) -> tuple[pd.Series, list[tuple[str, str, str]], list[Fault]]:
    """Return which cells stay, which images leave with their sample, and the samples that nobody knows."""
    names = [str(name) for name in frame["sample_id"].cat.categories]
    unknown = [name for name in names if name not in samples.owners]
    faults = [
        Fault(
            DataFileError,
            f"sample {name!r} of {frame.loc[frame['sample_id'] == name, 'field_id'].nunique()} image(s) is not in "
            f"the samples table; add it to the samples file, or correct the id.{nearest(name, samples.owners)}",
        )
        for name in unknown
    ]
    stays = frame["sample_id"].isin([name for name in names if name in samples.libraries])
    left_out = [
        (str(samples.owners[s]), str(s), f"sample was left out: {samples.gone.get(s, 'no row')} (image {image})")
        for s, image in frame.loc[~stays, ["sample_id", "field_id"]]
        .drop_duplicates()
        .itertuples(index=False, name=None)
        if s in samples.owners
    ]
    return stays, left_out, few(faults, "samples")


def _assay(
    kept: pd.DataFrame,
    markers: Sequence[Markers],
    stays: pd.Series,
    block: ImagingBlock,
    files: Sequence[ImageFile],
) -> anndata.AnnData:
    """Return the assay: intensities in X, positive markers in a layer, what is known of each cell in obs."""
    mask = stays.to_numpy(dtype=bool)
    intensity = np.concatenate([one.intensity for one in markers])[mask]
    positive = np.concatenate([one.positive for one in markers])[mask]
    number = (
        kept["cell_id"] if "cell_id" in kept else kept.groupby(["sample_id", "field_id"], observed=True).cumcount()
    )
    named = kept["sample_id"].astype(str) + "/" + kept["field_id"].astype(str) + "/" + number.astype(str)
    facts = [name for name in ("sample_id", "field_id", "x_um", "y_um", "region", "phenotype") if name in kept]
    source = block.folder or ", ".join(one.file for one in files[:3]) + (", ..." if len(files) > 3 else "")
    names = list(block.markers)
    adata = make_cells(
        kept[facts].set_index(pd.Index(named.to_numpy(dtype=object))),
        intensity=pd.DataFrame(intensity, columns=names),
        positive=pd.DataFrame(positive, columns=names) if block.positioned else None,
        source=source,
        platform=block.format,
    )
    if block.microns_per_pixel is not None:
        adata.uns["immunosarc"]["microns_per_pixel"] = block.microns_per_pixel
    return adata


def _hash(block: ImagingBlock, files: Sequence[ImageFile], source: Source) -> str:
    """Return the hash of the one file, or that of the hashes of several, sorted by path."""
    if block.folder is not None:
        return source.files[block.folder]["sha256"]
    found = sorted((one.file, source.files[one.file]["sha256"]) for one in files)
    if len(found) == 1:
        return found[0][1]
    return hashlib.sha256("".join(f"{digest}  {file}\n" for file, digest in found).encode()).hexdigest()
