"""Populations, and a binary endpoint after a two-stage trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.endpoints import derive, summarize, summarize_populations, summarize_two_stage
from immunosarc.errors import ImmunosarcError


@pytest.fixture(scope="module")
def cohort() -> ims.Cohort:
    return ims.simulate_cohort(seed=7, n_null=1)


@pytest.fixture(scope="module")
def outcomes(cohort: ims.Cohort) -> pd.DataFrame:
    return derive(cohort)


def _trial(successes: int, n: int) -> pd.DataFrame:
    """So many responders among n patients whose response is known."""
    best = ["PR"] * successes + ["PD"] * (n - successes)
    index = pd.Index([f"P{i}" for i in range(n)], name="patient_id")
    return derive(ims.Cohort(pd.DataFrame({"best_overall_response": best}, index=index)))


def test_populations_of_the_trial(cohort, outcomes) -> None:
    table = summarize_populations(outcomes, by=cohort.patients["schedule_stage"])
    n = table.set_index(["population", "stratum"])["n"].to_dict()
    assert n["treated", "all"] == 33
    assert [n["response-evaluable", one] for one in ("all", "1", "2")] == [30, 16, 14]
    assert n["PFS6-evaluable", "all"] == 28
    for name in ("treated", "response-evaluable", "PFS6-evaluable"):
        assert n[name, "1"] + n[name, "2"] == n[name, "all"]
    assert (table["n"] + table["n_left_out"] == table["stratum"].map(n_of := {"all": 33, "1": 18, "2": 15})).all()
    assert sum(n_of.values()) == 66
    left = table.set_index(["population", "stratum"]).loc[("response-evaluable", "all"), "reasons"]
    assert left == "best overall response is NE: not evaluable (3)"


def test_sizes_are_the_denominators_of_the_summary(cohort, outcomes) -> None:
    strata = cohort.patients["schedule_stage"]
    sizes = summarize_populations(outcomes, by=strata).set_index(["population", "stratum"])["n"]
    rates = summarize(outcomes, by=strata).set_index(["measure", "stratum"])["n"]
    pairs = {
        "objective_response": "response-evaluable",
        "disease_control": "response-evaluable",
        "durable_clinical_benefit": "evaluable for durable benefit",
        "pfs6": "PFS6-evaluable",
    }
    for measure, population in pairs.items():
        assert rates[measure].to_dict() == sizes[population].to_dict()


def test_two_stage_numbers_are_those_of_clinfun(oracles: Path) -> None:
    known = pd.read_csv(oracles / "twostage_inference.csv")
    for row in known.itertuples():
        table = summarize_two_stage(
            _trial(row.x, row.n), design=(row.r1, row.n1, row.n), p0=row.pu, endpoint="objective_response"
        )
        found = table.iloc[1]
        assert found["measure"] == "objective_response_two_stage"
        assert found["estimate"] == pytest.approx(row.pumvue, abs=1e-10)
        assert found["p_value"] == pytest.approx(getattr(row, "_7", known["p.value"][row.Index]), abs=1e-10)
        assert found["conf_low"] == pytest.approx(known["X5..LCL"][row.Index], abs=1e-4)
        assert table.iloc[0]["estimate"] == row.x / row.n


def test_a_trial_that_did_not_end_as_designed_has_no_unbiased_estimate() -> None:
    table = summarize_two_stage(_trial(13, 30), design=(6, 15, 28), p0=0.434, endpoint="objective_response")
    assert np.isnan(table.iloc[1]["estimate"])
    assert "more than 6 successes, or 15 with at most 6; found 13 of 30" in table.iloc[1]["status"]
    assert table.iloc[0]["n"] == 30
    stopped = summarize_two_stage(_trial(6, 15), design=(6, 15, 28), p0=0.434, endpoint="objective_response")
    assert stopped.iloc[1]["estimate"] == 6 / 15
    too_few = summarize_two_stage(_trial(6, 28), design=(6, 15, 28), p0=0.434, endpoint="objective_response")
    assert np.isnan(too_few.iloc[1]["estimate"])


def test_wrong_names_and_numbers_are_refused(outcomes) -> None:
    with pytest.raises(ImmunosarcError, match="no binary endpoint 'pfs'"):
        summarize_two_stage(outcomes, design=(6, 15, 28), p0=0.434, endpoint="pfs")
    with pytest.raises(ImmunosarcError, match="0 <= r1 < n1 < n"):
        summarize_two_stage(outcomes, design=(15, 6, 28), p0=0.434)
