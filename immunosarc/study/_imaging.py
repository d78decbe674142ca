"""Features of images in a plan: which populations, which measures, and their values in every sample."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from immunosarc import features, schema
from immunosarc.cohort import Cohort
from immunosarc.errors import ImmunosarcError

__all__ = [
    "ImagingSpec",
    "image_assays",
    "imaging_features",
    "imaging_paragraphs",
    "imaging_problems",
    "spelled_out",
]

Measure = Literal["density", "fraction", "nearest", "near", "mixing", "g_excess", "structures", "h_score", "pd_l1"]
_OF_PAIRS = {"nearest": "nearest_{}_to_{}", "near": "near_{}_to_{}", "g_excess": "g_excess_{}_to_{}"}
_OF_PAIRS |= {"mixing": "mixing_normalized_{}_{}"}
_STRUCTURES = ("structures", "structures_per_mm2", "structures_fraction")
_WORDS = {
    "density": "cells per square millimeter of all fields of a sample together",
    "fraction": "the share of its cells",
    "nearest": "the mean distance to the nearest target cell of the same image",
    "near": "the share of cells with a target cell within {within_um:g} um",
    "mixing": "pairs within {within_um:g} um between two kinds against pairs within the first, over what random "
    "mixing gives (Keren 2018, doi:10.1016/j.cell.2018.08.039)",
    "g_excess": "the share of cells with a target within {within_um:g} um, edge-corrected (Kaplan-Meier, Baddeley "
    "and Gill 1997, doi:10.1214/aos/1034276629), less that of scattered targets",
    "structures": "dense gatherings of B and T cells (density-based clustering; thresholds by convention)",
    "h_score": "100 times the mean grade (0 to 3+) of the scored cells",
    "pd_l1": "tumor proportion and combined positive score (Kulangara 2019, doi:10.5858/arpa.2018-0043-OA)",
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Terms(_Frozen):
    """A population: what all its cells have, any of what, none of what; see ``schema.CellRule``."""

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()

    @property
    def rule(self) -> schema.CellRule:
        """The same as the rule that features take."""
        return schema.CellRule(all=self.all, any=self.any, none=self.none)


class HScore(_Frozen):
    """The marker of an H-score, the intensities of 1+, 2+ and 3+, and the population that is scored."""

    marker: str
    cuts: tuple[float, float, float]
    within: str


class PdL1(_Frozen):
    """The marker of the PD-L1 scores, and the populations of tumor and of immune cells."""

    marker: str = "PDL1"
    tumor: str
    immune: str


class ImagingSpec(_Frozen):
    """What a panel measures on the cells of images.

    Attributes
    ----------
    populations : dict of str to Terms
        Name -> ``{ all = [...], any = [...], none = [...] }`` of phenotypes and signed markers; by default
        every phenotype of the assay.
    measures : tuple of str
        ``density``, ``fraction``; of pairs ``nearest``, ``near``, ``mixing``, ``g_excess``; ``structures``;
        ``h_score``, ``pd_l1``.
    regions : tuple of str
        Tissue in which densities and fractions are taken too.
    pairs : tuple of (str, str)
        (source, target) populations of the measures of pairs.
    within_um : float
        Reach of ``near``, ``mixing`` and ``g_excess``.
    b_cells, t_cells : str
        Populations of ``structures``.
    h_score : HScore, optional
        ``{ marker, cuts, within }``.
    pd_l1 : PdL1, optional
        ``{ marker, tumor, immune }``.
    """

    populations: dict[str, Terms] = Field(default_factory=dict)
    measures: tuple[Measure, ...] = ("density", "fraction")
    regions: tuple[Literal["tumor", "stroma", "other"], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    within_um: float = Field(default=20.0, gt=0)
    b_cells: str | None = None
    t_cells: str | None = None
    h_score: HScore | None = None
    pd_l1: PdL1 | None = None

    @field_validator("measures", "pairs", "regions")
    @classmethod
    def _named_once(cls, names: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(names)) < len(names):
            raise ValueError("named twice")
        return names

    @model_validator(mode="after")
    def _measures_have_what_they_need(self) -> ImagingSpec:
        if not self.measures:
            raise ValueError("measures: at least one is needed")
        if not self.pairs and (alone := [name for name in self.measures if name in _OF_PAIRS]):
            raise ValueError(f"{', '.join(alone)} need pairs = [[source, target], ...]")
        if "structures" in self.measures and (self.b_cells is None or self.t_cells is None):
            raise ValueError("structures need b_cells and t_cells: the names of two populations")
        for name, fields in (("h_score", "marker, cuts, within"), ("pd_l1", "marker, tumor, immune")):
            if name in self.measures and getattr(self, name) is None:
                raise ValueError(f"the measure {name} needs {name} = {{ {fields} }}")
        return self

    def names(self) -> list[str]:
        """Return the features, in their order."""
        found = []
        for measure in self.measures:
            if measure in ("density", "fraction"):
                found += [f"{measure}_{name}" for name in self.populations]
                found += [f"{measure}_{name}_{region}" for region in self.regions for name in self.populations]
            elif measure in _OF_PAIRS:
                found += [_OF_PAIRS[measure].format(*pair) for pair in self.pairs]
            elif measure == "structures":
                found += _STRUCTURES
            elif measure == "h_score" and self.h_score is not None:
                found.append(f"h_score_{self.h_score.marker}")
            elif self.pd_l1 is not None:
                found += [f"tps_{self.pd_l1.marker}", f"cps_{self.pd_l1.marker}"]
        return found


def image_assays(cohort: Cohort) -> list[str]:
    """Return the assays that hold cells of images."""
    return [name for name, adata in cohort.assays.items() if "field_id" in adata.obs]


def spelled_out(spec: ImagingSpec, cohort: Cohort, assay: str) -> ImagingSpec:
    """Return the spec with every population by its name."""
    if spec.populations or assay not in image_assays(cohort):
        return spec
    called = features.phenotypes_of(cohort[assay])
    marked = [f"{name}+" for name in cohort[assay].var_names] if "positive" in cohort[assay].layers else []
    return spec.model_copy(update={"populations": {name: Terms(any=(name,)) for name in called or marked}})


def imaging_problems(panel: str, spec: ImagingSpec | None, cohort: Cohort, assay: str) -> list[str]:
    """Return why a panel cannot be measured on an assay of this cohort."""
    images = image_assays(cohort)
    if spec is None:
        cells = assay in images
        return (
            [f"panel '{panel}': assay '{assay}' holds cells of images; say imaging = {{ ... }}"] if cells else []
        )
    if assay in cohort.assays and assay not in images:
        return [
            f"panel '{panel}': assay '{assay}' holds no cells of images; those are {', '.join(images) or 'none'}"
        ]
    try:
        if assay in images:
            _asked(cohort, spec, assay)
    except ImmunosarcError as failure:
        return [f"panel '{panel}': {failure}"]
    return []


def _asked(cohort: Cohort, spec: ImagingSpec, assay: str) -> None:
    """Raise when a population or a pair does not exist; a cohort without a single sample tells it as well."""
    nobody = cohort.select(samples=[])
    kinds = {name: terms.rule for name, terms in spec.populations.items()} or None
    features.fractions(nobody, assay, populations=kinds)
    features.nearest_neighbors(nobody, spec.pairs, assay, populations=kinds)
    if spec.b_cells is not None and spec.t_cells is not None:
        features.structure_burden(nobody, spec.b_cells, spec.t_cells, assay=assay, populations=kinds)
    _stain_scores(nobody, spec, assay)


def imaging_features(cohort: Cohort, spec: ImagingSpec, assay: str) -> pd.DataFrame:
    """Return every planned feature of every sample with its reason, ``schema.IMAGING``."""
    kinds = {name: terms.rule for name, terms in spec.populations.items()} or None
    parts = []
    if "density" in spec.measures:
        parts.append(features.densities(cohort, assay, populations=kinds, regions=spec.regions))
    if "fraction" in spec.measures:
        parts.append(features.fractions(cohort, assay, populations=kinds, regions=spec.regions))
    near = {"populations": kinds, "within_um": spec.within_um}
    if {"nearest", "near"} & set(spec.measures):
        parts.append(features.nearest_neighbors(cohort, spec.pairs, assay, **near))  # type: ignore[arg-type]
    if "mixing" in spec.measures:
        parts.append(features.mixing_scores(cohort, spec.pairs, assay, **near))  # type: ignore[arg-type]
    if "g_excess" in spec.measures:
        parts.append(
            features.cross_g_excess(cohort, spec.pairs, assay, radius_um=spec.within_um, populations=kinds)
        )
    if "structures" in spec.measures and spec.b_cells is not None and spec.t_cells is not None:
        parts.append(features.structure_burden(cohort, spec.b_cells, spec.t_cells, assay=assay, populations=kinds))
    table = pd.concat([*parts, *_stain_scores(cohort, spec, assay)], ignore_index=True)
    return table[table["feature"].isin(spec.names())].reset_index(drop=True)


def _stain_scores(cohort: Cohort, spec: ImagingSpec, assay: str) -> list[pd.DataFrame]:
    """Return the H-score and the PD-L1 scores, as far as they are planned."""
    kinds, parts = {name: terms.rule for name, terms in spec.populations.items()} or None, []
    if "h_score" in spec.measures and (h := spec.h_score) is not None:
        parts.append(features.h_scores(cohort, h.marker, h.cuts, within=h.within, assay=assay, populations=kinds))
    if "pd_l1" in spec.measures and (pd_l1 := spec.pd_l1) is not None:
        how = {"tumor": pd_l1.tumor, "immune": pd_l1.immune, "assay": assay}
        parts.append(features.pd_l1_scores(cohort, pd_l1.marker, populations=kinds, **how))  # type: ignore[arg-type]
    return parts


def imaging_paragraphs(panels: dict[str, ImagingSpec]) -> list[str]:
    """Return how the features of images were measured, one paragraph for each assay."""
    found = []
    for assay, spec in panels.items():
        how = "; ".join(f"{name}: {_WORDS[name].format(within_um=spec.within_um)}" for name in spec.measures)
        found.append(
            f"On the cells of the images of assay {assay}, {', '.join(spec.populations)}, were measured {how}. "
            "Cells of all images of a sample were counted together. A cell of which a marker is missing is in no "
            "count; where more than 5% of the cells of a sample are such, it has no value. Tests are on patients, "
            "never on cells."
        )
    return found
