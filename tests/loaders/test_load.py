"""What a right manifest loads: values, types, units, what leaves, and where it is recorded."""

from __future__ import annotations

import gzip
import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.loaders import check_manifest, load_cohort, read_manifest

MONTH = 365.25 / 12


def test_patients_are_recoded_typed_and_in_days(toy) -> None:
    patients = toy.load().patients
    assert list(patients.index) == ["P1", "P2", "P3"]
    assert list(patients.columns) == ["age", "sex", "best_overall_response", "pfs_days", "pfs_event", "ward"]
    assert patients["best_overall_response"].tolist()[:2] == ["PR", "PD"]
    assert patients["sex"].tolist() == ["female", "male", "female"]
    assert patients["pfs_event"].tolist()[:2] == [True, True]
    assert patients["age"].tolist() == [61.0, 48.0, 70.5]
    np.testing.assert_allclose(patients["pfs_days"][:2], [6.5 * MONTH, 1.5 * MONTH], rtol=1e-15)
    assert patients.loc["P3", ["best_overall_response", "pfs_days", "pfs_event"]].isna().all()
    assert patients["ward"].tolist() == ["07", "11", "07"]  # a leading zero is a name, not a number


@pytest.mark.parametrize(("unit", "factor"), [("days", 1.0), ("weeks", 7.0), ("months", MONTH), ("years", 365.25)])
def test_time_units(toy, unit: str, factor: float) -> None:
    cohort = toy.change("toy.toml", '"months"', f'"{unit}"').load()
    assert cohort.patients.loc["P1", "pfs_days"] == pytest.approx(6.5 * factor, rel=1e-15)


def test_samples_without_the_rows_that_keep_leaves_out(toy) -> None:
    samples = toy.load().samples
    assert list(samples.index) == ["S1", "S2", "S3", "S4"]
    assert samples["timepoint"].tolist() == ["pre", "on", "pre", "pre"]
    assert samples["study_day"].tolist() == [-3, 22, 1, -7]


def test_expression_is_samples_by_genes_in_the_files_order(toy) -> None:
    rna = toy.load()["rna"]
    assert list(rna.obs_names) == ["S3", "S1", "S2"]
    assert list(rna.var_names) == ["GZMA", "PRF1", "ACTB"]
    np.testing.assert_array_equal(rna.X, [[5, 0, 900], [10, 3, 1100], [40, 12, np.nan]])
    about = rna.uns["immunosarc"]
    assert about["unit"] == "counts"
    assert about["platform"] == "polya_rnaseq"
    assert about["sha256"] == hashlib.sha256(toy.path("counts.tsv").read_bytes()).hexdigest()


def test_samples_by_genes_gives_the_same_assay(toy) -> None:
    expected = toy.load()["rna"]
    frame = pd.read_csv(toy.path("counts.tsv"), sep="\t", index_col=0)
    frame.T.to_csv(toy.path("counts.tsv"), sep="\t", float_format="%.0f")
    toy.change("toy.toml", "genes_by_samples", "samples_by_genes")
    turned = toy.load()["rna"]
    assert list(turned.obs_names) == list(expected.obs_names)
    assert list(turned.var_names) == list(expected.var_names)
    np.testing.assert_array_equal(turned.X, expected.X)


def test_long_tables_with_quoted_commas(toy) -> None:
    lesions = toy.load().tables["lesions"]
    assert lesions["lesion_id"].tolist() == ["L1", "L1", "L1, left"]
    assert lesions["role"].tolist() == ["target", "target", "non_target"]
    assert lesions["diameter_mm"].tolist()[:2] == [31.0, 12.5]
    assert math.isnan(lesions["diameter_mm"].iloc[2])


def test_what_loading_left_out_reconciles_with_the_rows_of_each_file(toy) -> None:
    cohort = toy.load()
    steps = {step["step"]: step for step in cohort.provenance["loading"]}
    rows = {name: len(step["left_out"]) + step["kept"] for name, step in steps.items()}
    assert rows == {
        "in/clinical.tsv: patients": 5,
        "in/clinical.tsv: samples": 5,
        "in/lesions.csv: lesions": 3,
        "in/counts.tsv: rna": 4,
    }
    assert steps["in/clinical.tsv: samples"]["left_out"] == [["P2", "S3b", "rep is 1, not 0"]]
    assert steps["in/counts.tsv: rna"]["left_out"] == [["P2", "S3b", "rep is 1, not 0"]]
    flow = ims.attrition(cohort)
    gone = flow[~flow["kept"]]
    assert gone["sample_id"].tolist() == ["S3b", "S3b"]


