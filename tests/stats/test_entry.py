"""Cox models in counting-process form: at risk after the entry and up to the time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from scipy import optimize

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import cox, firth_cox

NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")


def log_likelihood(beta, X, span, event, strata):
    """Efron's partial likelihood of rows at risk in (entry, time], death by death."""
    entry, time = span
    eta, total = X @ np.atleast_1d(beta), 0.0
    for s, moment in {(s, t) for s, t, e in zip(strata, time, event, strict=True) if e}:
        dead = (time == moment) & event & (strata == s)
        risk = (entry < moment) & (moment <= time) & (strata == s)
        for place in range(dead.sum()):
            total -= np.log(np.exp(eta[risk]).sum() - place / dead.sum() * np.exp(eta[dead]).sum())
        total += eta[dead].sum()
    return total


@pytest.fixture
def rows():
    rng = np.random.default_rng(12)
    values = rng.normal(size=(50, 4))
    values[rng.random(50) < 0.3, 1] = np.nan
    values[:, 2] = rng.integers(0, 2, 50)
    entry = rng.integers(0, 8, 50).astype(float)
    return values, entry, entry + rng.integers(1, 9, 50), rng.random(50) < 0.7, rng.integers(0, 2, 50)


@pytest.mark.parametrize("stratified", [False, True])
def test_estimate_maximizes_the_likelihood_of_the_rows_at_risk(rows, stratified):
    values, entry, time, event, strata = rows
    strata = strata if stratified else np.zeros(50)
    z = np.random.default_rng(1).normal(size=(50, 1))
    fits = cox(values, time, event, entry=entry, covariates=z, strata=strata)
    for k in range(4):
        keep = ~np.isnan(values[:, k])
        X = np.column_stack([values[keep, k], z[keep]])
        rest = X, (entry[keep], time[keep]), event[keep], strata[keep]
        best = optimize.minimize(lambda b, rest=rest: -log_likelihood(b, *rest), np.zeros(2), tol=1e-12)
        assert fits.estimate[k] == pytest.approx(best.x[0], abs=2e-5)


def test_agrees_with_lifelines(rows):
    values, entry, time, event, _ = rows
    fits = cox(values, time, event, entry=entry)
    for k in range(4):
        frame = pd.DataFrame({"x": values[:, k], "t": time, "e": event, "s": entry}).dropna()
        peer = CoxPHFitter()
        peer.fit(frame, "t", "e", entry_col="s", fit_options={"precision": 1e-12})
        assert fits.estimate[k] == pytest.approx(peer.summary.loc["x", "coef"], rel=1e-6)
        assert fits.std_error[k] == pytest.approx(peer.summary.loc["x", "se(coef)"], rel=1e-6)


@pytest.mark.parametrize("call", [cox, firth_cox])
def test_a_patient_cut_into_pieces_is_one_patient(call):
    rng = np.random.default_rng(3)
    x, time, event = rng.normal(size=(30, 3)), rng.integers(2, 20, 30).astype(float), rng.random(30) < 0.7
    whole = call(x, time, event)
    cut = time / 2
    twice = np.vstack([x, x]), np.r_[cut, time], np.r_[np.zeros(30, bool), event]
    pieces = call(*twice, entry=np.r_[np.zeros(30), cut])
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(pieces, name), getattr(whole, name), rtol=1e-7)


def test_entry_after_the_time_is_refused(rows):
    values, entry, time, event, _ = rows
    entry[[4, 7]] = time[[4, 7]]
    with pytest.raises(ImmunosarcError, match=r"entry: need numbers below time.*\[4, 7\].*never at risk"):
        cox(values, time, event, entry=entry)
