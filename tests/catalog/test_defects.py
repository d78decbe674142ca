"""The 15 defects of public copies: what ships passes, and the wrong copy of each is caught.

Every defect is a pair: a check, and the damage that the public copy does. The check must hold for what ships and
fail for the damaged copy; a check that passes both is no check.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from immunosarc.catalog import load_evidence, load_gene_aliases, load_signatures
from immunosarc.cohort import make_assay
from immunosarc.features import score
from immunosarc.loaders import repair_genes

SYMBOL = re.compile(r"[A-Z][A-Z0-9]*(?:orf\d+P?)?(?:-[A-Z0-9]+)*")
DATE = re.compile(r"\d{1,2}-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d{1,2}")
NOT_SYMBOLS = {"VEGF", "GLUT1", "PDK-1", "EN01", "LMP2", "LMP7", "CD3", "CXCE4", "C", "IARS", "DARS", "SDPR"}


def genes(name, **changes):
    """Catalog with one signature's fields replaced."""

    def damage(found):
        return {**found, name: dataclasses.replace(found[name], **changes)}

    return damage


def swapped(name, old, new):
    def damage(found):
        listed = tuple(new if gene == old else gene for gene in found[name].genes if new or gene != old)
        return {**found, name: dataclasses.replace(found[name], genes=listed)}

    return damage


def symbols_are_symbols(found):
    everything = [gene for one in found.values() for gene in one.all_genes]
    return not [g for g in everything if g in NOT_SYMBOLS or DATE.fullmatch(g) or not SYMBOL.fullmatch(g)]


def three_lists_differ(found):
    weighted, expanded, plain = (
        set(found[n].genes) for n in ("gep18_tcell_inflamed", "expanded_immune18", "tis18_unweighted")
    )
    known = {
        "CD3D",
        "IDO1",
        "CIITA",
        "CD3E",
        "CCL5",
        "GZMK",
        "CD2",
        "HLA-DRA",
        "CXCL13",
        "IL2RG",
        "NKG7",
        "HLA-E",
        "CXCR6",
        "LAG3",
        "TAGAP",
        "CXCL10",
        "STAT1",
        "GZMB",
    }
    return weighted == plain and expanded == known and len(weighted & expanded) < 9


def tls_sets_are_the_two_of_the_paper(found):
    derived = {"CD79B", "CD1D", "CCR6", "LAT", "SKAP1", "CETP", "EIF1AY", "RBP5", "PTGDS"}
    hallmark = {"BCL6", "CD86", "CXCR4", "LAMP3", "SELL", "CCR7", "CXCL13", "CCL21", "CCL19"}
    flagged = "y_linked:EIF1AY" in found["tls_cabrita9"].flags
    return (
        set(found["tls_cabrita9"].genes) == derived and set(found["tls_hallmark9"].genes) == hallmark and flagged
    )


def checkpoints_are_pairs(found):
    pairs = found["impres15"].pairs
    return len(set(pairs)) == 15 and len({gene for pair in pairs for gene in pair}) == 15


def more_b7h3_is_a_lower_score(found):
    """By the score itself: CD276 up, everything else alike."""
    one = found["gep18_tcell_inflamed"]
    frame = pd.DataFrame(20.0, index=["S1", "S2"], columns=list(one.all_genes))
    frame.loc["S2", "CD276"] = 200.0
    scores = score(make_assay(frame, unit="tpm"), {one.name: one}, method="weighted_sum")[one.name]
    return bool(scores["S2"] < scores["S1"])


def effectors_are_those_of_each_trial(found):
    imvigor, poplar = set(found["teff_imvigor8"].genes), set(found["teff_ifng_poplar8"].genes)
    immotion = {"CD8A", "IFNG", "EOMES", "PRF1", "CD274"}
    return (
        imvigor - poplar == {"PRF1"}
        and poplar - imvigor == {"EOMES"}
        and set(found["teff_immotion5"].genes) == immotion
    )


