"""Cox models against R's coxph, lifelines and the likelihood written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from scipy import optimize, stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import cox, logrank_score_statistic

NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value")
MONOTONE = "monotone likelihood: no finite estimate (Firth Cox needed)"


def log_likelihood(beta, X, time, event, strata, ties="efron"):
    """Partial likelihood, death by death."""
    eta, total = X @ np.atleast_1d(beta), 0.0
    for s, moment in {(s, t) for s, t, e in zip(strata, time, event, strict=True) if e}:
        dead = (time == moment) & event & (strata == s)
        risk = (time >= moment) & (strata == s)
        for place in range(dead.sum()):
            share = place / dead.sum() if ties == "efron" else 0.0
            total -= np.log(np.exp(eta[risk]).sum() - share * np.exp(eta[dead]).sum())
        total += eta[dead].sum()
    return total


@pytest.fixture
def trial():
    rng = np.random.default_rng(21)
    values = rng.normal(size=(32, 5))
    values[:, 1] = rng.integers(0, 3, 32)
    values[rng.random(32) < 0.3, 2] = np.nan
    time = rng.integers(1, 14, 32).astype(float)
    return values, time, rng.random(32) < 0.7, rng.integers(0, 2, 32), rng.normal(size=(32, 2))


def check(fits, expected):
    columns = {"estimate": "coef", "std_error": "se", "statistic": "z", "conf_low": "lo", "conf_high": "hi"}
    for name, column in columns.items():
        assert getattr(fits, name)[0] == pytest.approx(expected[column], rel=1e-7), (expected.name, name)
    assert fits.p_value[0] == pytest.approx(expected["p"], rel=1e-6)
    assert (fits.n[0], fits.n_events[0]) == (expected["n"], expected["nevent"])


def test_agrees_with_r(oracles):
    expected = pd.read_csv(oracles / "coxph_lung.csv").set_index(["model", "term"])
    lung, veteran = pd.read_csv(oracles / "lung.csv"), pd.read_csv(oracles / "veteran.csv")
    seen = 0
    for model, term in expected.index:
        if model == "age_exact":
            continue
        frame, event = (veteran, "status") if model == "vet_all" else (lung, "event")
        others = [t for m, t in expected.index if m == model and t != term]
        fits = cox(
            frame[[term]],
            frame["time"],
            frame[event],
            covariates=frame[others] if others else None,
            strata=frame["sex"] if "strata" in model else None,
            ties="breslow" if "breslow" in model else "efron",
        )
        check(fits, expected.loc[(model, term)])
        seen += 1
    assert seen == 17


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("with_strata", [False, True])
def test_estimate_maximizes_the_likelihood_of_the_measured_patients(trial, ties, with_strata):
    values, time, event, strata, others = trial
    strata = strata if with_strata else np.zeros(32)
    fits = cox(values, time, event, covariates=others, strata=strata if with_strata else None, ties=ties)
    for k in range(5):
        keep = ~np.isnan(values[:, k])
        X = np.column_stack([values[keep, k], others[keep]])
        rest = (X, time[keep], event[keep], strata[keep], ties)
        best = optimize.minimize(lambda b, rest=rest: -log_likelihood(b, *rest), np.zeros(3), tol=1e-12)
        assert fits.estimate[k] == pytest.approx(best.x[0], abs=2e-5)
        held = np.r_[fits.estimate[k], best.x[1:]]
        assert log_likelihood(held, *rest) >= -best.fun - 1e-8
        assert fits.n_events[k] == event[keep].sum()


def test_agrees_with_lifelines_feature_by_feature(trial):
    values, time, event, strata, _ = trial
    fits = cox(values, time, event, strata=strata, level=0.9)
    for k in range(5):
        frame = pd.DataFrame({"x": values[:, k], "t": time, "e": event, "s": strata}).dropna()
        peer = CoxPHFitter(alpha=0.1)
        peer.fit(frame, "t", "e", strata="s", fit_options={"precision": 1e-12})
        summary = peer.summary.loc["x"]
        assert fits.estimate[k] == pytest.approx(summary["coef"], rel=1e-6)
        assert fits.std_error[k] == pytest.approx(summary["se(coef)"], rel=1e-6)
        assert fits.conf_low[k] == pytest.approx(summary["coef lower 90%"], rel=1e-6)
        assert fits.p_value[k] == pytest.approx(summary["p"], rel=1e-6)


def test_sign_goes_with_the_logrank_score(trial):
    values, time, event, strata, _ = trial
    fits = cox(values, time, event, strata=strata)
    assert np.array_equal(
        np.sign(fits.statistic), np.sign(logrank_score_statistic(values, time, event, strata=strata))
    )


def test_units_neighbors_and_patient_order_do_not_matter(trial):
    values, time, event, strata, others = trial
    fits = cox(values, time, event, strata=strata, covariates=others)
    order = np.random.default_rng(1).permutation(32)
    moved = cox(values[order] * 1e4 + 9, time[order], event[order], strata=strata[order], covariates=others[order])
    alone = cox(values[:, [2]], time, event, strata=strata, covariates=others * 50)
    for name in NUMBERS:
        unit = 1.0 if name in ("statistic", "p_value") else 1e4
        np.testing.assert_allclose(getattr(moved, name) * unit, getattr(fits, name), rtol=1e-8)
        np.testing.assert_allclose(getattr(alone, name)[0], getattr(fits, name)[2], rtol=1e-9)


def test_equal_times_in_different_strata_are_not_tied():
    rng = np.random.default_rng(5)
    x, strata = rng.normal(size=(16, 1)), np.repeat([0, 1], 8)
    time = np.r_[np.arange(8.0, 0, -1), np.full(8, 1.0)]  # the first stratum ends when the second begins
    fits = cox(x, time, np.ones(16), strata=strata)
    rest = (x, time, np.ones(16, dtype=bool), strata)
    best = optimize.minimize_scalar(lambda b: -log_likelihood(b, *rest), tol=1e-12)
    assert fits.estimate[0] == pytest.approx(best.x, abs=1e-6)


def test_a_feature_that_orders_the_events_has_no_finite_estimate():
    time, event = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1, 1, 0, 1, 0, 0], dtype=bool)
    values = np.column_stack([-time, time, [9, 8, 7, 7, 1, 0], [1, 1, 0, 1, 0, 0], [1, 2, 1, 2, 1, 2.0]])
    fits = cox(values, time, event)
    assert fits.status.tolist() == [MONOTONE] * 4 + ["ok"]
    assert np.isnan([getattr(fits, name)[:4] for name in NUMBERS]).all()
    # only together with the covariate: no test of the feature alone shows it
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 1))
    z = -np.arange(40.0) - 30 * x[:, 0]
    together = cox(x, np.arange(1.0, 41), np.ones(40), covariates=z)
    assert cox(x, np.arange(1.0, 41), np.ones(40)).status[0] == "ok"
    assert together.status[0] == MONOTONE
    assert np.isnan(together.estimate[0])


def test_a_strong_but_finite_effect_is_found():
    rng = np.random.default_rng(8)
    x = np.sort(rng.normal(size=30))[::-1]
    time = np.arange(1.0, 31)
    x[[3, 4]] = x[[4, 3]]
    fits = cox(x[:, None], time, np.ones(30))
    rest = (x[:, None], time, np.ones(30, dtype=bool), np.zeros(30))
    near = fits.estimate[0] * np.array([0.999, 1.001])
    slopes = [log_likelihood(b + 1e-6, *rest) - log_likelihood(b - 1e-6, *rest) for b in near]
    assert fits.status[0] == "ok"
    assert slopes[0] > 0 > slopes[1]


def test_hopeless_features_keep_their_row_and_say_why(trial):
    values, time, event, strata, others = trial
    values[:, 0] = 4.0
    values[:, 1] = strata
    values[:, 2] = np.nan
    values[:, 3] = others[:, 0] * 2 - 1
    fits = cox(values, time, event, strata=strata, covariates=others[:, :1])
    unvarying = "does not vary among patients at risk together, or only with the covariates"
    assert fits.status.tolist() == ["constant feature", unvarying, "needs 2 events, has 0", unvarying, "ok"]
    assert np.isnan([getattr(fits, name)[:4] for name in NUMBERS]).all()
    assert set(cox(values, time, np.zeros(32)).status) == {"needs 2 events, has 0"}
    assert cox(np.empty((3, 0)), [1, 2, 3], [1, 1, 1]).status.size == 0
    assert cox(np.empty((0, 2)), [], []).status.tolist() == ["needs 2 events, has 0"] * 2


def test_rows_with_a_missing_covariate_are_left_out_of_all(trial):
    values, time, event, _, others = trial
    others[[1, 5], [0, 1]] = np.nan
    keep = ~np.isnan(others).any(axis=1)
    whole = cox(values, time, event, covariates=others)
    part = cox(values[keep], time[keep], event[keep], covariates=others[keep])
    for name in ("n", "n_events", *NUMBERS):
        np.testing.assert_array_equal(getattr(whole, name), getattr(part, name))


def test_wald_interval_and_p_belong_together(trial):
    values, time, event, *_ = trial
    fits = cox(values, time, event, level=0.8)
    np.testing.assert_allclose((fits.conf_high - fits.conf_low) / fits.std_error, 2 * stats.norm.ppf(0.9))
    np.testing.assert_allclose(fits.p_value, 2 * stats.norm.sf(abs(fits.statistic)))


def test_bad_input_is_refused_and_good_input_unchanged(trial):
    values, time, event, strata, others = trial
    copies = [a.copy() for a in trial]
    cox(values, time, event, strata=strata, covariates=others)
    for before, after in zip(copies, trial, strict=True):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(ImmunosarcError, match=r"(?s)2 problem.*time: need one value.*Did you mean 'breslow'"):
        cox(values, time[:3], event, ties="breslo")
