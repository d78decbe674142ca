"""Large panels go through compiled code: the same numbers as small ones, which do not."""

from __future__ import annotations

import numpy as np
import pytest

from immunosarc.stats import (
    _cox_compiled,
    _logistic_compiled,
    _placements,
    cox,
    firth_logistic,
    log_rank,
    logistic,
    mann_whitney,
    rank_sum_statistic,
)
from immunosarc.stats._batched import WORTH_COMPILING
from immunosarc.stats._exponential import exponentials

NUMBERS = ("n", "n_events", "estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value")


@pytest.fixture
def panel():
    """Forty patients and nine features: ordinary, tied, missing, skewed, hopeless and perfect ones."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 9))
    values[:, 1] = np.round(values[:, 1])
    values[rng.random(40) < 0.3, 2] = np.nan
    values[:, 3] = np.exp(2 * values[:, 3])
    values[:, 4] = 5.0
    values[:, 5] = np.nan
    time, event = rng.integers(1, 15, 40).astype(float), rng.random(40) < 0.7
    response = rng.random(40) < 0.4
    values[:, 6] = values[:, 6] + 2.0 * response
    values[:, 7] = np.abs(values[:, 7]) * np.where(response, 1, -1)
    values[:, 8] = -time
    return values, time, event, response, rng.integers(0, 3, 40)


def both(call, values, **how):
    """The panel alone, and twice among noise."""
    size = len(values)
    noise = np.random.default_rng(9).normal(size=(size, WORTH_COMPILING // size))
    assert values.size < WORTH_COMPILING
    return call(values, **how), call(np.hstack([values, noise, values]), **how)


def check(few, many, rtol):
    width = len(few.status)
    for part in (slice(None, width), slice(-width, None)):
        assert many.status[part].tolist() == few.status.tolist()
        for name in NUMBERS:
            there = getattr(many, name)[part]
            np.testing.assert_allclose(there, getattr(few, name), rtol=rtol, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("stratified", [False, True])
def test_cox(panel, ties, stratified):
    values, time, event, _, strata = panel
    few, many = both(
        lambda x: cox(x, time, event, strata=strata if stratified else None, ties=ties, level=0.9), values
    )
    assert set(few.status) > {"ok", "constant feature", "needs 2 events, has 0"}
    check(few, many, 1e-9)


def test_cox_with_late_entry_is_the_same_in_a_large_panel(panel):
    values, time, event, _, strata = panel
    entry = np.where(np.arange(40) % 3, 0.0, time / 2)
    few, many = both(lambda x: cox(x, time, event, entry=entry, strata=strata), values[:, :3])
    check(few, many, 1e-9)
    assert not np.allclose(few.estimate, cox(values[:, :3], time, event, strata=strata).estimate)


def test_cox_without_events_or_in_lonely_strata(panel):
    values, time, event, _, _ = panel
    for happened, strata in ((np.zeros(40, bool), None), (event, np.arange(40))):
        check(*both(lambda x, h=happened, s=strata: cox(x, time, h, strata=s), values), 1e-9)


@pytest.mark.parametrize("call", [firth_logistic, logistic])
def test_logistic(panel, call):
    values, _, _, response, _ = panel
    few, many = both(lambda x: call(x, response, level=0.9), values)
    assert any("separated" in status for status in few.status)
    check(few, many, 1e-8)
    check(*both(lambda x: call(x, np.ones(40)), values), 1e-8)


def test_nothing_ordinary_is_left_to_the_slow_path():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 500)), rng.random(30) < 0.4
    for penalty in (0.0, 0.5):
        found = _logistic_compiled.fit_each(x, y, penalty, np.full(500, 3.84))
        assert np.mean(found[_logistic_compiled.COLUMNS.index("arrived")]) == 1.0
    one_by_one = np.arange(30), np.zeros(30, dtype=np.int64), rng.random(30) < 0.7
    found = _cox_compiled.fit_each(x, *one_by_one, True)
    assert np.mean(found[_cox_compiled.COLUMNS.index("arrived")]) == 1.0


def test_a_steep_profile_with_several_summits_gets_the_outermost_limit():
    rng = np.random.default_rng(300)
    group = np.arange(300) < 100
    steep = np.abs(rng.normal(size=(300, 6))) * np.where(group, 1, -1)[:, None]
    few, many = both(lambda x: firth_logistic(x, group), steep)
    check(few, many, 1e-9)


def test_log_rank(panel):
    values, time, event, _, strata = panel
    check(*both(lambda x: log_rank(x, time, event, strata=strata), values), 1e-12)


@pytest.mark.parametrize("stratified", [False, True])
def test_mann_whitney(panel, stratified, monkeypatch):
    values, _, _, response, strata = panel
    values = np.hstack([values, np.where(np.arange(40)[:, None] % 3 > 0, np.nan, values)])
    how = {"strata": strata if stratified else None, "sides": np.tile([0, 1, -1], 6), "level": 0.9}
    few = mann_whitney(values, response, **how)
    monkeypatch.setattr(_placements, "WORTH_COMPILING", 0)
    many = mann_whitney(values, response, **how)
    check(few, many, 1e-12)
    np.testing.assert_allclose(many.p_exact, few.p_exact, rtol=1e-12)
    z = rank_sum_statistic(values, response, strata=how["strata"])
    ok = np.array(few.status) == "ok"
    np.testing.assert_array_equal(many.statistic[ok], z[ok])


def test_a_group_that_nobody_is_in_is_merged_too(monkeypatch):
    monkeypatch.setattr(_placements, "WORTH_COMPILING", 0)
    for values in (np.ones((4, 2)), np.full((4, 2), np.nan), np.empty((0, 3))):
        fits = mann_whitney(values, np.zeros(len(values), dtype=bool))
        assert all("needs 2 patients per group" in status for status in fits.status)


def test_exponentials_are_exact_to_the_last_bits():
    x = np.r_[np.linspace(-690, 690, 20001), 0.0, 1e-300]
    out, room = np.empty(x.size), np.empty(x.size)
    exponentials(x.size, x, out, room)
    np.testing.assert_allclose(out, np.exp(x), rtol=5e-16)
