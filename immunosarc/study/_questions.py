"""What a plan is made of: scores, panels of them, tests, and the hypotheses stated beforehand."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from immunosarc import features, models
from immunosarc.study._imaging import ImagingSpec
from immunosarc.study._molecular import MolecularSpec
from immunosarc.study._single_cells import CellSpec

__all__ = ["FeatureSpec", "Frozen", "Hypothesis", "Panel", "PlannedTest", "PredictionQuestion"]


class Frozen(BaseModel):
    """A record that cannot be changed, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureSpec(Frozen):
    """One score: a signature of the catalog and a method."""

    signature: str
    method: str


class Panel(Frozen):
    """A set of features that are looked at together; multiplicity is counted within it.

    Attributes
    ----------
    name : str
        Part of the family's name.
    features : mapping of str to FeatureSpec
        Named scores, each with its method.
    signatures : "all", str or tuple of str
        Catalog signatures scored with ``method`` under their own names; the name of a catalog panel
        (``"immunogenicity"``) stands for its signatures.
    gene_sets : mapping of str to tuple of str
        Gene lists of the user's own, scored with ``method``.
    method : str
        For ``signatures`` and ``gene_sets``.
    columns : "all" or tuple of str
        Ready-made features: columns of an assay of unit ``score`` or ``fraction``, as they are.
    imaging : ImagingSpec, optional
        What is measured on an assay of cells of images.
    molecular : MolecularSpec, optional
        What is measured on a long table: ``{ measure = "repertoire", options = { depth = 1000 } }``.
    cells : CellSpec, optional
        What is measured on an assay of single cells: ``{ measures = ["composition", "states"] }``.
    assay : str or None
        The assay that the panel reads; the plan's unless given.
    """

    name: str
    features: dict[str, FeatureSpec] = Field(default_factory=dict)
    signatures: Literal["all"] | tuple[str, ...] = ()
    gene_sets: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    method: str = "singscore"
    columns: Literal["all"] | tuple[str, ...] = ()
    imaging: ImagingSpec | None = None
    molecular: MolecularSpec | None = None
    cells: CellSpec | None = None
    assay: str | None = None

    @property
    def source(self) -> str | None:
        """What the panel reads, in a word: its assay, or what it measures on a long table."""
        return self.molecular.measure if self.molecular else self.assay

    @property
    def scored(self) -> bool:
        """Whether anything of the panel is scored on expression."""
        return bool(self.features or self.signatures or self.gene_sets)

    @field_validator("signatures", mode="before")
    @classmethod
    def _of_a_named_panel(cls, signatures: Any) -> Any:
        named = isinstance(signatures, str) and signatures != "all"
        return features.panel(signatures).signatures if named else signatures

    @model_validator(mode="after")
    def _measures_stand_alone(self) -> Panel:
        ways = {"imaging": self.imaging, "molecular": self.molecular, "cells": self.cells}
        named = [name for name, spec in ways.items() if spec is not None]
        if named and (len(named) > 1 or self.scored or self.columns):
            own = "give each, and signatures and columns, a panel of their own"
            raise ValueError(f"{' and '.join(named)} stands alone in panel '{self.name}'; {own}")
        return self

    def specs(self) -> list[tuple[str, tuple[str, str | tuple[str, ...]]]]:
        """Return each feature's name and what it is: a method, and a signature or its genes; or a column."""
        listed = tuple(features.signatures()) if self.signatures == "all" else self.signatures
        as_loaded = () if self.columns == "all" else self.columns
        measured = [*(self.imaging.names() if self.imaging else ()), *(self.cells.names() if self.cells else ())]
        of_tables = self.molecular.columns if self.molecular else ()
        return [
            *((name, (spec.method, spec.signature)) for name, spec in self.features.items()),
            *((name, (self.method, name)) for name in listed),
            *((name, (self.method, genes)) for name, genes in self.gene_sets.items()),
            *((name, (f"as loaded: {self.assay}", name)) for name in as_loaded),
            *((name, (f"measured on {self.assay}", name)) for name in measured),
            *((name, (self.molecular.words if self.molecular else "", name)) for name in of_tables),
        ]


class Hypothesis(Frozen):
    """One pre-stated question; only such a question can ever be stamped confirmatory."""

    feature: str
    timepoint: str = "pre"
    endpoint: str = "objective_response"
    model: str = "firth_logistic"
    panel: str = "primary"
    landmark_day: int | None = None

    @property
    def family(self) -> str:
        """The family that its answer stands in."""
        return f"{self.test.words}/{self.panel}"

    @property
    def test(self) -> PlannedTest:
        """The test that it is about."""
        return PlannedTest(self.timepoint, self.endpoint, self.model, self.landmark_day)


class PredictionQuestion(Frozen):
    """What is to be predicted from what, said before anybody looked; see ``models.cross_validate``.

    Attributes
    ----------
    features : tuple of str
        Of one panel; few, and named in advance.
    panel, timepoint, endpoint : str
        Whose features, measured when, against what.
    model : str or None
        A name of ``models.PREDICTORS``; ridge unless given.
    landmark_day : int or None
        For features measured on treatment against endpoints that time defines.
    n_folds, n_repeats, n_bootstrap : int
        Of the cross-validation.
    min_events_per_parameter : float
        Below it nothing is fitted: "not enough data to model".
    risk_by : float or None
        Month by which the risk of a time-to-event endpoint is judged too.
    """

    features: tuple[str, ...] = Field(min_length=1)
    panel: str = "primary"
    timepoint: str = "pre"
    endpoint: str = "objective_response"
    model: str | None = None
    landmark_day: int | None = Field(default=None, ge=1)
    n_folds: int = Field(default=5, ge=2)
    n_repeats: int = Field(default=10, ge=1)
    n_bootstrap: int = Field(default=200, ge=0)
    min_events_per_parameter: float = Field(default=10.0, ge=0)
    risk_by: float | None = Field(default=None, gt=0)


class PlannedTest(NamedTuple):
    """One question that every panel is put: when measured, against what, by which model, from which day."""

    timepoint: str
    endpoint: str
    model: str
    landmark_day: int | None = None

    @property
    def words(self) -> str:
        """The beginning of its families' names."""
        return f"{self.timepoint}/{models.asked(self.endpoint, self.landmark_day)}/{self.model}"
