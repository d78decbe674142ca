"""The lock: confirmatory only where plan and data are still the ones that were frozen."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import ImmunosarcError, LockError

MANIFEST = """
name = "tiny"
title = "Tiny trial"
citation = "none"
license = "CC0-1.0"
source = "written by a test"
time_unit = "days"

[patients]
file = "clinical.tsv"
columns = {{ patient_id = "id", best_overall_response = "response", pfs_time = "pfs", pfs_event = "event" }}

[samples]
file = "clinical.tsv"
columns = {{ sample_id = "sample", patient_id = "id", timepoint = "when" }}

[assays.rna]
file = "expression.tsv"
unit = "tpm"
orientation = "genes_by_samples"
gene_id = "symbol"

[plan]
title = "CYT before treatment"
n_permutations = {permutations}
panels = [{{ name = "primary", signatures = ["cyt"], method = "mean_log2" }}]
hypotheses = [{{ feature = "cyt", model = "mann_whitney" }}]
"""


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    ids = [f"P{i}" for i in range(8)]
    responses = ["PR", "PR", "PR", "SD", "SD", "PD", "PD", "PD"]
    clinical = pd.DataFrame({"id": ids, "sample": [f"{i}a" for i in ids], "when": "pre", "response": responses})
    clinical.assign(pfs=range(50, 450, 50), event="true").to_csv(tmp_path / "clinical.tsv", sep="\t", index=False)
    genes = pd.DataFrame({"gene": ["GZMA", "PRF1", "ACTB"]})
    for place, sample in enumerate(clinical["sample"]):
        genes[sample] = [9.0 - place, 5.0 + place % 3, 100.0]
    genes.to_csv(tmp_path / "expression.tsv", sep="\t", index=False)
    (tmp_path / "tiny.toml").write_text(MANIFEST.format(permutations=200))
    return tmp_path / "tiny.toml"


def stamps(manifest: Path) -> tuple[str, dict[str, str]]:
    study = ims.run(ims.load_cohort(manifest))
    return study.stamp_reason, study["associations"].set_index(["family", "feature"])["stamp"].to_dict()


ASKED = ("pre/objective_response/mann_whitney/primary", "cyt")


def test_without_a_lock_everything_is_exploratory(trial: Path) -> None:
    reason, found = stamps(trial)
    assert set(found.values()) == {"exploratory"}
    assert "not frozen" in reason


def test_locked_and_unchanged_confirms_the_asked_question_only(trial: Path) -> None:
    target = ims.lock(trial)
    assert target.name == "tiny.lock.toml"
    content = tomllib.loads(target.read_text())
    assert set(content["files"]) == {"clinical.tsv", "expression.tsv"}
    _, found = stamps(trial)
    assert found.pop(ASKED) == "confirmatory"
    assert set(found.values()) == {"exploratory"}


def test_a_changed_plan_is_a_deviation(trial: Path) -> None:
    ims.lock(trial)
    trial.write_text(MANIFEST.format(permutations=300))
    reason, found = stamps(trial)
    assert found[ASKED] == "deviation"
    assert "the plan" in reason


def test_changed_data_are_a_deviation(trial: Path) -> None:
    ims.lock(trial)
    path = trial.with_name("clinical.tsv")
    path.write_text(path.read_text().replace("SD", "PR", 1))
    reason, found = stamps(trial)
    assert found[ASKED] == "deviation"
    assert "clinical.tsv" in reason


def test_another_reading_of_the_same_files_is_a_deviation(trial: Path) -> None:
    """Flipping a code in the manifest changes no file and no plan, only what the data say."""
    ims.lock(trial)
    text = trial.read_text()
    trial.write_text(
        text.replace("[samples]", '[patients.recode]\npfs_event = { "true" = false }\n\n[samples]', 1)
    )
    reason, found = stamps(trial)
    assert found[ASKED] == "deviation"
    assert "as the manifest reads them" in reason


def test_another_seed_is_a_deviation(trial: Path) -> None:
    ims.lock(trial, seed=3)
    cohort = ims.load_cohort(trial)
    assert ims.run(cohort, seed=3).stamp == "confirmatory"
    assert "the seed, 3 to 4" in ims.run(cohort, seed=4).stamp_reason


def test_a_lock_without_a_question_confirms_nothing(trial: Path) -> None:
    lines = [line for line in trial.read_text().splitlines() if not line.startswith("hypotheses")]
    trial.write_text("\n".join(lines))
    ims.lock(trial)
    study = ims.run(ims.load_cohort(trial))
    assert study.stamp == "exploratory"
    assert "no question was stated" in study.stamp_reason


def test_an_undeclared_test_is_never_confirmatory(trial: Path) -> None:
    ims.lock(trial)
    cohort = ims.load_cohort(trial)
    plan = ims.study.plan_for(cohort)
    more = plan.model_copy(update={"binary_models": (*plan.binary_models, "mann_whitney")[:1]})
    study = ims.run(cohort, more)
    assert "confirmatory" not in set(study["associations"]["stamp"])


def test_a_second_lock_is_refused(trial: Path) -> None:
    before = ims.lock(trial).read_bytes()
    with pytest.raises(LockError, match="locked once"):
        ims.lock(trial)
    assert trial.with_name("tiny.lock.toml").read_bytes() == before


def test_nothing_is_locked_while_there_are_problems(trial: Path) -> None:
    trial.write_text(trial.read_text().replace('signatures = ["cyt"]', 'signatures = ["cytt"]'))
    with pytest.raises(ImmunosarcError, match="Did you mean 'cyt'"):
        ims.lock(trial)
    assert not trial.with_name("tiny.lock.toml").exists()


def test_check_reports_files_and_plan_in_one_message(trial: Path) -> None:
    assert ims.check(trial) == []
    text = trial.read_text().replace('signatures = ["cyt"]', 'signatures = ["cytt"]')
    trial.write_text(text.replace('timepoint = "when"', 'timepoint = "wen"'))
    problems = "\n".join(ims.check(trial))
    assert "Did you mean 'cyt'" in problems
    assert "wen" in problems
    assert sorted(path.name for path in trial.parent.iterdir()) == ["clinical.tsv", "expression.tsv", "tiny.toml"]
