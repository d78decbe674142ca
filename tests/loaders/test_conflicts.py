"""Rows that contradict each other stop the loading, with patient, table and row, or load when that is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

import immunosarc as ims
from immunosarc.errors import ManifestError, SchemaError

CLINICAL = "patient_id\tdeath_day\tlast_alive_day\nP1\t80\t\nP2\t\t200\nP3\t\t200\n"
LESIONS = (
    "patient_id\tstudy_day\tlesion_id\trole\tdiameter_mm\n"
    "P1\t-2\tT1\ttarget\t50\nP1\t85\tT1\ttarget\t40\n"
    "P2\t-2\tT1\ttarget\t50\nP2\t43\tT1\ttarget\t30\n"
)
EVENTS = "patient_id\tterm\tgrade\tstudy_day\nP2\tRash\t2\t9\nP3\tRash\t6\t9\nP3\tRash\t0\t12\n"
EXPECTED = [
    "P1: study_day 85 is after death_day 80 (table 'lesions', row 1)",
    "P3: grade 6, CTCAE has 1 to 5 (table 'adverse_events', row 1)",
    "P3: grade 0, CTCAE has 1 to 5 (table 'adverse_events', row 2)",
]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    for name, text in (("patients", CLINICAL), ("lesions", LESIONS), ("adverse_events", EVENTS)):
        (tmp_path / f"{name}.tsv").write_text(text)
    blocks = "".join(f'[tables.{name}]\nfile = "{name}.tsv"\n' for name in ("lesions", "adverse_events"))
    (tmp_path / "toy.toml").write_text(f'name = "toy"\n[patients]\nfile = "patients.tsv"\n{blocks}')
    return tmp_path / "toy.toml"


def test_loading_stops_with_every_contradiction(manifest: Path) -> None:
    with pytest.raises(SchemaError, match=r"toy\.toml has 3 problem\(s\)") as caught:
        ims.load_cohort(manifest)
    assert [line for line in EXPECTED if line in str(caught.value)] == EXPECTED
    assert "on_conflict = 'exclude_patient'" in str(caught.value)
    assert [one.split(")")[0] + ")" for one in ims.check(manifest)] == EXPECTED


@pytest.mark.parametrize("declared", [True, False])
def test_when_it_is_declared_the_patients_get_a_status_instead(manifest: Path, declared: bool) -> None:
    if declared:
        manifest.write_text(manifest.read_text() + '[plan]\non_conflict = "exclude_patient"\n')
    cohort = ims.load_cohort(manifest, on_conflict=None if declared else "exclude_patient")
    assert len(cohort.tables["lesions"]) == 4
    outcomes = ims.endpoints.derive(cohort, on_conflict="exclude_patient")
    assert outcomes["pfs_status"].to_dict() == {
        "P1": "excluded: study_day 85 is after death_day 80",
        "P2": "ok",
        "P3": "excluded: grade 6, CTCAE has 1 to 5; grade 0, CTCAE has 1 to 5",
    }
    assert outcomes["best_overall_response"].fillna("-").tolist() == ["-", "PR", "-"]
    with pytest.raises(SchemaError, match="P1: study_day 85 is after death_day 80"):
        ims.endpoints.derive(cohort)


def test_the_caller_goes_before_the_plan(manifest: Path) -> None:
    manifest.write_text(manifest.read_text() + '[plan]\non_conflict = "exclude_patient"\n')
    with pytest.raises(SchemaError, match="P1: study_day 85"):
        ims.load_cohort(manifest, on_conflict="raise")
    with pytest.raises(ManifestError, match=r"on_conflict: unknown 'exclude'\. Did you mean 'exclude_patient'"):
        ims.load_cohort(manifest, on_conflict="exclude")
