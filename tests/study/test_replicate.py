"""One plan in several cohorts: against the definitions, and with what must be refused."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm

import immunosarc as ims
from immunosarc.errors import CohortError, PlanError
from immunosarc.plots import number_text
from immunosarc.study import FeatureSpec, Panel, Plan, Replication, asking_only

PLAN = Plan(
    assay="markers",
    panels=(Panel(name="markers", columns="all"),),
    timepoints=("pre",),
    endpoints=("objective_response",),
    binary_models=("firth_logistic", "mann_whitney"),
    n_permutations=50,
)
FAMILY = "pre/objective_response/firth_logistic/markers"


def cohort_of(name: str, effect: float, *, n: int = 60, seed: int = 0, prefix: str | None = None) -> ims.Cohort:
    """Patients whose first marker shifts the log odds of response by ``effect``; the second does nothing."""
    rng = np.random.default_rng([seed, *name.encode()])
    markers = rng.standard_normal((n, 12))
    response = rng.random(n) < 1 / (1 + np.exp(-effect * markers[:, 0]))
    ids = [f"{name if prefix is None else prefix}-{i}" for i in range(n)]
    samples = pd.DataFrame({"sample_id": [f"{one}s" for one in ids], "patient_id": ids, "timepoint": "pre"})
    patients = pd.DataFrame({"patient_id": ids, "best_overall_response": np.where(response, "PR", "PD")})
    values = pd.DataFrame(markers, index=samples["sample_id"], columns=["real", *(f"noise{i}" for i in range(11))])
    return ims.Cohort(
        patients, samples, assays={"markers": ims.make_assay(values, unit="score")}, provenance={"name": name}
    )


@pytest.fixture(scope="module")
def found() -> Replication:
    return ims.replicate(
        [cohort_of("a", 1.5), cohort_of("b", 1.5), cohort_of("c", 1.5), cohort_of("d", -1.5)], PLAN
    )


def test_each_cohort_has_the_effect_it_has_alone(found: Replication) -> None:
    effects = found.effects.set_index(["cohort", "feature"])
    assert set(found.effects["family"]) == {FAMILY}  # an AUC is not pooled
    for name, effect in (("a", 1.5), ("d", -1.5)):
        alone = ims.run(cohort_of(name, effect), PLAN)["associations"].set_index(["family", "feature"])
        for column in ("estimate", "std_error", "p_value", "p_maxt", "n", "n_events"):
            assert effects.loc[(name, "real"), column] == pytest.approx(
                alone.loc[(FAMILY, "real"), column], rel=1e-12
            )


def test_replication_is_judged_against_the_first_cohort(found: Replication) -> None:
    effects = found.effects.set_index(["feature", "cohort"]).loc["real"]
    assert effects["same_direction"].tolist() == [pd.NA, True, True, False]
    y, s = effects["estimate"].astype(float), effects["std_error"].astype(float)
    for name in ("b", "d"):
        assert effects.loc[name, "p_direction"] == pytest.approx(norm.cdf(-y[name] / s[name]), rel=1e-9)
        spread = math.hypot(s["a"], s[name])
        factor = norm.pdf(y[name], y["a"], spread) / norm.pdf(y[name], 0, s[name])
        assert effects.loc[name, "bayes_factor"] == pytest.approx(factor, rel=1e-9)
    assert effects.loc["b", "bayes_factor"] > 3
    assert effects.loc["d", "bayes_factor"] < 1 / 3
    assert effects.loc["d", "p_direction"] > 0.99
    row = found.pooled.set_index("feature").loc["real"]
    assert (row["n_same_direction"], row["n_replications"], row["n_cohorts"], row["n"]) == (2, 3, 4, 240)


def test_pooled_without_each_cohort_is_the_pool_of_the_others(found: Replication) -> None:
    effects = found.effects.set_index(["feature", "cohort"]).loc["real"]
    without = found.without.set_index(["feature", "left_out"]).loc["real"]
    for name in "abcd":
        rest = effects.drop(index=name)
        expected = ims.stats.pool_effects(rest["estimate"].astype(float), rest["std_error"].astype(float))
        assert without.loc[name, "estimate"] == pytest.approx(expected.estimate, rel=1e-9)
        assert without.loc[name, "conf_low"] == pytest.approx(expected.conf_low, rel=1e-9)
        assert without.loc[name, "n"] == 180
    assert without["estimate"].idxmax() == "d"
    row = found.pooled.set_index("feature").loc["real"]
    assert row["q_p_value"] < 1e-6
    assert row["tau"] > 0.5
    assert row["prediction"] == "uninformative: 4 cohorts say little of the spread between cohorts"
    assert row["predict_low"] < row["conf_low"] < row["conf_high"] < row["predict_high"]
    assert set(found.pooled["stamp"]) == {"exploratory"}


def test_two_cohorts_have_no_prediction_interval() -> None:
    two = ims.replicate([cohort_of("a", 1.0), cohort_of("b", 1.0)], PLAN)
    row = two.pooled.set_index("feature").loc["real"]
    assert row["prediction"] == "none: 2 cohort(s), 3 are needed"
    assert math.isnan(row["predict_low"])
    assert len(two.without) == 0


def test_a_cohort_that_cannot_answer_keeps_its_row() -> None:
    silent = cohort_of("b", 1.0)
    nobody = silent.patients.assign(best_overall_response="PD")
    silent = ims.Cohort(nobody, silent.samples, assays=silent.assays, provenance={"name": "b"})
    found = ims.replicate([cohort_of("a", 1.0), silent, cohort_of("c", 1.0)], PLAN)
    effects = found.effects.set_index(["feature", "cohort"]).loc["real"]
    assert math.isnan(effects.loc["b", "estimate"])
    assert effects.loc["b", "status"] != "ok"
    assert effects.loc["b", "weight"] == 0
    assert found.pooled.set_index("feature").loc["real", "n_cohorts"] == 2


def test_the_same_patient_in_two_cohorts_is_refused_with_the_cure() -> None:
    one = cohort_of("a", 1.0, n=30)
    with pytest.raises(
        CohortError, match=r"(?s)a and b share P-0, P-1.*10 more.*One patient counts once.*namesakes"
    ):
        ims.replicate([cohort_of("a", 1.0, n=30, prefix="P"), cohort_of("b", 1.0, n=30, prefix="P")], PLAN)
    people = [f"P-{i}" for i in range(30)]
    pair = [cohort_of("a", 1.0, n=30, prefix="P"), cohort_of("b", 1.0, n=30, prefix="P")]
    assert len(ims.replicate(pair, PLAN, namesakes=people).pooled) == 12
    renamed = ims.Cohort(
        one.patients.rename(index=lambda i: f"x{i}"),
        one.samples.assign(patient_id="x" + one.samples["patient_id"]),
        assays=one.assays,
        provenance={"name": "b"},
    )
    with pytest.raises(CohortError, match="a and b hold the same measurements: a-"):
        ims.replicate([one, renamed], PLAN)


def test_sex_or_the_day_of_death_tells_namesakes_apart() -> None:
    def with_facts(name: str, day: int, sex: str) -> ims.Cohort:
        base = cohort_of(name, 1.0, n=30, prefix="P")
        known = base.patients.assign(os_days=float(day), sex=sex)
        known["os_event"] = [i != 3 for i in range(30)]  # P-3 lives: nothing is known for good
        return ims.Cohort(known, base.samples, assays=base.assays, provenance={"name": name})

    plan = PLAN.model_copy(update={"binary_models": ("firth_logistic",)})
    with pytest.raises(CohortError, match="share P-3, and neither"):
        ims.replicate([with_facts("a", 100, "male"), with_facts("b", 300, "male")], plan)
    with pytest.raises(CohortError, match="share P-0, P-1"):
        ims.replicate([with_facts("a", 100, "male"), with_facts("b", 102, "male")], plan)
    told = ims.replicate([with_facts("a", 100, "male"), with_facts("b", 100, "female")], plan)
    assert len(told.pooled) == 12


def test_what_cannot_be_pooled_is_refused() -> None:
    with pytest.raises(CohortError, match="different names, have a, a"):
        ims.replicate([cohort_of("a", 1.0), cohort_of("a", 1.0, prefix="b")], PLAN)
    plan = PLAN.model_copy(update={"per_sd": False})
    with pytest.raises(PlanError, match="set per_sd = true"):
        ims.replicate([cohort_of("a", 1.0), cohort_of("b", 1.0)], plan)


def test_an_outcome_that_a_cohort_has_not_keeps_its_row() -> None:
    """One plan, and a cohort in which nobody's survival was recorded; and one without such samples."""

    def with_survival(name: str) -> ims.Cohort:
        base = cohort_of(name, 1.0)
        rng = np.random.default_rng(0)
        days = rng.integers(30, 900, len(base.patients)).astype(float)
        known = base.patients.assign(os_days=days, os_event=rng.random(len(days)) < 0.7)
        return ims.Cohort(known, base.samples, assays=base.assays, provenance={"name": name})

    late = cohort_of("d", 1.0)
    late = ims.Cohort(
        late.patients, late.samples.assign(timepoint="on"), assays=late.assays, provenance={"name": "d"}
    )
    plan = PLAN.model_copy(update={"endpoints": ("os",), "binary_models": ("firth_logistic",)})
    found = ims.replicate([with_survival("a"), cohort_of("b", 1.0), with_survival("c"), late], plan)
    status = found.effects[found.effects["feature"] == "real"].set_index("cohort")["status"]
    assert status.to_dict() == {
        "a": "ok",
        "b": "no patient with this endpoint",
        "c": "ok",
        "d": "no such samples or outcome",
    }
    row = found.pooled.set_index("feature").loc["real"]
    assert (row["n_cohorts"], row["n_replications"], row["status"]) == (2, 1, "ok")
    assert row["prediction"].startswith("none: 2 cohort(s)")


