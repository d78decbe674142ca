"""What check says, run says too: data faults and plan faults in one message, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

import immunosarc as ims
from immunosarc import cli
from immunosarc.errors import ManifestError, PlanError
from immunosarc.study import checked_cohort

PLAN = '\n[plan]\nalfa = 0.1\nendpoints = ["pfs7"]\n'


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    (tmp_path / "clinical.tsv").write_text("id\tbor\tmobile\nP1\tPR\tx\nP2\tPD\ty\n")
    manifest = tmp_path / "trial.toml"
    manifest.write_text(
        'name = "trial"\n[patients]\nfile = "clinical.tsv"\n'
        'columns = { patient_id = "id", best_overall_response = "bor" }\n'
    )
    return manifest


def test_faults_of_data_and_plan_come_together(trial: Path) -> None:
    trial.write_text(trial.read_text() + PLAN)
    (trial.parent / "clinical.tsv").write_text("id\tbor\nP1\tPR\nP2\tbad\n")
    problems = ims.check(trial)
    assert any("'bad' is not one of CR" in line for line in problems)
    assert any("unknown key 'alfa'. Did you mean 'alpha'?" in line for line in problems)
    with pytest.raises(ManifestError) as caught:
        checked_cohort(trial)
    for line in problems:
        assert line in str(caught.value)


def test_faults_of_the_plan_alone_are_of_the_plan(trial: Path) -> None:
    trial.write_text(trial.read_text() + PLAN.replace("alfa = 0.1\n", ""))
    with pytest.raises(PlanError, match="unknown endpoint 'pfs7'"):
        checked_cohort(trial, allow_columns=["mobile"])


def test_a_run_stops_with_all_of_them_and_writes_nothing(trial: Path, capsys) -> None:
    trial.write_text(trial.read_text() + PLAN)
    (trial.parent / "clinical.tsv").write_text("id\tbor\nP1\tPR\nP2\tbad\n")
    out = trial.parent / "out"
    with pytest.raises(SystemExit) as stopped:
        cli.main(["run", str(trial), "--out", str(out)])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "'bad' is not one of CR" in said
    assert "unknown key 'alfa'" in said
    assert not out.exists()


def test_a_column_is_let_through_on_the_command_line_and_recorded(trial: Path, capsys) -> None:
    for command in (["check", str(trial)], ["run", str(trial), "--out", str(trial.parent / "out")]):
        with pytest.raises(SystemExit) as stopped:
            cli.main(command)
        assert stopped.value.code == 2
        assert "column 'mobile' identifies a person" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        cli.main(["check", str(trial), "--allow-column", "mobile"])
    assert stopped.value.code == 0
    with pytest.raises(SystemExit) as stopped:
        cli.main(["lock", str(trial), "--allow-column", "mobile"])
    assert stopped.value.code == 0
    assert checked_cohort(trial, allow_columns=["mobile"]).provenance["allowed_columns"] == ["mobile"]


def test_suppression_on_the_command_line(trial: Path, capsys) -> None:
    out = trial.parent / "out"
    with pytest.raises(SystemExit) as stopped:
        cli.main(["run", str(trial), "--out", str(out), "--allow-column", "mobile", "--suppress-below", "5"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip().endswith("tables")
    assert not (out / "report.html").exists()
    assert "P1" not in (out / "results.json").read_text()
