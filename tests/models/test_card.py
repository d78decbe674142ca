"""The detectability card: its rows by the association table and by simulation of the panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import PlanError
from immunosarc.models import associate, detectability

from .conftest import make_cohort, make_table, unknown_outcomes

ASK = {"endpoint": "objective_response", "model": "mann_whitney", "n_permutations": 2000}


@pytest.fixture
def panel() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(2)
    cohort = make_cohort(list(rng.permutation(["PR"] * 10 + ["PD"] * 20)))
    values = rng.normal(size=(30, 20)) + rng.normal(size=(30, 1))
    return make_table(cohort, **{f"f{j}": values[:, j] for j in range(20)}), ims.endpoints.derive(cohort)


def test_the_card_is_what_the_association_table_says_of_each_feature(
    panel: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    card, rows = detectability(*panel, **ASK), associate(*panel, **ASK)
    assert card["effect"][0] == pytest.approx(rows["detectable_80"].median())
    assert card["threshold"][4] == pytest.approx(rows["noise_ceiling"].median())  # both are absolute z
    assert card["effect"][1] > card["effect"][0] > card["effect"][2] > 0.5
    assert card["power"].tolist()[:2] == [pytest.approx(0.8, abs=1e-3), pytest.approx(0.9, abs=1e-3)]
    assert (card["n"][0], card["n_events"][0], card["n_features"][0]) == (30, 10, 20)
    assert (card["family"] == rows["family"].iloc[0]).all()


def test_chance_is_the_best_auc_of_relabeled_patients(panel: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, outcomes = panel
    values = table.filter(like="f").filter(regex=r"^f\d").to_numpy()
    group = outcomes["objective_response"].to_numpy(bool)
    rng, best = np.random.default_rng(1), []
    for _ in range(1500):
        fits = ims.stats.mann_whitney(values, rng.permutation(group))
        best.append(np.abs(fits.estimate - 0.5).max())
    card = detectability(*panel, **ASK)
    assert card["effect"][3] == pytest.approx(0.5 + np.median(best), abs=0.012)
    assert card["effect"][4] == pytest.approx(0.5 + np.quantile(best, 0.95), abs=0.02)


@pytest.mark.parametrize("model", ["mann_whitney", "firth_logistic"])
def test_one_side_for_all_lowers_what_can_be_detected(
    panel: tuple[pd.DataFrame, pd.DataFrame], model: str
) -> None:
    ask = ASK | {"model": model}
    both, one = detectability(*panel, **ask), detectability(*panel, **ask, alternative="greater")
    rows = associate(*panel, **ask, alternative="greater", per_sd=True)
    assert (both["alternative"][0], one["alternative"][0]) == ("two-sided", "greater")
    assert one["threshold"][0] == pytest.approx(rows["noise_ceiling"].median())
    assert one["effect"][0] == pytest.approx(rows["detectable_80"].median())
    assert (one["effect"] < both["effect"]).all()
    # power, sign and size of what is found at half the effect, by simulation of the normal statistic
    cut, signal = one["threshold"][2], (one["threshold"][2] + 0.8416212) / 2
    z = np.random.default_rng(5).normal(signal, size=1_000_000)
    found = z > cut
    assert one["power"][2] == pytest.approx(found.mean(), abs=0.002)
    assert one["type_m"][2] == pytest.approx(z[found].mean() / signal, rel=0.003)
    assert (one["type_s"].iloc[:3] == 0).all()


def test_a_direction_for_some_features_leaves_the_errors_of_two_sides(
    panel: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    stated = {f"f{j}": "less" for j in range(12)}
    some = detectability(*panel, **ASK, alternative=stated)
    none, every = detectability(*panel, **ASK), detectability(*panel, **ASK, alternative="less")
    assert some["alternative"][0] == "one-sided for 12 of 20"
    assert every["threshold"][0] < some["threshold"][0] <= none["threshold"][0]
    assert some["type_s"][2] > 0
    ceiling = associate(*panel, **ASK, alternative=stated)["noise_ceiling"]
    assert some["threshold"][0] == pytest.approx(ceiling.median())
    with pytest.raises(PlanError, match="no feature is called 'f99'"):
        detectability(*panel, **ASK, alternative={"f99": "less"})


def test_log_ratios_are_per_standard_deviation(panel: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, outcomes = panel
    ask = ASK | {"endpoint": "pfs", "model": "cox"}
    features = [name for name in table if name.startswith("f")]
    wide = table.assign(**{name: table[name] * 1000 for name in features})
    plain, scaled = detectability(table, outcomes, **ask), detectability(wide, outcomes, **ask)
    assert plain["measure"][0] == "log_hazard_ratio_per_sd"
    np.testing.assert_allclose(plain["effect"], scaled["effect"], rtol=1e-6)


def test_hopeless_families_say_so(panel: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cohort = unknown_outcomes(4)
    card = detectability(make_table(cohort, x=np.arange(4.0)), ims.endpoints.derive(cohort), **ASK)
    assert card["status"].tolist() == ["no effect is strong enough in these patients"]
    small = make_cohort(["PR", "PR", "PD", "PD"])
    card = detectability(make_table(small, x=np.arange(4.0)), ims.endpoints.derive(small), **ASK)
    assert card["effect"].iloc[:2].isna().all()
    assert card["power"].iloc[:2].isna().all()
    with pytest.raises(PlanError, match="is for a binary endpoint"):
        detectability(*panel, **(ASK | {"endpoint": "pfs"}))
