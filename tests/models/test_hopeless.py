"""What cannot be answered keeps its row, says why, and stops nobody else's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.models import MODELS, associate

from .conftest import make_cohort, make_table

ENDPOINT_OF = {"binary": "objective_response", "time_to_event": "pfs", "ordinal": "best_overall_response"}
RESPONSES = ["CR", "PR", "PR", "PR", "SD", "SD", "SD", "PD", "PD", "PD", "PD", "PD"]
N = len(RESPONSES)
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value", "p_maxt"]


def panel(cohort: ims.Cohort) -> pd.DataFrame:
    """An ordinary feature among hopeless ones; patients progress in order, the last one first."""
    rng = np.random.default_rng(3)
    return make_table(
        cohort,
        ordinary=rng.normal(size=N),
        constant=np.full(N, 0.3),
        tied=np.repeat([0.0, 1.0], [1, N - 1]),
        separated=np.arange(N, dtype=float),
        missing=np.full(N, np.nan),
        once=np.where(np.arange(N) == 4, 1.0, np.nan),
    )


def ask(cohort: ims.Cohort, model: str, **more: object) -> pd.DataFrame:
    rows = associate(
        panel(cohort),
        ims.endpoints.derive(cohort),
        endpoint=ENDPOINT_OF[MODELS[model].kind],
        model=model,
        n_permutations=50,
        **more,
    ).set_index("feature")
    assert rows.index.tolist() == ["ordinary", "constant", "tied", "separated", "missing", "once"]
    assert rows["status"].str.len().gt(1).all()
    # a row without a number says why; limits and estimate come together
    lacking = rows[["estimate", "conf_low", "conf_high", "p_value"]].isna()
    assert (lacking.any(axis=1) <= (rows["status"] != "ok")).all(), rows["status"]
    for name in ("constant", "missing", "once"):
        assert rows.loc[name, ["estimate", "p_value"]].isna().all(), name
    return rows


def with_events(events: bool) -> ims.Cohort:
    """Nobody or everybody has the event, the response, the best grade."""
    cohort = make_cohort(["PR" if events else "PD"] * N)
    return ims.Cohort(cohort.patients.assign(pfs_event=events), cohort.samples)


@pytest.mark.parametrize("model", list(MODELS))
def test_an_ordinary_panel_with_hopeless_features(model: str) -> None:
    rows = ask(make_cohort(RESPONSES), model)
    assert rows.loc["ordinary", NUMBERS].notna().all()
    assert rows.loc["ordinary", "status"] == "ok"
    if model.startswith("firth"):
        assert np.isfinite(rows.loc["separated", NUMBERS].astype(float)).all()
    assert rows.loc["missing", "status"] != "ok"


@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("events", [False, True])
def test_no_events_and_only_events(model: str, events: bool) -> None:
    rows = ask(with_events(events), model)
    answerable = events and MODELS[model].kind == "time_to_event"
    assert (rows.loc["ordinary", "status"] == "ok") == answerable
    assert rows.loc["ordinary", "n_events"] == (N if events and MODELS[model].kind != "ordinal" else 0) or (
        MODELS[model].kind == "ordinal"
    )


@pytest.mark.parametrize("model", list(MODELS))
def test_one_patient_in_each_stratum(model: str) -> None:
    cohort = make_cohort(RESPONSES)
    rows = ask(cohort, model, strata=pd.Series(list("ABCDEFGHIJKL"), index=cohort.patients.index, name="site"))
    assert (rows["status"] != "ok").all()
    assert rows[["estimate", "p_value", "p_maxt"]].isna().all(axis=None)


@pytest.mark.parametrize("model", list(MODELS))
def test_a_stratum_with_one_class_adds_nothing(model: str) -> None:
    cohort = make_cohort(RESPONSES)
    strata = pd.Series(["x"] * 10 + ["only PD"] * 2, index=cohort.patients.index, name="stage")
    rows = ask(cohort, model, strata=strata)
    if model in ("logistic", "proportional_odds"):  # the stratum's own coefficient has no finite maximum
        assert "no finite estimate" in rows.loc["ordinary", "status"]
        return
    assert rows.loc["ordinary", NUMBERS].notna().all()


@pytest.mark.parametrize("model", [name for name in MODELS if MODELS[name].covariates])
def test_more_covariates_than_events(model: str) -> None:
    cohort = make_cohort(RESPONSES)
    rng = np.random.default_rng(6)
    others = pd.DataFrame(
        rng.normal(size=(N, N)), index=cohort.patients.index, columns=[f"z{i}" for i in range(N)]
    )
    rows = ask(cohort, model, covariates=others)
    assert (rows["status"] != "ok").all()
    assert rows["estimate"].isna().all()
