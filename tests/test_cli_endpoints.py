"""The command endpoints: a site's rows in, every endpoint out."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import cli


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The rows of the simulated trial as files, without what the trial team read from them."""
    cohort = ims.simulate_cohort(seed=7, n_null=1)
    read = ["best_overall_response", "pfs_days", "pfs_event"]
    cohort.patients.drop(columns=read).reset_index().to_csv(tmp_path / "patients.tsv", sep="\t", index=False)
    text = 'name = "rows"\n[patients]\nfile = "patients.tsv"\n'
    for name, table in cohort.tables.items():
        table.to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
        text += f'[tables.{name}]\nfile = "{name}.tsv"\n'
    (tmp_path / "rows.toml").write_text(text)
    return tmp_path / "rows.toml"


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(one) for one in arguments])
    return int(stopped.value.code or 0)


def test_rows_in_endpoints_out(manifest: Path, tmp_path: Path, capsys) -> None:
    assert call("endpoints", manifest, "--out", tmp_path / "out", "--by", "schedule_stage") == 0
    folder = tmp_path / "out" / "tables"
    assert capsys.readouterr().out.strip() == str(folder / "outcomes.tsv")
    names = {path.stem for path in folder.glob("*.tsv")}
    wanted = {"outcomes", "summary", "populations", "visits", "course", "tumor_change", "timeline", "event_counts"}
    assert wanted | {"toxicity", "patient_toxicity", "adrs", "adtr", "adtte"} <= names
    assert {"toxicity_rates", "dosing", "resistance", "immune_visits", "immune_course"} <= names
    assert {"pfs_sensitivity", "follow_up", "progression_incidence"} <= names
    shares = pd.read_csv(folder / "pfs_sensitivity.tsv", sep="\t")
    shown = shares[(shares["stratum"] == "all") & shares["method"].str.startswith("binomial, evaluable")]
    assert shown[["t_days", "n_free", "n"]].to_numpy().tolist() == [[168, 17, 28], [182, 13, 28], [183, 13, 28]]
    summary = pd.read_csv(folder / "summary.tsv", sep="\t").set_index(["measure", "stratum"])
    assert summary.loc[("objective_response", "all"), ["n_events", "n"]].tolist() == [10, 30]
    assert summary.loc[("pfs6", "all"), ["n_events", "n"]].tolist() == [13, 28]
    assert summary.loc[("objective_response", "1"), ["n_events", "n"]].tolist() == [9, 16]
    about = json.loads((folder / "adtte.json").read_text())
    assert {"column": "CNSR", "type": "float64", "meaning": "0 = event, 1 = censored"} in about["columns"]


def test_what_leaves_the_hospital_and_a_column_let_through(manifest: Path, tmp_path: Path, capsys) -> None:
    frame = pd.read_csv(tmp_path / "patients.tsv", sep="\t")
    frame.assign(mobile="no").to_csv(tmp_path / "patients.tsv", sep="\t", index=False)
    out = tmp_path / "out"
    assert call("endpoints", manifest, "--out", out) == 2
    assert "column 'mobile' identifies a person" in capsys.readouterr().err
    assert not out.exists()
    assert call("endpoints", manifest, "--out", out, "--allow-column", "mobile", "--suppress-below", "5") == 0
    assert capsys.readouterr().out.strip() == str(out / "tables" / "summary.tsv")
    assert {path.stem for path in (out / "tables").iterdir()} == {"summary"}
    results = json.loads((out / "results.json").read_text())
    assert results["provenance"]["allowed_columns"] == ["mobile"]
    assert not [one for one in frame["patient_id"] if one in (out / "results.json").read_text()]


def test_the_plan_of_the_manifest_says_design_rules_and_conflicts(manifest: Path, tmp_path: Path, capsys) -> None:
    plan = '[plan]\ntwo_stage = { r1 = 6, n1 = 15, r = 15, n = 28, p0 = 0.434 }\nrule_set = "every_event/1"\n'
    manifest.write_text(manifest.read_text() + plan)
    assert call("endpoints", manifest, "--out", tmp_path / "out") == 0
    table = pd.read_csv(tmp_path / "out" / "tables" / "two_stage.tsv", sep="\t")
    assert table["measure"].tolist() == ["pfs6", "pfs6_two_stage"]
    outcomes = pd.read_csv(tmp_path / "out" / "tables" / "outcomes.tsv", sep="\t")
    assert outcomes["rule_set"].str.contains("every_event/1").all()
    file = manifest.with_name("adverse_events.tsv")
    rows = pd.read_csv(file, sep="\t")
    rows.assign(grade=rows["grade"].mask(rows.index == 0, 6)).to_csv(file, sep="\t", index=False)
    capsys.readouterr()
    assert call("endpoints", manifest, "--out", tmp_path / "second") == 2
    first = rows["patient_id"].iloc[0]
    assert f"{first}: grade 6, CTCAE has 1 to 5 (table 'adverse_events', row 0)" in capsys.readouterr().err
    options = ("--on-conflict", "exclude_patient")
    assert call("endpoints", manifest, "--out", tmp_path / "second", *options) == 0
    outcomes = pd.read_csv(tmp_path / "second" / "tables" / "outcomes.tsv", sep="\t").set_index("patient_id")
    assert outcomes["pfs_status"].str.startswith("excluded: grade 6").sum() == 1
    assert outcomes.loc[first, "os_status"] == "excluded: grade 6, CTCAE has 1 to 5"


def test_what_cannot_be_done_is_one_message(manifest: Path, tmp_path: Path, capsys) -> None:
    for options, message in (
        (("--reader", "nobody"), "no visit of reader 'nobody'"),
        (("--rules", "recist_9"), "recist_9"),
        (("--by", "schedule_stag"), "Did you mean 'schedule_stage'?"),
    ):
        assert call("endpoints", manifest, "--out", tmp_path / "out", *options) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
