"""Every declared path once, each as it is alone, and one p that all paths share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import immunosarc as ims
from immunosarc.errors import PlanError
from immunosarc.plots import specification_curve

GRID = {
    "methods": ["mean_log2", "singscore"],
    "endpoints": ["objective_response", "pfs"],
    "covariates": [(), ("age",)],
}
PRIMARY = {"method": "singscore", "endpoint": "objective_response", "covariates": ()}


@pytest.fixture(scope="module")
def cohort() -> ims.Cohort:
    return ims.simulate_cohort(seed=7)


@pytest.fixture(scope="module")
def found(cohort: ims.Cohort) -> pd.DataFrame:
    return ims.multiverse(cohort, "mcp_b_lineage", primary=PRIMARY, n_permutations=99, **GRID)


def test_every_path_is_there_and_is_what_it_is_alone(cohort: ims.Cohort, found: pd.DataFrame) -> None:
    assert len(found) == 8
    assert set(found["n_paths"]) == {8}
    assert found["p_joint"].nunique() == 1
    marked = found[found["primary"].astype(bool)]
    assert marked[["method", "endpoint", "covariates"]].to_numpy().tolist() == [
        ["singscore", "objective_response", "none"]
    ]
    outcomes = ims.endpoints.derive(cohort)
    for _, path in found.iterrows():
        scores = ims.features.score(cohort["rna"], method=path["method"])[["mcp_b_lineage"]]
        alone = ims.models.associate(
            cohort.at("pre").per_patient(scores),
            outcomes,
            endpoint=path["endpoint"],
            model="cox" if path["endpoint"] == "pfs" else "firth_logistic",
            covariates=cohort.patients[["age"]] if path["covariates"] == "age" else None,
            per_sd=True,
            n_permutations=20,
        ).iloc[0]
        for name in ("n", "n_events", "estimate", "std_error", "conf_low"):
            assert path[name] == pytest.approx(alone[name], rel=1e-6)
        sign = -1 if path["endpoint"] == "pfs" else 1
        assert path["z"] == pytest.approx(sign * path["estimate"] / path["std_error"], rel=1e-9)


def test_the_joint_p_of_one_path_is_its_permutation_p(cohort: ims.Cohort) -> None:
    one = ims.multiverse(cohort, "mcp_b_lineage", primary={}, methods=["mean_log2"], n_permutations=199, seed=3)
    scores = ims.features.score(cohort["rna"], method="mean_log2")[["mcp_b_lineage"]]
    table = cohort.at("pre").per_patient(scores)
    response = ims.endpoints.derive(cohort)["objective_response"]
    known = table["mcp_b_lineage"].notna() & response.notna()
    x, y = table.loc[known, "mcp_b_lineage"].to_numpy(), response[known].to_numpy(dtype=bool)
    rng = np.random.default_rng(0)
    deals = np.array([rng.permutation(y) for _ in range(20_000)])
    difference = [x[row].mean() - x[~row].mean() for row in deals]
    expected = np.mean(np.abs(difference) >= abs(x[y].mean() - x[~y].mean()))
    assert one.loc[0, "p_joint"] == pytest.approx(expected, abs=0.03)


def test_all_paths_share_each_deal(cohort: ims.Cohort) -> None:
    """The same path twice has the median, and so the p, of the path alone; with deals of its own it would not."""
    how = {"methods": ["mean_log2"], "n_permutations": 60, "seed": 3}
    one = ims.multiverse(cohort, "cyt", primary={}, **how)
    twice = ims.multiverse(
        cohort, "cyt", primary={"population": "all"}, populations={"all": {}, "same": {}}, **how
    )
    assert twice["p_joint"].tolist() == [one.loc[0, "p_joint"]] * 2
    assert 0.05 < one.loc[0, "p_joint"] < 1


def test_a_refused_path_keeps_its_row(cohort: ims.Cohort) -> None:
    grid = {"landmark_days": [None, 60], "endpoints": ["objective_response", "pfs"]}
    primary = {"endpoint": "pfs", "landmark_day": None}
    found = ims.multiverse(cohort, "cyt", primary=primary, n_permutations=20, **grid)
    assert len(found) == 4
    assert found["status"].notna().all()
    lost = found[found["z"].isna()]
    assert (lost["status"] != "ok").all()


def test_what_is_no_declared_grid_is_refused(cohort: ims.Cohort) -> None:
    with pytest.raises(PlanError, match=r"exactly one of the 8 paths must be meant, 2 are"):
        ims.multiverse(cohort, "cyt", primary={"method": "singscore", "covariates": ()}, **GRID)
    with pytest.raises(PlanError, match=r"(?s)endpoint: unknown or ordinal 'pfz'.*signature: unknown 'cytt'"):
        ims.multiverse(cohort, "cytt", primary={}, endpoints=["pfz"])
    with pytest.raises(PlanError, match=r"patients have no column 'agee'"):
        ims.multiverse(cohort, "cyt", primary={}, covariates=[("agee",)])


def test_the_curve_shows_each_path_and_marks_the_primary_one(found: pd.DataFrame) -> None:
    ax = specification_curve(found, ax=Figure().add_subplot())
    lines = {line.get_label(): line for line in ax.lines}
    assert len(lines["path"].get_ydata()) == 7
    primary = found.loc[found["primary"].astype(bool), "z"].iloc[0]
    assert lines["declared primary path"].get_ydata().tolist() == [primary]
    heights = np.sort(found["z"].to_numpy(dtype=float))
    assert lines["declared primary path"].get_xdata().tolist() == [int(np.searchsorted(heights, primary))]
    words = ax.get_title() + ax.get_title(loc="left") + "".join(text.get_text() for text in ax.texts)
    assert "8 paths" in words
