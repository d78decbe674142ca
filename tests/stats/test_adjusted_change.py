"""Adjusted change: against statsmodels' least squares, and against the arithmetic of its parts."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats as reference

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import adjusted_change


@pytest.fixture
def trial():
    rng = np.random.default_rng(4)
    before = rng.normal(2.0, 1.0, size=(24, 5))
    after = 0.4 * before + 0.8 + rng.normal(size=before.shape)
    covariates = np.column_stack([rng.integers(-1, 2, 24), rng.normal(size=24)]).astype(float)
    everyone = np.vstack([before, rng.normal(2.5, 1.0, size=(16, 5))])
    return before, after, covariates, everyone


def test_estimate_and_error_are_those_of_least_squares(trial):
    before, after, covariates, everyone = trial
    before[3, 1] = np.nan
    covariates[5, 0] = np.nan
    found = adjusted_change(before, after, everyone=everyone, covariates=covariates)
    for j in range(5):
        use = ~np.isnan(before[:, j]) & ~np.isnan(covariates[:, 0])
        known = everyone[~np.isnan(everyone[:, j]), j]
        x = np.column_stack([np.ones(use.sum()), before[use, j] - known.mean(), covariates[use]])
        fit = sm.OLS(after[use, j] - before[use, j], x).fit()
        error = np.sqrt(fit.bse[0] ** 2 + fit.params[1] ** 2 * known.var(ddof=1) / len(known))
        assert found.fits.n[j] == use.sum()
        assert found.fits.estimate[j] == pytest.approx(fit.params[0], rel=1e-10)
        assert found.fits.std_error[j] == pytest.approx(error, rel=1e-10)
        p = 2 * reference.t.sf(abs(fit.params[0] / error), fit.df_resid)
        assert found.fits.p_value[j] == pytest.approx(p, rel=1e-9)
        margin = reference.t.ppf(0.975, fit.df_resid) * error
        assert found.fits.conf_high[j] - found.fits.estimate[j] == pytest.approx(margin, rel=1e-9)
        drift = fit.params[1] * (before[use, j].mean() - known.mean())
        assert found.regression_to_mean[j] == pytest.approx(drift, rel=1e-9)


def test_the_surplus_of_a_group_is_its_coefficient(trial):
    before, after, covariates, _ = trial
    group = np.arange(24) % 3 == 0
    found = adjusted_change(before, after, covariates=covariates, group=group)
    for j in range(5):
        x = np.column_stack([np.ones(24), group, before[:, j], covariates])
        fit = sm.OLS(after[:, j], x).fit()
        assert found.fits.estimate[j] == pytest.approx(fit.params[1], rel=1e-10)
        assert found.fits.std_error[j] == pytest.approx(fit.bse[1], rel=1e-10)
        assert found.fits.p_value[j] == pytest.approx(fit.pvalues[1], rel=1e-9)
    assert found.fits.n_events[0] == 8


@pytest.mark.parametrize("grouped", [False, True])
def test_each_draw_of_the_null_is_a_regression_on_its_residuals(trial, grouped):
    before, after, covariates, _ = trial
    group = (np.arange(24) % 3 == 0) if grouped else None
    found = adjusted_change(before, after, covariates=covariates, group=group, n_permutations=4, seed=3)
    nuisance = np.column_stack([before[:, 0] - before[:, 0].mean(), covariates])
    nuisance = np.column_stack([np.ones(24), nuisance]) if grouped else nuisance
    target = group.astype(float) if grouped else np.ones(24)
    left = sm.OLS(after[:, 0] - before[:, 0], nuisance).fit().resid
    rng = np.random.default_rng(3)
    if grouped:
        dealt = left[np.argsort(rng.random((4, 24)), axis=1)]
    else:
        dealt = left * (2 * rng.integers(0, 2, size=(4, 24), dtype=np.int8) - 1)
    for draw in range(4):
        fit = sm.OLS(dealt[draw], np.column_stack([target, nuisance])).fit()
        z = np.sign(fit.tvalues[0]) * reference.norm.isf(fit.pvalues[0] / 2)
        assert found.null[draw, 0] == pytest.approx(z, rel=1e-8)


def test_where_nothing_can_be_said_a_status_says_why():
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(10, 5)), rng.normal(size=(10, 5))
    before[:, 0] = np.nan
    before[3:, 1] = np.nan
    after[:, 2] = before[:, 2] + 1.0
    before[:, 3] = 2.0  # a baseline that tells nothing costs nothing
    found = adjusted_change(before, after).fits
    assert found.status[:3].tolist() == [
        "needs pairs, has 0",
        "needs 4 pairs for its 2 coefficients, has 3",
        "the patients changed all alike: no error can be given",
    ]
    assert found.p_value[3] == pytest.approx(reference.ttest_1samp(after[:, 3] - 2.0, 0).pvalue)
    assert np.isfinite(found.p_value[3:]).all()
    moved = adjusted_change(before, after, covariates=np.ones((10, 1))).fits
    assert moved.status[4] == "treatment and the covariates cannot be told apart"
    one = adjusted_change(before, after, group=np.zeros(10)).fits
    assert one.status[4] == "needs patients in both groups, has 0 and 10"


def test_inputs_stay_and_shapes_are_compared(trial):
    before, after, covariates, everyone = trial
    kept = [part.copy() for part in trial]
    adjusted_change(before, after, everyone=everyone, covariates=covariates)
    assert all((a == b).all() for a, b in zip(kept, trial, strict=True))
    with pytest.raises(ImmunosarcError, match="need the same shape"):
        adjusted_change(before, after[:, :2])
