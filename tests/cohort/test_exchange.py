"""What leaves for other programs comes back, or is refused with what they cannot hold."""

from __future__ import annotations

import re
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import DataFileError, UnknownNameError

MANIFESTS = Path(__file__).parents[2] / "data_manifests"


@pytest.fixture
def cohort() -> ims.Cohort:
    """Values that careless writers lose: numbers that are names, the text NA, quotes, missing flags, decimals, a table without days."""
    patients = pd.DataFrame(
        {
            "histology": ["UPS", 'the "other"', None],
            "sex": ["female", None, "male"],
            "os_days": [301.0, 77.0, np.nan],
            "os_event": [True, False, None],
            "pfs_days": [41.0, 77.0, 12.5],
            "pfs_event": [True, False, True],
            "ward": pd.array(["7", "8", "12"], dtype="string"),
            "center": pd.array(["007", "NA", "TRUE"], dtype="string"),
            "prior_lines": [1.0, np.nan, 0.1 + 0.2],
            "smoker": pd.array([True, None, False], dtype="boolean"),
        },
        index=pd.Index(["P1", "P2", "P3"], name="patient_id"),
    )
    samples = pd.DataFrame(
        {"patient_id": ["P1", "P1", "P2"], "timepoint": ["pre", "on", "pre"], "study_day": [-3.0, 22.0, np.nan]},
        index=pd.Index(["S1", "S2", "S3"], name="sample_id"),
    )
    tables = {
        "exposures": pd.DataFrame(
            {"patient_id": ["P1", "P2"], "study_day": [1.0, 22.0], "drug": ["doxorubicin", "nivolumab"]}
        ),
        "adverse_events": pd.DataFrame(
            {"patient_id": ["P1", "P3"], "study_day": [np.nan, 4.0], "term": ["rash", "NA"], "grade": [2.0, 3.0]}
        ),
        "neoantigens": pd.DataFrame({"patient_id": ["P2"], "sample_id": ["S3"], "count": [12.0]}),
        "analytes": pd.DataFrame(
            {
                "patient_id": ["P1", "P2"],
                "sample_id": ["S1", "S3"],
                "analyte": ["CXCL9", "CXCL9"],
                "value": [3.5, 0.25],
                "unit": ["pg/ml", "pg/ml"],
            }
        ),
        "variants": pd.DataFrame(
            {
                "patient_id": ["P1", "P2"],
                "sample_id": ["S1", "S3"],
                "gene": ["TP53", "RB1"],
                "consequence": ["Missense_Mutation", None],
                "chromosome": ["17", "X"],
                "position": [7577120.0, 48919244.0],
            }
        ),
    }
    rna = pd.DataFrame([[1 / 3, 0.0], [3.0, np.nan]], index=["S1", "S2"], columns=["GZMA", "PRF1"])
    scores = pd.DataFrame([[-1.25], [0.5]], index=["S1", "S3"], columns=["tis_18"])
    return ims.Cohort(
        patients=patients,
        samples=samples,
        tables=tables,
        assays={
            "rna": ims.make_assay(rna, unit="tpm", platform="polya_rnaseq"),
            "immune": ims.make_assay(scores, unit="score"),
        },
        provenance={"name": "Toy trial", "title": 'A "toy"', "caveats": ["made up"], "simulated": True},
    )


def _assert_same(one: ims.Cohort, other: ims.Cohort) -> None:
    pd.testing.assert_frame_equal(other.patients, one.patients)
    pd.testing.assert_frame_equal(other.samples, one.samples)
    assert set(other.tables) == set(one.tables)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(other.tables[name], table)
    assert other.sha256 == one.sha256


def test_cbioportal_out_and_in_is_the_same_cohort(cohort: ims.Cohort, tmp_path: Path) -> None:
    folder = cohort.write(tmp_path / "study", format="cbioportal")
    back = ims.load_cohort(folder / "immunosarc.toml")
    _assert_same(cohort, back)
    assert back.simulated
    assert (back.name, back.provenance["title"], back.provenance["caveats"]) == (
        "Toy trial",
        'A "toy"',
        ["made up"],
    )
    assert back["rna"].uns["immunosarc"]["platform"] == "polya_rnaseq"


