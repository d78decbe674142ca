"""The commands predict lock, transport and apply: what the functions give, and readable ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import cli

MANIFEST = """
name = "NAME"
title = "Some patients"
citation = "none"
license = "CC0-1.0"
source = "written by a test"
time_unit = "days"

[patients]
file = "clinical.tsv"
columns = { patient_id = "id", best_overall_response = "bor" }

[samples]
file = "clinical.tsv"
columns = { sample_id = "id", patient_id = "id", timepoint = "when" }

[assays.rna]
file = "expression.tsv"
unit = "tpm"
orientation = "genes_by_samples"
gene_id = "symbol"
platform = "PLATFORM"
"""


def cohort(folder: Path, seed: int, platform: str = "polya_rnaseq", genes: int = 12) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    ids = [f"{folder.name}{i}" for i in range(60)]
    response = np.arange(60) % 3 == 0
    pd.DataFrame({"id": ids, "bor": np.where(response, "PR", "PD"), "when": "pre"}).to_csv(
        folder / "clinical.tsv", sep="\t", index=False
    )
    names = ["GZMA", "PRF1", *(f"GENE{i}" for i in range(genes - 2))]
    values = 2 ** rng.normal(4, 1, size=(genes, 60))
    values[:2] *= np.where(response, 4.0, 1.0)
    pd.DataFrame(values, index=pd.Index(names, name="gene"), columns=ids).to_csv(
        folder / "expression.tsv", sep="\t"
    )
    path = folder / "cohort.toml"
    path.write_text(MANIFEST.replace("NAME", folder.name).replace("PLATFORM", platform))
    return path


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


@pytest.fixture
def lock(tmp_path: Path) -> list[object]:
    words = ["--endpoint", "objective_response", "--name", "cyt", "--intended-use", "An example."]
    made = cohort(tmp_path / "a", 1)
    return ["predict", "lock", made, tmp_path / "cyt.json", "--signature", "cyt", "--n-bootstrap", 2, *words]


def test_lock_try_and_apply(lock: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = cohort(tmp_path / "b", 2, genes=10)
    assert call(*lock, "--shared-with", other) == 0
    assert "# Model card: cyt" in capsys.readouterr().err
    model = ims.models.read_model(tmp_path / "cyt.json")
    assert len(model.recipe["genes"]) == 10
    assert call("predict", "transport", tmp_path / "cyt.json", other, "--out", tmp_path / "t") == 0
    told = ims.study.transport_to(model, ims.load_cohort(other))
    assert told.verdict in capsys.readouterr().err
    written = pd.read_csv(tmp_path / "t" / "tables" / "transport.tsv", sep="\t")
    assert written["estimate"].to_numpy() == pytest.approx(told.performance["estimate"].to_numpy(), abs=1e-12)
    assert call("predict", "apply", tmp_path / "cyt.json", other, "--out", tmp_path / "p") == 0
    risks = pd.read_csv(tmp_path / "p" / "tables" / "predicted.tsv", sep="\t")
    assert risks["risk"].notna().sum() == (risks["status"] == "ok").sum() > 40
    assert "of 60 patients predicted" in capsys.readouterr().err


def test_ends_are_readable(lock: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = cohort(tmp_path / "b", 2, platform="nanostring")
    assert call(*lock) == 0
    assert call(*lock) == 2
    assert "a model is locked once" in capsys.readouterr().err
    assert call("predict", "apply", tmp_path / "cyt.json", other, "--out", tmp_path / "p") == 2
    said = capsys.readouterr().err
    assert "platform: the model was made from 'polya_rnaseq', this is 'nanostring'" in said
    assert not (tmp_path / "p").exists()
    assert call("predict", "transport", tmp_path / "cyt.json", other, "--out", tmp_path / "t") == 0
    assert "another assay than the model was made from: platform" in capsys.readouterr().err
    few = cohort(tmp_path / "c", 3, genes=5)
    assert call("predict", "transport", tmp_path / "cyt.json", few, "--out", tmp_path / "u") == 2
    assert "lock the model on the genes that both cohorts have" in capsys.readouterr().err
    assert call("run", few, "--locked-model", tmp_path / "none.json", "--out", tmp_path / "v") == 2
    assert "does not exist" in capsys.readouterr().err
