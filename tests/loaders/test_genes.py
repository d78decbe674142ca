"""Gene names: what is replaced, what must not be, what is merged, and the log of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import catalog, features
from immunosarc.cohort import make_assay
from immunosarc.loaders import repair_genes
from immunosarc.loaders._genes import planned_names

MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"


def _repaired(*names: str) -> dict[str, str]:
    plan = planned_names(names)
    return dict(zip(plan["given"], plan["symbol"], strict=True))


def test_older_names_become_approved_symbols() -> None:
    assert _repaired("SDPR", "GZMA") == {"SDPR": "CAVIN2", "GZMA": "GZMA"}


def test_an_approved_symbol_is_never_replaced() -> None:
    flagged = catalog.load_gene_aliases(include_flagged=True).query("flag == 'approved_symbol'")
    assert len(flagged) == 54
    assert {"C7", "TF", "HGF", "AVP", "IFNA13", "FGF2", "MCM2"} <= set(flagged["alias"])
    assert all(_repaired(name)[name] == name for name in flagged["alias"])


def test_every_alias_that_may_be_applied_is_applied() -> None:
    aliases = catalog.load_gene_aliases()
    assert len(aliases) == 5175
    for alias, approved in zip(aliases["alias"], aliases["approved"], strict=True):
        assert _repaired(alias)[alias] == approved


def test_a_file_that_has_both_names_means_two_genes() -> None:
    plan = planned_names(["MUM1", "IRF4"]).set_index("given")
    assert plan["symbol"].to_dict() == {"MUM1": "MUM1", "IRF4": "IRF4"}
    assert plan.loc["MUM1", "why"] == "stays, since IRF4 is in the file too"


def test_two_older_names_of_one_gene_stay() -> None:
    table = catalog.load_gene_aliases()
    approved = table["approved"].value_counts().index[0]
    first, second = table.loc[table["approved"] == approved, "alias"].iloc[:2]
    plan = planned_names([first, second]).set_index("given")
    assert plan["symbol"].tolist() == [first, second]
    assert f"2 names of the file would become {approved}" in plan.loc[first, "why"]


@pytest.mark.parametrize(
    ("date", "symbol"),
    [
        ("2-Sep", "SEPTIN2"),
        ("02-Sep", "SEPTIN2"),
        ("Sep-02", "SEPTIN2"),
        ("2006-09-02", "SEPTIN2"),
        ("2006-09-02 00:00:00", "SEPTIN2"),
        ("14-Sep", "SEPTIN14"),
        ("15-Sep", "SELENOF"),
        ("13-Sep", "13-Sep"),
        ("3-Mar", "MARCHF3"),
        ("11-Mar", "MARCHF11"),
        ("1-Mar", "1-Mar"),
        ("2-Mar", "2-Mar"),
        ("1-Dec", "DELEC1"),
        ("4-Oct", "4-Oct"),
    ],
)
def test_spreadsheet_dates(date: str, symbol: str) -> None:
    assert _repaired(date)[date] == symbol


def test_a_date_that_two_genes_can_be_is_reported_and_not_merged() -> None:
    plan = planned_names(["1-Mar", "ACTB", "1-Mar"])
    assert plan["symbol"].tolist() == ["1-Mar#1", "ACTB", "1-Mar#2"]
    assert "can be MARCHF1 or MTARC1" in plan["why"][0]


def test_a_gene_that_looks_like_no_date_is_left_alone() -> None:
    names = ["MARCKS", "SEPHS1", "DECR1", "APRT", "1-8D", "MAR-1A", "10-Foo", "45-Sep", "NOV"]
    dates = [name for name in names if "date" in planned_names([name])["why"][0]]
    assert dates == []


def _duplicated(unit: str):
    frame = pd.DataFrame({"A": [1.0, 2.0], "B": [5.0, 5.0], "A2": [3.0, 0.0]}, index=["S1", "S2"])
    adata = make_assay(frame, unit=unit)
    adata.var_names = ["A", "B", "A"]
    return adata


@pytest.mark.parametrize(
    ("unit", "rule", "expected", "why"),
    [
        ("tpm", "sum", [[4, 5], [2, 5]], "sum of 2 rows"),
        ("log2_tpm", "mean", [[2, 5], [1, 5]], "mean of 2 rows"),
        ("tpm", "highest_mean", [[1, 5], [2, 5]], "highest_mean of 2 rows, kept A"),
    ],
)
@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_rows_of_one_gene(unit: str, rule: str, expected: list[list[float]], why: str) -> None:
    before = _duplicated(unit)
    merged = repair_genes(before, duplicates=rule)
    np.testing.assert_array_equal(merged.X, expected)
    assert merged.var.loc["A"].to_dict() == {"given": "A;A", "action": "merged", "why": why}
    assert merged.var.loc["B", "action"] == "kept"
    np.testing.assert_array_equal(before.X, _duplicated(unit).X)


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
@pytest.mark.parametrize(
    ("unit", "rule", "message"),
    [
        ("log2_tpm", "sum", "a sum of logarithms or scores means nothing"),
        ("counts", "mean", "reads of one gene add up"),
        ("counts", "median", "unknown rule 'median'"),
        ("counts", None, "gene 'A' stands in several rows"),
    ],
)
def test_a_rule_that_does_not_fit(unit: str, rule: str | None, message: str) -> None:
    with pytest.raises(ims.errors.ImmunosarcError, match=message):
        repair_genes(_duplicated(unit), duplicates=rule)


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_missing_values_stay_missing_where_rows_are_merged() -> None:
    adata = _missing()
    assert np.isnan(repair_genes(adata, duplicates="sum").X[0, 0])
    assert repair_genes(adata, duplicates="highest_mean").X[:, 0].tolist() == [4.0, 4.0]


def _missing():
    adata = make_assay(pd.DataFrame({"A": [np.nan, 3.0], "B": [4.0, 4.0]}, index=["S1", "S2"]), unit="tpm")
    adata.var_names = ["A", "A"]
    return adata


@pytest.mark.parametrize(
    ("name", "exact", "repaired"),
    [("riaz2017", 81, 83), ("hugo2016", 81, 83), ("imvigor210", 39, 39), ("tcga_ucs", 105, 107)],
)
def test_coverage_of_the_catalog(data_root: Path, name: str, exact: int, repaired: int) -> None:
    adata = ims.load_cohort(MANIFESTS / f"{name}.toml", data_root=data_root)["rna"]
    for given, covered in ((adata, exact), (repair_genes(adata), repaired)):
        table = features.coverage(given).query("n_genes > 0")
        assert (len(table), (table["status"] == "ok").sum()) == (107, covered)


NFCORE = """\
gene_id\tgene_name\tS1\tS2\tS3\tS3b
ENSG00000145649.8\tGZMA\t10\t40\t5\t7
ENSG00000180644\tPRF1\t3\t12\t0\t1
ENSG00000075624.17\tACTB\t1100\t900\t900\t950
ENSG00000291237.1\tACTB\t1\t2\t3\t4
ENSG00000000001.1\t\t0\t1\t0\t0
"""


def _nfcore(toy, more: str = 'symbol_column = "gene_name"\nduplicates = "sum"'):
    return toy.write("counts.tsv", NFCORE).change("toy.toml", 'gene_id = "symbol"', f'gene_id = "ensembl"\n{more}')


def test_ids_and_symbols_of_nfcore(toy) -> None:
    rna = _nfcore(toy).load()["rna"]
    assert list(rna.var_names) == ["GZMA", "PRF1", "ACTB", "ENSG00000000001"]
    np.testing.assert_array_equal(rna.X, [[10, 3, 1101, 0], [40, 12, 902, 1], [5, 0, 903, 0]])
    assert rna.var.loc["ACTB", "given"] == "ENSG00000075624.17;ENSG00000291237.1"
    assert rna.var["action"].tolist() == ["renamed", "renamed", "merged", "renamed"]


def test_symbols_from_a_map(toy) -> None:
    straight = _nfcore(toy).load()["rna"]
    rows = [line.split("\t") for line in NFCORE.splitlines()]
    toy.write("map.tsv", "".join(f"{row[0].split('.')[0]}\t{row[1]}\n" for row in rows))
    toy.write("counts.tsv", "".join("\t".join([row[0], *row[2:]]) + "\n" for row in rows))
    toy.change("toy.toml", 'symbol_column = "gene_name"', 'gene_map = "in/map.tsv"')
    mapped = toy.load()["rna"]
    assert list(mapped.var_names) == list(straight.var_names)
    np.testing.assert_array_equal(mapped.X, straight.X)
    assert toy.load().provenance["files"]["in/map.tsv"]["status"] == "unpinned"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('symbol_column = "gene_name"', 'symbol_column = "genename"', "Did you mean 'gene_name'"),
        ('\nduplicates = "sum"', "", "1 gene(s) stand in several rows: 'ACTB'; declare how to merge them"),
        ('duplicates = "sum"', 'duplicates = "mean"', "reads of one gene add up"),
        ('symbol_column = "gene_name"', 'gene_map = "in/none.tsv"', "in/none.tsv: is missing"),
        ('symbol_column = "gene_name"', 'gene_map = "in/lesions.csv"', "there is no column 'gene_id'"),
    ],
)
def test_declarations_that_do_not_fit(toy, old: str, new: str, message: str) -> None:
    assert message in _nfcore(toy).change("toy.toml", old, new).message()


def test_symbols_that_are_declared_as_ensembl(toy) -> None:
    toy.change("toy.toml", 'gene_id = "symbol"', 'gene_id = "ensembl"\ngene_map = "in/map.tsv"')
    toy.write("map.tsv", "gene_id\tgene_name\nENSG00000145649\tGZMA\n")
    assert "3 of 3 names are none ('GZMA' and 'PRF1')" in toy.message()


def test_repair_is_declared_in_the_manifest(toy) -> None:
    toy.change("counts.tsv", "GZMA", "SDPR").change(
        "toy.toml", 'gene_id = "symbol"', 'gene_id = "symbol"\nrepair_symbols = true'
    )
    rna = toy.load()["rna"]
    assert list(rna.var_names) == ["CAVIN2", "PRF1", "ACTB"]
    assert rna.var.loc["CAVIN2", ["given", "action", "why"]].tolist() == [
        "SDPR",
        "renamed",
        "older name of CAVIN2",
    ]


def test_the_log_survives_writing(toy, tmp_path: Path) -> None:
    cohort = _nfcore(toy).load()
    again = ims.Cohort.read(cohort.write(tmp_path / "cohort"))
    assert again["rna"].var.loc["ACTB", "action"] == "merged"


def test_a_prefix_of_r(toy) -> None:
    straight = toy.load()["rna"]
    toy.change("counts.tsv", "S3\tS1\tS3b\tS2", "XS3\tXS1\tXS3b\tXS2")
    assert "4 libraries are not in the samples table" in toy.message()
    toy.change("toy.toml", 'gene_id = "symbol"', 'gene_id = "symbol"\nsample_prefix = "X"')
    rna = toy.load()["rna"]
    assert list(rna.obs_names) == list(straight.obs_names)
    np.testing.assert_array_equal(rna.X, straight.X)


def test_repair_keeps_the_lengths_of_genes() -> None:
    frame = pd.DataFrame({"SDPR": [3.0, 1.0], "HGF": [2.0, 5.0], "HGF_2": [6.0, 0.0]}, index=["S1", "S2"])
    adata = ims.make_assay(frame, unit="counts")
    adata.var["gene_length"] = [100.0, 200.0, 300.0]
    assert repair_genes(adata).var["gene_length"].tolist() == [100, 200, 300]
    twice = adata.copy()
    twice.var_names = ["SDPR", "HGF", "HGF"]
    repaired = repair_genes(twice, duplicates="sum")
    assert list(repaired.var_names) == ["CAVIN2", "HGF"]
    assert repaired.layers["gene_length"][:, 1].tolist() == [8 / (2 / 200 + 6 / 300), 200]
