"""What pipelines write loads as it is: salmon, nf-core/rnaseq, R, iobrpy; each beside the plain table it stands for."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.loaders._r_names import r_name
from immunosarc.loaders._salmon import gene_lengths_of

# transcripts of three genes; B.1 of the second sample and gene C of both are not expressed
TRANSCRIPTS = ["ENST1.2", "ENST2.7", "ENST3.1", "ENST4.1"]
MAP = (
    "transcript_id\tgene_id\tgene_name\n"
    "ENST1.2\tENSG00000000001.5\tGZMA\n"
    "ENST2.7\tENSG00000000001.5\tGZMA\n"
    "ENST3.1\tENSG00000000002.1\tPRF1\n"
    "ENST4.1\tENSG00000000003.1\tACTB\n"
)
QUANT = {
    "S1": {"length": [1000, 500, 800, 300], "eff": [900.0, 400.0, 700.0, 200.0], "reads": [90.5, 20.0, 35.0, 0.0]},
    "S2": {"length": [1000, 500, 800, 300], "eff": [950.0, 450.0, 750.0, 250.0], "reads": [19.0, 0.0, 0.0, 0.0]},
}


def _tpm(sample: str) -> list[float]:
    rates = [read / eff for read, eff in zip(QUANT[sample]["reads"], QUANT[sample]["eff"], strict=True)]
    return [1e6 * rate / sum(rates) for rate in rates]


def _quant(sample: str, *, order: tuple[int, ...] = (0, 1, 2, 3)) -> str:
    one, tpm = QUANT[sample], _tpm(sample)
    rows = [(TRANSCRIPTS[i], one["length"][i], one["eff"][i], repr(tpm[i]), one["reads"][i]) for i in order]
    return "Name\tLength\tEffectiveLength\tTPM\tNumReads\n" + "".join(
        "\t".join(map(str, row)) + "\n" for row in rows
    )


CLINICAL = "id\tsample\tbor\nP1\tS1\tPR\nP2\tS2\tPD\n"
HEAD = """\
name = "toy"
[patients]
file = "clinical.tsv"
columns = { patient_id = "id", best_overall_response = "bor" }
[samples]
file = "clinical.tsv"
columns = { sample_id = "sample", patient_id = "id" }
constants = { timepoint = "pre" }
[assays.rna]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clinical.tsv").write_text(CLINICAL)
    (tmp_path / "tx2gene.tsv").write_text(MAP)
    for number, sample in enumerate(QUANT):
        (tmp_path / "salmon" / sample).mkdir(parents=True)
        text = _quant(sample, order=(0, 1, 2, 3) if number == 0 else (3, 0, 2, 1))
        (tmp_path / "salmon" / sample / "quant.sf").write_text(text)
    return tmp_path


def _load(folder: Path, assay: str, **files: str) -> ims.Cohort:
    for name, text in files.items():
        (folder / f"{name}.tsv").write_text(text)
    (folder / "toy.toml").write_text(HEAD + assay)
    return ims.load_cohort(folder / "toy.toml")


def _refused(folder: Path, assay: str, **files: str) -> str:
    with pytest.raises(ims.errors.ImmunosarcError) as caught:
        _load(folder, assay, **files)
    return str(caught.value)


SALMON = """
file = "salmon"
format = "salmon"
transcript_map = "tx2gene.tsv"
unit = "tpm"
orientation = "samples_by_genes"
gene_id = "symbol"
"""


def test_a_folder_of_quant_files_is_tpm_of_genes(folder: Path) -> None:
    adata = _load(folder, SALMON)["rna"]
    assert list(adata.obs_names) == ["S1", "S2"]
    assert list(adata.var_names) == ["GZMA", "PRF1", "ACTB"]
    for row, sample in enumerate(QUANT):
        tpm = _tpm(sample)
        assert adata.X[row].tolist() == pytest.approx([tpm[0] + tpm[1], tpm[2], tpm[3]])
    assert adata.X.sum(axis=1) == pytest.approx([1e6, 1e6])


def test_lengths_are_those_of_tximport(folder: Path) -> None:
    lengths = _load(folder, SALMON)["rna"].layers["gene_length"]
    tpm = _tpm("S1")
    assert lengths[0, 0] == pytest.approx((tpm[0] * 900 + tpm[1] * 400) / (tpm[0] + tpm[1]))
    assert lengths[1, 0] == pytest.approx(950)
    assert lengths[:, 1].tolist() == pytest.approx([700, 700])  # absent from the second sample: as in the first
    assert lengths[:, 2].tolist() == pytest.approx(
        [225, 225]
    )  # absent from both: mean over samples of its transcript


