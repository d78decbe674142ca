"""Genes that sarcoma cells make: the table, and scores with and without them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from immunosarc import schema
from immunosarc.catalog import histologies, load_lineage_conflicts, load_signatures
from immunosarc.cohort import make_assay
from immunosarc.errors import CoverageError, SchemaError
from immunosarc.features import applicability, lineage_guard, score

BUILD = Path(__file__).parents[2] / "scripts" / "build_lineage_conflicts.py"


@pytest.fixture(scope="module")
def quartiles(data_root):
    return pd.read_csv(data_root / "sarcoma_reference" / "sarcoma_subtype_quartiles.tsv.gz", sep="\t", index_col=0)


def test_the_shipped_table_is_what_its_script_builds(quartiles):
    spec = importlib.util.spec_from_file_location("build_lineage_conflicts", BUILD)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    shipped = Path(load_lineage_conflicts.__code__.co_filename).parent / "data" / "lineage_conflicts.tsv"
    assert script.as_text(quartiles) == shipped.read_text(encoding="utf-8")


def test_every_row_has_a_source_and_known_facts_are_there():
    table = load_lineage_conflicts()
    assert table["source"].str.len().min() > 10
    assert not table.duplicated(["histology", "gene"]).any()
    pairs = set(zip(table["histology"], table["gene"], strict=True))
    known = {
        ("SS", "MAL"),
        ("SS", "CTAG1B"),
        ("DDLPS", "MDM2"),
        ("DDLPS", "CDK4"),
        ("LMS", "ACTA2"),
        ("AS", "VWF"),
    }
    known |= {("any", "COL1A1"), ("any", "TGFBI"), ("any", "CD276"), ("OS", "SPP1"), ("EWS", "CD79A")}
    assert known <= pairs
    lymphocytes = {"CD2", "CD3D", "CD3E", "CD8A", "CD8B", "GZMA", "GZMB", "PRF1", "NKG7", "MS4A1", "CD19", "CXCL9"}
    assert not lymphocytes & set(table["gene"])
    coded = set(histologies().index) | {"any", "OS", "EWS", "ERMS", "ARMS"}
    assert set(table["histology"]) <= coded


def test_a_row_from_quartiles_stands_far_above(quartiles):
    """Checked gene by gene with plain arithmetic."""
    table = load_lineage_conflicts().query("kind == 'quartiles'")
    names = {"SS": "SYN"}
    codes = ["LMS", "UPS", "MFS", "LPS", "SYN", "OS", "EWS", "ERMS", "ARMS"]
    for _, row in table.iterrows():
        own = names.get(row["histology"], row["histology"])
        logs = {code: float(np.log2(quartiles.loc[row["gene"], f"{code}_median"] + 1)) for code in codes}
        others = sorted(value for code, value in logs.items() if code != own)
        middle = (others[3] + others[4]) / 2
        assert logs[own] - middle == pytest.approx(row["log2_excess"], abs=0.05)
        assert logs[own] - middle >= 2
        assert logs[own] - others[-2] >= 1


@pytest.fixture
def frame():
    genes = sorted({gene for one in load_signatures().values() for gene in one.all_genes})
    values = np.random.default_rng(0).gamma(0.8, 20.0, (6, len(genes)))
    return pd.DataFrame(values, columns=genes, index=[f"S{i}" for i in range(6)])


KINDS = pd.Series(
    {"S0": "SS", "S1": "DDLPS", "S2": "Angiosarcoma", "S3": "UPS", "S4": None, "S5": "something else"}
)


def test_flagged_scores_are_recomputed_without_the_genes(frame):
    assay = make_assay(frame, unit="tpm")
    sets = load_signatures().subset("mcp_t_cells", "mcp_endothelial", "mcp_fibroblasts", "hallmark_p53", "cyt")
    found = lineage_guard(assay, KINDS, sets, method="mean_log2")
    schema.LINEAGE.check(found)
    assert len(found) == 30
    table = found.set_index(["sample_id", "signature"])
    logs = np.log2(frame + 1)
    usual = score(assay, sets, method="mean_log2")
    for (sample, name), row in table.iterrows():
        assert row["score"] == usual.loc[sample, name]
        kept = [
            g
            for g in sets[name].genes
            if g not in (row["genes"] if isinstance(row["genes"], str) else "").split(", ")
        ]
        expected = logs.loc[sample, kept].mean() if kept else np.nan
        assert row["score_without"] == pytest.approx(expected, rel=1e-12, nan_ok=True)
        assert row["flagged"] == (len(kept) < len(sets[name].genes))
    assert table.loc[("S0", "mcp_t_cells"), "genes"] == "MAL"
    assert not table.loc[("S3", "mcp_t_cells"), "flagged"]
    assert table.loc[("S2", "mcp_endothelial"), "status"] == "sarcoma cells make all of its 33 genes"
    assert table.loc[("S1", "hallmark_p53"), "genes"] == "MDM2"
    assert pd.isna(table.loc[("S3", "hallmark_p53"), "genes"])
    assert set(table.xs("mcp_fibroblasts", level="signature")["status"]) == {
        "sarcoma cells make all of its 8 genes"
    }
    assert not table.xs("cyt", level="signature")["flagged"].any()
    assert table.loc[("S2", "cyt"), "histology"] == "AS"
    assert pd.isna(table.loc[("S5", "cyt"), "histology"])


def test_published_forms_lose_genes_weights_pairs_and_elements(frame):
    assay = make_assay(frame, unit="tpm")
    found = lineage_guard(assay, KINDS).set_index(["sample_id", "signature"])
    gep = load_signatures()["gep18_tcell_inflamed"]
    logs = np.log2(frame + 1)
    level = logs[list(gep.housekeeping)].mean(axis=1)
    by_hand = sum(w * (logs[g] - level) for g, w in gep.weights.items() if g != "CD276")
    assert found.loc[("S3", "gep18_tcell_inflamed"), "genes"] == "CD276"
    assert found.loc[("S3", "gep18_tcell_inflamed"), "score_without"] == pytest.approx(by_hand["S3"], rel=1e-12)
    paired = load_signatures()["impres15"]
    kept = [pair for pair in paired.pairs if "CD276" not in pair]
    won = sum(frame.loc["S3", a] > frame.loc["S3", b] for a, b in kept)
    assert found.loc[("S3", "impres15"), "score_without"] == won
    assert not found.xs("cta_mage_crma5", level="signature")["flagged"].any()  # meant to read the tumor cell
    ips = found.loc[("S2", "immunophenoscore")]
    assert ips["n_conflict"] > 0
    assert not np.isnan(ips["score_without"])


def test_a_subtype_inherits_from_the_wider_diagnosis(frame):
    kinds = KINDS.copy()
    kinds["S0"], kinds["S3"] = "uterine leiomyosarcoma", "lms"
    found = lineage_guard(make_assay(frame, unit="tpm"), kinds, {"muscle": ["MYH11", "LMOD1", "CD8A", "CD3E", "CD2"]},
                          method="mean_log2", min_coverage=0.5).set_index("sample_id")  # fmt: skip
    assert found.loc[["S0", "S3"], "genes"].tolist() == ["MYH11, LMOD1"] * 2
    assert found.loc["S0", "histology"] == "ULMS"
    assert found.loc[["S1", "S2"], "genes"].isna().all()


def test_the_card_lists_conflicts_by_histology(frame):
    card = applicability(make_assay(frame, unit="tpm"), n_draws=0).set_index("signature")
    assert card.loc["mcp_t_cells", "lineage_conflict"] == "ARMS: PBX4; SS: MAL"
    assert card.loc["mcp_fibroblasts", "lineage_conflict"].startswith("any: COL1A1, ")
    assert pd.isna(card.loc["cyt", "lineage_conflict"])


def test_what_the_guard_refuses(frame):
    assay = make_assay(frame, unit="tpm")
    with pytest.raises(SchemaError, match=r"none, or several, for \['S0'\]"):
        lineage_guard(assay, KINDS.drop("S0"))
    with pytest.raises(CoverageError, match="none of 1 signatures"):
        lineage_guard(assay, KINDS, {"gone": ["X1", "X2"]}, method="mean_log2")
    before = assay.X.copy()
    lineage_guard(assay, KINDS, load_signatures().subset("cyt"))
    np.testing.assert_array_equal(assay.X, before)
