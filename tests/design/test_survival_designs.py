"""Trials that wait for events: exact sums, integrals written in other terms, and simulated trials."""

from __future__ import annotations

import itertools

import lifelines
import numpy as np
import pytest
from scipy import integrate, optimize, stats
from statsmodels.duration.hazard_regression import PHReg

from immunosarc import design
from immunosarc.design import FollowUp
from immunosarc.errors import ImmunosarcError, UnknownNameError
from immunosarc.stats import Enrollment, survival_rate_error, survival_rate_statistic, two_arm_statistics

FOLLOW = FollowUp(at=6, accrual=24, minimum=6, lost=0.05)
ASKED = {"p0": 0.434, "p1": 0.634, "alpha": 0.10, "power": 0.80}


def _error(share: float, n_trials: int) -> float:
    return 4 * np.sqrt(max(share * (1 - share), 0.01) / n_trials)


def test_one_sample_log_rank_says_the_same_of_itself_twice():
    trial = design.one_sample_log_rank(follow=FOLLOW, **ASKED)
    assert trial.ratio == pytest.approx(np.log(0.634) / np.log(0.434), abs=1e-12)
    expected = trial.operating_characteristics([0.434, 0.634, 0.75])
    assert expected["success"][1] == pytest.approx(trial.power, abs=1e-12)
    assert trial.power >= 0.80
    drawn = trial.simulate([0.434, 0.634, 0.75], seed=4)
    # the test is conservative at n = 20 (known), and its power is the normal approximation's within .03
    assert 0.06 < drawn["success"][0] <= 0.10 + _error(0.1, 10_000)
    np.testing.assert_allclose(drawn["success"][1:], expected["success"][1:], atol=0.03)
    np.testing.assert_allclose(drawn["events"], expected["events"], atol=4 * np.sqrt(trial.n / 4 / 10_000))


def _lost_by_integral(rate: float, follow: FollowUp) -> tuple[float, float]:
    """Chance to be seen event-free, and to be seen failing, before anything else ends the follow-up."""
    hazard, leaving = -np.log(rate) / follow.at, -np.log(1 - follow.lost) / follow.at
    free = np.exp(-(hazard + leaving) * follow.at)
    failed = integrate.quad(lambda t: hazard * np.exp(-hazard * t) * np.exp(-leaving * t), 0, follow.at)[0]
    return free, failed


@pytest.mark.parametrize("censored", ["failure", "excluded"])
def test_the_count_of_patients_event_free_is_exact_with_and_without_losses(censored):
    lossy = FollowUp(at=6, accrual=24, minimum=6, lost=0.15)
    trial = design.survival_rate(follow=lossy, censored=censored, **ASKED)
    assert trial.alpha == pytest.approx(stats.binom.sf(trial.r, trial.n, 0.434), abs=1e-12)
    assert trial.alpha <= 0.10
    free, failed = _lost_by_integral(0.634, lossy)
    share = free if censored == "failure" else free / (free + failed)
    assert trial.power == pytest.approx(stats.binom.sf(trial.r, trial.n, share), abs=1e-10)
    assert trial.power >= 0.80
    if censored == "excluded":
        assert trial.enrolled == int(np.ceil(trial.n / (free + failed)))
        assert share < 0.634  # leaving lost patients out does not leave the rate as it was
    drawn = trial.simulate([0.434, 0.634], seed=1)
    exact = trial.operating_characteristics([0.434, 0.634])
    np.testing.assert_allclose(drawn["success"], exact["success"], atol=_error(0.5, 10_000))
    without = design.survival_rate(follow=lossy._replace(lost=0.0), **ASKED)
    assert (without.n, without.r) == (design.ahern(**ASKED).n, design.ahern(**ASKED).r)
    assert without.n < trial.n


def test_the_count_by_enumerating_every_patient():
    trial = design.survival_rate(
        p0=0.2, p1=0.8, alpha=0.1, power=0.8, follow=FollowUp(6, 12, 6, 0.1), censored="failure"
    )
    free = 0.8 * 0.9
    total = sum(
        np.prod([free if one else 1 - free for one in outcome])
        for outcome in itertools.product((0, 1), repeat=trial.n)
        if sum(outcome) > trial.r
    )
    assert trial.power == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("enrollment", [Enrollment(24, 6, 0.01), Enrollment(24, 2, 0.02), Enrollment(0, 9)])
