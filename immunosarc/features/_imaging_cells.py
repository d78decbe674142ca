"""The cells of a cohort's images as arrays: whose they are, where they lie, what they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.errors import CohortError, UnknownNameError, did_you_mean, raise_together

if TYPE_CHECKING:
    from immunosarc.cohort import Cohort

__all__ = [
    "MAX_UNKNOWN",
    "WHOLE",
    "Bools",
    "Cells",
    "Floats",
    "Ints",
    "Populations",
    "Reason",
    "as_rule",
    "cells_of",
    "first_reason",
    "imaging_table",
    "phenotypes_of",
    "rows_of",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Reason = tuple[Bools, str | Sequence[str]]
Populations = Mapping[str, str | Sequence[str] | schema.CellRule]

MAX_UNKNOWN = 0.05
"""Share of cells whose markers are missing above which a population is not counted."""

WHOLE = ""
_REGIONS = (WHOLE, *schema.REGIONS)


@dataclass(frozen=True)
class Cells:
    """The cells of an assay.

    Attributes
    ----------
    samples : tuple of str
        The samples with an image, those without a single cell among them.
    fields : DataFrame
        One row per image: ``sample`` (its place in ``samples``), ``field_id``, and the area in square
        millimeters of the ``whole`` and of each region; missing where unknown.
    field : ndarray of int
        The place in ``fields`` of each cell.
    region : ndarray of int
        The place in ``schema.REGIONS`` of each cell; -1 where unknown.
    places : ndarray of shape (n_cells, 2)
        Micrometers.
    members : mapping of str to ndarray
        Population -> 1 for its cells, 0 for the others, NaN where a missing marker leaves it open.
    intensity : mapping of str to ndarray
        Marker -> intensity of each cell.
    positive : mapping of str to ndarray
        Marker -> 1 positive, 0 negative, NaN unknown.
    """

    samples: tuple[str, ...]
    fields: pd.DataFrame
    field: Ints
    region: Ints
    places: Floats
    members: Mapping[str, Floats]
    intensity: Mapping[str, Floats]
    positive: Mapping[str, Floats]

    @property
    def sample(self) -> Ints:
        """The place in ``samples`` of each cell."""
        return self.fields["sample"].to_numpy()[self.field]

    @property
    def n_fields(self) -> Ints:
        """The images of each sample."""
        return np.bincount(self.fields["sample"], minlength=len(self.samples))

    def area(self, region: str = WHOLE) -> Floats:
        """Return the tissue of each sample; missing where that of one of its images is."""
        column = region or "whole"
        total = np.zeros(len(self.samples))
        np.add.at(total, self.fields["sample"].to_numpy(), self.fields[column].to_numpy(dtype=np.float64))
        return total

    def count(self, chosen: Bools) -> Floats:
        """Return the chosen cells of each sample."""
        return np.bincount(self.sample[chosen], minlength=len(self.samples)).astype(np.float64)

    def in_region(self, region: str) -> Bools:
        """Return which cells lie in a region; all of them in the whole."""
        if region == WHOLE:
            return np.ones(len(self.field), dtype=bool)
        return self.region == schema.REGIONS.index(region)

    def has(self, population: str) -> Bools:
        """Return which cells belong to a population for certain."""
        return self.members[population] == 1

    def by_field(self) -> Iterator[tuple[int, Ints]]:
        """Yield each image with a cell, and the places of its cells."""
        order = np.argsort(self.field, kind="stable")
        starts = np.searchsorted(self.field[order], np.arange(len(self.fields) + 1))
        for place in range(len(self.fields)):
            if starts[place] < starts[place + 1]:
                yield place, order[starts[place] : starts[place + 1]]

    def unknown_share(self, population: str, among: Bools | None = None) -> Floats:
        """Return, for each sample, the share of cells whose membership a missing marker leaves open."""
        looked_at = np.ones(len(self.field), dtype=bool) if among is None else among
        open_still = self.count(looked_at & np.isnan(self.members[population]))
        return open_still / np.maximum(self.count(looked_at), 1.0)


def cells_of(cohort: Cohort, assay: str, populations: Populations | None = None) -> Cells:
    """Return the cells of an assay; raise with everything that is wrong with what was asked.

    Raises
    ------
    CohortError
        When the assay holds no cells of images.
    UnknownNameError
        When a population names a phenotype or a marker that the assay does not have.
    """
    adata = cohort[assay]
    lacking = [name for name in ("sample_id", "field_id", "x_um", "y_um") if name not in adata.obs]
    if adata.uns["immunosarc"]["level"] != "cell" or lacking:
        level = adata.uns["immunosarc"]["level"]
        what = f"its rows are {level}s" + (f" without {', '.join(lacking)}" if level == "cell" else "")
        images = [name for name, one in cohort.assays.items() if "field_id" in one.obs]
        raise CohortError(f"assay {assay!r} holds no cells of images: {what}.{did_you_mean(assay, images)}")
    markers = [str(name) for name in adata.var_names]
    positive = _columns(adata.layers["positive"], markers) if "positive" in adata.layers else {}
    fields, place = _fields(cohort, adata)
    return Cells(
        samples=tuple(fields.attrs["samples"]),
        fields=fields,
        field=place,
        region=_region(adata),
        places=adata.obs[["x_um", "y_um"]].to_numpy(dtype=np.float64),
        members=_members(adata, positive, populations),
        intensity=_columns(adata.X, markers),
        positive=positive,
    )


def _columns(values: Any, names: Sequence[str]) -> dict[str, Floats]:
    dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    return {name: np.asarray(dense[:, place], dtype=np.float64) for place, name in enumerate(names)}


def _fields(cohort: Cohort, adata: Any) -> tuple[pd.DataFrame, Ints]:
    """Return the images of cells and of the table fields with their areas, and each cell's image."""
    known = cohort.tables.get("fields", schema.FIELDS.empty())
    (owner, owners), (image, images) = (
        pd.factorize(pd.concat([adata.obs[name].astype(object), known[name].astype(object)]))
        for name in ("sample_id", "field_id")
    )
    codes, keys = pd.factorize(owner.astype(np.int64) * max(len(images), 1) + image)
    whose = np.asarray(owners, dtype=object)[keys // max(len(images), 1)]
    present = set(owners)
    samples = [name for name in cohort.samples.index if name in present]
    place, region = codes[: adata.n_obs].astype(np.int64), _region(adata)
    occupied = np.zeros((len(keys), len(_REGIONS)), dtype=bool)
    occupied[place[region >= 0], region[region >= 0] + 1] = True
    fields = _areas(known, codes[adata.n_obs :].astype(np.int64), occupied).assign(
        sample=pd.Index(samples, dtype=object).get_indexer(whose),
        field_id=np.asarray(images, dtype=object)[keys % max(len(images), 1)],
    )
    fields.attrs["samples"] = samples
    return fields, place


def _areas(known: pd.DataFrame, place: Ints, occupied: Bools) -> pd.DataFrame:
    """Return the area of each image, whole and by region.

    Where regions are listed the whole is their sum, and a region that is not listed takes no room; unless cells
    lie in it (``occupied``): then its area, and that of the whole, is unknown.
    """
    areas, listed = np.full(occupied.shape, np.nan), np.zeros(occupied.shape, dtype=bool)
    given = known.reindex(columns=["region", "area_mm2"])
    column = given["region"].map({name: at for at, name in enumerate(_REGIONS)}).fillna(0).to_numpy(dtype=int)
    listed[place, column] = True
    areas[listed] = 0.0
    np.add.at(areas, (place, column), given["area_mm2"].to_numpy(dtype=np.float64))  # several parts of a region
    by_region = np.asarray(listed[:, 1:].any(axis=1), dtype=bool)
    areas[by_region[:, None] & ~listed & ~occupied] = 0.0
    areas[by_region, 0] = areas[by_region, 1:].sum(axis=1)
    return pd.DataFrame(areas, columns=["whole", *schema.REGIONS])


def _region(adata: Any) -> Ints:
    if "region" not in adata.obs:
        return np.full(adata.n_obs, -1)
    codes = pd.Categorical(adata.obs["region"], categories=list(schema.REGIONS)).codes
    return codes.astype(np.int64)


def _members(adata: Any, positive: Mapping[str, Floats], asked: Populations | None) -> dict[str, Floats]:
    """Return the membership of each cell: of the phenotypes, or of the populations that were asked for."""
    called: dict[str, Floats] = {}
    if "phenotype" in adata.obs:
        names = phenotypes_of(adata)
        named = pd.Categorical(adata.obs["phenotype"], categories=names)
        values = named.codes
        called = {
            str(name): np.where(values < 0, np.nan, (values == place).astype(np.float64))
            for place, name in enumerate(named.categories)
        }
    if asked is None:
        if called or positive:
            return called or {f"{name}+": values for name, values in positive.items()}
        raise CohortError("the cells have neither a phenotype nor a marker that can be positive; declare one")
    rules = {name: as_rule(one) for name, one in asked.items()}
    known = [*called, *(f"{name}{sign}" for name in positive for sign in "+-")]
    problems = [
        f"population {name!r}: {term!r} is no phenotype and no signed marker.{did_you_mean(term, known)}"
        for name, rule in rules.items()
        for term in rule.unknown_terms(positive, called)
    ] + [f"population {name!r} names no cells: give terms" for name, rule in rules.items() if not rule.terms]
    raise_together(UnknownNameError, "populations", problems)
    return {name: rule.holds(positive, called) for name, rule in rules.items()}


def phenotypes_of(adata: Any) -> list[str]:
    """Return every phenotype of an assay of cells, also those that no cell of these samples has.

    Parameters
    ----------
    adata : AnnData
        See :func:`immunosarc.make_cells`.

    Returns
    -------
    list of str
        Empty where the cells have no phenotypes.

    Examples
    --------
    >>> import immunosarc as ims
    >>> frame = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0], "y_um": 0.0, "phenotype": "cd8"})
    >>> phenotypes_of(ims.make_cells(frame))
    ['cd8']
    """
    if "phenotype" not in adata.obs:
        return []
    seen = [str(name) for name in pd.Categorical(adata.obs["phenotype"]).categories]
    return list(dict.fromkeys([*map(str, adata.uns.get("phenotypes", ())), *seen]))


def as_rule(given: str | Sequence[str] | schema.CellRule) -> schema.CellRule:
    """Return a population as a rule; several terms mean any of them."""
    if isinstance(given, schema.CellRule):
        return given
    return schema.CellRule(any=(given,) if isinstance(given, str) else tuple(given))


def rows_of(cells: Cells, feature: str, values: Floats, **facts: Any) -> pd.DataFrame:
    """Return one row of ``schema.IMAGING`` for each sample."""
    return pd.DataFrame(
        {
            "sample_id": list(cells.samples),
            "feature": feature,
            "value": values,
            "n_fields": cells.n_fields,
            "area_mm2": facts.pop("area_mm2", np.nan),
            "note": facts.pop("note", ""),
            **facts,
        }
    )


def imaging_table(parts: Sequence[pd.DataFrame], *, simulated: bool = False) -> pd.DataFrame:
    """Return rows as the checked table; no value without ``"ok"``, no ``"ok"`` without a value."""
    if not parts:
        return schema.IMAGING.empty()
    table = pd.concat(parts, ignore_index=True)
    table["value"] = table["value"].where(table["status"] == "ok")
    return schema.IMAGING.check(table[list(schema.IMAGING.columns)])


def first_reason(*reasons: Reason) -> NDArray[np.object_]:
    """Return, for each sample, the first reason that holds, or ``"ok"``."""
    status = np.full(len(reasons[0][0]), "ok", dtype=object)
    for holds, words in reversed(reasons):
        status = np.where(holds, words, status)
    return status
