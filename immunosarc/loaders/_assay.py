"""From libraries to the samples of the cohort: what leaves, what is brought together, what is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.cohort import make_assay
from immunosarc.errors import DataFileError, ManifestError
from immunosarc.loaders._arrays import read_arrays
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._cell_profiles import profile_facts, read_profiles
from immunosarc.loaders._clinical import Part, loading_step
from immunosarc.loaders._expression import ARRAY_FILES, Matrix, finished, read_matrix
from immunosarc.loaders._fault import Fault, listed, nearest
from immunosarc.loaders._lengths import read_lengths
from immunosarc.loaders._naming import read_gene_map
from immunosarc.loaders._of_patients import rows_at
from immunosarc.loaders._pooling import pooled_length, with_lengths
from immunosarc.loaders._salmon import read_salmon
from immunosarc.loaders._source import Source
from immunosarc.loaders._wide import read_features

__all__ = ["read_assay"]


def read_assay(
    name: str, block: AssayBlock, samples: Part | None, source: Source, faults: list[Fault], *, rule: str | None
) -> tuple[anndata.AnnData, Mapping[str, Any]] | None:
    """Return an assay and its loading step; None when something is wrong, and what is added.

    Parameters
    ----------
    name : str
        Of the assay in the cohort.
    block : AssayBlock
    samples : Part or None
        Which libraries belong to which sample, and which ones leave; None when the samples
        table could not be read, so that only the file itself is checked.
    source : Source
    faults : list of Fault
    rule : {"first", "mean", "sum"} or None
        How several libraries of a sample are combined.
    """
    where, before = f"[assays.{name}]", len(faults)
    known = frozenset(samples.owners) if samples else frozenset()
    profiles = read_profiles(block, source, faults, where=where)
    matrix, gone = _read(block, known, source, faults, where=where)
    if matrix is None or samples is None:
        return None
    if block.sample_at is not None:
        matrix, nobody = rows_at(matrix, samples, faults, file=block.file, timepoint=block.sample_at)
        gone += nobody
        if len(faults) > before:
            return None
    faults += _link_faults(block.file, matrix, samples)
    if len(faults) > before:
        return None
    rows = _rows_of_samples(matrix.libraries, samples.libraries)
    groups = list(rows.values())
    values = _combined(matrix.values, groups, rule)
    names = list(rows)
    left_out = gone + _left_out(matrix.libraries, rows, samples, rule)
    frame = pd.DataFrame(values, index=names, columns=matrix.genes, copy=False)
    adata = make_assay(frame, unit=block.unit, source=block.file, platform=block.platform)
    adata.uns["immunosarc"] |= _about(block, source)
    if profiles is not None:
        adata.uns["cell_profiles"] = profiles.as_stored()
    if matrix.log is not None:
        adata.var = matrix.log.set_axis(adata.var_names)
    with_lengths(adata, _combined_lengths(matrix, groups, rule, unit=block.unit))
    return adata, loading_step(f"{block.file}: {name}", len(names), left_out)


def _read(
    block: AssayBlock, known: frozenset[str], source: Source, faults: list[Fault], *, where: str
) -> tuple[Matrix | None, list[tuple[str, str, str]]]:
    """Read the file by its kind: a folder of salmon, numbers, a wide table, or a matrix of text."""
    if block.format == "salmon":
        return _from_salmon(block, known, source, faults, where=where), []
    lengths = read_lengths(block, source, faults, where=where)
    if block.gene_lengths is not None and lengths is None:
        return None, []
    if Path(block.file).suffix in ARRAY_FILES and not block.features:
        genes = read_gene_map(block, source, faults, where=where)
        path = source.locate(block, faults)
        if path is None:
            return None, []
        return read_arrays(path, block, faults, samples=known, gene_map=genes, lengths=lengths), []
    text = source.open(block, where, faults)
    if text is None:
        return None, []
    if block.features:
        read = read_features(text, block, faults, where=where)
        return read if read is not None else (None, [])
    genes = read_gene_map(block, source, faults, where=where)
    return read_matrix(text, block, faults, samples=known, gene_map=genes, lengths=lengths), []


def _from_salmon(
    block: AssayBlock, known: frozenset[str], source: Source, faults: list[Fault], *, where: str
) -> Matrix | None:
    read = read_salmon(block, source, faults, where=where, samples=known)
    if read is None:
        return None
    raw = Matrix(read.libraries, read.genes, read.values, lengths=read.lengths)
    return finished(raw, block, faults, samples=known, symbols=read.symbols)


def _about(block: AssayBlock, source: Source) -> dict[str, Any]:
    declared = {
        "pseudocount": block.pseudocount,
        "gene_lengths": block.gene_lengths,
        "counts_scaling": block.counts_scaling,
        "rounded": block.round_counts or None,
    }
    return {
        "sha256": source.files[block.file]["sha256"],
        "gene_id": block.gene_id,
        **profile_facts(block, source),
        **{key: value for key, value in declared.items() if value is not None},
    }


def _rows_of_samples(libraries: Sequence[str], sample_of: Mapping[str, str]) -> dict[str, list[int]]:
    """Return each sample's rows of the matrix, ordered as the samples file orders its libraries."""
    place = {library: number for number, library in enumerate(sample_of)}
    rows: dict[str, list[int]] = {}
    for row, library in enumerate(libraries):
        if library in sample_of:
            rows.setdefault(sample_of[library], []).append(row)
    return {name: sorted(several, key=lambda row: place[libraries[row]]) for name, several in rows.items()}


