"""Analytes with limits of detection, and circulating tumor DNA by a landmark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import features, stats
from immunosarc.errors import CohortError, SchemaError, UnknownNameError

PATIENTS = [f"P{i}" for i in range(6)]
SAMPLES = pd.DataFrame({"sample_id": [f"S{i}" for i in range(6)], "patient_id": PATIENTS, "timepoint": "pre"})


def toy(rows, samples=SAMPLES, **patients):
    owners = samples.set_index("sample_id")["patient_id"]
    table = rows.assign(patient_id=rows["sample_id"].map(owners))
    frame = pd.DataFrame({"patient_id": sorted(set(samples["patient_id"])), **patients})
    return ims.Cohort(frame, samples, tables={"analytes": table})


def il6(values, **columns):
    return pd.DataFrame(
        {"sample_id": SAMPLES["sample_id"][: len(values)], "analyte": "IL6", "value": values, **columns}
    )


def test_below_the_limit_is_tied_at_the_bottom_and_never_zero():
    rows = il6([8.0, 0.0, np.nan, 3.0, 16.0, 5.0], unit="pg/mL", limit_of_detection=[1, 1, 4, 4, 1, 1.0])
    rows["below_limit"] = [False, True, True, False, False, False]
    found = features.soluble(toy(rows))["IL6"]
    # S1 is below 1, S2 and S3 below 4 (3 is less than its own limit): nobody knows their order
    assert found.tolist() == [3, 2, 2, 2, 4, pytest.approx(np.log2(5))]
    words = features.soluble(toy(rows)).attrs["scoring"]["IL6"]
    assert words == "log2 pg/mL, 3 of 6 below a limit, tied at the largest limit of this cohort"


def test_a_reading_between_two_limits_ties_with_what_may_lie_above_it():
    rows = il6([2.0, np.nan, 9.0], limit_of_detection=[1, 4, 4.0], below_limit=[False, True, False])
    assert features.soluble(toy(rows))["IL6"].tolist() == [2, 2, pytest.approx(np.log2(9))]


def test_ranks_do_not_depend_on_what_stands_in_the_place_of_a_limit():
    rows = il6([8.0, 0.5, 0.2, 3.0, 16.0, 5.0], limit_of_detection=1.0)
    other = rows.assign(value=rows["value"].mask(rows["value"] < 1), below_limit=rows["value"] < 1)
    pd.testing.assert_frame_equal(features.soluble(toy(rows)), features.soluble(toy(other)))


def test_without_limits_it_is_the_log():
    found = features.soluble(toy(il6([1.0, 2.0, 4.0])))
    assert found["IL6"].tolist() == [0, 1, 2]
    assert found.index.tolist() == ["S0", "S1", "S2"]


def test_what_cannot_be_read_is_said():
    with pytest.raises(SchemaError, match=r"IL6: 1 values of 0 without a limit: 0 is no reading"):
        features.soluble(toy(il6([1.0, 0.0])))
    with pytest.raises(SchemaError, match="IL6: units ng/mL, pg/mL; bring all readings to one"):
        features.soluble(toy(il6([1.0, 2.0], unit=["pg/mL", "ng/mL"])))
    with pytest.raises(CohortError, match="sample S0 has IL6 twice"):
        features.soluble(toy(pd.concat([il6([1.0]), il6([2.0])])))
    with pytest.raises(UnknownNameError, match="unknown analyte 'IL8'"):
        features.soluble(toy(il6([1.0])), analytes=["IL8"])
    with pytest.raises(CohortError, match="no table 'analytes'"):
        features.soluble(ims.Cohort(SAMPLES[["patient_id"]], SAMPLES))
    lost = features.soluble(toy(il6([np.nan, 2.0], below_limit=[True, False])))
    assert lost["status"].tolist() == ["no reading, or below limits that nobody says", "ok"]


def test_means_allow_for_the_limits():
    values = [8.0, np.nan, np.nan, 3.0, 16.0, 5.0]
    rows = il6(values, limit_of_detection=2.0, below_limit=[False, True, True, False, False, False])
    found = features.soluble_summary(toy(rows)).iloc[0]
    wanted = stats.left_censored_mean(np.log2([8, 2, 2, 3, 16, 5]), rows["below_limit"])
    assert found[["n", "n_below"]].tolist() == [6, 2]
    assert found["mean_log2"] == pytest.approx(wanted.mean)
    assert found["mean_log2"] < np.log2([8, 2, 2, 3, 16, 5]).mean()
    twice = SAMPLES.assign(patient_id="P0")
    with pytest.raises(CohortError, match="patient P0 has IL6 in several samples at 'pre'"):
        features.soluble_summary(toy(rows, twice))


VISITS = pd.DataFrame(
    [
        ("A0", "P1", "pre", -20.0, 0.5, False),
        ("A1", "P1", "pre", -1, 0.1, False),
        ("A2", "P1", "on", 22, 0.01, False),
        ("A3", "P1", "on", 43, np.nan, True),
        ("A4", "P1", "on", 90, 0.2, False),
        ("B1", "P2", "pre", 1, np.nan, True),
        ("B2", "P2", "on", 40, np.nan, True),
        ("C2", "P3", "on", 30, 0.3, False),
        ("D1", "P4", "pre", -3, 0.2, False),
        ("D2", "P4", "on", 80, np.nan, True),
    ],
    columns=["sample_id", "patient_id", "timepoint", "study_day", "value", "below_limit"],
)


def ctdna(visits=VISITS, **patients):
    samples = visits[["sample_id", "patient_id", "timepoint", "study_day"]].assign(specimen="blood")
    rows = visits[["sample_id", "value", "below_limit"]].assign(analyte="ctdna_fraction", limit_of_detection=0.001)
    return toy(rows, samples, **patients)


def test_fall_is_from_the_last_sample_before_treatment():
    found = features.circulating_dna(ctdna())
    assert found.loc["A2", ["ctdna_log10_change", "ctdna_cleared"]].tolist() == pytest.approx([-1, 0])
    assert found.loc["A3", ["ctdna_log10_change", "ctdna_cleared"]].tolist() == pytest.approx([-2, 1])
    assert np.isnan(found.loc["A1", "ctdna_log10_change"])
    assert found.loc["B2", "status"] == "not detected before treatment"
    assert found.loc["C2", "status"] == "no sample before treatment"
    assert found["ctdna_detected"].to_dict()["B2"] == 0
    assert found.loc["B2", "ctdna_log10"] == pytest.approx(-3)


def test_clearance_is_what_was_known_by_the_landmark():
    by_57, by_30 = (features.ctdna_clearance(ctdna(), landmark_day=day) for day in (57, 30))
    assert by_57.loc["P1", ["measured_day", "ctdna_cleared"]].tolist() == [43, 1]
    assert by_30.loc["P1", ["measured_day", "ctdna_cleared"]].tolist() == [22, 0]
    assert by_57["status"].to_dict() == {
        "P1": "ok",
        "P2": "not detected before treatment",
        "P3": "no sample before treatment",
        "P4": "no sample by day 57",
    }
    assert (by_57["timepoint"] == "on").all()


def test_clearance_enters_survival_only_from_the_landmark():
    rng = np.random.default_rng(3)
    visits = pd.concat(
        [
            VISITS.iloc[[1, 3]].assign(
                sample_id=[f"{i}a", f"{i}b"], patient_id=f"Q{i:02}", below_limit=[False, i % 2 == 0]
            )
            for i in range(20)
        ]
    )
    visits["value"] = visits["value"].fillna(0.05)
    days = {"pfs_days": rng.integers(60, 400, 20).astype(float), "pfs_event": True}
    cohort = ctdna(visits, **days)
    table = features.ctdna_clearance(cohort, landmark_day=57)
    assert table["ctdna_cleared"].sum() == 10
    outcomes = ims.endpoints.derive(cohort)
    with pytest.raises(ims.errors.ImmortalTimeError):
        ims.models.associate(table, outcomes, endpoint="pfs", model="cox")
    result = ims.models.associate(
        table, outcomes, endpoint="pfs", model="cox", landmark_day=57, n_permutations=100
    )
    row = result.set_index("feature").loc["ctdna_cleared"]
    fit = stats.cox(table[["ctdna_cleared"]].to_numpy(), days["pfs_days"] - 56, np.ones(20, bool))
    assert row["estimate"] == pytest.approx(fit.estimate[0], rel=1e-6)


def test_days_are_needed():
    bare = ctdna()
    without = ims.Cohort(bare.patients, bare.samples.drop(columns="study_day"), tables=bare.tables)
    with pytest.raises(CohortError, match="have no study_day"):
        features.ctdna_clearance(without, landmark_day=57)
    with pytest.raises(CohortError, match="P1 has 2 samples before treatment; give them a study_day"):
        features.circulating_dna(without)
    with pytest.raises(CohortError, match="a day after the first dose is needed, found 1"):
        features.ctdna_clearance(bare, landmark_day=1)
