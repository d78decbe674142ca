"""The command line: what it prints, what it writes, and one readable message when it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import cli
from immunosarc.cli._app import command_app

MANIFEST = """
name = "tiny"
title = "Tiny trial"
citation = "none"
license = "CC0-1.0"
source = "written by a test"
time_unit = "days"

[patients]
file = "clinical.tsv"
columns = { patient_id = "id", best_overall_response = "response", pfs_time = "pfs", pfs_event = "event" }

[samples]
file = "clinical.tsv"
columns = { sample_id = "sample", patient_id = "id", timepoint = "when" }

[assays.rna]
file = "expression.tsv"
unit = "counts"
orientation = "genes_by_samples"
gene_id = "symbol"

[plan]
n_permutations = 100
panels = [{ name = "primary", signatures = ["cyt"], method = "mean_log2" }]
"""


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    ids = [f"P{i}" for i in range(6)]
    clinical = pd.DataFrame({"id": ids, "sample": [f"{i}a" for i in ids], "when": "pre"})
    clinical["response"] = ["PR", "PR", "SD", "SD", "PD", "PD"]
    clinical.assign(pfs=range(50, 350, 50), event="true").to_csv(tmp_path / "clinical.tsv", sep="\t", index=False)
    genes = pd.DataFrame({"gene": ["GZMA", "PRF1", "ACTB"]})
    for place, sample in enumerate(clinical["sample"]):
        genes[sample] = [9 - place, 5 + place % 3, 100]
    genes.to_csv(tmp_path / "expression.tsv", sep="\t", index=False)
    (tmp_path / "tiny.toml").write_text(MANIFEST)
    return tmp_path / "tiny.toml"


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


def test_help_answers_in_a_moment() -> None:
    start = time.perf_counter()
    code = "import resource, sys\nfrom immunosarc import cli\ntry:\n cli.main(['--help'])\nexcept SystemExit:\n pass\n"
    code += "print('CPU', sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Example: immunosarc demo --out out/demo" in shown
    assert float(shown.split("CPU")[1]) < 0.6, f"took {time.perf_counter() - start:.2f} s"


@pytest.mark.parametrize("command", [one.callback.__name__ for one in command_app.registered_commands])
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(command, "--help") == 0
    assert f"Example: immunosarc {command}" in capsys.readouterr().out


def test_help_keeps_the_names_of_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets are markup to the help writer: unescaped ones vanish."""
    assert call("run", "--help") == 0
    shown = capsys.readouterr().out
    assert "[multiverse]" in shown
    assert "[plan.multiverse]" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out.strip() == ims.__version__


