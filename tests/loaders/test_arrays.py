"""Files of numbers: h5ad and parquet give the same assay as the text, or a sentence."""

from __future__ import annotations

import hashlib

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import immunosarc as ims

parquet = pytest.importorskip("pyarrow.parquet")


def _frame(toy) -> pd.DataFrame:
    return pd.read_csv(toy.path("counts.tsv"), sep="\t", index_col=0)


def _pinned(toy):
    """Point the manifest to counts.h5ad, whose hash a manifest has to know."""
    digest = hashlib.sha256((toy.root / "in" / "counts.h5ad").read_bytes()).hexdigest()
    toy.change("toy.toml", 'file = "in/counts.tsv"', f'file = "in/counts.h5ad"\nsha256 = "{digest}"')
    return toy.change("toy.toml", '"genes_by_samples"', '"samples_by_genes"')


def _h5ad(toy, *, kind=np.asarray, **more):
    frame = _frame(toy).T
    adata = anndata.AnnData(kind(frame.to_numpy(float)), obs=pd.DataFrame(index=frame.index), **more)
    adata.var_names = frame.columns.astype(str)
    adata.write_h5ad(toy.root / "in" / "counts.h5ad")
    return _pinned(toy)


def _assert_same(one: ims.Cohort, other: ims.Cohort) -> None:
    assert list(one["rna"].obs_names) == list(other["rna"].obs_names)
    assert list(one["rna"].var_names) == list(other["rna"].var_names)
    np.testing.assert_array_equal(one["rna"].X, other["rna"].X)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_h5ad_says_what_the_text_says(toy, kind) -> None:
    before = toy.load()
    _assert_same(before, _h5ad(toy, kind=kind).load())


def test_a_layer_and_a_column_of_symbols(toy) -> None:
    before = toy.load()
    frame = _frame(toy).T
    var = pd.DataFrame({"gene_name": frame.columns}, index=[f"ENSG0000000000{i}.{i}" for i in range(3)])
    adata = anndata.AnnData(np.zeros(frame.shape), obs=pd.DataFrame(index=frame.index), var=var)
    adata.layers["counts"] = frame.to_numpy(float)
    adata.write_h5ad(toy.root / "in" / "counts.h5ad")
    _pinned(toy)
    toy.change(
        "toy.toml", 'gene_id = "symbol"', 'gene_id = "ensembl"\nsymbol_column = "gene_name"\nlayer = "counts"'
    )
    _assert_same(before, toy.load())
    assert "there is no layer 'count'" in toy.change("toy.toml", 'layer = "counts"', 'layer = "count"').message()


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("orientation", ["genes_by_samples", "samples_by_genes"])
def test_parquet_says_what_the_text_says(toy, orientation: str, index: bool) -> None:
    before, frame = toy.load(), _frame(toy)
    frame = frame if orientation == "genes_by_samples" else frame.T.rename_axis("sample")
    (frame if index else frame.reset_index()).to_parquet(toy.root / "in" / "counts.parquet")
    toy.change("toy.toml", "in/counts.tsv", "in/counts.parquet").change(
        "toy.toml", "genes_by_samples", orientation
    )
    _assert_same(before, toy.load())


def test_a_clinical_table_in_parquet(toy) -> None:
    before = toy.load()
    frame = pd.read_csv(
        toy.path("clinical.tsv"), sep="\t", dtype={"ward": str}, keep_default_na=False, na_values=[""]
    )
    frame["day"] = frame["day"].astype("Int64")
    frame.to_parquet(toy.root / "in" / "clinical.parquet")
    toy.manifest.write_text(toy.manifest.read_text().replace("in/clinical.tsv", "in/clinical.parquet"))
    after = toy.load()
    pd.testing.assert_frame_equal(before.patients, after.patients)
    pd.testing.assert_frame_equal(before.samples, after.samples)


def test_dates_in_parquet_meet_the_gate(toy) -> None:
    frame = pd.read_csv(toy.path("clinical.tsv"), sep="\t", dtype=str, keep_default_na=False)
    frame["age"] = pd.to_datetime(["1958-03-01"] * 5)
    frame.to_parquet(toy.root / "in" / "clinical.parquet")
    toy.manifest.write_text(toy.manifest.read_text().replace("in/clinical.tsv", "in/clinical.parquet"))
    assert "column 'age': looks like a calendar date" in toy.message()


@pytest.mark.parametrize("ending", ["h5ad", "parquet"])
@pytest.mark.parametrize("cut", [0, 3, 200, -5])
def test_damaged_files(toy, ending: str, cut: int) -> None:
    if ending == "h5ad":
        _h5ad(toy)
    else:
        _frame(toy).to_parquet(toy.root / "in" / "counts.parquet")
        toy.change("toy.toml", "in/counts.tsv", "in/counts.parquet")
    path = toy.root / "in" / f"counts.{ending}"
    path.write_bytes(path.read_bytes()[:cut])
    reason = "SHA-256 is " if ending == "h5ad" else "cannot be read as parquet"
    assert f"in/counts.{ending}: {reason}" in toy.message()


def test_a_file_that_is_no_h5ad(toy) -> None:
    (toy.root / "in" / "counts.h5ad").write_bytes(b"gene\tS1\nGZMA\t5\n")
    assert "in/counts.h5ad: cannot be read as h5ad" in _pinned(toy).message()


def test_h5ad_is_pinned(toy) -> None:
    toy.change("toy.toml", "in/counts.tsv", "in/counts.h5ad")
    assert "an .h5ad file needs sha256" in toy.change("toy.toml", "genes_by_samples", "samples_by_genes").message()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'unit = "counts"',
            'unit = "fraction"',
            "in/counts.h5ad, gene 'GZMA', sample 'S3': unit fraction declared",
        ),
        ('"samples_by_genes"', '"genes_by_samples"', "the rows of an .h5ad file are samples"),
        ('"symbol"', '"ensembl"\nsymbol_column = "name"', "var has no column 'name'"),
        ("in/counts.h5ad", "../counts.h5ad", "the path leaves the data root"),
    ],
)
def test_what_does_not_fit(toy, old: str, new: str, message: str) -> None:
    assert message in _h5ad(toy).change("toy.toml", old, new).message()


def test_words_among_the_numbers_of_parquet(toy) -> None:
    _frame(toy).assign(S9="many").to_parquet(toy.root / "in" / "counts.parquet")
    assert "columns 'S9' hold no numbers" in toy.change("toy.toml", "in/counts.tsv", "in/counts.parquet").message()


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_repeated_genes_of_h5ad(toy) -> None:
    frame = _frame(toy).T
    adata = anndata.AnnData(frame.to_numpy(float), obs=pd.DataFrame(index=frame.index))
    adata.var_names = ["GZMA", "GZMA", "ACTB"]
    adata.write_h5ad(toy.root / "in" / "counts.h5ad")
    _pinned(toy)
    assert "1 gene name(s) are repeated: 'GZMA'; declare duplicates" in toy.message()
    toy.change("toy.toml", 'gene_id = "symbol"', 'gene_id = "symbol"\nduplicates = "sum"')
    assert toy.load()["rna"][:, "GZMA"].X.ravel().tolist() == [5, 13, 52]
