"""Firth's logistic model against logistf, verified profile limits, firthmodels and a direct profile."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from firthmodels import FirthLogisticRegression
from scipy import optimize, special, stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import firth_logistic, logistic

OPTIONS = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000}
NAMES = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value")


def penalized(beta, X, y):
    """Log-likelihood plus half the log determinant of the information."""
    eta = X @ beta
    p = 1 / (1 + np.exp(-eta))
    return y @ eta - np.logaddexp(0, eta).sum() + np.linalg.slogdet(X.T * (p * (1 - p)) @ X)[1] / 2


def profile_fall(limit, X, y, top):
    """Twice the fall of the penalised likelihood when the first coefficient is held, by a simplex search."""
    start = np.zeros(X.shape[1] - 1)
    best = optimize.minimize(
        lambda b: -penalized(np.r_[limit, b], X, y), start, method="Nelder-Mead", options=OPTIONS
    )
    return 2 * (top + best.fun)


def fits_of(frame, term, outcome, others=()):
    covariates = frame[list(others)].to_numpy(float) if others else None
    return firth_logistic(frame[[term]].to_numpy(float), frame[outcome], covariates=covariates)


def models(oracles):
    sex = pd.read_csv(oracles / "sex2.csv")
    split = pd.read_csv(oracles / "firth_separated.csv")
    terms = ["age", "oc", "vic", "vicl", "vis", "dia"]
    for term in terms:
        yield "sex2_all", term, fits_of(sex, term, "case", [t for t in terms if t != term])
    yield "sex2_dia", "dia", fits_of(sex, "dia", "case")
    yield "separated_x", "x", fits_of(split, "x", "y")
    yield "separated_z", "z", fits_of(split, "z", "y")


def test_agrees_with_logistf_and_the_verified_limits(oracles):
    verified = pd.read_csv(oracles / "firth_verified.csv").set_index(["model", "term"])
    logistf = pd.read_csv(oracles / "logistf.csv").set_index(["model", "term"])
    for model, term, fits in models(oracles):
        expected, r = verified.loc[(model, term)], logistf.loc[(model, term)]
        assert fits.estimate[0] == pytest.approx(expected["coef"], rel=1e-7), (model, term)
        assert fits.estimate[0] == pytest.approx(r["coef"], rel=1e-7)
        assert fits.std_error[0] == pytest.approx(r["se"], rel=1e-6)
        assert fits.conf_low[0] == pytest.approx(expected["lo"], rel=1e-7)
        assert fits.conf_high[0] == pytest.approx(expected["hi"], rel=1e-7)
        assert fits.statistic[0] ** 2 == pytest.approx(expected["plr"], rel=1e-7)
        assert fits.p_value[0] == pytest.approx(expected["p"], rel=1e-6)


def test_separation_has_the_right_upper_limit(oracles):
    split = pd.read_csv(oracles / "firth_separated.csv")
    fits = fits_of(split, "x", "y")
    assert fits.conf_high[0] == pytest.approx(49.81223150409843, rel=1e-9)
    assert fits.status[0] == "separated: finite only through the penalty"


@pytest.mark.parametrize("n_others", [0, 1, 3])
def test_agrees_with_firthmodels_feature_by_feature(n_others):
    rng = np.random.default_rng(n_others)
    values = rng.normal(size=(30, 6)) * [1, 100, 1e-3, 1, 1, 1] + [0, 1e4, 0, 0, 0, 0]
    values[:, 3] = rng.integers(0, 2, 30)
    outcome = rng.random(30) < 0.4
    values[outcome, 4] += 1.5
    values[rng.random(30) < 0.3, 5] = np.nan
    others = rng.normal(size=(30, n_others))
    fits = firth_logistic(values, outcome, covariates=others if n_others else None)
    for k in range(6):
        keep = ~np.isnan(values[:, k])
        x = (values[keep, k] - values[keep, k].mean()) / values[keep, k].std()
        peer = FirthLogisticRegression(backend="numpy", gtol=1e-7, xtol=1e-7, max_iter=500)
        peer.fit(np.column_stack([x, others[keep]]), outcome[keep].astype(int)).lrt()
        low, high = peer.conf_int(method="pl", tol=1e-9, max_iter=500)[0] / values[keep, k].std()
        assert fits.estimate[k] == pytest.approx(peer.coef_[0] / values[keep, k].std(), rel=1e-6)
        assert (fits.conf_low[k], fits.conf_high[k]) == (
            pytest.approx(low, rel=1e-6),
            pytest.approx(high, rel=1e-6),
        )
        assert fits.p_value[k] == pytest.approx(peer.lrt_pvalues_[0], rel=1e-6)
        assert fits.n[k] == keep.sum()
        assert fits.n_events[k] == outcome[keep].sum()


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_limits_are_where_the_profile_has_fallen_by_the_critical_value(level):
    rng = np.random.default_rng(6)
    x, z, y = rng.normal(size=24), rng.normal(size=24), (np.arange(24) % 3 == 0).astype(float)
    fits = firth_logistic(x[:, None], y, covariates=z, level=level)
    X = np.column_stack([x, np.ones(24), z])
    top = -optimize.minimize(lambda b: -penalized(b, X, y), np.zeros(3), tol=1e-12).fun
    for limit in (fits.conf_low[0], fits.conf_high[0]):
        assert profile_fall(limit, X, y, top) == pytest.approx(stats.chi2.ppf(level, 1), abs=1e-6)
    assert profile_fall(0.0, X, y, top) == pytest.approx(fits.statistic[0] ** 2, abs=1e-6)


def test_two_by_two_table_adds_one_half_to_each_cell():
    a, b, c, d = 7, 2, 3, 9
    x, y = np.repeat([1, 1, 0, 0], [a, b, c, d]), np.repeat([1, 0, 1, 0], [a, b, c, d])
    fits = firth_logistic(x[:, None].astype(float), y)
    assert fits.estimate[0] == pytest.approx(np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5))), rel=1e-10)


def test_hard_panels_always_give_verified_limits():
    rng = np.random.default_rng(12)
    outcome = np.arange(30) < 3
    values = rng.normal(size=(30, 300)) ** 3
    values[:, :100] += 4 * outcome[:, None]
    values[:, 100:110] = outcome[:, None]
    values[0, 110:120] = 1e3  # one wild patient
    fits = firth_logistic(values, outcome)
    assert np.isfinite([fits.estimate, fits.conf_low, fits.conf_high, fits.p_value]).all()
    assert np.all((fits.conf_low < fits.estimate) & (fits.estimate < fits.conf_high))
    critical = stats.chi2.ppf(0.95, 1)
    for k in (0, 5, 100, 110, 150, 299):
        scale = values[:, k].std()
        X = np.column_stack([(values[:, k] - values[:, k].mean()) / scale, np.ones(30)])
        top = -optimize.minimize(lambda b, X=X: -penalized(b, X, outcome), np.zeros(2), method="Nelder-Mead",
                                 options=OPTIONS).fun  # fmt: skip
        for limit in (fits.conf_low[k], fits.conf_high[k]):
            assert profile_fall(limit * scale, X, outcome, top) == pytest.approx(critical, abs=1e-6)


def test_rows_with_a_missing_covariate_are_left_out_of_all():
    rng = np.random.default_rng(3)
    values, outcome, z = rng.normal(size=(25, 3)), rng.random(25) < 0.5, rng.normal(size=25)
    z[[2, 9]] = np.nan
    keep = ~np.isnan(z)
    whole = firth_logistic(values, outcome, covariates=z)
    part = firth_logistic(values[keep], outcome[keep], covariates=z[keep])
    for name in ("n", "n_events", *NAMES):
        np.testing.assert_array_equal(getattr(whole, name), getattr(part, name))
    assert whole.n.tolist() == [23] * 3


def test_units_and_neighbors_do_not_matter():
    rng = np.random.default_rng(4)
    values, outcome = rng.normal(size=(30, 5)), rng.random(30) < 0.4
    fits, scaled = firth_logistic(values, outcome), firth_logistic(values * 1000 - 7, outcome)
    alone = firth_logistic(values[:, [2]], outcome)
    for name in NAMES:
        unit = 1.0 if name in ("statistic", "p_value") else 1000.0
        np.testing.assert_allclose(getattr(scaled, name) * unit, getattr(fits, name), rtol=1e-8)
        np.testing.assert_allclose(getattr(alone, name)[0], getattr(fits, name)[2], rtol=1e-9)


def test_blocks_of_features_join_in_order(monkeypatch):
    from immunosarc.stats import _logistic

    rng = np.random.default_rng(4)
    values, outcome = rng.normal(size=(30, 7)), rng.random(30) < 0.4
    whole = firth_logistic(values, outcome)
    monkeypatch.setattr(_logistic, "_NUMBERS", 60)
    np.testing.assert_allclose(firth_logistic(values, outcome).conf_high, whole.conf_high, rtol=1e-12)


def test_hopeless_features_keep_their_row_and_say_why():
    rng = np.random.default_rng(5)
    z = rng.normal(size=12)
    values = np.column_stack(
        [np.full(12, 2.0), z * 3 + 1, np.full(12, np.nan), rng.normal(size=12), rng.normal(size=12)]
    )
    values[3:, 3] = np.nan
    outcome = np.array([1, 0] * 6)
    fits = firth_logistic(values, outcome, covariates=z)
    assert fits.status.tolist() == [
        "constant feature",
        "determined by the covariates, or these by each other",
        "needs patients in both groups, has 0 and 0",
        "needs 4 patients, has 3",
        "ok",
    ]
    assert np.isnan([getattr(fits, name)[:4] for name in NAMES]).all()
    assert np.isfinite([getattr(fits, name)[4] for name in NAMES]).all()
    only = firth_logistic(values, np.ones(12))
    assert only.status[4] == "needs patients in both groups, has 12 and 0"
    assert firth_logistic(np.empty((5, 0)), [1, 0, 1, 0, 1]).status.size == 0


def test_bad_input_is_refused_and_good_input_unchanged():
    values, z = np.array([[1.0], [2.0], [3.0], [np.nan]]), np.array([1.0, np.nan, 2.0, 0.0])
    before = values.copy()
    firth_logistic(values, [1, 0, 1, 0], covariates=z)
    np.testing.assert_array_equal(values, before)
    with pytest.raises(
        ImmunosarcError, match=r"(?s)3 problem.*outcome: need True or False.*covariates: need 4 rows.*level"
    ):
        firth_logistic(values, [1, 2, 0, 1], covariates=z[:2], level=0)


def test_without_the_penalty_it_is_maximum_likelihood():
    import statsmodels.api as sm

    rng = np.random.default_rng(17)
    values, others = rng.normal(size=(40, 4)), rng.normal(size=(40, 2))
    outcome = rng.random(40) < special.expit(values[:, 0])
    values[[3, 9], 1] = np.nan
    values[:, 3] = outcome * 2.0 + rng.random(40)
    fits = logistic(values, outcome, covariates=others)
    for k in range(3):
        has = ~np.isnan(values[:, k])
        design = sm.add_constant(np.column_stack([values[has, k], others[has]]))
        peer = sm.Logit(outcome[has].astype(float), design).fit(disp=0, tol=1e-12)
        without = sm.Logit(outcome[has].astype(float), np.delete(design, 1, axis=1)).fit(disp=0, tol=1e-12)
        assert fits.estimate[k] == pytest.approx(peer.params[1], rel=1e-8)
        assert fits.std_error[k] == pytest.approx(peer.bse[1], rel=1e-8)
        assert fits.statistic[k] ** 2 == pytest.approx(2 * (peer.llf - without.llf), rel=1e-7)
        student = stats.t(has.sum() - 4)
        assert fits.p_value[k] == pytest.approx(2 * student.sf(abs(fits.statistic[k])), rel=1e-10)
        for limit in (fits.conf_low[k], fits.conf_high[k]):
            held = sm.GLM(
                outcome[has].astype(float),
                np.delete(design, 1, axis=1),
                family=sm.families.Binomial(),
                offset=limit * values[has, k],
            ).fit(tol=1e-12)
            assert 2 * (peer.llf - held.llf) == pytest.approx(student.ppf(0.975) ** 2, abs=1e-8)
    separated = "separated: no finite estimate (use firth_logistic)"
    assert fits.status[3] == separated
    assert np.isnan([fits.estimate[3], fits.conf_low[3], fits.p_value[3]]).all()
    together = logistic(values[:, :1], outcome, covariates=3.0 * outcome - values[:, 0])
    assert together.status[0] == separated
    assert np.isnan(together.estimate[0])
