"""Kaplan-Meier against R's survfit, the trial's published numbers and the definition."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import kaplan_meier


def groups(oracles):
    lung = pd.read_csv(oracles / "lung.csv")
    yield "all", "all", lung
    for sex, rows in lung.groupby("sex"):
        yield "sex", f"sex={sex}", rows


def survival_by_definition(time, event, at):
    """Product over event times of the share that came through."""
    left = Fraction(1)
    for moment in sorted({t for t, e in zip(time, event, strict=True) if e and t <= at}):
        risk = sum(t >= moment for t in time)
        dead = sum(t == moment and e for t, e in zip(time, event, strict=True))
        left *= Fraction(risk - dead, risk)
    return float(left)


def _row(table, *keys):
    return table[(table[["conf", "by", "stratum"]] == keys).all(axis=1)]


@pytest.mark.parametrize("conf_type", ["plain", "log", "log-log"])
def test_agrees_with_r(oracles, conf_type):
    curves = pd.read_csv(oracles / "survfit_lung.csv")
    medians = pd.read_csv(oracles / "survfit_lung_medians.csv")
    for by, stratum, rows in groups(oracles):
        curve = kaplan_meier(rows["time"], rows["event"], conf_type)
        expected = curves.pipe(_row, conf_type, by, stratum)
        for name, column in {
            "time": "time",
            "at_risk": "n.risk",
            "n_event": "n.event",
            "n_censored": "n.censor",
            "survival": "surv",
            "std_error": "std.err",
            "conf_low": "lower",
            "conf_high": "upper",
        }.items():
            np.testing.assert_allclose(getattr(curve, name), expected[column], rtol=1e-10, err_msg=name)
        expected = medians.pipe(_row, conf_type, by, stratum)
        np.testing.assert_array_equal(curve.median(), expected[["median", "lo", "hi"]].to_numpy()[0])


def test_the_trial_of_33_patients(shared):
    rows = pd.read_csv(shared / "design" / "simulated_trial_33.csv")
    curve = kaplan_meier(rows["pfs_days"], rows["pfs_event"])
    assert curve.median() == (177.0, 168.0, 294.0)  # 25.3 weeks, 24.0 to 42.0
    survival, low, high = curve.at(183)
    assert float(survival) == pytest.approx(survival_by_definition(rows["pfs_days"], rows["pfs_event"], 183))
    assert round(float(survival), 3) == 0.476
    assert low < survival < high
    assert curve.at_risk_at([0, 1, 2, 183]).tolist() == [33, 33, 30, (rows["pfs_days"] >= 183).sum()]


def test_definition_with_ties_and_censoring():
    rng = np.random.default_rng(3)
    time, event = rng.integers(1, 9, 25), rng.random(25) < 0.6
    curve = kaplan_meier(time, event)
    for moment in (0.5, 1, 3.3, 8):
        assert float(curve.at(moment)[0]) == pytest.approx(survival_by_definition(time, event, moment))


def test_curve_at_exactly_one_half_takes_the_middle():
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).median()[0] == 2.5
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 0, 0]).median()[0] == 3.0  # up to the last follow-up
    tenths = kaplan_meier(np.arange(1, 11), np.ones(10))  # the product of fractions is not exactly .5
    assert tenths.median()[0] == 5.5
    assert tenths.quantile(0.3)[0] == 3.5


def test_not_reached_is_an_answer():
    curve = kaplan_meier([3, 4, 5, 6], [1, 0, 0, 0])
    assert np.isnan(curve.median()).tolist() == [True, False, True]  # the lower limit is below one half at once
    no_event = kaplan_meier([3, 4], [0, 0])
    assert no_event.survival.tolist() == [1.0, 1.0]
    assert np.isnan([no_event.conf_low, no_event.conf_high]).all()
    assert np.isnan(no_event.at(9)[0])


def test_curve_that_reached_zero_stays_there():
    curve = kaplan_meier([1, 2], [1, 1])
    assert curve.at([0.5, 1.5, 2, 9])[0].tolist() == [1.0, 0.5, 0.0, 0.0]
    assert np.isnan(curve.std_error[-1])
    assert np.isnan(curve.conf_low[-1])


def test_level_widens_the_interval():
    wide, narrow = (kaplan_meier([1, 2, 3, 5, 8, 9], [1, 1, 0, 1, 0, 1], level=x) for x in (0.99, 0.8))
    assert np.all((wide.conf_low < narrow.conf_low)[:4])
    assert np.all((wide.conf_high > narrow.conf_high)[:4])


def test_bad_follow_up_is_refused():
    with pytest.raises(ImmunosarcError, match=r"time: need finite numbers of at least 0, .* rows \[1\]"):
        kaplan_meier([1, -2], [1, 0])
    with pytest.raises(ImmunosarcError, match=r"event: need True or False .* rows \[0\]"):
        kaplan_meier([1, 2], [np.nan, 0])
    with pytest.raises(ImmunosarcError, match="at least one patient"):
        kaplan_meier([], [])
    with pytest.raises(ImmunosarcError, match="Did you mean 'log-log'"):
        kaplan_meier([1], [1], "loglog")
