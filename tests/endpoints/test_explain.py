"""The chain behind a value: rows, rule, version, day, and what was rejected and why."""

from __future__ import annotations

import pandas as pd
import pytest

from immunosarc import Cohort, simulate_cohort
from immunosarc.endpoints import derive, explain
from immunosarc.errors import SchemaError, UnknownNameError


def lesions(*sizes: float, patient: str = "P1") -> pd.DataFrame:
    days = [-5.0, *(43.0 + 42 * i for i in range(len(sizes) - 1))]
    return pd.DataFrame(
        {
            "patient_id": patient,
            "study_day": days,
            "lesion_id": "T1",
            "role": "target",
            "diameter_mm": [float(s) for s in sizes],
        }
    )


def cohort(*tables: pd.DataFrame, others: dict | None = None, **columns: list) -> Cohort:
    rows = pd.concat(tables, ignore_index=True)
    index = pd.Index(list(dict.fromkeys(rows["patient_id"])), name="patient_id")
    return Cohort(patients=pd.DataFrame(columns, index=index), tables={"lesions": rows} | (others or {}))


def test_best_response_names_rows_rule_version_day_and_what_was_rejected():
    trial = cohort(lesions(50, 50, patient="P0"), lesions(50, 50, 30, 80))
    why = explain(trial, "P1", "best_overall_response_confirmed")
    assert (why.value, why.status, why.day) == ("SD", "ok", 43)
    assert why.rule_set == "recist_1.1/1 + recist_1.1_course/1"
    # the rows keep their place in the whole table
    assert why.rows["row"].tolist() == [2, 3, 4, 5]
    assert why.rows["diameter_mm"].tolist() == [50, 50, 30, 80]
    assert why.rejected == (
        "CR: no visit was called CR",
        "PR on day 85: no later response at least 28 days after it confirms it",
    )
    unconfirmed = explain(trial, "P1", "best_overall_response")
    assert (unconfirmed.value, unconfirmed.day) == ("PR", 85)


def test_responses_outside_the_window_say_so():
    late = explain(cohort(lesions(50, 80, 10)), "P1", "best_overall_response")
    assert late.value == "PD"
    assert "PR on day 85: after progression on day 43" in late.rejected
    other = explain(cohort(lesions(50, 50, 10), new_therapy_day=[60.0]), "P1", "best_overall_response")
    assert other.value == "SD"
    assert "PR on day 85: after another therapy on day 60" in other.rejected
    early = lesions(50, 50).assign(study_day=[-5.0, 30.0])
    short = explain(cohort(early), "P1", "best_overall_response")
    assert short.value == "NE"
    assert "SD on day 30: only 34 days after baseline, needs 42" in short.rejected


@pytest.mark.parametrize(
    ("dates", "rules", "value", "reason"),
    [
        ({}, None, "127 days, event", ()),
        ({"death_day": [200.0]}, None, "127 days, event", ("death on day 200: day 127 came first (progression)",)),
        (
            {"new_therapy_day": [100.0]},
            None,
            "85 days, censored",
            (
                "progression on day 127: after another therapy on day 100",
                "another therapy on day 100: the rules say: new_therapy=censor",
            ),
        ),
        (
            {"new_therapy_day": [100.0]},
            "new_therapy_is_event/1",
            "100 days, event",
            ("progression on day 127: day 100",),
        ),
        (
            {"clinical_progression_day": [90.0]},
            None,
            "127 days, event",
            ("clinical progression on day 90: nobody imaged it, and the rules ignore such progression",),
        ),
        (
            {"death_day": [200.0], "data_cut_day": [150.0]},
            None,
            "127 days, event",
            ("death on day 200: after the data cut on day 150",),
        ),
    ],
)
def test_progression_free_survival(dates, rules, value, reason):
    why = explain(cohort(lesions(50, 50, 50, 80), **dates), "P1", "pfs", rules=rules)
    assert why.value == value
    assert len(why.rejected) == len(reason)
    for found, expected in zip(why.rejected, reason, strict=True):
        assert found.startswith(expected)


EVERYTHING = (
    "best_overall_response", "best_overall_response_confirmed", "objective_response", "disease_control",
    "durable_clinical_benefit", "pfs", "pfs6", "os", "ttr", "dor", "immune_best_response", "ipfs", "resistance",
    "treatment_related_grade_3_4", "immune_event_immunosuppression",
)  # fmt: skip


