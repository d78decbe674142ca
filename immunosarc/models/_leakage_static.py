"""What can be seen without running anything: the table, the folds, the objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from immunosarc import schema, stats
from immunosarc.features import SCORING

__all__ = ["Finding", "Split", "feature_names", "static_findings"]

Floats = NDArray[np.float64]
Split = tuple[Sequence[str], Sequence[str]]
_ROUNDING = 1e-8
# how unlikely a perfect split of noise must be before it counts as the outcome in disguise
_CHANCE = 1e-3
_FEWEST = 5


@dataclass(frozen=True)
class Finding:
    """One row of the certificate; no words mean that nothing was found."""

    check: str
    kind: str
    words: str = ""
    found: float = 0.0
    limit: float = 0.0
    status: str = "ok"

    def row(self) -> dict[str, object]:
        """Return it as the table holds it."""
        made = self.status == "ok"
        return {
            "check": self.check,
            "kind": self.kind,
            "passed": (not self.words) if made else pd.NA,
            "found": self.found if made else np.nan,
            "limit": self.limit,
            "finding": self.words or ("nothing found" if made else "not looked at"),
            "status": self.status,
        }


def feature_names(table: pd.DataFrame) -> list[str]:
    """Return the columns that are features."""
    return [name for name in table.columns if name not in schema.PATIENT_FEATURES.columns]


def static_findings(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    endpoint: schema.Endpoint,
    *,
    estimator: object,
    splits: Sequence[Split],
    landmark_day: int | None,
) -> list[Finding]:
    """Look at everything that can be read."""
    outcomes = outcomes.reindex(table.index)
    features = table[feature_names(table)].astype(float)
    return [
        _fitted_outside(estimator),
        _scaled_outside(features),
        _cohort_relative(table),
        _outcome_among_features(features, outcomes, endpoint),
        _measured_later(table, outcomes, endpoint, landmark_day),
        _same_patient_twice(features),
        _folds_overlap(splits),
    ]


def _said(check: str, names: Sequence[object], words: str) -> Finding:
    """Return the finding, naming the first five."""
    if not names:
        return Finding(check, "static")
    more = f" and {len(names) - _FEWEST} more" if len(names) > _FEWEST else ""
    shown = ", ".join(map(str, names[:_FEWEST])) + more
    return Finding(check, "static", words.format(names=shown), float(len(names)))


def _fitted_outside(estimator: object) -> Finding:
    """A scikit-learn step that is fitted already has seen patients it should not have seen."""
    check = "fitted_outside_the_fold"
    if not hasattr(estimator, "fit"):
        named = isinstance(estimator, str)
        how = "a model of this package, fitted anew in each fold" if named else "a function"
        return Finding(check, "static", status=f"{how}: judged by running it")
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)]) if hasattr(step, "fit")]
    fitted = [type(step).__name__ for step in steps if _is_fitted(step)]
    return _said(check, fitted, "already fitted: {names}. Pass it unfitted; each fold fits its own.")


def _is_fitted(step: object) -> bool:
    """Whether it carries what fitting leaves (names that end in an underscore), or is frozen."""
    return type(step).__name__ == "FrozenEstimator" or any(
        name.endswith("_") and not name.startswith("_") for name in vars(step)
    )


def _scaled_outside(features: pd.DataFrame) -> Finding:
    """Features with mean 0 and standard deviation 1, or that are ranks, were compared over all patients."""
    found = [str(name) for name in features if _standardized(features[name].dropna().to_numpy())]
    words = (
        "standardized or ranked over all patients: {names}. Pass the values as scored; each fold scales its own."
    )
    return _said("scaled_outside_the_fold", found, words)


def _standardized(values: Floats) -> bool:
    if len(np.unique(values)) < _FEWEST:
        return False
    spread = (values.std(), values.std(ddof=1))
    scaled = abs(values.mean()) < _ROUNDING and min(abs(one - 1) for one in spread) < _ROUNDING
    ranks = rankdata(values)
    ranked = any(np.allclose(values, ranks / size, atol=_ROUNDING) for size in (1, len(values), len(values) + 1))
    return bool(scaled or ranked)


def _cohort_relative(table: pd.DataFrame) -> Finding:
    """Scores that change when other patients join."""
    check, said = "cohort_relative_scores", table.attrs.get("scoring", {})
    if not said:
        return Finding(check, "static", status="the table does not say how its features were scored")
    relative = {name for name in SCORING if not SCORING[name].single_sample}
    found = [
        f"{name} ({said[name]})"
        for name in feature_names(table)
        if relative & set(re.findall(r"\w+", str(said.get(name, ""))))
    ]
    words = (
        "scores that depend on the other patients: {names}. Score with a single-sample method such as singscore."
    )
    return _said(check, found, words)


def _outcome_among_features(features: pd.DataFrame, outcomes: pd.DataFrame, endpoint: schema.Endpoint) -> Finding:
    """The outcome under its own name, under another one, or in disguise."""
    named = [str(name) for name in features if name in schema.OUTCOMES.columns or name in schema.ENDPOINTS]
    event = _event(outcomes, endpoint)
    measures = list(outcomes.select_dtypes("number").astype(float).to_numpy().T)
    disguised = [
        str(name)
        for name in features
        if name not in named
        and (_splits(features[name], event, features.shape[1]) or _orders_as(features[name].to_numpy(), measures))
    ]
    words = "the outcome is among the features: {names}. Leave out what is known only because the outcome is."
    return _said("outcome_among_features", named + disguised, words)


def _event(outcomes: pd.DataFrame, endpoint: schema.Endpoint) -> pd.Series:
    column = f"{endpoint.name}_event" if endpoint.kind == "time_to_event" else endpoint.name
    return outcomes[column] if endpoint.kind != "ordinal" else outcomes[column].isin(["CR", "PR"])


def _splits(feature: pd.Series, event: pd.Series, n_features: int) -> bool:
    """Whether the feature separates the outcome without an exception, where noise hardly ever would."""
    known = feature.notna() & event.notna()
    happened = event[known].astype(bool).to_numpy()
    ways = comb(len(happened), int(happened.sum()))
    if len(happened) < _FEWEST or 2 * n_features / ways > _CHANCE:
        return False
    return stats.area_under_curve(feature[known].to_numpy(), happened) in (0.0, 1.0)


def _orders_as(feature: Floats, measures: list[Floats]) -> bool:
    """Whether the feature orders patients exactly as a follow-up time or a tumor measure does."""
    for measure in measures:
        known = ~np.isnan(feature) & ~np.isnan(measure)
        if known.sum() < 2 * _FEWEST:
            continue
        one, other = rankdata(feature[known]), rankdata(measure[known])
        same = np.array_equal(one, other) or np.array_equal(one, len(one) + 1 - other)
        if same and len(np.unique(one)) >= 2 * _FEWEST:
            return True
    return False


def _measured_later(
    table: pd.DataFrame, outcomes: pd.DataFrame, endpoint: schema.Endpoint, landmark_day: int | None
) -> Finding:
    """Features of a time at which the outcome was already under way, or over."""
    check = "measured_later"
    timepoints = sorted(set(table["timepoint"].astype(str)))
    if len(timepoints) > 1:
        return _said(check, timepoints, "features of several timepoints mixed: {names}. Audit one timepoint.")
    if timepoints != ["pre"] and endpoint.time_defined and landmark_day is None:
        words = "measured during follow-up ({names}) against " + endpoint.name + ". Pass landmark_day=."
        return _said(check, timepoints, words)
    settled = "ttr_days" if endpoint.name == "objective_response" else f"{endpoint.clock}_days"
    if settled not in outcomes or landmark_day is not None:
        return Finding(check, "static")
    late = (table["measured_day"] >= outcomes[settled]).fillna(False).to_numpy(dtype=bool)
    words = "measured when the outcome was settled, patients {names}. Leave out samples taken after the outcome."
    return _said(check, [str(one) for one in table.index[late]], words)


def _same_patient_twice(features: pd.DataFrame) -> Finding:
    """Patients with the same numbers in every feature: one patient under two names."""
    varied = features.loc[:, features.nunique() >= _FEWEST].dropna(how="all")
    twice = varied.duplicated(keep=False) if varied.shape[1] else pd.Series(dtype=bool)
    words = "the same numbers in every feature: {names}. One patient under two names is in training and in test."
    return _said("same_patient_twice", [str(one) for one in twice.index[twice]], words)


def _folds_overlap(splits: Sequence[Split]) -> Finding:
    """A patient on both sides of a split, or tested twice in one round."""
    both = [str(one) for train, test in splits for one in set(map(str, train)) & set(map(str, test))]
    words = "in training and in test of one fold: {names}. Split by patient, not by sample."
    return _said("patient_in_two_folds", sorted(set(both)), words)
