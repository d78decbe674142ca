"""Cells of an image: what they are called, how a rule names some of them, and what is measured on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from immunosarc.schema._table import Column, Table

__all__ = [
    "CELL_UNITS",
    "FIELD_COUNTS",
    "IMAGING",
    "IMMUNE_PHENOTYPE",
    "IMMUNE_PHENOTYPES",
    "LYMPHOID_STRUCTURES",
    "REGIONS",
    "SPATIAL",
    "CellRule",
]

REGIONS = ("tumor", "stroma", "other")
"""The tissue that a cell lies in."""

IMMUNE_PHENOTYPES = ("inflamed", "excluded", "desert")
"""Lymphocytes among the tumor cells; in the stroma around them; in neither."""

CELL_UNITS = {"intensity": "marker intensity of an image, in arbitrary units, never negative"}
"""What the numbers of cells can be beside the units of expression."""

_TERM = re.compile(r"(?P<name>.*\S)(?P<sign>[+-])")


@dataclass(frozen=True)
class CellRule:
    """Which cells belong to a population: what all of them have, any of what, and none of what.

    A term is a marker with its sign (``"CD8+"``, ``"CK-"``) or the name of a phenotype.

    Attributes
    ----------
    all : tuple of str
        Every one of these terms holds.
    any : tuple of str
        At least one of these holds; empty asks for nothing.
    none : tuple of str
        None of these holds.

    Examples
    --------
    >>> rule = CellRule(all=("CD3+", "CD8+"), none=("CK+",))
    >>> on, off, unknown = 1.0, 0.0, np.nan
    >>> markers = {"CD3": np.array([on, on, on]), "CD8": np.array([on, off, unknown]), "CK": np.zeros(3)}
    >>> rule.holds(markers)
    array([ 1.,  0., nan])
    """

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """Every term that the rule names."""
        return tuple(dict.fromkeys((*self.all, *self.any, *self.none)))

    def holds(
        self,
        markers: Mapping[str, NDArray[np.float64]],
        phenotypes: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.float64]:
        """Return 1 for the cells that fit, 0 for those that do not, NaN where a missing marker leaves it open.

        Parameters
        ----------
        markers : mapping of str to ndarray
            Marker -> 1 positive, 0 negative, NaN unknown, one value for each cell.
        phenotypes : mapping of str to ndarray, optional
            Phenotype -> the same for the cells that are called it.

        Returns
        -------
        ndarray of shape (n_cells,)
        """
        known = {name: _term(name, markers, phenotypes or {}) for name in self.terms}
        parts = [known[name] for name in self.all] + [1.0 - known[name] for name in self.none]
        if self.any:
            parts.append(_either([known[name] for name in self.any]))
        return 1.0 - _either([1.0 - part for part in parts])

    def unknown_terms(self, markers: Iterable[str], phenotypes: Iterable[str]) -> list[str]:
        """Return the terms that are neither a phenotype nor a marker with its sign."""
        names, called = set(markers), set(phenotypes)
        return [term for term in self.terms if term not in called and _marker_of(term, names) is None]


def _marker_of(term: str, markers: Iterable[str]) -> tuple[str, str] | None:
    found = _TERM.fullmatch(term)
    return (found["name"], found["sign"]) if found and found["name"] in markers else None


def _term(
    term: str, markers: Mapping[str, NDArray[np.float64]], phenotypes: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    if term in phenotypes:
        return phenotypes[term]
    signed = _marker_of(term, markers)
    if signed is None:
        raise KeyError(term)
    values = markers[signed[0]]
    return values if signed[1] == "+" else 1.0 - values


def _either(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return 1 where a part is 1, else NaN where a part is unknown, else 0."""
    stacked = np.stack(parts)
    unknown = np.isnan(stacked).any(axis=0)
    return np.where((stacked == 1).any(axis=0), 1.0, np.where(unknown, np.nan, 0.0))


def _text(meaning: str, *, filled: bool = True, values: tuple[str, ...] = ()) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low)


IMAGING = Table(
    "imaging",
    {
        "sample_id": _text("sample"),
        "feature": _text("name of the feature"),
        "value": _number("its value; missing where status says why"),
        "unit": _text("of the value: per_mm2, fraction, um, score, ..."),
        "n_cells": _number("cells of the population that it is about", low=0),
        "n_of": _number("cells that were looked at", low=0),
        "n_fields": _number("fields of the sample, those without a cell among them", low=0),
        "area_mm2": _number("tissue that it is about; missing where unknown", low=0),
        "status": _text("'ok', or why there is no value"),
        "note": _text("what else to know", filled=False),
    },
)

FIELD_COUNTS = Table(
    "field_counts",
    {
        "sample_id": _text("sample"),
        "field_id": _text("field of the image"),
        "population": _text("population"),
        "n_cells": _number("its cells", low=0),
        "n_of": _number("cells of which it is known whether they belong to it", low=0),
        "area_mm2": _number("tissue of the field; missing where unknown", low=0),
        "density": _number("cells per square millimeter", low=0),
        "fraction": _number("share of the cells", low=0),
    },
)

LYMPHOID_STRUCTURES = Table(
    "lymphoid_structures",
    {
        "sample_id": _text("sample"),
        "field_id": _text("field of the image"),
        "structure": _number("number of the structure in its field, from 1", low=1),
        "n_cells": _number("B and T cells in it", low=1),
        "n_b": _number("of them B cells", low=0),
        "n_t": _number("of them T cells", low=0),
        "x_um": _number("its center, micrometers"),
        "y_um": _number("its center, micrometers"),
        "radius_um": _number("distance from the center that holds 95% of its cells", low=0),
    },
)

IMMUNE_PHENOTYPE = Table(
    "immune_phenotype",
    {
        "sample_id": _text("sample"),
        "class": _text("where the lymphocytes are", filled=False, values=IMMUNE_PHENOTYPES),
        "density_tumor": _number("cells per square millimeter of tumor", low=0),
        "density_stroma": _number("cells per square millimeter of stroma", low=0),
        "tumor_at_least": _number("threshold that was declared", low=0),
        "stroma_at_least": _number("threshold that was declared", low=0),
        "status": _text("'ok', or why there is no class"),
    },
)

SPATIAL = Table(
    "spatial",
    {
        "sample_id": _text("sample"),
        "source": _text("population that distances start from"),
        "target": _text("population whose nearest cell is looked for"),
        "radius_um": _number("distance", low=0),
        "g": _number("share of the source cells whose nearest target cell is that near, corrected for edges"),
        "g_random": _number("the same if the target cells lay at random: 1 - exp(-intensity pi r^2)"),
        "n_source": _number("cells that distances start from", low=0),
        "n_target": _number("cells that are looked for", low=0),
        "correction": _text("for cells near the edge", values=("kaplan_meier", "border", "none")),
        "status": _text("'ok', or why there is no curve"),
    },
)
