"""Change on treatment: pairs, shift and test by their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import CohortError
from immunosarc.models import compare_timepoints, pair_timepoints

from .conftest import RESPONSES, make_cohort


def both_scores(cohort: ims.Cohort, before: np.ndarray, after: np.ndarray) -> pd.DataFrame:
    ids = [f"{i}_{t}" for t in ("pre", "on") for i in cohort.patients.index]
    return pd.DataFrame({"x": np.r_[before, after]}, index=ids)


def signed_rank_by_enumeration(changes: np.ndarray) -> float:
    order = np.argsort(np.argsort(np.abs(changes))) + 1
    seen = abs(order @ np.sign(changes))
    flips = itertools.product((-1, 1), repeat=len(changes))
    return float(np.mean([abs(order @ np.array(f)) >= seen for f in flips]))


def test_shift_and_p_by_definition() -> None:
    cohort = make_cohort(RESPONSES)
    rng = np.random.default_rng(1)
    before, changes = rng.normal(size=10), rng.normal(0.8, 1, size=10)
    scores = both_scores(cohort, before, before + changes)
    result = compare_timepoints(cohort, scores, ims.endpoints.derive(cohort), n_permutations=500).set_index(
        "group"
    )
    walsh = [(a + b) / 2 for i, a in enumerate(changes) for b in changes[i:]]
    assert result.loc["all", "hodges_lehmann"] == pytest.approx(np.median(walsh))
    assert result.loc["all", "median_change"] == pytest.approx(np.median(changes))
    assert result.loc["all", "p_value"] == pytest.approx(signed_rank_by_enumeration(changes))
    assert result["n"].to_dict() == {"all": 10, "CR/PR": 3, "SD": 3, "PD": 4}
    assert result.loc["PD", "median_change"] == pytest.approx(np.median(changes[6:]))


def test_every_patient_keeps_a_row_with_the_reason() -> None:
    cohort = make_cohort([*RESPONSES[:9], "NE"])
    cohort = cohort.select(samples=[i for i in cohort.samples.index if i not in ("P00_pre", "P01_on")])
    scores = both_scores(cohort, np.arange(10.0), np.arange(10.0) * 2)
    pairs = pair_timepoints(cohort, scores, ims.endpoints.derive(cohort)).set_index("patient_id")
    assert pairs.loc["P00", "status"] == "no pre sample"
    assert pairs.loc["P01", "status"] == "no on sample"
    assert pairs.loc["P02", ["before", "after", "change"]].tolist() == [2, 4, 2]
    assert pd.isna(pairs.loc["P09", "group"])


def test_the_same_timepoint_twice_is_refused() -> None:
    cohort = make_cohort(RESPONSES)
    scores = both_scores(cohort, np.ones(10), np.ones(10))
    with pytest.raises(CohortError, match="choose two timepoints"):
        pair_timepoints(cohort, scores, ims.endpoints.derive(cohort), after="pre")


@pytest.mark.parametrize("before", [np.ones(4), np.full(4, np.nan)])
def test_no_change_and_no_pairs_have_rows_with_a_reason(before: np.ndarray) -> None:
    cohort = make_cohort(["PD"] * 4)
    scores = both_scores(cohort, before, np.ones(4))
    result = compare_timepoints(cohort, scores, ims.endpoints.derive(cohort), n_permutations=50)
    assert len(result) == 4
    assert (result.loc[result["p_value"].isna(), "status"] != "ok").all()


def test_maxt_by_sign_flips_is_near_the_exact_one() -> None:
    cohort = make_cohort(["PD"] * 8)
    changes = np.random.default_rng(8).normal(0.9, 1, size=8)
    scores = both_scores(cohort, np.zeros(8), changes)
    result = compare_timepoints(cohort, scores, ims.endpoints.derive(cohort), n_permutations=8000)
    exact = signed_rank_by_enumeration(changes)
    assert result["p_maxt"][0] == pytest.approx(exact, abs=4 * np.sqrt(exact / 8000) + 1 / 8000)