def interferon_says_that_ddx4_may_be_rigi(found):
    one = found["ifn1_rooney10"]
    return "DDX4" not in one.genes or "RIGI" in one.notes


def hypoxia_is_whole(found):
    listed = set(found["hypoxia_buffa51"].genes)
    return len(listed) == 51 and {"PNP", "AK4", "ALDOA", "TUBA1B"} <= listed and "TUBA1A" not in listed


def contradictory_copies_do_not_ship(found):
    return "coxis24" not in found


def lists_have_the_length_and_the_signs_of_the_paper(found):
    ecm = found["ecm_up_chakravarthy"]
    sizes = (
        len(found["lrrc15_caf11"].genes),
        len(found["cta_mage_crma5"].genes),
        len(ecm.genes),
        len(ecm.genes_down),
    )
    return sizes == (11, 5, 30, 28)


def ips_counts_genes_by_element(found):
    used = [
        g
        for elements in found["immunophenoscore"].classes.values()
        for one in elements.values()
        for g in one["genes"]
    ]
    return (len(used), len(set(used))) == (162, 160) and {"IARS1", "DARS1", "CAVIN2"} <= set(used)


def without_repeats(found):
    """Every gene once, as in a copy that drops duplicates."""
    seen, classes = set(), {}
    for category, elements in found["immunophenoscore"].classes.items():
        classes[category] = {}
        for name, one in elements.items():
            kept = tuple(g for g in one["genes"] if g not in seen)
            seen |= set(kept)
            classes[category][name] = {**one, "genes": kept}
    return {**found, "immunophenoscore": dataclasses.replace(found["immunophenoscore"], classes=classes)}


DEFECTS = {
    "1 corrupt endothelial symbol": (
        lambda found: symbols_are_symbols(found) and "CAVIN2" in found["mcp_endothelial"].genes,
        swapped("mcp_endothelial", "CAVIN2", "C"),
    ),
    "2 the expanded set under the name of the weighted": (
        three_lists_differ,
        lambda found: {
            **found,
            "tis18_unweighted": dataclasses.replace(
                found["tis18_unweighted"], genes=found["expanded_immune18"].genes
            ),
        },
    ),
    "2 the expanded set without LAG3": (three_lists_differ, swapped("expanded_immune18", "LAG3", "")),
    "2 CXCL3 for CXCL13": (three_lists_differ, swapped("expanded_immune18", "CXCL13", "CXCL3")),
    "3 the derived set without CCR6": (tls_sets_are_the_two_of_the_paper, swapped("tls_cabrita9", "CCR6", "")),
    "3 the two sets exchanged": (
        tls_sets_are_the_two_of_the_paper,
        lambda found: {
            **found,
            "tls_hallmark9": dataclasses.replace(found["tls_hallmark9"], genes=found["tls_cabrita9"].genes),
        },
    ),
    "4 signed single genes": (checkpoints_are_pairs, genes("impres15", pairs=())),
    "5 an unsigned weight": (
        more_b7h3_is_a_lower_score,
        lambda found: genes(
            "gep18_tcell_inflamed",
            weights={gene: abs(weight) for gene, weight in found["gep18_tcell_inflamed"].weights.items()},
        )(found),
    ),
    "6 one effector set for another": (
        effectors_are_those_of_each_trial,
        swapped("teff_imvigor8", "PRF1", "EOMES"),
    ),
    "7 DDX4 without a word": (interferon_says_that_ddx4_may_be_rigi, genes("ifn1_rooney10", notes="")),
    "8 hypoxia without PNP": (hypoxia_is_whole, swapped("hypoxia_buffa51", "PNP", "")),
    "8 TUBA1A for TUBA1B": (hypoxia_is_whole, swapped("hypoxia_buffa51", "TUBA1B", "TUBA1A")),
    "9 a contradictory list": (
        contradictory_copies_do_not_ship,
        lambda found: {**found, "coxis24": found["cyt"]},
    ),
    "10 fourteen fibroblast genes": (
        lists_have_the_length_and_the_signs_of_the_paper,
        lambda found: genes("lrrc15_caf11", genes=(*found["lrrc15_caf11"].genes, "FAP", "POSTN", "MMP1"))(found),
    ),
    "10 the matrix set without its sign": (
        lists_have_the_length_and_the_signs_of_the_paper,
        lambda found: genes(
            "ecm_up_chakravarthy",
            genes_down=(),
            genes=(*found["ecm_up_chakravarthy"].genes, *found["ecm_up_chakravarthy"].genes_down),
        )(found),
    ),
    **{
        f"11 {wrong}": (symbols_are_symbols, swapped(name, right, wrong))
        for name, right, wrong in (
            ("hypoxia_buffa51", "VEGFA", "VEGF"),
            ("hypoxia_buffa51", "SLC2A1", "GLUT1"),
            ("hypoxia_buffa51", "ENO1", "EN01"),
            ("mhc_i8", "TAP1", "LMP2"),
            ("tis18_unweighted", "CXCR6", "CXCE4"),
            ("danaher_t_cells", "CD3D", "CD3"),
            ("apm6", "TAP1", "GCLC/GCLM"),
        )
    },
    "12 every gene once": (ips_counts_genes_by_element, without_repeats),
    "14 a date in a list": (symbols_are_symbols, swapped("hypoxia_buffa51", "ENO1", "1-Dec")),
}


