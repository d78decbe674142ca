"""Brier score and decision curve under censoring: by their definitions, by complete data, by lifelines."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from pandas import DataFrame

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import (
    baseline_survival,
    brier,
    brier_censored,
    net_benefit,
    net_benefit_censored,
)


def _patients(seed: int = 0, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng([6, seed])
    risk = rng.random(n)
    happens, leaves = rng.exponential(8 * (1.2 - risk)), rng.exponential(10, n)
    time = np.ceil(2 * np.minimum(happens, leaves)) / 2  # with ties between events and censorings
    return risk, time, happens <= leaves


def test_without_censoring_it_is_the_plain_score_and_the_plain_curve():
    risk, time, _ = _patients()
    everybody = np.ones(40, dtype=bool)
    assert brier_censored(risk, time, everybody, by=3.0).score == pytest.approx(
        brier(risk, time <= 3.0), abs=1e-12
    )
    at = np.arange(1, 20) / 20
    found = net_benefit_censored(risk, time, everybody, by=3.0, thresholds=at)
    plain = net_benefit(risk, time <= 3.0, thresholds=at)
    assert found.model == pytest.approx(plain.model, abs=1e-12)
    assert found.treat_all == pytest.approx(plain.treat_all, abs=1e-12)


def test_with_censoring_it_is_the_sum_over_patients():
    risk, time, event = _patients(1)
    kept = {}
    for moment in sorted(set(time)):  # of being still followed; events at a time go before its censorings
        at_risk = (time >= moment).sum() - (event & (time == moment)).sum()
        gone = (~event & (time == moment)).sum()
        kept[moment] = (1 - gone / at_risk) if at_risk else 1.0
    by, total = 3.0, 0.0
    for p, t, e in zip(risk, time, event, strict=True):
        if t <= by and e:
            total += (1 - p) ** 2 / np.prod([kept[m] for m in kept if m < t])
        elif t > by:
            total += p**2 / np.prod([kept[m] for m in kept if m <= by])
    found = brier_censored(risk, time, event, by=by)
    assert found.score == pytest.approx(total / 40, abs=1e-12)
    assert found.n_known == ((time > by) | event).sum()
    whole = 1 - float(KaplanMeierFitter().fit(time, event).predict(by))
    same = brier_censored(np.full(40, whole), time, event, by=by)
    assert found.of_the_curve == pytest.approx(same.score, abs=1e-10)
    assert found.of_the_curve == pytest.approx(whole * (1 - whole), abs=1e-10)


def test_it_is_that_of_scikit_survival():
    """Its version 0.28.0 (sksurv.metrics.brier_score) on the same 60 patients, without ties."""
    rng = np.random.default_rng(5)
    risk = rng.random(60)
    happens, leaves = rng.exponential(8 * (1.2 - risk)), rng.exponential(10, 60)
    time, event = np.minimum(happens, leaves), happens <= leaves
    assert brier_censored(risk, time, event, by=3.0).score == pytest.approx(0.21459355478341724, abs=1e-14)
    assert brier_censored(risk, time, event, by=7.5).score == pytest.approx(0.21295798370657806, abs=1e-14)


def test_censoring_does_not_bend_the_score():
    """The score under censoring is that of everybody, on average."""
    gaps = []
    for seed in range(200):
        rng = np.random.default_rng([7, seed])
        risk = rng.random(120)
        happens, leaves = rng.exponential(8 * (1.2 - risk)), rng.exponential(8, 120)
        censored = brier_censored(risk, np.minimum(happens, leaves), happens <= leaves, by=3.0)
        gaps.append(censored.score - brier(risk, happens <= 3.0))
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(200)


def test_the_decision_curve_takes_the_curve_of_those_above():
    risk, time, event = _patients(2)
    above = risk >= 0.4
    curve = KaplanMeierFitter().fit(time[above], event[above])
    free = float(curve.predict(3.0))
    expected = above.mean() * ((1 - free) - free * 0.4 / 0.6)
    found = net_benefit_censored(risk, time, event, by=3.0, thresholds=[0.4, 0.999])
    assert found.model[0] == pytest.approx(expected, abs=1e-10)
    assert found.model[1] == 0.0
    whole = float(KaplanMeierFitter().fit(time, event).predict(3.0))
    assert found.treat_all[0] == pytest.approx((1 - whole) - whole * 0.4 / 0.6, abs=1e-10)


def test_the_baseline_is_that_of_lifelines():
    _, time, event = _patients(3)
    x = np.random.default_rng(0).normal(size=40)
    model = CoxPHFitter().fit(DataFrame({"x": x, "time": time, "event": event}), "time", "event")
    eta = model.params_["x"] * (x - x.mean())
    expected = float(model.baseline_survival_.loc[:3.0].iloc[-1, 0])
    assert baseline_survival(eta, time, event, by=3.0) == pytest.approx(expected, abs=1e-8)
    assert np.isnan(baseline_survival(eta, time, event, by=1e4))


def test_what_cannot_be_asked_is_refused():
    assert np.isnan(brier_censored([0.5, 0.2], [1, 2], [1, 0], by=2).score)
    with pytest.raises(ImmunosarcError, match=r"by: need a time above 0(.|\n)*|probabilities"):
        brier_censored([1.5, 0.2], [1, 2], [1, 0], by=0)
    with pytest.raises(ImmunosarcError, match="probabilities from 0 to 1"):
        net_benefit_censored([1.5, 0.2], [1, 2], [1, 0], by=1, thresholds=[0.5])
    with pytest.raises(ImmunosarcError, match="strictly between 0 and 1"):
        net_benefit_censored([0.5, 0.2], [1, 2], [1, 0], by=1, thresholds=[1.0])
    with pytest.raises(ImmunosarcError, match="by: need a time above 0"):
        baseline_survival([0.5, 0.2], [1, 2], [1, 0], by=-1)