def test_a_missing_length_is_the_geometric_mean_of_the_others() -> None:
    tpm = np.array([[10.0], [20.0], [0.0]])
    lengths = gene_lengths_of(tpm, np.array([[100.0], [400.0], [9.0]]), np.array([0]))
    assert lengths.ravel().tolist() == pytest.approx([100, 400, math.sqrt(100 * 400)])


def test_reads_become_tpm_again(folder: Path) -> None:
    assay = SALMON.replace('unit = "tpm"', 'unit = "counts"')
    assert "a decimal found: 110.5; declare the unit the numbers have, or round_counts" in _refused(folder, assay)
    adata = _load(folder, assay + "round_counts = true\n")["rna"]
    assert adata.X.tolist() == [[110, 35, 0], [19, 0, 0]]
    assert adata.uns["immunosarc"]["rounded"] is True
    lengths = pd.DataFrame(adata.layers["gene_length"], index=adata.obs_names, columns=adata.var_names)
    tpm = ims.features.convert(adata, to="tpm", lengths=lengths)
    expected = _load(folder, SALMON)["rna"].X
    np.testing.assert_allclose(tpm.X, expected, rtol=0.01)  # half a read of 110 was rounded away


def test_ensembl_ids_of_the_map_and_gzip(folder: Path) -> None:
    path = folder / "salmon" / "S2" / "quant.sf"
    path.with_name("quant.sf.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    ids = SALMON.replace('"symbol"', '"ensembl"') + 'symbol_column = "gene_name"\n'
    adata = _load(folder, ids)["rna"]
    assert list(adata.var_names) == ["GZMA", "PRF1", "ACTB"]
    assert adata.var["given"].tolist() == ["ENSG00000000001", "ENSG00000000002", "ENSG00000000003"]
    np.testing.assert_array_equal(adata.X, _load(folder, SALMON)["rna"].X)


def test_a_folder_is_pinned_by_its_files(folder: Path) -> None:
    files = sorted((folder / "salmon").glob("*/quant.sf"))
    lines = "".join(
        f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.relative_to(folder).as_posix()}\n" for one in files
    )
    digest = hashlib.sha256(lines.encode()).hexdigest()
    cohort = _load(folder, f'{SALMON}sha256 = "{digest}"\n')
    assert {cohort.provenance["files"][name]["status"] for name in ("salmon", "salmon/S1/quant.sf")} == {"pinned"}
    assert ims.loaders.fetch_files(folder / "toy.toml")["status"].tolist() == ["present", "present"]
    files[0].write_text(files[0].read_text().replace("NumReads\n", "NumReads\n", 1) + " ")
    assert f"the manifest expects {digest}" in _refused(folder, f'{SALMON}sha256 = "{digest}"\n')


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("S1/quant.sf", "EffectiveLength", "Effective", "line 1: the header is not that of salmon's quant.sf"),
        ("S1/quant.sf", "90.5", "90,5", "line 2, transcript 'ENST1.2', column 'NumReads': '90,5' is not a number"),
        ("S1/quant.sf", "90.5", "-90.5", "line 2, transcript 'ENST1': NumReads is -90.5; quantify again"),
        ("S1/quant.sf", "900.0", "0", "line 2, transcript 'ENST1': EffectiveLength is 0"),
        ("S1/quant.sf", "ENST4.1", "ENST5.1", "the transcripts of 'S2' are not those of 'S1'"),
        ("S1/quant.sf", "ENST4.1", "ENST1.2", "lines 2 and 5: transcripts are repeated: 'ENST1'"),
        (
            "../tx2gene.tsv",
            "ENST4.1",
            "ENST5.1",
            "1 of 4 transcripts are not in tx2gene.tsv: 'ENST4'; use the map",
        ),
        ("../tx2gene.tsv", "gene_name", "symbol", "tx2gene.tsv line 1: there is no column 'gene_name'"),
        ("../tx2gene.tsv", "ENST2.7", "ENST1.3", "lines 2 and 3: transcript 'ENST1' has several genes"),
        ("../tx2gene.tsv", "\tACTB", "\t", "tx2gene.tsv line 5: no gene; fill it in"),
    ],
)
def test_what_is_wrong_with_quant_files(folder: Path, file: str, old: str, new: str, message: str) -> None:
    path = (folder / "salmon" / file).resolve()
    text = path.read_text()
    assert old in text
    text = (
        text.replace("ENSG00000000001.5\tGZMA\nENST2.7", "ENSG00000000001.5\tIFNG\nENST2.7")
        if "several" in message
        else text
    )
    path.write_text(text.replace(old, new, 1))
    assert message in _refused(folder, SALMON)


