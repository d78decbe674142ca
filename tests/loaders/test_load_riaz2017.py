"""The shipped manifest of riaz2017 against the facts stated with the data."""

from __future__ import annotations

import csv
import gzip
import time
from pathlib import Path

import numpy as np
import pytest

import immunosarc as ims
from immunosarc.loaders import read_manifest

MANIFEST = Path(__file__).parents[2] / "data_manifests" / "riaz2017.toml"


@pytest.fixture(scope="module")
def riaz(data_root) -> ims.Cohort:
    return ims.load_cohort(MANIFEST, data_root=data_root)


@pytest.mark.parametrize("path", sorted(MANIFEST.parent.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_manifests_are_complete(path: Path) -> None:
    manifest = read_manifest(path)
    assert manifest.name == path.stem
    assert all([manifest.title, manifest.citation, manifest.license, manifest.source, manifest.caveats])
    blocks = [manifest.patients, manifest.samples, *manifest.assays.values(), *manifest.tables.values()]
    assert all(block.sha256 for block in blocks if block is not None)


def test_libraries_samples_patients_and_pairs(riaz: ims.Cohort) -> None:
    steps = {step["step"]: step for step in riaz.provenance["loading"]}
    rna = steps["riaz2017/expression_counts.tsv.gz: rna"]
    assert (rna["kept"], len(rna["left_out"])) == (108, 10)
    assert all(row[1].endswith(".2") for row in rna["left_out"])
    samples = steps["riaz2017/clinical.tsv: samples"]
    assert samples["left_out"] == rna["left_out"]
    assert len(riaz.samples) == 108
    assert len(riaz.patients) == 65
    assert len(riaz.pairs) == 43
    assert riaz.samples["timepoint"].value_counts().to_dict() == {"on": 57, "pre": 51}


def test_attrition_reconciles_with_the_118_rows_of_both_files(riaz: ims.Cohort) -> None:
    flow = ims.attrition(riaz)
    sizes = flow.groupby("step", sort=False).size()
    assert (sizes[sizes.index.str.startswith("riaz2017/")] == 118).all()


def test_seven_patients_on_treatment_have_a_response_and_no_survival(riaz: ims.Cohort) -> None:
    on = riaz.patients.loc[riaz.samples.loc[riaz.samples["timepoint"] == "on", "patient_id"].unique()]
    without = on[on["os_days"].isna()]
    assert len(without) == 7
    assert without["best_overall_response"].notna().all()
    assert (without["best_overall_response"] == "NE").sum() == 1


def test_cells_are_those_of_the_files_read_another_way(riaz: ims.Cohort, data_root: Path) -> None:
    with (data_root / "riaz2017" / "clinical.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        patient = riaz.patients.loc[row["patient_id"]]
        assert patient["best_overall_response"] == row["bor"]
        assert (
            (patient["pfs_days"] == float(row["pfs_days"])) if row["pfs_days"] else np.isnan(patient["pfs_days"])
        )
        if row["os_event"]:
            assert bool(patient["os_event"]) is (row["os_event"] == "1.0")
    with gzip.open(data_root / "riaz2017" / "expression_counts.tsv.gz", "rt") as file:
        header = next(file).rstrip("\n").split("\t")
        for line in file:
            gene, *cells = line.rstrip("\n").split("\t")
            if gene in ("A2M", "GZMA", "PRF1", "CD8A"):
                counts = dict(zip(header[1:], map(float, cells), strict=True))
                column = riaz["rna"][:, gene].X.ravel()
                assert [counts[name] for name in riaz["rna"].obs_names] == column.tolist()
    assert riaz["rna"].shape == (108, 12951)


def test_event_flags_agree_with_the_independent_column(riaz: ims.Cohort, data_root: Path) -> None:
    with (data_root / "riaz2017" / "clinical.tsv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["iatlas_os_event"]]
    assert len(rows) > 100
    for row in rows:
        assert bool(riaz.patients.loc[row["patient_id"], "os_event"]) is (float(row["iatlas_os_event"]) == 1)


def test_it_loads_in_about_a_second(data_root: Path) -> None:
    start = time.process_time()
    ims.load_cohort(MANIFEST, data_root=data_root)
    assert time.process_time() - start < 3


def test_the_files_are_pinned_and_no_path_of_this_machine_is_kept(riaz: ims.Cohort, data_root: Path) -> None:
    assert {facts["status"] for facts in riaz.provenance["files"].values()} == {"pinned"}
    assert str(data_root) not in repr(riaz.provenance) + repr(riaz["rna"].uns)
