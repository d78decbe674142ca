"""A plan may ask whether several measures of one thing agree; the study, the report and the tables answer."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import models, report
from immunosarc.errors import PlanError

ASKED = {
    "quantity": "T cells",
    "measures": {"cytolytic": "primary.cyt_mean_log2", "inflamed": "primary.tis_mean_z"},
}


def _plan(**changes: object) -> ims.Plan:
    primary = ims.Plan().panels[0]
    return ims.Plan(
        panels=(primary,),
        timepoints=("pre",),
        endpoints=("objective_response",),
        binary_models=("mann_whitney",),
        n_permutations=50,
        concordance=(ASKED | changes,),
    )


def test_the_study_holds_what_the_function_says() -> None:
    cohort = ims.simulate_cohort(seed=7)
    study = ims.run(cohort, _plan(apart=0.3), seed=3)
    scores = study["scores"].set_index("sample_id") if "sample_id" in study["scores"] else study["scores"]
    table = cohort.at("pre").per_patient(scores[["cyt_mean_log2", "tis_mean_z"]])
    direct = models.concordance(
        {"cytolytic": table["cyt_mean_log2"], "inflamed": table["tis_mean_z"]},
        study["outcomes"]["objective_response"],
        quantity="T cells",
        apart=0.3,
        seed=3,
    )
    pd.testing.assert_frame_equal(
        study["concordance"][direct.pairs.columns], direct.pairs, check_dtype=False, check_like=True
    )
    assert study["concordance"]["estimate"].iloc[0] > 0.5
    assert study["concordance"]["simulated"].all()
    assert len(study["concordance_ranks"]) == study["concordance"]["n"].iloc[0]


def test_the_report_shows_pairs_and_the_discordant(tmp_path: Path) -> None:
    study = ims.run(ims.simulate_cohort(seed=7), _plan(apart=0.2))
    report.write(study, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Do the assays agree?" in page
    assert "cytolytic and inflamed" in page
    far = study["concordance_ranks"][study["concordance_ranks"]["discordant"]]
    assert len(far) > 0
    assert all(one in page for one in far["patient_id"])
    assert (tmp_path / "out" / "tables" / "concordance.tsv").is_file()
    assert [one.name for one in (tmp_path / "out" / "figures").glob("concordance*")]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"measures": {"a": "primary.cyt_mean_log2"}}, r"(?s)measures.*at least 2"),
        ({"measures": {"a": "cyt_mean_log2", "b": "primary.tis_mean_z"}}, r"panel\.feature.*cyt_mean_log2"),
        ({"measures": {"a": "primary.cyt_mean_log", "b": "primary.tis_mean_z"}}, r"Did you mean 'cyt_mean_log2'"),
        ({"measures": {"a": "primry.cyt_mean_log2", "b": "primary.tis_mean_z"}}, r"Did you mean 'primary'"),
        ({"timepoint": "before"}, r"unknown timepoint 'before'"),
        ({"endpoint": "pfs"}, r"unknown binary endpoint 'pfs'.*pfs6"),
        ({"apart": 1.5}, r"apart"),
        ({"quantiti": "x"}, r"unknown key.*quantity"),
    ],
)
def test_names_that_the_plan_does_not_have(changes: dict[str, object], what: str) -> None:
    asked = ASKED | changes
    mapping = {"panels": [{"name": "primary", "features": _features()}], "concordance": [asked]}
    with pytest.raises(PlanError, match=what):
        ims.study.plan_for(ims.simulate_cohort(seed=7), mapping)


def _features() -> dict[str, dict[str, str]]:
    return {name: spec.model_dump() for name, spec in ims.Plan().panels[0].features.items()}
