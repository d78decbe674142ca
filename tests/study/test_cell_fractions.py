"""Fractions of cell types in a run: the profiles that a manifest names, the numbers of `deconvolve`, or why not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.report._section_profile import build
from immunosarc.study import check
from immunosarc.study._profile import profile_tables

PURE = pd.DataFrame(
    {"B": [90.0, 80.0, 1.0, 0.0], "T": [2.0, 1.0, 70.0, 60.0]}, index=["CD19", "MS4A1", "CD3D", "CD3E"]
)
TUMORS = pd.DataFrame(
    {"CD19": [90e3, 46e3], "MS4A1": [80e3, 40.5e3], "CD3D": [1e3, 35.5e3], "CD3E": [0.0, 30e3], "ACTB": [829e3, 848e3]},
    index=["S1", "S2"],
)  # fmt: skip
MANIFEST = """
name = "two"
title = "Two tumors"
citation = "None"
license = "None"
source = "Invented"
time_unit = "days"

[patients]
file = "clinical.tsv"
columns = {{ patient_id = "id" }}

[samples]
file = "clinical.tsv"
columns = {{ sample_id = "id", patient_id = "id" }}
constants = {{ timepoint = "pre" }}

[assays.rna]
file = "tumors.tsv"
unit = "{unit}"
orientation = "samples_by_genes"
gene_id = "symbol"
platform = "polya_rnaseq"
{profiles}

