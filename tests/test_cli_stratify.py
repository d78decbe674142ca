"""The commands stratify and design, and the nightly script: what the functions give, and readable ends."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import cli

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "nightly_strata.py"
MANIFEST = """
name = "new"
title = "New patients"
citation = "none"
license = "CC0-1.0"
source = "written by a test"
time_unit = "days"

[patients]
file = "clinical.tsv"
columns = { patient_id = "id" }

[samples]
file = "clinical.tsv"
columns = { sample_id = "sample", patient_id = "id", timepoint = "when" }

[assays.rna]
file = "expression.tsv"
unit = "tpm"
orientation = "genes_by_samples"
gene_id = "symbol"
platform = "polya_rnaseq"
"""


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    clinical = pd.DataFrame({"id": ["P1", "P2", "P3"], "sample": ["A", "B", "C"], "when": "pre"})
    clinical.to_csv(folder / "clinical.tsv", sep="\t", index=False)
    write(folder, [1.0, 9.0, 90.0])
    (folder / "monday.toml").write_text(MANIFEST)
    return folder


def write(folder: Path, cyt: list[float]) -> None:
    frame = pd.DataFrame([cyt, cyt], index=pd.Index(["GZMA", "PRF1"], name="gene"), columns=["A", "B", "C"])
    frame.to_csv(folder / "expression.tsv", sep="\t")


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    ims.design.stratify(
        tmp_path / "cyt.toml",
        {"cyt": ["GZMA", "PRF1"]},
        thresholds=[2.0],
        method="mean_log2",
        unit="log2_tpm",
        platform="polya_rnaseq",
        valid_range=(0, 6),
    )
    return tmp_path / "cyt.toml"


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


def test_stratify_writes_what_the_rule_gives(
    inbox: Path, rule: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert call("stratify", rule, inbox / "monday.toml", "--out", out) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out / "tables" / "strata.tsv")
    assert "low: 1" in printed.err
    assert "not assignable: 1" in printed.err
    found = pd.read_csv(out / "tables" / "strata.tsv", sep="\t")
    assert found["stratum"].fillna("").tolist() == ["low", "high", ""]
    assert found["status"].iloc[2] == "not assignable: out of range: score 6.508, the rule holds from 0 to 6"
    about = json.loads((out / "tables" / "strata.json").read_text())
    assert about["rule_sha256"] == ims.design.read_rule(rule).sha256
    assert about["columns"][5]["meaning"] == "what the thresholds are compared with"


def test_stratify_refuses_an_altered_rule(
    inbox: Path, rule: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule.write_text(rule.read_text().replace("2.0", "1.0"))
    assert call("stratify", rule, inbox / "monday.toml", "--out", tmp_path / "out") == 2
    assert "altered since it was frozen" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_nightly_script_assigns_and_tells_when_an_answer_changes(
    inbox: Path, rule: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(SCRIPT))["main"]
    out = tmp_path / "strata"
    (inbox / "tuesday.toml").write_text("name = ")
    assert main(str(rule), str(inbox), str(out)) == 1
    told = capsys.readouterr()
    assert told.out == "monday: 2 of 3 assigned\n"
    assert told.err.startswith("tuesday: ")
    (inbox / "tuesday.toml").unlink()
    assert main(str(rule), str(inbox), str(out)) == 0
    before = (out / "monday" / "tables" / "strata.tsv").read_text()
    write(inbox, [9.0, 9.0, 90.0])
    assert main(str(rule), str(inbox), str(out)) == 1
    assert "another stratum than before for A" in capsys.readouterr().err
    assert (out / "monday" / "tables" / "strata.tsv").read_text() == before


FOLLOW = ("--at", 6, "--accrual", 24, "--minimum", 6)
ERRORS = ("--alpha", 0.05, "--power", 0.8)
MARKER = ("--prevalence", 0.4, "--positive", 0.2, 0.5, "--negative", 0.2, 0.2)
COMMON = ("--p0", 0.434, "--p1", 0.634, "--alpha", 0.10, "--power", 0.80)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("simon", *COMMON, "--kind", "minimax"), {"n1": "15", "r1": "6", "n": "28", "r": "15"}),
        (("ahern", "--p0", 0.2, "--p1", 0.4, "--alpha", 0.05, "--power", 0.8), {"n": "35", "r": "11"}),
        (("fleming", "--p0", 0.2, "--p1", 0.4, "--alpha", 0.05, "--power", 0.8), {"n": "29", "r": "9"}),
        (("screening", "--treated", 28, "--prevalence", 0.25), {"screened": "112"}),
        (
            ("bryant-day", "--response", 0.1, 0.4, "--toxicity", 0.5, 0.2, "--alpha", 0.1, "--power", 0.8),
            {"n1": "5", "n": "18"},
        ),
        (("one-sample-log-rank", *COMMON, *FOLLOW), {"n": "19", "follow": "at 6, accrual 24, minimum 6, lost 0"}),
        (("survival-rate", *COMMON, *FOLLOW), {"n": "32", "r": "17"}),
        (("survival-rate", *COMMON, *FOLLOW, "--method", "greenwood"), {"method": "greenwood"}),
        (
            ("randomized-log-rank", "--p0", 0.434, "--ratio", 0.6, *FOLLOW, *ERRORS, "--delay", 3),
            {"ratio": "0.6", "allocation": "0.5"},
        ),
        (("biomarker-stratified", *MARKER, *ERRORS, "--strategy", "split"), {"strategy": "split"}),
        (("interaction", *MARKER, *ERRORS, *FOLLOW), {"prevalence": "0.4", "positive": "0.2, 0.5"}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_design_prints_the_record_and_the_protocol(
    words: tuple[object, ...], expected: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("design", *words, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    told = dict(line.split("\t") for line in printed.splitlines() if "\t" in line)
    assert expected.items() <= told.items()
    about = json.loads((tmp_path / "out" / "results.json").read_text())
    assert about["protocol"] in printed
    written = pd.read_csv(tmp_path / "out" / "tables" / "design.tsv", sep="\t", dtype=str)
    assert expected.items() <= dict(written.to_numpy().tolist()).items()


def test_design_prints_a_monitored_trial(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"p0": 0.2, "p1": 0.5, "alpha": 0.1, "power": 0.8}
    assert call("design", "predictive-probability", *(w for k, v in asked.items() for w in (f"--{k}", v))) == 0
    printed = capsys.readouterr().out
    trial = ims.design.predictive_probability(**asked)
    assert f"n\t{trial.n}\n" in printed
    assert trial.protocol in printed


def test_design_shows_what_the_control_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--x", 13, "--n", 28, "--endpoint", "pfs6", "--out", tmp_path / "out")
    assert call("design", "historical-controls", *words) == 0
    printed = capsys.readouterr().out
    assert "0.434\t0.444\tno\t32\tnull rate of NCT04028063\n" in printed
    assert "0.280\t0.029\tyes\t" in printed
    assert "any rate below 0.331 would be beaten at 0.1" in printed
    written = pd.read_csv(tmp_path / "out" / "tables" / "historical_controls.tsv", sep="\t")
    assert written["superior"].tolist() == [True, False, False, False, False]
    assert call("design", "historical-controls", "--x", 29, "--n", 28, "--endpoint", "pfs6") == 2
    assert "need 0 <= x <= n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("simon", "--p0", 0.5, "--p1", 0.4, "--alpha", 0.1, "--power", 0.8), "p1"),
        (("ahern", "--p0", 0.2, "--p1", 0.4, "--alpha", 1.5, "--power", 0.8), "alpha"),
        (("simon", "--p0", 0.2, "--p1", 0.25, "--alpha", 0.05, "--power", 0.9), "n_max"),
        (("screening", "--treated", 10, "--prevalence", 0), "need a share above 0"),
        (("survival-rate", *COMMON, "--at", 6, "--accrual", 24, "--minimum", 3), "Raise follow.minimum"),
        (("interaction", *MARKER[2:], *ERRORS, "--prevalence", 0), "prevalence: need a share strictly"),
    ],
)
def test_design_ends_with_one_message(
    words: tuple[object, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("design", *words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_the_nightly_script_does_not_call_an_empty_night_well(
    inbox: Path, rule: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(SCRIPT))["main"]
    assert main(str(rule), str(inbox / "typo"), str(tmp_path / "strata")) == 1
    assert "typo: no manifest (*.toml) in it" in capsys.readouterr().err
    rule.write_text(rule.read_text().replace("2.0", "1.0"))
    assert main(str(rule), str(inbox), str(tmp_path / "strata")) == 1
    assert "altered since it was frozen" in capsys.readouterr().err
    assert not (tmp_path / "strata").exists()