def test_provenance_says_what_where_from_and_with_which_versions(toy) -> None:
    provenance = toy.load().provenance
    assert provenance["name"] == "toy"
    assert provenance["caveats"] == ["Not real."]
    assert provenance["plan"] == {"alpha": 0.1, "frozen_on": "2025-03-01"}
    assert provenance["manifest"]["sha256"] == hashlib.sha256(toy.manifest.read_bytes()).hexdigest()
    assert provenance["files"]["in/clinical.tsv"] == {
        "sha256": hashlib.sha256(toy.path("clinical.tsv").read_bytes()).hexdigest(),
        "status": "unpinned",
    }
    assert provenance["versions"]["immunosarc"] == ims.__version__
    assert "lock" not in provenance
    assert str(toy.root) not in json.dumps(dict(provenance))


def test_a_pinned_file_is_stamped_so(toy) -> None:
    digest = hashlib.sha256(toy.path("counts.tsv").read_bytes()).hexdigest()
    toy.change("toy.toml", 'counts.tsv"', f'counts.tsv"\nsha256 = "{digest.upper()}"')
    assert toy.load().provenance["files"]["in/counts.tsv"] == {"sha256": digest, "status": "pinned"}


def test_the_lock_beside_the_manifest_is_kept(toy) -> None:
    (toy.root / "toy.lock.toml").write_text('plan_sha256 = "ab"\nlocked = 2025-01-02T03:04:05\n')
    assert toy.load().provenance["lock"] == {"plan_sha256": "ab", "locked": "2025-01-02T03:04:05"}
    (toy.root / "toy.lock.toml").write_text("plan_sha256 = ")
    assert "toy.lock.toml: this is not TOML" in toy.message()


def test_the_cohort_is_written_and_read_back_equal(toy, tmp_path) -> None:
    cohort = toy.load()
    assert ims.Cohort.read(cohort.write(tmp_path / "out")).equals(cohort)


def test_loading_writes_nothing_and_gives_the_same_twice(toy) -> None:
    before = {path: path.stat().st_mtime_ns for path in toy.root.rglob("*")}
    first, second = toy.load(), toy.load()
    assert first.equals(second)
    assert {path: path.stat().st_mtime_ns for path in toy.root.rglob("*")} == before


def test_data_root_is_the_manifests_folder_or_the_one_given(toy, tmp_path) -> None:
    away = tmp_path / "elsewhere" / "toy.toml"
    away.parent.mkdir()
    toy.manifest.rename(away)
    assert load_cohort(away, data_root=tmp_path).name == "toy"
    problems = check_manifest(away).problems
    assert any("in/counts.tsv: is missing below the data root" in one for one in problems)


def test_check_returns_the_cohort_when_all_is_right(toy) -> None:
    checked = check_manifest(toy.manifest)
    assert checked.problems == ()
    assert checked.cohort.equals(toy.load())


def test_read_manifest_declares_and_does_not_look_at_files(toy) -> None:
    toy.path("counts.tsv").unlink()
    manifest = read_manifest(toy.manifest)
    assert manifest.assays["rna"].unit == "counts"
    assert manifest.samples.keep == {"rep": 0}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(b"", "utf-8"), (b"\xef\xbb\xbf", "utf-8"), (b"", "utf-16")],
    ids=["plain", "BOM", "UTF-16"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["text", "gzip"])
def test_line_ends_marks_and_gzip_by_content_do_not_matter(
    toy, end: str, mark: bytes, encoding: str, packed: bool
) -> None:
    expected = toy.load()
    for name in ("clinical.tsv", "counts.tsv", "lesions.csv"):
        data = mark + toy.path(name).read_text().rstrip("\n").replace("\n", end).encode(encoding)
        toy.write(name, gzip.compress(data) if packed else data)
    loaded = toy.load()
    assert loaded.patients.equals(expected.patients)
    assert loaded.samples.equals(expected.samples)
    np.testing.assert_array_equal(loaded["rna"].X, expected["rna"].X)


def test_quotes_of_r_and_excel_are_read(toy) -> None:
    expected = toy.load()["rna"].X
    quoted = "\n".join(
        "\t".join(f'"{cell}"' if i == 0 or line == 0 else cell for i, cell in enumerate(row.split("\t")))
        for line, row in enumerate(toy.path("counts.tsv").read_text().rstrip("\n").split("\n"))
    )
    np.testing.assert_array_equal(toy.write("counts.tsv", quoted).load()["rna"].X, expected)


def test_another_delimiter_is_declared(toy) -> None:
    text = toy.path("lesions.csv").read_text().replace('"L1, left"', "L1").replace(",", ";")
    toy.write("lesions.csv", text).change("toy.toml", 'lesions.csv"', 'lesions.csv"\ndelimiter = ";"')
    assert len(toy.load().tables["lesions"]) == 3


