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


def dealt_out(x, design, residuals, strata, orders):
    """Standardized covariances of a feature with residuals dealt out, written out; the first is the one seen.

    Widened by the degrees of freedom of the covariates, but for the one seen.
    """
    has = ~np.isnan(x)
    rest = np.full(len(x), np.nan)
    rest[has] = x[has] - design[has] @ np.linalg.lstsq(design[has], x[has], rcond=None)[0]
    found = []
    for order in [np.arange(len(x)), *orders]:
        total = variance = 0.0
        for s in np.unique(strata):
            mine = has & (strata == s)
            a, b = residuals[order][mine], rest[mine] - rest[mine].mean()
            total += a @ b
            variance += (b @ b) * np.sum((a - a.mean()) ** 2) / (mine.sum() - 1)
        found.append(total / np.sqrt(variance))
    free = has.sum() - len(np.unique(strata))
    widened = np.sqrt(free / (free - design.shape[1] + 1))
    return found[0], widened * np.array(found[1:])


def p_maxt_by_hand(table, kept, design, residuals, strata, orders):
    pairs = [
        dealt_out(table[name].to_numpy(float)[kept], design, residuals, strata, orders) for name in ("some", "all")
    ]
    return stats.step_down_maxt([pair[0] for pair in pairs], np.column_stack([pair[1] for pair in pairs]))


@pytest.fixture
def two_stages():
    """Two covariates, two strata, a feature that some lack and one that none does, entry with the sample."""
    rng = np.random.default_rng(21)
    n = 44
    stage = np.repeat([0, 1], [24, 20])
    z = pd.DataFrame({"age": rng.normal(size=n) + stage, "sex": (rng.random(n) < 0.4).astype(float)})
    lean = (1.2 * z["age"] - z["sex"] - stage).to_numpy()
    days = np.ceil(60 + 200 * rng.exponential(size=n) * np.exp(-0.8 * lean))
    cohort = make_cohort(list(np.where(rng.random(n) < 1 / (1 + np.exp(-lean)), "PR", "PD")))
    sampled = rng.integers(5, 60, n)
    sampled[stage == 1] += 40  # whole strata enter late, so that risk sets depend on it
    sampled = np.minimum(sampled, days - 1)
    features = rng.normal(size=(2, n)) + 0.5 * z["age"].to_numpy() + 0.3 * lean
    features[0, rng.random(n) < 0.2] = np.nan
    outcomes = ims.endpoints.derive(cohort).assign(
        pfs_days=days, pfs_time=days / 30.4375, pfs_event=rng.random(n) < 0.8, pfs_status="ok"
    )
    table = make_table(cohort, "on", some=features[0], all=features[1]).assign(measured_day=sampled)
    labels = cohort.patients.index
    return table, outcomes, z.set_axis(labels), pd.Series(stage, index=labels, name="stage")


def test_response_with_covariates_strata_and_missing_values_by_hand(two_stages):
    table, outcomes, z, stage = two_stages
    ask = {"endpoint": "objective_response", "model": "firth_logistic", "n_permutations": 199}
    rows = associate(table, outcomes, covariates=z, strata=stage, **ask)
    y, s = outcomes["objective_response"].to_numpy(bool), stage.to_numpy()
    peer = FirthLogisticRegression(gtol=1e-9, xtol=1e-9, max_iter=200)
    slopes = peer.fit(np.column_stack([z, s]), y.astype(int)).coef_[:2]
    eta, residuals = z.to_numpy() @ slopes, np.empty(len(y))
    for one in (0, 1):
        mine = s == one
        cut = _balanced(eta[mine], y[mine].sum())
        residuals[mine] = y[mine] - 1 / (1 + np.exp(-(eta[mine] - cut)))
    design = np.column_stack([np.ones(len(y)), z])
    orders = stats.permute_within(s, 199, seed=0)
    expected = p_maxt_by_hand(table, slice(None), design, residuals, s, orders)
    assert rows["p_maxt"].tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("adjusted", [False, True])
def test_patients_at_risk_from_their_sample_on_by_hand(two_stages, adjusted):
    table, outcomes, z, stage = two_stages
    ask = {"endpoint": "pfs", "model": "cox_time_dependent", "n_permutations": 199}
    rows = associate(table, outcomes, covariates=z if adjusted else None, strata=stage, **ask)
    time, event = outcomes["pfs_time"].to_numpy(float), outcomes["pfs_event"].to_numpy(bool)
    entry, s = table["measured_day"].to_numpy(float) / 30.4375, stage.to_numpy()
    kept = entry < time
    time, event, entry, s = (a[kept] for a in (time, event, entry, s))
    others = z.to_numpy()[kept]
    eta = np.zeros(len(time))
    if adjusted:
        how = {"entry": entry, "strata": s}
        slopes = [
            stats.firth_cox(others[:, [j]], time, event, covariates=others[:, [1 - j]], **how).estimate[0]
            for j in (0, 1)
        ]
        eta = others @ slopes
    residuals = event.astype(float)
    for i in range(len(time)):
        for k in np.flatnonzero(event & (s == s[i])):
            risk = (entry < time[k]) & (time[k] <= time) & (s == s[i])
            residuals[i] -= risk[i] * np.exp(eta[i]) / np.exp(eta[risk]).sum()
    design = np.column_stack([np.ones(len(time)), others]) if adjusted else np.ones((len(time), 1))
    expected = p_maxt_by_hand(table, kept, design, residuals, s, stats.permute_within(s, 199, seed=0))
    assert rows["p_maxt"].tolist() == pytest.approx(expected, abs=1e-12)
