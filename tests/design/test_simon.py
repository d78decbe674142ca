"""Two-stage designs against R's clinfun, against enumeration, and what a finished trial says."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.design import simon, simon_designs, single_stage_designs
from immunosarc.errors import ImmunosarcError, UnknownNameError
from immunosarc.stats import two_stage_inference, two_stage_search

CASE = ["p0", "p1", "alpha", "beta"]


def chance(k: int, n: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def success(r1: int, n1: int, r: int, n: int, p: float) -> float:
    """Every way to pass both stages, counted one by one."""
    return sum(
        chance(a, n1, p) * chance(b, n - n1, p)
        for a in range(r1 + 1, n1 + 1)
        for b in range(n - n1 + 1)
        if a + b > r
    )


def test_agrees_with_clinfun(oracles):
    for _, row in pd.read_csv(oracles / "ph2simon.csv").iterrows():
        trial = simon(
            p0=row["p0"],
            p1=row["p1"],
            alpha=row["alpha"],
            power=1 - row["beta"],
            kind=row["design"],
            n_max=150,
        )
        assert (trial.r1, trial.n1, trial.r, trial.n) == tuple(row[["r1", "n1", "r", "n"]])
        assert trial.expected_n == pytest.approx(row["EN0"], rel=1e-12)
        assert trial.pet == pytest.approx(row["PET0"], rel=1e-12)


def test_admissible_designs_agree_with_clinfun(oracles):
    for (p0, p1, alpha, beta), rows in pd.read_csv(oracles / "ph2simon_admissible.csv").groupby(CASE):
        ours = simon_designs(p0=p0, p1=p1, alpha=alpha, power=1 - beta, n_max=150)
        columns = ["r1", "n1", "r", "n"]
        assert ours[columns].to_numpy().tolist() == rows[columns].to_numpy().tolist()
        assert ours["weight_low"].round(3).tolist() == rows["qLo"].tolist()
        assert ours["weight_high"].round(3).tolist() == rows["qHi"].tolist()


def test_single_stage_designs_agree_with_clinfun(oracles):
    for (p0, p1, alpha, beta), rows in pd.read_csv(oracles / "ph2single.csv").groupby(CASE):
        ours = single_stage_designs(p0=p0, p1=p1, alpha=alpha, power=1 - beta, count=len(rows))
        assert ours[["n", "r"]].to_numpy().tolist() == rows[["n", "r"]].to_numpy().tolist()
        assert ours["alpha"].tolist() == pytest.approx(rows["Type I error"].tolist(), rel=1e-11)
        assert (1 - ours["power"]).tolist() == pytest.approx(rows["Type II error"].tolist(), rel=1e-11)


def test_attained_rates_are_sums_over_every_outcome():
    for trial in two_stage_search(0.2, 0.45, 0.1, 0.8):
        way = (trial.r1, trial.n1, trial.r, trial.n)
        assert trial.alpha == pytest.approx(success(*way, 0.2), rel=1e-11)
        assert trial.power == pytest.approx(success(*way, 0.45), rel=1e-11)
        stopped = sum(chance(k, trial.n1, 0.2) for k in range(trial.r1 + 1))
        assert trial.pet == pytest.approx(stopped, rel=1e-12)
        assert trial.expected_n == pytest.approx(trial.n1 + (1 - stopped) * (trial.n - trial.n1), rel=1e-12)


def test_nothing_better_exists_among_all_designs():
    p0, p1, alpha, power, largest = 0.2, 0.6, 0.1, 0.8, 16
    every = [
        (n, n1 + (1 - sum(chance(k, n1, p0) for k in range(r1 + 1))) * (n - n1), (r1, n1, r, n))
        for n in range(2, largest + 1)
        for n1 in range(1, n)
        for r1 in range(n1)
        for r in range(r1, n)
        if success(r1, n1, r, n, p0) <= alpha and success(r1, n1, r, n, p1) >= power
    ]
    minimax, optimal = min(every), min(every, key=lambda one: one[1])
    found = {kind: simon(p0=p0, p1=p1, alpha=alpha, power=power, kind=kind) for kind in ("minimax", "optimal")}
    assert (found["minimax"].n, found["minimax"].expected_n) == pytest.approx(minimax[:2])
    assert (found["optimal"].n, found["optimal"].expected_n) == pytest.approx(optimal[:2])


def test_weight_runs_from_optimal_to_minimax():
    case = {"p0": 0.1, "p1": 0.3, "alpha": 0.05, "power": 0.8}
    sizes = [simon(**case, kind="admissible", weight=w).n for w in (0.0, 0.4, 0.6, 1.0)]
    assert sizes == [29, 27, 26, 25]
    assert simon(**case).n == 29
    assert simon(**case, kind="minimax").n == 25


def test_protocol_says_what_is_to_be_done():
    trial = ims.design.simon(p0=0.434, p1=0.634, alpha=0.10, power=0.80, kind="minimax")
    assert trial.protocol == (
        "Simon's minimax two-stage design tests a rate of 43.4% against 63.4%. Of 15 patients in the first stage, "
        "6 or fewer successes stop the trial; otherwise 13 more are enrolled. More than 15 successes among all 28 "
        "patients make the treatment worth pursuing. One-sided type-I error 0.0979, power 0.8020; at 43.4% the "
        "trial stops early with probability 0.503 and needs 21.5 patients on average."
    )
    with pytest.raises(AttributeError):
        trial.n = 30


def test_fast_enough_to_ask_again():
    start = time.process_time()
    for kind in ("optimal", "minimax", "admissible"):
        simon(p0=0.4, p1=0.55, alpha=0.05, power=0.9, kind=kind, n_max=100)
    assert time.process_time() - start < 0.5
    start = time.process_time()
    assert simon(p0=0.45, p1=0.53, alpha=0.05, power=0.8, n_max=400).n <= 400
    assert time.process_time() - start < 10


def test_bad_questions_are_refused():
    good = {"p0": 0.2, "p1": 0.4, "alpha": 0.05, "power": 0.8}
    with pytest.raises(UnknownNameError, match="Did you mean 'minimax'"):
        simon(**good, kind="minmax")
    with pytest.raises(ImmunosarcError, match="need 0 < p0 < p1 < 1"):
        simon(**good | {"p0": 0.4})
    with pytest.raises(ImmunosarcError, match=r"2 problem\(s\)[\s\S]*alpha: need[\s\S]*power: need"):
        simon(**good | {"alpha": 5, "power": 80})
    with pytest.raises(ImmunosarcError, match="no two-stage design of at most 30 patients"):
        simon(**good, n_max=30)
    with pytest.raises(ImmunosarcError, match=r"from 0 \(optimal\) to 1"):
        simon(**good, kind="admissible", weight=2)


def test_inference_agrees_with_clinfun(oracles):
    for _, row in pd.read_csv(oracles / "twostage_inference.csv").iterrows():
        x, design = int(row["x"]), tuple(int(row[name]) for name in ("r1", "n1", "n"))
        found = two_stage_inference(x, design, p0=row["pu"], upper="clinfun")
        assert found.estimate == pytest.approx(row["pumvue"], rel=1e-12)
        assert found.p_value == pytest.approx(row["p.value"], rel=1e-11)
        # clinfun steps through a grid of 0.0001 and prints its first point inside
        assert math.ceil(found.conf_low * 1e4) == round(row["X5..LCL"] * 1e4)
        assert math.floor(found.conf_high * 1e4) == round(row["X95..UCL"] * 1e4)


def outcomes(r1: int, n1: int, n: int, p: float) -> dict[int, float]:
    """Chance of every total; at most r1 means that the trial stopped."""
    total = {x: chance(x, n1, p) for x in range(r1 + 1)}
    for a in range(r1 + 1, n1 + 1):
        for b in range(n - n1 + 1):
            total[a + b] = total.get(a + b, 0.0) + chance(a, n1, p) * chance(b, n - n1, p)
    return total


def test_the_estimate_is_unbiased_and_the_naive_one_is_not():
    design = (2, 8, 20)
    for p in (0.1, 0.35, 0.6):
        found = outcomes(*design, p)
        mean = sum(q * two_stage_inference(x, design, p0=0.2).estimate for x, q in found.items())
        naive = sum(q * x / (8 if x <= 2 else 20) for x, q in found.items())
        assert mean == pytest.approx(p, abs=1e-12)
        assert naive < p - 0.005


def test_the_estimate_by_counting_trials():
    """The share of responders in stage one, over all orders that give the same total."""
    r1, n1, n, x = 1, 4, 9, 5
    ways = {a: math.comb(n1, a) * math.comb(n - n1, x - a) for a in range(r1 + 1, n1 + 1)}
    exact = sum(Fraction(a, n1) * w for a, w in ways.items()) / sum(ways.values())
    assert two_stage_inference(x, (r1, n1, n), p0=0.2).estimate == pytest.approx(float(exact), rel=1e-12)


def test_the_exact_interval_covers_as_promised_and_the_other_does_not():
    design, worst = (2, 8, 20), {"exact": 1.0, "clinfun": 1.0}
    limits = {
        upper: {x: two_stage_inference(x, design, p0=0.2, upper=upper) for x in range(21)} for upper in worst
    }
    for i in range(1, 60):
        found = outcomes(*design, i / 60)
        for upper, table in limits.items():
            below = sum(q for x, q in found.items() if table[x].conf_high >= i / 60)
            worst[upper] = min(worst[upper], below)
    assert worst["exact"] >= 0.95 - 1e-9
    assert worst["clinfun"] < 0.95


def test_stopping_after_the_first_stage_and_the_ends():
    stopped = two_stage_inference(1, (2, 8, 20), p0=0.2)
    assert stopped.estimate == 1 / 8
    assert stopped.p_value == pytest.approx(1 - 0.8**8, rel=1e-12)
    assert two_stage_inference(0, (2, 8, 20), p0=0.2).conf_low == 0.0
    assert two_stage_inference(20, (2, 8, 20), p0=0.2).conf_high == 1.0
    with pytest.raises(ImmunosarcError, match="need whole 0 <= r1 < n1 < n and 0 <= x <= n"):
        two_stage_inference(21, (2, 8, 20), p0=0.2)
    with pytest.raises(ImmunosarcError, match="need 'exact' or 'clinfun'"):
        two_stage_inference(2, (2, 8, 20), p0=0.2, upper="naive")
