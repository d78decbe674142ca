"""The plan: which questions are asked, declared before the answers are seen, and hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from immunosarc import features, models, schema
from immunosarc.cohort import Cohort
from immunosarc.endpoints import RULE_SETS
from immunosarc.errors import PlanError, did_you_mean, raise_together
from immunosarc.study._agreement import Agreement, agreement_problems
from immunosarc.study._columns import assay_problems, column_names
from immunosarc.study._imaging import ImagingSpec, imaging_problems, spelled_out
from immunosarc.study._molecular import MolecularSpec, spec_problems, with_names
from immunosarc.study._next_trial import NextTrial, next_trial_problems
from immunosarc.study._paths import DeclaredPaths
from immunosarc.study._population import exclusion_problems
from immunosarc.study._prediction import question_problems
from immunosarc.study._questions import (
    FeatureSpec,
    Frozen,
    Hypothesis,
    Panel,
    PlannedTest,
    PredictionQuestion,
)
from immunosarc.study._single_cells import CellSpec, cell_problems
from immunosarc.study._tissue import repeated_biopsies
from immunosarc.study._two_stage import TwoStage

__all__ = ["Plan"]


_PRIMARY = Panel(
    name="primary",
    features={
        "cyt_mean_log2": FeatureSpec(signature="cyt", method="mean_log2"),
        "tis_mean_z": FeatureSpec(signature="tis18_unweighted", method="mean_z"),
    },
)
_CATALOG = Panel(name="catalog", signatures="all", method="singscore")


class Plan(Frozen):
    """The declared analysis; everything :func:`immunosarc.run` does stands here.

    Attributes
    ----------
    title : str
        What the plan is for.
    assay : str
        The assay that is scored, unless a panel names another.
    panels : tuple of Panel
        The features.
    hypotheses : tuple of Hypothesis
        The pre-stated questions.
    prediction : PredictionQuestion, optional
        What is predicted from what, ``{ features = ["cyt_mean_log2"], endpoint = "objective_response" }``: then
        cross-validated and audited for leaks. Without it the report says only whether there is enough data.
    timepoints : tuple of str
        When features are associated with outcome.
    endpoints : tuple of str
        Features measured on treatment are tested against objective response only, and from the landmark
        days against those that time defines.
    binary_models, ordinal_models, time_to_event_models : tuple of str
        Models per kind of endpoint.
    landmark_days : tuple of int
        Study days from which features measured on treatment are tested against endpoints that time defines;
        each day is a family of its own. A time-dependent model needs none: its patients are at risk from the
        day of their sample.
    directions : {"none", "catalog"}
        With "catalog" each signature whose direction is published is tested on that side only.
    strata : str or None
        Column of the patients that comparisons and permutations stay within.
    covariates : tuple of str
        Columns of the patients that models adjust for.
    exclude : mapping of str to tuple of str
        Column of the patients -> values of those who stay out of every analysis; the attrition lists them.
    on_conflict : {"raise", "exclude_patient"}
        Whether rows of a patient that contradict each other stop the run, or leave the patient without result.
    before, after : str
        The timepoints whose difference is the change.
    rule_set : str
        Rules of response and censoring for what is derived from visits; a name of ``endpoints.RULE_SETS``.
    reader : str or None
        Whose lesions or calls count; needed when the visits have several readers.
    dosing_interval_days : mapping of str to int
        Drug -> days from one planned dose to the next, for the dose intensity; 21 for every other drug.
    two_stage : TwoStage, optional
        The design of the trial, ``{ r1 = 6, n1 = 15, r = 15, n = 28, p0 = 0.434 }``: its endpoint is also given
        without the bias of the first look.
    next_trial : NextTrial, optional
        What the next trial is to be: endpoint, rates to beat, candidate features, published evidence, error rates.
    multiverse : DeclaredPaths, optional
        One question along every declared path of analysis, with a joint p; the primary path is marked.
    null_rates : mapping of str to float
        Historical rates that a binary endpoint is compared with, one-sided and exact.
    alpha : float
        Family-wise error; intervals have level 1 - alpha.
    min_coverage : float
        Share of a signature's genes that must be in the assay.
    fractions : {"quantiseq", "nnls"}
        How fractions of cell types are found where the assay has ``cell_profiles``; they are described, not
        tested.
    n_permutations : int
        Permutations for maxT; with fewer than 20 no p could fall below .05.
    per_sd : bool
        Log ratios per standard deviation of the feature.
    concordance : tuple of Agreement
        One thing measured by several assays, ``[[plan.concordance]]`` with ``quantity = "CD8"`` and ``measures =
        { RNA = "primary.cd8", imaging = "mif.cd8_density" }``: whether they agree and on whom they do not.

    Examples
    --------
    >>> Plan(title="CYT only").sha256[:8] == Plan(title="CYT only").sha256[:8]
    True
    """

    title: str = "Default plan"
    assay: str = "rna"
    panels: tuple[Panel, ...] = (_PRIMARY, _CATALOG)
    hypotheses: tuple[Hypothesis, ...] = ()
    prediction: PredictionQuestion | None = None
    timepoints: tuple[str, ...] = ("pre", "on")
    endpoints: tuple[str, ...] = ("objective_response", "pfs6", "pfs", "os")
    binary_models: tuple[str, ...] = ("mann_whitney", "firth_logistic")
    ordinal_models: tuple[str, ...] = ("proportional_odds",)
    time_to_event_models: tuple[str, ...] = ("cox",)
    landmark_days: tuple[int, ...] = ()
    directions: Literal["none", "catalog"] = "none"
    strata: str | None = None
    covariates: tuple[str, ...] = ()
    exclude: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    on_conflict: Literal["raise", "exclude_patient"] = "raise"
    before: str = "pre"
    after: str = "on"
    rule_set: str = next(iter(RULE_SETS))
    reader: str | None = None
    dosing_interval_days: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    two_stage: TwoStage | None = None
    next_trial: NextTrial | None = None
    multiverse: DeclaredPaths | None = None
    null_rates: dict[str, float] = Field(default_factory=dict)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    min_coverage: float = Field(default=0.8, gt=0, le=1)
    fractions: Literal["quantiseq", "nnls"] = "quantiseq"
    n_permutations: int = Field(default=10_000, ge=20)
    per_sd: bool = True
    concordance: tuple[Agreement, ...] = ()

    @field_validator("panels")
    @classmethod
    def _panels_differ_and_hold_something(cls, panels: tuple[Panel, ...]) -> tuple[Panel, ...]:
        names = [panel.name for panel in panels]
        if not names:
            raise ValueError("at least one panel is needed")
        if len(set(names)) < len(names):
            raise ValueError(f"panel names repeated: {names}")
        empty = [p.name for p in panels if not (p.scored or p.columns or p.imaging or p.molecular or p.cells)]
        if empty:
            raise ValueError(
                f"panels without features, signatures, gene_sets, columns, imaging, molecular or cells: {empty}"
            )
        return panels

    @field_validator(
        "timepoints",
        "endpoints",
        "binary_models",
        "ordinal_models",
        "time_to_event_models",
        "covariates",
        "landmark_days",
    )
    @classmethod
    def _named_once(cls, names: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"named twice: {sorted({n for n in names if names.count(n) > 1})}")
        return names

    @field_validator("landmark_days")
    @classmethod
    def _days_of_the_study(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if early := [day for day in days if day < 1]:
            raise ValueError(f"study days of at least 1 are needed, not {early}")
        return days

    @property
    def sha256(self) -> str:
        """Hash of the whole plan, the same on every machine."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Plan:
        """Read the ``[plan]`` table of a manifest.

        Raises
        ------
        PlanError
            With every key that does not exist and every value that does not fit.
        """
        try:
            return cls.model_validate(dict(mapping))
        except ValidationError as failure:
            problems = [_in_words(error) for error in failure.errors()]
        raise_together(PlanError, "plan", problems)
        raise AssertionError("raise_together raises when there are problems")

    def problems(self, cohort: Cohort | None = None) -> list[str]:
        """Return every name in the plan that no registry, catalog or cohort knows."""
        found = [*self._panel_problems(), *self._test_problems(), *self._hypothesis_problems()]
        found += question_problems(self)
        if self.multiverse is not None:
            found += [f"multiverse: {line}" for line in self.multiverse.problems(cohort)]
        return found + (self._cohort_problems(cohort) if cohort is not None else [])

    def _panel_problems(self) -> list[str]:
        catalog = features.signatures()
        found = []
        for panel in self.panels:
            specs = list(panel.features.values())
            listed = [] if panel.signatures == "all" else list(panel.signatures)
            for name in [spec.signature for spec in specs] + listed:
                if name not in catalog:
                    found.append(f"panel '{panel.name}': unknown signature '{name}'.{did_you_mean(name, catalog)}")
            for method in dict.fromkeys([spec.method for spec in specs] + [panel.method]):
                if refusal := features.SCORING.why_not(method):
                    found.append(f"panel '{panel.name}': {refusal}")
        return found + self._ambiguous_names()

    def _ambiguous_names(self) -> list[str]:
        """One name must mean one score in all panels, and stand once in a panel."""
        meaning: dict[str, Any] = {}
        found = []
        for panel in self.panels:
            names = [name for name, _ in panel.specs()]
            for name, spec in panel.specs():
                if names.count(name) > 1 or meaning.setdefault(name, spec) != spec:
                    found.append(
                        f"feature '{name}' of panel '{panel.name}' means another score elsewhere in the plan; "
                        "give it a name of its own"
                    )
        panels = {
            one.name: None
            if one.columns == "all" or (one.molecular and not one.molecular.columns)
            else [n for n, _ in one.specs()]
            for one in self.panels
        }
        return list(dict.fromkeys(found)) + agreement_problems(self.concordance, panels)

    def _test_problems(self) -> list[str]:
        found = [_unknown("endpoint", name, schema.ENDPOINTS) for name in self.endpoints]
        found.append(_unknown("rule set", self.rule_set, RULE_SETS))
        if self.two_stage is not None:
            binary = [name for name, endpoint in schema.ENDPOINTS.items() if endpoint.kind == "binary"]
            found.append(_unknown("binary endpoint of two_stage", self.two_stage.endpoint, binary))
        if self.next_trial is not None:
            found += next_trial_problems(self.next_trial, self)
        found += [_unknown("timepoint", n, schema.TIMEPOINTS) for n in (*self.timepoints, self.before, self.after)]
        chosen = (*self.binary_models, *self.ordinal_models, *self.time_to_event_models)
        found += [models.MODELS.why_not(name) for name in chosen]
        if self.landmark_days and not any(test.landmark_day for test in self.tests()):
            found.append(
                f"landmark_days {list(self.landmark_days)} begin no test: they need a timepoint on treatment, and "
                "an endpoint that time defines and that is not settled by then"
            )
        return [line for line in found if line]

    def _hypothesis_problems(self) -> list[str]:
        panels = {panel.name: dict(panel.specs()) for panel in self.panels}
        open_panels = [
            panel.name
            for panel in self.panels
            if panel.columns == "all" or (panel.molecular and not panel.molecular.columns)
        ]
        planned = set(self.tests())
        found = []
        for asked in self.hypotheses:
            if asked.panel not in panels or asked.test not in planned:
                found.append(f"hypothesis on '{asked.feature}': no test '{asked.family}' is planned")
            elif asked.feature not in panels[asked.panel] and asked.panel not in open_panels:
                hint = did_you_mean(asked.feature, panels[asked.panel])
                found.append(f"hypothesis: panel '{asked.panel}' has no feature '{asked.feature}'.{hint}")
        return found

    def _cohort_problems(self, cohort: Cohort) -> list[str]:
        wanted = [*([self.strata] if self.strata else []), *self.covariates]
        found = [
            f"patients have no column '{name}'.{did_you_mean(name, cohort.patients.columns)}"
            for name in wanted
            if name not in cohort.patients
        ]
        if cohort.assays:
            found += repeated_biopsies(cohort, tuple(dict.fromkeys((*self.timepoints, self.before, self.after))))
        for panel in self.panels:
            found += spec_problems(panel.name, panel.molecular, cohort)
            if not cohort.assays or (panel.molecular and not (panel.scored or panel.columns)):
                continue
            assay = panel.assay or self.assay
            found += assay_problems(panel.name, assay, cohort, columns=panel.columns, scored=panel.scored)
            found += imaging_problems(panel.name, panel.imaging, cohort, assay)
            found += cell_problems(panel.name, panel.cells, cohort, assay)
        return found + exclusion_problems(cohort, self.exclude)

    def spelled_out(self, cohort: Cohort) -> Plan:
        """Return the plan with every assay and, for ``columns = "all"``, every column by its name."""
        if not any(panel.columns or panel.imaging or panel.molecular or panel.cells for panel in self.panels):
            return self
        panels = []
        for panel in self.panels:
            assay = panel.assay or self.assay
            columns = column_names(assay, cohort) if panel.columns == "all" else panel.columns
            named: dict[str, Any] = {"columns": columns or panel.columns, "assay": assay} if panel.columns else {}
            if panel.imaging is not None:
                named |= {"imaging": spelled_out(panel.imaging, cohort, assay), "assay": assay}
            if panel.cells is not None:
                named["assay"] = assay
            if panel.molecular is not None:
                named["molecular"] = with_names(panel.molecular, cohort)
            panels.append(panel.model_copy(update=named))
        return self.model_copy(update={"panels": tuple(panels)})

    def tests(self) -> list[PlannedTest]:
        """Return the planned tests; see ``endpoints`` and ``landmark_days`` above."""
        found = []
        for timepoint in self.timepoints:
            for name in self.endpoints:
                endpoint = schema.ENDPOINTS.get(name)
                if endpoint is None:
                    continue
                of_kind = {
                    "binary": self.binary_models,
                    "ordinal": self.ordinal_models,
                    "time_to_event": self.time_to_event_models,
                }
                for model in of_kind[endpoint.kind]:
                    clocks = self._clocks(timepoint, endpoint, model)
                    found += [PlannedTest(timepoint, name, model, day) for day in clocks]
        return found

    def _clocks(self, timepoint: str, endpoint: schema.Endpoint, model: str) -> tuple[int | None, ...]:
        """The days on which the clock of a test may start; None is the first dose, or that of the sample."""
        late = timepoint != "pre"
        if model in models.MODELS and models.MODELS[model].facts.get("entry"):
            return (None,) if late else ()
        if not late or not endpoint.time_defined:
            return (None,)
        settled = endpoint.decided_on_day
        return tuple(day for day in self.landmark_days if settled is None or day < settled)


def _unknown(what: str, name: str, known: Any) -> str:
    return "" if name in known else f"unknown {what} '{name}'.{did_you_mean(name, known)}"


def _in_words(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key '{place}'.{did_you_mean(error['loc'][-1], _keys_at(error['loc']))}"
    return f"{place}: {error['msg']} (found {error['input']!r})"


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    inside: dict[str, type[BaseModel]] = {
        "panels": Panel,
        "hypotheses": Hypothesis,
        "prediction": PredictionQuestion,
        "features": FeatureSpec,
        "imaging": ImagingSpec,
        "cells": CellSpec,
        "molecular": MolecularSpec,
        "two_stage": TwoStage,
        "next_trial": NextTrial,
        "concordance": Agreement,
        "multiverse": DeclaredPaths,
    }
    owner = next((inside[part] for part in reversed(location[:-1]) if part in inside), Plan)
    return list(owner.model_fields)
