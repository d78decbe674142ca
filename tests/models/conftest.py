"""Small cohorts with a known answer, and the degenerate ones that every model must survive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims

RESPONSES = ["CR", "PR", "PR", "SD", "SD", "SD", "PD", "PD", "PD", "PD"]


def make_cohort(responses: list[str], *, stage: list[str] | None = None) -> ims.Cohort:
    """One pre and one on sample per patient; progression in the order of the patients."""
    n = len(responses)
    ids = [f"P{i:02d}" for i in range(n)]
    patients = pd.DataFrame(
        {
            "patient_id": ids,
            "best_overall_response": responses,
            "pfs_days": np.linspace(400, 30, n).round(),
            "pfs_event": [i % 4 != 0 for i in range(n)],
            "os_days": np.linspace(600, 60, n).round(),
            "os_event": [i % 3 != 0 for i in range(n)],
        }
    )
    if stage:
        patients["schedule_stage"] = stage
    samples = pd.DataFrame(
        {
            "sample_id": [f"{i}_{t}" for t in ("pre", "on") for i in ids],
            "patient_id": ids * 2,
            "timepoint": ["pre"] * n + ["on"] * n,
        }
    )
    return ims.Cohort(patients, samples)


def make_table(cohort: ims.Cohort, timepoint: str = "pre", **features: object) -> pd.DataFrame:
    """Patient features given in the order of the patients."""
    scores = pd.DataFrame(features, index=[f"{i}_{timepoint}" for i in cohort.patients.index])
    return cohort.at(timepoint).per_patient(scores)


@pytest.fixture
def cohort() -> ims.Cohort:
    return make_cohort(RESPONSES)


@pytest.fixture
def outcomes(cohort: ims.Cohort) -> pd.DataFrame:
    return ims.endpoints.derive(cohort)


def unknown_outcomes(n: int) -> ims.Cohort:
    """Patients of whom no outcome is recorded."""
    cohort = make_cohort(["NE"] * n)
    return ims.Cohort(cohort.patients[["best_overall_response"]], cohort.samples)


DEGENERATE: dict[str, Callable[[], tuple[ims.Cohort, dict[str, object]]]] = {
    "no responders": lambda: (make_cohort(["PD"] * 8), {"x": np.arange(8.0)}),
    "only responders": lambda: (make_cohort(["PR"] * 8), {"x": np.arange(8.0)}),
    "one responder": lambda: (make_cohort(["PR"] + ["PD"] * 7), {"x": np.arange(8.0)}),
    "all tied": lambda: (make_cohort(RESPONSES), {"x": np.ones(10)}),
    "all missing": lambda: (make_cohort(RESPONSES), {"x": np.full(10, np.nan)}),
    "one value": lambda: (make_cohort(RESPONSES), {"x": [1.0] + [np.nan] * 9}),
    "separated": lambda: (make_cohort(RESPONSES), {"x": -np.arange(10.0)}),
    "nobody evaluable": lambda: (unknown_outcomes(4), {"x": np.arange(4.0)}),
    "one patient": lambda: (make_cohort(["PR"]), {"x": [1.0]}),
}


@pytest.fixture(params=list(DEGENERATE))
def degenerate(request: pytest.FixtureRequest) -> tuple[ims.Cohort, dict[str, object]]:
    cohort, features = DEGENERATE[request.param]()
    return cohort, features | {"fine": np.random.default_rng(5).normal(size=len(cohort.patients))}