def test_a_cut_quant_file(folder: Path) -> None:
    for sample in QUANT:  # both alike, so that only the sum can tell
        (folder / "salmon" / sample / "quant.sf").write_text(_quant(sample).rsplit("ENST2", 1)[0])
    assert "TPM add up to " in _refused(folder, SALMON)
    assert "the file was cut or edited" in _refused(folder, SALMON)


def test_a_sample_without_its_quant_file(folder: Path) -> None:
    (folder / "salmon" / "S2" / "quant.sf").unlink()
    assert "salmon: folders of samples hold no quant.sf: 'S2'" in _refused(folder, SALMON)
    (folder / "salmon" / "S1" / "quant.sf").unlink()
    assert "salmon: no folder in it holds quant.sf" in _refused(folder, SALMON)
    assert "salmn: is not a folder below the data root" in _refused(
        folder, SALMON.replace('"salmon"', '"salmn"', 1)
    )


def test_a_quant_file_outside_the_root_is_not_read(folder: Path, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "quant.sf"
    outside.write_text(_quant("S2"))
    (folder / "salmon" / "S2" / "quant.sf").unlink()
    (folder / "salmon" / "S2" / "quant.sf").symlink_to(outside)
    assert "salmon/S2/quant.sf: the path leaves the data root" in _refused(folder, SALMON)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('transcript_map = "tx2gene.tsv"\n', "", "format = 'salmon' and transcript_map go together"),
        ('"samples_by_genes"', '"genes_by_samples"', "each quant.sf file is one sample"),
        ('"tpm"', '"fpkm"', "quant.sf files hold TPM and reads"),
        ('"symbol"', '"symbol"\ngene_lengths = "x.tsv"', "gene_lengths cannot stand with format = 'salmon'"),
    ],
)
def test_salmon_is_declared_whole(folder: Path, old: str, new: str, message: str) -> None:
    assert message in _refused(folder, SALMON.replace(old, new))


NF_CORE = """
file = "{file}"
unit = "{unit}"
orientation = "genes_by_samples"
gene_id = "ensembl"
symbol_column = "gene_name"
"""
TPM = "gene_id\tgene_name\tS1\tS2\nENSG00000000001.5\tGZMA\t10.5\t0\nENSG00000000002.1\tPRF1\t0.25\t3\n"
COUNTS = "gene_id\tgene_name\tS1\tS2\nENSG00000000001.5\tGZMA\t10.49\t0\nENSG00000000002.1\tPRF1\t2.51\t3\n"
LENGTHS = "gene_id\tgene_name\tS2\tS1\nENSG00000000002.1\tPRF1\t700\t750.5\nENSG00000000001.5\tGZMA\t900\t950\n"


def test_merged_tpm_of_nf_core(folder: Path) -> None:
    assay = NF_CORE.format(file="salmon.merged.gene_tpm.tsv", unit="tpm") + 'gene_lengths = "lengths.tsv"\n'
    adata = _load(folder, assay, **{"salmon.merged.gene_tpm": TPM, "lengths": LENGTHS})["rna"]
    assert list(adata.var_names) == ["GZMA", "PRF1"]
    assert adata.X.tolist() == [[10.5, 0.25], [0, 3]]
    assert adata.layers["gene_length"].tolist() == [[950, 750.5], [900, 700]]


@pytest.mark.parametrize("scaling", ["none", "scaled", "length_scaled"])
def test_scaled_and_unscaled_counts_are_told_apart(folder: Path, scaling: str) -> None:
    name = "salmon.merged.gene_counts" + ("" if scaling == "none" else f"_{scaling}")
    assay = NF_CORE.format(file=f"{name}.tsv", unit="counts") + "round_counts = true\n"
    assert f"holds counts of scaling '{scaling}' (nf-core/rnaseq)" in _refused(folder, assay, **{name: COUNTS})
    wrong = "scaled" if scaling == "none" else "none"
    assert f"holds counts of scaling '{scaling}'" in _refused(folder, f'{assay}counts_scaling = "{wrong}"\n')
    adata = _load(folder, f'{assay}counts_scaling = "{scaling}"\n')["rna"]
    assert adata.X.tolist() == [[10, 3], [0, 3]]
    assert adata.uns["immunosarc"]["counts_scaling"] == scaling
    with_lengths = f'{assay}counts_scaling = "{scaling}"\ngene_lengths = "lengths.tsv"\n'
    if scaling == "none":
        assert _load(folder, with_lengths, lengths=LENGTHS)["rna"].layers["gene_length"].shape == (2, 2)
    else:
        assert "lengths would be used twice" in _refused(folder, with_lengths, lengths=LENGTHS)
    assert "holds counts (nf-core/rnaseq)" in _refused(folder, NF_CORE.format(file=f"{name}.tsv", unit="tpm"))