def test_the_simulated_trial_comes_back(tmp_path: Path) -> None:
    cohort = ims.simulate_cohort(seed=3)
    _assert_same(cohort, ims.load_cohort(cohort.write(tmp_path / "s", format="cbioportal") / "immunosarc.toml"))


def test_the_portal_finds_what_its_format_asks_for(cohort: ims.Cohort, tmp_path: Path) -> None:
    folder = cohort.write(tmp_path / "study", format="cbioportal")
    study = dict(line.split(": ", 1) for line in (folder / "meta_study.txt").read_text().splitlines())
    assert study["cancer_study_identifier"] == "toy_trial"
    assert study["name"] == '[SIMULATED] A "toy"'
    for meta in folder.glob("meta_*.txt"):
        facts = dict(line.split(": ", 1) for line in meta.read_text().splitlines())
        assert facts["cancer_study_identifier"] == "toy_trial"
        assert meta.name == "meta_study.txt" or (folder / facts["data_filename"]).is_file()
    lines = (folder / "data_clinical_patient.txt").read_text().splitlines()
    assert [line[0] for line in lines[:5]] == ["#", "#", "#", "#", "P"]
    types = dict(zip(lines[4].split("\t"), lines[2][1:].split("\t"), strict=True))
    assert {types["SEX"], types["OS_STATUS"], types["OS_MONTHS"], types["SMOKER"]} == {
        "STRING",
        "NUMBER",
        "BOOLEAN",
    }
    assert types["OS_MONTHS"] == "NUMBER"
    first = dict(zip(lines[4].split("\t"), lines[5].split("\t"), strict=True))
    assert (first["SEX"], first["OS_STATUS"], first["PFS_STATUS"]) == ("Female", "1:DECEASED", "1:PROGRESSION")
    assert float(first["OS_MONTHS"]) == pytest.approx(301 / 30.4375)


def test_timelines_count_from_the_first_dose_as_day_0(cohort: ims.Cohort, tmp_path: Path) -> None:
    folder = cohort.write(tmp_path / "study", format="cbioportal")
    rows = pd.read_csv(folder / "data_timeline_exposures.txt", sep="\t")
    assert list(rows.columns[:4]) == ["PATIENT_ID", "START_DATE", "STOP_DATE", "EVENT_TYPE"]
    assert rows["START_DATE"].tolist() == [0, 21]
    assert rows["STUDY_DAY"].tolist() == [1, 22]
    assert rows["AGENT"].tolist() == ["doxorubicin", "nivolumab"]
    assert not (folder / "data_timeline_adverse_events.txt").exists()  # a day is missing: the portal would stop
    assert (folder / "immunosarc" / "adverse_events.txt").is_file()


