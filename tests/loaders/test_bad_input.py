"""Bad input: one readable message with file, line, column, value and the cure, whatever is wrong."""

from __future__ import annotations

import gzip
import os

import pytest

from immunosarc import errors
from immunosarc.loaders import check_manifest, load_cohort, read_manifest

# what is spoilt: file, old text, new text; then the class and every fragment the message must have
CASES = {
    "missing file": (
        [("toy.toml", "in/counts.tsv", "in/count.tsv")],
        errors.DataFileError,
        [
            "in/count.tsv: is missing below the data root",
            "check the path and data_root",
            "Did you mean 'counts.tsv'?",
        ],
    ),
    "a folder for a file": (
        [("toy.toml", 'file = "in/counts.tsv"', 'file = "in"\ndelimiter = ","')],
        errors.DataFileError,
        ["in: is not a file; give the path of a file"],
    ),
    "wrong hash": (
        [("toy.toml", 'counts.tsv"', f'counts.tsv"\nsha256 = "{"0" * 64}"')],
        errors.DataFileError,
        ["in/counts.tsv: SHA-256 is ", f"the manifest expects {'0' * 64}", "altered", "another release", "Fetch"],
    ),
    "hash that is none": (
        [("toy.toml", 'counts.tsv"', 'counts.tsv"\nsha256 = "abc"')],
        errors.ManifestError,
        ["[assays.rna] sha256: 'abc' is not a SHA-256 (64 hexadecimal digits)"],
    ),
    "unknown column": (
        [("toy.toml", '"resp"', '"resq"')],
        errors.ManifestError,
        [
            "in/clinical.tsv line 1: there is no column 'resq'",
            "[patients] columns.best_overall_response",
            "Did you mean 'resp'?",
        ],
    ),
    "unknown column in keep": (
        [("toy.toml", "keep = { rep = 0 }", "keep = { repp = 0 }")],
        errors.ManifestError,
        ["in/clinical.tsv line 1: there is no column 'repp' ([samples] keep). Did you mean 'rep'?"],
    ),
    "keep that keeps nothing": (
        [("toy.toml", "keep = { rep = 0 }", 'keep = { rep = [7, "x"] }')],
        errors.ManifestError,
        ["in/clinical.tsv: [samples] keep leaves no row; rep is 0, not 7 or x"],
    ),
    "misspelt name of ours": (
        [("toy.toml", "best_overall_response", "best_overal_response")],
        errors.ManifestError,
        ["'best_overal_response' is not a column of this table. Did you mean 'best_overall_response'?"],
    ),
    "needed column not mapped": (
        [
            ("toy.toml", ', timepoint = "time"', ""),
            ("toy.toml", 'recode = { timepoint = { baseline = "pre", C2 = "on" } }', ""),
        ],
        errors.ManifestError,
        ["in/clinical.tsv: [samples] needs a column for 'timepoint': columns = { timepoint = \"...\" }"],
    ),
    "unlisted code": (
        [("clinical.tsv", "S3\tP2\tbaseline", "S3\tP2\tscreening")],
        errors.ManifestError,
        [
            "in/clinical.tsv line 4, column 'time': code 'screening' is not listed in [samples] recode.timepoint",
            "add it",
        ],
    ),
    "closed value without recode": (
        [("clinical.tsv", "PD\t1.5\tyes\tM\t48\t0", "iPD\t1.5\tyes\tM\t48\t0")],
        errors.ManifestError,
        [
            "in/clinical.tsv line 4, column 'resp': 'iPD' is not one of CR, PR, SD, PD, NE",
            '[patients] recode = { best_overall_response = { "iPD" = "CR" } }',
        ],
    ),
    "a missing code that is not declared": (
        [("toy.toml", 'missing = ["NA"]', "missing = []")],
        errors.ManifestError,
        ["in/clinical.tsv line 6, column 'resp': 'NA' is not one of CR"],
    ),
    "flag without recode": (
        [("toy.toml", "pfs_event = { yes = true, no = false }\n", "")],
        errors.ManifestError,
        [
            "in/clinical.tsv lines 2, 3, 4 and 5, column 'prog': 'yes' is not true/false/1/0",
            'say under recode, for pfs_event, whether "yes" means true or false',
        ],
    ),
    "recode to a value that does not exist": (
        [("toy.toml", 'F = "female"', 'F = "woman"')],
        errors.ManifestError,
        ["[patients] recode.sex: code 'F': 'woman' is not one of female, male"],
    ),
    "recode of an event to text": (
        [("toy.toml", "no = false", 'no = "no"')],
        errors.ManifestError,
        ["[patients] recode.pfs_event: code 'no': 'no' is not true or false"],
    ),
    "recode of a column that is not mapped": (
        [("toy.toml", "sex = { F", "sexx = { F")],
        errors.ManifestError,
        ["[patients] recode: 'sexx' is not among the columns of this table. Did you mean 'sex'?"],
    ),
    "duplicate sample ids": (
        [("clinical.tsv", "S2\tP1", "S1\tP1")],
        errors.DataFileError,
        ["in/clinical.tsv lines 2 and 3, column 'sample': sample id 'S1' is repeated", "keep"],
    ),
    "rows of a patient that differ": (
        [("clinical.tsv", "C2\t22\tPR", "C2\t22\tSD")],
        errors.DataFileError,
        ["in/clinical.tsv lines 2 and 3, column 'resp': patient 'P1' has 'PR' and 'SD'", "correct the file"],
    ),
    "rows of a patient of which one is missing": (
        [("clinical.tsv", "C2\t22\tPR", "C2\t22\tNA")],
        errors.DataFileError,
        ["in/clinical.tsv lines 2 and 3, column 'resp': patient 'P1' has 'PR' and 'NA'"],
    ),
    "a sample without a patient": (
        [("toy.toml", 'file = "in/clinical.tsv"', 'file = "in/people.tsv"')],
        errors.DataFileError,
        [
            "in/clinical.tsv line 6, column 'patient': patient 'P3' is not in the patients table; add the patient",
            "Did you mean 'P33'?",
        ],
    ),
    "an assay name that is a path": (
        [("toy.toml", "[assays.rna]", '[assays."../rna"]')],
        errors.ManifestError,
        ["assays: '../rna' cannot name an assay; use letters, digits, '_' and '-'"],
    ),
    "a lesion without a patient": (
        [("lesions.csv", "P2,-1", "P22,-1")],
        errors.DataFileError,
        [
            "in/lesions.csv line 4, column 'patient': patient 'P22' is not in the patients table",
            "Did you mean 'P2'?",
        ],
    ),
    "an empty patient id": (
        [("lesions.csv", "P2,-1", ",-1")],
        errors.DataFileError,
        ["in/lesions.csv line 4, column 'patient' (patient_id): no value; fill it in"],
    ),
    "an empty sample id": (
        [("clinical.tsv", "S4\tP3", "\tP3")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'sample': no value"],
    ),
    "an id with a blank at its end": (
        [("clinical.tsv", "S4\tP3", "S4\tP3 ")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'patient': 'P3 ' has a blank at its end or beginning; remove it"],
    ),
    "an id with a character that nobody sees": (
        [("clinical.tsv", "S4\tP3", "S4\tP\x7f3")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'patient': 'P\\x7f3' holds a character that cannot be seen; remove it"],
    ),
    "a library without a sample": (
        [("counts.tsv", "S3b", "S5")],
        errors.DataFileError,
        ["in/counts.tsv: 1 library is not in the samples table: 'S5'", "keep", "remove it"],
    ),
    "negative time": (
        [
            ("clinical.tsv", "PD\t1.5\tyes\tM\t48\t0", "PD\t-1.5\tyes\tM\t48\t0"),
            ("clinical.tsv", "PD\t1.5", "PD\t-1.5"),
        ],
        errors.DataFileError,
        ["in/clinical.tsv lines 4 and 5, column 'pfs' (pfs_time): below 0, found '-1.5'; correct the file"],
    ),
    "event without time": (
        [("clinical.tsv", "NA\t\t\tF", "NA\t\tyes\tF")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'prog' (pfs_event): given without pfs_days, found 'yes'; fill in"],
    ),
    "time without event": (
        [("clinical.tsv", "NA\t\t\tF", "NA\t9\t\tF")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'pfs' (pfs_time): given without pfs_event, found '9'"],
    ),
    "study day zero": (
        [("clinical.tsv", "baseline\t-7", "baseline\t0")],
        errors.DataFileError,
        [
            "in/clinical.tsv line 6, column 'day' (study_day): 0 does not exist: the first dose is day 1",
            "found '0'",
        ],
    ),
    "timepoint against study day": (
        [("clinical.tsv", "baseline\t-7", "baseline\t70")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'day' (study_day): after day 1 on a 'pre' sample, found '70'"],
    ),
    "text for a number": (
        [("clinical.tsv", "70.5", "seventy")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'age': 'seventy' is not a number", 'missing = ["seventy"]'],
    ),
    "decimal comma": (
        [("clinical.tsv", "70.5", "70,5")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'age': '70,5' is not a number; write a decimal point"],
    ),
    "thousands separator": (
        [("clinical.tsv", "baseline\t-7", "baseline\t-1,007.5")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'day': '-1,007.5' is not a number", "no thousands separator"],
    ),
    "not finite": (
        [("clinical.tsv", "70.5", "1e999")],
        errors.DataFileError,
        ["in/clinical.tsv line 6, column 'age': '1e999' is not a number"],
    ),
    "counts with decimals": (
        [("counts.tsv", "\t40", "\t40.25")],
        errors.UnitError,
        [
            "in/counts.tsv line 2, gene 'GZMA', sample 'S2': unit counts declared, but a decimal found: 40.25",
            "declare",
        ],
    ),
    "negative counts": (
        [("counts.tsv", "\t3\t1", "\t-3\t1")],
        errors.UnitError,
        ["in/counts.tsv line 3, gene 'PRF1', sample 'S1': negative value: -3"],
    ),
    "infinite": (
        [("counts.tsv", "\t3\t1", "\tinf\t1")],
        errors.UnitError,
        ["in/counts.tsv line 3, gene 'PRF1', sample 'S1': infinite value: inf"],
    ),
    "log with large values": (
        [("toy.toml", '"counts"', '"log2_tpm"')],
        errors.UnitError,
        ["in/counts.tsv line 4, gene 'ACTB', sample 'S3': unit log2_tpm declared, but a value above 100: 900"],
    ),
    "a fraction above one": (
        [("toy.toml", '"counts"', '"fraction"')],
        errors.UnitError,
        [
            "in/counts.tsv line 2, gene 'GZMA', sample 'S3': unit fraction declared, but a value above 1: 5",
            "by 100",
        ],
    ),
    "text among expression": (
        [("counts.tsv", "\t3\t1", "\tlow\t1")],
        errors.DataFileError,
        ["in/counts.tsv line 3, gene 'PRF1', sample 'S1': 'low' is not a number"],
    ),
    "decimal comma among expression": (
        [("counts.tsv", "\t3\t1", "\t3,5\t1")],
        errors.DataFileError,
        ["in/counts.tsv line 3, gene 'PRF1', sample 'S1': '3,5' is not a number; write a decimal point"],
    ),
    "undeclared missing code among expression": (
        [("counts.tsv", "\t3\t1", "\tnan\t1")],
        errors.DataFileError,
        [
            "in/counts.tsv line 3, gene 'PRF1', sample 'S1': 'nan' is not a number",
            "list a code in missing = [...]",
        ],
    ),
    "repeated genes": (
        [("counts.tsv", "PRF1", "GZMA")],
        errors.DataFileError,
        ["in/counts.tsv: 1 gene name(s) are repeated, 'GZMA' ('GZMA' in lines 2 and 3)", "merge or remove"],
    ),
    "a gene without a name": (
        [("counts.tsv", "PRF1", "")],
        errors.DataFileError,
        ["in/counts.tsv line 3: no gene name; fill it in"],
    ),
    "repeated libraries": (
        [("counts.tsv", "S3b", "S1")],
        errors.DataFileError,
        ["in/counts.tsv line 1: column name 'S1' occurs twice (columns 3 and 4); rename one"],
    ),
    "repeated column": (
        [("clinical.tsv", "ward", "age")],
        errors.DataFileError,
        ["in/clinical.tsv line 1: column name 'age' occurs twice (columns 9 and 11)"],
    ),
    "short row": (
        [("clinical.tsv", "48\t0\t11", "48\t0")],
        errors.DataFileError,
        ["in/clinical.tsv line 4: 10 cells, the header has 11"],
    ),
    "short row of expression": (
        [("counts.tsv", "\t3\t1\t12", "\t3\t1")],
        errors.DataFileError,
        ["in/counts.tsv line 3: 4 cells, the header has 5; the file was cut or edited"],
    ),
    "long row of expression": (
        [("counts.tsv", "\t3\t1\t12", "\t3\t1\t12\t9")],
        errors.DataFileError,
        ["in/counts.tsv line 3: 6 cells, the header has 5"],
    ),
    "header without a name over the first column": (
        [("counts.tsv", "gene\t", "")],
        errors.DataFileError,
        [
            "in/counts.tsv line 1: the header has one name less than each row",
            "write.table",
            "declare row_names = ",
        ],
    ),
    "an open quote": (
        [("lesions.csv", 'L1, left"', "L1, left")],
        errors.DataFileError,
        ["in/lesions.csv line 4: unexpected end of data; close or remove the quotation mark"],
    ),
    "wrong delimiter": (
        [("toy.toml", 'lesions.csv"', 'lesions.csv"\ndelimiter = "\\t"')],
        errors.ManifestError,
        ["in/lesions.csv", "The file has one column, 'patient,day,lesion,kind,mm': is its delimiter ','?"],
    ),
    "orientation the other way": (
        [("toy.toml", "genes_by_samples", "samples_by_genes")],
        errors.ManifestError,
        [
            "in/counts.tsv: 4 sample ids stand where orientation = 'samples_by_genes' expects genes",
            "'genes_by_samples'",
        ],
    ),
    "Ensembl ids": (
        [("counts.tsv", "GZMA", "ENSG00000145649"), ("counts.tsv", "PRF1", "ENSG00000180644.8")],
        errors.ManifestError,
        ["in/counts.tsv: gene_id = 'symbol' is declared, but 2 of 3 names are Ensembl ids"],
    ),
    "Ensembl ids declared": (
        [("toy.toml", '"symbol"', '"ensembl"')],
        errors.ManifestError,
        ["[assays.rna]: gene_id = 'ensembl' needs either symbol_column or gene_map"],
    ),
    "a path that climbs out": (
        [("toy.toml", "in/counts.tsv", "in/../../counts.tsv")],
        errors.DataFileError,
        ["in/../../counts.tsv: the path leaves the data root; give a path below it"],
    ),
    "an absolute path": (
        [("toy.toml", "in/counts.tsv", "/etc/hostname.tsv")],
        errors.DataFileError,
        ["/etc/hostname.tsv: the path leaves the data root"],
    ),
    "a path with backslashes": (
        [("toy.toml", '"in/counts.tsv"', "'in\\counts.tsv'")],
        errors.DataFileError,
        ["the path leaves the data root; give a path below it, with '/' between folders"],
    ),
    "a name without a known ending": (
        [("toy.toml", "in/counts.tsv", "in/counts.dat")],
        errors.ImmunosarcError,
        [
            "in/counts.dat: the name ends in none of .tsv, .txt, .maf, .csv, .xlsx, .parquet, .xpt, .sas7bdat; say",
            "[assays.rna] delimiter = ...",
        ],
    ),
    "unknown key in the manifest": (
        [("toy.toml", "time_unit =", "time_units =")],
        errors.ManifestError,
        ["unknown key 'time_units' in the manifest. Did you mean 'time_unit'?"],
    ),
    "unknown key in a block": (
        [("toy.toml", "orientation =", "orientaton =")],
        errors.ManifestError,
        [
            "unknown key 'orientaton' in [assays.rna]. Did you mean 'orientation'?",
            "[assays.rna] lacks 'orientation'; 'genes_by_samples' or 'samples_by_genes' is needed",
        ],
    ),
    "unknown key deep inside": (
        [("toy.toml", "keep = { rep = 0 }", 'replicates = { of = "patient", rule = "first", by = 1 }')],
        errors.ManifestError,
        ["unknown key 'by' in [samples.replicates]"],
    ),
    "replicates where they mean nothing": (
        [("toy.toml", 'missing = ["NA"]', 'missing = ["NA"]\nreplicates = { of = "patient", rule = "first" }')],
        errors.ManifestError,
        ["unknown key 'replicates' in [patients]"],
    ),
    "unknown table": (
        [("toy.toml", "[tables.lesions]", "[tables.lesion]")],
        errors.ManifestError,
        ["line 39: [tables.lesion]: unknown table. Did you mean 'lesions'?"],
    ),
    "unknown unit": (
        [("toy.toml", '"counts"', '"count"')],
        errors.ManifestError,
        ["[assays.rna] unit: 'count' is not a unit. Did you mean 'counts'?"],
    ),
    "unknown platform": (
        [("toy.toml", "polya_rnaseq", "poly_rnaseq")],
        errors.ManifestError,
        ["[assays.rna] platform: 'poly_rnaseq' is not a platform. Did you mean 'polya_rnaseq'?"],
    ),
    "unknown time unit": (
        [("toy.toml", '"months"', '"month"')],
        errors.ManifestError,
        ["time_unit = 'month' is not one of days, weeks, months, years."],
    ),
    "no time unit": (
        [("toy.toml", 'time_unit = "months"\n', "")],
        errors.ManifestError,
        ["time_unit is missing: pfs_time need"],
    ),
    "days and time at once": (
        [("toy.toml", 'age = "age"', 'pfs_days = "age"')],
        errors.ManifestError,
        ["[patients] columns: both 'pfs_time' and 'pfs_days' are given; keep one"],
    ),
    "log2 without pseudocount": (
        [("toy.toml", '"counts"', '"log2"')],
        errors.ManifestError,
        ["unit = 'log2' needs pseudocount"],
    ),
    "pseudocount against the unit": (
        [("toy.toml", '"counts"', '"log2_tpm"\npseudocount = 0.001')],
        errors.ManifestError,
        [
            "unit = 'log2_tpm' is log2(TPM + 1) and takes no pseudocount of 0.001",
            "for another one declare unit = 'log2'",
        ],
    ),
    "no samples": (
        [("toy.toml", "[samples]", "[tables.assessments]")],
        errors.ManifestError,
        ["[samples] is missing; assays need a table"],
    ),
    "no patients": (
        [
            ("toy.toml", "[patients", "[samples"),
            ("toy.toml", "[patients", "[samples"),
            ("toy.toml", "[patients", "[samples"),
            (
                "toy.toml",
                '[samples]\nfile = "in/clinical.tsv"\nkeep',
                '[tables.assessments]\nfile = "in/clinical.tsv"\nkeep',
            ),
        ],
        errors.ManifestError,
        ["the manifest lacks 'patients'; a table with file, columns, ... is needed"],
    ),
    "not TOML": (
        [("toy.toml", "[patients]", "[patients")],
        errors.ManifestError,
        ["toy.toml: this is not TOML", "line 9"],
    ),
    "a wrong type": (
        [("toy.toml", 'caveats = ["Not real."]', 'caveats = "Not real."')],
        errors.ManifestError,
        ["caveats: list is needed, found 'Not real.'"],
    ),
    "a question mark of a draft": (
        [("toy.toml", '"counts"', '"?"'), ("toy.toml", "no = false", 'no = "?"')],
        errors.ManifestError,
        [
            "[assays.rna] unit is still '?'; fill it in: one of counts, cpm",
            "[patients] recode.pfs_event: say what the code 'no' means; it is still '?'",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message_names_place_value_and_cure(toy, name: str) -> None:
    edits, error, fragments = CASES[name]
    toy.write("people.tsv", toy.path("clinical.tsv").read_text().replace("P3", "P33"))
    for edit in edits:
        toy.change(*edit)
    with pytest.raises(error) as caught:
        toy.load()
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert str(caught.value).startswith("manifest toy.toml has ")


def test_each_case_says_only_what_is_wrong(toy) -> None:
    """One mistake is one line: what follows from it is not told a second time."""
    for name in ("missing file", "unlisted code", "negative time", "counts with decimals", "unknown column"):
        before = {file: toy.path(file).read_bytes() for file in ("toy.toml", "clinical.tsv", "counts.tsv")}
        for edit in CASES[name][0]:
            toy.change(*edit)
        assert len(toy.problems()) == 1, (name, toy.problems())
        for file, content in before.items():
            toy.write(file, content)


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [
        ("counts.tsv", b"", "in/counts.tsv: the file is empty"),
        ("counts.tsv", b"\n\n", "in/counts.tsv: the file is empty"),
        ("clinical.tsv", b"sample\tpatient\n", "in/clinical.tsv: there is a header and no row below it"),
        ("counts.tsv", b"gene\tS1\n", "in/counts.tsv: there is a header and no row below it"),
        ("counts.tsv", b"gene\nGZMA\n", "in/counts.tsv line 1: the header has 1 column(s)"),
        ("clinical.tsv", b"\nsample\tpatient\n", "in/clinical.tsv: line 1 is empty"),
        (
            "clinical.tsv",
            "sample\tward\nS1\tMünchen\n".encode("latin-1"),
            "in/clinical.tsv: line 2 holds byte 0xFC",
        ),
        ("counts.tsv", b"gene\tS1\nGZ\0MA\t3\n", "in/counts.tsv: line 2 holds a NUL byte"),
        (
            "counts.tsv",
            gzip.compress(b"gene\tS1\n" * 999, mtime=0)[:40],
            "in/counts.tsv: the gzip stream is broken or cut short",
        ),
        ("counts.tsv", b"\x1f\x8b\x08\x00rubbish", "in/counts.tsv: the gzip stream is broken or cut short"),
        ("clinical.tsv", b"PK\x03\x04rest", "in/clinical.tsv: this is a zip archive or an Excel workbook"),
        ("clinical.tsv", b"\xff\xfea", "in/clinical.tsv: begins as UTF-16 but does not go on so"),
        ("toy.toml", b'name = "\xfc"', "toy.toml: line 1 holds byte 0xFC, which is not UTF-8"),
        ("toy.toml", b"a = " + b"[" * 100_000, "toy.toml: this is not TOML"),
    ],
)
def test_files_that_are_no_text_or_no_table(toy, name: str, content: bytes, fragment: str) -> None:
    toy.write(name, content)
    assert fragment in toy.message()


def test_a_manifest_that_is_not_there(tmp_path) -> None:
    for call in (load_cohort, read_manifest):
        with pytest.raises(errors.ManifestError, match="does not exist; give the path of a TOML file"):
            call(tmp_path / "absent.toml")


def test_a_symbolic_link_does_not_lead_out(toy, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "counts.tsv"
    toy.path("counts.tsv").rename(outside)
    os.symlink(outside, toy.path("counts.tsv"))
    with pytest.raises(errors.DataFileError, match=r"in/counts\.tsv: the path leaves the data root"):
        toy.load()


def test_a_symbolic_link_within_the_root_is_followed(toy) -> None:
    toy.path("counts.tsv").rename(toy.root / "kept.tsv")
    os.symlink(toy.root / "kept.tsv", toy.path("counts.tsv"))
    assert toy.load()["rna"].n_obs == 3


def test_a_data_root_that_is_not_there(toy) -> None:
    with pytest.raises(errors.DataFileError, match=r"the data root .*nowhere is not a folder; check data_root"):
        load_cohort(toy.manifest, data_root=toy.root / "nowhere")


def test_problems_of_all_blocks_come_together(toy) -> None:
    toy.change("toy.toml", "caveats", "caveat")
    toy.change("toy.toml", 'lesions.csv"', f'lesions.csv"\nsha256 = "{"1" * 64}"')
    toy.change("clinical.tsv", "70.5", "old")
    toy.change("clinical.tsv", "S3\tP2\tbaseline", "S3\tP2\tscreening")
    toy.change("counts.tsv", "\t40", "\t40.25")
    message = toy.message()
    assert message.startswith("manifest toy.toml has 5 problem(s):")
    for fragment in (
        "unknown key 'caveat' in the manifest. Did you mean 'caveats'?",
        "in/lesions.csv: SHA-256 is ",
        "line 6, column 'age': 'old' is not a number",
        "line 4, column 'time': code 'screening'",
        "in/counts.tsv line 2, gene 'GZMA', sample 'S2'",
    ):
        assert fragment in message
    assert check_manifest(toy.manifest).error is errors.ManifestError


def test_a_broken_block_does_not_hide_another(toy) -> None:
    toy.change("toy.toml", 'unit = "counts"', "").change("toy.toml", "in/lesions.csv", "in/lesion.csv")
    problems = toy.problems()
    assert any("[assays.rna] lacks 'unit'; one of counts" in one for one in problems)
    assert any("in/lesion.csv: is missing" in one for one in problems)


def test_values_and_rules_of_one_table_come_together(toy) -> None:
    toy.change("clinical.tsv", "NA\t\t\tF\t70.5", "NA\t9\t\tF\t70.5").change(
        "clinical.tsv", "M\t48\t0", "M\t480\t0"
    )
    toy.change("clinical.tsv", "M\t48\t1", "M\t480\t1")
    problems = toy.problems()
    assert any("lines 4 and 5, column 'age': above 120, found '480'" in one for one in problems)
    assert any("line 6, column 'pfs' (pfs_time): given without pfs_event" in one for one in problems)


def test_many_mistakes_of_one_kind_are_counted_and_not_listed(toy) -> None:
    rows = [f"X{i}\tQ{i}\tbaseline\t{i}\tPR{i}\t1\tyes\tF\t50\t0\t1" for i in range(1, 10)]
    toy.write("clinical.tsv", toy.path("clinical.tsv").read_text() + "\n".join(rows))
    problems = toy.problems()
    assert sum("is not one of CR, PR, SD, PD, NE" in one for one in problems) == 5
    assert "... and 4 more values in column 'resp' like these" in problems


def test_lines_count_records_that_span_lines(toy) -> None:
    toy.change("lesions.csv", '"L1, left"', '"L1,\nleft"').write(
        "lesions.csv", toy.path("lesions.csv").read_text() + "P9,1,L9,T,3\n"
    )
    assert "in/lesions.csv line 6, column 'patient': patient 'P9'" in toy.message()


def test_a_number_of_thousands_of_digits_in_a_manifest(toy) -> None:
    toy.change("toy.toml", "alpha = 0.1", "alpha = " + "9" * 5000)
    assert "this is not TOML" in toy.message()
