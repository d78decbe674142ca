"""Whether hazard ratios drift with time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.hazard_regression import PHReg

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import proportional_hazards

TERMS = ["age", "sex", "ph.ecog"]


@pytest.mark.parametrize("transform", ["km", "rank", "identity", "log"])
def test_agrees_with_cox_zph_of_r(oracles, transform):
    lung = pd.read_csv(oracles / "lung.csv")
    expected = pd.read_csv(oracles / "coxzph_lung.csv").set_index(["transform", "term"]).loc[transform]
    drift = proportional_hazards(lung[TERMS], lung["time"], lung["event"], transform=transform)
    assert drift.status == "ok"
    np.testing.assert_allclose(drift.statistic, expected.loc[TERMS, "chisq"], rtol=1e-6)
    np.testing.assert_allclose(drift.p_value, expected.loc[TERMS, "p"], rtol=1e-6)
    assert drift.global_statistic == pytest.approx(expected.loc["GLOBAL", "chisq"], rel=1e-6)
    assert drift.global_p_value == pytest.approx(expected.loc["GLOBAL", "p"], rel=1e-6)


def test_it_is_the_score_test_of_a_term_that_grows_with_time():
    """With strata and without ties: the split rows of a Cox model hold x and x times g(t)."""
    rng = np.random.default_rng(5)
    n = 40
    x, strata, event = rng.normal(size=n), np.arange(n) % 2, rng.random(n) < 0.7
    time = rng.permutation(n) + 1.0
    rows = [
        (moment, float(i == j), x[j], x[j] * moment, entry)
        for s in (0, 1)
        for entry, moment, i in _moments(time, event, strata, s)
        for j in np.flatnonzero((strata == s) & (time >= moment))
    ]
    table = np.array(rows)
    group = table[:, 4].astype(int)
    fit = PHReg(np.ones(len(table)), table[:, 2:4], status=table[:, 1], strata=group, ties="breslow")
    start = PHReg(np.ones(len(table)), table[:, 2:3], status=table[:, 1], strata=group, ties="breslow").fit()
    null = np.array([start.params[0], 0.0])
    score, information = fit.score(null), -fit.hessian(null)
    expected = score[1] ** 2 * np.linalg.inv(information)[1, 1]
    drift = proportional_hazards(x[:, None], time, event, strata=strata, transform="identity")
    assert drift.statistic[0] == pytest.approx(expected, rel=1e-6)


def _moments(time, event, strata, which):
    counted = np.cumsum(event) - 1
    return [(counted[i], time[i], i) for i in np.flatnonzero(event & (strata == which))]


def test_a_crossing_effect_is_seen_and_a_missing_value_leaves_the_patient_out():
    rng = np.random.default_rng(1)
    x = np.repeat([0.0, 1.0], 100)
    time = np.where(x == 1, rng.weibull(3.0, 200), rng.weibull(0.7, 200))
    drift = proportional_hazards(x[:, None], time, np.ones(200))
    assert drift.p_value[0] < 1e-6
    some = np.r_[x, np.nan][:, None]
    again = proportional_hazards(some, np.r_[time, 1.0], np.ones(201))
    assert again.statistic[0] == drift.statistic[0]


def test_what_cannot_be_asked_has_a_status_or_an_error():
    one = np.ones((6, 1))
    assert "constant" in proportional_hazards(one, range(1, 7), [1] * 6).status
    x = np.arange(6.0)[:, None] % 3
    assert proportional_hazards(x, range(1, 7), [0] * 6).status == "needs 2 events, has 0"
    same = proportional_hazards(x, [5.0] * 6, [1, 0, 1, 0, 0, 0])
    assert same.status == "events at too few times to see a drift"
    with pytest.raises(ImmunosarcError, match="Did you mean 'rank'"):
        proportional_hazards(x, range(1, 7), [1] * 6, transform="ranks")
    with pytest.raises(ImmunosarcError, match="no logarithm; use 'km'"):
        proportional_hazards(x, range(6), [1] * 6, transform="log")
