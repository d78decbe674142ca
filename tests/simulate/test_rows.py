"""The rows of the simulated trial: the engine finds in them what the catalog says, and nothing else."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import catalog
from immunosarc.endpoints import (
    derive,
    derive_course,
    derive_patient_toxicity,
    derive_recist,
    derive_toxicity,
    summarize,
)

READY_MADE = ["best_overall_response", "pfs_days", "pfs_event"]


@cache
def trial(seed: int) -> ims.Cohort:
    return ims.simulate_cohort(seed, n_null=1)


@cache
def without_outcomes(seed: int) -> ims.Cohort:
    """The same trial, with nobody's reading of it."""
    full = trial(seed)
    patients = full.patients.drop(columns=READY_MADE)
    return ims.Cohort(patients, full.samples, tables=full.tables, provenance={"name": "rows", "simulated": True})


@pytest.mark.parametrize("seed", range(21))
def test_rows_give_the_published_counts(seed: int) -> None:
    cohort = without_outcomes(seed)
    outcomes = derive(cohort)
    assert outcomes["rule_set"].str.contains("recist_1.1/").all()
    stage = cohort.patients["schedule_stage"]
    table = summarize(outcomes, by=stage, null_rates={"pfs6": 0.434})
    found = table.set_index(["measure", "stratum"])
    counts = {
        ("objective_response", "all"): (10, 30),
        ("objective_response", "1"): (9, 16),
        ("objective_response", "2"): (1, 14),
        ("disease_control", "all"): (24, 30),
        ("disease_control", "1"): (14, 16),
        ("disease_control", "2"): (10, 14),
        ("pfs6", "all"): (13, 28),
        ("median_pfs", "all"): (24, 33),
    }
    assert {key: tuple(found.loc[key, ["n_events", "n"]]) for key in counts} == counts
    weeks = found.loc[("median_pfs", "all"), ["estimate", "conf_low", "conf_high"]] * 30.4375 / 7
    assert [round(value, 1) for value in weeks] == [25.3, 24.0, 42.0]
    assert round(found.loc[("pfs6", "all"), "p_value"], 3) == 0.444


@pytest.mark.parametrize("seed", range(21))
def test_every_patient_agrees_with_the_catalog(seed: int) -> None:
    cohort, known = without_outcomes(seed), catalog.load_simulated_trial()
    visits = derive_recist(cohort.tables["lesions"], cohort.tables["assessments"])
    assert visits["discrepancy"].isna().all()
    course = derive_course(visits, cohort.patients)
    for name in READY_MADE:
        assert course[name].tolist() == known[name].tolist(), name
    assert (course["best_overall_response_confirmed"] == course["best_overall_response"]).all()


def test_what_ended_each_story_is_what_the_catalog_tells() -> None:
    cohort, how = without_outcomes(7), catalog.load_simulated_trial()["how"]
    reason = derive_course(derive_recist(cohort.tables["lesions"]), cohort.patients)["pfs_reason"]
    expected = pd.Series("progression", index=how.index)
    expected = expected.mask(how.str.startswith("death"), "death")
    expected = expected.mask(how.str.contains("ongoing|withdrew"), "censored at the last adequate scan")
    expected = expected.mask(
        how.str.contains("new therapy"), "censored at the last adequate scan before another therapy"
    )
    expected = expected.mask(how.str.startswith("no post"), "censored on day 1: no adequate scan after baseline")
    expected["SIM32"] = "censored at the last adequate scan: scans were missed before death"
    assert reason.tolist() == expected.tolist()


def test_another_seed_has_other_lesions_and_the_same_doses() -> None:
    one, other = trial(7).tables, trial(8).tables
    assert not one["lesions"].equals(other["lesions"])
    pd.testing.assert_frame_equal(one["exposures"], other["exposures"])
    pd.testing.assert_frame_equal(one["lesions"], ims.simulate_cohort(7, n_null=3).tables["lesions"])


def test_doxorubicin_begins_where_the_stage_says_and_keeps_its_limit() -> None:
    cohort = trial(7)
    doses = cohort.tables["exposures"]
    stage = cohort.patients["schedule_stage"]
    first = doses[doses["drug"] == "doxorubicin"].groupby("patient_id")["study_day"].min()
    assert first.groupby(stage.reindex(first.index)).unique().map(list).to_dict() == {"1": [22.0], "2": [1.0]}
    total = doses[doses["drug"] == "doxorubicin"].groupby("patient_id")["dose"].sum()
    assert total.max() == 450.0
    assert (doses.groupby("patient_id")["study_day"].min() == 1).all()
    last = doses.groupby("patient_id")["study_day"].max()
    ended = cohort.patients["pfs_event"]
    limit = cohort.patients.loc[ended, "pfs_days"]
    assert (last[limit.index].to_numpy() < limit.to_numpy()).all()
    treated = (doses["study_day"] > doses["patient_id"].map(cohort.patients["new_therapy_day"])).fillna(False)
    assert not treated.any()


@pytest.mark.parametrize("seed", range(21))
def test_toxicity_rows_give_the_published_rates(seed: int) -> None:
    cohort = trial(seed)
    events, drugs, doses = (cohort.tables[name] for name in ("adverse_events", "medications", "exposures"))
    found = derive_patient_toxicity(
        derive_toxicity(events, exposures=doses, medications=drugs), cohort.patients, exposures=doses
    )
    for name, known in (("treatment_related_grade_3_4", 15), ("immune_event_immunosuppression", 3)):
        assert int(found[name].sum()) == known
        assert found[name].tolist() == cohort.patients[name].tolist(), name


def test_there_is_something_to_be_told_apart() -> None:
    seeds = [trial(seed).tables for seed in range(21)]
    drugs = pd.concat([one["medications"] for one in seeds])
    assert {"dexamethasone", "levothyroxine", "hydrocortisone cream", "prednisone"} == set(drugs["drug"])
    events = pd.concat([one["adverse_events"] for one in seeds])
    assert (events["related_to"] == "none").any()


@pytest.mark.parametrize("seed", range(21))
def test_nothing_happens_after_the_last_day_known(seed: int) -> None:
    cohort = trial(seed)
    until = cohort.patients[["death_day", "last_alive_day", "data_cut_day"]].min(axis=1)
    for name, table in cohort.tables.items():
        for day in table.columns.intersection(["study_day", "end_day"]):
            late = table[day] > table["patient_id"].map(until)
            assert not late.any(), (name, table[late])
    events, doses = cohort.tables["adverse_events"], cohort.tables["exposures"]
    first = doses.groupby(["patient_id", "drug"])["study_day"].min()
    caused = events[events["related_to"] != "none"]
    caused = caused.assign(drug=caused["related_to"].str.split("; ").str[0])
    started = pd.MultiIndex.from_frame(caused[["patient_id", "drug"]]).map(first)
    assert (caused["study_day"].to_numpy() > started.to_numpy()).all()