def test_greenwoods_error_is_the_integral_and_what_trials_show(enrollment):
    hazard, at = 0.12, 6.0

    def stays(u):
        window = (
            1.0
            if enrollment.accrual == 0
            else min(1.0, (enrollment.accrual + enrollment.follow_up - u) / enrollment.accrual)
        )
        return np.exp(-(hazard + enrollment.dropout) * u) * window

    whole = integrate.quad(lambda u: hazard / stays(u), 0, at, points=[min(enrollment.follow_up, at)])[0]
    found = survival_rate_error(hazard, at, enrollment, variance="greenwood")
    assert found == pytest.approx(np.sqrt(whole) / (hazard * at), abs=1e-10)
    rng = np.random.default_rng(2)
    times = rng.exponential(1 / hazard, (4000, 200))
    left = rng.exponential(1 / enrollment.dropout, times.shape) if enrollment.dropout else np.inf
    seen = np.minimum(enrollment.follow_up + enrollment.accrual * rng.random(times.shape), left)
    observed, events = np.minimum(times, seen), times <= seen
    for variance in ("greenwood", "exponential"):
        error = survival_rate_error(hazard, at, enrollment, variance=variance) / np.sqrt(200)
        rates = survival_rate_statistic(observed, events, at=at, p0=0.4, variance=variance).rate
        assert np.log(-np.log(rates)).std() == pytest.approx(error, rel=0.06)


def test_the_rate_statistic_is_lifelines_kaplan_meier():
    rng = np.random.default_rng(3)
    times, events = np.round(rng.exponential(8, (5, 40)), 1) + 0.1, rng.random((5, 40)) < 0.7
    found = survival_rate_statistic(times, events, at=6.0, p0=0.4, variance="greenwood")
    for place in range(5):
        fitted = lifelines.KaplanMeierFitter().fit(times[place], events[place])
        share = float(fitted.predict(6.0))
        assert found.rate[place] == pytest.approx(share, abs=1e-12)
        spread = sum(
            row.observed / (row.at_risk * (row.at_risk - row.observed))
            for moment, row in fitted.event_table.iterrows()
            if moment <= 6.0
        )
        z = (np.log(-np.log(0.4)) - np.log(-np.log(share))) / (np.sqrt(spread) / -np.log(share))
        # patients with tied events die one after the other here: a little more variance than Greenwood's own
        assert found.z[place] == pytest.approx(z, rel=0.02)
    nobody = survival_rate_statistic(
        np.full((1, 5), 9.0), np.zeros((1, 5), bool), at=6, p0=0.4, variance="exponential"
    )
    assert np.isposinf(nobody.z[0])
    short = survival_rate_statistic(
        np.full((1, 5), 3.0), np.zeros((1, 5), bool), at=6, p0=0.4, variance="greenwood"
    )
    assert np.isnan(short.z[0])


@pytest.mark.parametrize("method", ["greenwood", "exponential"])
def test_survival_rate_trials_keep_their_error_and_reach_their_power(method):
    small = design.survival_rate(follow=FollowUp(6, 24, 4), method=method, **ASKED)
    drawn = small.simulate([0.434, 0.634], seed=5)["success"]
    assert drawn[0] <= 0.10 + _error(0.1, 10_000)
    # a Kaplan-Meier estimate of 30 patients moves in steps: its power may lie above what is promised
    assert 0.80 - 0.015 < drawn[1] < 0.85
    larger = design.survival_rate(follow=FollowUp(6, 24, 4), method=method, **{**ASKED, "p1": 0.534})
    expected = larger.operating_characteristics([0.434, 0.534])["success"]
    drawn = larger.simulate([0.434, 0.534], seed=5)["success"]
    np.testing.assert_allclose(drawn, expected, atol=0.015)
    assert expected[1] == pytest.approx(larger.power, abs=1e-12)


def test_the_limit_of_a_survival_rate_trial_by_hand():
    """All followed, nobody lost: the error is binomial, and limit and power follow from one equation."""
    trial = design.survival_rate(follow=FollowUp(6, 24, 6), method="greenwood", **ASKED)

    def theta(p):
        return np.log(-np.log(p))

    def error(p):
        return np.sqrt((1 - p) / p / trial.n) / -np.log(p)

    z = stats.norm.ppf(0.9)
    limit = optimize.brentq(lambda p: theta(0.434) - theta(p) - z * error(p), 0.434, 0.8)
    power = stats.norm.cdf((theta(limit) - theta(0.634)) / error(0.634))
    assert trial.power == pytest.approx(power, abs=1e-4)
    assert trial.power >= 0.80


