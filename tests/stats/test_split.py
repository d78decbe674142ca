"""The log-rank test against R's survdiff, lifelines and its table of deaths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from scipy import stats

from immunosarc.stats import log_rank, median_split


def normal_p(fits):
    """The p that the reference implementations print."""
    return 2 * stats.norm.sf(np.abs(fits.statistic))


def test_agrees_with_survdiff(oracles):
    lung, expected = pd.read_csv(oracles / "lung.csv"), pd.read_csv(oracles / "survdiff_lung.csv")
    expected = expected[expected["rho"] == 0].set_index("test")
    plain = log_rank(lung[["sex"]], lung["time"], lung["event"])
    assert plain.statistic[0] ** 2 == pytest.approx(expected.loc["sex", "chisq"], rel=1e-9)
    assert normal_p(plain)[0] == pytest.approx(float(expected.loc["sex", "p"]), rel=1e-8)
    assert plain.p_value[0] == pytest.approx(2 * stats.t.sf(abs(plain.statistic[0]), len(lung) - 2), rel=1e-12)
    assert plain.statistic[0] < 0  # women, coded higher, die later
    seen, awaited = (float(expected.loc["sex", name].split(";")[1]) for name in ("obs", "exp"))
    assert plain.estimate[0] / plain.std_error[0] ** 2 == pytest.approx(seen - awaited, rel=1e-9)
    graded = lung.dropna(subset=["ph.ecog"])
    within = log_rank(graded[["sex"]], graded["time"], graded["event"], strata=graded["ph.ecog"])
    row = expected.loc["sex|strata(ph.ecog)"]
    assert within.statistic[0] ** 2 == pytest.approx(row["chisq"], rel=1e-9)
    assert normal_p(within)[0] == pytest.approx(float(row["p"]), rel=1e-8)


def test_each_feature_is_split_at_the_median_of_its_own_patients():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(33, 4))
    values[rng.random(33) < 0.3, 1] = np.nan
    values[:, 2] = rng.integers(0, 2, 33) * 8.0
    time, event = rng.integers(1, 15, 33).astype(float), rng.random(33) < 0.7
    fits = log_rank(values, time, event)
    for k in range(4):
        has = ~np.isnan(values[:, k])
        cut = 4.0 if k == 2 else np.median(values[has, k])
        high = has & (values[:, k] > cut)
        peer = logrank_test(time[high], time[has & ~high], event[high], event[has & ~high])
        assert normal_p(fits)[k] == pytest.approx(peer.p_value, rel=1e-9)
        student = stats.t(has.sum() - 2)
        assert fits.p_value[k] == pytest.approx(2 * student.sf(abs(fits.statistic[k])), rel=1e-12)
        width = (fits.conf_high[k] - fits.conf_low[k]) / fits.std_error[k]
        assert width == pytest.approx(2 * student.ppf(0.975), rel=1e-9)
        assert (fits.n[k], fits.n_events[k]) == (has.sum(), event[has].sum())


def test_a_median_split_leaves_two_values_alone():
    table = np.array([[0.0, 1.0, 5.0], [0.0, 2.0, 5.0], [0.0, 3.0, 5.0], [1.0, 4.0, np.nan]])
    assert median_split(table).T.tolist()[:2] == [[0, 0, 0, 1], [0, 0, 1, 1]]
    assert np.array_equal(median_split(table)[:, 2], [0, 0, 0, np.nan], equal_nan=True)


def test_hopeless_features_say_why():
    time, event = np.arange(1.0, 9), np.ones(8)
    values = np.column_stack([np.ones(8), np.full(8, np.nan), np.arange(8), np.arange(8) > 3])
    strata = np.arange(8) > 3
    fits = log_rank(values, time, event, strata=strata)
    assert fits.status.tolist() == [
        "constant feature",
        "needs 2 events, has 0",
        "high and low are never at risk together",
        "high and low are never at risk together",
    ]
    assert np.isnan(fits.p_value).all()
    assert set(log_rank(values, time, np.zeros(8)).status) == {"needs 2 events, has 0"}
