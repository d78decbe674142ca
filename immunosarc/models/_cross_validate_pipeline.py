"""One pipeline, everything that learns inside it: impute, scale, select, tune the penalty, fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunosarc import stats
from immunosarc.models._analysis_set import AnalysisSet
from immunosarc.registry import Registry

__all__ = [
    "PREDICTORS",
    "Fitted",
    "Patients",
    "Preparation",
    "Recipe",
    "deal_folds",
    "discrimination",
    "fit_tuned",
    "patients_of",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

PREDICTORS = Registry("prediction model")
"""The penalized models; ``PREDICTORS.table()`` lists them."""

_NO_SPREAD = 1e-12
_RIDGE_PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
_LASSO_PENALTIES = (0.4, 0.25, 0.16, 0.1, 0.06, 0.03)
for _name, _label, _share in (
    ("ridge_logistic", "Ridge logistic", 0.0),
    ("lasso_logistic", "Lasso logistic", 1.0),
    ("elastic_net_logistic", "Elastic net logistic", 0.5),
):
    PREDICTORS.register(
        _name,
        label=_label,
        kind="binary",
        l1_ratio=_share,
        penalties=_LASSO_PENALTIES if _share else _RIDGE_PENALTIES,
        reference="10.18637/jss.v033.i01",
    )(stats.penalized_logistic)
PREDICTORS.register(
    "ridge_cox",
    label="Ridge Cox",
    kind="time_to_event",
    l1_ratio=0.0,
    penalties=_RIDGE_PENALTIES,
    reference="10.1002/sim.4780132307",
)(stats.penalized_cox)


@dataclass(frozen=True)
class Patients:
    """Rows of the analysis; a patient drawn twice by a bootstrap keeps one group.

    Attributes
    ----------
    x : ndarray of shape (n_rows, n_columns)
        Features, then covariates; missing = NaN.
    event : ndarray of bool
        The binary endpoint, or whether the event happened.
    time : ndarray or None
        Months, for a time-to-event endpoint.
    group : ndarray of int
        Which rows are one patient.
    """

    x: Floats
    event: Bools
    time: Floats | None
    group: Rows

    def take(self, rows: Rows) -> Patients:
        """Return these rows, which may repeat."""
        time = None if self.time is None else self.time[rows]
        return Patients(self.x[rows], self.event[rows], time, self.group[rows])

    def can_be_fitted(self) -> bool:
        """Whether there is anything to tell apart."""
        if self.time is None:
            return bool(self.event.any() and not self.event.all())
        return bool(self.event.any()) and bool(np.ptp(self.time) > 0)


@dataclass(frozen=True)
class Recipe:
    """What is fitted: a name of ``PREDICTORS``, how many features are kept, and the folds that tune it.

    The last ``n_always`` columns are covariates, which selection leaves in.
    """

    model: str
    n_select: int | None
    n_always: int
    n_folds: int


@dataclass(frozen=True)
class Preparation:
    """What the training patients fixed: their medians for the missing, their scale, the features that stay.

    Attributes
    ----------
    median, mean, spread : ndarray of shape (n_columns,)
        The standard deviation is 1 where a column does not vary, the median 0 where nobody has a value.
    kept : ndarray of bool, shape (n_columns,)
        Features and covariates that enter the model.
    """

    median: Floats
    mean: Floats
    spread: Floats
    kept: Bools

    def transform(self, x: Floats) -> Floats:
        """Impute and scale every row by the numbers of the training patients, and select."""
        return np.asarray((np.where(np.isnan(x), self.median, x) - self.mean) / self.spread)[:, self.kept]


@dataclass(frozen=True)
class Fitted:
    """A pipeline that was fitted to training patients."""

    preparation: Preparation
    path: stats.PenalizedPath

    def linear(self, x: Floats) -> Floats:
        """Return log odds or log hazards, one row per penalty."""
        prepared = self.preparation.transform(x)
        return np.asarray(self.path.intercept[:, None] + self.path.coefficients @ prepared.T)


def patients_of(found: AnalysisSet) -> Patients:
    """Return the rows that a pipeline is fitted to, each patient a group of its own."""
    x = np.column_stack([found.features, found.covariates])
    return Patients(x, found.event, found.time, np.arange(len(found.event)))


def fit_tuned(recipe: Recipe, data: Patients, rng: np.random.Generator) -> Fitted:
    """Choose the penalty by folds of these patients, every step repeated in each, then fit all of them."""
    penalties = np.array(PREDICTORS[recipe.model].penalties)
    loss = np.zeros(len(penalties))
    for train, test in deal_folds(data, recipe.n_folds, rng):
        if data.take(train).can_be_fitted():
            inner = _fit(recipe, data.take(train), penalties)
            loss += _held_out_loss(inner, data, train, test)
    return _fit(recipe, data, penalties[[int(np.argmin(loss))]])  # a tie takes the strongest penalty


def deal_folds(data: Patients, n_folds: int, rng: np.random.Generator) -> Iterator[tuple[Rows, Rows]]:
    """Deal patients to folds like cards, those with the event first; rows of one patient stay together."""
    groups, first = np.unique(data.group, return_index=True)
    shuffled = rng.permutation(len(groups))
    order = shuffled[np.argsort(~data.event[first][shuffled], kind="stable")]
    fold_of_group = np.empty(len(groups), dtype=np.intp)
    fold_of_group[order] = np.arange(len(groups)) % n_folds
    fold = fold_of_group[np.searchsorted(groups, data.group)]
    for one in range(n_folds):
        yield np.flatnonzero(fold != one), np.flatnonzero(fold == one)


def discrimination(score: Floats, data: Patients) -> float:
    """Return the AUC, or Harrell's concordance for a time-to-event endpoint."""
    if data.time is None:
        return stats.area_under_curve(score, data.event)
    return stats.concordance(score, data.time, data.event)


