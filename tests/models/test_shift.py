"""The shift of each patient, by its formula."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference

import immunosarc as ims
from immunosarc.errors import CohortError, PlanError
from immunosarc.models import immunogenicity_shift

from .conftest import make_cohort

NAMES = ["a", "b", "c"]
UP = {"a": 1, "b": 1, "c": -1}


@pytest.fixture
def trial() -> tuple[ims.Cohort, pd.DataFrame]:
    cohort = make_cohort(["PD"] * 8)
    cohort = cohort.select(samples=[s for s in cohort.samples.index if s not in ("P06_pre", "P07_on")])
    values = np.random.default_rng(2).normal([1, 5, 9], [1, 3, 0.2], size=(14, 3))
    return cohort, pd.DataFrame(values, index=cohort.samples.index, columns=NAMES)


def test_the_shift_is_the_mean_change_in_standard_deviations(trial) -> None:
    cohort, scores = trial
    found = immunogenicity_shift(cohort, scores, directions=UP).set_index("patient_id")
    spread = scores[scores.index.str.endswith("pre")].std(ddof=1)
    for patient in ("P00", "P05"):
        change = (scores.loc[f"{patient}_on"] - scores.loc[f"{patient}_pre"]) / spread * pd.Series(UP)
        row = found.loc[patient]
        assert row["shift"] == pytest.approx(change.mean())
        low, high = reference.t(2, change.mean(), reference.sem(change)).interval(0.95)
        assert [row["conf_low"], row["conf_high"]] == pytest.approx([low, high])
    assert found.loc["P00", "error_from"] == "agreement of components"


def test_with_reliability_the_interval_is_that_of_repeated_biopsies(trial) -> None:
    cohort, scores = trial
    known = {"a": 0.5, "b": 0.82, "c": 0.98}
    found = immunogenicity_shift(cohort, scores, reliability=known, level=0.9).set_index("patient_id")
    error = (1.0 + 0.6 + 0.2) / 3
    assert found.loc["P01", "std_error"] == pytest.approx(error)
    width = found.loc["P01", "conf_high"] - found.loc["P01", "shift"]
    assert width == pytest.approx(reference.norm.ppf(0.95) * error)


def test_the_interval_of_repeated_biopsies_holds_the_truth() -> None:
    """True change 0.5 in every component; each biopsy adds noise with the reliability that is stated."""
    rng = np.random.default_rng(5)
    n, reliability = 2000, 0.7
    cohort = make_cohort(["PD"] * n)
    steady = np.sqrt(reliability) * rng.normal(size=(n, 3))
    noise = np.sqrt(1 - reliability) * rng.normal(size=(2, n, 1))  # one piece of tissue moves all components
    values = np.vstack([steady + noise[0], steady + 0.5 + noise[1]])
    scores = pd.DataFrame(values, index=cohort.samples.index, columns=NAMES)
    found = immunogenicity_shift(cohort, scores, reliability=dict.fromkeys(NAMES, reliability))
    held = ((found["conf_low"] <= 0.5) & (found["conf_high"] >= 0.5)).mean()
    assert held == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / n))
    alone = immunogenicity_shift(cohort, scores)
    assert ((alone["conf_low"] <= 0.5) & (alone["conf_high"] >= 0.5)).mean() < 0.6  # as its docstring warns


def test_who_has_no_shift_says_why(trial) -> None:
    cohort, scores = trial
    scores.loc["P02_on", "b"] = np.nan
    empty = scores.assign(d=np.nan)
    found = immunogenicity_shift(cohort, empty).set_index("patient_id")
    assert found.loc[["P06", "P07", "P02"], "status"].tolist() == [
        "no pre sample",
        "no on sample",
        "no value of b",
    ]
    assert found.loc["P02", "n_components"] == 2
    assert found["shift"].notna().sum() == 5


def test_what_cannot_be_is_refused(trial) -> None:
    cohort, scores = trial
    with pytest.raises(PlanError, match="at least 2 components that vary before, has 1"):
        immunogenicity_shift(cohort, scores[["a"]])
    with pytest.raises(
        PlanError, match=r"(?s)directions: .* none for \['c'\].*reliability: .* none for \['b', 'c'\]"
    ):
        immunogenicity_shift(cohort, scores, directions={"a": 1, "b": -1}, reliability={"a": 0.5, "b": 1.5})
    with pytest.raises(CohortError, match="choose two timepoints"):
        immunogenicity_shift(cohort, scores, after="pre")


def test_in_the_simulated_trial_tumors_that_were_cold_shift_more() -> None:
    cohort = ims.simulate_cohort(seed=1)
    names = ["tis18_unweighted", "apm6", "cyt", "ifng6"]
    found = immunogenicity_shift(cohort, ims.features.score(cohort["rna"])[names])
    known = found[found["status"] == "ok"]
    planted = known["patient_id"].isin(cohort.provenance["truth"]["cold_to_hot"]["patients"])
    assert reference.mannwhitneyu(known.loc[planted, "shift"], known.loc[~planted, "shift"]).pvalue < 0.01
    assert (found["simulated"] == "SIMULATED").all()
