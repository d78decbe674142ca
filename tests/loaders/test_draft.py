"""A draft marks what it cannot know; filled in, it loads what a manifest written by hand loads."""

from __future__ import annotations

import tomllib

import numpy as np
import pandas as pd
import pytest

from immunosarc.errors import DataFileError, PrivacyError
from immunosarc.loaders import check_manifest, draft_manifest, load_cohort
from immunosarc.loaders._evidence import gene_evidence, mapped_columns, time_evidence, unit_evidence


@pytest.fixture
def draft(toy):
    def draft(**options):
        return draft_manifest(toy.path("clinical.tsv"), toy.path("counts.tsv"), **options)

    return draft


def fill_in(text: str, answers: dict[str, str]) -> str:
    """Replace lines of a draft, each of which must be there exactly once."""
    lines = text.split("\n")
    for old, new in answers.items():
        places = [i for i, line in enumerate(lines) if line.startswith(old)]
        assert len(places) == 1, (old, places)
        lines[places[0]] = new
    return "\n".join(lines)


def test_a_draft_is_toml_with_hashes_columns_and_codes(draft, toy) -> None:
    toy.change(
        "clinical.tsv", "sample\tpatient\ttime\tday\tresp\tpfs", "sample\tpatient\tTimepoint\tday\tBOR\tpfs_months"
    )
    drafted = tomllib.loads(draft(name="toy", data_root=toy.root))
    assert drafted["name"] == "toy"
    assert drafted["time_unit"] == "?"
    assert drafted["patients"]["file"] == "in/clinical.tsv"
    assert len(drafted["patients"]["sha256"]) == 64
    assert drafted["patients"]["missing"] == ["NA"]
    assert drafted["patients"]["columns"] == {
        "patient_id": "patient",
        "age": "age",
        "sex": "gender",
        "best_overall_response": "BOR",
        "pfs_time": "pfs_months",
    }
    assert drafted["patients"]["recode"] == {"sex": {"F": "?", "M": "?"}}  # BOR holds standard codes only
    assert drafted["samples"]["columns"] == {
        "sample_id": "sample",
        "patient_id": "patient",
        "timepoint": "Timepoint",
    }
    assert drafted["samples"]["recode"] == {"timepoint": {"C2": "?", "baseline": "?"}}
    assert drafted["assays"]["rna"]["unit"] == "?"
    assert drafted["assays"]["rna"]["orientation"] == "genes_by_samples"
    assert drafted["assays"]["rna"]["gene_id"] == "symbol"


def test_a_draft_shows_its_evidence(draft) -> None:
    text = draft()
    assert 'unit = "?"  # all whole numbers from 0 to 1,100: probably counts; one of counts' in text
    assert "4 of 4 column names and 0 of 3 row names are in the clinical file" in text
    assert '# rep = "rep"  # numbers, 2 different, 0 missing' in text
    assert '# ward = "ward"' in text


def test_paths_start_from_the_common_folder_or_the_data_root(draft, toy, tmp_path_factory) -> None:
    assert 'file = "clinical.tsv"' in draft()
    assert 'file = "in/clinical.tsv"' in draft(data_root=toy.root)
    with pytest.raises(DataFileError, match=r"lies outside the data root .*; move it, or give another data_root"):
        draft(data_root=tmp_path_factory.mktemp("other"))
    assert str(toy.root) not in draft()


def test_checking_a_draft_names_every_question_mark(draft, toy) -> None:
    text = draft(data_root=toy.root)
    toy.write("toy.toml", text)
    marks = sum('"?"' in line.split("#")[0] for line in text.split("\n"))
    still = [one for one in check_manifest(toy.manifest).problems if "still '?'" in one]
    assert len(still) == marks
    lines = text.split("\n")
    code, column = (
        lines.index(next(x for x in lines if x.startswith('"F" = "?"'))) + 1,
        lines.index('timepoint = "?"') + 1,
    )
    assert f"line {code}: [patients] recode.sex: say what the code 'F' means; it is still '?'" in still
    assert f"line {column}: [samples] columns.timepoint is still '?'; fill it in" in still


def test_a_filled_in_draft_loads(draft, toy) -> None:
    expected = toy.load()
    text = fill_in(
        draft(name="toy", data_root=toy.root).replace('= "?"', '= "-"'),
        {
            "time_unit": 'time_unit = "months"',
            "unit": 'unit = "counts"',
            '"F"': '"F" = "female"',
            '"M"': '"M" = "male"',
            "timepoint": 'timepoint = "time"\nstudy_day = "day"',
            "# prog": 'pfs_event = "prog"',
            "# ward": 'ward = "ward"',
            "# resp": 'best_overall_response = "resp"',
        },
    )
    text = text.replace("[patients]\n", '[patients]\nmissing = ["NA"]\n')
    text = text.replace("[samples]\n", "[samples]\nkeep = { rep = 0 }\n")
    text += "[patients.recode.pfs_event]\nyes = true\nno = false\n"
    text += '[samples.recode.timepoint]\nbaseline = "pre"\nC2 = "on"\n'
    loaded = toy.write("toy.toml", text).load()
    assert loaded.patients.equals(expected.patients)
    assert loaded.samples.equals(expected.samples)
    np.testing.assert_array_equal(loaded["rna"].X, expected["rna"].X)


