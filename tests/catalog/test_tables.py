"""Shipped tables: aliases, histologies, published numbers, the reference, the simulated rows."""

from __future__ import annotations

import csv
import hashlib
import json
from importlib.resources import files

import numpy as np
import pytest

from immunosarc import catalog

DATA = files("immunosarc.catalog").joinpath("data")


def test_aliases_never_replace_an_approved_symbol(shared):
    applied, every = catalog.load_gene_aliases(), catalog.load_gene_aliases(include_flagged=True)
    with (shared / "domain" / "gene_aliases.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    assert every.to_dict("records") == rows
    assert (len(every), len(applied)) == (5229, 5175)
    assert every["flag"].eq("approved_symbol").sum() == 54
    assert not {"C7", "TF", "HGF", "AVP", "FGF2", "MCM2"} & set(applied["alias"])
    assert applied["alias"].is_unique
    table = applied.set_index("alias")["approved"]
    assert table[["SDPR", "ELTD1"]].tolist() == ["CAVIN2", "ADGRL4"]


def test_histologies():
    table = catalog.histologies()
    assert table.index.is_unique
    assert table["label"].is_unique
    assert set(table.index[table["responder"]]) == {"AS", "UPS", "SEF", "LPS", "LMS", "ESS", "MPNST"}
    assert table["eligible"].sum() == 17
    assert (table["eligible"] | table["responder"]).all()
    parents = table["parent"][table["parent"].ne("")]
    assert set(parents) <= set(table.index)
    assert parents["DDLPS"] == "LPS"
    assert table["source"].str.contains("NCT04028063").all()
    names = [n for column in ("synonyms", "former_names") for cell in table[column] for n in cell.split("; ") if n]
    assert len(set(names)) == len(names)
    assert not set(names) & set(table["label"])


def leaves(node, tag, path=()):
    """Every leaf of the domain files with the nearest evidence tag above it."""
    if isinstance(node, dict):
        own = node.get("evidence", tag)
        for key, value in node.items():
            if key not in {"evidence", "note"}:
                yield from leaves(value, node.get(f"{key}_evidence", own), (*path, key))
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for item in node:
            yield from leaves(item, tag, path)
    else:
        yield path, node, tag


def american(text):
    pairs = (("tumour", "tumor"), ("haemang", "hemang"), ("isation", "ization"), ("ised", "ized"))
    for british, us in pairs:
        text = text.replace(british, us)
    return text


@pytest.fixture(scope="module")
def facts():
    return catalog.load_evidence()


@pytest.fixture(scope="module")
def published(shared):
    yaml = pytest.importorskip("yaml")
    domain = shared / "domain"
    model, siblings = (
        yaml.safe_load((domain / name).read_text(encoding="utf-8"))
        for name in ("trial_nct04028063.yaml", "sibling_trials.yaml")
    )
    trials = {entry["id"]: entry for entry in siblings["trials"] + siblings["doxorubicin_benchmarks"]}
    trials["nct04028063"], trials["nct04028063_null"] = model, trials.pop("seed_trial_null")
    return trials


def test_only_tagged_public_numbers_ship_and_all_of_them(facts, published):
    expected, forbidden = set(), set()
    for trial, content in published.items():
        for path, value, tag in leaves(content, None):
            if path and path[-1].endswith("_evidence"):
                continue
            values = value if isinstance(value, list) else [value]
            numbers = {
                (trial, float(v)) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)
            }
            if tag in {"V", "C", "A", "REG", "M"}:
                expected |= numbers
            elif tag in {"R", "U"}:
                forbidden |= numbers
    shipped = {(row.trial, row.number) for row in facts.itertuples() if not np.isnan(row.number)}
    assert shipped == expected
    assert shipped & forbidden == set()
    assert len(forbidden) > 20


def test_no_text_tagged_as_memory_ships(facts, published):
    shipped = " | ".join([*facts["value"], *facts["note"]])
    told = {
        value
        for content in published.values()
        for _, value, tag in leaves(content, None)
        if tag == "R" and isinstance(value, str)
    }
    assert len(told) > 5
    common = {value for value in told if value == "PD-L1"}
    assert [value for value in told - common if american(value) in shipped] == []
    assert "46.3" not in shipped
    assert not {"dox_pembro_livingston2021", "tramune", "dart_s1609_angiosarcoma"} & set(facts["trial"])


def test_evidence_is_tidy(facts):
    assert not facts.duplicated(["trial", "item"]).any()
    assert set(facts["evidence"]) == {"V", "C", "A", "REG", "M"}
    assert facts["citation"].ne("").all()
    assert not (facts["value"].eq("") | facts["value"].eq("None")).any()


def test_headline_numbers(facts):
    table = facts.set_index(["trial", "item"])["number"]
    model = table["nct04028063"]
    assert model["efficacy.pfs6.published.x"] == 13
    assert model["efficacy.pfs6.published.n"] == 28
    assert model["efficacy.by_stage.stage_1.orr_x"] == 9
    assert model["efficacy.pfs_median_weeks.paper_2025"] == 25.3
    assert model["design.null_rate_p0"] == 0.434
    assert table["sarc028"]["orr.by_histology.SS.x"] == 1
    assert table["sarc028"]["pfs.sts_12wk_pct.ci95.low"] == 42
    assert table["pembrosarc_tls"]["orr.x"] == 9
    meeting = facts[facts["trial"].eq("nct04028063") & facts["evidence"].eq("M")]
    assert meeting["citation"].str.contains("ASCO 2023").all()


def test_sarcoma_reference(data_root):
    reference = catalog.load_sarcoma_reference()
    folder = data_root / "sarcoma_reference"
    for name in ("sarcoma_population_reference.json", "sarcoma_pooled_gene_reference.tsv.gz"):
        ours, theirs = DATA.joinpath(name).read_bytes(), (folder / name).read_bytes()
        assert hashlib.sha256(ours).digest() == hashlib.sha256(theirs).digest()
    raw = json.loads((folder / "sarcoma_population_reference.json").read_text(encoding="utf-8"))
    assert {key: one["mean"] for key, one in reference.populations.items()} == {
        key: one["mean"] for key, one in raw["populations"].items()
    }
    assert len(reference.populations) == 12
    assert sum(reference.n[name] for name in reference.pool) == 394
    assert reference.genes.loc["A1BG"].tolist() == [4.0901, 1.5228]
    assert reference.genes.index.is_unique
    assert "Apache-2.0" in reference.license
    marker = catalog.load_signatures()["mcp_b_lineage"].genes
    assert set(reference.populations["B lineage"]["genes"]) == set(marker)


def test_simulated_trial(shared):
    table = catalog.load_simulated_trial()
    with (shared / "design" / "simulated_trial_33.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert list(table.columns) == ["schedule_stage", "best_overall_response", "pfs_days", "pfs_event", "how"]
    assert [
        (row.Index, row.schedule_stage, row.best_overall_response, row.pfs_days, row.pfs_event, row.how)
        for row in table.itertuples()
    ] == [
        (
            r["patient_id"],
            r["schedule_stage"],
            r["best_overall_response"],
            int(r["pfs_days"]),
            r["pfs_event"] == "1",
            r["how"],
        )
        for r in rows
    ]
    answered = table["best_overall_response"].isin(["CR", "PR"])
    assert answered.groupby(table["schedule_stage"]).sum().to_dict() == {"1": 9, "2": 1}


def test_no_file_without_a_line_in_the_readme():
    readme = files("immunosarc.catalog").joinpath("README.md").read_text(encoding="utf-8")
    assert [item.name for item in DATA.iterdir() if item.name not in readme] == []