@pytest.mark.parametrize("delay", [0.0, 3.0])
def test_randomized_trials_reach_their_power(delay):
    trial = design.randomized_log_rank(
        p0=0.434, ratio=0.6, follow=FollowUp(6, 24, 12, 0.03), alpha=0.05, power=0.80, delay=delay
    )
    drawn = trial.simulate([1.0, 0.6], n_trials=4000, seed=6)
    assert drawn["success"][0] == pytest.approx(0.05, abs=_error(0.05, 4000))
    assert drawn["success"][1] == pytest.approx(0.80, abs=_error(0.8, 4000))
    expected = trial.operating_characteristics([1.0, 0.6])
    assert expected["success"][0] == pytest.approx(0.05, abs=1e-9)
    assert expected["success"][1] == pytest.approx(trial.power, abs=0.01)
    np.testing.assert_allclose(drawn["events"], expected["events"], rtol=0.01)


def test_many_two_arm_trials_at_once_are_cox_and_the_log_rank_of_each():
    rng = np.random.default_rng(7)
    times = rng.exponential(10, (6, 50))
    events, treated, among = rng.random((6, 50)) < 0.7, rng.random((6, 50)) < 0.5, rng.random((6, 50)) < 0.8
    found = two_arm_statistics(times, events, treated, among=among)
    for place in range(6):
        mine = among[place]
        fitted = PHReg(
            times[place][mine], treated[place][mine].astype(float)[:, None], status=events[place][mine]
        ).fit()
        assert found.log_ratio[place] == pytest.approx(fitted.params[0], abs=1e-6)
        assert found.information[place] == pytest.approx(1 / fitted.bse[0] ** 2, rel=1e-5)
        test = lifelines.statistics.logrank_test(
            times[place][mine & treated[place]],
            times[place][mine & ~treated[place]],
            events[place][mine & treated[place]],
            events[place][mine & ~treated[place]],
        )
        assert found.z[place] ** 2 == pytest.approx(test.test_statistic, rel=1e-9)


def test_every_record_shows_its_numbers_and_its_protocol():
    records = [
        design.one_sample_log_rank(follow=FOLLOW, **ASKED),
        design.survival_rate(follow=FOLLOW, **ASKED),
        design.simon(**ASKED),
        design.predictive_probability(p0=0.2, p1=0.5, alpha=0.1, power=0.8),
        design.screening(treated=20, prevalence=0.3),
        design.bryant_day(response=(0.1, 0.4), toxicity=(0.5, 0.2), alpha=0.10, power=0.80),
        design.interaction(prevalence=0.4, positive=(0.2, 0.5), negative=(0.2, 0.2), alpha=0.05, power=0.8),
    ]
    for record in records:
        assert isinstance(record, design.DesignRecord)
        text, page = repr(record), record._repr_html_()
        assert text.startswith(type(record).__name__)
        assert record.protocol in text
        assert f"<th>{next(iter(record.facts()))}</th>" in page
        assert "nan" not in text


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: design.survival_rate(**{**ASKED, "p1": 0.4}, follow=FOLLOW), "need 0 < p0 < p1 < 1"),
        (lambda: design.survival_rate(**ASKED, follow=FollowUp(6, 24, 3)), "Raise follow.minimum, or take"),
        (lambda: design.survival_rate(**ASKED, follow=FollowUp(6, 2, 3), method="greenwood"), "Raise follow.min"),
        (lambda: design.survival_rate(**ASKED, follow=FollowUp(6, 24, 6, 0.4)), "no trial can succeed"),
        (lambda: design.one_sample_log_rank(**ASKED, follow=FollowUp(0, -1, 6, 1.0)), r"(?s)3 problem.*at.*lost"),
        (
            lambda: design.one_sample_log_rank(**{**ASKED, "alpha": 1.0}, follow=FOLLOW),
            r"alpha: need a number in \(0, 1\)",
        ),
        (
            lambda: design.randomized_log_rank(
                p0=0.4, ratio=1.2, follow=FollowUp(6, 12, 6), alpha=0.05, power=0.8, delay=20
            ),
            r"(?s)2 problem.*ratio.*delay",
        ),
    ],
)
def test_bad_questions_are_answered_with_the_cure(call, words):
    with pytest.raises(ImmunosarcError, match=words):
        call()


def test_unknown_choices_are_answered_with_the_right_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'greenwood'"):
        design.survival_rate(**ASKED, follow=FOLLOW, method="greenwod")
