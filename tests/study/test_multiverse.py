"""Every declared path once, each as it is alone, and one p that all paths share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm

import immunosarc as ims
from immunosarc.errors import PlanError
from immunosarc.plots import p_text, specification_curve
from immunosarc.report._section_multiverse import build
from immunosarc.study._multiverse import multiverse_tables

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


PLANNED = {
    "n_permutations": 20,
    "panels": [{"name": "few", "signatures": ["cyt", "mcp_b_lineage"]}],
    "timepoints": ["pre"],
    "endpoints": ["objective_response"],
    "covariates": ["age"],
    "exclude": {"histology": ["angiosarcoma"]},
    "alpha": 0.1,
    "multiverse": {
        "signature": "cyt",
        "methods": ["mean_log2", "singscore"],
        "endpoints": ["objective_response", "pfs"],
        "landmark_days": ["first_dose", 60],
        "n_permutations": 30,
        "primary": {"method": "mean_log2", "endpoint": "pfs", "landmark_day": "first_dose"},
    },
}


@pytest.fixture(scope="module")
def study(cohort: ims.Cohort) -> ims.Study:
    return ims.run(cohort, ims.Plan.from_mapping(PLANNED))


def test_a_plan_walks_its_paths_with_its_own_patients_rules_and_covariates(
    cohort: ims.Cohort, study: ims.Study
) -> None:
    found = study["multiverse"]
    assert len(found) == 8
    assert set(found["covariates"]) == {"age"}
    assert set(found["rule_set"]) == {study.plan.rule_set}
    analyzed = cohort.select(patients=cohort.patients["histology"] != "angiosarcoma")
    alone = ims.multiverse(
        analyzed,
        "cyt",
        primary={"method": "mean_log2", "endpoint": "pfs", "landmark_day": None},
        methods=["mean_log2", "singscore"],
        endpoints=["objective_response", "pfs"],
        covariates=[("age",)],
        landmark_days=[None, 60],
        strata=study.plan.strata,
        n_permutations=30,
    )
    assert found["z"].tolist() == pytest.approx(alone["z"].tolist(), nan_ok=True)
    assert found["p_joint"].tolist() == alone["p_joint"].tolist()
    primary = found[found["primary"].astype(bool)].iloc[0]
    assert (primary["endpoint"], primary["method"]) == ("pfs", "mean_log2")
    reach = norm.ppf(0.95) * primary["std_error"]  # the plan's alpha is .10
    assert primary["conf_high"] - primary["estimate"] == pytest.approx(reach, rel=0.2)


def test_what_each_choice_makes_is_counted_from_the_paths(study: ims.Study) -> None:
    paths, choices = study["multiverse"], study["multiverse_choices"].set_index(["dimension", "choice"])
    assert list(choices.index) == [
        ("method", "mean_log2"),
        ("method", "singscore"),
        ("endpoint", "objective_response"),
        ("endpoint", "pfs"),
        ("landmark_day", "first dose"),
        ("landmark_day", "day 60"),
    ]
    late = paths.loc[paths["landmark_day"] == 60, "z"]
    assert choices.loc[("landmark_day", "day 60"), ["n_paths", "n_estimated"]].tolist() == [4, 2]
    assert choices.loc[("landmark_day", "day 60"), "z_median"] == pytest.approx(np.median(late.dropna()))
    assert choices.loc[("landmark_day", "day 60"), "n_better"] == (late > 0).sum()
    by_method = paths.groupby("method")["z"].median()
    for method, median in by_method.items():  # three paths each: a mean would be another number
        assert choices.loc[("method", method), "z_median"] == pytest.approx(median, rel=1e-12)
    assert choices.loc[("endpoint", "pfs"), "z_low"] == paths.loc[paths["endpoint"] == "pfs", "z"].min()


def test_the_report_says_how_many_paths_and_which_is_the_primary_one(study: ims.Study) -> None:
    section = build(study)
    words = section.blocks[0].text
    z = study["multiverse"]["z"].dropna()
    assert words.startswith("cyt: 8 paths were declared, 6 have an effect.")
    assert f"In {(z > 0).sum()} of them higher is better for the patient, in {(z < 0).sum()} worse" in words
    assert f"Joint p {p_text(study['multiverse']['p_joint'].iloc[0])}:" in words
    assert section.blocks[1].rows[0][:2] == ["mean_log2", "pfs"]
    assert [block.kind for block in section.blocks] == ["text", "grid", "figure", "grid", "grid"]
    assert section.blocks[-1].rows[0][0] == "2"


def test_a_plan_without_a_grid_has_no_paths(cohort: ims.Cohort) -> None:
    plan = ims.Plan.from_mapping({**PLANNED, "multiverse": None})
    assert multiverse_tables(cohort, plan, 0) == {}


def test_a_wrong_grid_is_told_with_the_plan(cohort: ims.Cohort) -> None:
    grid = PLANNED["multiverse"]
    with pytest.raises(PlanError, match=r"unknown key 'multiverse.method'.*'methods'"):
        ims.Plan.from_mapping({"multiverse": {**grid, "method": ["singscore"]}})
    wrong = {**grid, "covariates": [["agee"]], "endpoints": ["pfz", "pfs"], "populations": {"x": {"sexx": ["f"]}}}
    plan = ims.Plan.from_mapping({"multiverse": wrong})
    with pytest.raises(
        PlanError, match=r"(?s)multiverse: endpoint: .*'pfz'.*multiverse: patients .*'agee'.*column 'sexx'"
    ):
        ims.study.plan_for(cohort, plan)
    twice = ims.Plan.from_mapping({"multiverse": {**grid, "methods": ["mean_log2", "mean_log2"]}})
    assert any("named twice" in line for line in twice.problems())
    assert ims.Plan.from_mapping({"multiverse": grid}).sha256 != ims.Plan().sha256


def test_the_curve_marks_each_choice_under_its_path(found: pd.DataFrame) -> None:
    figure = Figure()
    specification_curve(found, ax=figure.add_subplot())
    below = figure.axes[1]
    names = [label.get_text() for label in below.get_yticklabels()]
    assert names[:2] == ["method: mean_log2", "method: singscore"]
    ranked = found.sort_values("z", kind="stable").reset_index(drop=True)
    marked = {
        (int(x), int(y))
        for line in below.lines
        if line.get_marker() in "|D"
        for x, y in np.column_stack(line.get_data())
    }
    for place, path in ranked.iterrows():
        assert (place, names.index(f"method: {path['method']}")) in marked
        assert (place, names.index(f"endpoint: {path['endpoint']}")) in marked
    assert len(marked) == 3 * len(found)
