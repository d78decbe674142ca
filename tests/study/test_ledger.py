"""The ledger: order, sizes and words, each from the tables that it was made of."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import stats
from immunosarc.report._section_ledger import build
from immunosarc.study import Hypothesis, Plan, Study, ledger

PLAN = Plan(
    n_permutations=200, endpoints=("objective_response", "pfs"), hypotheses=(Hypothesis(feature="cyt_mean_log2"),)
)


@pytest.fixture(scope="module")
def study() -> Study:
    return ims.run(ims.simulate_cohort(seed=7), PLAN)


def test_every_estimate_of_the_run_is_there_once_and_in_order(study: Study) -> None:
    found = study["ledger"]
    claimed = [study[name].loc[study[name]["p_value"].notna()] for name in ("associations", "changes")]
    assert len(found) == sum(map(len, claimed)) > 300
    assert not found.duplicated(["claim", "family", "feature"]).any()
    p = found["p_maxt"].to_numpy(dtype=float)
    known = p[~np.isnan(p)]
    assert (np.diff(known) >= 0).all()
    assert set(found["stamp"]) == {"exploratory"}
    pd.testing.assert_frame_equal(found, ledger(study.tables, study.plan))


def test_a_confirmatory_question_leads_whatever_its_p(study: Study) -> None:
    tables = dict(study.tables)
    rows = tables["associations"]
    worst = rows["p_maxt"].idxmax()
    stamps = rows["stamp"].mask(rows.index == worst, "confirmatory")
    found = ledger({**tables, "associations": rows.assign(stamp=stamps)}, study.plan)
    assert tuple(found.loc[0, ["feature", "family", "stamp"]]) == (
        *rows.loc[worst, ["feature", "family"]],
        "confirmatory",
    )


def test_effects_sizes_and_words_follow_from_the_tables(study: Study) -> None:
    found = study["ledger"].set_index(["family", "feature"])
    shrunken = study["shrinkage"].set_index(["family", "feature"])["shrunken"]
    raw = study["associations"].set_index(["family", "feature"])["estimate"]
    sized = 0
    for key, row in found[found["claim"] == "association"].iterrows():
        assert row["raw"] == raw[key]
        if key not in shrunken.index or math.isnan(shrunken[key]):
            assert math.isnan(row["shrunken"])
            continue
        effect, share = shrunken[key], row["n_events"] / row["n"]
        assert row["shrunken"] == effect
        if effect == 0:
            assert row["design"].startswith("confirm it with a smaller" if row["below_alpha"] else "none:")
            continue
        sized += 1
        information = share if "hazard" in row["measure"] else share * (1 - share)
        assert row["n_to_confirm"] == math.ceil(2.8015852**2 / (effect**2 * information) - 1e-6)
        assert row["design"].startswith("early read-out" if key[0].startswith("on/") else ("unproven", "name it"))
    assert sized > 20


def test_literature_is_of_the_same_kind_and_cited(study: Study) -> None:
    found = study["ledger"].drop_duplicates("feature").set_index("feature")

    def of_kind(category: str) -> list[str]:
        signatures = ims.features.signatures().values()
        return [one.name for one in signatures if one.category == category and one.name in found.index]

    assert "pembrosarc_tls" not in str(found.loc["cyt_mean_log2", "literature"])
    assert "cytotoxic TIL density" in found.loc["cyt_mean_log2", "literature"]
    assert "Lancet Oncol 2017;18:1493" in found.loc["cyt_mean_log2", "literature"]
    assert "ORR 9/30 vs 1/41" in found.loc[of_kind("tls_b"), "literature"].iloc[0]
    assert found.loc[of_kind("hypoxia"), "literature"].isna().all()
    assert ims.features.signatures()["cyt"].meaning in found.loc["cyt_mean_log2", "biology"]


def _told(study: Study, estimates: dict[str, float]) -> tuple[ims.study.Replication, tuple[str, str]]:
    """A replication of the first claim with a log ratio, with these estimates."""
    ratios = study["associations"][study["associations"]["measure"].str.startswith("log_")]
    row = ratios[ratios["p_value"].notna()].iloc[0]
    what = {name: row[name] for name in ("family", "feature", "measure")}
    effects = pd.DataFrame([{**what, "cohort": name, "estimate": value} for name, value in estimates.items()])
    average = what | {"n_cohorts": 2, "estimate": 0.5, "conf_low": -0.1, "conf_high": 1.1, "status": "ok"}
    pooled = pd.DataFrame([average | {"prediction": "uninformative: 3 cohorts"}])
    without = pd.DataFrame([average | {"left_out": "simulated_trial", "estimate": 0.25}])
    return ims.study.Replication(effects, pooled, without), (row["family"], row["feature"])


def test_replication_of_other_cohorts_is_told(study: Study) -> None:
    own = study["associations"].set_index(["family", "feature"])["estimate"]
    _, key = _told(study, {"x": 0.0})
    sign = np.sign(own[key])
    told, key = _told(
        study, {"simulated_trial": own[key], "a": 0.4 * sign, "b": sign, "c": -0.1 * sign, "d": np.nan}
    )
    found = ledger(study.tables, study.plan, replication=told, cohort="simulated_trial")
    lines = found.set_index(["family", "feature"])["replication"]
    assert lines[key] == (
        "2 of 3 other cohorts in the same direction (a, b, c); the others alone 0.25 [-0.10, 1.10]; all pooled "
        "0.50 [-0.10, 1.10]; prediction uninformative: 3 cohorts"
    )
    assert set(lines.drop(key)) == {"not asked: not a question of the replication"}
    assert set(study["ledger"]["replication"]) == {"not asked: no other cohort"}


def test_another_plan_replicates_nothing(study: Study) -> None:
    own = study["associations"].set_index(["family", "feature"])["estimate"]
    _, key = _told(study, {"x": 0.0})
    told, _ = _told(study, {"simulated_trial": own[key] + 0.5, "a": 0.4})
    found = ledger(study.tables, study.plan, replication=told, cohort="simulated_trial")
    line = found.set_index(["family", "feature"]).loc[key, "replication"]
    assert line == f"asked otherwise: simulated_trial has {own[key] + 0.5:.2f} there and {own[key]:.2f} here; " + (
        "use the same plan"
    )


def test_cell_populations_have_the_literature_of_their_kind(study: Study) -> None:
    found = study["ledger"].drop_duplicates("feature").set_index("feature")["literature"]
    assert found["danaher_cytotoxic"] == found["cyt"]
    assert "TLS presence" in found["mcp_b_lineage"]
    assert pd.isna(found["mcp_neutrophils"])


def test_the_page_carries_biology_and_literature_of_what_it_shows(study: Study) -> None:
    section = build(study)
    said = dict(section.blocks[-1].lines)
    first = study["ledger"].head(15).drop_duplicates("feature").set_index("feature")
    assert list(said) == [name for name, row in first.iterrows() if row[["biology", "literature"]].notna().any()]
    for name, words in said.items():
        row = first.loc[name]
        assert all(str(row[one]) in words for one in ("biology", "literature") if pd.notna(row[one]))


def test_confirmation_size_is_schoenfelds_for_two_equal_groups() -> None:
    """A feature that is 0 or 1 in half of the patients has a standard deviation of 1/2."""
    ratio = 0.6
    enrollment = stats.Enrollment(24, 12)
    expected = stats.log_rank_schoenfeld(ratio, math.log(2) / 6, enrollment, alpha=0.025, power=0.8).events
    assert stats.confirmation_size([math.log(ratio) / 2], [1.0], events=True).tolist() == [expected]
    assert np.isnan(stats.confirmation_size([0.0, 0.5, np.nan], [0.5, 0.0, 0.5], events=False)).all()
    with pytest.raises(ims.errors.ImmunosarcError, match=r"alpha: need a number between 0 and 1, have 1.5"):
        stats.confirmation_size([1.0], [0.5], events=False, alpha=1.5)


def test_confirmation_size_gives_its_power() -> None:
    """Logistic regression's score test in simulated trials of that size."""
    rng = np.random.default_rng(5)
    n = int(stats.confirmation_size([0.5], [0.3], events=False)[0])
    x = rng.standard_normal((4000, n))
    y = rng.random(x.shape) < 1 / (1 + np.exp(-(-0.905 + 0.5 * x)))
    share = y.mean(axis=1, keepdims=True)
    x = x - x.mean(axis=1, keepdims=True)
    score = (x * (y - share)).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * share[:, 0] * (1 - share[:, 0]))
    assert y.mean() == pytest.approx(0.3, abs=0.01)
    assert (abs(score) > 1.959964).mean() == pytest.approx(0.8, abs=0.04)
