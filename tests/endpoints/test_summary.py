"""The published counts of the model trial, and curves against another implementation."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times
from scipy import optimize

import immunosarc as ims
from immunosarc import catalog, schema
from immunosarc.endpoints import derive, summarize, survival_curve
from immunosarc.errors import ImmunosarcError, SchemaError, UnknownNameError

DAYS = 30.4375


@pytest.fixture(scope="module")
def trial() -> ims.Cohort:
    return ims.Cohort(patients=catalog.load_simulated_trial())


@pytest.fixture(scope="module")
def outcomes(trial: ims.Cohort) -> pd.DataFrame:
    return derive(trial)


@pytest.fixture(scope="module")
def summary(trial: ims.Cohort, outcomes: pd.DataFrame) -> pd.DataFrame:
    table = summarize(outcomes, by=trial.patients["schedule_stage"], null_rates={"pfs6": 0.434})
    return table.set_index(["stratum", "measure"])


def frame(days: list[float], event: list[bool], **more: list) -> pd.DataFrame:
    index = pd.Index([f"P{i}" for i in range(len(days))], name="patient_id")
    patients = pd.DataFrame({"pfs_days": days, "pfs_event": event, **more}, index=index)
    return derive(ims.Cohort(patients=patients))


@pytest.mark.parametrize(
    ("measure", "x", "n", "percent", "low", "high"),
    [
        ("pfs6", 13, 28, 46.4, 27.5, 66.1),
        ("objective_response", 10, 30, 33.3, 17.3, 52.8),
        ("disease_control", 24, 30, 80.0, 61.4, 92.3),
    ],
)
def test_published_rates(summary, measure, x, n, percent, low, high) -> None:
    row = summary.loc[("all", measure)]
    assert (row["n_events"], row["n"], row["status"]) == (x, n, "ok")
    published = [round(100 * row[name], 1) for name in ("estimate", "conf_low", "conf_high")]
    assert published == [percent, low, high]


@pytest.mark.parametrize(
    ("stage", "measure", "x", "n", "low", "high"),
    [
        ("1", "objective_response", 9, 16, 30, 80),
        ("2", "objective_response", 1, 14, 0, 34),
        ("1", "disease_control", 14, 16, 62, 98),
        ("2", "disease_control", 10, 14, 42, 92),
    ],
)
def test_published_rates_by_stage(summary, stage, measure, x, n, low, high) -> None:
    row = summary.loc[(stage, measure)]
    assert (row["n_events"], row["n"]) == (x, n)
    assert [round(100 * row[name]) for name in ("conf_low", "conf_high")] == [low, high]


def test_published_median_in_weeks(summary) -> None:
    row = summary.loc[("all", "median_pfs")]
    weeks = [round(row[name] * DAYS / 7, 1) for name in ("estimate", "conf_low", "conf_high")]
    assert weeks == [25.3, 24.0, 42.0]
    assert (row["n"], row["unit"], row["status"]) == (33, "months", "ok")


def test_two_estimators_of_six_months_are_told_apart(summary) -> None:
    binomial, curve = summary.loc[("all", "pfs6")], summary.loc[("all", "pfs6_kaplan_meier")]
    assert (round(binomial["estimate"], 3), round(curve["estimate"], 3)) == (0.464, 0.476)
    assert binomial["method"] == "binomial, evaluable at day 183; Clopper-Pearson"
    assert curve["method"] == "Kaplan-Meier at day 183; log-log"
    assert (binomial["population"], binomial["n"]) == ("evaluable at day 183", 28)
    assert (curve["population"], curve["n"]) == ("treated, progression-free survival recorded", 33)


def test_comparison_with_history_is_exact_and_for_everybody_only(summary) -> None:
    row = summary.loc[("all", "pfs6")]
    tail = sum(comb(28, k) * 0.434**k * 0.566 ** (28 - k) for k in range(13, 29))
    assert row["p_value"] == pytest.approx(tail, rel=1e-12)
    assert (round(row["p_value"], 3), row["null_value"]) == (0.444, 0.434)
    assert summary.drop(("all", "pfs6"))[["null_value", "p_value"]].isna().to_numpy().all()


def test_strata_add_up(summary) -> None:
    counts = summary[["n", "n_events"]]
    pd.testing.assert_frame_equal(counts.loc["1"] + counts.loc["2"], counts.loc["all"])
    assert counts.index.is_unique


def test_interval_by_its_definition(outcomes: pd.DataFrame) -> None:
    row = summarize(outcomes, level=0.8).set_index("measure").loc["objective_response"]

    def upper_tail(p: float) -> float:
        return sum(comb(30, k) * p**k * (1 - p) ** (30 - k) for k in range(10, 31))

    def lower_tail(p: float) -> float:
        return sum(comb(30, k) * p**k * (1 - p) ** (30 - k) for k in range(11))

    assert row["conf_low"] == pytest.approx(optimize.brentq(lambda p: upper_tail(p) - 0.1, 0.01, 0.99), abs=1e-9)
    assert row["conf_high"] == pytest.approx(optimize.brentq(lambda p: lower_tail(p) - 0.1, 0.01, 0.99), abs=1e-9)
    assert row["conf_level"] == 0.8


def test_median_not_reached_is_an_answer() -> None:
    row = summarize(frame([200, 210, 220], [True, False, False])).set_index("measure").loc["median_pfs"]
    assert np.isnan(row["estimate"])
    assert row["status"] == "not reached"


def test_open_upper_limit_is_said() -> None:
    outcomes = frame([10, 20, 30, 40, 50, 60], [True, True, True, False, False, False])
    row = summarize(outcomes).set_index("measure").loc["median_pfs"]
    assert row["estimate"] == pytest.approx((30 + 60) / 2 / DAYS)
    assert np.isnan(row["conf_high"])
    assert row["status"] == "upper confidence limit not reached"


@pytest.mark.parametrize(
    ("days", "event", "estimate", "status"),
    [
        ([100, 120], [True, False], np.nan, "nobody followed to day 183"),
        ([200, 300], [True, False], 1.0, "no interval: the curve is at 1"),
        ([100, 150], [True, True], 0.0, "no interval: the curve is at 0"),
    ],
)
def test_six_month_curve_without_answer_or_interval(days, event, estimate, status) -> None:
    row = summarize(frame(days, event)).set_index("measure").loc["pfs6_kaplan_meier"]
    assert np.array_equal(row["estimate"], estimate, equal_nan=True)
    assert row["status"] == status


def test_an_event_on_day_183_is_before_six_months_for_both_estimators() -> None:
    rows = summarize(frame([183, 184], [True, True])).set_index("measure")
    assert rows.loc[["pfs6", "pfs6_kaplan_meier"], "estimate"].tolist() == [0.5, 0.5]
    assert rows.loc["pfs6_kaplan_meier", "n_events"] == 1


def test_what_nobody_has_keeps_its_row() -> None:
    patients = pd.DataFrame(index=pd.Index(["P1", "P2"], name="patient_id"))
    table = summarize(derive(ims.Cohort(patients=patients)))
    assert len(table) == 9
    assert (table["n"] == 0).all()
    assert table["estimate"].isna().all()
    assert table["status"].str.startswith("no patient: ").all()


def test_toxicity_counts_those_with_a_record() -> None:
    outcomes = frame([200] * 4, [True] * 4, treatment_related_grade_3_4=[True, True, False, None])
    row = summarize(outcomes).set_index("measure").loc["treatment_related_grade_3_4"]
    assert (row["n_events"], row["n"], row["population"]) == (2, 3, "treated, toxicity recorded")


def test_patients_without_stratum_are_counted_apart(outcomes: pd.DataFrame, trial: ims.Cohort) -> None:
    stage = trial.patients["schedule_stage"].mask(trial.patients.index == "SIM21")
    table = summarize(outcomes, by=stage).set_index(["stratum", "measure"])
    assert table.loc[("not recorded", "objective_response"), "n_events"] == 1
    assert table.loc[("1", "objective_response"), "n_events"] == 8


def test_strata_are_matched_by_patient_and_not_by_order(outcomes: pd.DataFrame, trial: ims.Cohort) -> None:
    stage = trial.patients["schedule_stage"]
    pd.testing.assert_frame_equal(summarize(outcomes, by=stage), summarize(outcomes, by=stage.iloc[::-1]))


def test_bad_strata_are_refused(outcomes: pd.DataFrame, trial: ims.Cohort) -> None:
    stage = trial.patients["schedule_stage"]
    with pytest.raises(SchemaError, match=r"2 patient\(s\) have no entry: \['SIM01', 'SIM02'\]"):
        summarize(outcomes, by=stage.iloc[2:])
    with pytest.raises(SchemaError, match=r"patients occur twice: \['SIM01'\]"):
        summarize(outcomes, by=pd.concat([stage, stage.iloc[:1]]))
    with pytest.raises(SchemaError, match="'all', which is kept for everybody"):
        survival_curve(outcomes, by=stage.replace("1", "all"))
    with pytest.raises(SchemaError, match="need a Series indexed by patient, have str"):
        summarize(outcomes, by="schedule_stage")


def test_bad_rates_are_refused(outcomes: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match=r"no binary measure 'pfs'\. Did you mean 'pfs6'"):
        summarize(outcomes, null_rates={"pfs": 0.4})
    with pytest.raises(ImmunosarcError, match=r"2 problem\(s\):\n  - pfs6: 43.4\n  - level: 95"):
        summarize(outcomes, null_rates={"pfs6": 43.4}, level=95)


def test_curve_starts_at_one_and_counts_everybody(outcomes: pd.DataFrame) -> None:
    curve = survival_curve(outcomes)
    first = curve.iloc[0]
    assert (first["time"], first["survival"], first["at_risk"]) == (0, 1, 33)
    assert curve[["n_events", "n_censored"]].sum().tolist() == [24, 9]
    assert curve["time"].is_monotonic_increasing
    at_six_months = curve[curve["time"] <= 183 / DAYS].iloc[-1]
    assert round(at_six_months["survival"], 3) == 0.476
    pd.testing.assert_frame_equal(schema.SURVIVAL_CURVE.check(curve), curve)


def test_curves_by_stage_are_the_curves_of_the_stages(outcomes: pd.DataFrame, trial: ims.Cohort) -> None:
    stage = trial.patients["schedule_stage"]
    both = survival_curve(outcomes, by=stage)
    assert both["stratum"].unique().tolist() == ["1", "2"]
    for name in ("1", "2"):
        alone = survival_curve(outcomes[stage == name]).assign(stratum=name)
        found = both[both["stratum"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, alone, check_dtype=False)


def test_curve_of_an_unknown_or_unrecorded_endpoint(outcomes: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match=r"no survival curve for endpoint 'pfs6'\. Did you mean 'pfs'"):
        survival_curve(outcomes, "pfs6")
    assert survival_curve(outcomes, "os").empty


@pytest.mark.parametrize("simulated", [True, False])
def test_a_cohort_without_patients_has_rows_without_answers(trial: ims.Cohort, simulated: bool) -> None:
    nobody = ims.Cohort(patients=trial.patients.iloc[:0], provenance={"simulated": simulated})
    outcomes = derive(nobody)
    assert outcomes.empty
    assert (summarize(outcomes)["n"] == 0).all()
    assert survival_curve(outcomes).empty


def test_simulated_outcomes_mark_their_tables(trial: ims.Cohort) -> None:
    simulated = derive(ims.Cohort(patients=trial.patients, provenance={"simulated": True}))
    for table in (summarize(simulated), survival_curve(simulated)):
        assert set(table["simulated"]) == {"SIMULATED"}


def test_outcomes_stay_as_they_were(outcomes: pd.DataFrame, trial: ims.Cohort) -> None:
    before, stage = outcomes.copy(), trial.patients["schedule_stage"].copy()
    summarize(outcomes, by=stage, null_rates={"pfs6": 0.4})
    survival_curve(outcomes, by=stage)
    pd.testing.assert_frame_equal(outcomes, before)
    pd.testing.assert_series_equal(stage, trial.patients["schedule_stage"])


def median_by_fractions(days: pd.Series, event: pd.Series) -> float:
    """Kaplan-Meier median in exact arithmetic; the middle of a stretch at exactly one half."""
    survival, reached = Fraction(1), []
    for time in sorted(set(days[event == 1])):
        at_risk, died = int((days >= time).sum()), int(((days == time) & (event == 1)).sum())
        survival *= Fraction(at_risk - died, at_risk)
        if survival == Fraction(1, 2) or (reached and survival < Fraction(1, 2)):
            reached.append(time)
        if survival < Fraction(1, 2):
            return float(np.mean(reached)) if reached else float(time)
    return np.nan


@pytest.mark.parametrize("endpoint", ["pfs", "os"])
def test_riaz2017_agrees_with_lifelines(data_root: Path, endpoint: str) -> None:
    raw = pd.read_csv(data_root / "riaz2017/clinical.tsv", sep="\t").drop_duplicates("patient_id")
    raw = raw.set_index("patient_id").rename(columns={"bor": "best_overall_response"})
    flags = {"pfs_event": "boolean", "os_event": "boolean"}
    columns = ["best_overall_response", "pfs_days", "pfs_event", "os_days", "os_event"]
    outcomes = derive(ims.Cohort(patients=raw[columns].astype(flags)))

    known = raw.dropna(subset=[f"{endpoint}_days"])
    fitter = KaplanMeierFitter().fit(known[f"{endpoint}_days"], known[f"{endpoint}_event"])
    rows = summarize(outcomes).set_index("measure")
    limits = median_survival_times(fitter.confidence_interval_).to_numpy().ravel()
    median = median_by_fractions(known[f"{endpoint}_days"], known[f"{endpoint}_event"])
    if endpoint == "os":  # the PFS curve lies at exactly one half from day 108 to 111: lifelines says 111, R 109.5
        assert median == fitter.median_survival_time_
    expected = np.array([median, *limits]) / DAYS
    found = rows.loc[f"median_{endpoint}", ["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
    np.testing.assert_allclose(found, np.where(np.isinf(expected), np.nan, expected), rtol=1e-12)
    assert rows.loc[f"median_{endpoint}", "n"] == len(known) == 58

    curve = survival_curve(outcomes, endpoint)
    steps = fitter.survival_function_at_times((curve["time"] * DAYS).round()).to_numpy()
    np.testing.assert_allclose(curve["survival"], steps, rtol=1e-9)
    if endpoint == "pfs":
        assert rows.loc["pfs6_kaplan_meier", "estimate"] == pytest.approx(float(fitter.predict(183)), rel=1e-12)
