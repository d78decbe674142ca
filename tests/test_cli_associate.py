"""The command associate: the numbers of the function, and one message with the cure when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import cli


@pytest.fixture(scope="module")
def trial() -> tuple[pd.DataFrame, pd.DataFrame]:
    cohort = ims.simulate_cohort(seed=7)
    scores = ims.features.score(cohort["rna"])[["cyt", "mcp_b_lineage", "apm6"]]
    table = pd.concat(
        [pd.DataFrame(cohort.at(t).per_patient(scores).to_dict("series")) for t in ("pre", "on")]
    ).rename_axis("patient_id")
    return table[table["timepoint"].notna()], ims.endpoints.derive(cohort).join(cohort.patients["schedule_stage"])


@pytest.fixture
def files(trial: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "features.tsv", tmp_path / "outcomes.tsv"
    for table, path in zip(trial, paths, strict=True):
        table.to_csv(path, sep="\t")
    return paths


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    return int(caught.value.code or 0)


def ask(files: tuple[Path, Path], out: Path, *more: object) -> tuple[object, ...]:
    question = ("--endpoint", "objective_response", "--model", "mann_whitney", "--permutations", 99)
    return ("associate", files[0], "--outcomes", files[1], *question, "--out", out, *more)


def test_the_tables_are_those_of_the_function(files, trial, tmp_path: Path) -> None:
    assert run(*ask(files, tmp_path / "out", "--strata", "schedule_stage", "--alternative", "greater")) == 0
    found = pd.read_csv(tmp_path / "out" / "tables" / "associations.tsv", sep="\t")
    table, outcomes = trial
    expected = ims.models.associate(
        table[table["timepoint"] == "pre"],
        outcomes,
        endpoint="objective_response",
        model="mann_whitney",
        strata=outcomes[["schedule_stage"]],
        panel="features",
        alternative="greater",
        n_permutations=99,
    )
    for column in ("n", "estimate", "p_value", "p_maxt", "detectable_80"):
        assert found[column].tolist() == pytest.approx(expected[column].tolist())
    assert (found["simulated"] == "SIMULATED").all()
    about = json.loads((tmp_path / "out" / "tables" / "associations.json").read_text())
    assert (about["endpoint"], about["strata"]) == ("objective_response", ["schedule_stage"])
    assert set(about["files"]) == {"features.tsv", "outcomes.tsv"}
    card = pd.read_csv(tmp_path / "out" / "tables" / "detectability.tsv", sep="\t")
    assert (card["simulated"] == "SIMULATED").all()
    assert (card["alternative"] == "greater").all()


def test_features_on_treatment_need_their_landmark(files, tmp_path: Path, capsys) -> None:
    words = (
        "associate",
        files[0],
        "--outcomes",
        files[1],
        "--endpoint",
        "pfs",
        "--model",
        "cox",
        "--timepoint",
        "on",
    )
    words = (*words, "--out", tmp_path / "out", "--permutations", 50)
    assert run(*words) == 2
    assert "immortal time" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(*words, "--landmark-day", 50) == 0
    flow = pd.read_csv(tmp_path / "out" / "tables" / "landmarks.tsv", sep="\t")
    assert set(flow["step"]) == {"pfs from landmark day 50"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--endpoint", "objective_respons"), "Did you mean 'objective_response'"),
        (("--model", "cox"), "use mann_whitney or firth_logistic"),
        (("--strata", "schedule"), "Did you mean 'schedule_stage'"),
        (("--timepoint", "post"), "no row is 'post', the file has ['on', 'pre']"),
    ],
)
def test_what_cannot_be_asked_has_a_cure(files, tmp_path: Path, capsys, change, message: str) -> None:
    assert run(*ask(files, tmp_path / "out", *change)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_table_that_does_not_say_when_is_refused(files, tmp_path: Path, capsys) -> None:
    pd.read_csv(files[0], sep="\t").drop(columns="timepoint").to_csv(files[0], sep="\t", index=False)
    assert run(*ask(files, tmp_path / "out")) == 2
    assert "add a column timepoint (pre, on or post)" in capsys.readouterr().err


def test_samples_need_the_manifest_and_files_must_be_tables(files, tmp_path: Path, capsys) -> None:
    pd.DataFrame({"sample_id": ["S1"], "cyt": [1.0]}).to_csv(files[0], sep="\t", index=False)
    assert run(*ask(files, tmp_path / "out")) == 2
    assert "rows are samples; pass --manifest" in capsys.readouterr().err
    assert run("associate", files[0], "--endpoint", "pfs", "--model", "cox", "--out", tmp_path / "out") == 2
    assert "pass --outcomes TABLE, or --manifest" in capsys.readouterr().err
    files[1].write_bytes(b"\xff\xfe\x00bad")
    assert run(*ask(files, tmp_path / "out")) == 2
    assert "cannot be read as a tab-separated table" in capsys.readouterr().err
    files[1].unlink()
    assert run(*ask(files, tmp_path / "out")) == 2
    assert "no such file" in capsys.readouterr().err