def test_tpm_declared_as_counts_are_not_rounded_away(folder: Path) -> None:
    tpm = "gene\tS1\tS2\nGZMA\t999990\t500000.5\nPRF1\t10\t499999.5\n"
    assay = 'file = "x.tsv"\nunit = "counts"\norientation = "genes_by_samples"\ngene_id = "symbol"\nround_counts = true\n'
    assert "every sample adds up to a million" in _refused(folder, assay, x=tpm)


PLAIN = 'file = "x.tsv"\nunit = "counts"\norientation = "genes_by_samples"\ngene_id = "symbol"\n'


def test_one_length_for_each_gene(folder: Path) -> None:
    counts, lengths = "gene\tS1\tS2\nGZMA\t10\t0\nPRF1\t2\t3\n", "gene\tlength\nPRF1\t700\nGZMA\t900\nTP53\t1\n"
    adata = _load(folder, f'{PLAIN}gene_lengths = "lengths.tsv"\n', x=counts, lengths=lengths)["rna"]
    assert adata.var["gene_length"].tolist() == [900, 700]
    assert adata.uns["immunosarc"]["gene_lengths"] == "lengths.tsv"
    again = ims.Cohort.read(_written(folder))
    assert again["rna"].var["gene_length"].tolist() == [900, 700]


def _written(folder: Path) -> Path:
    cohort = ims.load_cohort(folder / "toy.toml")
    cohort.write(folder / "out")
    return folder / "out"


def test_lengths_of_merged_rows_keep_the_abundance(folder: Path) -> None:
    counts = "gene\tS1\tS2\nGZMA\t10\t0\nGZMA_old\t30\t0\nPRF1\t4\t8\n"
    renamed = counts.replace("GZMA_old", "GZMA")
    lengths = "gene\tS1\tS2\nGZMA\t500\t500\nPRF1\t700\t700\n"
    assert "genes are repeated" not in _refused(folder, f'{PLAIN}gene_lengths = "l.tsv"\n', x=renamed, l=lengths)
    ids = "gene_id\tgene_name\tS1\tS2\nENSG00000000001.1\tGZMA\t10\t0\nENSG00000000009.1\tGZMA\t30\t0\nENSG00000000002.1\tPRF1\t4\t8\n"
    sizes = "gene_id\tlength\nENSG00000000001.1\t500\nENSG00000000009.1\t1500\nENSG00000000002.1\t700\n"
    assay = NF_CORE.format(file="x.tsv", unit="counts") + 'duplicates = "sum"\ngene_lengths = "l.tsv"\n'
    layer = _load(folder, assay, x=ids, l=sizes)["rna"].layers["gene_length"]
    assert layer[0].tolist() == pytest.approx([40 / (10 / 500 + 30 / 1500), 700])
    assert layer[1].tolist() == pytest.approx([1000, 700])  # nothing measured: the plain mean
    highest = _load(folder, assay.replace('"sum"', '"highest_mean"'))["rna"]
    assert highest.X[:, 0].tolist() == [30, 0]
    assert highest.layers["gene_length"][:, 0].tolist() == [1500, 1500]


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ("gene\tlength\nGZMA\t900\n", "l.tsv: 1 of the assay's genes have no lengths ('PRF1')"),
        ("gene\tS1\tS9\nGZMA\t900\t1\nPRF1\t1\t1\n", "l.tsv: 1 of the assay's libraries have no lengths ('S2')"),
        ("gene\tlength\nGZMA\t0\nPRF1\t1\n", "l.tsv line 2: gene 'GZMA' has no length above 0 in column 'length'"),
        ("gene\tlength\nGZMA\t\nPRF1\t1\n", "l.tsv line 2: gene 'GZMA' has no length above 0"),
        (
            "gene\tlength\nGZMA\tlong\nPRF1\t1\n",
            "l.tsv line 2, gene 'GZMA', column 'length': 'long' is not a number",
        ),
        ("gene\tlength\nGZMA\t9\nPRF1\t1\nPRF1\t2\n", "l.tsv: genes are repeated: 'PRF1'"),
    ],
)
def test_what_is_wrong_with_lengths(folder: Path, lengths: str, message: str) -> None:
    counts = "gene\tS1\tS2\nGZMA\t10\t0\nPRF1\t2\t3\n"
    assert message in _refused(folder, f'{PLAIN}gene_lengths = "l.tsv"\n', x=counts, l=lengths)


