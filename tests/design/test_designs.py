"""Trials that count successes, and trials that wait for events: published examples, enumeration, simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from immunosarc import design
from immunosarc.errors import ImmunosarcError
from immunosarc.stats import (
    Enrollment,
    Look,
    event_probability,
    log_rank_lakatos,
    log_rank_schoenfeld,
    one_sample_log_rank_size,
    one_sample_log_rank_test,
    operating_characteristics,
    predictive_looks,
    predictive_probability,
    response_toxicity_search,
    simulate_looks,
)

MONTHLY = np.log(2) / 6


def _by_enumeration(looks, p):
    """Every sequence of patients, one by one."""
    success = size = 0.0
    for outcome in itertools.product((0, 1), repeat=looks[-1].n):
        total = np.cumsum(outcome)
        for look in looks:
            x = total[look.n - 1]
            if x <= look.stop or x >= look.go:
                weight = p ** sum(outcome) * (1 - p) ** (looks[-1].n - sum(outcome))
                success += weight * (x >= look.go)
                size += weight * look.n
                break
    return success, size


@pytest.mark.parametrize("p", [0.15, 0.5])
def test_operating_characteristics_count_every_path(p):
    looks = [Look(3, 0, 4), Look(6, 1, 5), Look(9, 3, 7), Look(11, 5, 6)]
    found = operating_characteristics(looks, p)
    success, size = _by_enumeration(looks, p)
    assert found.success == pytest.approx(success, abs=1e-12)
    assert found.expected_n == pytest.approx(size, abs=1e-12)
    assert found.stopped.sum() == pytest.approx(1.0, abs=1e-12)
    drawn = simulate_looks(looks, p, n_trials=40_000, seed=1)
    assert drawn.success == pytest.approx(success, abs=4 * np.sqrt(success * (1 - success) / 40_000))
    assert drawn.expected_n == pytest.approx(size, abs=0.08)


def test_simon_says_the_same_of_itself_three_ways():
    trial = design.simon(p0=0.434, p1=0.634, alpha=0.10, power=0.80, kind="minimax")
    exact = trial.operating_characteristics([0.434, 0.634])
    assert exact["success"].tolist() == pytest.approx([trial.alpha, trial.power], abs=1e-12)
    assert exact["expected_n"][0] == pytest.approx(trial.expected_n, abs=1e-12)
    assert exact["stop_early"][0] == pytest.approx(trial.pet, abs=1e-12)
    drawn = trial.simulate([0.434, 0.634], n_trials=20_000, seed=3)
    np.testing.assert_allclose(drawn["success"], exact["success"], atol=4 * np.sqrt(0.16 / 20_000))


def test_fleming_may_miss_what_ahern_keeps():
    for p0, p1 in ((0.434, 0.634), (0.1, 0.3), (0.2, 0.35)):
        exact = design.ahern(p0=p0, p1=p1, alpha=0.05, power=0.80)
        assert exact.alpha == pytest.approx(stats.binom.sf(exact.r, exact.n, p0), abs=1e-12)
        assert exact.power == pytest.approx(stats.binom.sf(exact.r, exact.n, p1), abs=1e-12)
        assert exact.alpha <= 0.05
        assert exact.power >= 0.80
        rough = design.fleming(p0=p0, p1=p1, alpha=0.05, power=0.80)
        assert rough.alpha == pytest.approx(stats.binom.sf(rough.r, rough.n, p0), abs=1e-12)
    short = design.fleming(p0=0.434, p1=0.634, alpha=0.05, power=0.80)
    assert short.alpha > 0.05 or short.power < 0.80


# Lee and Liu 2008, doi 10.1177/1740774508089279: their worked example and the design of their table 1
LEE_LIU = {10: 0, 17: 1, 21: 2, 24: 3, 27: 4, 29: 5, 31: 6, 33: 7, 34: 8, 35: 9, 36: 10}


def test_predictive_probability_of_the_published_example():
    found = predictive_probability(16, 23, n_max=40, needed=28, prior=(0.6, 0.4))
    assert found == pytest.approx(0.5656, abs=5e-5)
    rest = stats.betabinom(17, 0.6 + 16, 0.4 + 7)
    assert found == pytest.approx(rest.sf(28 - 16 - 1), abs=1e-12)


def test_monitored_design_has_the_published_error_rates():
    stop, looks = -1, []
    for n in range(10, 37):
        stop = LEE_LIU.get(n, stop)
        looks.append(Look(n, stop, n + 1 if n < 36 else 11))
    null, hoped = (operating_characteristics(looks, p) for p in (0.2, 0.4))
    assert null.success == pytest.approx(0.088, abs=5e-4)
    assert hoped.success == pytest.approx(0.906, abs=5e-4)
    assert null.expected_n == pytest.approx(27.67, abs=5e-3)
    assert null.stopped[:-1].sum() == pytest.approx(0.86, abs=5e-3)


def test_monitored_design_is_as_large_as_the_published_one_and_keeps_its_promises():
    trial = design.predictive_probability(p0=0.2, p1=0.4, alpha=0.10, power=0.90)
    assert (trial.n, trial.needed) == (36, 11)
    assert trial.alpha <= 0.10
    assert trial.power >= 0.90
    assert trial.expected_n < 27.67
    for look in trial.looks[:-1]:
        if look.stop >= 0:
            assert trial.chance(look.stop, look.n) < trial.theta_low
        assert trial.chance(look.stop + 1, look.n) >= trial.theta_low
    drawn = trial.simulate([0.2, 0.4], n_trials=20_000, seed=5)
    np.testing.assert_allclose(drawn["success"], [trial.alpha, trial.power], atol=4 * np.sqrt(0.09 / 20_000))
    assert predictive_looks(0.2, 0.4, 0.01, 0.99, n_max=30) is None


def _two_endpoints(found, p_response, p_toxicity):
    """Success and expected size by summing over both stages of both endpoints."""
    one = stats.binom.pmf(np.arange(found.n1 + 1), found.n1, p_response)
    tox = stats.binom.pmf(np.arange(found.n1 + 1), found.n1, p_toxicity)
    rest = found.n - found.n1
    success = on = 0.0
    for x, y in itertools.product(range(found.r1 + 1, found.n1 + 1), range(found.t1 + 1)):
        weight = one[x] * tox[y]
        on += weight
        success += (
            weight * stats.binom.sf(found.r - x, rest, p_response) * stats.binom.cdf(found.t - y, rest, p_toxicity)
        )
    return success, found.n1 + on * rest


@pytest.mark.parametrize(
    ("response", "toxicity", "alpha", "power", "n_max"),
    [((0.1, 0.4), (0.5, 0.2), (0.1, 0.1), 0.8, 30), ((0.2, 0.5), (0.4, 0.15), (0.05, 0.10), 0.8, 45)],
)
def test_response_and_toxicity_by_enumeration(response, toxicity, alpha, power, n_max):
    found = response_toxicity_search(response, toxicity, alpha=alpha, power=power, n_max=n_max)
    low, tox = _two_endpoints(found, response[0], toxicity[1]), _two_endpoints(found, response[1], toxicity[0])
    assert found.alpha_response == pytest.approx(low[0], abs=1e-12)
    assert found.alpha_toxicity == pytest.approx(tox[0], abs=1e-12)
    assert found.power == pytest.approx(_two_endpoints(found, response[1], toxicity[1])[0], abs=1e-12)
    assert found.expected_n == pytest.approx(max(low[1], tox[1]), abs=1e-12)
    assert found.alpha_response <= alpha[0]
    assert found.alpha_toxicity <= alpha[1]
    assert found.power >= power


def test_no_smaller_response_toxicity_design_was_overlooked():
    """Every design of at most 6 patients, without any short cut."""
    response, toxicity, alpha, power = (0.1, 0.8), (0.9, 0.1), 0.15, 0.70
    best = np.inf
    for n in range(2, 7):
        for n1, r in itertools.product(range(1, n), range(n)):
            for r1, t1, t in itertools.product(range(min(r + 1, n1)), range(n1), range(n)):
                one = type("D", (), {"n1": n1, "n": n, "r1": r1, "t1": t1, "r": r, "t": t})
                if t1 > t or stats.binom.sf(r, n, response[1]) < power or stats.binom.cdf(t, n, 0.1) < power:
                    continue
                if _two_endpoints(one, 0.8, 0.1)[0] < power:
                    continue
                low, tox = _two_endpoints(one, 0.1, 0.1), _two_endpoints(one, 0.8, 0.9)
                if low[0] <= alpha and tox[0] <= alpha:
                    best = min(best, max(low[1], tox[1]))
    found = response_toxicity_search(response, toxicity, alpha=(alpha, alpha), power=power, n_max=6)
    assert found.expected_n == pytest.approx(best, abs=1e-12)


def _joint_success(trial, response, toxicity, odds_ratio):
    """Sum over the four kinds of patients of both stages; the joint cell solves the odds ratio."""
    both = optimize.brentq(
        lambda b: b * (1 - response - toxicity + b) - odds_ratio * (response - b) * (toxicity - b), 0, toxicity
    )
    cells = [both, response - both, toxicity - both, 1 - response - toxicity + both]

    def counts(n):
        table = np.zeros((n + 1, n + 1))
        for a, b, c in itertools.product(range(n + 1), repeat=3):
            if a + b + c <= n:
                table[a + b, a + c] += stats.multinomial.pmf([a, b, c, n - a - b - c], n, cells)
        return table

    first, second = counts(trial.n1), counts(trial.n - trial.n1)
    total = 0.0
    for x, y in itertools.product(range(trial.r1 + 1, trial.n1 + 1), range(trial.t1 + 1)):
        total += first[x, y] * second[max(0, trial.r + 1 - x) :, : trial.t - y + 1].sum()
    return total


def test_bryant_day_simulation_agrees_and_shows_what_association_does():
    trial = design.bryant_day(response=(0.1, 0.4), toxicity=(0.5, 0.2), alpha=0.10, power=0.80)
    drawn = trial.simulate(response=0.4, toxicity=0.2, n_trials=40_000, seed=2)
    assert drawn["success"] == pytest.approx(trial.power, abs=4 * np.sqrt(0.16 / 40_000))
    together = trial.simulate(response=0.4, toxicity=0.2, odds_ratio=8.0, n_trials=40_000, seed=2)
    exact = _joint_success(trial, 0.4, 0.2, 8.0)
    assert together["success"] == pytest.approx(exact, abs=4 * np.sqrt(0.16 / 40_000))
    assert abs(exact - trial.power) > 1e-3
    assert f"first {trial.n1}" in trial.protocol


def _one_trial_in_many(n, hazard, ratio, enrollment, *, seed, n_trials=20_000):
    rng = np.random.default_rng(seed)
    event = rng.exponential(1 / (hazard * ratio), (n_trials, n))
    left = rng.exponential(1 / enrollment.dropout, (n_trials, n)) if enrollment.dropout else np.inf
    seen = np.minimum(enrollment.follow_up + enrollment.accrual * rng.random((n_trials, n)), left)
    return np.minimum(event, seen), event <= seen


@pytest.mark.parametrize("enrollment", [Enrollment(24, 12), Enrollment(12, 0, 0.02), Enrollment(0, 9)])
def test_event_probability_is_the_share_that_has_events(enrollment):
    _, events = _one_trial_in_many(1, MONTHLY, 0.7, enrollment, seed=3, n_trials=200_000)
    assert event_probability(MONTHLY * 0.7, enrollment) == pytest.approx(events.mean(), abs=0.005)
    hazard, drop = MONTHLY * 0.7, enrollment.dropout

    def followed(t):
        if enrollment.accrual == 0:
            return 1.0
        return min(1.0, (enrollment.accrual + enrollment.follow_up - t) / enrollment.accrual)

    end = enrollment.accrual + enrollment.follow_up
    whole = integrate.quad(
        lambda t: hazard * np.exp(-(hazard + drop) * t) * followed(t), 0, end, points=[enrollment.follow_up]
    )[0]
    assert event_probability(hazard, enrollment) == pytest.approx(whole, abs=1e-9)


def test_one_sample_log_rank_reaches_its_power_and_keeps_its_error():
    enrollment = Enrollment(24, 12)
    size = one_sample_log_rank_size(MONTHLY, 0.65, enrollment, alpha=0.05, power=0.80)
    rejected = {}
    for ratio in (1.0, 0.65):
        times, events = _one_trial_in_many(size.n, MONTHLY, ratio, enrollment, seed=4)
        expected = MONTHLY * times.sum(axis=1)
        rejected[ratio] = np.mean((events.sum(axis=1) - expected) / np.sqrt(expected) < stats.norm.ppf(0.05))
    assert rejected[1.0] <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 20_000)
    assert rejected[0.65] == pytest.approx(size.power, abs=0.03)
    z, p = one_sample_log_rank_test(np.array([3.0, 9.0, 12.0]), np.array([1, 0, 1]), 0.2)
    assert (z, p) == pytest.approx((-2.8 / np.sqrt(4.8), stats.norm.cdf(-2.8 / np.sqrt(4.8))), abs=1e-12)


def test_two_arm_sizes_agree_where_hazards_are_proportional():
    enrollment = Enrollment(24, 12, 0.01)
    known = log_rank_schoenfeld(0.7, MONTHLY, enrollment, alpha=0.025, power=0.9)
    events = (stats.norm.ppf(0.975) + stats.norm.ppf(0.9)) ** 2 * 4 / np.log(0.7) ** 2
    assert known.events == int(np.ceil(events))
    found = log_rank_lakatos(lambda t: np.full_like(t, 0.7), MONTHLY, enrollment, alpha=0.025, power=0.9)
    assert found.events == pytest.approx(known.events, rel=0.02)


def test_a_late_effect_costs_patients_and_the_size_is_enough():
    enrollment = Enrollment(12, 12)

    def late(t):
        return np.where(t < 3, 1.0, 0.45)

    size = log_rank_lakatos(late, MONTHLY, enrollment, alpha=0.025, power=0.80)
    at_once = log_rank_lakatos(lambda t: np.full_like(t, 0.45), MONTHLY, enrollment, alpha=0.025, power=0.80)
    assert size.n > 1.5 * at_once.n
    rng = np.random.default_rng(6)
    won = 0
    for _ in range(1500):
        half = size.n // 2
        control = rng.exponential(1 / MONTHLY, half)
        first = rng.exponential(1 / MONTHLY, half)
        second = 3 + rng.exponential(1 / (MONTHLY * 0.45), half)
        times = np.concatenate([control, np.where(first < 3, first, second)])
        seen = 12 + 12 * rng.random(2 * half)
        won += _log_rank_z(np.minimum(times, seen), times <= seen, np.arange(2 * half) >= half) < -1.95996
    assert won / 1500 == pytest.approx(size.power, abs=4 * np.sqrt(0.16 / 1500))


def _log_rank_z(times, events, treated):
    order = np.argsort(times)
    events, treated = events[order], treated[order]
    at_risk = np.arange(len(times), 0, -1)
    share = treated[::-1].cumsum()[::-1] / at_risk
    return ((treated - share)[events]).sum() / np.sqrt((share * (1 - share))[events].sum())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: design.ahern(p0=0.5, p1=0.5, alpha=0.1, power=0.8), "need 0 < p0 < p1 < 1"),
        (lambda: design.fleming(p0=0.2, p1=0.4, alpha=1.2, power=0.8), "alpha"),
        (lambda: design.predictive_probability(p0=0.4, p1=0.2, alpha=0.1, power=0.8), "need 0 < p0 < p1"),
        (lambda: design.predictive_probability(p0=0.2, p1=0.25, alpha=0.1, power=0.8, n_max=30), "Raise n_max"),
        (lambda: design.bryant_day(response=(0.4, 0.1), toxicity=(0.5, 0.2), alpha=0.1, power=0.8), "response"),
        (lambda: design.bryant_day(response=(0.1, 0.4), toxicity=(0.2, 0.5), alpha=0.1, power=0.8), "toxicity"),
        (
            lambda: design.bryant_day(response=(0.1, 0.15), toxicity=(0.5, 0.4), alpha=0.1, power=0.8),
            "Raise n_max",
        ),
        (lambda: one_sample_log_rank_size(0.1, 1.2, Enrollment(12, 6), alpha=0.1, power=0.8), "ratio"),
        (lambda: event_probability(0.0, Enrollment(12, 6)), "hazard"),
        (lambda: event_probability(0.1, Enrollment(-1, 6)), "accrual"),
        (lambda: operating_characteristics([Look(5, 1, 3), Look(4, 1, 2)], 0.2), "ascending"),
        (lambda: operating_characteristics([Look(5, 1, 3)], 0.2), "must end the trial"),
    ],
)
def test_bad_questions_are_answered_with_the_cure(call, words):
    with pytest.raises(ImmunosarcError, match=words):
        call()
