"""Graded outcomes: proportional odds and rank correlation against statsmodels, scipy and definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import optimize, special
from scipy import stats as reference
from statsmodels.miscmodels.ordinal_model import OrderedModel

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import (
    detectable_ordinal,
    detectable_rank_correlation,
    permute_within,
    proportional_odds,
    rank_correlation,
    rank_correlation_null,
    rank_sum_null,
    rank_sum_statistic,
)

N = 36
RNG = np.random.default_rng(31)
X = RNG.normal(size=(N, 3))
Z = RNG.normal(size=(N, 1))
Y = np.digitize(X[:, 0] + RNG.logistic(size=N), [-0.8, 0.6, 2.0])
X[RNG.random(N) < 0.2, 1] = np.nan
STRATA = RNG.integers(0, 2, N)


def log_likelihood(beta, x, z, y, theta):
    eta = x * beta[0] + z @ beta[1:]
    edges = np.concatenate([[-np.inf], theta, [np.inf]])
    return np.log(special.expit(edges[y + 1] - eta) - special.expit(edges[y] - eta)).sum()


@pytest.mark.filterwarnings("ignore")  # the peer stops short of its own tolerance and says so
def test_proportional_odds_agree_with_statsmodels():
    fits = proportional_odds(X, Y, covariates=Z)
    for k in range(3):
        has = ~np.isnan(X[:, k])
        peer = OrderedModel(Y[has], np.column_stack([X[has, k], Z[has]]), distr="logit")
        found = peer.fit(method="bfgs", disp=0, gtol=1e-9, maxiter=2000)
        assert fits.estimate[k] == pytest.approx(found.params[0], abs=1e-6)
        assert fits.std_error[k] == pytest.approx(found.bse[0], rel=1e-4)
        assert fits.n[k] == has.sum()
        assert fits.n_events[k] == (Y[has] > 0).sum()


def test_limits_and_p_are_those_of_the_profile_likelihood():
    fits = proportional_odds(X[:, :1], Y, covariates=Z)
    student = reference.t(len(Y) - 5)  # two slopes and three cuts
    critical = student.ppf(0.975) ** 2

    def profiled(b):
        def worse(free):
            theta = np.cumsum(np.r_[free[1], np.exp(free[2:])])
            return -log_likelihood(np.r_[b, free[0]], X[:, 0], Z, Y, theta)

        return -optimize.minimize(worse, [0, -1, 0, 0], tol=1e-12).fun

    top = profiled(fits.estimate[0])
    for limit in (fits.conf_low[0], fits.conf_high[0]):
        assert 2 * (top - profiled(limit)) == pytest.approx(critical, abs=1e-6)
    assert fits.p_value[0] == pytest.approx(2 * student.sf(np.sqrt(2 * (top - profiled(0.0)))), rel=1e-5)
    assert top >= profiled(fits.estimate[0] + 0.01)
    assert top >= profiled(fits.estimate[0] - 0.01)


def test_two_grades_are_a_logistic_model():
    from immunosarc.stats import logistic

    group = Y > 1
    graded, plain = proportional_odds(X, group.astype(float) * 7, covariates=Z), logistic(X, group, covariates=Z)
    for name in ("n", "n_events", "estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value"):
        np.testing.assert_allclose(getattr(graded, name), getattr(plain, name), rtol=1e-7)


def test_reversing_the_grades_reverses_the_effect():
    up, down = proportional_odds(X, Y), proportional_odds(X, -Y)
    np.testing.assert_allclose(up.estimate, -down.estimate, rtol=1e-7)
    np.testing.assert_allclose(up.conf_low, -down.conf_high, rtol=1e-7)
    assert up.estimate[0] > 0


def test_rank_correlation_is_spearmans():
    fits = rank_correlation(X, Y)
    for k in range(3):
        has = ~np.isnan(X[:, k])
        rho = reference.spearmanr(X[has, k], Y[has]).statistic
        n = has.sum()
        assert fits.estimate[k] == pytest.approx(rho, abs=1e-12)
        assert fits.statistic[k] == pytest.approx(rho * np.sqrt(n - 1), abs=1e-10)
        half = 1.959964 * np.sqrt((1 + rho**2 / 2) / (n - 3))
        assert fits.conf_low[k] == pytest.approx(np.tanh(np.arctanh(rho) - half), abs=1e-6)


def test_with_two_grades_it_is_the_rank_sum():
    group = Y > 1
    np.testing.assert_allclose(
        rank_correlation(X, group * 1.0, strata=STRATA).statistic, rank_sum_statistic(X, group, strata=STRATA)
    )
    orders = permute_within(STRATA, 300, seed=4)
    np.testing.assert_allclose(
        rank_correlation_null(X, group * 1.0, orders, strata=STRATA),
        rank_sum_null(X, group, orders, strata=STRATA),
        atol=1e-10,
    )


def test_the_null_is_that_of_all_orders_of_the_outcome():
    x, y = np.array([3.0, 1.0, 4.0, 1.5, 5.0]), np.array([0, 0, 1, 2, 2.0])
    orders = np.array(list(itertools.permutations(range(5))))
    null = rank_correlation_null(x[:, None], y, orders)[:, 0]
    by_hand = [reference.spearmanr(x, y[list(order)]).statistic * 2.0 for order in orders]
    np.testing.assert_allclose(null, by_hand, atol=1e-10)
    assert null.mean() == pytest.approx(0.0, abs=1e-12)
    assert null.var() == pytest.approx(1.0)


def test_hopeless_features_say_why():
    values = np.column_stack([np.ones(N), np.full(N, np.nan), Y + RNG.random(N) * 0.5, -Y - RNG.random(N) * 0.5])
    fits = proportional_odds(values, Y)
    ordered = "orders the grades perfectly: no finite estimate (use rank_correlation)"
    assert fits.status.tolist() == ["constant feature", "needs patients of two grades", ordered, ordered]
    assert np.isnan(fits.estimate).all()
    assert set(proportional_odds(X, np.ones(N)).status) == {"needs patients of two grades"}
    ranked = rank_correlation(values, Y)
    assert ranked.status.tolist()[:2] == ["constant feature", "needs 4 patients, has 0"]
    assert ranked.estimate[2] > 0.9
    with pytest.raises(ImmunosarcError, match="outcome: missing or infinite at rows"):
        proportional_odds(X, np.r_[np.nan, Y[1:]])
    with pytest.raises(ImmunosarcError, match="one value for each of 36 patients"):
        rank_correlation(X, Y[1:])


@pytest.mark.parametrize("n", [200])
def test_detectable_grades_are_found_in_four_of_five_large_trials(n):
    rng = np.random.default_rng(8)
    x = reference.norm.ppf((np.arange(n) + 0.5) / n)[:, None]
    base = np.repeat([0, 1, 2, 3], [n // 2, n // 4, n // 8, n - n // 2 - n // 4 - n // 8])
    slope = detectable_ordinal(x, base, alpha=0.05).item()
    cuts = special.logit(np.cumsum([0.5, 0.25, 0.125]))
    found = []
    for _ in range(300):
        y = np.digitize(slope * x[:, 0] + rng.logistic(size=n), cuts)
        found.append(proportional_odds(x, y).p_value[0] <= 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / 300))
    rho = detectable_rank_correlation(x, base, alpha=0.05).item()
    assert np.arctanh(rho) * np.sqrt(n - 3) == pytest.approx(1.959964 + 0.841621, abs=1e-5)
