"""What leaves the hospital: an attacker who reads a table finds no small group, directly or by subtraction."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import ImmunosarcError
from immunosarc.report._suppress import suppressed_table


@pytest.fixture(scope="module")
def study() -> ims.Study:
    panel = ims.study.Panel(name="p", signatures=("cyt", "tis18_unweighted"))
    return ims.run(
        ims.simulate_cohort(seed=7), ims.Plan(panels=(panel,), strata="schedule_stage", n_permutations=50)
    )


def attacks(table: pd.DataFrame, below: int) -> list[str]:
    """Every count of a table that is told, or that a subtraction tells, below the limit."""
    told = table[table["n"].fillna(0) > 0]
    n, events = told["n"], told["n_events"]
    columns = [n.dropna().tolist(), events.dropna().tolist(), (n - events).dropna().tolist()]
    found = [f"count {value}" for values in columns for value in values if value < below]
    columns.append([*columns[0], *columns[1]])
    for values in columns:
        for one, other in itertools.combinations(sorted(set(values)), 2):
            found += [f"{other} - {one}"] if 0 < other - one < below else []
    return found


@pytest.mark.parametrize("below", [2, 5, 10])
@pytest.mark.parametrize("name", ["summary", "associations"])
def test_no_small_count_is_told_or_can_be_subtracted(study, name: str, below: int) -> None:
    table = study[name]
    assert attacks(table, below), "the table as it is tells small counts, else the test shows nothing"
    before = table.copy(deep=True)
    result = suppressed_table(name, table, below)
    assert attacks(result, below) == []
    assert len(result) == len(table)
    pd.testing.assert_frame_equal(table, before)


def test_what_is_told_is_unchanged_and_what_is_not_says_why(study) -> None:
    table = study["summary"]
    result = suppressed_table("summary", table, 5)
    kept = result["status"] == table["status"]
    assert 0 < kept.sum() < len(table)
    pd.testing.assert_frame_equal(result[kept], table[kept], check_dtype=False)
    lost = result[~kept]
    assert set(lost["status"]) == {"suppressed: a group of fewer than 5 patients, or one that gives it away"}
    assert lost[["n", "n_events", "estimate", "conf_low", "conf_high", "p_value"]].isna().all(axis=None)


def test_a_part_that_the_whole_gives_away_goes_with_its_sister() -> None:
    rows = [("rate", "all", 40, 20), ("rate", "1", 26, 13), ("rate", "2", 11, 5), ("rate", "3", 3, 2)]
    table = pd.DataFrame(rows, columns=["measure", "stratum", "n", "n_events"]).assign(status="ok", estimate=0.5)
    result = suppressed_table("summary", table, 5)
    # 40 - 26 - 11 = 3: the whole stays, and no two of its parts
    assert result["n"].fillna(0).tolist() == [40, 0, 0, 0]
    fine = table[:3].assign(n=[40, 25, 15], n_events=[20, 10, 10])
    assert suppressed_table("summary", fine, 5)["n"].tolist() == [40, 25, 15]
    assert suppressed_table("summary", fine, 5)["estimate"].tolist() == [0.5] * 3


def test_an_empty_group_keeps_its_zero_and_hides_nobody() -> None:
    table = pd.DataFrame({"feature": ["a", "b"], "n": [0, 30], "n_events": [np.nan, 12], "status": ["none", "ok"]})
    assert suppressed_table("associations", table, 5)["n"].tolist() == [0, 30]


def test_only_tables_of_groups_are_written(study, tmp_path: Path) -> None:
    folder = ims.report.write(study, tmp_path / "out", suppress_below=5)
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "tables", "tables.xlsx"]
    names = {path.stem for path in (folder / "tables").glob("*.tsv")}
    assert names == {"summary", "families", "associations", "changes", "coverage", "signatures"}
    results = json.loads((folder / "results.json").read_text())
    assert results["provenance"]["suppressed_below"] == 5
    assert {"patients", "scores", "survival", "qc", "paired", "attrition"} <= set(
        results["provenance"]["tables_left_out"]
    )
    text = (folder / "results.json").read_text() + "".join(p.read_text() for p in (folder / "tables").iterdir())
    for patient in study.cohort.patients.index:
        assert f'"{patient}"' not in text
        assert f"\n{patient}\t" not in text
    assert attacks(pd.read_csv(folder / "tables" / "summary.tsv", sep="\t"), 5) == []


def test_released_files_name_neither_who_was_left_out_nor_the_files(study, tmp_path: Path) -> None:
    about = {
        "provenance": {
            "name": "trial",
            "loading": [{"step": "clinical.tsv: patients", "left_out": [["P-301", "", "withdrew"]]}],
            "files": {"salmon/P-302/quant.sf": {"sha256": "abc", "status": "pinned"}},
            "allowed_columns": ["ward name"],
            "caveats": ["SIM01 was biopsied late.", "Ten libraries are replicates."],
        }
    }
    tables = {"summary": study["summary"], "outcomes": study["outcomes"]}
    with_all = ims.report.write_tables(tables, tmp_path / "all", title="t", about=about)
    assert "P-301" in (with_all / "results.json").read_text()
    folder = ims.report.write_tables(tables, tmp_path / "out", title="t", about=about, suppress_below=5)
    assert [path.name for path in sorted((folder / "tables").iterdir())] == ["summary.json", "summary.tsv"]
    for path in (folder / "results.json", folder / "tables" / "summary.json"):
        facts = json.loads(path.read_text())
        assert facts["provenance"] == {
            "name": "trial",
            "allowed_columns": ["ward name"],
            "caveats": ["Ten libraries are replicates."],
            "files_sha256": ["abc"],
        }
        assert (facts["suppressed_below"], facts["tables_left_out"]) == (5, ["outcomes"])
        assert "P-30" not in path.read_text()
    assert attacks(pd.read_csv(folder / "tables" / "summary.tsv", sep="\t"), 5) == []
    assert about["provenance"]["loading"], "what was given is unchanged"


def test_a_caveat_that_names_a_patient_stays_behind(data_root: Path, tmp_path: Path) -> None:
    manifest = Path(__file__).resolve().parents[2] / "data_manifests" / "hugo2016.toml"
    cohort = ims.load_cohort(manifest, data_root=data_root)
    plan = ims.Plan(panels=ims.Plan().panels[:1], endpoints=("objective_response",), n_permutations=20)
    folder = ims.report.write(ims.run(cohort, plan), tmp_path / "out", suppress_below=5)
    told = json.loads((folder / "results.json").read_text())["provenance"]["caveats"]
    assert 0 < len(told) == len(cohort.provenance["caveats"]) - 4  # Pt27A and Pt27B, Pt16, Pt32, Pt8
    text = "".join(path.read_text() for path in [folder / "results.json", *(folder / "tables").iterdir()])
    names = [*cohort.patients.index, *cohort.samples.index, "Pt27B"]
    assert not [name for name in names if re.search(rf"\b{name}\b", text)]


@pytest.mark.parametrize("below", [1, 0, -3])
def test_a_limit_that_protects_nobody_is_refused(study, tmp_path: Path, below: int) -> None:
    with pytest.raises(ImmunosarcError, match="a whole number of 2 or more"):
        ims.report.write(study, tmp_path / "out", suppress_below=below)
    with pytest.raises(ImmunosarcError, match="a whole number of 2 or more"):
        ims.report.write_tables({}, tmp_path / "out", title="t", about={}, suppress_below=below)
    assert not (tmp_path / "out").exists()
