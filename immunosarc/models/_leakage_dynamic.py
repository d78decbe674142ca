"""What shows when the pipeline is run: change what it must not see, and look whether it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import stats
from immunosarc.errors import PlanError
from immunosarc.models._leakage_static import Finding, Split

__all__ = ["Trial", "dynamic_findings"]

Floats = NDArray[np.float64]
Scorer: TypeAlias = Callable[[pd.DataFrame, pd.DataFrame, Sequence[str], Sequence[str]], pd.Series]
# a change below this share of the scores' spread is rounding
_MOVED = 1e-7
_TESTED_ALONE = 3
_CANARY_MARGIN = 0.05


@dataclass(frozen=True)
class Trial:
    """A pipeline with what it is run on.

    Attributes
    ----------
    scorer : callable
        ``scorer(features, outcome, train, test)`` gives scores by patient, at least of the test patients.
    features, outcome : DataFrame
        Indexed by patient; the outcome has a column ``event``, and ``time`` where the endpoint has one.
    splits : sequence of (train, test)
        Patients.
    """

    scorer: Scorer
    features: pd.DataFrame
    outcome: pd.DataFrame
    splits: Sequence[Split]

    def scores(self, features: pd.DataFrame, outcome: pd.DataFrame, split: Split) -> pd.Series:
        """Run the pipeline on copies, so that it cannot change what it is given."""
        train, test = (list(part) for part in split)
        scores = self.scorer(features.copy(), outcome.copy(), train, test)
        if not isinstance(scores, pd.Series) or not set(test) <= set(scores.index):
            raise PlanError(
                "the pipeline must return a Series of scores, indexed by patient, of all test patients."
            )
        return scores[~scores.index.duplicated()].astype(float)


def dynamic_findings(trial: Trial, *, n_shuffles: int, seed: int) -> list[Finding]:
    """Run the pipeline again with one thing changed at a time."""
    before = [trial.scores(trial.features, trial.outcome, split) for split in trial.splits]
    again = trial.scores(trial.features, trial.outcome, trial.splits[0])
    wobble = _moved(before[0], again, list(again.index))
    steady = Finding("repeatable", "dynamic", limit=_MOVED, found=wobble)
    names = ("test_outcomes_seen", "test_features_seen_in_training", "test_patients_see_each_other")
    if wobble > _MOVED:
        words = "two runs on the same patients differ. Fix the seed of the pipeline."
        steady = Finding("repeatable", "dynamic", words, wobble, _MOVED)
        unknown = "two runs differ: fix the seed first"
        return [steady, *(Finding(name, "dynamic", status=unknown) for name in (*names, "shuffled_outcomes"))]
    rng = np.random.default_rng([seed, 3])
    return [
        steady,
        _outcomes_seen(trial, before, rng),
        _seen_in_training(trial, before, rng),
        _see_each_other(trial, before, rng),
        _canary(trial, n_shuffles, rng),
    ]


def _outcomes_seen(trial: Trial, before: list[pd.Series], rng: np.random.Generator) -> Finding:
    """Other outcomes of the test patients must change no score at all."""
    moved = 0.0
    for split, was in zip(trial.splits, before, strict=True):
        for other in _other_outcomes(trial.outcome, _only_in_test(split), rng):
            moved = max(moved, _moved(was, trial.scores(trial.features, other, split), list(was.index)))
    words = "the outcomes of test patients change the scores. Select, tune and choose directions in training only."
    return _judged("test_outcomes_seen", moved, words)


def _other_outcomes(
    outcome: pd.DataFrame, patients: Sequence[str], rng: np.random.Generator
) -> Iterator[pd.DataFrame]:
    """Turned to the opposite, all to the event (a balanced fold hides the first), and at random."""
    chosen = list(patients)
    was = outcome.loc[chosen, "event"].to_numpy(dtype=bool)
    for event in (~was, np.ones(len(was), dtype=bool), rng.random(len(was)) < 0.5):
        other = outcome.copy()
        other.loc[chosen, "event"] = event
        if "time" in other:
            other.loc[chosen, "time"] = rng.permutation(other.loc[chosen, "time"].to_numpy()) * 0.37 + 0.1
        yield other


def _seen_in_training(trial: Trial, before: list[pd.Series], rng: np.random.Generator) -> Finding:
    """Other features of the test patients must not change the scores of training patients."""
    check = "test_features_seen_in_training"
    if not any(set(train) & set(was.index) for (train, _), was in zip(trial.splits, before, strict=True)):
        return Finding(check, "dynamic", status="the pipeline gives no scores of training patients")
    moved = 0.0
    for split, was in zip(trial.splits, before, strict=True):
        test = _only_in_test(split)
        told = [one for one in was.index if one not in set(test)]
        now = trial.scores(_perturbed(trial.features, test, rng), trial.outcome, split)
        moved = max(moved, _moved(was, now, told))
    words = (
        "features of test patients change the scores of training patients. Impute, scale and reduce in training."
    )
    return _judged(check, moved, words)


def _see_each_other(trial: Trial, before: list[pd.Series], rng: np.random.Generator) -> Finding:
    """A patient's score must be the same whoever else is tested."""
    moved = 0.0
    for split, was in zip(trial.splits, before, strict=True):
        test = _only_in_test(split)
        for alone in test[:_TESTED_ALONE]:
            others = [one for one in test if one != alone]
            now = trial.scores(_perturbed(trial.features, others, rng), trial.outcome, split)
            moved = max(moved, _moved(was, now, [alone]))
    words = "a test patient's score changes with the other test patients. Use what training alone has fixed."
    return _judged("test_patients_see_each_other", moved, words)


