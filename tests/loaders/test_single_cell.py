"""Single cells in a manifest: h5ad and what Cell Ranger writes, and everything that can be wrong with them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import io as matrices
from scipy import sparse

import immunosarc as ims
from immunosarc import features
from immunosarc.errors import DataFileError, ImmunosarcError, ManifestError

GENES = ["CD3D", "CD3E", "TRAC", "CD79A", "MS4A1", "CD19"]
RNG = np.random.default_rng(5)
COUNTS = {name: RNG.poisson(0.8, (5, 6)) for name in ("S1", "S2")}
BARCODES = [f"AAAC{i}-1" for i in range(5)]


def write_h5(path: Path, counts: np.ndarray, *, names: list[str] = GENES, **changed: Any) -> None:
    """As Cell Ranger 3 and later write it: genes by cells, compressed by cell."""
    matrix = sparse.csc_matrix(counts.T)
    kinds = changed.get("kinds", ["Gene Expression"] * len(names))
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr
        group["shape"] = np.array(matrix.shape, dtype=np.int32)
        group["barcodes"] = np.array(changed.get("barcodes", BARCODES), dtype="S20")
        for key, values in {
            "name": names,
            "id": names,
            "feature_type": kinds,
            "genome": ["GRCh38"] * len(names),
        }.items():
            group[f"features/{key}"] = np.array(values, dtype="S20")


def write_mtx(folder: Path, counts: np.ndarray, *, old: bool = False) -> None:
    folder.mkdir()
    matrices.mmwrite(folder / "matrix.mtx", sparse.coo_matrix(counts.T))
    rows = [f"ENSG{i}\t{gene}" + ("" if old else "\tGene Expression") for i, gene in enumerate(GENES)]
    (folder / ("genes.tsv" if old else "features.tsv")).write_text("\n".join(rows) + "\n")
    (folder / "barcodes.tsv").write_text("\n".join(BARCODES) + "\n")
    if not old:
        for name in ("matrix.mtx", "features.tsv", "barcodes.tsv"):
            (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
            (folder / name).unlink()


def write_h5ad(path: Path, values: Any = None, **changed: Any) -> None:
    values = np.vstack([COUNTS["S1"], COUNTS["S2"]]).astype(np.float32) if values is None else values
    samples = changed.get("samples", ["S1"] * 5 + ["S2"] * 5)
    cells = changed.get("cells", [f"c{i}" for i in range(10)])
    obs, var = pd.DataFrame({"donor": samples}, index=cells), pd.DataFrame(index=changed.get("genes", GENES))
    adata = anndata.AnnData(sparse.csr_matrix(values), obs=obs, var=var)
    adata.layers["raw_counts"] = sparse.csr_matrix(np.round(np.abs(values)))
    adata.write_h5ad(path)


def manifest(root: Path, block: str) -> Path:
    (root / "samples.tsv").write_text(
        "sample_id\tpatient_id\ttimepoint\tfailed\nS1\tP1\tpre\t0\nS2\tP2\tpre\t0\nS3\tP3\tpre\t1\n"
    )
    text = (
        'name = "cells"\n[patients]\nfile = "samples.tsv"\ncolumns = { patient_id = "patient_id" }\n'
        '[samples]\nfile = "samples.tsv"\nkeep = { failed = 0 }\n[assays.sc]\n'
    )
    (root / "m.toml").write_text(text + block)
    return root / "m.toml"


def two_files(kind: str, ending: str) -> str:
    files = ", ".join(f'{{ file = "{name}{ending}", sample_id = "{name}" }}' for name in COUNTS)
    return f'format = "{kind}"\nunit = "counts"\nfiles = [{files}]\n'


H5AD = 'format = "cells_h5ad"\nfile = "cells.h5ad"\nunit = "counts"\nsample_column = "donor"\n'


def test_ten_x_h5_holds_what_scanpy_reads(tmp_path: Path) -> None:
    for name, counts in COUNTS.items():
        write_h5(tmp_path / f"{name}.h5", counts)
    cells = ims.load_cohort(manifest(tmp_path, two_files("10x_h5", ".h5")))["sc"]
    assert cells.uns["immunosarc"]["level"] == "cell"
    assert cells.obs_names.tolist() == [f"{name}/{barcode}" for name in COUNTS for barcode in BARCODES]
    for name in COUNTS:
        peer = sc.read_10x_h5(tmp_path / f"{name}.h5")
        mine = cells[cells.obs["sample_id"] == name]
        assert mine.var_names.tolist() == peer.var_names.tolist()
        assert np.array_equal(mine.X.toarray(), peer.X.toarray())


@pytest.mark.parametrize("old", [False, True])
def test_ten_x_folders_hold_what_scanpy_reads(tmp_path: Path, old: bool) -> None:
    for name, counts in COUNTS.items():
        write_mtx(tmp_path / name, counts, old=old)
    cells = ims.load_cohort(manifest(tmp_path, two_files("10x_mtx", "")))["sc"]
    for name in COUNTS:
        peer = sc.read_10x_mtx(tmp_path / name)
        mine = cells[cells.obs["sample_id"] == name]
        assert mine.var_names.tolist() == peer.var_names.tolist()
        assert np.array_equal(mine.X.toarray(), peer.X.toarray())


def test_an_h5ad_names_the_sample_of_each_cell(tmp_path: Path) -> None:
    write_h5ad(tmp_path / "cells.h5ad")
    cohort = ims.load_cohort(manifest(tmp_path, H5AD))
    assert cohort["sc"].obs["sample_id"].astype(str).tolist() == ["S1"] * 5 + ["S2"] * 5
    assert np.array_equal(cohort["sc"].X.toarray(), np.vstack(list(COUNTS.values())))
    quality = features.cell_quality(features.profile_cells(cohort["sc"]))
    assert quality["n_cells"].tolist() == [5, 5]
    cohort.write(tmp_path / "kept")
    assert ims.Cohort.read(tmp_path / "kept").equals(cohort)


def test_a_layer_is_read_instead(tmp_path: Path) -> None:
    write_h5ad(tmp_path / "cells.h5ad", -np.vstack(list(COUNTS.values())).astype(np.float32))
    cohort = ims.load_cohort(manifest(tmp_path, H5AD + 'layer = "raw_counts"\n'))
    assert np.array_equal(cohort["sc"].X.toarray(), np.vstack(list(COUNTS.values())))
    with pytest.raises(DataFileError, match=r"no layers/raw_count;.*Did you mean 'raw_counts'"):
        ims.load_cohort(manifest(tmp_path, H5AD + 'layer = "raw_count"\n'))


def test_antibodies_are_no_genes(tmp_path: Path) -> None:
    write_h5(tmp_path / "S1.h5", COUNTS["S1"], kinds=["Gene Expression"] * 5 + ["Antibody Capture"])
    block = 'format = "10x_h5"\nfile = "S1.h5"\nsample_id = "S1"\nunit = "counts"\n'
    cells = ims.load_cohort(manifest(tmp_path, block))["sc"]
    assert cells.var_names.tolist() == GENES[:5]
    assert np.array_equal(cells.X.toarray(), COUNTS["S1"][:, :5])


def test_genes_of_one_symbol_are_refused_or_added_up(tmp_path: Path) -> None:
    write_h5(tmp_path / "S1.h5", COUNTS["S1"], names=[*GENES[:3], "CD3E", *GENES[3:5]])
    block = 'format = "10x_h5"\nfile = "S1.h5"\nsample_id = "S1"\nunit = "counts"\n'
    with pytest.raises(DataFileError, match=r"1 gene symbols are repeated: 'CD3E'; duplicates = \"sum\""):
        ims.load_cohort(manifest(tmp_path, block))
    cells = ims.load_cohort(manifest(tmp_path, block + 'duplicates = "sum"\n'))["sc"]
    assert cells.var_names.tolist() == GENES[:5]
    expected = COUNTS["S1"][:, [0, 1, 2, 4, 5]] + np.array([0, 1, 0, 0, 0]) * COUNTS["S1"][:, [3]]
    assert np.array_equal(cells.X.toarray(), expected)


def test_cells_of_a_sample_that_was_left_out_leave_with_it(tmp_path: Path) -> None:
    write_h5ad(tmp_path / "cells.h5ad", samples=["S1"] * 5 + ["S3"] * 5)
    cohort = ims.load_cohort(manifest(tmp_path, H5AD))
    assert set(cohort["sc"].obs["sample_id"]) == {"S1"}
    step = next(one for one in cohort.provenance["loading"] if one["step"].endswith(": sc"))
    assert step["kept"] == 1
    assert step["left_out"][0][:2] == ["P3", "S3"]


def _logs(values: np.ndarray) -> np.ndarray:
    return np.log1p(values / np.maximum(values.sum(axis=1, keepdims=True), 1) * 1e4).astype(np.float32)


@pytest.mark.parametrize(
    ("spoil", "more", "said"),
    [
        (lambda p: write_h5ad(p, np.full((10, 6), -0.5)), "", r"negative values \(the least is -0.5\).*scaled"),
        (lambda p: write_h5ad(p, np.full((10, 6), 0.5)), "", "unit counts, but a value is 0.5"),
        (lambda p: write_h5ad(p, np.full((10, 6), np.nan)), "", "missing or infinite"),
        (lambda p: write_h5ad(p, cells=["c"] * 10), "", "1 cell names are repeated: 'c'"),
        (lambda p: write_h5ad(p, samples=["S1"] * 9 + [None]), "", "1 cells have no donor"),
        (lambda p: write_h5ad(p, samples=["S1"] * 9 + ["S9"]), "", "sample 'S9' of single cells is not in the samples"),
        (lambda p: p.write_bytes(b"no cells at all"), "", "cannot be read as cells_h5ad"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_what_is_wrong_with_an_h5ad_is_said(tmp_path: Path, spoil: Any, more: str, said: str) -> None:
    spoil(tmp_path / "cells.h5ad")
    with pytest.raises(DataFileError, match=said):
        ims.load_cohort(manifest(tmp_path, H5AD + more))


def test_logarithms_are_shares_of_ten_thousand(tmp_path: Path) -> None:
    block = H5AD.replace('"counts"', '"log1p_cp10k"')
    whole = np.vstack(list(COUNTS.values()))
    write_h5ad(tmp_path / "cells.h5ad", _logs(whole))
    assert ims.load_cohort(manifest(tmp_path, block))["sc"].uns["immunosarc"]["unit"] == "log1p_cp10k"
    write_h5ad(tmp_path / "cells.h5ad", _logs(whole) * 1.5)
    with pytest.raises(DataFileError, match="unit log1p_cp10k, but a"):
        ims.load_cohort(manifest(tmp_path, block))


def test_cut_off_files_and_missing_parts(tmp_path: Path) -> None:
    for name, counts in COUNTS.items():
        write_h5(tmp_path / f"{name}.h5", counts)
        write_mtx(tmp_path / name, counts)
    whole = (tmp_path / "S1.h5").read_bytes()
    (tmp_path / "S1.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFileError, match=r"S1\.h5: cannot be read as 10x_h5"):
        ims.load_cohort(manifest(tmp_path, two_files("10x_h5", ".h5")))
    (tmp_path / "S1" / "features.tsv.gz").unlink()
    packed = (tmp_path / "S2" / "matrix.mtx.gz").read_bytes()
    (tmp_path / "S2" / "matrix.mtx.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(
        DataFileError, match=r"(?s)S1: the folder lacks 'features\.tsv.*S2/matrix\.mtx\.gz: the gzip"
    ):
        ims.load_cohort(manifest(tmp_path, two_files("10x_mtx", "")))


def test_files_of_different_exports(tmp_path: Path) -> None:
    write_mtx(tmp_path / "S1", COUNTS["S1"])
    (tmp_path / "S1" / "barcodes.tsv.gz").write_bytes(gzip.compress(b"AAAC-1\n"))
    block = 'format = "10x_mtx"\nfile = "S1"\nsample_id = "S1"\nunit = "counts"\n'
    with pytest.raises(DataFileError, match="holds 6 genes x 5 cells, its names say 6 x 1"):
        ims.load_cohort(manifest(tmp_path, block))
    write_h5(tmp_path / "S1.h5", COUNTS["S1"])
    write_h5(tmp_path / "S2.h5", COUNTS["S2"], names=[*GENES[:5], "GZMB"])
    with pytest.raises(DataFileError, match=r"S2\.h5: its 6 genes are not those of S1\.h5 \(6, 5 shared\)"):
        ims.load_cohort(manifest(tmp_path, two_files("10x_h5", ".h5")))
    write_h5(tmp_path / "S2.h5", COUNTS["S2"][:, ::-1], names=GENES[::-1])
    cells = ims.load_cohort(manifest(tmp_path, two_files("10x_h5", ".h5")))["sc"]
    assert np.array_equal(cells.X.toarray(), np.vstack(list(COUNTS.values())))
    write_h5(tmp_path / "S2.h5", COUNTS["S2"], barcodes=["A-1"] * 5)
    with pytest.raises(DataFileError, match="1 cell names are repeated: 'A-1'"):
        ims.load_cohort(manifest(tmp_path, two_files("10x_h5", ".h5")))


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ('format = "10x_h5"\nfile = "a.h5"\nunit = "counts"\n', "sample_id of each file is needed"),
        ('format = "cells_h5ad"\nfile = "a.h5ad"\nunit = "counts"\n', "sample_id of each file or sample_column"),
        (
            'format = "10x_h5"\nfile = "a.h5"\nsample_id = "S1"\nunit = "log1p_cp10k"\n',
            "the 10x formats hold counts",
        ),
        ('format = "10x_h5"\nsample_id = "S1"\nunit = "counts"\n', "one of file and files is needed"),
        ('format = "cells_h5ad"\nfile = "a.h5ad"\nsample_column = "x"\n', "lacks 'unit'"),
        (H5AD + 'sample_id = "S1"\n', "keep one of the two"),
        (H5AD + 'layers = "x"\n', "unknown key 'layers'.*Did you mean 'layer'"),
        ('format = "10x_h6"\nfile = "a.h5"\n', "10x_h5"),
    ],
)
def test_what_a_manifest_must_say(tmp_path: Path, block: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        ims.load_cohort(manifest(tmp_path, block))


def test_a_pinned_hash_is_compared(tmp_path: Path) -> None:
    write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(ImmunosarcError, match="the manifest expects"):
        ims.load_cohort(manifest(tmp_path, H5AD + f'sha256 = "{"0" * 64}"\n'))