def _fit(recipe: Recipe, data: Patients, penalties: Floats) -> Fitted:
    record = PREDICTORS[recipe.model]
    preparation = _preparation(recipe, data)
    x = preparation.transform(data.x)
    if data.time is not None:
        return Fitted(preparation, record.call(x, data.time, data.event, penalties=penalties))
    path = record.call(x, data.event, penalties=penalties, l1_ratio=record.l1_ratio)
    return Fitted(preparation, path)


def _preparation(recipe: Recipe, data: Patients) -> Preparation:
    """Learn medians, scale and the best features from these patients alone."""
    missing = np.isnan(data.x)
    median = np.zeros(data.x.shape[1])
    known = ~missing.all(axis=0)
    median[known] = np.nanmedian(data.x[:, known], axis=0)
    x = np.where(missing, median, data.x)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread <= _NO_SPREAD * np.maximum(np.abs(mean), 1.0)] = 1.0
    kept = np.ones(data.x.shape[1], dtype=bool)
    n_features = data.x.shape[1] - recipe.n_always
    if recipe.n_select is not None and recipe.n_select < n_features:
        strength = _univariate((x - mean)[:, :n_features] / spread[:n_features], data.event, data.time)
        kept[np.argsort(strength, kind="stable")[: n_features - recipe.n_select]] = False
    return Preparation(median, mean, spread, kept)


def _univariate(x: Floats, event: Bools, time: Floats | None) -> Floats:
    """Strength of each scaled feature on its own: the score statistic against outcome or log-rank residual."""
    response = event.astype(float) if time is None else stats.log_rank_scores(time, event)
    return np.abs((response - response.mean()) @ x)


def _held_out_loss(fitted: Fitted, data: Patients, train: Rows, test: Rows) -> Floats:
    """Return minus the log likelihood that the left-out rows add, per penalty."""
    if data.time is None:
        eta = fitted.linear(data.x[test])
        return np.asarray(np.sum(-special.log_expit(np.where(data.event[test], eta, -eta)), axis=1))
    eta = fitted.linear(data.x)
    whole = stats.log_partial_likelihood(eta, data.time, data.event)
    return np.asarray(stats.log_partial_likelihood(eta[:, train], data.time[train], data.event[train]) - whole)