[plan]
{plan}
[[plan.panels]]
name = "primary"
method = "mean_log2"
gene_sets = {{ b = ["CD19", "MS4A1"] }}
"""
NAMED = 'cell_profiles = "pure.tsv"\n'
SCALED = NAMED + 'mrna_scaling = "mrna.tsv"\n'


@pytest.fixture
def write(tmp_path):
    def write(profiles=SCALED, *, unit="tpm", plan="", pure=None):
        (tmp_path / "clinical.tsv").write_text("id\nS1\nS2\n")
        values = TUMORS if unit == "tpm" else TUMORS.round()
        values.to_csv(tmp_path / "tumors.tsv", sep="\t", index_label="id")
        (tmp_path / "mrna.tsv").write_text("B\t4\nT\t1\n")
        text = PURE.to_csv(sep="\t", index_label="ID") if pure is None else pure
        (tmp_path / "pure.tsv").write_text(text)
        path = tmp_path / "two.toml"
        path.write_text(MANIFEST.format(profiles=profiles, unit=unit, plan=plan))
        return path

    return write


def fractions(path, root):
    cohort = ims.load_cohort(path, data_root=root)
    tables = profile_tables(cohort, ims.study.plan_for(cohort), 3)
    return cohort, tables.get("cell_fractions")


def test_a_mixture_of_the_profiles_is_found_again(write, tmp_path):
    cohort, found = fractions(write(NAMED, plan='fractions = "nnls"'), tmp_path)
    wide = found.pivot(index="sample_id", columns="cell_type", values="value")
    # S2 is half of each profile, in mRNA
    np.testing.assert_allclose(wide, [[1.0, 0.0], [0.5, 0.5]], atol=1e-3)
    assert set(found["output"]) == {"cell_fraction"}
    _, scaled = fractions(write(SCALED, plan='fractions = "nnls"'), tmp_path)
    wide = scaled.pivot(index="sample_id", columns="cell_type", values="value")
    np.testing.assert_allclose(wide.loc["S2"], [0.2, 0.8], atol=1e-3)  # B cells hold four times the mRNA
    assert cohort.provenance["files"]["pure.tsv"]["status"] == "unpinned"


def test_the_profiles_are_part_of_the_cohort(write, tmp_path):
    cohort, found = fractions(write(), tmp_path)
    again = ims.Cohort.read(cohort.write(tmp_path / "cohort"))
    plan = ims.study.plan_for(cohort)
    pd.testing.assert_frame_equal(profile_tables(again, plan, 3)["cell_fractions"], found)
    other, _ = fractions(write(pure=(PURE * 2).to_csv(sep="\t", index_label="ID")), tmp_path)
    assert other.sha256 != cohort.sha256
    assert again.sha256 == cohort.sha256


def test_without_profiles_there_is_no_table(write, tmp_path):
    assert fractions(write(""), tmp_path)[1] is None


def test_counts_have_no_fractions_and_each_sample_says_why(write, tmp_path):
    _, found = fractions(write(unit="counts"), tmp_path)
    assert found["sample_id"].tolist() == ["S1", "S2"]
    assert found["value"].isna().all()
    assert found["status"].str.contains("quantiseq needs TPM .* the assay has counts").all()


@pytest.mark.parametrize(
    ("profiles", "pure", "message"),
    [
        ('mrna_scaling = "mrna.tsv"', None, "mrna_scaling belongs to cell_profiles: name both"),
        ('cell_profiles = "pur.tsv"', None, r"pur\.tsv: is missing .* Did you mean 'pure\.tsv'"),
        ('cell_profiles = "../pure.tsv"', None, "leaves the data root"),
        (NAMED, "ID\tB\nCD19\t1\n", r"pure\.tsv: .*at least two cell types"),
        (NAMED, "ID\tB\tT\nCD19\t1\thigh\nCD3D\t1\t2\n", r"pure\.tsv: .*not numbers in column\(s\) T"),
        (SCALED, "ID\tB\tNK\nCD19\t1\t3\nCD3D\t1\t2\n", r"pure\.tsv with mrna\.tsv: .*no mRNA content for NK"),
    ],
)
def test_wrong_profiles_stop_the_loading(write, tmp_path, profiles, pure, message):
    path = write(profiles, pure=pure)
    with pytest.raises(ims.errors.ImmunosarcError, match=f"(?s){message}"):
        ims.load_cohort(path, data_root=tmp_path)
    assert any("cell" in one or "pur" in one for one in check(path, data_root=tmp_path))


def test_the_report_says_shares_by_timepoint(write, tmp_path):
    cohort = ims.load_cohort(write(NAMED, plan='fractions = "nnls"'), data_root=tmp_path)
    study = ims.run(cohort)
    part = next(one for one in build(study).blocks if one.title == "Fractions of cell types")
    grid = part.blocks[1]
    assert grid.rows == [["B", "75.0 [62.5, 87.5], 2"], ["T", "25.0 [12.5, 37.5], 2"]]
    assert "Described, not tested" in part.blocks[0].text


def test_til10_on_racle2017_through_a_manifest(data_root, tmp_path):
    til10 = 'cell_profiles = "signatures/quantiseq_TIL10_signature.tsv"\n'
    til10 += 'mrna_scaling = "signatures/quantiseq_TIL10_mRNA_scaling.tsv"\n'
    text = MANIFEST.format(profiles=til10, unit="tpm", plan="")
    text = text.replace("clinical.tsv", "deconv_truth_racle2017/facs_truth.tsv").replace('"id"', '"sample"')
    text = text.replace("[samples]", 'keep = { cell_type = "B cell" }\n\n[samples]')
    text = text.replace("[assays.rna]", 'keep = { cell_type = "B cell" }\n\n[assays.rna]')
    text = text.replace("tumors.tsv", "deconv_truth_racle2017/expression_tpm.tsv.gz")
    path = tmp_path / "racle.toml"
    path.write_text(text.replace("samples_by_genes", "genes_by_samples"))
    cohort, found = fractions(path, data_root)
    folder = data_root / "signatures"
    given = ims.features.read_cell_profiles(
        folder / "quantiseq_TIL10_signature.tsv", mrna_scaling=folder / "quantiseq_TIL10_mRNA_scaling.tsv"
    )
    direct = ims.features.deconvolve(cohort["rna"], "quantiseq", reference=given, seed=3)
    pd.testing.assert_frame_equal(found, direct)
    b_cells = found[found["cell_type"] == "B.cells"].set_index("sample_id")["value"]
    assert b_cells.idxmax() in ("LAU1314", "LAU355")  # the two with most B cells by flow cytometry
