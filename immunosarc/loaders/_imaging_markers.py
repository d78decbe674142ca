"""Markers of cells: how bright, whether positive, and which phenotype the positive ones make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.errors import DataFileError, ManifestError
from immunosarc.loaders._cell_columns import CellRows
from immunosarc.loaders._fault import Fault, few, in_lines, listed
from immunosarc.loaders._imaging_block import CellMarker, ImagingBlock

__all__ = ["OTHER", "Markers", "called", "read_markers"]

OTHER = "other"
"""The name of a cell that no phenotype fits."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Markers:
    """Cells by markers: intensities, and 1 positive, 0 negative; missing = NaN."""

    intensity: Floats
    positive: Floats


def read_markers(rows: CellRows, block: ImagingBlock, n_cells: int, *, where: str, faults: list[Fault]) -> Markers:
    """Return the markers of a file's cells; what is wrong is added to ``faults``."""
    shape = (n_cells, len(block.markers))
    intensity, positive = np.full(shape, np.nan), np.full(shape, np.nan)
    for place, (name, marker) in enumerate(block.markers.items()):
        if marker.intensity is not None:
            intensity[:, place] = _intensity(rows, marker.intensity, block, faults)
        if marker.at_least is not None:
            known = ~np.isnan(intensity[:, place])
            positive[known, place] = intensity[known, place] >= marker.at_least
        elif marker.flag is not None:
            positive[:, place] = _flag(rows, name, marker, where=where, faults=faults)
    return Markers(intensity, positive)


def _intensity(rows: CellRows, column: str, block: ImagingBlock, faults: list[Fault]) -> Floats:
    values = rows.numbers[column]
    below = values < 0
    if not below.any():
        return values
    if block.negative_intensity == "missing":
        return np.where(below, np.nan, values)
    lines = rows.lines(below)
    what = (
        f"{rows.file} {in_lines(lines)}, column {column!r}: intensity {values[below][0]:g} is below zero; export "
        'it without subtracting more than there is, or say negative_intensity = "missing"'
    )
    faults.append(Fault(DataFileError, what))
    return values


def _flag(rows: CellRows, name: str, marker: CellMarker, *, where: str, faults: list[Fault]) -> Floats:
    """Return whether cells are positive by the codes of a column."""
    cells = rows.words[str(marker.flag)]
    codes = [str(one) for one in cells.categories]
    if marker.part is not None:
        meaning = [float(marker.part in [word.strip() for word in code.split(":")]) for code in codes]
        known = np.array([*meaning, 0.0])  # a detection without a class has none of its words
        return known[cells.codes]
    meaning = [1.0 if c in marker.positive else 0.0 if c in marker.negative else np.nan for c in codes]
    unknown = [code for code, value in zip(codes, meaning, strict=True) if np.isnan(value)]
    if unknown:
        what = (
            f"{rows.file}, column {marker.flag!r}: codes {listed(unknown)} of marker {name!r} are not listed; add "
            f"each to positive or negative under {where} markers.{name}, or to missing"
        )
        faults.append(Fault(ManifestError, what))
    return np.array([*meaning, np.nan])[cells.codes]


def called(markers: Mapping[str, Floats], rules: Mapping[str, schema.CellRule], n_cells: int) -> pd.Categorical:
    """Return each cell's phenotype: the first rule that fits, ``other``, or none where a marker is missing."""
    codes = np.full(n_cells, len(rules))
    open_still = np.ones(n_cells, dtype=bool)
    for place, rule in enumerate(rules.values()):
        fits = rule.holds(markers)
        codes[open_still & (fits == 1)] = place
        codes[open_still & np.isnan(fits)] = -1
        open_still &= fits == 0
    return pd.Categorical.from_codes(codes, [*rules, OTHER])


def region_codes(
    rows: CellRows, column: str, block: ImagingBlock, *, where: str, faults: list[Fault]
) -> pd.Categorical:
    """Return the region of each cell by the codes that the manifest lists."""
    cells = rows.words[column]
    meaning = [block.regions.get(str(code), str(code) if not block.regions else "") for code in cells.categories]
    unknown = [str(c) for c, region in zip(cells.categories, meaning, strict=True) if region not in schema.REGIONS]
    if unknown:
        found = [
            Fault(
                ManifestError,
                f"{rows.file}, column {column!r}: region {code!r} is not listed; say {where} regions = "
                f'{{ "{code}" = "tumor" }}, or "stroma" or "other", for every code',
            )
            for code in unknown
        ]
        faults += few(found, "regions")
        meaning = [region if region in schema.REGIONS else "other" for region in meaning]
    places = np.array([*(schema.REGIONS.index(region) for region in meaning), -1])
    return pd.Categorical.from_codes(places[cells.codes], list(schema.REGIONS))
