"""The commands score and classify: the same numbers as the functions, and one message when they cannot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import cli

MANIFEST = """
name = "pairs"
title = "Pairs"
citation = "none"
license = "CC0-1.0"
source = "written by a test"
time_unit = "days"

[patients]
file = "clinical.tsv"
columns = { patient_id = "id", histology = "histology" }

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
def trial(tmp_path: Path) -> Path:
    """Twelve patients with two biopsies each, every gene of the catalog and of the reference's populations."""
    ids = [f"P{i // 2:02}" for i in range(24)]
    clinical = pd.DataFrame({"id": ids, "sample": [f"S{i:02}" for i in range(24)], "when": ["pre", "on"] * 12})
    clinical["histology"] = ["SS" if int(i[1:]) < 4 else "UPS" for i in ids]
    clinical.to_csv(tmp_path / "clinical.tsv", sep="\t", index=False)
    genes = {gene for one in ims.features.signatures().values() for gene in one.all_genes}
    genes |= {gene for one in ims.features.sarcoma_reference().populations.values() for gene in one.genes}
    values = np.random.default_rng(0).gamma(0.8, 20.0, (len(genes), 24)).round(3)
    frame = pd.DataFrame(values, index=pd.Index(sorted(genes), name="gene"), columns=clinical["sample"])
    frame.to_csv(tmp_path / "expression.tsv", sep="\t")
    (tmp_path / "trial.toml").write_text(MANIFEST)
    return tmp_path / "trial.toml"


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