@pytest.mark.parametrize("name", list(DEFECTS))
def test_what_ships_is_right_and_the_wrong_copy_is_caught(name):
    check, damage = DEFECTS[name]
    found = dict(load_signatures())
    assert check(found)
    assert not check(damage(found))


def approved_stay(aliases):
    return not {"C7", "TF", "HGF", "AVP", "FGF2", "MCM2", "IFNA13"} & set(aliases["alias"])


def test_13_no_alias_takes_the_name_of_another_gene():
    assert approved_stay(load_gene_aliases())
    assert not approved_stay(load_gene_aliases(include_flagged=True))  # the table as it is passed around
    frame = pd.DataFrame({"HGF": [3.0], "SDPR": [5.0]}, index=["S1"])
    assert list(repair_genes(make_assay(frame, unit="tpm")).var_names) == ["HGF", "CAVIN2"]


def test_14_dates_are_repaired_or_stay_as_they_are():
    frame = pd.DataFrame(np.ones((1, 3)), index=["S1"], columns=["1-Dec", "2-Sep", "1-Mar"])
    repaired = repair_genes(make_assay(frame, unit="tpm"))
    assert list(repaired.var_names) == ["DELEC1", "SEPTIN2", "1-Mar"]  # two genes may hide behind 1-Mar


def synovial_row_agrees_with_the_whole_arm(facts):
    """The four histologies of the soft-tissue arm add up to it, and its rate is what these counts give."""
    of = {item.removeprefix("orr."): number for (trial, item), number in facts.items() if trial == "sarc028"}
    parts = [(of[f"by_histology.{one}.x"], of[f"by_histology.{one}.n"]) for one in ("UPS", "DDLPS", "SS", "LMS")]
    whole = tuple(map(sum, zip(*parts, strict=True)))
    return whole == (of["sts.x"], of["sts.n"]) and 100 * whole[0] / whole[1] == of["sts.pct"]


def test_15_one_of_ten_synovial_sarcomas_responded():
    facts = load_evidence().set_index(["trial", "item"])["number"].to_dict()
    assert facts["sarc028", "orr.by_histology.SS.x"] == 1
    assert facts["sarc028", "orr.by_histology.SS.n"] == 10
    assert synovial_row_agrees_with_the_whole_arm(facts)
    printed = {("sarc028", "orr.by_histology.SS.x"): 0.0}  # the review table's 0%
    assert not synovial_row_agrees_with_the_whole_arm({**facts, **printed})
