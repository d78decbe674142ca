"""The paths of analysis that were declared for one question, and which of them is the primary one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from pydantic import Field, field_validator

from immunosarc import features, schema
from immunosarc.cohort import Cohort
from immunosarc.endpoints import RULE_SETS
from immunosarc.errors import did_you_mean
from immunosarc.study._population import exclusion_problems
from immunosarc.study._questions import Frozen

__all__ = ["MODEL_OF_KIND", "AnalysisPath", "DeclaredPaths"]

MODEL_OF_KIND = {"binary": "firth_logistic", "time_to_event": "cox"}
"""By which model a path asks, for each kind of endpoint."""

_FEWEST_DEALS = 20
_MOST_PATHS = 5_000
_FIRST_DOSE = "first_dose"


class AnalysisPath(NamedTuple):
    """One way to analyze: a choice in every dimension."""

    method: str
    endpoint: str
    rule_set: str
    covariates: tuple[str, ...]
    population: str
    landmark_day: int | None


class DeclaredPaths(Frozen):
    """Every path along which one question is asked; declared before any of them is walked.

    Attributes
    ----------
    signature : str
        A name of the catalog.
    primary : mapping
        The declared primary path: a choice in each dimension that has more than one (``method``, ``endpoint``,
        ``rule_set``, ``covariates``, ``population``, ``landmark_day``).
    methods, endpoints : tuple of str
        Scoring methods; binary endpoints and times to events.
    rule_sets : tuple of str
        Rules of response and censoring; in a plan those of the plan unless given.
    covariates : tuple of tuple of str
        Columns of the patients to adjust for, ``[]`` for none; in a plan those of the plan unless given.
    populations : mapping of str to mapping
        Name -> column -> values of those who stay out, beside those whom the plan excludes.
    landmark_days : tuple of int or "first_dose"
        Study days on which the clock starts.
    timepoint : str
        When the signature was measured.
    n_permutations : int
        Deals of the signature's values for the joint p, at least 20.
    """

    signature: str
    primary: dict[str, Any] = Field(default_factory=dict)
    methods: tuple[str, ...] = ("singscore",)
    endpoints: tuple[str, ...] = ("objective_response",)
    rule_sets: tuple[str, ...] = ()
    covariates: tuple[tuple[str, ...], ...] = ()
    populations: dict[str, dict[str, tuple[str, ...]]] = Field(default={"all": {}})
    landmark_days: tuple[int | None, ...] = (None,)
    timepoint: str = "pre"
    n_permutations: int = 500

    @field_validator("landmark_days", mode="before")
    @classmethod
    def _first_dose_is_no_landmark(cls, days: Any) -> Any:
        return [_day(one) for one in days] if isinstance(days, Sequence) and not isinstance(days, str) else days

    @field_validator("primary")
    @classmethod
    def _primary_as_the_paths_say_it(cls, chosen: dict[str, Any]) -> dict[str, Any]:
        said = {name: tuple(value) if isinstance(value, list | tuple) else value for name, value in chosen.items()}
        return said | ({"landmark_day": _day(said["landmark_day"])} if "landmark_day" in said else {})

    def filled(self, *, rule_set: str, covariates: tuple[str, ...]) -> DeclaredPaths:
        """Return the paths with the plan's own choice where none was given."""
        given = {"rule_sets": self.rule_sets or (rule_set,), "covariates": self.covariates or (covariates,)}
        return self.model_copy(update=given)

    def paths(self) -> list[AnalysisPath]:
        """Return every combination of the choices."""
        return [
            AnalysisPath(*one)
            for one in product(
                self.methods,
                self.endpoints,
                self.rule_sets or (next(iter(RULE_SETS)),),
                self.covariates or ((),),
                self.populations,
                self.landmark_days,
            )
        ]

    def is_primary(self, path: AnalysisPath) -> bool:
        """Return whether a path makes every choice that the primary one declares."""
        return all(getattr(path, name, None) == value for name, value in self.primary.items())

    def problems(self, cohort: Cohort | None = None) -> list[str]:
        """Return every name that no registry, catalog or cohort knows, and what is no grid of paths."""
        found = [*self._name_problems(), *self._grid_problems(), self._signature_problem()]
        return [line for line in found + (self._cohort_problems(cohort) if cohort is not None else []) if line]

    def _signature_problem(self) -> str:
        known = features.signatures()
        if self.signature in known:
            return ""
        return f"signature: unknown {self.signature!r}.{did_you_mean(self.signature, known)}"

    def _grid_problems(self) -> list[str]:
        found = [
            f"primary: unknown choice {n!r}.{did_you_mean(n, AnalysisPath._fields)}"
            for n in self.primary
            if n not in AnalysisPath._fields
        ]
        paths = self.paths()
        if len(set(paths)) < len(paths):
            found.append("a choice is named twice: every path counts once")
        if len(paths) > _MOST_PATHS:
            found.append(f"{len(paths):,} paths, at most {_MOST_PATHS:,}: leave out choices nobody would defend")
        elif (meant := sum(map(self.is_primary, paths))) != 1:
            found.append(f"primary: exactly one of the {len(paths)} paths must be meant, {meant} are")
        if self.n_permutations < _FEWEST_DEALS:
            found.append(f"n_permutations: at least {_FEWEST_DEALS}, have {self.n_permutations}")
        return found

    def _name_problems(self) -> list[str]:
        askable = [name for name, end in schema.ENDPOINTS.items() if end.kind in MODEL_OF_KIND]
        found = [features.SCORING.why_not(one) for one in self.methods]
        found += [
            f"endpoint: unknown or ordinal {one!r}.{did_you_mean(one, askable)}"
            for one in self.endpoints
            if one not in askable
        ]
        found += [
            f"rule_set: unknown {one!r}.{did_you_mean(one, RULE_SETS)}"
            for one in self.rule_sets
            if one not in RULE_SETS
        ]
        if self.timepoint not in schema.TIMEPOINTS:
            found.append(
                f"timepoint: unknown {self.timepoint!r}.{did_you_mean(self.timepoint, schema.TIMEPOINTS)}"
            )
        return found

    def _cohort_problems(self, cohort: Cohort) -> list[str]:
        named = dict.fromkeys(name for some in self.covariates for name in some)
        found = [
            f"patients have no column {one!r}.{did_you_mean(one, cohort.patients.columns)}"
            for one in named
            if one not in cohort.patients
        ]
        for out in self.populations.values():
            found += exclusion_problems(cohort, out)
        return found


def _day(day: Any) -> Any:
    return None if day == _FIRST_DOSE else day
