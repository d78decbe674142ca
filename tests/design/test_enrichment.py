"""The next trial: shrinkage by hand, assurance by integration, simulated trials against exact ones."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from immunosarc import design
from immunosarc.errors import ImmunosarcError

IDS = [f"P{i:02d}" for i in range(30)]


@pytest.fixture
def trial():
    hot = [True] * 9 + [False] * 20 + [pd.NA]
    rules = pd.DataFrame({"hot": pd.array(hot, dtype="boolean"), "nobody": False}, index=IDS)
    response = pd.Series([True] * 6 + [False] * 3 + [True] * 3 + [False] * 18, index=IDS)
    return rules, response.mask(np.arange(30) == 12)


def test_rates_are_shrunken_towards_all_patients(trial):
    rules, response = trial
    found = design.enrichment(rules, response, p0=0.2, prior_patients=6).set_index("rule")
    overall = 9 / 29
    a, b = 6 * overall + 6, 6 * (1 - overall) + 3
    hot = found.loc["hot"]
    assert (hot["n_here"], hot["responders_here"]) == (9, 6)
    assert hot["rate"] == pytest.approx(a / (a + b), abs=1e-12)
    assert hot["rate_low"] == pytest.approx(stats.beta(a, b).ppf(0.025), abs=1e-12)
    assert hot["rate_raw"] == pytest.approx(6 / 9)
    assert hot["prevalence"] == pytest.approx(9.5 / 29, abs=1e-12)  # 28 judged
    assert found.loc["all patients", "rate"] == pytest.approx(9.5 / 30, abs=1e-12)
    assert np.isnan(found.loc["nobody", "rate_raw"])
    assert found.loc["nobody", "rate"] == pytest.approx(overall)


def test_published_patients_count_as_patients(trial):
    rules, response = trial
    found = design.enrichment(rules, response, p0=0.2, evidence={"hot": (9, 30)}).set_index("rule")
    a, b = 6 * 9 / 29 + 6 + 9, 6 * 20 / 29 + 3 + 21
    assert found.loc["hot", "rate"] == pytest.approx(a / (a + b), abs=1e-12)


def test_no_trial_is_sized_for_a_rule_that_selects_nobody(trial):
    rules, response = trial
    unseen = response.where(~rules["hot"])  # of the ten whom it selects no response is known
    for selected, known in ((rules.assign(none=False), response), (rules.assign(none=rules["hot"]), unseen)):
        found = design.enrichment(selected, known, p0=0.05).set_index("rule")
        assert "selects no patient" in found.loc["none", "status"]
        assert found.loc["none", ["n", "r", "screened", "power", "assurance"]].isna().all()
        assert found.loc["all patients", "status"] == "ok"


def test_the_historical_control_decides(trial):
    found = design.enrichment(*trial, p0=[0.336, 0.434, 0.60]).set_index(["rule", "p0"])
    low, high = found.loc[("hot", 0.336)], found.loc[("hot", 0.434)]
    assert low["n"] < high["n"]
    assert low["assurance"] > high["assurance"]
    assert "does not exceed" in found.loc[("hot", 0.60), "status"]
    assert np.isnan(found.loc[("hot", 0.60), "n"])
    assert found.loc[("all patients", 0.434), "status"] != "ok"
    assert (found.loc["hot"].iloc[:2]["alpha"] <= 0.10).all()
    assert (found.loc["hot"].iloc[:2]["power"] >= 0.80).all()
    with_errors = design.enrichment(*trial, p0=0.336, sensitivity=0.8, specificity=0.8, dropout=0.2)
    assert with_errors["screened"].iloc[1] != low["screened"]


@pytest.mark.parametrize("kind", ["simon", "ahern", "monitored"])
def test_assurance_is_power_averaged_over_belief(kind):
    rates = {"p0": 0.2, "p1": 0.45, "alpha": 0.10, "power": 0.80}
    trial = {
        "simon": lambda: design.simon(**rates, kind="optimal"),
        "ahern": lambda: design.ahern(**rates),
        "monitored": lambda: design.predictive_probability(**rates),
    }[kind]()
    grid = np.linspace(0, 1, 801)
    power = trial.operating_characteristics(grid)["success"]
    whole = integrate.simpson(power * stats.beta(7.0, 11.0).pdf(grid), x=grid)
    assert design.assurance(trial, (7.0, 11.0)) == pytest.approx(whole, abs=1e-6)


def test_assurance_of_certain_knowledge_is_power():
    trial = design.simon(p0=0.2, p1=0.4, alpha=0.10, power=0.80)
    assert design.assurance(trial, (4e6, 6e6)) == pytest.approx(trial.power, abs=1e-3)


@pytest.mark.parametrize("rate", [0.2, 0.4])
def test_simulated_enrichment_has_the_exact_error_rates(rate):
    trial = design.simon(p0=0.2, p1=0.4, alpha=0.10, power=0.80, kind="optimal")
    found = design.simulate_enrichment(trial, prevalence=0.3, response=(rate, 0.05), dropout=0.1, seed=2)
    exact = trial.operating_characteristics([rate]).iloc[0]
    assert found["success"] == pytest.approx(exact["success"], abs=4 * np.sqrt(0.25 / 10_000))
    assert found["treated"] == pytest.approx(exact["expected_n"], abs=0.6)
    assert found["screened"] == pytest.approx(exact["expected_n"] / 0.27, rel=0.03)


def test_an_assay_that_errs_dilutes_the_response():
    trial = design.ahern(p0=0.2, p1=0.5, alpha=0.05, power=0.90)
    plan = design.screening(
        treated=trial.n, prevalence=0.25, sensitivity=0.8, specificity=0.85, dropout=0.1, response=(0.5, 0.1)
    )
    diluted = (0.2 * 0.5 + 0.1125 * 0.1) / 0.3125
    assert plan.response == pytest.approx(diluted, abs=1e-12)
    assert plan.positive_predictive_value == pytest.approx(0.64, abs=1e-12)
    found = design.simulate_enrichment(
        trial, prevalence=0.25, response=(0.5, 0.1), sensitivity=0.8, specificity=0.85, dropout=0.1, seed=1
    )
    exact = trial.operating_characteristics([diluted])["success"][0]
    assert found["success"] == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 10_000))
    assert found["screened"] == pytest.approx(plan.screened, rel=0.02)
    assert found["screened_90"] == pytest.approx(plan.screened_90, rel=0.03)
    waiting = stats.nbinom(trial.n, 0.3125 * 0.9)
    assert waiting.cdf(plan.screened_90 - trial.n) >= 0.90 > waiting.cdf(plan.screened_90 - trial.n - 1)


def test_a_mix_of_histologies_selects_the_histologies_that_carry_the_marker():
    trial = design.ahern(p0=0.2, p1=0.4, alpha=0.10, power=0.80)
    mix = [(0.5, 1.6, 2.0), (0.5, 0.4, 0.5)]
    found = design.simulate_enrichment(
        trial, prevalence=0.3, response=(0.4, 0.1), mix=mix, n_trials=20_000, seed=3
    )
    odds = 0.4 / 0.6
    rates = [f * odds / (1 + f * odds) for f in (2.0, 0.5)]
    among = 0.8 * rates[0] + 0.2 * rates[1]
    exact = trial.operating_characteristics([among])["success"][0]
    assert found["success"] == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 20_000))
    assert found["screened"] == pytest.approx(trial.n / 0.3, rel=0.02)


def test_ten_thousand_trials_in_seconds():
    trial = design.simon(p0=0.2, p1=0.4, alpha=0.10, power=0.80)
    start = time.process_time()
    design.simulate_enrichment(trial, prevalence=0.3, response=(0.4, 0.1), n_trials=10_000)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: design.screening(treated=20, prevalence=0.0), "nobody has"),
        (lambda: design.screening(treated=20, prevalence=1.2), "prevalence"),
        (lambda: design.screening(treated=20, prevalence=0.2, sensitivity=0.0), "nobody is selected"),
        (lambda: design.assurance(design.ahern(p0=0.2, p1=0.4, alpha=0.1, power=0.8), (0, 1)), "belief"),
        (lambda: design.enrichment(pd.DataFrame({"a": [True]}), pd.Series([True]), p0=1.2), "p0"),
        (
            lambda: design.enrichment(pd.DataFrame({"a": [True]}, index=["P1"]), pd.Series([True]), p0=0.2),
            "none of",
        ),
        (
            lambda: design.simulate_enrichment(
                design.ahern(p0=0.2, p1=0.4, alpha=0.1, power=0.8),
                prevalence=0.3,
                response=(0.4, 0.1),
                mix=[(0.5, 1, 1)],
            ),
            "add up",
        ),
    ],
)
def test_bad_questions_are_answered_with_the_cure(call, words):
    with pytest.raises(ImmunosarcError, match=words):
        call()
