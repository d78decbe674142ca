"""Ready-made scores as features, and patients whom the plan leaves out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import stats
from immunosarc.errors import PlanError
from immunosarc.study import Hypothesis, Panel, Plan, plan_for

IDS = [f"P{i}" for i in range(16)]


def cohort(*, with_rna: bool = False) -> ims.Cohort:
    """Sixteen patients; the assay ``cells`` lacks P0, and was done before treatment only."""
    rng = np.random.default_rng(5)
    patients = pd.DataFrame(
        {
            "patient_id": IDS,
            "histology": ["desmoid"] * 2 + ["leiomyosarcoma"] * 13 + [None],
            "os_days": rng.integers(50, 900, 16),
            "os_event": [True, False] * 8,
        }
    )
    samples = pd.DataFrame(
        {
            "sample_id": [f"{i}a" for i in IDS] + ["P3b"],
            "patient_id": [*IDS, "P3"],
            "timepoint": ["pre"] * 16 + ["on"],
        }
    )
    ids = samples["sample_id"]
    lymph = pd.DataFrame({"LI": rng.normal(size=17), "IFN": rng.normal(size=17)}, index=ids)
    cells = pd.DataFrame({"B": rng.random(15), "T": rng.random(15)}, index=ids[1:16])
    assays = {"lymph": ims.make_assay(lymph, unit="score"), "cells": ims.make_assay(cells, unit="fraction")}
    if with_rna:
        values = pd.DataFrame(rng.lognormal(size=(17, 3)), index=ids, columns=["GZMA", "PRF1", "ACTB"])
        assays["rna"] = ims.make_assay(values, unit="tpm")
    return ims.Cohort(patients, samples, assays=assays)


def test_the_default_plan_of_scores_is_their_columns() -> None:
    plan = plan_for(cohort())
    assert [(panel.name, panel.assay, panel.columns) for panel in plan.panels] == [
        ("lymph", "lymph", ("LI", "IFN")),
        ("cells", "cells", ("B", "T")),
    ]
    assert [panel.name for panel in plan_for(cohort(with_rna=True)).panels] == ["primary", "catalog"]


def test_a_column_is_associated_as_it_stands() -> None:
    given = cohort()
    study = ims.run(given, Plan(panels=(Panel(name="mine", assay="cells", columns=("T",)),), n_permutations=50))
    row = study["associations"].query("endpoint == 'os' and timepoint == 'pre'").iloc[0]
    assert (row["feature"], row["scoring"], row["n"]) == ("T", "as loaded (fraction)", 15)
    values = given["cells"].to_df()["T"]
    outcome = given.patients.loc[IDS[1:]]
    fit = stats.cox(
        ((values - values.mean()) / values.std(ddof=1)).to_frame().to_numpy(),
        outcome["os_days"],
        outcome["os_event"].astype(bool),
    )
    assert row["estimate"] == pytest.approx(fit.estimate[0], rel=1e-6)
    assert "coverage" in study.tables
    assert len(study["coverage"]) == 0
    assert any("taken as features as they were loaded: T" in paragraph for paragraph in study.methods)


def test_scores_and_columns_stand_in_one_plan() -> None:
    panels = (
        Panel(name="genes", gene_sets={"cyt2": ("GZMA", "PRF1")}, method="mean_log2"),
        Panel(name="cells", assay="cells", columns="all"),
    )
    study = ims.run(cohort(with_rna=True), Plan(panels=panels, n_permutations=50))
    assert {"cyt2", "B", "T"} <= set(study["scores"].columns)
    assert len(study["scores"]) == 17
    assert study["scores"].loc["P0a", ["B", "T"]].isna().all()
    flow = study.attrition.query("patient_id == 'P0' and not kept and step.str.startswith('pre')")
    assert flow["step"].tolist() == ["pre cells"]
    assert study.attrition.query("step == 'pre rna'")["kept"].all()


def test_an_assay_that_was_not_done_at_a_timepoint_keeps_its_rows() -> None:
    study = ims.run(cohort(), Plan(n_permutations=50, panels=(Panel(name="c", assay="cells", columns="all"),)))
    rows = study["associations"].query("timepoint == 'on'")
    assert rows["feature"].unique().tolist() == ["B", "T"]
    assert (rows["n"] == 0).all()
    assert (rows["status"] != "ok").all()


def test_wrong_columns_assays_and_values_come_together() -> None:
    plan = Plan(
        panels=(
            Panel(name="a", assay="lymph", columns=("LJ",)),
            Panel(name="b", assay="lymph", signatures=("cyt",)),
            Panel(name="c", assay="rna", columns="all"),
            Panel(name="d", assay="cels", columns="all"),
        ),
        exclude={"histologie": ("x",), "histology": ("desmoids",)},
    )
    with pytest.raises(PlanError) as caught:
        plan_for(cohort(with_rna=True), plan)
    message = str(caught.value)
    for words in (
        "assay 'lymph' has no column 'LJ'. Known: IFN, LI.",
        "panel 'b': assay 'lymph' holds ready-made values (unit score)",
        "panel 'c': columns are taken from assays of unit score or fraction, 'rna' has tpm",
        "no assay 'cels' (panel 'd'). Did you mean 'cells'?",
        "exclude: patients have no column 'histologie'. Did you mean 'histology'?",
        "exclude: no patient has histology 'desmoids'. Did you mean 'desmoid'?",
    ):
        assert words in message


def test_one_name_in_two_assays_is_refused() -> None:
    given = cohort()
    same = ims.make_assay(given["cells"].to_df().rename(columns={"B": "LI"}), unit="fraction")
    twice = ims.Cohort(given.patients, given.samples, assays={"lymph": given["lymph"], "cells": same})
    with pytest.raises(PlanError, match=r"feature 'LI' of panel 'cells' means another score"):
        plan_for(twice)


def test_a_hypothesis_may_name_any_column_of_a_whole_assay() -> None:
    panel = Panel(name="lymph", assay="lymph", columns="all")
    asked = Plan(
        panels=(panel,), hypotheses=(Hypothesis(feature="LI", endpoint="os", model="cox", panel="lymph"),)
    )
    assert asked.problems() == []
    assert plan_for(cohort(), asked).hypotheses[0].feature == "LI"
    wrong = asked.model_copy(update={"hypotheses": (asked.hypotheses[0].model_copy(update={"feature": "LJ"}),)})
    with pytest.raises(PlanError, match=r"no feature 'LJ'\. Known: IFN, LI"):
        plan_for(cohort(), wrong)


def test_patients_whom_the_plan_leaves_out_are_in_no_number_and_in_the_flow() -> None:
    given = cohort()
    plan = Plan(panels=(Panel(name="l", assay="lymph", columns="all"),), exclude={"histology": ("desmoid",)})
    study = ims.run(given, plan.model_copy(update={"n_permutations": 50}))
    assert study["outcomes"].index.tolist() == IDS[2:]
    assert study["survival"].query("endpoint == 'os' and stratum == 'all'")["at_risk"].max() == 14
    rows = study["associations"].query("endpoint == 'os' and timepoint == 'pre'")
    assert rows["n"].tolist() == [14, 14]
    flow = study.attrition.query("step == 'plan'")
    assert flow.loc[~flow["kept"], "patient_id"].tolist() == ["P0", "P1"]
    assert flow.loc[~flow["kept"], "reason"].unique().tolist() == ["histology is desmoid: left out by the plan"]
    assert "leaves out patients whose histology desmoid" in study.methods[0]
    assert len(study["patients"]) == 16
