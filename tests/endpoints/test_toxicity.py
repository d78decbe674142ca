"""Adverse events: worst grades, what counts as treatment-emergent, related, immune-mediated and suppressed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from immunosarc import schema
from immunosarc.endpoints import (
    ToxicityRules,
    derive_dosing,
    derive_patient_toxicity,
    derive_toxicity,
    summarize_toxicity,
)
from immunosarc.errors import ImmunosarcError, SchemaError


def events(*rows: tuple, **more: list) -> pd.DataFrame:
    """Patient, onset, term, grade, attributed to, immune-mediated."""
    names = ["patient_id", "study_day", "term", "grade", "related_to", "immune_mediated"]
    frame = pd.DataFrame(list(rows), columns=names).assign(**more)
    return frame.astype({"study_day": "float64", "immune_mediated": "boolean", "related_to": "string"})


def doses(*rows: tuple[str, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["patient_id", "study_day"]).assign(drug="doxorubicin", dose=75.0)


def patients(*names: str, **columns: list) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.Index(names, name="patient_id"))


def test_the_worst_grade_counts_once_per_patient_and_term() -> None:
    rows = events(
        ("P1", 5, "Anemia", 2, "doxorubicin", False),
        ("P1", 30, "Anemia", 4, "none", False),
        ("P1", 31, "Anemia", 3, "balstilimab; doxorubicin", False),
        ("P2", 9, "Anemia", 5, "zalifrelimab", True),
    )
    table = derive_toxicity(rows, exposures=doses(("P1", 40), ("P2", 1)))
    assert table["grade"].tolist() == [4, 5]
    assert table["grade_related"].tolist() == [3, 5]
    assert table["grade_immune_mediated"].fillna(0).tolist() == [0, 5]
    assert table["related_to"].tolist() == ["doxorubicin; balstilimab", "zalifrelimab"]
    assert table["n_events"].tolist() == [3, 1]
    shuffled = derive_toxicity(rows.iloc[[3, 1, 2, 0]], exposures=doses(("P1", 40), ("P2", 1)))
    by_patient = shuffled.set_index("patient_id").loc[["P1", "P2"]].reset_index()
    pd.testing.assert_frame_equal(by_patient.drop(columns="related_to"), table.drop(columns="related_to"))


@pytest.mark.parametrize(
    ("onset", "window", "counts"),
    [(-1, 30, False), (1, 30, True), (70, 30, True), (71, 30, False), (71, 31, True), (140, 100, True)],
)
def test_treatment_emergent_from_first_dose_until_the_window_closes(onset, window, counts) -> None:
    rows = events(("P1", onset, "Rash", 2, "doxorubicin", False))
    table = derive_toxicity(rows, exposures=doses(("P1", 1), ("P1", 40)), rules=ToxicityRules(window_days=window))
    assert table["grade_treatment_emergent"].notna().tolist() == [counts]
    assert table["grade_related"].notna().tolist() == [counts]
    assert table["grade"].tolist() == [2]


def test_a_dose_of_zero_does_not_keep_the_window_open() -> None:
    given = doses(("P1", 1), ("P1", 40))
    given.loc[1, "dose"] = 0.0
    rows = events(("P1", 40, "Rash", 2, "doxorubicin", False))
    assert derive_toxicity(rows, exposures=given)["grade_treatment_emergent"].isna().all()


COLITIS = ("P1", 50, "Colitis", 3, "zalifrelimab", True)


def medication(**columns: object) -> pd.DataFrame:
    usual = {"patient_id": "P1", "study_day": 51.0, "drug": "Prednisone", "route": "oral", "event_term": "Colitis"}
    return pd.DataFrame([usual | columns])


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ({}, True),
        ({"drug": "INFLIXIMAB", "route": None}, True),
        ({"drug": "methylprednisolone sodium succinate", "route": "intravenous"}, True),
        ({"event_term": None, "indication": "immune-mediated colitis"}, True),
        ({"drug": "hydrocortisone", "indication": "hormone replacement"}, False),
        ({"drug": "hydrocortisone cream", "route": "topical"}, False),
        ({"drug": "budesonide", "route": "inhaled"}, False),
        ({"drug": "dexamethasone", "event_term": None, "indication": "antiemetic"}, False),
        ({"drug": "dexamethasone", "indication": "prevention of nausea"}, False),
        ({"drug": "loperamide"}, False),
        ({"event_term": "Rash"}, False),
        ({"patient_id": "P2"}, False),
        ({"route": None}, None),
        ({"event_term": None}, None),
        ({"event_term": None, "study_day": 20.0}, False),
        ({"drug": "compound X", "immunosuppressive": True}, True),
        ({"immunosuppressive": False}, False),
    ],
)
def test_what_counts_as_immunosuppression_for_an_event(given, counts) -> None:
    table = derive_toxicity(events(COLITIS), medications=medication(**given))
    found = table["immunosuppression"].tolist()[0]
    assert (None if found is pd.NA else bool(found)) is counts
    assert (table["status"] == "ok").all() == (counts is not None)
    flag = derive_patient_toxicity(table, patients("P1"))["immune_event_immunosuppression"].tolist()[0]
    assert (None if flag is pd.NA else bool(flag)) is counts


def test_replacement_for_a_failing_gland_is_not_immunosuppression_but_a_high_dose_is() -> None:
    rows = events(("P1", 60, "Hypophysitis", 2, "zalifrelimab", True))
    replaced = medication(drug="Hydrocortisone", event_term="Hypophysitis")
    assert derive_toxicity(rows, medications=replaced)["immunosuppression"].tolist() == [False]
    treated = medication(drug="Methylprednisolone", event_term="Hypophysitis")
    assert derive_toxicity(rows, medications=treated)["immunosuppression"].tolist() == [True]
    levothyroxine = medication(drug="levothyroxine", event_term="Hypophysitis")
    assert derive_toxicity(rows, medications=levothyroxine)["immunosuppression"].tolist() == [False]


def test_only_immune_mediated_events_can_need_immunosuppression() -> None:
    rows = events(("P1", 50, "Colitis", 3, "doxorubicin", False))
    assert derive_toxicity(rows, medications=medication())["immunosuppression"].tolist() == [False]
    unknown = events(("P1", 50, "Colitis", 3, "doxorubicin", None))
    assert derive_toxicity(unknown, medications=medication())["immunosuppression"].isna().all()
    # without the table of medications nobody knows
    assert derive_toxicity(events(COLITIS))["immunosuppression"].isna().all()


def test_what_is_not_recorded_is_missing_and_said() -> None:
    rows = events(
        ("P1", None, "Rash", 3, "doxorubicin", False),
        ("P2", 5, "Rash", 3, None, False),
        ("P3", 5, "Rash", 3, "none", False),
    )
    table = derive_toxicity(rows)
    assert table["status"].tolist() == [
        "onset of an event is not recorded",
        "whether treatment caused it is not recorded",
        "ok",
    ]
    flags = derive_patient_toxicity(table, patients("P1", "P2", "P3", "P4"))
    assert flags["treatment_related_grade_3_4"].tolist() == [pd.NA, pd.NA, False, False]
    flagged = derive_toxicity(rows.assign(related=[None, True, None]))
    assert flagged["grade_related"].fillna(0).tolist() == [0, 3, 0]


def test_grade_3_or_4_leaves_out_5() -> None:
    rows = events(
        ("P1", 5, "Sepsis", 5, "doxorubicin", False),
        ("P2", 5, "Sepsis", 5, "doxorubicin", False),
        ("P2", 5, "Anemia", 3, "doxorubicin", False),
        ("P3", 5, "Anemia", 2, "doxorubicin", False),
    )
    table = derive_patient_toxicity(derive_toxicity(rows), patients("P1", "P2", "P3"))
    assert table["treatment_related_grade_3_4"].tolist() == [False, True, False]
    assert table["treatment_related_grade_3_or_higher"].tolist() == [True, True, False]
    assert table["grade"].tolist() == [5, 5, 2]


@pytest.mark.parametrize("grade", [0, 6, 2.5, "severe"])
def test_grades_that_do_not_exist_stop_or_exclude_the_patient(grade) -> None:
    rows = events(("P1", 5, "Rash", 3, "doxorubicin", False), ("P2", 5, "Rash", 1, "doxorubicin", False))
    rows = rows.assign(grade=pd.Series([grade, 1], dtype=object))
    before = rows.copy()
    with pytest.raises(
        SchemaError, match=rf"P1: grade {grade}, CTCAE has 1 to 5 \(table 'adverse_events', row 0\)"
    ):
        derive_toxicity(rows)
    table = derive_toxicity(rows, on_conflict="exclude_patient")
    pd.testing.assert_frame_equal(rows, before)
    assert table["grade"].fillna(-1).tolist() == [-1, 1]
    assert table["status"].tolist() == [f"excluded: grade {grade}, CTCAE has 1 to 5", "ok"]
    flags = derive_patient_toxicity(table, patients("P1", "P2"))
    assert flags["treatment_related_grade_3_or_higher"].tolist() == [pd.NA, False]
    assert flags["status"].str.startswith("excluded").tolist() == [True, False]


def test_rates_by_hand() -> None:
    rows = events(
        ("P1", 11, "Colitis", 3, "zalifrelimab", True),
        ("P1", 5, "Anemia", 4, "doxorubicin", False),
        ("P2", 21, "Anemia", 2, "doxorubicin", False),
    )
    given = doses(("P1", 1), ("P2", 1), ("P3", 1), ("P3", 71))
    who = patients("P1", "P2", "P3", "P4", death_day=[None, None, 80.0, None])
    rates = summarize_toxicity(derive_toxicity(rows, exposures=given, medications=medication()), who, given)
    schema.TOXICITY_RATES.check(rates)
    row = rates.set_index(["term", "category"]).loc[("Anemia", "treatment-related")]
    # P4 had no dose; P1 is at risk until day 5, P2 until 21, P3 until death on day 80
    months = (5 + 21 + 80) / 30.4375
    assert (row["n"], row["n_events"], row["median_onset_days"]) == (3, 2, 13)
    assert row["patient_months"] == pytest.approx(months, abs=1e-12)
    assert row["rate"] == pytest.approx(200 / months, abs=1e-9)
    assert row["rate_low"] == pytest.approx(scipy_stats.chi2.ppf(0.025, 4) / 2 / months * 100, rel=1e-10)
    assert row["rate_high"] == pytest.approx(scipy_stats.chi2.ppf(0.975, 6) / 2 / months * 100, rel=1e-10)
    exact = scipy_stats.binomtest(2, 3).proportion_ci(method="exact")
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((exact.low, exact.high), abs=1e-12)
    any_term = rates[rates["term"] == "any"].set_index("category")["n_events"]
    assert any_term["treatment-related, grade 3 or 4"] == 1
    assert any_term["treatment-emergent"] == 2
    assert any_term["immune-mediated"] == any_term["immune-mediated, immunosuppression"] == 1


def test_rates_of_strata_add_up() -> None:
    rows = events(("P1", 11, "Rash", 3, "doxorubicin", False), ("P2", 12, "Rash", 1, "doxorubicin", False))
    given = doses(("P1", 1), ("P2", 1), ("P3", 1))
    stage = pd.Series(["1", "1", "2"], index=["P1", "P2", "P3"])
    rates = summarize_toxicity(derive_toxicity(rows), patients("P1", "P2", "P3"), given, by=stage)
    rash = rates[(rates["term"] == "any") & (rates["category"] == "treatment-emergent")].set_index("stratum")
    assert rash["n"].tolist() == [3, 2, 1]
    assert rash["n_events"].tolist() == [2, 2, 0]


def test_dosing_by_hand() -> None:
    given = pd.DataFrame(
        {
            "patient_id": ["P1"] * 4 + ["P2"],
            "study_day": [1.0, 22, 43, 22, 1],
            "drug": ["doxorubicin"] * 3 + ["balstilimab", "doxorubicin"],
            "dose": [75.0, 0.0, 60.0, 450.0, None],
            "dose_unit": ["mg/m2"] * 3 + ["mg", "mg/m2"],
            "planned_dose": [75.0, 75.0, 75.0, None, 75.0],
        }
    )
    table = derive_dosing(given, dosing_interval_days={"doxorubicin": 21, "balstilimab": 14})
    assert table["n_doses"].tolist() == [2, 1, 1]
    assert table["cumulative_dose"].fillna(-1).tolist() == [135, 450, -1]
    assert table["exposure_days"].tolist() == [43 - 1 + 21, 14, 21]
    assert table["relative_dose_intensity"].tolist()[0] == pytest.approx((135 / 63) / (75 / 21), abs=1e-12)
    assert table["status"].tolist() == [
        "ok",
        "planned dose not recorded: no dose intensity",
        "a dose is not recorded: no cumulative dose",
    ]
    mixed = given.assign(dose_unit=["mg/m2", "mg/m2", "mg", "mg", "mg/m2"])
    with pytest.raises(SchemaError, match=r"P1: dose of doxorubicin in mg, other doses in mg/m2 \(.*row 2\)"):
        derive_dosing(mixed)
    with pytest.raises(SchemaError, match="no dosing interval for 'balstilimab'"):
        derive_dosing(given, dosing_interval_days={"doxorubicin": 21})


def test_rules_and_unknown_patients_are_refused() -> None:
    with pytest.raises(ImmunosarcError, match="window_days: need a whole number"):
        ToxicityRules(window_days=-1)
    assert ToxicityRules(window_days=100).label == "ctcae_5/1 window_days=100"
    with pytest.raises(SchemaError, match="patient 'P1' is not among the patients"):
        derive_patient_toxicity(derive_toxicity(events(COLITIS)), patients("P2"))


def test_time_to_the_first_immune_event() -> None:
    rows = events(COLITIS, ("P1", 20, "Rash", 1, "balstilimab", True), ("P1", 3, "Rash", 1, "doxorubicin", False))
    table = derive_patient_toxicity(derive_toxicity(rows), patients("P1", "P2"), exposures=doses(("P1", 60)))
    assert table["days_to_immune_event"].tolist()[0] == 20
    assert table["days_at_risk"].tolist()[0] == 90
    assert table["status"].tolist()[1] == "no dose recorded"
    assert np.isnan(table["days_at_risk"].tolist()[1])
