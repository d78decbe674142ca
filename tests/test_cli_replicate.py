"""The command replicate, and run with what it wrote and with a grid of paths: the functions' numbers, readable ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import cli

MANIFEST = """
name = "NAME"
title = "Patients of NAME"
citation = "none"
license = "CC0-1.0"
source = "written by a test"
time_unit = "days"

[patients]
file = "NAME.tsv"
columns = { patient_id = "id", best_overall_response = "bor", age = "age" }

[samples]
file = "NAME.tsv"
columns = { sample_id = "sample", patient_id = "id", timepoint = "when" }

[assays.rna]
file = "NAME_tpm.tsv"
unit = "tpm"
orientation = "genes_by_samples"
gene_id = "symbol"
platform = "polya_rnaseq"

[plan]
timepoints = ["pre"]
endpoints = ["objective_response"]
binary_models = ["firth_logistic"]
n_permutations = 20

[[plan.panels]]
name = "primary"
features = { cyt_mean = { signature = "cyt", method = "mean_log2" } }
"""
GRID = """
[multiverse]
signature = "cyt"
methods = ["mean_log2", "singscore"]
primary = { method = "mean_log2" }
n_permutations = 20
"""
KEY = ["family", "feature"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cohorts of which cytolytic activity goes with response in each."""
    folder = tmp_path_factory.mktemp("cohorts")
    for seed, name in enumerate(("one", "two", "three")):
        rng = np.random.default_rng(seed)
        n = 30
        ids = [f"{name}-{i}" for i in range(n)]
        tpm = pd.DataFrame(rng.lognormal(3, 1, (40, n)), columns=[f"{one}s" for one in ids])
        tpm.index = pd.Index(["GZMA", "PRF1", *ims.features.signatures()["hallmark_p53"].genes[:38]], name="gene")
        response = rng.random(n) < 1 / (1 + np.exp(-(np.log(tpm.loc["GZMA"]) - 3)))
        clinical = pd.DataFrame(
            {"id": ids, "sample": tpm.columns, "when": "pre", "bor": np.where(response, "PR", "PD"), "age": 60}
        )
        clinical.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
        tpm.to_csv(folder / f"{name}_tpm.tsv", sep="\t")
        (folder / f"{name}.toml").write_text(MANIFEST.replace("NAME", name))
    (folder / "grid.toml").write_text(GRID)
    return folder


def call(*words: object) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    assert ended.value.code == 0


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def written(folder: Path) -> Path:
    files = [folder / f"{name}.toml" for name in ("one", "two", "three")]
    call("replicate", *files, "--plan", files[0], "--out", folder / "replicated", "--seed", 3)
    return folder / "replicated"


def test_replicate_writes_what_the_function_says(folder: Path, written: Path) -> None:
    files = [folder / f"{name}.toml" for name in ("one", "two", "three")]
    plan = ims.load_cohort(files[0]).provenance["plan"]
    expected = ims.replicate(files, plan, seed=3)
    for one, other in zip(expected, ims.study.read_replication(written), strict=True):
        pd.testing.assert_frame_equal(one, other)
    results = json.loads((written / "results.json").read_text())
    assert results["plan_sha256"] == ims.Plan.from_mapping(plan).sha256
    assert results["arguments"]["seed"] == 3
    assert set(results["cohorts"]) == {"one", "two", "three"}
    assert str(folder) not in (written / "results.json").read_text()
    assert "Patients of two" in (written / "report.html").read_text()


def test_a_run_repeats_what_other_cohorts_say_and_walks_its_paths(folder: Path, written: Path) -> None:
    out = folder / "run"
    call("run", folder / "one.toml", "--replication", written, "--multiverse", folder / "grid.toml", "--out", out)
    ledger = pd.read_csv(out / "tables" / "ledger.tsv", sep="\t")
    without = pd.read_csv(written / "tables" / "without_cohort.tsv", sep="\t").set_index("left_out")
    assert len(ledger) == 1
    assert f"the others alone {without.loc['one', 'estimate']:.2f} [" in ledger.loc[0, "replication"]
    assert "other cohorts in the same direction (two, three)" in ledger.loc[0, "replication"]
    paths = pd.read_csv(out / "tables" / "multiverse.tsv", sep="\t")
    assert paths["method"].tolist() == ["mean_log2", "singscore"]
    assert paths.loc[paths["primary"], "estimate"].iloc[0] == pytest.approx(ledger.loc[0, "raw"], rel=1e-9)
    page = (out / "report.html").read_text()
    assert "cyt: 2 paths were declared, 2 have an effect." in page
    assert page.count("the others alone") == 2  # in the ledger, and among the claims that others were asked
    assert "What other cohorts say" in page
    assert json.loads((out / "results.json").read_text())["provenance"]["replication"] == ["one", "two", "three"]


def test_what_is_wrong_is_said_and_nothing_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = folder / "one.toml", folder / "two.toml"
    out = folder / "nothing"
    asked = ("replicate", one, two, "--out", out)
    assert "at least 2 cohorts, have 1" in refused(capsys, "replicate", one, "--plan", one, "--out", out)
    assert "different names, have one, one" in refused(capsys, "replicate", one, one, "--plan", one, "--out", out)
    assert "no feature 'cyt_meen'" in refused(capsys, *asked, "--plan", one, "--feature", "cyt_meen")
    assert "unknown endpoint 'orr'" in refused(capsys, *asked, "--plan", one, "--endpoint", "orr")
    assert "grid.tom: no such file" in refused(capsys, *asked, "--plan", folder / "grid.tom")
    assert "no replication" in refused(capsys, "run", one, "--replication", folder, "--out", out)
    assert "[multiverse]" in refused(capsys, "run", one, "--multiverse", one, "--out", out)
    renamed = one.read_text().replace('name = "one"', 'name = "same"')
    (folder / "same.toml").write_text(renamed)
    told = refused(capsys, "replicate", one, folder / "same.toml", "--plan", one, "--out", out)
    assert "one and same share one-0" in told
    assert "same measurements" in told
    assert "namesakes" in told
    assert not out.exists()
