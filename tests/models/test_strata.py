"""The worth of strata: by the variance of a comparison, and in the simulated trial."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import PlanError, UnknownNameError
from immunosarc.models import effective_sizes

from .conftest import make_cohort, make_table


def test_a_stratum_is_worth_an_even_trial_with_the_same_variance() -> None:
    """The variance of a difference of means is 1/m + 1/k, that of an even trial of n patients 4/n."""
    cohort = make_cohort(["PR"] * 9 + ["PD"] * 7 + ["PR"] + ["PD"] * 13 + ["PD"] * 4)
    strata = pd.Series(["1"] * 16 + ["2"] * 14 + ["3"] * 4, index=cohort.patients.index, name="stage")
    sizes = effective_sizes(
        make_table(cohort, x=np.arange(34.0)),
        ims.endpoints.derive(cohort),
        endpoint="objective_response",
        strata=strata,
    ).set_index("stratum")
    assert sizes["n"].tolist() == [16, 14, 4, 34]
    assert sizes["n_events"].tolist() == [9, 1, 0, 10]
    for name, m, k in (("1", 9, 7), ("2", 1, 13)):
        assert 4 / sizes.loc[name, "n_effective"] == pytest.approx(1 / m + 1 / k)
    assert sizes.loc["3", ["n_effective", "status"]].tolist() == [0, "one class only: tells nothing"]
    assert sizes.loc["all", "n_effective"] == pytest.approx(sizes["n_effective"].iloc[:3].sum())
    assert (sizes["stratified_by"] == "stage").all()


def test_without_strata_and_for_time() -> None:
    cohort = make_cohort(["PR"] * 5 + ["PD"] * 5)
    table, outcomes = make_table(cohort, x=np.arange(10.0)), ims.endpoints.derive(cohort)
    assert effective_sizes(table, outcomes, endpoint="objective_response")["n_effective"].tolist() == [10]
    time = effective_sizes(table, outcomes, endpoint="pfs")
    assert time["n_effective"].tolist() == [outcomes["pfs_event"].sum()]
    graded = effective_sizes(table, outcomes, endpoint="best_overall_response")
    assert graded["n_events"].tolist() == [5]


def test_in_the_simulated_trial_stage_2_has_one_responder() -> None:
    cohort = ims.simulate_cohort(seed=7)
    sizes = effective_sizes(
        cohort.at("pre").per_patient(ims.features.score(cohort["rna"])[["cyt"]]),
        ims.endpoints.derive(cohort),
        endpoint="objective_response",
        strata=cohort.patients["schedule_stage"],
    ).set_index("stratum")
    assert sizes.loc["2", "n_events"] == 1
    assert sizes.loc["2", "n_effective"] < 4
    assert (sizes["simulated"] == "SIMULATED").all()


def test_what_cannot_be_is_refused() -> None:
    cohort = make_cohort(["PR", "PD"])
    table, outcomes = make_table(cohort, x=[1.0, 2.0]), ims.endpoints.derive(cohort)
    with pytest.raises(UnknownNameError, match="objective_respons"):
        effective_sizes(table, outcomes, endpoint="objective_respons")
    with pytest.raises(PlanError, match="not str"):
        effective_sizes(table, outcomes, endpoint="pfs", strata="stage")
