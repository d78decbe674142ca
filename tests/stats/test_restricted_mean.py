"""Restricted mean and exact Poisson rate: R's numbers, the integral by hand, and the chi-squared form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import kaplan_meier, poisson_rate, restricted_mean


@pytest.mark.parametrize("group", ["all", "sex=1", "sex=2"])
def test_restricted_mean_agrees_with_r(oracles: Path, group: str) -> None:
    lung = pd.read_csv(oracles / "lung.csv")
    table = pd.read_csv(oracles / "survfit_lung_medians.csv")
    wanted = table[(table["conf"] == "plain") & (table["stratum"] == group)].iloc[0]
    rows = lung if group == "all" else lung[lung["sex"] == int(group[-1])]
    # R's common horizon is the last follow-up of anybody
    found = restricted_mean(rows["time"], rows["event"], lung["time"].max())
    assert found.mean == pytest.approx(wanted["rmean"], rel=1e-8)
    assert found.std_error == pytest.approx(wanted["se_rmean"], rel=1e-8)


def test_the_mean_is_the_area_and_the_error_what_the_jackknife_gives() -> None:
    rng = np.random.default_rng(3)
    time = np.ceil(rng.exponential(200, 150))
    event = rng.random(150) < 0.7
    curve = kaplan_meier(time, event)
    fine = np.linspace(0, 300, 300_001)[:-1]
    area = float(curve.at(fine)[0].mean() * 300)
    found = restricted_mean(time, event, 300)
    assert found.mean == pytest.approx(area, rel=1e-5)
    keep = ~np.eye(150, dtype=bool)
    left_out = np.array([restricted_mean(time[k], event[k], 300).mean for k in keep])
    jackknife = np.sqrt(149 / 150 * np.sum((left_out - left_out.mean()) ** 2))
    assert found.std_error == pytest.approx(jackknife, rel=0.02)
    assert found.conf_high - found.mean == pytest.approx(1.959963984540054 * found.std_error, rel=1e-12)


def test_without_censoring_it_is_the_mean_of_the_cut_times() -> None:
    time = np.array([3.0, 5, 5, 8, 13, 21])
    found = restricted_mean(time, np.ones(6), 10)
    cut = np.minimum(time, 10)
    assert found.mean == pytest.approx(cut.mean(), abs=1e-12)
    assert found.std_error == pytest.approx(cut.std() / np.sqrt(6), abs=1e-12)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ImmunosarcError, match="horizon: need a finite time above 0, have 0"):
        restricted_mean([1, 2], [1, 0], 0)
    with pytest.raises(ImmunosarcError, match=r"events: need whole[\s\S]*time_at_risk: need finite"):
        poisson_rate(-1, 0)


def test_poisson_limits_solve_their_definition() -> None:
    rate, low, high = poisson_rate([0, 1, 7, 40], 25.0, 0.9)
    assert rate.tolist() == [0, 0.04, 0.28, 1.6]
    assert low[0] == 0
    for d, below, above in zip([1, 7, 40], low[1:], high[1:], strict=True):
        assert scipy_stats.poisson.sf(d - 1, below * 25) == pytest.approx(0.05, abs=1e-10)
        assert scipy_stats.poisson.cdf(d, above * 25) == pytest.approx(0.05, abs=1e-10)
    assert scipy_stats.poisson.cdf(0, high[0] * 25) == pytest.approx(0.05, abs=1e-10)
