"""A study folder of cBioPortal loads as the tables that it is made of."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims

STUDY = {
    "meta_study.txt": "type_of_cancer: soft_tissue\ncancer_study_identifier: toy_2024\nname: Toy (2024)\n",
    "meta_clinical_patient.txt": (
        "cancer_study_identifier: toy_2024\ngenetic_alteration_type: CLINICAL\n"
        "datatype: PATIENT_ATTRIBUTES\ndata_filename: data_clinical_patient.txt\n"
    ),
    "data_clinical_patient.txt": (
        "#Patient Identifier\tSex\tAge\tOverall survival\tStatus\tPFS\tStatus\tArm\n"
        "#Patient Identifier\tSex\tAge\tMonths\tStatus\tMonths\tStatus\tArm\n"
        "#STRING\tSTRING\tNUMBER\tNUMBER\tSTRING\tNUMBER\tSTRING\tSTRING\n"
        "#1\t1\t1\t1\t1\t1\t1\t1\n"
        "PATIENT_ID\tSEX\tAGE\tOS_MONTHS\tOS_STATUS\tPFS_MONTHS\tPFS_STATUS\tARM\n"
        "P1\tFemale\t61\t12\t0:LIVING\t3.5\t1:PROGRESSION\tA\n"
        "P2\tMale\t48\t6.25\t1:DECEASED\t2\t0:CENSORED\tB\n"
        "P3\tMale\t55\t[Not Available]\t0:LIVING\t\t\tB\n"
    ),
    "meta_clinical_sample.txt": (
        "cancer_study_identifier: toy_2024\ngenetic_alteration_type: CLINICAL\n"
        "datatype: SAMPLE_ATTRIBUTES\ndata_filename: data_clinical_sample.txt\n"
    ),
    "data_clinical_sample.txt": (
        "#Sample\tPatient\tType\n#Sample\tPatient\tType\n#STRING\tSTRING\tSTRING\n#1\t1\t1\n"
        "SAMPLE_ID\tPATIENT_ID\tSAMPLE_TYPE\nS1\tP1\tPrimary\nS2\tP2\tPrimary\n"
    ),
    "meta_mrna.txt": (
        "cancer_study_identifier: toy_2024\ngenetic_alteration_type: MRNA_EXPRESSION\ndatatype: CONTINUOUS\n"
        "stable_id: rna_seq_v2_mrna\nprofile_name: mRNA: RSEM\ndata_filename: data_mrna_seq_v2_rsem.txt\n"
    ),
    "data_mrna_seq_v2_rsem.txt": "Hugo_Symbol\tEntrez_Gene_Id\tS1\tS2\nGZMA\t3001\t10.5\t2\nPRF1\t5551\t0\t3.25\n",
    "meta_mutations.txt": (
        "cancer_study_identifier: toy_2024\ngenetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\n"
        "stable_id: mutations\ndata_filename: data_mutations.txt\n"
    ),
    "data_mutations.txt": (
        "#version 2.4\nHugo_Symbol\tChromosome\tStart_Position\tVariant_Classification\tTumor_Sample_Barcode\t"
        "HGVSp_Short\tt_alt_count\n"
        "TP53\t17\t7577120\tMissense_Mutation\tS1\tp.R273H\t31\n"
        "RB1\t13\t48919244\tNonsense_Mutation\tS2\tp.R137*\t12\n"
        "RB1\tX\t48919250\tSilent\tS2\t\tNA\n"
    ),
    "meta_cna.txt": (
        "cancer_study_identifier: toy_2024\ngenetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: DISCRETE\n"
        "stable_id: gistic\ndata_filename: data_cna.txt\n"
    ),
    "data_cna.txt": "Hugo_Symbol\tS1\nMDM2\t2\n",
    "meta_timeline_treatment.txt": (
        "cancer_study_identifier: toy_2024\ngenetic_alteration_type: CLINICAL\ndatatype: TIMELINE\n"
        "data_filename: data_timeline_treatment.txt\n"
    ),
    "data_timeline_treatment.txt": (
        "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tAGENT\n"
        "P1\t90\t95\tTREATMENT\tIfosfamide\n"
        "P1\t100\t120\tTREATMENT\tDoxorubicin\n"
        "P1\t130\t\tTREATMENT\tDoxorubicin\n"
        "P1\t140\t140\tSURGERY\t\n"
        "P2\t7\t8\tTREATMENT\tDoxorubicin\n"
    ),
}
MANIFEST = """\
name = "toy"
[cbioportal]
folder = "study"
first_dose = { AGENT = "Doxorubicin" }
[samples]
constants = { timepoint = "pre" }
[assays.rna]
stable_id = "rna_seq_v2_mrna"
unit = "rsem_normalized"
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    for name, text in STUDY.items():
        (tmp_path / "study" / name).write_text(text)
    (tmp_path / "toy.toml").write_text(MANIFEST)
    return tmp_path