def test_run_writes_the_whole_report(trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert call("run", trial, "--out", out) == 0
    assert capsys.readouterr().out.strip() == str(out / "report.html")
    for name in ("report.html", "tables.xlsx", "results.json", "tables/associations.tsv", "figures/attrition.svg"):
        assert (out / name).stat().st_size > 0
    assert json.loads((out / "tables" / "summary.json").read_text())
    assert ims.Cohort.read(out / "cohort").equals(ims.load_cohort(trial))


def test_the_same_seed_gives_the_same_bytes(trial: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert call("run", trial, "--out", tmp_path / name, "--seed", 5) == 0
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()]
    different = [
        str(f) for f in files if (tmp_path / "one" / f).read_bytes() != (tmp_path / "two" / f).read_bytes()
    ]
    assert [f for f in different if not f.endswith(".h5ad")] == []


def test_check_and_lock(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", trial) == 0
    assert "no problems" in capsys.readouterr().out
    assert call("lock", trial) == 0
    assert call("lock", trial) == 2
    assert "locked once" in capsys.readouterr().err


def test_export_writes_a_study_that_runs_again(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("export", trial, "--out", tmp_path / "study") == 0
    assert "study: cbioportal" in capsys.readouterr().out
    before, after = ims.load_cohort(trial), ims.load_cohort(tmp_path / "study" / "immunosarc.toml")
    assert after.sha256 == before.sha256
    assert after.provenance["plan"] == before.provenance["plan"]
    assert call("export", trial, "--out", tmp_path / "x", "--format", "h5md") == 2
    assert "Did you mean 'h5mu'" in capsys.readouterr().err


def test_draft_then_check_names_what_is_to_be_filled_in(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "draft.toml"
    files = (tmp_path / "clinical.tsv", tmp_path / "expression.tsv")
    assert call("draft", *files, "--out", target) == 0
    assert call("draft", *files, "--out", target) == 2
    assert "never overwritten" in capsys.readouterr().err
    assert call("check", target) == 2
    assert "?" in capsys.readouterr().err


def test_signatures(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("signatures") == 0
    assert len(capsys.readouterr().out.strip().splitlines()) == 110
    assert call("signatures", "cyt") == 0
    shown = capsys.readouterr().out
    for part in ("GZMA", "PRF1", "Rooney", "10.1016/j.cell.2014.12.033", "geometric_mean"):
        assert part in shown
    assert call("signatures", "cytt") == 2
    assert "Did you mean 'cyt'" in capsys.readouterr().err


def break_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


BAD: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "missing file": ("tiny.toml", 'file = "clinical.tsv"', 'file = "klinical.tsv"', ("klinical.tsv", "missing")),
    "wrong hash": (
        "tiny.toml",
        'file = "expression.tsv"',
        f'file = "expression.tsv"\nsha256 = "{"0" * 64}"',
        ("expression.tsv", "0000"),
    ),
    "unknown column": ("tiny.toml", '"response"', '"respons"', ("clinical.tsv", "respons", "response")),
    "unlisted code": ("clinical.tsv", "\tSD\t", "\tiSD\t", ("clinical.tsv", "line 4", "response", "iSD")),
    "duplicate ids": ("clinical.tsv", "P1\tP1a", "P1\tP0a", ("clinical.tsv", "P0a", "lines 2")),
    "a sample without a patient": ("clinical.tsv", "P3\tP3a", "\tP3a", ("clinical.tsv", "line 5")),
    "negative time": ("clinical.tsv", "\t150\t", "\t-150\t", ("clinical.tsv", "line 4", "pfs", "-150")),
    "event without time": ("clinical.tsv", "\t150\t", "\t\t", ("clinical.tsv", "line 4", "pfs")),
    "decimals in counts": (
        "expression.tsv",
        "\t9\t",
        "\t9.5\t",
        ("expression.tsv", "line 2", "GZMA", "P0a", "9.5"),
    ),
    "a path out of the root": ("tiny.toml", '"expression.tsv"', '"../../etc/passwd"', ("data root",)),
    "unknown key": ("tiny.toml", 'unit = "c', 'unti = "c', ("unti", "Did you mean 'unit'")),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_input_gets_one_message_and_nothing_is_written(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file, old, new, words = BAD[name]
    break_text(tmp_path / file, old, new)
    before = sorted(p.name for p in tmp_path.iterdir())
    for command in (("run", trial, "--out", tmp_path / "out"), ("check", trial), ("lock", trial)):
        assert call(*command) == 2
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        assert shown.out == ""
        for word in words:
            assert word in shown.err, f"{word!r} not in:\n{shown.err}"
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_logs_above_a_hundred_and_an_empty_table(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    break_text(trial, 'unit = "counts"', 'unit = "log2_tpm"')
    break_text(tmp_path / "expression.tsv", "\t9\t", "\t901\t")
    assert call("run", trial, "--out", tmp_path / "out") == 2
    assert "above 100" in capsys.readouterr().err
    (tmp_path / "clinical.tsv").write_text("")
    assert call("run", trial, "--out", tmp_path / "out") == 2
    assert "clinical.tsv" in capsys.readouterr().err


def test_several_problems_come_in_one_message(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("unlisted code", "negative time", "decimals in counts"):
        file, old, new, _ = BAD[name]
        if name == "negative time":
            old, new = "\t200\t", "\t-200\t"
        break_text(tmp_path / file, old, new)
    assert call("check", trial) == 2
    shown = capsys.readouterr().err
    for word in ("iSD", "-200", "9.5"):
        assert word in shown


def test_a_foreign_folder_is_never_replaced(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    assert call("run", trial, "--out", tmp_path / "thesis") == 2
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"
    assert "thesis" in capsys.readouterr().err


def test_an_unwritable_folder_is_a_message(trial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", trial, "--out", "/proc/nowhere/out") == 2
    assert "Traceback" not in capsys.readouterr().err
