"""The whole pipeline again in bootstrap samples: optimism, left-out patients, and the spread of the estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunosarc import stats
from immunosarc.models._cross_validate_pipeline import Patients, Recipe, deal_folds, discrimination, fit_tuned
from immunosarc.workers import Workers

__all__ = ["Bootstraps", "Redone", "Scores", "bootstrapped", "cross_validated", "one_round", "scores_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Discrimination and, for a binary endpoint, Brier score of some predictions."""

    discrimination: float
    brier: float


@dataclass(frozen=True)
class Bootstraps:
    """One value per bootstrap sample: shape (n_bootstrap, 2), columns discrimination and Brier score.

    Attributes
    ----------
    in_sample, in_original, out_of_bag : ndarray
        The bootstrap model in its own sample, in all patients, in those it never saw.
    repeated : ndarray
        The cross-validated estimate made anew in the bootstrap sample, a patient's copies in one fold.
    linear : ndarray of shape (n_bootstrap, n_patients)
        Linear predictors of the bootstrap models in all patients.
    """

    in_sample: Floats
    in_original: Floats
    out_of_bag: Floats
    repeated: Floats
    linear: Floats


def scores_of(linear: Floats, data: Patients) -> Scores:
    """Measure linear predictors against what happened."""
    error = float("nan") if data.time is not None else stats.brier(special.expit(linear), data.event)
    return Scores(discrimination(linear, data), error)


def cross_validated(
    recipe: Recipe, data: Patients, n_folds: int, rng: np.random.Generator
) -> tuple[Scores, Floats]:
    """One round of nested cross-validation: scores averaged over test folds, and each row's linear predictor."""
    linear = np.full(len(data.event), np.nan)
    folds = []
    for train, test in deal_folds(data, n_folds, rng):
        if not len(test) or not data.take(train).can_be_fitted():
            continue
        linear[test] = fit_tuned(recipe, data.take(train), rng).linear(data.x[test])[0]
        folds.append(discrimination(linear[test], data.take(test)))
    known = np.array([one for one in folds if np.isfinite(one)])
    seen = np.isfinite(linear)
    error = float("nan")
    if data.time is None and seen.any():
        error = stats.brier(special.expit(linear[seen]), data.event[seen])
    return Scores(float(known.mean()) if known.size else float("nan"), error), linear


class Redone(NamedTuple):
    """The pipeline on one data set: who fits what, how, and where its random numbers begin."""

    recipe: Recipe
    data: Patients
    n_folds: int
    seed: tuple[int, ...]


def one_round(task: Redone) -> tuple[Scores, Floats]:
    """One round of nested cross-validation, as a task of its own."""
    return cross_validated(task.recipe, task.data, task.n_folds, np.random.default_rng(task.seed))


def bootstrapped(
    recipe: Recipe, data: Patients, n_folds: int, *, n_bootstrap: int, seed: int, hands: Workers | None = None
) -> Bootstraps:
    """Draw patients with and without the event, each as many as there are, and start from the beginning."""
    tasks = (Redone(recipe, data, n_folds, (seed, 1, b)) for b in range(n_bootstrap))
    rows = list((hands or Workers()).map(_one_bootstrap, tasks))
    pairs, linear = np.array([one for one, _ in rows]), np.array([one for _, one in rows])
    in_sample, in_original, out_of_bag, repeated = pairs.reshape(-1, 4, 2).transpose(1, 0, 2)
    return Bootstraps(in_sample, in_original, out_of_bag, repeated, linear.reshape(-1, len(data.event)))


def _one_bootstrap(task: Redone) -> tuple[Floats, Floats]:
    """Return the pairs of one bootstrap sample (rows as in :class:`Bootstraps`) and its linear predictor."""
    recipe, data, n_folds, seed = task
    rng = np.random.default_rng(seed)
    pairs, n = np.full((4, 2), np.nan), len(data.event)
    sides = [np.flatnonzero(data.event), np.flatnonzero(~data.event)]
    rows = np.concatenate([rng.choice(side, len(side)) for side in sides if len(side)])
    drawn = data.take(rows)
    if not drawn.can_be_fitted():
        return pairs, np.full(n, np.nan)
    linear = fit_tuned(recipe, drawn, rng).linear(data.x)[0]
    left_out = np.setdiff1d(np.arange(n), rows)
    pairs[0] = _pair(scores_of(linear[rows], drawn))
    pairs[1] = _pair(scores_of(linear, data))
    if len(left_out):
        pairs[2] = _pair(scores_of(linear[left_out], data.take(left_out)))
    pairs[3] = _pair(cross_validated(recipe, drawn, n_folds, rng)[0])
    return pairs, linear


def _pair(scores: Scores) -> tuple[float, float]:
    return scores.discrimination, scores.brier
