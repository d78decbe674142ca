"""Composition-aware change: what dying tumor cells, another site and a low start cannot make."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import stats
from immunosarc.errors import CohortError, PlanError
from immunosarc.models import compare_change, compare_composition, compare_timepoints

from .conftest import make_cohort

RESPONSES = ["PR", "PD", "SD", "PD"] * 6
CELLS = ["t_cells", "b_cells", "nk_cells", "monocytes", "dendritic"]


def _scenarios():
    path = Path(__file__).parents[2] / "benchmarks" / "calibrate_change.py"
    spec = importlib.util.spec_from_file_location("immunosarc_calibrate_change", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def trial() -> tuple[ims.Cohort, pd.DataFrame, pd.DataFrame]:
    """24 pairs whose immune scores only wander; sites and days are recorded."""
    cohort = make_cohort(RESPONSES)
    rng = np.random.default_rng(3)
    n = len(RESPONSES)
    samples = cohort.samples.assign(
        site=np.where(rng.random(2 * n) < 0.7, "primary", "lung"),
        study_day=np.r_[np.full(n, -3.0), rng.integers(20, 50, n)],
    )
    cohort = ims.Cohort(cohort.patients, samples)
    steady = rng.normal(3, 1, size=(n, len(CELLS)))
    values = np.vstack([steady + 0.6 * rng.normal(size=steady.shape) for _ in range(2)])
    scores = pd.DataFrame(values, index=cohort.samples.index, columns=CELLS)
    return cohort, scores, ims.endpoints.derive(cohort)


def rows(table: pd.DataFrame, adjustment: str, group: str = "all") -> pd.DataFrame:
    chosen = (table["adjustment"] == adjustment) & (table["group"] == group)
    return table[chosen].set_index("feature")


def test_loss_of_tumor_changes_no_balance(trial) -> None:
    cohort, scores, outcomes = trial
    purity = pd.Series(np.r_[np.full(24, 0.8), np.full(24, 0.3)], index=scores.index)
    purity += np.random.default_rng(1).uniform(-0.1, 0.1, 48)
    thinned = scores.add(np.log2(1 - purity), axis=0)
    ask = {"n_permutations": 500, "purity": purity}
    still = compare_composition(cohort, scores, outcomes, immune=scores, **ask)
    lost = compare_composition(cohort, thinned, outcomes, immune=thinned, **ask)
    columns = ["estimate", "std_error", "p_value", "p_maxt", "regression_to_mean"]
    for group in ("all", "CR/PR minus others"):
        pd.testing.assert_frame_equal(
            rows(still, "balance", group)[columns], rows(lost, "balance", group)[columns], rtol=1e-8
        )
        pd.testing.assert_frame_equal(
            rows(still, "none", group)[columns], rows(lost, "purity", group)[columns], rtol=1e-8
        )
    raw = compare_timepoints(cohort, thinned, outcomes, n_permutations=500)
    assert (raw.loc[raw["group"] == "all", "p_maxt"] < 0.05).all()
    assert (rows(lost, "none")["p_maxt"] < 0.05).all()
    assert (rows(lost, "balance")["p_maxt"] > 0.05).all()
    assert (rows(lost, "purity")["p_maxt"] > 0.05).all()


def test_a_cell_type_that_comes_in_is_seen_beside_the_loss(trial) -> None:
    cohort, scores, outcomes = trial
    came = scores.copy()
    came.iloc[24:] += 1.3
    came.iloc[24:, 0] += 2.0
    balance = rows(compare_composition(cohort, came, outcomes, immune=came, n_permutations=2000), "balance")
    still = rows(compare_composition(cohort, scores, outcomes, immune=scores, n_permutations=50), "balance")
    assert balance.loc["t_cells", "p_maxt"] < 0.01
    # the others fall behind by the share that t_cells have in their balance, and no more
    moved = balance["estimate"] - still["estimate"]
    assert moved.to_numpy() == pytest.approx([2.0, -0.5, -0.5, -0.5, -0.5])


def test_the_numbers_are_those_of_the_regression(trial) -> None:
    cohort, scores, outcomes = trial
    immune = scores[CELLS[1:]]
    found = compare_composition(cohort, scores, outcomes, immune=immune, n_permutations=50)
    first, second = scores.iloc[:24], scores.iloc[24:]
    sites = cohort.samples["site"].to_numpy()
    site = (sites[24:] == "lung").astype(float) - (sites[:24] == "lung")
    days = cohort.samples["study_day"].to_numpy()[24:]
    design = np.column_stack([site, days - days.mean()])
    assert found["adjusted_for"].unique().tolist() == ["baseline, site lung, study_day"]
    for name in CELLS:
        others = [one for one in CELLS[1:] if one != name]
        before, after = ((side[name] - side[others].mean(axis=1)).to_numpy()[:, None] for side in (first, second))
        expected = stats.adjusted_change(before, after, covariates=design, n_permutations=1).fits
        assert rows(found, "balance").loc[name, "estimate"] == pytest.approx(expected.estimate[0])
        assert rows(found, "balance").loc[name, "p_value"] == pytest.approx(expected.p_value[0])
    assert found["family"].nunique() == 4


def test_without_covariates_the_surplus_is_the_analysis_of_covariance(trial) -> None:
    cohort, scores, outcomes = trial
    plain = compare_change(cohort, scores, outcomes).set_index("feature")
    found = compare_composition(cohort, scores, outcomes, immune=scores, adjust=(), n_permutations=50)
    surplus = rows(found, "none", "CR/PR minus others")
    for column in ("estimate", "std_error", "p_value", "conf_low"):
        assert surplus[column].to_numpy() == pytest.approx(plain[column].to_numpy())
    assert surplus["n_responders"].tolist() == [6] * 5


def test_patients_without_a_second_biopsy_say_where_the_average_is(trial) -> None:
    cohort, scores, outcomes = trial
    order = scores.iloc[:24]["t_cells"].argsort().to_numpy()
    high = cohort.patients.index[order[16:]]
    fewer = cohort.select(samples=[s for s in cohort.samples.index if s not in [f"{p}_on" for p in high]])
    found = compare_composition(fewer, scores, outcomes, immune=scores, adjust=(), n_permutations=50)
    row = rows(found, "none").loc["t_cells"]
    assert row["n"] == 16
    low = cohort.patients.index[order[:16]]
    before = scores.loc[[f"{p}_pre" for p in low], "t_cells"].to_numpy()
    change = scores.loc[[f"{p}_on" for p in low], "t_cells"].to_numpy() - before
    slope, start = np.polyfit(before, change, 1)
    everyone = scores.iloc[:24]["t_cells"].mean()
    assert row["estimate"] == pytest.approx(start + slope * everyone)
    assert row["regression_to_mean"] == pytest.approx(slope * (before.mean() - everyone))
    assert row["regression_to_mean"] > 0.03
    assert change.mean() == pytest.approx(row["estimate"] + row["regression_to_mean"])


def test_what_cannot_be_is_refused(trial) -> None:
    cohort, scores, outcomes = trial
    with pytest.raises(PlanError, match="at least 3 immune scores with a value, has 2"):
        compare_composition(cohort, scores, outcomes, immune=scores[CELLS[:2]])
    wrong = pd.Series(0.5, index=scores.index)
    wrong["P00_pre"] = 1.0
    with pytest.raises(PlanError, match=r"purity: must be at least 0 and below 1, is not at \['P00_pre'\]"):
        compare_composition(cohort, scores, outcomes, immune=scores, purity=wrong)
    with pytest.raises(PlanError, match=r"no column 'sites' to adjust for\. Did you mean 'site'"):
        compare_composition(cohort, scores, outcomes, immune=scores, adjust=["sites"])
    with pytest.raises(CohortError, match="choose two timepoints"):
        compare_composition(cohort, scores, outcomes, immune=scores, after="pre")


def test_nothing_immune_is_found_where_nothing_immune_happens() -> None:
    """The short form of docs/calibration.md: at most 6% and two Monte-Carlo errors, the raw test far above."""
    for words, found in _scenarios().nothing_immune_happens(600, seed=5):
        share = found.mean()
        if words.startswith("NAIVE"):
            assert share > (0.99 if "tumor loss" in words else 0.1), words
        else:
            assert 0.02 <= share <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 600), (words, share)
