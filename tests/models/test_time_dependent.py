"""Cox regression in which each patient is at risk from the day of the own sample on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import stats
from immunosarc.errors import ImmortalTimeError, PlanError
from immunosarc.models import associate, detectability

ASK = {"endpoint": "pfs", "model": "cox_time_dependent", "n_permutations": 99}


def trial(days: np.ndarray, sampled: np.ndarray, score: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [f"P{i:02d}" for i in range(len(days))]
    patients = pd.DataFrame(
        {
            "patient_id": ids,
            "best_overall_response": "SD",
            "pfs_days": days,
            "pfs_event": np.arange(len(days)) % 5 > 0,
        }
    )
    samples = pd.DataFrame({"sample_id": ids, "patient_id": ids, "timepoint": "on", "study_day": sampled})
    cohort = ims.Cohort(patients, samples)
    table = cohort.at("on").per_patient(pd.DataFrame({"x": score, "y": score[::-1]}, index=ids))
    return table, ims.endpoints.derive(cohort)


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    days, sampled = rng.integers(30, 300, 28).astype(float), rng.integers(15, 70, 28).astype(float)
    sampled[3] = np.nan
    days[5] = sampled[5]  # progressed on the day of the biopsy: never at risk after it
    return days, sampled, rng.normal(size=28)


def test_patients_are_at_risk_after_their_sample(rows) -> None:
    days, sampled, score = rows
    result = associate(*trial(*rows), **ASK)
    keep = days > sampled
    assert 1 < (~keep).sum() < 6
    expected = stats.cox(
        score[keep, None], days[keep] / 30.4375, (np.arange(28) % 5 > 0)[keep], entry=sampled[keep] / 30.4375
    )
    first = result.iloc[0]
    assert first["estimate"] == pytest.approx(expected.estimate[0], rel=1e-9)
    assert first["p_value"] == pytest.approx(expected.p_value[0], rel=1e-9)
    assert first["n"] == keep.sum()
    assert f"({(~keep).sum()} over by then or undated, left out)" in first["population"]
    assert result["p_maxt"].between(0, 1).all()
    card = detectability(*trial(*rows), **ASK)
    assert card["effect"].iloc[0] > 0


def test_a_marker_that_drifts_with_the_biopsy_day_says_nothing() -> None:
    """From baseline such a marker "predicts" survival in one trial of seven (docs/calibration.md)."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(400):
        days, sampled = np.ceil(rng.exponential(150.0, 40)), rng.integers(15, 121, 40).astype(float)
        keep = days > sampled
        marker = (sampled - 67) / 20 + rng.normal(size=40)
        fits = stats.cox(marker[keep, None], days[keep], np.ones(int(keep.sum())), entry=sampled[keep])
        found.append(fits.p_value[0] <= 0.05)
    assert np.mean(found) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 400))


def test_other_models_are_still_refused_and_the_two_remedies_exclude_each_other(rows) -> None:
    with pytest.raises(ImmortalTimeError, match="landmark_day"):
        associate(*trial(*rows), endpoint="pfs", model="cox")
    with pytest.raises(PlanError, match="leave out landmark_day"):
        associate(*trial(*rows), **ASK, landmark_day=60)
    with pytest.raises(ImmortalTimeError):
        associate(*trial(*rows), endpoint="pfs6", model="cox_time_dependent")