def _change(folder: Path, name: str, old: str, new: str) -> Path:
    path = folder / name if name == "toy.toml" else folder / "study" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return folder


def _load(folder: Path) -> ims.Cohort:
    return ims.load_cohort(folder / "toy.toml")


def _refused(folder: Path) -> str:
    with pytest.raises(ims.errors.ImmunosarcError) as caught:
        _load(folder)
    return str(caught.value)


def test_patients_samples_and_expression(files: Path) -> None:
    cohort = _load(files)
    patients = cohort.patients
    assert patients["sex"].tolist() == ["female", "male", "male"]
    assert patients["age"].tolist() == [61, 48, 55]
    assert patients["os_days"].tolist()[:2] == pytest.approx([12 * 30.4375, 6.25 * 30.4375])
    assert patients["os_event"].tolist() == [False, True, pd.NA]  # living, but nobody knows for how long
    assert patients["pfs_event"].tolist() == [True, False, pd.NA]
    assert cohort.samples["patient_id"].to_dict() == {"S1": "P1", "S2": "P2"}
    assert list(cohort["rna"].var_names) == ["GZMA", "PRF1"]
    assert cohort["rna"].X.tolist() == [[10.5, 0], [2, 3.25]]


def test_treatments_are_counted_from_the_first_dose(files: Path) -> None:
    table = _load(files).tables["medications"]
    assert table[["patient_id", "drug"]].to_numpy().tolist() == [
        ["P1", "Ifosfamide"],
        ["P1", "Doxorubicin"],
        ["P1", "Doxorubicin"],
        ["P2", "Doxorubicin"],
    ]
    assert table["study_day"].tolist() == [-10, 1, 31, 1]
    assert table["end_day"].tolist()[:2] == [-5, 21]
    assert pd.isna(table["end_day"][2])


def test_mutations_are_variants_of_samples_and_their_patients(files: Path) -> None:
    cohort = _load(files)
    table = cohort.tables["variants"]
    assert table[["patient_id", "sample_id", "gene", "consequence"]].to_numpy().tolist() == [
        ["P1", "S1", "TP53", "Missense_Mutation"],
        ["P2", "S2", "RB1", "Nonsense_Mutation"],
        ["P2", "S2", "RB1", "Silent"],
    ]
    assert table["position"].tolist() == [7577120, 48919244, 48919250]
    assert table["chromosome"].tolist() == ["17", "13", "X"]
    assert table["alternate_reads"].tolist()[:2] == [31, 12]
    assert pd.isna(table["alternate_reads"][2])
    assert pd.isna(table["protein_change"][2])
    assert cohort.select(samples=["S1"]).tables["variants"]["gene"].tolist() == ["TP53"]
    assert len(cohort.select(samples=["S1"]).tables["medications"]) == 4


def test_variants_of_samples_that_left_leave_too_and_are_recorded(files: Path) -> None:
    cohort = _load(_change(files, "toy.toml", "[samples]\n", '[samples]\ndrop = { SAMPLE_ID = "S2" }\n'))
    assert cohort.tables["variants"]["sample_id"].tolist() == ["S1"]
    steps = {step["step"]: step for step in cohort.provenance["loading"]}
    step = steps["study/data_mutations.txt: variants"]
    assert step["kept"] == 1
    assert step["left_out"] == [["P2", "S2", "sample was left out: SAMPLE_ID is S2"]] * 2


def test_variants_belong_to_the_patient_of_their_sample() -> None:
    patients = pd.DataFrame({"patient_id": ["P1", "P2"]})
    samples = pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]})
    rows = pd.DataFrame({"patient_id": ["P2", "P1"], "sample_id": ["S1", "S9"], "gene": ["TP53", "RB1"]})
    with pytest.raises(ims.errors.CohortError) as caught:
        ims.Cohort(patients, samples, tables={"variants": rows})
    assert "table 'variants': sample ['S9'] not in the samples table" in str(caught.value)
    assert "table 'variants': sample ['S1'] is of another patient in the samples table" in str(caught.value)


def test_what_is_not_read_is_said(files: Path) -> None:
    said = [one for one in _load(files).provenance["caveats"] if "is not read" in one]
    assert said == ["study/data_cna.txt is not read: there is no table for COPY_NUMBER_ALTERATION (DISCRETE)"]
    _change(files, "toy.toml", 'first_dose = { AGENT = "Doxorubicin" }\n', "")
    said = _load(files).provenance["caveats"]
    assert any(one.startswith("study/data_timeline_treatment.txt is not read: its days have") for one in said)
    rows = [row for step in _load(files).provenance["loading"] for row in step["left_out"]]
    assert rows == []


