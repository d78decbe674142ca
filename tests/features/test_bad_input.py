"""Damaged input ends in a clear message or a missing score with its reason, never in a number that looks right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from immunosarc.catalog import load_signatures
from immunosarc.cohort import make_assay
from immunosarc.errors import CohortError, CoverageError, SchemaError, UnitError
from immunosarc.features import (
    SCORING,
    applicability,
    classify,
    coverage,
    deconvolve,
    place,
    sarcoma_reference,
    score,
)

PLAIN = [name for name in SCORING if name != "published" and not SCORING[name].requires]


@pytest.fixture
def frame():
    genes = sorted({gene for one in load_signatures().values() for gene in one.all_genes})
    values = np.random.default_rng(0).gamma(0.8, 20.0, (6, len(genes)))
    return pd.DataFrame(values, columns=genes, index=[f"S{i}" for i in range(6)])


@pytest.mark.parametrize("method", [*PLAIN, "published"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_a_sample_of_zeros_has_no_score_and_the_note_says_so(frame, method, form):
    frame.loc["S2"] = 0.0
    assay = make_assay(frame, unit="tpm")
    assay.X = form(assay.X)
    sets = load_signatures().subset("cyt", "mcp_t_cells", "hallmark_angiogenesis")
    table = score(assay, sets, method=method)
    assert table.loc["S2"].isna().all()
    assert table.drop(index="S2").notna().all(axis=None)
    assert coverage(assay, sets, method=method)["note"].str.contains("1 of 6 samples are zero throughout").all()


def test_a_sample_of_zeros_has_no_class_and_no_cells(frame):
    frame.loc["S2"] = 0.0
    assay = make_assay(frame, unit="tpm")
    for guard in ("measured", "declared"):
        row = classify(assay, guard=guard).set_index("sample_id").loc["S2"]
        assert pd.isna(row["label"])
        assert row["status"] == "every gene is zero or missing"
    cells = deconvolve(assay).query("sample_id == 'S2'")
    assert cells["value"].isna().all()
    assert cells["status"].eq("every gene is zero or missing").all()


@pytest.mark.parametrize("ask", [score, coverage, applicability, place, classify, deconvolve])
def test_negative_tpm_is_refused_everywhere(frame, ask):
    assay = make_assay(frame, unit="tpm")
    assay.X[1, 3] = -0.5
    with pytest.raises(UnitError, match=r"negative value: sample S1, gene"):
        ask(assay)


def test_repeated_symbols_do_not_become_an_assay(frame):
    twice = pd.concat([frame, frame[["CD8A"]]], axis=1)
    with pytest.raises(CohortError, match="feature repeated: CD8A"):
        make_assay(twice, unit="tpm")


@pytest.mark.parametrize(
    ("rename", "hint"),
    [
        (lambda names: [f"ENSG{i:011d}.{i % 9}" for i in range(len(names))], "Ensembl ids"),
        (lambda names: [name.capitalize() for name in names], "letter case, as mouse symbols do"),
        (lambda names: [str(1000 + i) for i in range(len(names))], "numeric ids"),
    ],
)
@pytest.mark.parametrize("method", ["ssgsea", "gsva", "published", "weighted_sum"])
def test_other_identifiers_are_named(frame, rename, hint, method):
    frame.columns = rename(list(frame.columns))
    one = load_signatures().subset("gep18_tcell_inflamed")
    with pytest.raises(CoverageError, match=hint):
        score(make_assay(frame, unit="tpm"), one, method=method)


def test_one_gene_in_a_set_is_scored_as_this_gene(frame):
    assay = make_assay(frame, unit="tpm")
    table = score(assay, {"one": ["CD8A"]}, method="mean_log2")
    np.testing.assert_allclose(table["one"], np.log2(frame["CD8A"] + 1))
    ranks = score(assay, {"one": ["CD8A"]}, method="singscore")["one"]
    expected = (frame.rank(axis=1)["CD8A"] - 1) / (frame.shape[1] - 1)
    np.testing.assert_allclose(ranks, expected)


def test_a_gene_missing_in_one_sample_leaves_that_sample_unplaced_where_it_matters():
    genes = [*sarcoma_reference().populations["CYT"].genes]
    frame = pd.DataFrame([[4.0, 2.0], [np.nan, 2.0]], columns=genes, index=["S1", "S2"])
    table = place(make_assay(frame, unit="tpm"), guard="declared").set_index(["sample_id", "population"])
    assert table.loc[("S1", "CYT"), "status"] == "ok"
    assert table.loc[("S2", "CYT"), "status"] == "covers 1 of 2 genes (50%), needs 80%"
    assert np.isnan(table.loc[("S2", "CYT"), "z"])


@pytest.mark.parametrize("ask", [place, classify, deconvolve, score, applicability])
@pytest.mark.parametrize(
    "name",
    [
        lambda i, _: f"ENSG{i:011d}.{i % 9}",
        lambda i, _: f"ENSG{i:011d}",
        lambda _, gene: gene.capitalize() + "x",
        lambda i, _: str(1000 + i),
    ],
)
def test_other_identifiers_are_an_error_that_shows_them(frame, ask, name):
    frame.columns = [name(i, gene) for i, gene in enumerate(frame.columns)]
    assay = make_assay(frame, unit="tpm")
    if ask is applicability:  # a card for every signature, none of which is covered
        assert not ask(assay)["status"].eq("ok").any()
        return
    with pytest.raises(CoverageError) as refused:
        ask(assay)
    seen = str(refused.value)
    assert frame.columns[0] in seen or "Ensembl ids" in seen or "numeric ids" in seen or "letter case" in seen


@pytest.mark.parametrize("method", PLAIN)
def test_an_absent_set_has_no_score_and_says_why(frame, method):
    assay = make_assay(frame, unit="tpm")
    sets = {
        "here": list(frame.columns[:10]),
        "absent": ["NOT1", "NOT2"],
        "half": [*frame.columns[:2], "NOT1", "NOT2"],
    }
    table = score(assay, sets, method=method)
    assert table["here"].notna().all()
    assert table[["absent", "half"]].isna().all(axis=None)
    why = coverage(assay, sets, method=method).set_index("signature")
    assert why.loc["absent", "status"] == "covers 0 of 2 genes (0%), needs 80%"
    assert why.loc["half", "missing"] == "NOT1, NOT2"


@pytest.mark.parametrize("method", PLAIN)
def test_a_constant_gene_is_used_by_its_level_or_left_out_with_a_word(frame, method):
    frame[frame.columns[0]] = 7.0
    assay = make_assay(frame, unit="tpm")
    sets = {"ten": list(frame.columns[:10]), "flat": [frame.columns[0]]}
    table, why = score(assay, sets, method=method), coverage(assay, sets, method=method).set_index("signature")
    assert table["ten"].notna().all()
    if SCORING[method].needs_variation:
        assert table["flat"].isna().all()
        assert f"does not vary, not used: {frame.columns[0]}" in why.loc["ten", "note"]
    else:
        assert table["flat"].notna().all()


@pytest.mark.parametrize("method", PLAIN)
def test_a_missing_value_leaves_that_sample_without_the_scores_that_read_it(frame, method):
    holed = frame.copy()
    holed.iloc[2, 0] = np.nan
    sets = {"reads it": list(frame.columns[:10]), "does not": list(frame.columns[10:20])}
    table = score(make_assay(holed, unit="tpm"), sets, method=method)
    assert table.isna().sum().to_dict() == {"reads it": 1, "does not": 0}
    assert np.isnan(table.loc["S2", "reads it"])


NEED_OTHERS = (
    *("singscore", "singscore_signed", "ssgsea", "ssgsea_normalized", "estimate"),
    *("gsva", "gsva_signed", "scanpy_score_genes"),
)


@pytest.mark.parametrize("method", [n for n in PLAIN if SCORING[n].all_genes])
def test_a_set_of_all_genes_has_a_score_or_the_reason(method):
    rng = np.random.default_rng(4)
    assay = make_assay(
        pd.DataFrame(rng.gamma(1, 9, (5, 1600)), columns=[f"G{i}" for i in range(1600)], index=list("abcde")),
        unit="tpm",
    )
    sets = {"all": list(assay.var_names), "most": list(assay.var_names[:1550]), "some": list(assay.var_names[:9])}
    found, why = score(assay, sets, method=method), coverage(assay, sets, method=method).set_index("signature")
    assert (why["status"] == "ok").tolist() == found.notna().all().tolist()
    assert found["some"].notna().all()
    assert ("outside the signature" in why.loc["all", "status"]) == (method in NEED_OTHERS)
    if method == "ucell":
        assert why.loc["most", "status"] == "ucell ranks 1,500 genes, the signature has 1,550"


def test_a_set_without_genes_and_text_in_place_of_a_list_are_refused(frame):
    assay = make_assay(frame, unit="tpm")
    with pytest.raises(
        SchemaError, match=r"2 problem\(s\)(?s:.*)'none': empty set(?s:.*)must be a list of symbols"
    ):
        score(assay, {"none": [], "text": "GZMA"})
