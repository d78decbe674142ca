"""Recalibration against statsmodels and the definitions; the interval of Harrell's C against many trials."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from lifelines import CoxPHFitter
from pandas import DataFrame
from scipy.special import expit, logit
from scipy.stats import chi2

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import Recalibration, concordance_interval, recalibration, recalibration_of_hazards


def _patients(seed: int = 0, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    eta = rng.normal(size=n)
    return eta, rng.random(n) < expit(0.6 + 0.5 * eta)


def test_shift_and_tests_are_those_of_statsmodels_with_an_offset():
    eta, y = _patients()
    found = recalibration(eta, y)
    family = sm.families.Binomial()
    shifted = sm.GLM(y.astype(float), np.ones(60), family=family, offset=eta).fit(tol=1e-13)
    free = sm.GLM(y.astype(float), sm.add_constant(eta), family=family).fit(tol=1e-13)
    as_it_is = np.log(np.where(y, expit(eta), 1 - expit(eta))).sum()
    assert found.shift == pytest.approx(shifted.params[0], abs=1e-8)
    assert found.p_as_it_is == pytest.approx(chi2.sf(2 * (free.llf - as_it_is), 2), abs=1e-7)
    assert found.p_slope == pytest.approx(chi2.sf(2 * (free.llf - shifted.llf), 1), abs=1e-7)
    for limit in (found.conf_low, found.conf_high):
        there = np.log(np.where(y, expit(eta + limit), 1 - expit(eta + limit))).sum()
        assert 2 * (shifted.llf - there) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-6)
    assert found.conf_low < found.shift < found.conf_high


@pytest.mark.parametrize(
    ("a", "b", "needed"),
    [(0.0, 1.0, "nothing"), (1.5, 1.0, "intercept"), (1.0, 0.2, "intercept and slope")],
)
def test_what_was_bent_is_what_needs_fitting(a, b, needed):
    eta = np.repeat(np.linspace(-2, 2, 21), 40)
    share = np.tile((np.arange(40) + 0.5) / 40, 21)
    event = share < expit(a + b * eta)  # as many events at each risk as there should be
    assert recalibration(eta, event).needed() == needed


def test_a_model_that_holds_is_changed_in_one_of_twenty_cohorts():
    changed = []
    for seed in range(400):
        rng = np.random.default_rng([3, seed])
        eta = rng.normal(size=80)
        changed.append(recalibration(eta, rng.random(80) < expit(eta)).needed() != "nothing")
    assert abs(np.mean(changed) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400)


def test_hazards_are_compared_by_the_partial_likelihood_of_lifelines():
    rng = np.random.default_rng(1)
    eta = rng.normal(size=50)
    time, event = rng.exponential(np.exp(-0.3 * eta)), rng.random(50) < 0.8
    fit = CoxPHFitter().fit(DataFrame({"eta": eta, "time": time, "event": event}), "time", "event")
    found = recalibration_of_hazards(eta, time, event)
    order = np.argsort(time)
    risk = np.exp(eta[order])
    at_one = sum(np.log(risk[i] / risk[i:].sum()) for i in np.flatnonzero(event[order]))
    assert found.p_as_it_is == pytest.approx(chi2.sf(2 * (fit.log_likelihood_ - at_one), 1), abs=1e-5)
    assert found.needed() == "slope"
    assert np.isnan(found.shift)
    assert recalibration_of_hazards(np.ones(50), time, event).needed() == "unknown"


def test_degenerate_cohorts_have_no_number_and_a_perfect_split_has():
    assert recalibration([0.1, 0.4], [1, 1]).needed() == "unknown"
    assert np.isnan(recalibration([0.1, 0.4], [0, 0]).shift)
    same = recalibration([0.5] * 6, [1, 0, 0, 0, 0, 0])
    assert same.shift == pytest.approx(logit(1 / 6) - 0.5)
    assert np.isnan(same.p_as_it_is)
    split = recalibration([-1.0, -0.5, 0.5, 1.0], [0, 0, 1, 1])
    as_it_is = np.log(expit(np.array([1.0, 0.5, 0.5, 1.0]))).sum()
    assert split.p_as_it_is == pytest.approx(chi2.sf(-2 * as_it_is, 2), abs=1e-4)
    with pytest.raises(ImmunosarcError, match="need a finite number"):
        recalibration([np.nan, 1.0], [0, 1])
    with pytest.raises(ImmunosarcError, match=r"level: need a number between 0 and 1, have 95"):
        recalibration([0.0, 1.0], [0, 1], level=95)
    assert Recalibration(0.5, 0, 1, 0.05, 0.2).needed() == "nothing"
    assert Recalibration(0.5, 0, 1, 0.04, 0.05).needed() == "intercept"


def test_the_error_of_c_is_the_spread_of_c():
    found, errors = [], []
    for seed in range(300):
        rng = np.random.default_rng([4, seed])
        risk = rng.normal(size=50)
        time, event = rng.exponential(np.exp(-0.7 * risk)), rng.random(50) < 0.7
        c, low, high = concordance_interval(risk, time, event)
        found.append(c)
        errors.append((logit(high) - logit(low)) / (2 * 1.959964) * c * (1 - c))
    assert np.mean(errors) == pytest.approx(np.std(found, ddof=1), rel=0.1)


def test_the_interval_of_c_by_hand():
    risk, time, event = [2.0, 1.0, 3.0, 0.0], [1, 2, 3, 4], [1, 1, 1, 0]
    # pairs (earlier, later): 01 won, 02 lost, 03 won, 12 lost, 13 won, 23 won
    won, of = np.array([2, 2, 1, 3]), np.array([3, 3, 3, 3])
    c = 4 / 6
    error = np.sqrt(((won - c * of) ** 2).sum()) / 6
    half = 1.959963984540054 * error / (c * (1 - c))
    assert concordance_interval(risk, time, event) == pytest.approx(
        (c, expit(logit(c) - half), expit(logit(c) + half)), abs=1e-12
    )
    assert np.isnan(concordance_interval([1.0, 0.0], [1, 2], [1, 0])[1])
    assert np.isnan(concordance_interval([1.0, 0.0], [1, 2], [0, 0])[0])
