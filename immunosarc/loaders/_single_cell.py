"""From files of single cells to an assay with a row for each cell, which knows its sample."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from immunosarc.errors import DataFileError
from immunosarc.loaders._clinical import Part, loading_step
from immunosarc.loaders._fault import Fault, few, nearest
from immunosarc.loaders._single_cell_block import SingleCellBlock
from immunosarc.loaders._single_cell_file import Cells, read_single_cells
from immunosarc.loaders._source import Source

__all__ = ["read_single_cell"]


def read_single_cell(
    name: str, block: SingleCellBlock, samples: Part | None, source: Source, faults: list[Fault]
) -> tuple[anndata.AnnData, Mapping[str, Any]] | None:
    """Return the cells of an assay and its loading step; None when a file is wrong, and what is added.

    Every file is looked at, also behind one that is wrong. The step counts samples, not cells.

    Parameters
    ----------
    name : str
        Of the assay in the cohort.
    block : SingleCellBlock
    samples : Part or None
        The samples that stay; None when they could not be read, so that only the files are checked.
    source : Source
    faults : list of Fault
    """
    before = len(faults)
    read = [read_single_cells(one, block, source, faults) for one in block.listed]
    cells = [one for one in read if one is not None]
    if len(faults) > before or samples is None:
        return None
    faults += _other_genes(cells, block) + _unknown(cells, samples)
    if len(faults) > before:
        return None
    sample = np.concatenate([one.sample for one in cells])
    stays = np.isin(sample, list(samples.libraries))
    adata = _assay(cells, sample, stays, samples)
    adata.uns["immunosarc"] = {
        "level": "cell",
        "unit": block.unit,
        "source": ", ".join(one.file for one in block.listed[:3]) + (", ..." if len(block.listed) > 3 else ""),
        "platform": block.platform or "",
        "sha256": _hash(block, source),
    }
    left_out = [
        (str(samples.owners[s]), str(s), f"sample was left out: {samples.gone.get(s, 'no row')} (cells)")
        for s in dict.fromkeys(sample[~stays])
    ]
    step = f"{len(block.listed)} files: {name}" if len(block.listed) > 1 else f"{block.listed[0].file}: {name}"
    return adata, loading_step(step, adata.obs["sample_id"].nunique(), left_out)


def _other_genes(cells: Sequence[Cells], block: SingleCellBlock) -> list[Fault]:
    first = cells[0].genes
    found = [
        Fault(
            DataFileError,
            f"{one.file}: its {len(mine.genes)} genes are not those of {block.listed[0].file} ({len(first)}, "
            f"{mine.genes.isin(first).sum()} shared); what a file lacks is not 0: export all with one reference",
        )
        for one, mine in zip(block.listed, cells, strict=True)
        if len(mine.genes) != len(first) or not mine.genes.isin(first).all()
    ]
    return few(found, "files")


def _unknown(cells: Sequence[Cells], samples: Part) -> list[Fault]:
    names = dict.fromkeys(str(name) for one in cells for name in pd.unique(one.sample))
    found = [
        Fault(
            DataFileError,
            f"sample {name!r} of single cells is not in the samples table; add it to the samples file, or correct "
            f"the id.{nearest(name, samples.owners)}",
        )
        for name in names
        if name not in samples.owners
    ]
    return few(found, "samples")


def _assay(cells: Sequence[Cells], sample: np.ndarray, stays: np.ndarray, samples: Part) -> anndata.AnnData:
    """Return the cells of the samples that stay; a barcode is told apart by its sample."""
    genes = cells[0].genes
    ordered = [
        one.values if one.genes.equals(genes) else one.values[:, one.genes.get_indexer(genes)] for one in cells
    ]
    values = sparse.csr_matrix(sparse.vstack(ordered, format="csr")[stays])
    barcodes = np.concatenate([one.barcodes for one in cells])[stays]
    owner = pd.Series(sample[stays]).map(dict(samples.libraries)).astype("category")
    names = sample[stays] + "/" + barcodes
    obs = pd.DataFrame({"sample_id": owner.to_numpy()}, index=pd.Index(names, name="cell", dtype=object))
    obs["sample_id"] = obs["sample_id"].astype("category")
    var = pd.DataFrame(index=pd.Index(genes, name="feature", dtype=object))
    return anndata.AnnData(values.astype(np.float32), obs=obs, var=var)


def _hash(block: SingleCellBlock, source: Source) -> str:
    """Return the hash of the one file, or that of the hashes of several, sorted by path."""
    found = sorted((one.file, source.files[one.file]["sha256"]) for one in block.listed)
    if len(found) == 1:
        return found[0][1]
    return hashlib.sha256("".join(f"{digest}  {file}\n" for file, digest in found).encode()).hexdigest()
