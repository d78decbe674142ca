"""Assays of one thing: agreement, the patients they disagree on, and what measurement error hides."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import special
from scipy import stats as scipy_stats

from immunosarc import models, stats
from immunosarc.errors import ImmunosarcError


def _trial(
    n: int, reliabilities: tuple[float, ...], rng: np.random.Generator
) -> tuple[dict[str, pd.Series], pd.Series]:
    truth = rng.normal(size=n)
    ids = [f"P{i}" for i in range(n)]
    measures = {
        f"m{k}": pd.Series(np.sqrt(r) * truth + np.sqrt(1 - r) * rng.normal(size=n), ids)
        for k, r in enumerate(reliabilities)
    }
    return measures, pd.Series(0.5 * truth + np.sqrt(0.75) * rng.normal(size=n), ids, name="outcome")


def test_pairs_are_spearman_among_those_with_both() -> None:
    measures, _ = _trial(25, (0.8, 0.6, 0.5), np.random.default_rng(1))
    measures["m1"].iloc[:5] = np.nan
    measures["m2"] = measures["m2"].iloc[3:]
    found = models.concordance(measures, quantity="CD8").pairs
    assert found[["measure", "other"]].to_numpy().tolist() == [list(pair) for pair in combinations(measures, 2)]
    for row in found.itertuples():
        both = pd.concat([measures[row.measure], measures[row.other]], axis=1).dropna()
        assert row.n == len(both)
        assert row.estimate == pytest.approx(scipy_stats.spearmanr(both)[0], abs=1e-12)
        margin = special.ndtri(0.975) * np.sqrt((1 + row.estimate**2 / 2) / (len(both) - 3))
        assert row.conf_low == pytest.approx(np.tanh(np.arctanh(row.estimate) - margin), abs=1e-12)


def test_discordant_patients_are_those_of_the_declared_rule() -> None:
    ids = [f"P{i}" for i in range(11)]
    low_to_high = pd.Series(np.arange(11.0), ids)
    moved = low_to_high.copy()
    moved[["P0", "P5"]] = [5.0, 0.0]  # half the way up, half the way down; the others stay
    found = models.concordance({"RNA": low_to_high, "imaging": moved}, apart=0.5)
    assert found.discordant["patient_id"].tolist() == ["P0", "P5"]
    assert found.discordant[["rank", "other_rank"]].to_numpy().tolist() == [[0, 0.5], [0.5, 0]]
    assert found.pairs["n_discordant"].tolist() == [2]
    assert models.concordance({"RNA": low_to_high, "imaging": moved}, apart=0.51).discordant.empty
    assert len(found.ranks) == 11


def test_as_many_are_discordant_by_chance_as_said() -> None:
    rng = np.random.default_rng(2)
    ids = [f"P{i}" for i in range(600)]
    measures = {name: pd.Series(rng.normal(size=600), ids) for name in ("RNA", "imaging")}
    row = models.concordance(measures, apart=0.4).pairs.iloc[0]
    assert row["n_discordant_by_chance"] == pytest.approx(600 * 0.36)
    assert abs(row["n_discordant"] - 216) < 4 * np.sqrt(600 * 0.36 * 0.64)


def test_triads_by_hand() -> None:
    r = np.array([[1, 0.6, 0.4, 0.5], [0.6, 1, 0.3, 0.2], [0.4, 0.3, 1, 0.1], [0.5, 0.2, 0.1, 1]])
    for i in range(4):
        others = [j for j in range(4) if j != i]
        triads = [r[i, j] * r[i, k] / r[j, k] for j, k in combinations(others, 2)]
        assert stats.triad_reliability(r)[i] == pytest.approx(min(float(np.median(triads)), 1.0))
    assert stats.triad_reliability(r[:2, :2]).tolist() == [0.6, 0.6]
    assert np.isnan(stats.triad_reliability([[1, -0.1], [-0.1, 1]])).all()
    with pytest.raises(ImmunosarcError, match="two measures"):
        stats.triad_reliability([[1.0]])


def test_what_is_freed_of_error_is_the_definition() -> None:
    measures, outcome = _trial(40, (0.8, 0.6, 0.5), np.random.default_rng(3))
    found = models.concordance(measures, outcome).reliability
    table = pd.DataFrame(measures)
    scores = table.apply(lambda x: special.ndtri((scipy_stats.rankdata(x) - 0.375) / (len(x) + 0.25)))
    r = np.corrcoef(scores.T)
    assert found["reliability"].tolist() == pytest.approx(
        [r[0, 1] * r[0, 2] / r[1, 2], r[0, 1] * r[1, 2] / r[0, 2], r[0, 2] * r[1, 2] / r[0, 1]]
    )
    observed = [np.corrcoef(scores[name], outcome)[0, 1] for name in table]
    assert found["correlation"].tolist() == pytest.approx(observed)
    assert found["corrected"].tolist() == pytest.approx(
        list(np.clip(observed / np.sqrt(found["reliability"]), -1, 1))
    )
    assert found["endpoint"].tolist() == ["outcome"] * 3
    assert (found["corrected_low"] < found["corrected"]).all()
    again = models.concordance(measures, outcome).reliability
    pd.testing.assert_frame_equal(found, again)


@pytest.mark.parametrize("reliabilities", [(0.8, 0.6, 0.6), (0.7, 0.7)])
def test_the_truth_is_recovered_and_covered(reliabilities: tuple[float, ...]) -> None:
    rng = np.random.default_rng(4)
    rows = [models.concordance(*_trial(30, reliabilities, rng), seed=i).reliability.iloc[0] for i in range(60)]
    found = pd.DataFrame(rows)
    found = found[found["status"] == "ok"]
    assert len(found) > 50
    assert found["correlation"].mean() == pytest.approx(0.5 * np.sqrt(reliabilities[0]), abs=0.06)
    assert found["corrected"].mean() == pytest.approx(0.5, abs=0.08)
    covered = ((found["corrected_low"] <= 0.5) & (found["corrected_high"] >= 0.5)).mean()
    assert covered > 0.93 - 2 * np.sqrt(0.95 * 0.05 / len(found))


def test_nothing_in_common_is_said() -> None:
    rng = np.random.default_rng(5)
    ids = [f"P{i}" for i in range(12)]
    up = pd.Series(np.arange(12.0), ids)
    found = models.concordance({"a": up, "b": -up}, pd.Series(rng.integers(0, 2, 12), ids))
    assert found.reliability["status"].tolist() == ["the measures have nothing in common"] * 2
    assert found.reliability["corrected"].isna().all()
    few = models.concordance({"a": up.iloc[:5], "b": up})
    assert few.pairs["status"].tolist() == ["needs 8 patients with both, has 5"]
    assert few.discordant.empty
    same = models.concordance({"a": up * 0, "b": up}, up)
    assert same.pairs["status"].tolist() == ["a is the same for everybody"]
    assert "a is the same for everybody" in repr(same)
    assert "<table" in same._repr_html_()


def test_bad_calls_are_refused_together() -> None:
    up = pd.Series([1.0, 2.0], ["P1", "P1"])
    with pytest.raises(
        ImmunosarcError, match=r"(?s)two measures or more.*between 0 and 1, not 2.*'P1' stands twice"
    ):
        models.concordance({"a": up}, apart=2)
