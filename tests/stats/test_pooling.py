"""Pooling over cohorts: statsmodels, the likelihood maximized by other means, and simulated cohorts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import combine_effects

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import pool_effects, replication_bayes_factor

CASES = [
    ([0.5, 0.1, 0.4], [0.2, 0.25, 0.3]),
    ([0.9, -0.4, 0.5, 0.1, 1.6], [0.2, 0.25, 0.3, 0.15, 0.4]),
    ([-0.2, 1.4], [0.2, 0.3]),
]


def _restricted(y, v):
    """The restricted likelihood as the likelihood of contrasts, which know nothing of the mean."""
    k = len(y)
    contrasts = np.linalg.svd(np.ones((1, k)))[2][1:]

    def loss(tau2):
        covariance = contrasts @ np.diag(v + tau2) @ contrasts.T
        return -stats.multivariate_normal(np.zeros(k - 1), covariance).logpdf(contrasts @ y)

    found = min(
        (
            optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-13})
            for bounds in ((0, 0.2), (0.1, 4))
        ),
        key=lambda one: one.fun,
    )
    return found.x if found.fun < loss(0.0) else 0.0


@pytest.mark.parametrize(("y", "se"), CASES)
def test_between_cohorts_variance_maximizes_the_restricted_likelihood(y, se):
    found = pool_effects(y, se)
    assert found.tau**2 == pytest.approx(_restricted(np.array(y), np.array(se) ** 2), abs=1e-6)


@pytest.mark.parametrize(("y", "se"), CASES)
def test_mean_and_interval_are_those_of_weighted_least_squares(y, se):
    found = pool_effects(y, se, level=0.9, interval="hartung_knapp")
    weights = 1 / (np.square(se) + found.tau**2)
    fit = sm.WLS(y, np.ones(len(y)), weights=weights).fit()
    assert found.estimate == pytest.approx(fit.params[0], abs=1e-10)
    assert found.std_error == pytest.approx(fit.bse[0], abs=1e-10)
    assert (found.conf_low, found.conf_high) == pytest.approx(tuple(fit.conf_int(0.1)[0]), abs=1e-10)
    assert found.p_value == pytest.approx(fit.pvalues[0], abs=1e-10)
    np.testing.assert_allclose(found.weights, weights / weights.sum(), atol=1e-12)


@pytest.mark.parametrize(("y", "se"), CASES)
def test_heterogeneity_is_that_of_statsmodels(y, se):
    found, known = pool_effects(y, se), combine_effects(np.array(y), np.square(se))
    assert found.q == pytest.approx(known.q, abs=1e-10)
    assert found.i_squared == pytest.approx(max(0, known.i2), abs=1e-10)
    assert found.q_p_value == pytest.approx(stats.chi2.sf(known.q, len(y) - 1), abs=1e-10)


def test_prediction_needs_three_cohorts_and_holds_a_new_one():
    assert np.isnan(pool_effects(*CASES[2]).predict_low)
    rng = np.random.default_rng(3)
    covered = inside = 0
    trials = 250
    for _ in range(trials):
        truth = 0.3 + 0.4 * rng.normal(size=7)
        se = rng.uniform(0.15, 0.4, 6)
        found = pool_effects(truth[:6] + se * rng.normal(size=6), se, n_draws=400)
        covered += found.predict_low <= truth[6] <= found.predict_high
        inside += found.conf_low <= 0.3 <= found.conf_high
    assert covered / trials == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / trials))
    assert inside / trials == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / trials))


def test_cohorts_that_agree_by_chance_are_not_surer_than_their_own_errors():
    """By definition: q below 1 is 1, so that no interval is narrower than that of known errors."""
    y, se = np.array([0.50, 0.51]), np.array([0.30, 0.40])
    plain, honest = pool_effects(y, se, interval="hartung_knapp"), pool_effects(y, se)
    assert honest.tau == plain.tau == 0
    assert honest.estimate == plain.estimate
    known = 1 / math.sqrt(1 / 0.3**2 + 1 / 0.4**2)
    assert honest.std_error == pytest.approx(known, rel=1e-12)
    assert honest.conf_high - honest.estimate == pytest.approx(12.7062047364 * known, rel=1e-9)
    assert honest.p_value == pytest.approx(2 * stats.t.sf(honest.estimate / known, 1), rel=1e-12)
    assert plain.p_value < 0.01 < 0.2 < honest.p_value  # two cohorts, neither of which shows anything by itself
    assert plain.conf_high - plain.conf_low < 2 * 1.96 * known / 4


def test_cohorts_that_scatter_as_expected_are_not_touched():
    y, se = [0.9, -0.4, 0.5, 0.1, 1.6, 0.2], [0.2, 0.25, 0.3, 0.15, 0.4, 0.3]
    plain, honest = pool_effects(y, se, interval="hartung_knapp"), pool_effects(y, se)
    q = (plain.std_error**2) * (1 / (np.square(se) + plain.tau**2)).sum()
    assert honest.std_error == pytest.approx(plain.std_error * math.sqrt(max(1.0, 1.0 / q)), rel=1e-9)


def test_the_default_keeps_its_promise_also_when_cohorts_agree():
    """Without heterogeneity the plain interval misses too often in the trials whose cohorts happen to agree."""
    rng = np.random.default_rng(3)
    covered, plain = [], []
    while len(covered) < 200:
        se = rng.uniform(0.2, 0.5, 3)
        y = 0.3 + se * rng.normal(size=3)
        if combine_effects(y, se**2).q > 0.4:
            continue
        one, other = (
            pool_effects(y, se, n_draws=2, interval=name) for name in ("hartung_knapp_truncated", "hartung_knapp")
        )
        covered.append(one.conf_low <= 0.3 <= one.conf_high)
        plain.append(other.conf_low <= 0.3 <= other.conf_high)
    assert np.mean(covered) >= 0.95
    assert np.mean(plain) < 0.80


def test_missing_cohorts_and_few_cohorts():
    whole, part = pool_effects([0.5, 0.1], [0.2, 0.3]), pool_effects([0.5, np.nan, 0.1], [0.2, 0.3, 0.3])
    assert part.estimate == whole.estimate
    assert part.weights[1] == 0
    one = pool_effects([0.5], [0.2])
    assert (one.conf_low, one.conf_high) == pytest.approx((0.5 - 1.959964 * 0.2, 0.5 + 1.959964 * 0.2), abs=1e-6)
    assert np.isnan(one.tau)
    assert np.isnan(pool_effects([np.nan], [0.1]).estimate)


def test_replication_bayes_factor_is_a_ratio_of_marginal_likelihoods():
    grid = np.linspace(-6, 8, 200_001)
    belief = stats.norm(0.8, 0.3).pdf(grid)
    with_effect = np.trapezoid(belief * stats.norm(grid, 0.25).pdf(0.6), grid)
    assert replication_bayes_factor((0.8, 0.3), (0.6, 0.25)) == pytest.approx(
        with_effect / stats.norm(0, 0.25).pdf(0.6), rel=1e-8
    )
    assert replication_bayes_factor((0.8, 0.2), (-0.2, 0.2)) < 1 / 3


def test_an_unknown_interval_is_refused():
    with pytest.raises(ImmunosarcError, match=r"unknown 'hartung_knap'.*hartung_knapp"):
        pool_effects([0.1, 0.2], [0.1, 0.1], interval="hartung_knap")


@pytest.mark.parametrize("call", [lambda: pool_effects([0.1], [0.0]), lambda: pool_effects([0.1, 0.2], [0.1])])
def test_bad_questions(call):
    with pytest.raises(ImmunosarcError, match="std_errors"):
        call()