def test_what_was_written_is_read_back(found: Replication, tmp_path: Path) -> None:
    found = Replication(*(table[table["feature"] == "real"].reset_index(drop=True) for table in found))
    ims.report.write_replication(found, tmp_path / "out", about={"seed": 0})
    again = ims.study.read_replication(tmp_path / "out")
    for one, other in zip(found, again, strict=True):
        pd.testing.assert_frame_equal(one, other)
    with pytest.raises(ims.errors.DataFileError, match=r"no replication: tables/cohort_effects.tsv"):
        ims.study.read_replication(tmp_path)
    (tmp_path / "out" / "tables" / "pooled_effects.tsv").write_text("feature\nx\n")
    with pytest.raises(ims.errors.SchemaError, match=r"(?s)pooled_effects.*n_cohorts: column is missing"):
        ims.study.read_replication(tmp_path / "out")


def test_the_page_says_what_the_tables_say(found: Replication, tmp_path: Path) -> None:
    few = Replication(*(table[table["feature"].isin(["real", "noise0"])] for table in found))
    folder = ims.report.write_replication(few, tmp_path / "one")
    html = (folder / "report.html").read_text()
    words = re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<[^>]*>", " ", html, flags=re.DOTALL))
    assert "4 cohorts (a, b, c, d) were asked 2 questions; 2 can be pooled over two or more." in words
    row = found.pooled.set_index("feature").loc["real"]
    assert "2 of 3 replicating cohorts point where a does." in words
    ratio = f"{number_text(math.exp(row['estimate']))} [{number_text(math.exp(row['conf_low']))}, "
    assert f"Odds ratio per SD over all: {ratio}" in words
    assert "uninformative: 4 cohorts say little of the spread between cohorts" in words
    assert html.count("<figure>") == 2 == len(list((folder / "figures").iterdir()))
    assert "SIMULATED" not in html
    again = ims.report.write_replication(few, tmp_path / "two")
    assert (again / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_a_cohort_forest_draws_what_the_tables_hold(found: Replication) -> None:
    effects, pooled = (table[table["feature"] == "real"] for table in (found.effects, found.pooled))
    ax = ims.plots.cohort_forest(effects, pooled, ax=Figure().add_subplot())
    squares = [line for line in ax.lines if line.get_marker() == "s"]
    assert [line.get_xdata()[0] for line in squares] == pytest.approx(np.exp(effects["estimate"].astype(float)))
    areas = [(line.get_markersize() - 3) ** 2 for line in squares]
    assert np.array(areas) / sum(areas) == pytest.approx(effects["weight"].astype(float))
    corners = ax.patches[0].get_xy()[:, 0]
    average = pooled.iloc[0]
    seen = np.exp(average[["conf_low", "conf_high"]].astype(float))
    assert [corners.min(), corners.max()] == pytest.approx(np.clip(seen, *ax.get_xlim()))
    texts = [text.get_text() for text in ax.texts]
    assert "uninformative" in texts
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["a (original)", "b"]
    with pytest.raises(ims.errors.SchemaError, match="one question at a time"):
        ims.plots.cohort_forest(found.effects, found.pooled, ax=Figure().add_subplot())


def test_only_some_questions_are_asked() -> None:
    asked = asking_only(Plan(), features=["tis_mean_z", "cyt", "mcp_b_lineage:mean_z"], endpoints=["os"])
    kept = {panel.name: [name for name, _ in panel.specs()] for panel in asked.panels}
    assert kept == {"primary": ["tis_mean_z"], "catalog": ["cyt"], "asked": ["mcp_b_lineage_mean_z"]}
    assert asked.endpoints == ("os",)
    assert asking_only(PLAN, features=["real"]).panels[0].columns == ("real",)
    with pytest.raises(PlanError, match=r"no feature 'tis_mean'.*'tis_mean_z'.*SIGNATURE:METHOD"):
        asking_only(Plan(), features=["tis_mean"])
    with pytest.raises(PlanError, match=r"(?s)unknown signature 'cytt'.*unknown endpoint 'oss'"):
        asking_only(Plan(), features=["cytt:mean_z"], endpoints=["oss"])


def test_an_auc_alone_is_nothing_to_pool() -> None:
    plan = PLAN.model_copy(update={"binary_models": ("mann_whitney",)})
    with pytest.raises(PlanError, match="nothing to pool: an AUC"):
        ims.replicate([cohort_of("a", 1.0), cohort_of("b", 1.0)], plan)


NAMESAKES = [
    "Pt1",
    "Pt2",
    "Pt4",
    "Pt5",
    "Pt8",
    "Pt9",
    "Pt10",
    "Pt13",
    "Pt16",
    "Pt23",
    "Pt27",
    "Pt28",
    "Pt29",
    "Pt31",
    "Pt32",
    "Pt35",
    "Pt37",
    "Pt38",
]


def test_tis_in_riaz_imvigor_and_hugo(data_root: Path) -> None:
    """The three effects by another formula: with no heterogeneity the pool is the inverse-variance mean."""
    folder = Path(__file__).resolve().parents[2] / "data_manifests"
    files = [folder / f"{name}.toml" for name in ("riaz2017", "imvigor210", "hugo2016")]
    tis = {"tis": FeatureSpec(signature="tis18_unweighted", method="mean_z")}
    plan = Plan(
        panels=(Panel(name="p", features=tis),),
        timepoints=("pre",),
        endpoints=("objective_response",),
        binary_models=("firth_logistic",),
        n_permutations=50,
    )
    found = ims.replicate(files, plan, data_root=data_root, namesakes=NAMESAKES)
    row = found.pooled.iloc[0]
    y, s = (found.effects[name].to_numpy(dtype=float) for name in ("estimate", "std_error"))
    assert found.effects["n"].tolist() == [49, 168, 27]
    assert found.effects["n_events"].tolist() == [10, 42, 14]
    assert (row["tau"], row["i_squared"]) == (0, 0)
    mean = np.average(y, weights=s**-2)
    scatter = math.sqrt(np.average((y - mean) ** 2, weights=s**-2) / 2)
    spread = 1 / math.sqrt((s**-2).sum())  # what the three know by themselves; their scatter is a little less
    assert scatter < spread
    assert row["estimate"] == pytest.approx(mean, rel=1e-6) == pytest.approx(0.291, abs=5e-4)
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(
        [mean - 4.302653 * spread, mean + 4.302653 * spread]
    )
    plain = ims.stats.pool_effects(y, s, interval="hartung_knapp")
    assert [plain.conf_low, plain.conf_high] == pytest.approx(
        [mean - 4.302653 * scatter, mean + 4.302653 * scatter]
    )
    assert found.effects["same_direction"].tolist() == [pd.NA, True, False]
    assert row["predict_low"] < row["conf_low"] < 0 < row["conf_high"] < row["predict_high"]
    assert row["prediction"].startswith("uninformative: 3 cohorts")
    with pytest.raises(CohortError, match="riaz2017 and hugo2016 share"):
        ims.replicate(files, plan, data_root=data_root)
