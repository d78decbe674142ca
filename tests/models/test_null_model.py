"""What is permuted where there are covariates: the residuals of the model without the feature."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from firthmodels import FirthLogisticRegression

import immunosarc as ims
from immunosarc import stats
from immunosarc.models import associate

from .conftest import make_cohort, make_table

ENDPOINTS = {"firth_logistic": "objective_response", "cox": "pfs", "proportional_odds": "best_overall_response"}


@pytest.fixture
def trial():
    """Age decides on response; one feature is age with noise, one is noise."""
    rng = np.random.default_rng(12)
    age = pd.Series(rng.normal(60, 8, size=60))
    responds = age + rng.normal(0, 4, size=60) > 60
    best = np.where(responds, np.where(age > 66, "CR", "PR"), np.where(age > 55, "SD", "PD"))
    cohort = make_cohort(best.tolist())
    table = make_table(cohort, as_age=age.to_numpy() + rng.normal(0, 3, size=60), noise=rng.normal(size=60))
    return table, ims.endpoints.derive(cohort), age.set_axis(cohort.patients.index).rename("age")


@pytest.mark.parametrize("model", ["firth_logistic", "proportional_odds"])
def test_what_a_covariate_explains_is_no_finding_of_the_panel(trial, model):
    table, outcomes, age = trial
    ask = {"endpoint": ENDPOINTS[model], "model": model, "n_permutations": 499}
    alone = associate(table, outcomes, **ask).set_index("feature")
    adjusted = associate(table, outcomes, covariates=age, **ask).set_index("feature")
    assert alone["p_maxt"]["as_age"] <= 0.01
    assert adjusted["p_maxt"]["as_age"] > 0.05


def test_the_statistic_is_the_score_of_the_model_without_the_feature(trial):
    table, outcomes, age = trial
    ask = {"endpoint": "objective_response", "model": "firth_logistic", "n_permutations": 99}
    rows = associate(table[["timepoint", "measured_day", "status", "noise"]], outcomes, covariates=age, **ask)
    x = table["noise"].to_numpy(float)
    y = outcomes["objective_response"].to_numpy(bool)
    z = age.to_numpy(float)
    slope = FirthLogisticRegression().fit(z[:, None], y.astype(int)).coef_[0]
    # by hand: residuals whose sum is 0, the feature without what age explains of it
    cut = _balanced(slope * z, y.sum())
    residual = y - 1 / (1 + np.exp(-(slope * z - cut)))
    rest = x - np.polyval(np.polyfit(z, x, 1), z)
    seen = rest @ residual
    widened = np.sqrt(59 / 58)  # one covariate
    null = [widened * (rest @ residual[order]) for order in stats.permute_within(np.zeros(60), 99, seed=0)]
    expected = (1 + np.sum(np.abs(null) >= abs(seen))) / 100
    assert rows["p_maxt"][0] == pytest.approx(expected, abs=1e-12)


def _balanced(eta, wanted):
    low, high = -100.0, 100.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-(eta - middle)))).sum() > wanted else (low, middle)
    return low


def test_a_time_to_event_with_covariates_deals_out_martingale_residuals(trial):
    table, outcomes, age = trial
    rng = np.random.default_rng(3)
    late = np.exp(rng.normal(size=60) - 0.1 * (age.to_numpy() - 60))
    days = np.ceil(100 * late)
    outcomes = outcomes.assign(pfs_days=days, pfs_time=days / 30.4375, pfs_event=True, pfs_status="ok")
    ask = {"endpoint": "pfs", "model": "cox", "n_permutations": 499}
    alone = associate(table, outcomes, **ask).set_index("feature")
    adjusted = associate(table, outcomes, covariates=age, **ask).set_index("feature")
    assert alone["p_maxt"]["as_age"] <= 0.05 < adjusted["p_maxt"]["as_age"]
