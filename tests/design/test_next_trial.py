"""From an effect to the rate of the selected, from published counts to an effect, and rates to beat."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats

from immunosarc import design
from immunosarc.catalog import load_evidence, load_historical_controls, load_marker_evidence
from immunosarc.design import MarkerEffect
from immunosarc.errors import ImmunosarcError


def _selected_rate(slope, overall, share):
    """Rate above the quantile for one slope and one overall rate, by numeric integration."""

    def mean(a, low):
        density = lambda x: special.expit(a + slope * x) * stats.norm.pdf(x)  # noqa: E731
        return integrate.quad(density, low, 12)[0]

    a = optimize.brentq(lambda a: mean(a, -12) - overall, -30, 30)
    return mean(a, stats.norm.isf(share)) / share


@pytest.mark.parametrize(("slope", "share"), [(0.8, 0.25), (-0.5, 0.5), (2.0, 0.1), (0.0, 0.3)])
def test_the_rate_of_the_selected_by_integration(slope, share):
    found = design.rate_in_selected(MarkerEffect(slope, 0.0), share=share, responders=(3e6, 1e7))
    assert found.mean == pytest.approx(_selected_rate(slope, 0.3, share), abs=2e-3)
    if slope == 0:
        assert found.mean == pytest.approx(0.3, abs=1e-4)


def test_the_rate_of_the_selected_by_drawing_patients():
    """Slopes and overall rates are drawn, then patients: mean, spread and the beta distribution agree."""
    rng = np.random.default_rng(1)
    marker = rng.normal(size=40_000)
    top = marker > np.quantile(marker, 0.75)
    drawn = []
    for _ in range(300):
        slope, overall = rng.normal(0.8, 0.4), rng.beta(10.5, 20.5)
        a = optimize.brentq(lambda a, s=slope, o=overall: special.expit(a + s * marker).mean() - o, -20, 20)
        drawn.append(special.expit(a + slope * marker[top]).mean())
    found = design.rate_in_selected(MarkerEffect(0.8, 0.4), share=0.25, responders=(10, 30))
    assert found.mean == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(300))
    assert found.std_dev == pytest.approx(np.std(drawn), rel=0.15)
    a, b = found.beta
    assert stats.beta(a, b).mean() == pytest.approx(found.mean, abs=1e-12)
    assert stats.beta(a, b).std() == pytest.approx(found.std_dev, abs=1e-12)


def test_everybody_selected_is_everybody():
    found = design.rate_in_selected(MarkerEffect(1.5, 0.5), share=1.0, responders=(10, 30))
    whole = stats.beta(10.5, 20.5)
    assert found.mean == pytest.approx(whole.mean(), abs=1e-3)
    assert found.std_dev == pytest.approx(whole.std(), rel=0.03)


def test_a_published_contrast_finds_the_slope_it_came_from():
    """Counts made from a known slope give that slope back; the rates of the trial do not matter."""
    for overall in (0.2, 0.5):
        slope = 0.6
        high = _selected_rate(slope, overall, 0.4)
        low = (overall - 0.4 * high) / 0.6
        n = 10_000_000
        found = design.published_effect((int(0.4 * n * high), int(0.4 * n)), (int(0.6 * n * low), int(0.6 * n)))
        assert found.log_odds_ratio == pytest.approx(slope, rel=0.05)
        assert found.std_error == pytest.approx(0.5, abs=1e-3)  # the heterogeneity alone
    cells = np.array([9.5, 22.5, 3.5, 33.5])
    apart = stats.norm.pdf(stats.norm.ppf(31 / 67)) / (31 / 67 * 36 / 67)
    found = design.published_effect((9, 31), (3, 36), heterogeneity=0.0)
    assert found.log_odds_ratio == pytest.approx(np.log(9.5 * 33.5 / (22.5 * 3.5)) / apart, abs=1e-12)
    assert found.std_error == pytest.approx(np.sqrt((1 / cells).sum()) / apart, abs=1e-12)


def test_combined_effects_are_the_posterior():
    own, other = MarkerEffect(1.4, 0.5), MarkerEffect(0.3, 0.8)
    grid = np.linspace(-6, 8, 40_001)
    density = stats.norm.pdf(own.log_odds_ratio, grid, 0.5) * stats.norm.pdf(grid, 0.3, 0.8)
    density /= integrate.simpson(density, x=grid)
    mean = integrate.simpson(grid * density, x=grid)
    found = design.combine_effects(own, other)
    assert found.log_odds_ratio == pytest.approx(mean, abs=1e-9)
    spread = integrate.simpson((grid - mean) ** 2 * density, x=grid)
    assert found.std_error == pytest.approx(np.sqrt(spread), abs=1e-9)


@pytest.fixture
def trial():
    ids = [f"P{i:02d}" for i in range(40)]
    rng = np.random.default_rng(2)
    marker = pd.Series(rng.normal(size=40), index=ids)
    response = pd.Series(rng.random(40) < special.expit(marker - 0.5), index=ids)
    histology = pd.Series(np.where(np.arange(40) % 4 == 0, "UPS", "LMS"), index=ids)
    return pd.DataFrame({"high": marker > marker.median()}), response, histology


def test_enrichment_reads_the_effect_and_not_the_rate_as_seen(trial):
    rules, response, _ = trial
    effects = pd.DataFrame({"log_odds_ratio": 0.7, "std_error": 0.3, "source": "shrunken"}, index=["high"])
    found = design.enrichment(rules, response, p0=0.25, effects=effects).set_index("rule").loc["high"]
    share = found["prevalence"]
    assert share == pytest.approx(20.5 / 41)
    told = design.rate_in_selected(
        MarkerEffect(0.7, 0.3), share=share, responders=(int(response.sum()), len(response))
    )
    assert found["rate"] == pytest.approx(told.mean, abs=1e-12)
    assert (found["rate_low"], found["rate_high"]) == pytest.approx(stats.beta(*told.beta).ppf([0.025, 0.975]))
    assert found["source"] == "shrunken"
    size = design.simon(p0=0.25, p1=told.mean, alpha=0.10, power=0.80, kind="minimax")
    assert (found["n"], found["r"]) == (size.n, size.r)
    assert found["assurance"] == pytest.approx(design.assurance(size, told.beta), abs=1e-9)
    # the trial as planned, run from the first patient screened
    drawn = design.simulate_enrichment(size, prevalence=share, response=(told.mean, 0.1), dropout=0.1, seed=3)
    assert drawn["success"] == pytest.approx(found["power"], abs=4 * np.sqrt(0.16 / 10_000))
    assert drawn["screened"] <= found["screened"] + 1


def test_a_mix_of_histologies_weighs_patients(trial):
    rules, response, histology = trial
    mix = {"UPS": 0.5, "LMS": 0.5}
    found = design.enrichment(rules, response, p0=0.2, histology=histology, mix=mix).set_index("rule")
    weight = np.where(histology == "UPS", 0.5 / 0.25, 0.5 / 0.75)
    size = weight.sum() ** 2 / (weight**2).sum()
    scaled = weight * size / weight.sum()
    hits = (scaled * response).sum()
    assert found.loc["all patients", "rate"] == pytest.approx((hits + 0.5) / (size + 1), abs=1e-12)
    picked = (scaled * rules["high"]).sum()
    assert found.loc["high", "prevalence"] == pytest.approx((picked + 0.5) / (size + 1), abs=1e-12)
    assert found.loc["high", "n_here"] == rules["high"].sum()
    same = design.enrichment(rules, response, p0=0.2, histology=histology, mix={"UPS": 0.25, "LMS": 0.75})
    plain = design.enrichment(rules, response, p0=0.2)
    pd.testing.assert_frame_equal(same, plain, rtol=1e-12)
    wider = found.loc["high", "rate_high"] - found.loc["high", "rate_low"]
    plain = plain.set_index("rule").loc["high"]
    assert wider > plain["rate_high"] - plain["rate_low"]


def test_the_rate_to_beat_decides_the_conclusion():
    controls = load_historical_controls().query("endpoint == 'pfs6'")
    found = design.control_sensitivity(13, 28, controls, endpoint="pfs6").set_index("control")
    for _, row in found.iterrows():
        exact = stats.binomtest(13, 28, row["p0"], alternative="greater").pvalue
        assert row["p_value"] == pytest.approx(exact, abs=1e-12)
        assert row["superior"] == (exact < 0.10)
    assert found.loc["null rate of NCT04028063", "p_value"] == pytest.approx(0.444, abs=5e-4)
    assert found.loc["doxorubicin arm of MEDISARC", "p_value"] == pytest.approx(0.110, abs=5e-4)
    assert found["superior"].sum() == 1
    edge = found["break_even"].iloc[0]
    assert stats.binomtest(13, 28, edge - 1e-9, alternative="greater").pvalue < 0.10
    assert stats.binomtest(13, 28, edge + 1e-9, alternative="greater").pvalue > 0.10
    assert (
        found.loc["doxorubicin arm of MEDISARC", "n_next"]
        == design.ahern(p0=0.336, p1=0.536, alpha=0.10, power=0.80).n
    )
    nobody = design.control_sensitivity(0, 12, controls, endpoint="pfs6")
    assert nobody["break_even"].eq(0).all()
    assert not nobody["superior"].any()


def test_controls_and_markers_are_facts_of_the_catalog():
    facts = load_evidence().set_index(["trial", "item"])
    for row in load_historical_controls().to_dict(orient="records"):
        fact = facts.loc[(row["trial"], row["item"])]
        assert row["rate"] == pytest.approx(fact["number"] / 100)
        assert row["evidence"] == fact["evidence"]
        assert row["citation"]
        assert (fact["regimen"] == "doxorubicin") == (row["role"] == "doxorubicin")
    for row in load_marker_evidence().to_dict(orient="records"):
        said = facts.loc[(row["trial"], row["item"]), "value"]
        counts = "{responders_with}/{n_with} vs {responders_without}/{n_without}".format(**row)
        assert counts in said
    assert set(load_historical_controls()["evidence"]) <= {"V", "C"}
    assert set(load_marker_evidence()["evidence"]) <= {"V", "C"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: design.rate_in_selected(MarkerEffect(1, 0.2), share=0, responders=(3, 9)), "share: need"),
        (lambda: design.rate_in_selected(MarkerEffect(np.nan, 0.2), share=1, responders=(3, 9)), "finite effect"),
        (lambda: design.published_effect((5, 3), (1, 4)), "with_marker"),
        (lambda: design.combine_effects(MarkerEffect(1.0, 0.0)), "errors above 0"),
        (lambda: design.control_sensitivity(5, 4, load_historical_controls(), endpoint="pfs6"), "x and n"),
        (lambda: design.control_sensitivity(2, 4, pd.DataFrame({"rate": [1.2]}), endpoint="pfs6"), "no column"),
    ],
)
def test_bad_questions_are_answered_with_the_cure(call, words):
    with pytest.raises(ImmunosarcError, match=words):
        call()


def test_a_mix_that_cannot_be_weighed_is_refused(trial):
    rules, response, histology = trial
    with pytest.raises(ImmunosarcError, match="pass histology="):
        design.enrichment(rules, response, p0=0.2, mix={"UPS": 1.0})
    with pytest.raises(ImmunosarcError, match=r"(?s)2 problem.*no patient here has histology 'ASPS'.*add up to 1"):
        design.enrichment(rules, response, p0=0.2, histology=histology, mix={"ASPS": 0.2})
