"""A model that was locked: what it needs, what it says, and when it refuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from immunosarc import schema
from immunosarc.errors import CoverageError, LockError, UnitError, did_you_mean, raise_together
from immunosarc.models._landmark import features_of_patients

__all__ = ["LockedFeature", "LockedModel", "content_hash"]


@dataclass(frozen=True)
class LockedFeature:
    """One feature of a locked model.

    Attributes
    ----------
    name, scoring : str
        The column, and how it was scored (method and unit; empty where the training table did not say).
    coefficient : float
        Log ratio for one unit of the feature as scored.
    low, high : float
        Range in the training patients.
    """

    name: str
    scoring: str
    coefficient: float
    low: float
    high: float


@dataclass(frozen=True)
class LockedModel:
    """A prediction model with everything it needs and nothing of the patients it was made from.

    Attributes
    ----------
    name, endpoint, model, timepoint : str
        What it predicts, by which name of ``models.PREDICTORS``, from samples of when.
    unit, platform : str
        Of the assay that the features were scored from.
    intended_use : str
        For whom and for what, in the words of whoever locked it.
    intercept : float
        Log odds where every feature is 0; for a hazard minus the mean of the training patients.
    features : tuple of LockedFeature
        In the order of the training table.
    training : mapping
        Counts, penalty, honest performance and versions.
    reference_hash : str
        SHA-256 of the frozen reference that the scores were placed on; empty where there is none.
    landmark_day : int or None
        Study day from which the endpoint counts, where the features were measured on treatment.
    recipe : mapping
        How a sample is scored: ``method``, the ``genes`` that it is ranked among, and the genes of each of
        ``signatures``; empty where the training table was made by other means.
    """

    name: str
    endpoint: str
    model: str
    timepoint: str
    unit: str
    platform: str
    intended_use: str
    intercept: float
    features: tuple[LockedFeature, ...]
    training: Mapping[str, Any]
    reference_hash: str = ""
    landmark_day: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 of everything the model says."""
        return content_hash(self.content())

    def content(self) -> dict[str, Any]:
        """Return the model as plain text and numbers."""
        facts = {name: getattr(self, name) for name in _FACTS}
        facts |= {name: getattr(self, name) for name in _MAYBE if getattr(self, name)}
        return facts | {
            "intercept": self.intercept,
            "features": [vars(one).copy() for one in self.features],
            "training": dict(self.training),
        }

    def predict(
        self,
        table: pd.DataFrame,
        *,
        unit: str,
        platform: str,
        reference_hash: str = "",
        other_assay: Literal["refuse", "state"] = "refuse",
    ) -> pd.DataFrame:
        """Predict new patients, each alone; what the model was not made for is refused with the reason.

        Parameters
        ----------
        table : DataFrame
            ``schema.PATIENT_FEATURES`` with at least the model's features; left unchanged.
        unit, platform : str
            Of the assay that the features were scored from; they must be the model's own.
        reference_hash : str
            Of the reference the scores were placed on, where the model has one.
        other_assay : {"refuse", "state"}
            Another unit, platform or reference is refused; with "state" it is let through, for
            :func:`transport`, which says what differs. Never for a patient to be treated.

        Returns
        -------
        DataFrame
            ``schema.PREDICTED``, one row per patient in the order of the table. A patient with a missing
            feature, one outside the range of the training patients, or one whose sample was taken after the
            landmark day, has no prediction but a ``status``.

        Raises
        ------
        UnitError
            Another unit, platform, scoring method, timepoint or reference.
        CoverageError
            A feature that the table does not have.

        Examples
        --------
        >>> import pandas as pd
        >>> model = LockedModel(
        ...     "demo", "objective_response", "ridge_logistic", "pre", "tpm", "polya_rnaseq", "an example",
        ...     -1.0, (LockedFeature("cyt", "", 0.5, 0.0, 4.0),), {}
        ... )
        >>> table = pd.DataFrame(
        ...     {"timepoint": "pre", "measured_day": float("nan"), "status": "ok", "cyt": [2.0]},
        ...     index=pd.Index(["P1"], name="patient_id"),
        ... )
        >>> model.predict(table, unit="tpm", platform="polya_rnaseq")["risk"].tolist()
        [0.5]
        """
        checked = features_of_patients(table)
        assay = () if other_assay == "state" else self.differences(checked, unit, platform, reference_hash)
        cure = "Bring the new patients to what the model was made from, or lock a model on what they have."
        problems = [*assay, *self._other_methods(checked)]
        raise_together(UnitError, f"the table for model {self.name!r}", problems, cure=cure)
        self._refuse_missing(checked)
        values = checked[[one.name for one in self.features]].to_numpy(dtype=float, na_value=np.nan)
        status = self._statuses(values, checked)
        usable = status == "ok"
        linear = np.full(len(values), np.nan)
        for row in np.flatnonzero(usable):  # each patient alone: the same digits whoever else is asked about
            linear[row] = self.intercept + sum(
                value * one.coefficient for value, one in zip(values[row], self.features, strict=True)
            )
        binary = schema.ENDPOINTS[self.endpoint].kind == "binary"
        rows = pd.DataFrame(
            {
                "linear_predictor": linear,
                "risk": special.expit(linear) if binary else np.full(len(linear), np.nan),
                "status": status,
            },
            index=checked.index,
        )
        return schema.PREDICTED.check(rows)

    def card(self) -> str:
        """Return the model card: what it is for, what it was made from, how good it is, what it refuses."""
        listed = "\n".join(
            f"| {one.name} | {one.scoring or 'not recorded'} | {one.coefficient:.4g} "
            f"| {one.low:.4g} to {one.high:.4g} |"
            for one in self.features
        )
        facts = "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in self.training.items())
        return (
            f"# Model card: {self.name}\n\nPredicts {self.endpoint} from {self.timepoint} samples "
            f"({self.model}).\n\n## Intended use\n\n{self.intended_use}\n\nFor research; not a medical device.\n\n"
            f"## Needs\n\n- unit: {self.unit}\n- platform: {self.platform}\n"
            f"- reference: {self.reference_hash or 'none'}\n"
            f"- landmark: {'none' if self.landmark_day is None else f'day {self.landmark_day}'}\n"
            f"- ranked among: {len(self.recipe.get('genes', ())) or 'not recorded'}\n\n"
            f"| feature | scoring | coefficient | training range |\n|---|---|---|---|\n{listed}\n\n"
            f"## Made from\n\n{facts}\n\n## Refuses\n\nOther units, platforms, timepoints, scoring methods and "
            "references; patients with a missing feature or one outside the training range have no prediction."
            f"\n\nSHA-256 {self.hash}\n"
        )

    def differences(self, table: pd.DataFrame, unit: str, platform: str, reference_hash: str = "") -> list[str]:
        """Return what of the assay is not as in training, in words; empty where all is.

        Parameters
        ----------
        table : DataFrame
            The scores; what they were made from counts too.
        unit, platform, reference_hash : str
            As for :meth:`predict`.

        Returns
        -------
        list of str

        Examples
        --------
        >>> import pandas as pd
        >>> model = LockedModel("demo", "pfs", "ridge_cox", "pre", "tpm", "other", "an example", 0.0, (), {})
        >>> model.differences(pd.DataFrame(), "tpm", "nanostring")
        ["platform: the model was made from 'other', this is 'nanostring'"]
        """
        said = table.attrs.get("scoring", {})
        pairs = [
            ("unit", self.unit, unit),
            ("unit of the scores", unit, table.attrs.get("unit", unit)),
            ("platform", self.platform, platform),
            ("reference hash", self.reference_hash, reference_hash),
        ]
        for one in self.features:
            expected = one.scoring.replace(f"({self.unit})", f"({unit})")  # the unit is told once
            found = said.get(one.name, expected)
            if _method(found) == _method(one.scoring):
                pairs.append((f"scoring of {one.name}", expected, found))
        return [_told(*pair) for pair in pairs if pair[1] != pair[2]]

    def _other_methods(self, table: pd.DataFrame) -> list[str]:
        """What no assay excuses: another scoring method, another timepoint."""
        said = table.attrs.get("scoring", {})
        found = [
            _told(f"scoring of {one.name}", one.scoring, said[one.name])
            for one in self.features
            if one.name in said and _method(said[one.name]) != _method(one.scoring)
        ]
        times = dict.fromkeys(map(str, table["timepoint"]))
        return found + [_told("timepoint", self.timepoint, one) for one in times if one != self.timepoint]

    def _refuse_missing(self, table: pd.DataFrame) -> None:
        problems = [
            f"no column {one.name!r}.{did_you_mean(one.name, table.columns)}"
            for one in self.features
            if one.name not in table
        ]
        raise_together(CoverageError, f"the table for model {self.name!r}", problems, cure="Score these features.")

    def _statuses(self, values: np.ndarray, table: pd.DataFrame) -> np.ndarray:
        found = []
        latest = np.inf if self.landmark_day is None else self.landmark_day
        for row, status, day in zip(values, table["status"], table["measured_day"], strict=True):
            absent = [one.name for one, value in zip(self.features, row, strict=True) if np.isnan(value)]
            outside = [
                f"{one.name} {value:.4g} outside {one.low:.4g} to {one.high:.4g}"
                for one, value in zip(self.features, row, strict=True)
                if value < one.low or value > one.high
            ]
            if status != "ok":
                found.append(str(status))
            elif day > latest:
                found.append(f"not assignable: measured on day {day:g}, the landmark is day {latest:g}")
            elif absent:
                found.append(f"not assignable: {', '.join(absent)} missing")
            else:
                found.append(f"not assignable: {'; '.join(outside)}" if outside else "ok")
        return np.array(found, dtype=object)


_FACTS = ("name", "endpoint", "model", "timepoint", "unit", "platform", "intended_use", "reference_hash")
_MAYBE = ("landmark_day", "recipe")


def _method(scoring: str) -> str:
    """Return the scoring method without the unit that it was applied to."""
    return scoring.partition("(")[0]


def _told(what: str, needed: str, found: str) -> str:
    return f"{what}: the model was made from {needed or 'none'!r}, this is {found or 'none'!r}"


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain content, however its keys are ordered."""
    try:
        plain = json.dumps(content, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise LockError(f"a model holds text and finite numbers only: {error}.") from None
    return hashlib.sha256(plain.encode()).hexdigest()