def test_rows_of_the_timeline_that_are_no_treatment_are_recorded(files: Path) -> None:
    steps = {step["step"]: step for step in _load(files).provenance["loading"]}
    step = steps["study/data_timeline_treatment.txt: medications"]
    assert step["kept"] == 4
    assert [row[2] for row in step["left_out"]] == ["EVENT_TYPE is SURGERY, not TREATMENT or Treatment"]


def test_the_manifest_comes_first(files: Path) -> None:
    _change(
        files,
        "toy.toml",
        "[samples]\n",
        '[patients]\ncolumns = { arm = "ARM", age = "AGE" }\nkeep = { ARM = "B" }\n[samples]\n',
    )
    cohort = _load(files)
    assert cohort.patients["arm"].tolist() == ["B", "B"]
    assert cohort["rna"].n_obs == 1


def test_lines_are_those_of_the_file(files: Path) -> None:
    message = _refused(_change(files, "data_clinical_patient.txt", "P2\tMale", "P2\tM"))
    assert (
        "study/data_clinical_patient.txt line 7, column 'SEX': code 'M' is not listed in [patients] recode.sex"
        in message
    )


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("toy.toml", 'folder = "study"', 'folder = "stdy"', "stdy: no meta_*.txt stands in it"),
        ("toy.toml", 'folder = "study"', 'folder = "../study"', "../study: the path leaves the data root"),
        ("toy.toml", 'folder = "study"\n', "", '[cbioportal] needs folder = "..."'),
        (
            "toy.toml",
            "first_dose",
            "first_dos",
            "line 4: unknown key 'first_dos' in [cbioportal]. Did you mean 'first_dose'?",
        ),
        (
            "toy.toml",
            "rna_seq_v2_mrna",
            "rna_seq_mrna",
            "[assays.rna] stable_id: the study has no 'rna_seq_mrna'. Did you",
        ),
        ("toy.toml", 'unit = "rsem_normalized"\n', "", "[assays.rna] lacks 'unit'"),
        ("toy.toml", 'constants = { timepoint = "pre" }', "", "[samples] needs a column for 'timepoint'"),
        ("toy.toml", '"Doxorubicin"', '"Doxil"', "[tables.medications] first_dose: no row has AGENT = 'Doxil'"),
        (
            "meta_clinical_sample.txt",
            "SAMPLE_ATTRIBUTES",
            "SAMPLE",
            "no meta files declare datatype: SAMPLE_ATTRIBUTES",
        ),
        ("data_timeline_treatment.txt", "AGENT", "DRUG", "no timeline has the columns AGENT and START_DATE"),
        (
            "data_timeline_treatment.txt",
            "P1\t100\t",
            "P1\t100.5\t",
            "line 3, column 'START_DATE': a whole number of days",
        ),
        (
            "data_mrna_seq_v2_rsem.txt",
            "Hugo_Symbol\tEntrez_Gene_Id",
            "Entrez_Gene_Id\tHugo_Symbol",
            "Hugo_Symbol is needed",
        ),
        (
            "data_mutations.txt",
            "Missense_Mutation\tS1",
            "Missense_Mutation\tS3",
            "study/data_mutations.txt line 3, column 'Tumor_Sample_Barcode': sample 'S3' is not in the samples table",
        ),
        (
            "data_clinical_patient.txt",
            "0:LIVING",
            "ALIVE",
            "code 'ALIVE' is not listed in [patients] recode.os_event",
        ),
    ],
)
def test_what_is_refused(files: Path, name: str, old: str, new: str, message: str) -> None:
    assert message in _refused(_change(files, name, old, new))


def test_only_comments(files: Path) -> None:
    (files / "study" / "data_clinical_sample.txt").write_text("#a\n#b\n")
    assert "every line begins with '#', as comment says; rows are needed" in _refused(files)


def test_a_manifest_without_its_files_says_so(files: Path) -> None:
    with pytest.raises(ims.errors.ManifestError, match="load_cohort and check_manifest read them"):
        ims.loaders.read_manifest(files / "toy.toml")


def test_a_study_folder_cannot_be_fetched_and_the_cure_can_work(files: Path) -> None:
    with pytest.raises(
        ims.errors.ManifestError, match=r"no address to fetch from\. Get the study from its source"
    ):
        ims.loaders.fetch_files(files / "toy.toml")
