"""The shipped signatures are the listed facts, complete and nothing more."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import subprocess
import sys

import pytest

from immunosarc.catalog import Signature, Signatures, load_signatures
from immunosarc.errors import SchemaError, UnknownNameError

SYMBOL = re.compile(r"[A-Z][A-Z0-9]*(?:orf\d+P?)?(?:-[A-Z0-9]+)*")


@pytest.fixture(scope="module")
def found():
    return load_signatures()


@pytest.fixture(scope="module")
def listed(shared):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((shared / "domain" / "signatures.yaml").read_text(encoding="utf-8"))["signatures"]


def plain(value):
    """Frozen content back as lists and dictionaries."""
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def american(text):
    for british, us in (
        ("tumour", "tumor"),
        ("Tumour", "Tumor"),
        ("programme", "program"),
        ("normalised", "normalized"),
        ("residualised", "residualized"),
        ("vascularised", "vascularized"),
        ("paralogues", "paralogs"),
        ("centre", "center"),
        ("signalling", "signaling"),
    ):
        text = text.replace(british, us)
    return text


def test_exactly_the_109_entries_meant_to_ship(found, listed):
    assert len(found) == 109
    assert list(found) == [entry["id"] for entry in listed if entry["ship"]]


def test_every_fact_of_every_entry_is_there(found, listed):
    same = {
        "genes": "genes",
        "genes_down": "genes_down",
        "weights": "weights",
        "housekeeping": "housekeeping",
        "pairs": "pairs",
        "centroids": "centroids",
        "modules": "modules",
        "previous_symbols": "previous_symbols",
        "flags": "flags",
        "direction": "direction",
        "verified": "verified",
        "formula": "formula",
        "patent": "patent",
        "registry_method": "method",
    }
    carried = {"id", "name", "category", "citation", "score", "ship", "verification", "n_genes", "classes"}
    prose = {"notes": "notes", "ship_reason": "caution", "licence": "license"}
    for entry in (entry for entry in listed if entry["ship"]):
        signature = found[entry["id"]]
        for theirs, ours in same.items():
            value = plain(getattr(signature, ours))
            assert value == entry.get(theirs, type(value)()), (entry["id"], theirs)
        for theirs, ours in prose.items():
            if theirs in entry:
                assert getattr(signature, ours) == american(entry[theirs]), (entry["id"], theirs)
        assert signature.label == american(entry["name"])
        assert signature.category == american(entry["category"])
        assert (signature.citation, signature.doi or None, signature.pmid) == (
            american(entry["citation"]["text"]),
            entry["citation"]["doi"],
            entry["citation"]["pmid"],
        )
        assert signature.published_method == american(entry["score"]["method"])
        assert signature.method_details == american(entry["score"]["details"])
        assert american(str(plain(signature.classes))) == american(str(entry.get("classes", {})))
        assert len(signature.sources) == len(entry["verification"])
        assert len(signature.genes) + len(signature.genes_down) == entry["n_genes"]
        assert set(entry) <= carried | set(same) | set(prose), "a fact that nobody carries over"


def test_nothing_from_memory_and_curated_panels_say_so(found, listed):
    wanted = {e["id"] for e in listed if e["ship"] and "curated" in e["verification"]}
    assert {name for name, signature in found.items() if signature.curated} == wanted
    assert len(wanted) == 7
    for signature in found.values():
        assert signature.kind in {"curated", "published"}
        assert not any("recollection" in source for source in signature.sources)
        assert signature.verified != signature.curated
        assert not re.search(r"\(R\)|recollect", repr(dataclasses.asdict(signature)))


def test_gene_lists_are_non_empty_unique_symbols(found):
    empty = {name for name, signature in found.items() if not signature.genes}
    assert empty == {"sarcoma_immune_class", "ipres26"}
    for name, signature in found.items():
        assert len(set(signature.genes)) == len(signature.genes), name
        assert not set(signature.genes) & set(signature.genes_down), name
        assert [gene for gene in signature.all_genes if not SYMBOL.fullmatch(gene)] == [], name


def test_every_entry_has_license_direction_and_citation(found):
    for signature in found.values():
        assert signature.license
        assert signature.meaning
        assert signature.citation
        assert signature.label
        assert signature.sources


def test_spot_facts(found):
    gep = found["gep18_tcell_inflamed"]
    assert gep.weights["CD276"] == -0.0239
    assert sum(gep.weights.values()) == pytest.approx(1.142788, abs=1e-12)
    assert min(gep.weights, key=gep.weights.get) == "CD276"
    assert set(gep.weights) == set(gep.genes) == set(found["tis18_unweighted"].genes)
    assert len(gep.genes) == 18
    assert len(gep.housekeeping) == 11
    assert found["cyt"].genes == ("GZMA", "PRF1")
    assert found["mcp_cd8_t_cells"].genes == ("CD8B",)
    assert found["ikzf1"].genes == ("IKZF1",)
    assert found["sarcoma_immune_class"].modules == (
        "mcp_t_cells",
        "mcp_cytotoxic_lymphocytes",
        "mcp_b_lineage",
        "mcp_endothelial",
    )
    centroids = found["sarcoma_immune_class"].centroids
    assert max(zip(centroids["T cells"], centroids["classes"], strict=True))[1] == "D"
    assert max(zip(centroids["B lineage"], centroids["classes"], strict=True))[1] == "E"
    assert found["mcp_t_cells"].direction == "higher_hot"


# The numbers are those of the list of defects found in public copies.
def test_defect_1_corrupt_endothelial_symbol(found):
    genes = found["mcp_endothelial"].genes
    assert "CAVIN2" in genes
    assert "C" not in genes
    assert len(genes) == 33


def test_defect_2_three_different_18_gene_lists(found):
    weighted, expanded = set(found["gep18_tcell_inflamed"].genes), set(found["expanded_immune18"].genes)
    assert {"CCL5", "CD27", "CD274", "CD276"} <= weighted
    assert {"CD3D", "IDO1", "CIITA", "LAG3", "CXCL13"} <= expanded
    assert len(expanded) == 18
    assert "CXCL3" not in expanded
    assert weighted != expanded


def test_defect_3_two_disjoint_tls_sets(found):
    derived, hallmark = found["tls_cabrita9"].genes, found["tls_hallmark9"].genes
    assert set(derived) == {"CD79B", "CD1D", "CCR6", "LAT", "SKAP1", "CETP", "EIF1AY", "RBP5", "PTGDS"}
    assert set(hallmark) == {"BCL6", "CD86", "CXCR4", "LAMP3", "SELL", "CCR7", "CXCL13", "CCL21", "CCL19"}
    assert "y_linked:EIF1AY" in found["tls_cabrita9"].flags


def test_defect_4_checkpoint_score_is_pairs(found):
    paired = found["impres15"]
    assert len(paired.pairs) == 15
    assert len({gene for pair in paired.pairs for gene in pair}) == 15
    assert set(paired.genes) == {gene for pair in paired.pairs for gene in pair}
    assert ("CD28", "CD276") in paired.pairs


def test_defect_6_effector_variants(found):
    imvigor, poplar = set(found["teff_imvigor8"].genes), set(found["teff_ifng_poplar8"].genes)
    assert imvigor - poplar == {"PRF1"}
    assert poplar - imvigor == {"EOMES"}
    assert len(found["teff_immotion5"].genes) == 5


def test_defect_7_and_8_and_9(found):
    assert "DDX4" in found["ifn1_rooney10"].genes
    assert "RIGI" in found["ifn1_rooney10"].notes
    buffa = set(found["hypoxia_buffa51"].genes)
    assert len(buffa) == 51
    assert {"PNP", "AK4", "ALDOA", "TUBA1B"} <= buffa
    assert "TUBA1A" not in buffa
    assert "coxis24" not in found


def test_defect_10_signed_and_short_lists(found):
    assert len(found["lrrc15_caf11"].genes) == 11
    assert len(found["cta_mage_crma5"].genes) == 5
    ecm = found["ecm_up_chakravarthy"]
    assert (len(ecm.genes), len(ecm.genes_down)) == (30, 28)


def test_defect_11_and_14_no_damaged_symbol_anywhere(found):
    damaged = {"VEGF", "GLUT1", "PDK-1", "EN01", "LMP2", "LMP7", "CD3", "CXCE4", "GCLC/GCLM"}
    dates = re.compile(r"\d+-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d+")
    for signature in found.values():
        assert not damaged & set(signature.all_genes), signature.name
        assert not any(dates.fullmatch(gene) for gene in signature.all_genes), signature.name


def test_defect_12_immunophenoscore_genes(found):
    ips = found["immunophenoscore"]
    used = [g for metagenes in ips.classes.values() for m in metagenes.values() for g in m["genes"]]
    assert (len(used), len(set(used))) == (162, 160)
    assert {"IARS1", "DARS1", "CAVIN2"} <= set(used)
    assert not {"IARS", "DARS", "SDPR"} & set(used)
    assert {gene for gene in used if used.count(gene) == 2} == {"HLA-DPA1", "HLA-DPB1"}


def test_defect_13_approved_symbols_stay(found):
    assert "HLA-H" in found["roh41"].genes
    assert "HFE" not in found["roh41"].genes


def test_lookup_and_messages(found):
    with pytest.raises(UnknownNameError, match=r"unknown signature 'cyto'\. Did you mean 'cyt'"):
        found["cyto"]
    with pytest.raises(UnknownNameError, match=r"2 problem\(s\)(?s:.*)'cytt'(?s:.*)unknown category 'tls'"):
        found.subset("cytt", category="tls")
    with pytest.raises(SchemaError, match="'a' appears twice"):
        Signatures([Signature("a", ("X",)), Signature("a", ("Y",))])
    assert found.get("nothing") is None


def test_subset(found):
    assert list(found.subset("ifng6", "cyt")) == ["ifng6", "cyt"]
    assert list(found.subset()) == list(found)
    colder = found.subset(direction="higher_cold")
    assert set(colder) == {name for name, one in found.items() if one.direction == "higher_cold"}
    assert colder
    both = found.subset(category=["tls_b", "cytotoxicity"], direction="higher_hot")
    assert {one.category for one in both.values()} == {"tls_b", "cytotoxicity"}


def test_a_list_of_names_is_told_how_to_ask(found):
    with pytest.raises(UnknownNameError, match=r"one by one: subset\('cyt', 'ifng6'\), or subset\(\*names\)"):
        found.subset(["cyt", "ifng6"])


def test_table_has_one_row_each(found):
    table = found.table()
    assert list(table.index) == list(found)
    assert table.loc["ecm_up_chakravarthy", ["n_genes", "n_genes_down"]].tolist() == [30, 28]
    assert table["kind"].eq("curated").sum() == 7
    assert list(Signatures([]).table().columns) == list(table.columns)


def test_frozen_hashable_and_copyable(found):
    signature = found["gep18_tcell_inflamed"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        signature.genes = ()
    with pytest.raises(TypeError):
        signature.weights["CD276"] = 1.0
    with pytest.raises(TypeError):
        found["x"] = signature
    assert pickle.loads(pickle.dumps(found)) == found
    assert copy.deepcopy(signature) == signature
    assert hash(found) == hash(pickle.loads(pickle.dumps(found)))


def test_reprs_escape_what_they_show(found):
    assert (
        repr(found)
        == "<Signatures: 109 (mcp_t_cells, mcp_cd8_t_cells, mcp_cytotoxic_lymphocytes, mcp_b_lineage, ...)>"
    )
    assert "GZMA, PRF1" in found["cyt"]._repr_html_()
    assert "<b>" not in Signature("<b>x", ("A",))._repr_html_()
    assert "<b>" not in Signatures([Signature("<b>x", ("A",), label="<b>")])._repr_html_()


def test_importing_the_catalog_loads_no_pandas():
    code = "import sys, immunosarc.catalog as c; c.load_signatures(); sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
