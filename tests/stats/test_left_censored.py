"""Means with values below a limit, against scipy's censored fit and by recovery."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import left_censored_mean


def _data(seed, n=40, mean=1.0, sd=2.0, limit=0.0):
    x = np.random.default_rng(seed).normal(mean, sd, n)
    return np.maximum(x, limit), x < limit


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limit", [-1.5, 0.5, 2.0])
def test_agrees_with_the_censored_fit_of_scipy(seed, limit):
    values, below = _data(seed, limit=limit)
    found = left_censored_mean(values, below)
    data = reference.CensoredData(uncensored=values[~below], left=values[below])
    mean, sd = reference.norm.fit(data)
    assert found.n_below == below.sum()
    assert (found.mean, found.sd) == pytest.approx((mean, sd), rel=2e-4)


def test_without_any_limit_it_is_the_plain_mean_and_the_interval_of_the_likelihood_ratio():
    values = np.array([1.0, 2.0, 4.0, 7.0, 9.0])
    found = left_censored_mean(values, np.zeros(5, bool), level=0.9)
    assert found.mean == pytest.approx(4.6, abs=1e-6)
    assert found.sd == pytest.approx(values.std(), rel=1e-5)
    # of a normal sample the ratio has a closed form: n ln(1 + (mean - at)^2 / variance) = quantile of chi-squared
    reach = values.std() * np.sqrt(np.expm1(reference.chi2.ppf(0.9, 1) / 5))
    assert (found.conf_low, found.conf_high) == pytest.approx((4.6 - reach, 4.6 + reach), abs=1e-4)


def test_scale_and_several_limits():
    values, below = _data(9, limit=0.3)
    values[below] = np.where(np.arange(below.sum()) % 2, 0.3, 1.1)
    plain, moved = left_censored_mean(values, below), left_censored_mean(10 + 3 * values, below)
    assert moved.mean == pytest.approx(10 + 3 * plain.mean, rel=1e-5)
    assert moved.conf_low == pytest.approx(10 + 3 * plain.conf_low, rel=1e-4)


def test_no_number_in_the_place_of_what_was_not_read_is_as_good():
    """Over 60 samples with a third below the limit: unbiased, where the limit itself is not."""
    found, at = [], []
    for seed in range(60):
        values, below = _data(seed, n=30, mean=1.0, sd=1.0, limit=0.6)
        found.append(left_censored_mean(values, below).mean)
        at.append(values.mean())
    error = np.std(found) / np.sqrt(60)
    assert abs(np.mean(found) - 1.0) < 3 * error
    assert abs(np.mean(at) - 1.0) > 5 * error


def test_interval_covers():
    covered = 0
    for seed in range(100):
        values, below = _data(seed, n=25, mean=0.5, sd=1.0, limit=0.0)
        found = left_censored_mean(values, below, level=0.9)
        covered += found.conf_low <= 0.5 <= found.conf_high
    assert covered / 100 == pytest.approx(0.9, abs=2 * np.sqrt(0.09 / 100))


def test_what_cannot_be_fitted_says_why():
    found = left_censored_mean([1.0, 2.0, 3.0, np.nan], [True, True, False, False])
    assert (found.n, found.n_below) == (3, 2)
    assert np.isnan(found.mean)
    assert found.status == "needs 3 different values above the limit, has 1"
    assert np.isnan(left_censored_mean([2.0, 2.0, 2.0], [False] * 3).mean)
    with pytest.raises(ImmunosarcError, match="a zero has no logarithm"):
        left_censored_mean([-np.inf, 1.0], [False, False])
    with pytest.raises(ImmunosarcError, match="need one of both for each"):
        left_censored_mean([1.0, 2.0], [False])
