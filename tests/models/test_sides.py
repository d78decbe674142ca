"""One-sided tests, in the direction that was stated beforehand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference

import immunosarc as ims
from immunosarc import stats
from immunosarc.errors import ImmunosarcError, PlanError
from immunosarc.models import associate

from .conftest import make_cohort, make_table

ASK = {"endpoint": "objective_response", "model": "firth_logistic", "n_permutations": 999}


@pytest.fixture
def trial() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(2)
    cohort = make_cohort(["PR"] * 10 + ["PD"] * 20)
    up = rng.normal(size=30) + 1.0 * (np.arange(30) < 10)
    return make_table(cohort, up=up, down=-up[::-1], noise=rng.normal(size=30)), ims.endpoints.derive(cohort)


def test_the_stated_side_halves_p_and_the_other_side_leaves_the_rest(trial) -> None:
    both = associate(*trial, **ASK).set_index("feature")
    greater = associate(*trial, **ASK, alternative="greater").set_index("feature")
    less = associate(*trial, **ASK, alternative="less").set_index("feature")
    assert both["statistic"]["up"] > 0
    assert greater["p_value"]["up"] == pytest.approx(both["p_value"]["up"] / 2, rel=1e-12)
    np.testing.assert_allclose(greater["p_value"] + less["p_value"], 1.0, rtol=1e-12)
    for column in ("estimate", "conf_low", "conf_high", "statistic", "n"):
        np.testing.assert_array_equal(greater[column], both[column])
    assert greater["p_maxt"]["up"] < both["p_maxt"]["up"]
    assert (greater["noise_ceiling"] < both["noise_ceiling"]).all()
    assert (greater["detectable_80"] < both["detectable_80"]).all()
    assert less["p_maxt"]["up"] == 1.0
    assert set(greater["alternative"]) == {"greater"}
    assert set(both["alternative"]) == {"two-sided"}


def test_each_feature_may_have_its_own_side(trial) -> None:
    mixed = associate(*trial, **ASK, alternative={"up": "greater", "down": "less"})
    assert mixed["alternative"].tolist() == ["greater", "less", "two-sided"]
    alone = associate(*trial, **ASK, alternative="less")
    assert mixed["p_value"][1] == alone["p_value"][1]


def test_the_exact_p_of_one_side_is_that_of_the_rank_sum(trial) -> None:
    ask = {**ASK, "model": "mann_whitney"}
    one = associate(*trial, **ask, alternative={"up": "greater", "down": "less"})
    both = associate(*trial, **ask)
    assert one["p_exact"][2] == both["p_exact"][2]
    group = np.arange(30) < 10
    for row, (name, side) in enumerate({"up": "greater", "down": "less"}.items()):
        values = trial[0][name].to_numpy(float)
        for column, method in (("p_value", "asymptotic"), ("p_exact", "exact")):
            expected = reference.mannwhitneyu(values[group], values[~group], alternative=side, method=method)
            assert one[column][row] == pytest.approx(expected.pvalue, rel=1e-9), (name, column)


def test_maxt_of_one_side_is_the_share_of_permutations_that_go_that_way() -> None:
    rng = np.random.default_rng(4)
    null, seen = rng.normal(size=(500, 4)), np.array([2.2, -2.4, 1.5, -0.3])
    sides = [1, -1, 1, 0]
    toward = np.column_stack([null[:, 0], -null[:, 1], null[:, 2], np.abs(null[:, 3])])
    away = np.array([2.2, 2.4, 1.5, 0.3])
    p = stats.step_down_maxt(seen, null, sides=sides)
    order, least = np.argsort(-away), 0.0
    for place, feature in enumerate(order):
        best = toward[:, order[place:]].max(axis=1)
        least = max(least, (1 + np.sum(best >= away[feature])) / 501)
        assert p[feature] == pytest.approx(least, rel=1e-12)
    assert stats.noise_ceiling(null, level=0.9, sides=sides) == pytest.approx(
        np.quantile(np.maximum(toward.max(axis=1), 0), 0.9, method="higher")
    )
    assert stats.step_down_maxt(-seen, null, sides=sides)[0] == 1.0


def test_unknown_sides_are_refused_together(trial) -> None:
    with pytest.raises(
        PlanError, match=r"(?s)2 problem.*'grater'.*Did you mean 'greater'.*no feature is called 'upp'"
    ):
        associate(*trial, **ASK, alternative={"up": "grater", "upp": "less"})
    with pytest.raises(ImmunosarcError, match="sides: need -1, 0 or 1 for each of 2"):
        stats.step_down_maxt([1.0, 2.0], [[0.1, 0.2]], sides=[2, 0])


def test_one_side_is_counted_within_strata(trial) -> None:
    table, outcomes = trial
    stage = pd.Series(np.repeat([1, 2, 1, 2], [6, 4, 4, 16]), index=outcomes.index, name="stage")
    ask = {**ASK, "model": "mann_whitney", "strata": stage}
    rows = associate(table, outcomes, **ask, alternative="greater")
    x, group = table["up"].to_numpy(float), np.arange(30) < 10
    reach, total = [0.0], 0.0
    for s in (1, 2):
        mine = (stage == s).to_numpy()
        ranks = reference.rankdata(x[mine])
        total += ranks[group[mine]].sum()
        sums = [ranks[list(c)].sum() for c in combinations(range(mine.sum()), int(group[mine].sum()))]
        reach = np.add.outer(reach, sums).ravel()
    assert rows["p_exact"][0] == pytest.approx(np.mean(reach >= total - 1e-9), rel=1e-9)