def test_without_a_column_of_libraries_the_samples_file_is_asked_for(draft, toy) -> None:
    toy.change("counts.tsv", "S3\tS1\tS3b\tS2", "A\tB\tC\tD")
    drafted = tomllib.loads(draft())
    assert drafted["samples"]["file"] == "?"
    assert drafted["assays"]["rna"]["orientation"] == "?"


def test_columns_that_name_people_are_refused(draft, toy) -> None:
    toy.change("clinical.tsv", "ward", "initials")
    with pytest.raises(PrivacyError, match="column 'initials' identifies a person"):
        draft()


def test_names_that_toml_must_quote(draft, toy) -> None:
    toy.change("clinical.tsv", "gender", 'se"x\\').change("clinical.tsv", "\tage\t", "\tage (y)\t")
    assert '# "age (y)" = "age (y)"' in draft()
    tomllib.loads(draft(name='a "name"\twith\x7f and é'))


def test_a_file_that_cannot_be_read_is_named(draft, toy) -> None:
    toy.change("counts.tsv", "\t3\t1", "\tlow\t1")
    with pytest.raises(DataFileError, match=r"counts\.tsv line 3, row 'PRF1', column 'S1': 'low' is not a number"):
        draft()


def test_missing_codes_of_the_matrix_are_found(draft, toy) -> None:
    toy.change("counts.tsv", "\t3\t1", "\tNA\t1")
    assert tomllib.loads(draft())["assays"]["rna"]["missing"] == ["NA"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[0, 5.0], [1, 800]], "whole numbers from 0 to 800: probably counts"),
        ([[-9.9, 3.25]], "from -9.9 to 3.25, some negative: log2 of something"),
        ([[0.25, 0.75]], "fraction or score"),
        ([[999_000.5, 999.5], [500_000.25, 499_999.75]], "each sample sums to a million: tpm or cpm"),
        ([[0.5, 14.5]], "probably a log2 unit"),
        ([[0.5, 2000.5]], "sums 2,001 to 2,001: fpkm"),
        ([[np.nan, np.nan]], "no numbers"),
    ],
)
def test_unit_evidence(values: list[list[float]], words: str) -> None:
    assert words in unit_evidence(np.array(values))


def test_evidence_of_names_times_and_genes() -> None:
    assert mapped_columns(
        ["Sex", "gender", "BOR", "Overall.Survival"], ["sex", "best_overall_response", "os_time"]
    ) == {
        "sex": "Sex",
        "best_overall_response": "BOR",
    }
    cells = pd.DataFrame({"os_months": ["3.5", "", "40"]})
    assert time_evidence({"os_time": "os_months"}, cells) == "os_months: up to 40, named months"
    assert gene_evidence(["GZMA", "B2M", "x"]) == ("symbol", "has B2M, GZMA")
    assert gene_evidence(["ENSG00000145649.3", "B2M", "GZMA"])[0] == "?"
    assert gene_evidence(["probe_1"])[0] == "?"


def test_the_draft_of_riaz2017_needs_few_edits(data_root, tmp_path) -> None:
    folder = data_root / "riaz2017"
    text = draft_manifest(
        folder / "clinical.tsv", folder / "expression_counts.tsv.gz", name="riaz2017", data_root=data_root
    )
    edits = {
        "title": 'title = "Riaz 2017"',
        "citation": 'citation = "Riaz 2017"',
        "license": 'license = "none"',
        "source": 'source = "its repository"',
        "# cohort": 'cohort = "cohort"',
        "# subtype": 'subtype = "subtype"',
        "# iatlas_cyt": 'iatlas_cyt = "iatlas_cyt"',
        "# keep": "keep = { technical_replicate = 0 }",
        "unit": 'unit = "counts"',
    }
    text = fill_in(text, edits).replace('"0.0" = "?"', '"0.0" = false').replace('"1.0" = "?"', '"1.0" = true')
    (tmp_path / "mine.toml").write_text(text)
    mine = load_cohort(tmp_path / "mine.toml", data_root=data_root)
    shipped = load_cohort("data_manifests/riaz2017.toml", data_root=data_root)
    assert mine.patients.equals(shipped.patients)
    assert mine.samples.equals(shipped.samples)
    np.testing.assert_array_equal(mine["rna"].X, shipped["rna"].X)
