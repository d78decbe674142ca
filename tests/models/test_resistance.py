"""Resistance: who is compared with whom, and progression against death, by counting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import ImmortalTimeError, PlanError
from immunosarc.models import associate, progression_incidence, with_resistance

from .conftest import make_cohort, make_table

CLASSES = ["primary"] * 5 + ["secondary"] * 4 + ["sensitive_ongoing"] * 3 + ["insufficient_exposure", None]


@pytest.fixture
def trial() -> tuple[ims.Cohort, pd.DataFrame, pd.Series]:
    cohort = make_cohort(["PD"] * 9 + ["PR"] * 5)
    return cohort, ims.endpoints.derive(cohort), pd.Series(CLASSES, index=cohort.patients.index)


def test_primary_against_other_classes_and_secondary_against_sensitive(trial) -> None:
    _, outcomes, classes = trial
    found = with_resistance(outcomes, classes)
    assert found["primary_resistance"].tolist()[:12] == [True] * 5 + [False] * 7
    assert found["secondary_resistance"].tolist()[5:12] == [True] * 4 + [False] * 3
    assert found["secondary_resistance"].isna().tolist()[:5] == [True] * 5
    assert found["resistance_status"].tolist()[-2:] == [
        "resistance is insufficient_exposure",
        "resistance is not recorded",
    ]
    assert "primary_resistance" not in outcomes or outcomes["primary_resistance"].isna().all()


def test_the_groups_are_compared(trial) -> None:
    cohort, outcomes, classes = trial
    table = make_table(cohort, x=np.arange(14.0))
    ask = {"model": "mann_whitney", "n_permutations": 50}
    found = with_resistance(outcomes, classes)
    primary = associate(table, found, endpoint="primary_resistance", **ask).iloc[0]
    assert (primary["n_events"], primary["n"], primary["estimate"]) == (5, 12, 0.0)
    secondary = associate(table, found, endpoint="secondary_resistance", **ask).iloc[0]
    assert (secondary["n_events"], secondary["n"], secondary["estimate"]) == (4, 7, 0.0)
    with pytest.raises(ImmortalTimeError, match="landmark_day"):
        associate(make_table(cohort, "on", x=np.arange(14.0)), found, endpoint="primary_resistance", **ask)
    with pytest.raises(ImmortalTimeError, match="primary_resistance"):
        associate(table, found, endpoint="pfs", model="cox", strata=found["primary_resistance"])


def test_outcomes_without_resistance_name_the_cure(trial) -> None:
    cohort, outcomes, classes = trial
    bare = outcomes.drop(columns=["primary_resistance", "secondary_resistance"], errors="ignore")
    with pytest.raises(PlanError, match=r"no column 'primary_resistance': .*models\.with_resistance"):
        associate(make_table(cohort, x=np.ones(14)), bare, endpoint="primary_resistance", model="mann_whitney")
    with pytest.raises(PlanError, match="nobody is primary, secondary, sensitive_ongoing; found"):
        with_resistance(outcomes, classes.map({"primary": "resistant"}))
    with pytest.raises(PlanError, match="not list"):
        with_resistance(outcomes, CLASSES)
    with pytest.raises(PlanError, match="none of its rows is a patient"):
        with_resistance(outcomes, classes.reset_index(drop=True))


def test_incidence_without_censoring_is_a_count() -> None:
    days = [30, 60, 90, 120, 150, 180, 210, 240, 270, 300]
    dies = [False, True, False, False, True, False, False, False, True, False]
    patients = pd.DataFrame(
        {
            "patient_id": [f"P{i}" for i in range(10)],
            "pfs_days": days,
            "pfs_event": True,
            "os_days": [d if gone else d + 100 for d, gone in zip(days, dies, strict=True)],
            "os_event": dies,
        }
    )
    outcomes = ims.endpoints.derive(ims.Cohort(patients))
    found = progression_incidence(outcomes, days=[100, 200]).set_index(["event", "day"])
    assert found["incidence"].to_dict() == pytest.approx(
        {
            ("progression", 100): 0.2,
            ("progression", 200): 0.4,
            ("death without progression", 100): 0.1,
            ("death without progression", 200): 0.2,
        }
    )
    assert found["n_events"].unique().tolist() == [7, 3]


def test_strata_add_up_and_late_days_are_missing() -> None:
    cohort = ims.simulate_cohort(seed=7)
    outcomes = ims.endpoints.derive(cohort)
    found = progression_incidence(outcomes, by=cohort.patients["schedule_stage"], days=[183, 5000])
    counts = found.drop_duplicates(["stratum", "event"]).pivot(index="event", columns="stratum", values="n_events")
    assert (counts["1"] + counts["2"]).tolist() == counts["all"].tolist()
    whole = found[(found["stratum"] == "all") & (found["day"] == 183)]
    survival = ims.endpoints.survival_curve(outcomes, "pfs").query("time <= 183 / 30.4375")["survival"].iloc[-1]
    assert whole["incidence"].sum() == pytest.approx(1 - survival)
    assert (found.loc[found["day"] == 5000, "status"] == "beyond the last follow-up").any()
    assert (found["simulated"] == "SIMULATED").all()
    with pytest.raises(PlanError, match="at least 1, found"):
        progression_incidence(outcomes, days=[0])