def table(out: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(out / "tables" / f"{name}.tsv", sep="\t")


def test_score_writes_what_the_functions_give(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert call("score", trial, "--out", out) == 0
    assert capsys.readouterr().out.strip() == str(out / "tables" / "scores.tsv")
    cohort = ims.load_cohort(trial)
    expected = ims.features.score(cohort["rna"], method="published")
    found = table(out, "scores").set_index("sample_id")
    np.testing.assert_allclose(found[expected.columns], expected, rtol=1e-12)
    assert len(table(out, "coverage")) == len(table(out, "applicability")) == 109
    lineage = table(out, "lineage").set_index(["sample_id", "signature"])
    assert lineage.loc[("S00", "mcp_t_cells"), "genes"] == "MAL"
    assert not lineage.loc[("S20", "mcp_t_cells"), "flagged"]
    about = json.loads((out / "tables" / "scores.json").read_text())
    assert about["scoring"]["cyt"] == "geometric_mean(log2_tpm)"
    assert about["provenance"]["name"] == "pairs"


def test_score_reads_ones_own_sets(trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gmt = tmp_path / "own.gmt"
    gmt.write_text("killers\tmine\tGZMA\tPRF1\n")
    assert call("score", trial, "--out", tmp_path / "o", "--signatures", gmt, "--method", "ssgsea") == 0
    found = table(tmp_path / "o", "scores").set_index("sample_id")["killers"]
    expected = ims.features.score(ims.load_cohort(trial)["rna"], {"killers": ["GZMA", "PRF1"]}, method="ssgsea")
    np.testing.assert_allclose(found, expected["killers"], rtol=1e-12)
    capsys.readouterr()
    assert call("score", trial, "--out", tmp_path / "p", "--method", "ssgse") == 2
    assert "Did you mean 'ssgsea'" in capsys.readouterr().err
    assert call("score", trial, "--out", tmp_path / "p", "--assay", "rnaseq") == 2
    assert "rnaseq" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_score_writes_cell_types_and_keeps_scores_and_fractions_apart(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adata = ims.load_cohort(trial)["rna"]
    values = np.random.default_rng(1).gamma(1.0, 50.0, (adata.n_vars, 3)).round(2)
    pure = pd.DataFrame(values, index=pd.Index(adata.var_names, name="ID"), columns=["B", "T", "M"])
    pure.to_csv(tmp_path / "pure.tsv", sep="\t")
    (tmp_path / "mrna.tsv").write_text("B\t1.0\nT\t2.0\nM\t4.0\n")
    out, files = (
        tmp_path / "out",
        ("--cell-profiles", tmp_path / "pure.tsv", "--mrna-scaling", tmp_path / "mrna.tsv"),
    )
    how = ("--method", "mean_log2", "--cell-method", "nnls", *files)
    assert call("score", trial, "--out", out, *how, "--seed", "3") == 0
    scores, fractions = table(out, "cells"), table(out, "cell_fractions")
    assert set(scores["method"]) == {"mcp_counter", "danaher"}
    assert set(scores["output"]) == {"cell_score"}
    assert set(fractions["output"]) == {"cell_fraction"}
    profiles = ims.features.read_cell_profiles(tmp_path / "pure.tsv", mrna_scaling=tmp_path / "mrna.tsv")
    expected = ims.features.deconvolve(adata, "nnls", reference=profiles, seed=3)
    for column in ("value", "conf_low", "conf_high"):
        np.testing.assert_allclose(fractions[column], expected[column].astype(float), rtol=1e-9)
    capsys.readouterr()
    assert call("score", trial, "--out", tmp_path / "x", *how, "--cell-method", "danaher") == 2
    assert "gives scores" in capsys.readouterr().err
    assert call("score", trial, "--out", tmp_path / "x", "--mrna-scaling", tmp_path / "mrna.tsv") == 2
    assert "belongs to --cell-profiles" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_classify_writes_classes_places_and_changes(trial: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("classify", trial, "--out", out, "--guard", "declared") == 0
    adata = ims.load_cohort(trial)["rna"]
    classes = table(out, "classes")
    for scheme in ("hot_cold", "sarcoma_immune_class"):
        expected = ims.features.classify(adata, scheme, guard="declared")
        found = classes.loc[classes["scheme"] == scheme].reset_index(drop=True)
        assert found["label"].tolist() == expected["label"].tolist()
        np.testing.assert_allclose(found["score"], expected["score"].astype(float), rtol=1e-12)
    assert len(table(out, "placement")) == 24 * 12
    change = table(out, "placed_change").set_index(["patient_id", "population"])
    z = table(out, "placement").pivot(index="sample_id", columns="population", values="z")
    assert change.loc[("P03", "CYT"), "difference"] == pytest.approx(z.loc["S07", "CYT"] - z.loc["S06", "CYT"])
    about = json.loads((out / "tables" / "classes.json").read_text())
    assert about["reference_sha256"] == ims.features.sarcoma_reference().hash


def test_a_cohort_is_frozen_once_and_read_again(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen = tmp_path / "own.json"
    assert call("classify", trial, "--out", tmp_path / "one", "--freeze", frozen) == 0
    assert call("classify", trial, "--out", tmp_path / "two", "--reference", frozen) == 0
    for name in ("classes", "placement"):
        assert (tmp_path / "one" / "tables" / f"{name}.tsv").read_bytes() == (
            tmp_path / "two" / "tables" / f"{name}.tsv"
        ).read_bytes()
    capsys.readouterr()
    assert call("classify", trial, "--out", tmp_path / "one", "--freeze", frozen) == 2
    assert "a reference is frozen once" in capsys.readouterr().err
    assert call("classify", trial, "--out", tmp_path / "x", "--freeze", frozen, "--reference", frozen) == 2
    assert "give one of them" in capsys.readouterr().err


def test_what_cannot_be_classified_is_one_message(
    trial: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial.write_text(MANIFEST.replace('"polya_rnaseq"', '"exome_capture"'))
    assert call("classify", trial, "--out", tmp_path / "out") == 2
    assert "polyA RNA-seq, the assay is exome_capture" in capsys.readouterr().err
    trial.write_text(MANIFEST)
    lengths = tmp_path / "lengths.tsv"
    lengths.write_text("gene\tlength\nGZMA\tlong\n")
    assert call("classify", trial, "--out", tmp_path / "out", "--gene-lengths", lengths) == 2
    assert "must hold a gene and its length" in capsys.readouterr().err
    lengths.write_text("gene\tlength\nGZMA\t900\nGZMA\t800\n")
    assert call("classify", trial, "--out", tmp_path / "out", "--gene-lengths", lengths) == 2
    assert "genes repeated: GZMA" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