def whole_trial() -> Cohort:
    doses = pd.DataFrame({"patient_id": "P1", "study_day": [1.0, 22, 43, 64, 85, 106], "drug": "balstilimab"})
    events = pd.DataFrame(
        {
            "patient_id": ["P1", "P1"],
            "study_day": [30.0, 50.0],
            "term": ["Anemia", "Colitis"],
            "grade": [2, 3],
            "related_to": ["none", "balstilimab"],
            "immune_mediated": [False, True],
        }
    )
    drugs = pd.DataFrame(
        {
            "patient_id": ["P1"],
            "study_day": [51.0],
            "drug": ["Prednisone"],
            "route": ["oral"],
            "event_term": ["Colitis"],
        }
    )
    others = {"exposures": doses, "adverse_events": events, "medications": drugs}
    return cohort(lesions(50, 30, 30, 80), others=others, death_day=[300.0])


EXPECTED = {
    "best_overall_response": "PR",
    "best_overall_response_confirmed": "PR",
    "objective_response": "True",
    "disease_control": "True",
    "durable_clinical_benefit": "True",
    "pfs": "127 days, event",
    "pfs6": "False",
    "os": "300 days, event",
    "ttr": "43 days, event",
    "dor": "85 days, event",
    "immune_best_response": "iPR",
    "ipfs": "127 days, event",
    "resistance": "primary",
    "treatment_related_grade_3_4": "True",
    "immune_event_immunosuppression": "True",
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_value_is_explained_and_agrees_with_derive(name):
    why = explain(whole_trial(), "P1", name)
    assert why.value == EXPECTED[name]
    assert why.status == "ok"
    assert "/" in why.rule_set
    assert len(why.rows)
    text = repr(why)
    assert text.startswith(f"patient: P1\n{name}: {EXPECTED[name]}")
    assert "rows used:" in text
    outcomes = derive(whole_trial()).iloc[0]
    if name in outcomes and name not in ("pfs", "os"):
        assert str(outcomes[name]) == why.value


def test_safety_shows_event_and_medication_and_what_did_not_count():
    why = explain(whole_trial(), "P1", "immune_event_immunosuppression")
    assert why.day == 50
    assert set(why.rows["table"]) == {"adverse_events", "medications"}
    assert why.rejected == ("Anemia: ok",)


def test_resistance_lists_doses_and_the_other_classes():
    why = explain(whole_trial(), "P1", "resistance")
    assert why.rule == "progression on day 127, exposure 126 days"
    assert why.rejected[0].startswith("secondary: progression on day 127")


def test_a_recorded_value_is_said_to_be_recorded():
    trial = cohort(lesions(50, 30, 80), best_overall_response=["SD"])
    why = explain(trial, "P1", "best_overall_response")
    assert (why.value, why.rule_set) == ("SD", "ready_made/1")
    assert why.rule.startswith("recorded by the trial team")


def test_contradictions_are_the_reason():
    trial = cohort(lesions(50, 30), lesions(50, 31))
    why = explain(trial, "P1", "best_overall_response")
    assert why.value == "missing"
    assert why.status.startswith("excluded: two different rows for lesion T1")
    assert explain(trial, "P1", "pfs").value == "missing"
    with pytest.raises(SchemaError, match=r"P1: two different rows for lesion T1 on day -5"):
        derive(cohort(lesions(50, 30), lesions(51, 30)))


def test_html_escapes_what_it_prints():
    rows = lesions(50, 30).assign(lesion_id="<script>")
    html = explain(cohort(rows), "P1", "pfs")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_unknown_names_are_refused():
    trial = cohort(lesions(50, 30))
    with pytest.raises(UnknownNameError, match=r"no patient 'P2'\. Known: P1"):
        explain(trial, "P2", "pfs")
    with pytest.raises(UnknownNameError, match="Did you mean 'best_overall_response'"):
        explain(trial, "P1", "best_overall_respons")
    with pytest.raises(SchemaError, match="resistance needs the table 'exposures'"):
        explain(trial, "P1", "resistance")
    with pytest.raises(
        SchemaError, match="pfs is not recorded, and the cohort has neither lesions nor assessments"
    ):
        explain(Cohort(patients=trial.patients), "P1", "pfs")


@pytest.mark.parametrize("name", ["best_overall_response", "objective_response", "pfs", "os"])
def test_no_column_is_shown_twice(name):
    rows = explain(simulate_cohort(seed=7), "SIM22", name).rows
    assert len(rows)
    assert not rows.columns.has_duplicates