def test_without_columns_the_files_own_names_are_taken_and_no_others(toy) -> None:
    text = toy.path("clinical.tsv").read_text()
    head, rest = text.split("\n", 1)
    ours = {"sample": "sample_id", "patient": "patient_id", "time": "timepoint", "day": "study_day"}
    toy.write("clinical.tsv", "\t".join(ours.get(name, name) for name in head.split("\t")) + "\n" + rest)
    toy.change(
        "toy.toml",
        'columns = { sample_id = "sample", patient_id = "patient", timepoint = "time", study_day = "day" }\n',
        "",
    )
    toy.change("toy.toml", 'patient_id = "patient"', 'patient_id = "patient_id"')
    assert list(toy.load().samples.columns) == ["patient_id", "timepoint", "study_day"]


def test_missing_codes_in_expression_are_declared(toy) -> None:
    toy.change("counts.tsv", "\t12", "\tNA").change("toy.toml", 'counts.tsv"', 'counts.tsv"\nmissing = ["NA"]')
    values = toy.load()["rna"].X
    assert np.isnan(values).sum() == 2
    assert np.isnan(values[2, 1])


def test_a_question_mark_may_be_a_missing_code(toy) -> None:
    toy.change("clinical.tsv", "NA\t\t\tF", "?\t\t\tF").change("toy.toml", 'missing = ["NA"]', 'missing = ["?"]')
    assert toy.load().patients["best_overall_response"].isna().tolist() == [False, False, True]


def test_keep_compares_flags_as_flags_and_numbers_as_numbers(toy) -> None:
    toy.change("toy.toml", "keep = { rep = 0 }", "keep = { rep = false }")
    assert "rep is 0, not False" in toy.message()  # 0 is a number: say 0
    text = toy.path("clinical.tsv").read_text()
    toy.write("clinical.tsv", text.replace("\t0\t", "\tFALSE\t").replace("\t1\t11", "\tTRUE\t11"))
    assert list(toy.load().samples.index) == ["S1", "S2", "S3", "S4"]
    toy.write("clinical.tsv", text.replace("\t0\t", "\t0.0\t")).change("toy.toml", "rep = false", "rep = 0")
    assert list(toy.load().samples.index) == ["S1", "S2", "S3", "S4"]


def test_numbers_are_read_to_the_last_bit(toy) -> None:
    numbers = ["0.1234567890123456789", "2.2250738585072014e-308", "8.41470984807896507", "123456789.98765432101"]
    rows = [f"G{i}\t{number}\t1\t1\t1" for i, number in enumerate(numbers)]
    toy.write("counts.tsv", "\n".join(["gene\tS3\tS1\tS3b\tS2", *rows])).change("toy.toml", '"counts"', '"fpkm"')
    assert toy.load()["rna"].to_df().loc["S3"].tolist() == [float(number) for number in numbers]


def test_a_log2_assay_keeps_its_pseudocount(toy) -> None:
    toy.change(
        "toy.toml", 'unit = "counts"', 'unit = "log2"\npseudocount = 0.001\ngene_lengths = "in/lengths.tsv"'
    )
    toy.change("counts.tsv", "900\t1100\t950\t", "9.5\t-9.97\t9.1\t")
    toy.write("lengths.tsv", "gene\tlength\nACTB\t3\nGZMA\t1\nPRF1\t2\n")
    adata = toy.load()["rna"]
    about = adata.uns["immunosarc"]
    assert adata.var["gene_length"].tolist() == [1, 2, 3]
    assert about["pseudocount"] == 0.001
    assert about["gene_lengths"] == "in/lengths.tsv"


def test_patients_left_out_take_their_samples_libraries_and_lesions_along(toy) -> None:
    toy.change("toy.toml", 'missing = ["NA"]', 'missing = ["NA"]\nkeep = { gender = ["F", "D"] }')
    cohort = toy.load()
    assert list(cohort.patients.index) == ["P1", "P3"]
    assert list(cohort.samples.index) == ["S1", "S2", "S4"]
    assert list(cohort["rna"].obs_names) == ["S1", "S2"]
    assert cohort.tables["lesions"]["patient_id"].tolist() == ["P1", "P1"]
    steps = {step["step"]: step for step in cohort.provenance["loading"]}
    assert [step["kept"] + len(step["left_out"]) for step in steps.values()] == [5, 5, 3, 4]
    reason = "patient was left out: gender is M, not F or D"
    assert ["P2", "S3", reason] in steps["in/clinical.tsv: samples"]["left_out"]
    assert ["P2", "S3", reason] in steps["in/counts.tsv: rna"]["left_out"]
    assert ["P2", "", reason] in steps["in/lesions.csv: lesions"]["left_out"]