def _combined(values: NDArray[np.float64], rows: list[list[int]], rule: str | None) -> NDArray[np.float64]:
    """Return one row per sample; a value missing in one library is missing in the combination."""
    first = [several[0] for several in rows]
    result = values if first == list(range(len(values))) else values[first]
    if rule in ("sum", "mean"):
        for place, several in enumerate(rows):
            total = values[several].sum(axis=0)
            result[place] = total / len(several) if rule == "mean" else total
    return result


def _combined_lengths(
    matrix: Matrix, rows: list[list[int]], rule: str | None, *, unit: str
) -> NDArray[np.float64] | None:
    """Return the lengths that go with :func:`_combined`."""
    lengths = matrix.lengths
    if lengths is None or len(lengths) == 1:
        return lengths
    result = lengths[[several[0] for several in rows]]
    if rule in ("sum", "mean"):
        for place, several in enumerate(rows):
            if len(several) > 1:
                result[place] = pooled_length(matrix.values[several], lengths[several], unit=unit, axis=0)
    return result


def _left_out(
    libraries: Sequence[str], rows: Mapping[str, list[int]], samples: Part, rule: str | None
) -> list[tuple[str, str, str]]:
    verb = {"sum": "summed with", "mean": "averaged with", "first": "left for"}.get(str(rule), "")
    left_out = [
        (samples.owners[library], library, samples.gone[library])
        for library in libraries
        if library in samples.gone
    ]
    for name, (first, *others) in rows.items():
        reason = f"library of {name}, {verb} {libraries[first]}"
        left_out += [(samples.owners[libraries[row]], libraries[row], reason) for row in others]
    return left_out


def _link_faults(file: str, matrix: Matrix, samples: Part) -> list[Fault]:
    repeated = pd.Series(matrix.libraries, dtype=object)
    unknown = [name for name in dict.fromkeys(repeated) if name not in samples.owners]
    if unknown:
        hint = nearest(unknown[0], samples.owners) if len(unknown) == 1 else ""
        number = "1 library is" if len(unknown) == 1 else f"{len(unknown)} libraries are"
        return [
            Fault(
                DataFileError,
                f"{file}: {number} not in the samples table: {listed(unknown)}; add each to the samples file "
                f"(keep can leave the row out again), or remove it from this file.{hint}",
            )
        ]
    if not any(name in samples.libraries for name in matrix.libraries):
        return [Fault(ManifestError, f"{file}: keep leaves out every library of this file; check [samples] keep")]
    return []