# what R's write.table writes: no name over the first column
SHIFTED = "12-04\tS2\nGZMA\t10\t0\nPRF1\t2\t3\n"
CLINICAL_R = '"id"\t"sample"\t"bor"\n"1"\t"P1"\t"12-04"\t"PR"\n"2"\t"P2"\t"S2"\t"PD"\n'


def test_a_table_that_r_wrote(folder: Path) -> None:
    (folder / "clinical.tsv").write_text(CLINICAL_R)
    head = HEAD.replace('file = "clinical.tsv"', 'file = "clinical.tsv"\nrow_names = "row"')
    (folder / "x.tsv").write_text(SHIFTED)
    (folder / "toy.toml").write_text(f'{head}{PLAIN}row_names = "gene"\n')
    adata = ims.load_cohort(folder / "toy.toml")["rna"]
    assert list(adata.obs_names) == ["12-04", "S2"]
    assert adata.X.tolist() == [[10, 2], [0, 3]]
    (folder / "toy.toml").write_text(head + PLAIN)
    with pytest.raises(ims.errors.DataFileError, match=r"declare row_names = "):
        ims.load_cohort(folder / "toy.toml")


def test_a_whole_header_is_not_given_another_name(folder: Path) -> None:
    whole = "gene\tS1\tS2\nGZMA\t10\t0\n"
    assert "3 cells, the header has 4" in _refused(folder, f'{PLAIN}row_names = "g"\n', x=whole)


def test_names_that_r_made_are_found_again(folder: Path) -> None:
    (folder / "clinical.tsv").write_text(CLINICAL.replace("S1", "12-04"))
    counts = "gene\tX12.04\tS2\nGZMA\t10\t0\nPRF1\t2\t3\n"
    assert "1 library is not in the samples table: 'X12.04'" in _refused(folder, PLAIN, x=counts)
    assert list(_load(folder, PLAIN + "r_names = true\n", x=counts)["rna"].obs_names) == ["12-04", "S2"]
    (folder / "clinical.tsv").write_text(CLINICAL.replace("S1", "12-04").replace("S2", "12.04"))
    message = _refused(folder, PLAIN + "r_names = true\n", x=counts.replace("S2", "12.04"))
    assert "'X12.04' can be '12-04' and '12.04' of the samples table, since R writes them alike" in message


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("12", "X12"),
        ("a b", "a.b"),
        ("-a", "X.a"),
        (".1", "X.1"),
        ("..1", "..1"),
        ("TRUE", "TRUE."),
        ("é1", "é1"),
        ("", "X"),
    ],
)
def test_names_as_r_makes_them(name: str, made: str) -> None:
    assert r_name(name) == made


def test_the_tpm_table_of_iobrpy(folder: Path) -> None:
    (folder / "03-tpm").mkdir()
    (folder / "03-tpm" / "tpm_matrix.csv").write_text(",S1,S2\nGZMA,10.5,0\nPRF1,0.25,3\n")
    assay = 'file = "03-tpm/tpm_matrix.csv"\nunit = "tpm"\norientation = "genes_by_samples"\ngene_id = "symbol"\n'
    adata = _load(folder, assay)["rna"]
    assert list(adata.var_names) == ["GZMA", "PRF1"]
    assert adata.X.tolist() == [[10.5, 0.25], [0, 3]]


def test_columns_that_are_not_read(folder: Path) -> None:
    text = "Hugo_Symbol\tEntrez_Gene_Id\tS1\tS2\nGZMA\t3001\t1\t2\nPRF1\t\t3\t4\n"
    adata = _load(folder, PLAIN + 'ignore_columns = ["Entrez_Gene_Id"]\n', x=text)["rna"]
    assert adata.X.tolist() == [[1, 3], [2, 4]]
    assert "there is no column 'Entrez' (ignore_columns). Did you mean" in _refused(
        folder, PLAIN + 'ignore_columns = ["Entrez"]\n'
    )
    both = 'ignore_columns = ["Entrez_Gene_Id", "S1", "S2"]\n'
    assert "ignore_columns leaves no column of numbers" in _refused(folder, PLAIN + both)
