"""The landmark: who stays, from when time counts, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import schema, stats
from immunosarc.errors import ImmortalTimeError, PlanError
from immunosarc.models import associate, landmark_flow, sweep_landmarks
from immunosarc.models._analysis_set import analysis_set

QUICK = {"n_permutations": 99}
N = 24
RNG = np.random.default_rng(12)
DAYS = np.r_[40.0, 60, 61, 200, 30, 62, RNG.integers(70, 400, N - 6)]
EVENT = np.r_[True, True, True, True, False, False, RNG.random(N - 6) < 0.7]
SAMPLED = np.r_[30.0, 30.0, 60.0, 61.0, 20.0, np.nan, RNG.integers(20, 61, N - 6)]
SCORE = RNG.normal(size=N)


@pytest.fixture
def trial() -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [f"P{i:02d}" for i in range(N)]
    patients = pd.DataFrame(
        {
            "patient_id": ids,
            "best_overall_response": np.tile(["PR", "SD", "PD", "SD"], 6),
            "pfs_days": DAYS,
            "pfs_event": EVENT,
            "os_days": DAYS + 90,
            "os_event": EVENT,
        }
    )
    samples = pd.DataFrame(
        {"sample_id": ids, "patient_id": ids, "timepoint": "on", "study_day": SAMPLED},
    ).drop(index=7)
    cohort = ims.Cohort(patients, samples)
    table = cohort.at("on").per_patient(pd.DataFrame({"x": SCORE, "y": SCORE[::-1]}, index=ids).drop(index="P07"))
    return table, ims.endpoints.derive(cohort)


def kept_by_hand(day: float, follow_up: np.ndarray) -> np.ndarray:
    keep = np.array([d > day and not s > day for d, s in zip(follow_up, SAMPLED, strict=True)])
    keep[7] = False
    return keep


@pytest.mark.parametrize(("endpoint", "shift"), [("pfs", 0), ("os", 90)])
def test_the_clock_restarts_for_those_at_risk_and_measured(
    trial: tuple[pd.DataFrame, pd.DataFrame], endpoint: str, shift: int
) -> None:
    result = associate(*trial, endpoint=endpoint, model="cox", landmark_day=60, **QUICK)
    keep = kept_by_hand(60, DAYS + shift)
    expected = stats.cox(SCORE[keep, None], DAYS[keep] + shift - 60, EVENT[keep])
    first = result.iloc[0]
    assert first["n"] == keep.sum() < 23
    assert first["estimate"] == pytest.approx(expected.estimate[0], rel=1e-9)
    assert first["p_value"] == pytest.approx(expected.p_value[0], rel=1e-9)
    assert first["family"] == f"on/{endpoint}@day60/cox/panel"
    lost = 23 - keep.sum()
    assert f"day 60 (landmark; {lost} of 23 left out); day of 1 samples not recorded" in first["population"]


def test_months_count_from_the_landmark(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """No test of ranks can see it; a figure would."""
    data = analysis_set(*trial, schema.ENDPOINTS["pfs"], landmark_day=60)
    np.testing.assert_allclose(data.follow_up(), (DAYS[kept_by_hand(60, DAYS)] - 60) / 30.4375, atol=1e-12)


def test_a_patient_without_outcomes_is_left_out(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, outcomes = trial
    shorter = associate(table, outcomes.drop(index="P10"), endpoint="pfs", model="cox", landmark_day=60, **QUICK)
    keep = kept_by_hand(60, DAYS)
    assert shorter["n"].iloc[0] == keep.sum() - keep[10]


def test_everybody_left_out_is_listed_with_the_reason(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    flow = landmark_flow(*trial, endpoint="pfs", landmark_day=60).set_index("patient_id")
    assert flow["kept"].tolist() == kept_by_hand(60, DAYS).tolist()
    assert flow["reason"].head(6).fillna("").tolist() == [
        "event on day 40, not after landmark day 60",
        "event on day 60, not after landmark day 60",
        "",
        "sample of day 61, after landmark day 60",
        "follow-up ended on day 30, not after landmark day 60",
        "",
    ]
    assert flow.loc["P07", "reason"] == "no on sample"


def test_a_binary_endpoint_keeps_who_is_progression_free(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    ask = {"endpoint": "pfs6", "model": "mann_whitney", "landmark_day": 60}
    result = associate(*trial, **ask, **QUICK).iloc[0]
    known = (DAYS > 183) | EVENT
    keep = kept_by_hand(60, DAYS) & known
    expected = stats.mann_whitney(SCORE[keep, None], DAYS[keep] > 183)
    assert (result["n"], result["n_events"]) == (keep.sum(), (DAYS[keep] > 183).sum())
    assert result["estimate"] == pytest.approx(expected.estimate[0])


def test_the_sweep_is_one_analysis_for_each_day(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    ask = {"endpoint": "pfs", "model": "cox", **QUICK}
    sweep = sweep_landmarks(*trial, landmark_days=[60, 90], **ask)
    assert sweep["landmark_day"].tolist() == [60, 60, 90, 90]
    later = associate(*trial, landmark_day=90, **ask)
    pd.testing.assert_frame_equal(
        sweep.iloc[2:].drop(columns="landmark_day").reset_index(drop=True), later, check_dtype=False
    )
    with pytest.raises(PlanError, match="each day once"):
        sweep_landmarks(*trial, landmark_days=[60, 60], **ask)


def test_a_landmark_after_everybodys_event_keeps_the_rows(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    result = associate(*trial, endpoint="pfs", model="cox", landmark_day=4000, **QUICK)
    assert result["estimate"].isna().all()
    assert (result["status"] != "ok").all()


def test_landmarks_that_cannot_be_are_refused(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    ask = {"model": "mann_whitney", **QUICK}
    with pytest.raises(PlanError, match="settled on day 183"):
        associate(*trial, endpoint="pfs6", landmark_day=183, **ask)
    with pytest.raises(PlanError, match="takes no landmark_day"):
        associate(*trial, endpoint="objective_response", landmark_day=60, **ask)
    for day in (0, 30.5, True):
        with pytest.raises(PlanError, match="whole number of at least 1"):
            associate(*trial, endpoint="pfs6", landmark_day=day, **ask)
    with pytest.raises(ImmortalTimeError, match="Pass landmark_day="):
        associate(*trial, endpoint="pfs6", **ask)


@pytest.mark.parametrize("name", ["best_overall_response", "objective_response", "durable_clinical_benefit"])
def test_responders_are_not_compared_with_the_others_from_baseline(
    trial: tuple[pd.DataFrame, pd.DataFrame], name: str
) -> None:
    table, outcomes = trial
    before = table.assign(timepoint="pre", measured_day=1.0)
    ask = {"endpoint": "os", "model": "cox", **QUICK}
    for role in ("strata", "covariates"):
        with pytest.raises(ImmortalTimeError, match=f"os from the start.*{name}.*landmark day"):
            associate(before, outcomes, **ask, **{role: outcomes[name]})
    flagged = before.assign(**{name: outcomes["objective_response"].astype(float)})
    with pytest.raises(ImmortalTimeError, match="called a responder"):
        associate(flagged, outcomes, **ask)
    with pytest.raises(ImmortalTimeError, match="called a responder"):
        ims.endpoints.survival_curve(outcomes, "os", by=outcomes[name])
    schema.refuse_response_groups([name], "objective_response")  # no time in it, nothing to refuse