def test_the_reader_of_any_study_reads_ours(cohort: ims.Cohort, tmp_path: Path) -> None:
    cohort.write(tmp_path / "study", format="cbioportal")
    (tmp_path / "other.toml").write_text(
        'name = "other"\n[cbioportal]\nfolder = "study"\n[samples]\ncolumns = { timepoint = "TIMEPOINT" }\n'
        '[assays.rna]\nstable_id = "rna_seq_mrna"\nunit = "tpm"\n'
    )
    back = ims.load_cohort(tmp_path / "other.toml")
    assert back.patients["os_event"].tolist() == [True, False, pd.NA]
    assert back.patients["os_days"].tolist()[:2] == pytest.approx([301, 77])
    assert back.tables["variants"]["gene"].tolist() == ["TP53", "RB1"]
    assert np.array_equal(back["rna"].X, cohort["rna"].X, equal_nan=True)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: {"patients": c.patients.rename({"P3": "P 3"})}, r"patient id 'P 3'.*rename"),
        (
            lambda c: {"patients": c.patients.reindex([*c.patients.index, "P 4", "P 5", "P 6"])},
            r"1 problem.*\n.*patient id 'P 4' and 2 more of 6: cBioPortal",
        ),
        (lambda c: {"patients": c.patients.assign(ward=["a\tb", "c", "d"])}, r"column WARD holds a tab"),
        (lambda c: {"patients": c.patients.assign(Ward=1.0)}, r"\['ward', 'Ward'\] would both be WARD"),
        (lambda c: {"assays": {"rna": _with_layer(c["rna"])}}, r"it carries raw, which a study .* cannot hold"),
        (lambda c: {"assays": {"cells": _cells()}}, r"its rows are cells.*pseudobulk"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_nothing_is_written(
    cohort: ims.Cohort, tmp_path: Path, change: object, what: str
) -> None:
    parts = {
        "patients": cohort.patients,
        "samples": cohort.samples,
        "assays": cohort.assays,
        "provenance": cohort.provenance,
    }
    changed = ims.Cohort(**(parts | change(cohort)))  # type: ignore[operator]
    with pytest.raises(DataFileError, match=what):
        changed.write(tmp_path / "study", format="cbioportal")
    assert list(tmp_path.iterdir()) == []


def _with_layer(adata: anndata.AnnData) -> anndata.AnnData:
    changed = adata.copy()
    changed.layers["raw"] = changed.X
    return changed


def _cells() -> anndata.AnnData:
    cells = anndata.AnnData(np.ones((2, 1)), obs=pd.DataFrame({"sample_id": ["S1", "S1"]}, index=["c1", "c2"]))
    cells.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    return cells


def test_a_folder_of_something_else_is_left_alone(cohort: ims.Cohort, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(DataFileError, match="is not a study folder"):
        cohort.write(tmp_path / "mine", format="cbioportal")
    folder = cohort.write(tmp_path / "study", format="cbioportal")
    assert cohort.write(folder, format="cbioportal") == folder  # one of ours is replaced
    with pytest.raises(UnknownNameError, match=r"Did you mean 'cbioportal'"):
        cohort.write(folder, format="cbioportl")


def test_real_cohorts_come_back(data_root: Path, tmp_path: Path) -> None:
    for name in ("tcga_sarc", "hugo2016"):
        cohort = ims.load_cohort(MANIFESTS / f"{name}.toml", data_root=data_root)
        _assert_same(
            cohort, ims.load_cohort(cohort.write(tmp_path / name, format="cbioportal") / "immunosarc.toml")
        )


def test_genes_of_mutations_come_back_and_stay_out_of_the_manifest(data_root: Path, tmp_path: Path) -> None:
    cohort = ims.load_cohort(MANIFESTS / "riaz2017_genomics.toml", data_root=data_root)
    cohort.write(tmp_path / "study", format="cbioportal")
    manifest = tmp_path / "study" / "immunosarc.toml"
    assert manifest.stat().st_size < 10_000
    back = ims.load_cohort(manifest)
    for name, table in cohort.tables.items():
        pd.testing.assert_frame_equal(back.tables[name], table)


def test_h5mu_opens_in_mudata(cohort: ims.Cohort, tmp_path: Path) -> None:
    mudata = pytest.importorskip("mudata")
    path = cohort.write(tmp_path / "toy.h5mu", format="h5mu")
    with mudata.set_options(pull_on_update=False):
        whole = mudata.read_h5mu(path)
    assert set(whole.mod) == {"rna", "immune"}
    assert np.array_equal(whole["rna"].X, cohort["rna"].X, equal_nan=True)
    kept = whole.uns["immunosarc"]
    assert kept["simulated"]
    assert kept["patients"].loc["P1", "pfs_days"] == 41
    assert kept["variants"]["gene"].tolist() == ["TP53", "RB1"]
    assert list(kept["samples"].index) == ["S1", "S2", "S3"]
    with pytest.raises(DataFileError, match=re.escape("ends in .h5mu")):
        cohort.write(tmp_path / "folder", format="h5mu")
    with pytest.raises(DataFileError, match="needs an assay"):
        ims.Cohort(patients=cohort.patients).to_mudata()