def _canary(trial: Trial, n_shuffles: int, rng: np.random.Generator) -> Finding:
    """With outcomes dealt out at random there is nothing to find: what still predicts, leaks."""
    found = []
    for _ in range(n_shuffles):
        dealt = trial.outcome.iloc[rng.permutation(len(trial.outcome))].set_axis(trial.outcome.index)
        found.append(np.nanmean([_discrimination(trial, dealt, split) for split in trial.splits]))
    mean = float(np.mean(found))
    limit = 0.5 + _CANARY_MARGIN + 3 * float(np.std(found, ddof=1)) / np.sqrt(n_shuffles)
    words = "outcomes dealt out at random are predicted. Something outside the folds has seen them."
    return Finding("shuffled_outcomes", "dynamic", words if mean > limit else "", mean, limit)


def _discrimination(trial: Trial, outcome: pd.DataFrame, split: Split) -> float:
    test = list(split[1])
    scores, told = trial.scores(trial.features, outcome, split)[test].to_numpy(), outcome.loc[test]
    event = told["event"].to_numpy(dtype=bool)
    if "time" in told:
        return stats.concordance(scores, told["time"].to_numpy(float), event)
    return stats.area_under_curve(scores, event) if event.any() and not event.all() else float("nan")


def _only_in_test(split: Split) -> list[str]:
    train = set(split[0])
    return [one for one in split[1] if one not in train]


def _perturbed(features: pd.DataFrame, patients: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """Other values, on the feature's own scale but far out, for these patients; the missing stay missing."""
    other = features.copy()
    values = features.loc[list(patients)].to_numpy(dtype=float)
    spread = features.std().fillna(0.0).to_numpy() + 1e-3
    other.loc[list(patients)] = values + spread * rng.normal(3.0, 2.0, size=values.shape)
    return other


def _moved(was: pd.Series, now: pd.Series, patients: Sequence[str]) -> float:
    """Return the largest change of a score, in standard deviations of the scores."""
    told = [one for one in patients if one in now.index]
    if not told:
        return 0.0
    spread = float(was.std()) if len(was) > 1 and was.std() > 0 else 1.0
    gap = (was[told] - now[told]).abs().to_numpy()
    both_missing = was[told].isna().to_numpy() & now[told].isna().to_numpy()
    return float(np.where(both_missing, 0.0, np.nan_to_num(gap, nan=np.inf)).max()) / spread


def _judged(check: str, moved: float, words: str) -> Finding:
    return Finding(check, "dynamic", words if moved > _MOVED else "", moved, _MOVED)
