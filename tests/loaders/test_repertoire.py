"""Receptors as five programs write them, in one file or in a folder, whole and spoilt."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import DataFileError, ImmunosarcError, ManifestError

CLINICAL = "id\tsample\nP1\tS1\nP2\tS2\nP3\tS3\n"
HEAD = """
name = "toy"
[patients]
file = "clinical.tsv"
columns = { patient_id = "id" }
[samples]
file = "clinical.tsv"
columns = { sample_id = "sample", patient_id = "id" }
constants = { timepoint = "pre" }
[tables.clonotypes]
"""
AIRR = """\
sequence_id\tsample_id\tsequence\trev_comp\tproductive\tv_call\td_call\tj_call\tjunction\tjunction_aa\tduplicate_count\tlocus
1\tS1\tACGT\tF\tT\tTRBV5-1*01\t\tTRBJ2-7*01\tTGTGCCAGCTTT\tCASF\t7\tTRB
2\tS1\tACGT\tF\tF\tTRBV5-1*01,TRBV5-4*01\t\tTRBJ2-7*01\tTGTGCCAGCTT\t\t3\tTRB
3\tS2\tACGT\tF\ttrue\tTRAV12-1*01\t\tTRAJ3*01\tTGTGCCAGCAAA\tCASK\t12\tTRA
"""
IMMUNOSEQ_1 = """\
nucleotide\taminoAcid\tcopy\tVGeneName\tJGeneName\tsequenceStatus
ACGTTGTGCC\tCASSL\t7\tTCRBV05-01\tTCRBJ02-07\tIn
ACGTTGTGC\t\t3\tunresolved\tTCRBJ02-01\tOut
"""
IMMUNOSEQ_2 = """\
nucleotide\taminoAcid\tcount (templates/reads)\tfrequencyCount (%)\tvMaxResolved\tjMaxResolved\tsequenceStatus
ACGTTGTGCC\tCASSL\t7\t0.7\tTCRBV05-01*01\tTCRBJ02-07*01\tIn
ACGTTGTGC\tCAS*L\t3\t0.3\tTCRBV05\tTCRBJ02-01*01\tStop
"""
IMMUNOSEQ_3 = """\
rearrangement\tamino_acid\tframe_type\ttemplates\treads\tfrequency\tv_resolved\tj_resolved\tsample_name\tlocus
ACGTTGTGCC\tCASSL\tIn\t7\t70\t0.7\tTCRBV05-01*01\tTCRBJ02-07*01\tS1\tTCRB
ACGTTGTGC\tna\tOut\t3\t33\t0.3\tunresolved\tTCRBJ02-01*01\tS1\tTCRB
"""
MIXCR = """\
cloneId\tcloneCount\tcloneFraction\tallVHitsWithScore\tallJHitsWithScore\tnSeqCDR3\taaSeqCDR3
0\t7.0\t0.7\tTRBV12-3*00(240.1),TRBV12-4*00(240.1)\tTRBJ2-7*00(55)\tTGTGCCAGC\tCAS
1\t3.0\t0.3\tTRBV5-1*00(240)\tTRBJ2-7*00(55)\tTGTGCCAG\tC_S
"""
MIXCR_4 = """\
cloneId\treadCount\treadFraction\tuniqueMoleculeCount\tallVHitsWithScore\tallJHitsWithScore\tnSeqCDR3\taaSeqCDR3
0\t70\t0.7\t7\tTRBV12-3*00(240.1)\tTRBJ2-7*00(55)\tTGTGCCAGC\tCAS
1\t30\t0.3\t3\tTRBV5-1*00(240)\tTRBJ2-7*00(55)\tTGTGCCAGCTAA\tCAS*
"""
TRUST4 = """\
#count\tfrequency\tCDR3nt\tCDR3aa\tV\tD\tJ\tC\tcid\tcid_full_length
7\t0.7\tTGTGCCAGC\tCAS\tTRBV5-1*01\t.\tTRBJ2-7*01\tTRBC2\tassemble1\t1
3\t0.3\tTGTGCCAG\tout_of_frame\tTRBV5-1*01\t.\tTRBJ2-7*01\tTRBC2\tassemble2\t0
"""
IMMUNARCH = """\
Clones\tProportion\tCDR3.nt\tCDR3.aa\tV.name\tD.name\tJ.name
7\t0.7\tTGTGCCAGC\tCAS\tTRBV5-1\tTRBD1\tTRBJ2-7
3\t0.3\tTGTGCCAG\tC~S\tTRBV5-1\tTRBD1\tTRBJ2-7
"""
IN_A_FOLDER = {
    "immunoseq 1": ("immunoseq", IMMUNOSEQ_1, "ACGTTGTGCC", "TCRBV05-01"),
    "immunoseq 2": ("immunoseq", IMMUNOSEQ_2, "ACGTTGTGCC", "TCRBV05-01*01"),
    "mixcr 3": ("mixcr", MIXCR, "TGTGCCAGC", "TRBV12-3*00"),
    "mixcr 4": ("mixcr", MIXCR_4, "TGTGCCAGC", "TRBV12-3*00"),
    "trust4": ("trust4", TRUST4, "TGTGCCAGC", "TRBV5-1*01"),
    "immunarch": ("immunarch", IMMUNARCH, "TGTGCCAGC", "TRBV5-1"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tcr").mkdir()
    (tmp_path / "clinical.tsv").write_text(CLINICAL)
    return tmp_path


def _load(folder: Path, block: str) -> ims.Cohort:
    (folder / "toy.toml").write_text(HEAD + block)
    return ims.load_cohort(folder / "toy.toml")


def _refused(folder: Path, block: str, error: type[ImmunosarcError] = DataFileError) -> str:
    with pytest.raises(error) as caught:
        _load(folder, block)
    return str(caught.value)


def _one(folder: Path, text: str, kind: str, **more: str) -> ims.Cohort:
    (folder / "tcr" / "S1.tsv").write_text(text)
    return _load(folder, f'file = "tcr"\nformat = "{kind}"\n')


@pytest.mark.parametrize("name", IN_A_FOLDER)
def test_every_program_says_the_same_of_two_receptors(folder: Path, name: str) -> None:
    kind, text, bases, gene = IN_A_FOLDER[name]
    table = _one(folder, text, kind).tables["clonotypes"]
    assert table["count"].tolist() == [7, 3]
    assert table["productive"].tolist() == [True, False]
    assert table["locus"].tolist() == ["TRB", "TRB"]
    assert table.loc[0, ["patient_id", "sample_id", "cdr3_nt", "v_call"]].tolist() == ["P1", "S1", bases, gene]


def test_airr_names_its_samples(folder: Path) -> None:
    (folder / "all.tsv").write_text(AIRR)
    table = _load(folder, 'file = "all.tsv"\nformat = "airr"\n').tables["clonotypes"]
    assert table["sample_id"].tolist() == ["S1", "S1", "S2"]
    assert table["patient_id"].tolist() == ["P1", "P1", "P2"]
    assert table["productive"].tolist() == [True, False, True]
    assert table["locus"].tolist() == ["TRB", "TRB", "TRA"]
    assert table["cdr3_aa"].fillna("").tolist() == ["CASF", "", "CASK"]


def test_immunoseq_3_counts_templates_and_not_reads(folder: Path) -> None:
    (folder / "all.tsv").write_text(IMMUNOSEQ_3)
    block = 'file = "all.tsv"\nformat = "immunoseq"\n'
    table = _load(folder, block).tables["clonotypes"]
    assert table["count"].tolist() == [7, 3]
    assert table["v_call"].fillna("").tolist() == ["TCRBV05-01*01", ""]
    assert table["locus"].tolist() == ["TRB", "TRB"]
    declared = _load(folder, block + 'columns = { count = "reads" }\n').tables["clonotypes"]
    assert declared["count"].tolist() == [70, 33]


def test_a_program_that_leaves_a_column_empty_is_read_by_the_next(folder: Path) -> None:
    (folder / "all.tsv").write_text(IMMUNOSEQ_3.replace("\t7\t70", "\tna\t70").replace("\t3\t33", "\t\t33"))
    table = _load(folder, 'file = "all.tsv"\nformat = "immunoseq"\n').tables["clonotypes"]
    assert table["count"].tolist() == [70, 33]


def test_packed_files_and_other_names(folder: Path) -> None:
    (folder / "tcr" / "run7_S2.tsv.gz").write_bytes(gzip.compress(MIXCR.encode()))
    block = 'file = "tcr"\nformat = "mixcr"\nrecode = { sample_id = { run7_S2 = "S2" } }\n'
    cohort = _load(folder, block)
    assert set(cohort.tables["clonotypes"]["sample_id"]) == {"S2"}
    step = next(one for one in cohort.provenance["loading"] if one["step"] == "tcr: clonotypes")
    assert (step["kept"], step["level"]) == (1, "sample")
    digest = hashlib.sha256((folder / "tcr" / "run7_S2.tsv.gz").read_bytes()).hexdigest()
    whole = hashlib.sha256(f"{digest}  tcr/run7_S2.tsv.gz\n".encode()).hexdigest()
    assert _load(folder, f'sha256 = "{whole}"\n{block}').provenance["files"]["tcr"]["status"] == "pinned"
    assert "SHA-256 is" in _refused(folder, f'sha256 = "{digest}"\n{block}')


def test_receptors_of_samples_that_left_leave_too(folder: Path) -> None:
    (folder / "all.tsv").write_text(AIRR)
    manifest = HEAD.replace("constants", 'drop = { sample = "S2" }\nconstants')
    (folder / "toy.toml").write_text(manifest + 'file = "all.tsv"\nformat = "airr"\n')
    cohort = ims.load_cohort(folder / "toy.toml")
    assert set(cohort.tables["clonotypes"]["sample_id"]) == {"S1"}
    flow = ims.attrition(cohort).query("step == 'all.tsv: clonotypes'")
    assert flow["level"].tolist() == ["sample", "sample"]
    assert flow.loc[~flow["kept"], "reason"].tolist() == ["sample was left out: sample is S2"]


def test_one_bad_file_of_a_hundred_is_told_with_the_others_checked(folder: Path) -> None:
    rows = "".join(f"P{i}\tS{i}\n" for i in range(100))
    (folder / "clinical.tsv").write_text("id\tsample\n" + rows)
    for i in range(100):
        (folder / "tcr" / f"S{i}.tsv").write_text(TRUST4)
    block = 'file = "tcr"\nformat = "trust4"\n'
    (folder / "tcr" / "S41.tsv").write_text(TRUST4[:-20])
    (folder / "tcr" / "S77.tsv").write_text(TRUST4.replace("0.7\t", "0.7\t\t", 1))
    (folder / "tcr" / "S78.tsv").write_text(TRUST4.replace("\n7\t", "\n-7\t"))
    (folder / "tcr" / "S90x.tsv").write_text(TRUST4)
    message = _refused(folder, block)
    assert "4 problem(s)" in message
    assert "tcr/S41.tsv line 3: 7 cells, the header has 10; the file was cut or edited" in message
    assert "tcr/S77.tsv line 2: 11 cells, the header has 10" in message
    assert "tcr/S78.tsv line 2, column '#count': '-7': a whole number above 0 is needed" in message
    assert "tcr/S90x.tsv: sample 'S90x' is not in the samples table" in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\t7\tTRB", "\t7,5\tTRB", "line 2, column 'duplicate_count': '7,5': a whole number above 0 is needed"),
        ("\t7\tTRB", "\t0\tTRB", "line 2, column 'duplicate_count': '0': a whole number above 0"),
        ("\t7\tTRB", "\t7.5\tTRB", "line 2, column 'duplicate_count': '7.5': a whole number above 0"),
        ("\t7\tTRB", "\t\tTRB", "line 2, column 'duplicate_count': '': a whole number above 0"),
        ("F\tT\tTRBV", "F\tyes\tTRBV", "line 2, column 'productive': 'yes': one of t, true, 1, f, false, 0 is"),
        (
            "TRBV5-1*01\t\tTRBJ2-7*01\tTGT",
            "CASF\t\tTRBJ2-7*01\tTGT",
            "column 'v_call': 'CASF': the name of a gene",
        ),
        ("TGTGCCAGCTTT", "TGTGCC8GCTTT", "line 2, column 'junction': 'TGTGCC8GCTTT' is no sequence of bases"),
        ("\tCASF\t", "\tJohn Doe\t", "line 2, column 'junction_aa': 'John Doe' is no sequence of amino acids"),
        ("sample_id", "samp", "no filled column for 'sample_id'; format = 'airr' looks for 'sample_id'"),
        ("productive\t", "fruitful\t", "no filled column for 'productive'"),
        ("duplicate_count", "copies", "no filled column for 'count'"),
        ("junction\tjunction_aa", "a\tb", "no filled column for 'cdr3_aa'"),
        ("sequence_id\t", "sequence_id\tlane\t", "12 cells, the header has 13"),
        ("sequence_id", "patient_name", "'patient_name' identifies a person"),
        ("sequence_id", "locus", "column name 'locus' occurs twice"),
    ],
)
def test_spoilt_files_say_where_and_what(folder: Path, old: str, new: str, said: str) -> None:
    assert old in AIRR
    (folder / "all.tsv").write_text(AIRR.replace(old, new, 1))
    message = _refused(folder, 'file = "all.tsv"\nformat = "airr"\n', ImmunosarcError)
    assert said in message


def test_a_header_shifted_by_one_is_no_data(folder: Path) -> None:
    shifted = IMMUNARCH.replace("Clones\tProportion", "Proportion\tClones", 1)
    (folder / "tcr" / "S1.tsv").write_text(shifted)
    message = _refused(folder, 'file = "tcr"\nformat = "immunarch"\n')
    assert "column 'Clones': '0.7': a whole number above 0 is needed" in message


def test_cut_and_empty_files(folder: Path) -> None:
    packed = gzip.compress(AIRR.encode())
    for data in (packed[:-30], b"", AIRR.split("\n", 1)[0].encode() + b"\n"):
        (folder / "all.tsv").write_bytes(data)
        assert "all.tsv" in _refused(folder, 'file = "all.tsv"\nformat = "airr"\n')
    (folder / "tcr" / "notes.md").write_text("no receptors")
    assert "no file in it ends in .tsv" in _refused(folder, 'file = "tcr"\nformat = "airr"\n')


def test_files_of_two_exports_do_not_mix_reads_and_templates(folder: Path) -> None:
    (folder / "tcr" / "S1.tsv").write_text(MIXCR)
    (folder / "tcr" / "S2.tsv").write_text(MIXCR_4)
    message = _refused(folder, 'file = "tcr"\nformat = "mixcr"\n')
    assert "count: the files are read by different columns, 'cloneCount' in tcr/S1.tsv and" in message


def test_keys_that_do_not_fit(folder: Path) -> None:
    (folder / "all.tsv").write_text(AIRR)
    block = 'file = "all.tsv"\nformat = "airr"\nkeep = { locus = "TRB" }\ncolumns = { cdr3 = "junction" }\n'
    message = _refused(folder, block, ManifestError)
    assert "[tables.clonotypes] keep is not for format = 'airr'" in message
    assert "columns.cdr3: not read with format = 'airr'. Did you mean 'cdr3_nt'?" in message
    assert "format = 'maf' belongs in [tables.variants]" in _refused(
        folder, 'file = "all.tsv"\nformat = "maf"\n', ManifestError
    )
    said = _refused(folder, 'file = "all.tsv"\nformat = "vdjtools"\n', ManifestError)
    assert "format = 'vdjtools' is not one of airr, immunoseq, mixcr, trust4, immunarch, maf" in said


def test_a_table_of_ones_own_needs_no_format(folder: Path) -> None:
    (folder / "own.tsv").write_text("sample\tseq\tok\tn\nS1\tTGTA\ttrue\t4\nS2\tTGTC\tfalse\t2\n")
    block = (
        'file = "own.tsv"\ncolumns = { sample_id = "sample", cdr3_nt = "seq", productive = "ok", count = "n" }\n'
    )
    table = _load(folder, block).tables["clonotypes"]
    assert table["count"].tolist() == [4, 2]
    (folder / "own.tsv").write_text("sample\tseq\tok\tn\nS1\t\ttrue\t4\nS2\tTGTC\tfalse\t2.5\n")
    message = _refused(folder, block)
    assert "no value, and none in cdr3_nt either" in message
    assert "not a whole number" in message


def test_written_and_read_again(folder: Path, tmp_path: Path) -> None:
    (folder / "all.tsv").write_text(AIRR)
    cohort = _load(folder, 'file = "all.tsv"\nformat = "airr"\n')
    again = ims.Cohort.read(cohort.write(tmp_path / "out"))
    assert again.equals(cohort)
    assert isinstance(again.tables["clonotypes"], pd.DataFrame)
