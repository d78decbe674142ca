"""A small cohort on disk that exercises every kind of declaration, and a way to spoil it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

import immunosarc as ims

CLINICAL = """\
sample\tpatient\ttime\tday\tresp\tpfs\tprog\tgender\tage\trep\tward
S1\tP1\tbaseline\t-3\tPR\t6.5\tyes\tF\t61\t0\t07
S2\tP1\tC2\t22\tPR\t6.5\tyes\tF\t61\t0\t07
S3\tP2\tbaseline\t1\tPD\t1.5\tyes\tM\t48\t0\t11
S3b\tP2\tbaseline\t1\tPD\t1.5\tyes\tM\t48\t1\t11
S4\tP3\tbaseline\t-7\tNA\t\t\tF\t70.5\t0\t07
"""
COUNTS = """\
gene\tS3\tS1\tS3b\tS2
GZMA\t5\t10\t7\t40
PRF1\t0\t3\t1\t12
ACTB\t900\t1100\t950\t
"""
LESIONS = """\
patient,day,lesion,kind,mm
P1,-7,L1,T,31
P1,43,L1,T,12.5
P2,-1,"L1, left",NT,
"""
MANIFEST = """\
name = "toy"
title = "A toy"
citation = "None"
license = "None"
source = "Invented"
time_unit = "months"
caveats = ["Not real."]

[patients]
file = "in/clinical.tsv"
missing = ["NA"]

[patients.columns]
patient_id = "patient"
best_overall_response = "resp"
pfs_time = "pfs"
pfs_event = "prog"
sex = "gender"
age = "age"
ward = "ward"

[patients.recode]
pfs_event = { yes = true, no = false }
sex = { F = "female", M = "male" }

[samples]
file = "in/clinical.tsv"
keep = { rep = 0 }
columns = { sample_id = "sample", patient_id = "patient", timepoint = "time", study_day = "day" }
recode = { timepoint = { baseline = "pre", C2 = "on" } }

[assays.rna]
file = "in/counts.tsv"
unit = "counts"
orientation = "genes_by_samples"
gene_id = "symbol"
platform = "polya_rnaseq"

[tables.lesions]
file = "in/lesions.csv"
columns = { patient_id = "patient", study_day = "day", lesion_id = "lesion", role = "kind", diameter_mm = "mm" }
recode = { role = { T = "target", NT = "non_target" } }

[plan]
alpha = 0.1
frozen_on = 2025-03-01
"""


@dataclass
class Files:
    """The files of the small cohort; ``change`` spoils one of them."""

    root: Path

    @property
    def manifest(self) -> Path:
        return self.root / "toy.toml"

    def path(self, name: str) -> Path:
        return self.manifest if name == "toy.toml" else self.root / "in" / name

    def change(self, name: str, old: str, new: str) -> Files:
        text = self.path(name).read_text()
        assert old in text, f"{old!r} is not in {name}: the test changes nothing"
        self.path(name).write_text(text.replace(old, new, 1))
        return self

    def write(self, name: str, content: str | bytes) -> Files:
        self.path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def load(self) -> ims.Cohort:
        return ims.load_cohort(self.manifest)

    def problems(self) -> tuple[str, ...]:
        return ims.loaders.check_manifest(self.manifest).problems

    def message(self) -> str:
        with pytest.raises(ims.errors.ImmunosarcError) as caught:
            self.load()
        return str(caught.value)


@pytest.fixture
def toy(tmp_path: Path) -> Files:
    (tmp_path / "in").mkdir()
    files = Files(tmp_path)
    for name, content in {
        "toy.toml": MANIFEST,
        "clinical.tsv": CLINICAL,
        "counts.tsv": COUNTS,
        "lesions.csv": LESIONS,
    }.items():
        files.write(name, content)
    return files
