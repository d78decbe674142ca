"""Variants as MAF, rows of patients at a timepoint, and readings below a limit."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import immunosarc as ims
from immunosarc.errors import DataFileError, ImmunosarcError, ManifestError

CLINICAL = "id\tsample\ttime\nP1\tS1\tpre\nP1\tS1on\ton\nP2\tS2\tpre\nP3\tS3\ton\n"
HEAD = """
name = "toy"
[patients]
file = "clinical.tsv"
columns = { patient_id = "id" }
[samples]
file = "clinical.tsv"
columns = { sample_id = "sample", patient_id = "id", timepoint = "time" }
"""
MC3 = """\
#version 2.4
Hugo_Symbol\tChromosome\tStart_Position\tEnd_Position\tVariant_Classification\tVariant_Type\tReference_Allele\t\
Tumor_Seq_Allele2\tTumor_Sample_Barcode\tHGVSp_Short\tt_ref_count\tt_alt_count
TP53\t17\t7577120\t7577120\tMissense_Mutation\tSNP\tC\tT\tS1\tp.R273H\t30\t31
RB1\t13\t48919244\t48919245\tFrame_Shift_Del\tDEL\tAC\t-\tS2\tp.R137fs\t40\t12
"""
FUNCOTATOR = (
    MC3.replace("#version 2.4\n", "#version 2.4\n##fileformat=VCFv4.2\n")
    .replace("HGVSp_Short", "Protein_Change")
    .replace("\t31\n", "\t__UNKNOWN__\n")
)
PATIENT_ROWS = "Patient\tgene\twhat\nP1\tTP53\tmissense_variant\nP2\tRB1\tstop_gained\nP3\tPTEN\tstop_gained\n"
ANALYTES = "sample\tanalyte\tvalue\tunit\nS1\tIL6\t3.5\tpg/mL\nS2\tIL6\t<1.2\tpg/mL\nS3\tIL6\t\tpg/mL\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clinical.tsv").write_text(CLINICAL)
    return tmp_path


def _load(folder: Path, block: str, **files: str) -> ims.Cohort:
    for name, text in files.items():
        (folder / f"{name}.tsv").write_text(text)
    (folder / "toy.toml").write_text(HEAD + block)
    return ims.load_cohort(folder / "toy.toml")


def _refused(folder: Path, block: str, error: type[ImmunosarcError], **files: str) -> str:
    with pytest.raises(error) as caught:
        _load(folder, block, **files)
    return str(caught.value)


MAF = '[tables.variants]\nfile = "maf.tsv"\nformat = "maf"\n'


@pytest.mark.parametrize("text", [MC3, FUNCOTATOR])
def test_a_maf_needs_no_columns(folder: Path, text: str) -> None:
    table = _load(folder, MAF, maf=text).tables["variants"]
    assert table["gene"].tolist() == ["TP53", "RB1"]
    assert table["protein_change"].tolist() == ["p.R273H", "p.R137fs"]
    assert table["variant_type"].tolist() == ["SNP", "DEL"]
    assert table["alternate_reads"].fillna(-1).tolist() == [31 if text is MC3 else -1, 12]


@pytest.mark.parametrize("name", ["mc3.maf", "mc3.maf.gz"])
def test_a_maf_may_end_as_one(folder: Path, name: str) -> None:
    (folder / name).write_bytes(gzip.compress(MC3.encode()) if name.endswith(".gz") else MC3.encode())
    table = _load(folder, MAF.replace("maf.tsv", name)).tables["variants"]
    assert table["gene"].tolist() == ["TP53", "RB1"]


def test_the_declared_size_is_of_samples_with_rows_only(folder: Path) -> None:
    cohort = _load(folder, f"{MAF}callable_mb = 38.5\n", maf=MC3)
    assert cohort.samples["callable_mb"].fillna(0).to_dict() == {"S1": 38.5, "S1on": 0, "S2": 38.5, "S3": 0}
    assert ims.features.tumor_mutational_burden(cohort)["tmb_per_mb"].tolist() == pytest.approx([1 / 38.5] * 2)
    assert (
        "callable size unknown"
        in ims.features.tumor_mutational_burden(_load(folder, MAF, maf=MC3))["status"].iloc[0]
    )


def test_a_size_of_zero_or_twice_is_refused(folder: Path) -> None:
    assert "greater than 0" in _refused(folder, f"{MAF}callable_mb = 0.0\n", ManifestError, maf=MC3)
    sized = "id\tsample\ttime\tmb\nP1\tS1\tpre\t30\nP2\tS2\tpre\t\n"
    head = HEAD.replace('timepoint = "time" }', 'timepoint = "time", callable_mb = "mb" }')
    (folder / "clinical.tsv").write_text(sized)
    (folder / "maf.tsv").write_text(MC3)
    (folder / "toy.toml").write_text(head + MAF)
    assert ims.load_cohort(folder / "toy.toml").samples["callable_mb"].tolist() == [
        30,
        pytest.approx(np.nan, nan_ok=True),
    ]
    (folder / "toy.toml").write_text(head + MAF + "callable_mb = 38.0\n")
    with pytest.raises(ManifestError, match="callable_mb: the samples have this column already"):
        ims.load_cohort(folder / "toy.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Hugo_Symbol", "Symbol", "no column Hugo_Symbol, so this is no MAF"),
        ("Tumor_Sample_Barcode", "Barcode", "needs a column for 'sample_id'"),
        (
            "\t7577120\t7577120",
            "\t7,577,120\t7577120",
            "line 3, column 'Start_Position': '7,577,120' is not a number",
        ),
        ("\tS1\t", "\tS9\t", "sample 'S9' is not in the samples table"),
        ("\tSNP\t", "\tsnv\t", "'snv'"),
        ("p.R137fs\t40\t12\n", "p.R1", "10 cells, the header has 12"),
        ("TP53", "", "no value"),
    ],
)
def test_spoilt_mafs_say_where(folder: Path, old: str, new: str, said: str) -> None:
    assert old in MC3
    assert said in _refused(folder, MAF, ImmunosarcError, maf=MC3.replace(old, new, 1))


def test_long_deletions_are_no_free_text(folder: Path) -> None:
    long = MC3.replace("\tAC\t-", f"\t{'ACGT' * 60}\t-")
    assert _load(folder, MAF, maf=long).tables["variants"]["reference_allele"].str.len().tolist() == [1, 240]
    text = MC3.replace("\tAC\t-", f"\t{'Said by her doctor ' * 9}\t-")
    assert "is free text" in _refused(folder, MAF, ImmunosarcError, maf=text)


OF_PATIENTS = """[tables.variants]
file = "rows.tsv"
sample_at = "pre"
columns = { patient_id = "Patient", gene = "gene", consequence = "what" }
"""


def test_rows_of_patients_are_of_their_sample_at_a_timepoint(folder: Path) -> None:
    cohort = _load(folder, OF_PATIENTS, rows=PATIENT_ROWS)
    table = cohort.tables["variants"]
    assert table[["patient_id", "sample_id"]].values.tolist() == [["P1", "S1"], ["P2", "S2"]]
    flow = ims.attrition(cohort).query("step == 'rows.tsv: variants' and not kept")
    assert flow[["patient_id", "reason"]].values.tolist() == [["P3", "no pre sample"]]
    strange = PATIENT_ROWS.replace("P3", "P9")
    assert "patient 'P9' has no sample at all" in _refused(folder, OF_PATIENTS, DataFileError, rows=strange)
    (folder / "clinical.tsv").write_text(CLINICAL + "P2\tS2b\tpre\n")
    assert "['P2'] have several" in _refused(folder, OF_PATIENTS, DataFileError).replace("patients 'P2'", "['P2']")


def test_sample_at_and_size_where_they_do_not_belong(folder: Path) -> None:
    lesions = (
        '[tables.lesions]\nfile = "rows.tsv"\nsample_at = "pre"\ncallable_mb = 3.0\nlimits = { below = "<" }\n'
    )
    message = _refused(folder, lesions, ManifestError, rows=PATIENT_ROWS)
    for said in ("sample_at: rows of this table are of patients", "callable_mb belongs in", "limits belongs in"):
        assert said in message


LIMITS = '[tables.analytes]\nfile = "soluble.tsv"\nlimits = { below = "<" }\ncolumns = { sample_id = "sample", '
LIMITS += 'analyte = "analyte", value = "value", unit = "unit" }\n'


def test_a_row_of_a_sample_does_not_name_its_patient_too(folder: Path) -> None:
    both = (
        '[tables.neoantigens]\nfile = "rows.tsv"\n'
        'columns = { patient_id = "Patient", sample_id = "Sample", count = "N" }\n'
    )
    message = _refused(folder, both, ManifestError, rows="Patient\tSample\tN\nP1\tS1\t4\n")
    assert "[tables.neoantigens] columns: a row is of the patient whose sample it is; remove patient_id" in message


def test_readings_below_a_limit_are_taken_apart(folder: Path) -> None:
    table = _load(folder, LIMITS, soluble=ANALYTES).tables["analytes"]
    assert table["value"].fillna(-1).tolist() == [3.5, 1.2, -1]
    assert table["limit_of_detection"].fillna(-1).tolist() == [-1, 1.2, -1]
    assert table["below_limit"].fillna(False).tolist() == [False, True, False]
    plain = LIMITS.replace('limits = { below = "<" }\n', "")
    assert "'<1.2' is not a number" in _refused(folder, plain, DataFileError, soluble=ANALYTES)
    odd = ANALYTES.replace("<1.2", "<low")
    assert "line 3, column 'value': 'low' is not a number" in _refused(folder, LIMITS, DataFileError, soluble=odd)
    comma = ANALYTES.replace("3.5", "3,5")
    assert "'3,5' is not a number" in _refused(folder, LIMITS, DataFileError, soluble=comma)
    twice = LIMITS.replace('unit = "unit"', 'unit = "unit", limit_of_detection = "unit"')
    assert "remove columns.limit_of_detection" in _refused(folder, twice, ManifestError, soluble=ANALYTES)
    assert "found 'x'" in _refused(
        folder, LIMITS.replace('{ below = "<" }', '"x"'), ManifestError, soluble=ANALYTES
    )
