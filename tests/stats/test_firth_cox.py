"""Firth's Cox models against R's coxphf and against the penalized likelihood written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import cox, firth_cox

ORDERED = "monotone likelihood: finite only through the penalty"
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value")


def penalized(beta, X, time, event, strata, ties="efron"):
    """Partial likelihood and its information, death by death, and half the log determinant."""
    beta = np.atleast_1d(beta)
    eta, value, information = X @ beta, 0.0, np.zeros((len(beta), len(beta)))
    for s, moment in {(s, t) for s, t, e in zip(strata, time, event, strict=True) if e}:
        dead = (time == moment) & event & (strata == s)
        risk = (time >= moment) & (strata == s)
        value += eta[dead].sum()
        for place in range(dead.sum()):
            share = place / dead.sum() if ties == "efron" else 0.0
            weight = np.exp(eta) * (risk - share * dead)
            mean = weight @ X / weight.sum()
            value -= np.log(weight.sum())
            information += (X * weight[:, None]).T @ X / weight.sum() - np.outer(mean, mean)
    return value + np.linalg.slogdet(information)[1] / 2


@pytest.fixture
def trial():
    rng = np.random.default_rng(22)
    values = rng.normal(size=(28, 4))
    values[:, 1] = rng.integers(0, 2, 28)
    values[rng.random(28) < 0.3, 2] = np.nan
    time = rng.integers(1, 12, 28).astype(float)
    return values, time, rng.random(28) < 0.7, rng.integers(0, 2, 28), rng.normal(size=(28, 1))


@pytest.mark.parametrize(
    ("data", "oracle", "time", "event"),
    [("lung", "coxphf_lung", "time", "event"), ("breast_coxphf", "coxphf_breast", "TIME", "CENS")],
)
def test_agrees_with_coxphf(oracles, data, oracle, time, event):
    """The reference sums tied deaths as Breslow did; its default tolerance is 1e-4."""
    expected = pd.read_csv(oracles / f"{oracle}.csv").set_index("term")
    terms = list(expected.index)
    frame = pd.read_csv(oracles / f"{data}.csv").dropna(subset=[time, event, *terms])
    for term in terms:
        others = frame[[other for other in terms if other != term]]
        fits = firth_cox(frame[[term]], frame[time], frame[event], covariates=others, ties="breslow")
        row = expected.loc[term]
        assert fits.estimate[0] == pytest.approx(row["coef"], rel=1e-6)
        assert fits.std_error[0] == pytest.approx(row["se"], rel=1e-6)
        assert np.exp(fits.conf_low[0]) == pytest.approx(row["lo"], rel=1e-6)
        assert np.exp(fits.conf_high[0]) == pytest.approx(row["hi"], rel=1e-6)
        assert fits.p_value[0] == pytest.approx(row["p"], rel=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_estimate_limits_and_p_by_the_definition(trial, ties):
    values, time, event, strata, _ = trial
    fits = firth_cox(values, time, event, strata=strata, ties=ties, level=0.9)
    critical = stats.chi2.ppf(0.9, 1)
    for k in range(4):
        keep = ~np.isnan(values[:, k])
        rest = (values[keep, k][:, None], time[keep], event[keep], strata[keep], ties)
        best = optimize.minimize_scalar(lambda b, rest=rest: -penalized(b, *rest), tol=1e-12)
        assert fits.estimate[k] == pytest.approx(best.x, abs=1e-6)
        for limit in (fits.conf_low[k], fits.conf_high[k]):
            assert 2 * (-best.fun - penalized(limit, *rest)) == pytest.approx(critical, abs=1e-8)
        ratio = 2 * (-best.fun - penalized(0.0, *rest))
        assert fits.p_value[k] == pytest.approx(stats.chi2.sf(ratio, 1), rel=1e-6)
        assert fits.statistic[k] == pytest.approx(np.sign(best.x) * np.sqrt(ratio), abs=1e-6)
        assert fits.conf_low[k] < fits.estimate[k] < fits.conf_high[k]


def test_covariates_are_maximized_anew_at_each_limit(trial):
    values, time, event, strata, others = trial
    fits = firth_cox(values, time, event, strata=strata, covariates=others)
    rest = (np.column_stack([values[:, 0], others]), time, event, strata)
    best = optimize.minimize(lambda b: -penalized(b, *rest), np.zeros(2), tol=1e-13)
    for limit in (fits.conf_low[0], fits.conf_high[0]):
        held = optimize.minimize_scalar(lambda g, limit=limit: -penalized([limit, g], *rest), tol=1e-13)
        assert 2 * (held.fun - best.fun) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-7)
    assert fits.estimate[0] == pytest.approx(best.x[0], abs=1e-5)


def test_a_feature_that_orders_the_events_has_finite_limits():
    time, event = np.arange(1.0, 31), np.arange(30) % 3 > 0
    values = np.column_stack([-time, time, time < 12])
    assert np.isnan(cox(values, time, event).estimate).any()
    fits = firth_cox(values, time, event)
    assert fits.status[:2].tolist() == [ORDERED] * 2
    assert np.isfinite([getattr(fits, name) for name in NUMBERS]).all()
    np.testing.assert_allclose(fits.estimate[0], -fits.estimate[1], rtol=1e-6)
    rest = (values[:, [0]], time, event, np.zeros(30))
    top = penalized(fits.estimate[0], *rest)
    for limit in (fits.conf_low[0], fits.conf_high[0]):
        assert 2 * (top - penalized(limit, *rest)) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-7)


def test_units_and_neighbors_do_not_matter(trial):
    values, time, event, strata, others = trial
    fits = firth_cox(values, time, event, strata=strata, covariates=others)
    alone = firth_cox(values[:, [2]] * 1e4 - 7, time, event, strata=strata, covariates=others * 9)
    for name in NUMBERS:
        unit = 1.0 if name in ("statistic", "p_value") else 1e4
        np.testing.assert_allclose(getattr(alone, name)[0] * unit, getattr(fits, name)[2], rtol=1e-7)


def test_hopeless_features_keep_their_row_and_say_why(trial):
    values, time, event, *_ = trial
    values[:, 0], values[:, 2] = 4.0, np.nan
    fits = firth_cox(values, time, event)
    assert fits.status.tolist() == ["constant feature", "ok", "needs 2 events, has 0", "ok"]
    assert np.isnan([getattr(fits, name)[[0, 2]] for name in NUMBERS]).all()
    assert set(firth_cox(values[:, 1:2], time, np.zeros(28)).status) == {"needs 2 events, has 0"}
    assert firth_cox(np.empty((0, 2)), [], []).status.tolist() == ["needs 2 events, has 0"] * 2
    nobody = firth_cox(np.empty((0, 2)), [], [], covariates=np.empty((0, 1)))
    assert nobody.status.tolist() == ["needs 2 events, has 0"] * 2
    with pytest.raises(ImmunosarcError, match=r"(?s)firth_cox.*time: need one value.*Did you mean 'breslow'"):
        firth_cox(values, time[:3], event, ties="breslo")


def test_a_handful_of_patients_has_its_estimate_and_limits_too():
    """Where the penalty weighs as much as the deaths, a Newton step leaps over the summit and back for ever."""
    rng = np.random.default_rng(0)
    critical, fitted = stats.chi2.ppf(0.95, 1), 0
    for _ in range(60):
        n = rng.integers(5, 9)
        x, time = rng.normal(size=(n, 1)), rng.permutation(n) + 1.0
        event, strata = rng.random(n) < 0.5, rng.integers(0, 2, n)
        fits = firth_cox(x, time, event, strata=strata)
        if fits.status[0] not in ("ok", ORDERED):
            assert fits.status[0].startswith(("needs 2 events", "does not vary"))
            continue
        fitted += 1
        rest = (x, time, event, strata)
        best = optimize.minimize_scalar(lambda b, rest=rest: -penalized(b, *rest), tol=1e-12)
        assert fits.estimate[0] == pytest.approx(best.x, abs=1e-5)
        for limit in (fits.conf_low[0], fits.conf_high[0]):
            assert 2 * (-best.fun - penalized(limit, *rest)) == pytest.approx(critical, abs=1e-7)
    assert fitted > 20
