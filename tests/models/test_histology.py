"""Histology: each group left out in turn, and the markers that only echo their group."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference

import immunosarc as ims
from immunosarc.errors import PlanError
from immunosarc.models import associate, explained_by_group, leave_one_group_out

from .conftest import make_cohort, make_table

ASK = {"endpoint": "objective_response", "model": "mann_whitney", "n_permutations": 200}


@pytest.fixture
def trial() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Angiosarcomas respond often; one marker knows only that, one knows who responds, one knows nothing."""
    rng = np.random.default_rng(9)
    groups = np.repeat(["angiosarcoma", "UPS", "LMS"], [16, 16, 16])
    responds = np.concatenate([rng.permutation(np.arange(16) < k) for k in (12, 2, 2)])
    cohort = make_cohort(list(np.where(responds, "PR", "PD")))
    table = make_table(
        cohort,
        echo=3.0 * (groups == "angiosarcoma") + rng.normal(size=48),
        real=2.5 * responds + rng.normal(size=48),
        noise=rng.normal(size=48),
    )
    return table, ims.endpoints.derive(cohort), pd.Series(groups, index=cohort.patients.index, name="histology")


def test_a_marker_that_echoes_histology_is_flagged_and_a_real_one_is_not(
    trial: tuple[pd.DataFrame, pd.DataFrame, pd.Series],
) -> None:
    table, outcomes, groups = trial
    found = explained_by_group(table, outcomes, groups=groups, **ASK).set_index("feature")
    assert found["flagged"].to_dict() == {"echo": True, "real": False, "noise": False}
    assert found.loc["echo", "p_value"] < 0.01
    assert abs(found.loc["echo", "estimate_within"] - 0.5) < 0.2
    assert found.loc["real", "p_within"] < 0.01
    assert found["n_within"].tolist() == [48] * 3
    assert found["n_groups"].tolist() == [3] * 3


def test_the_numbers_are_those_of_the_parts(trial: tuple[pd.DataFrame, pd.DataFrame, pd.Series]) -> None:
    table, outcomes, groups = trial
    table = table.assign(noise=table["noise"].round().where(np.arange(48) % 7 > 0))
    found = explained_by_group(table, outcomes, groups=groups, **ASK)
    within = associate(table, outcomes, strata=groups, **ASK)
    pd.testing.assert_series_equal(found["estimate_within"], within["estimate"], check_names=False)
    pd.testing.assert_series_equal(found["estimate"], associate(table, outcomes, **ASK)["estimate"])
    for i, name in enumerate(found["feature"]):
        has = table[name].notna()
        h, p = reference.kruskal(*(table.loc[has & (groups == g), name] for g in groups.unique()))
        assert found["p_groups"][i] == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 2000) + 0.01)
        assert found["eta_squared"][i] == pytest.approx(h / (has.sum() - 1), rel=1e-9)


def test_p_of_small_groups_counts_the_ways_to_deal_a_feature_out() -> None:
    cohort = make_cohort(["PR", "PD", "PR", "PD", "PR", "PD", "PD"])
    groups = pd.Series(list("aabbccc"), index=cohort.patients.index)
    values = np.array([5.0, 7.0, 1.0, 2.0, 2.0, 3.0, 4.0])
    found = explained_by_group(make_table(cohort, x=values), ims.endpoints.derive(cohort), groups=groups, **ASK)
    ways = [
        reference.kruskal(*(np.array(order)[(groups == g).to_numpy()] for g in "abc")).statistic
        for order in set(itertools.permutations(values))
    ]
    seen = reference.kruskal(*(values[(groups == g).to_numpy()] for g in "abc")).statistic
    exact = np.mean(np.array(ways) >= seen - 1e-9)
    assert found["p_groups"][0] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 2000))


def test_in_the_simulated_trial_the_marker_of_histology_is_flagged_and_the_planted_one_is_not() -> None:
    cohort = ims.simulate_cohort(seed=7)
    sets = ims.features.signatures().subset("mcp_endothelial", "mcp_b_lineage")
    scores = ims.features.score(cohort["rna"], sets, method="mean_log2")
    table, outcomes = cohort.at("pre").per_patient(scores), ims.endpoints.derive(cohort)
    found = explained_by_group(table, outcomes, groups=cohort.patients["histology"], **ASK).set_index("feature")
    assert found["flagged"].to_dict() == {"mcp_endothelial": True, "mcp_b_lineage": False}
    assert (found["simulated"] == "SIMULATED").all()
    staged = associate(table, outcomes, strata=cohort.patients["schedule_stage"], **ASK).set_index("feature")
    assert staged.loc["mcp_b_lineage", "p_maxt"] < 0.05


def test_patients_that_cannot_be_compared_do_not_count(
    trial: tuple[pd.DataFrame, pd.DataFrame, pd.Series],
) -> None:
    table, outcomes, groups = trial
    lonely = groups.where(~((groups == "UPS") & outcomes["objective_response"].to_numpy(bool)), "LMS")
    found = explained_by_group(table, outcomes, groups=lonely, **ASK)
    assert found["n_within"].tolist() == [48 - 14] * 3
    survival = explained_by_group(table, outcomes, groups=groups, endpoint="pfs", model="cox", n_permutations=99)
    assert (survival["n_within"] == 48).all()


def test_leaving_a_group_out_is_an_analysis_of_the_others(
    trial: tuple[pd.DataFrame, pd.DataFrame, pd.Series],
) -> None:
    table, outcomes, groups = trial
    rows = leave_one_group_out(table, outcomes, groups=groups, **ASK)
    assert rows["left_out"].drop_duplicates().tolist() == ["nobody", "LMS", "UPS", "angiosarcoma"]
    alone = associate(table[(groups != "angiosarcoma").to_numpy()], outcomes, **ASK)
    last = rows[rows["left_out"] == "angiosarcoma"].drop(columns="left_out").reset_index(drop=True)
    pd.testing.assert_frame_equal(last, alone)
    echo = rows[rows["feature"] == "echo"].set_index("left_out")
    assert echo.loc["nobody", "p_value"] < 0.01 < 0.1 < echo.loc["angiosarcoma", "p_value"]


def test_a_patient_without_a_group_stays_unless_groups_are_compared(
    trial: tuple[pd.DataFrame, pd.DataFrame, pd.Series],
) -> None:
    table, outcomes, groups = trial
    partly = groups.where(np.arange(48) > 0)
    rows = leave_one_group_out(table, outcomes, groups=partly, **ASK)
    assert rows["n"].unique().tolist() == [48, 32, 33]
    assert (explained_by_group(table, outcomes, groups=partly, **ASK)["n"] == 47).all()


def test_what_is_no_group_is_refused(trial: tuple[pd.DataFrame, pd.DataFrame, pd.Series]) -> None:
    table, outcomes, groups = trial
    with pytest.raises(PlanError, match=r"not str.*cohort.patients\['histology'\]"):
        leave_one_group_out(table, outcomes, groups="histology", **ASK)
    with pytest.raises(PlanError, match="index it by patient_id"):
        explained_by_group(table, outcomes, groups=groups.reset_index(drop=True), **ASK)
    with pytest.raises(PlanError, match="pass no strata"):
        explained_by_group(table, outcomes, groups=groups, strata=groups, **ASK)
