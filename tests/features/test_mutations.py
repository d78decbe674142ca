"""Mutation burden, neoantigens and altered genes: what counts, and what is not called unaltered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import features
from immunosarc.errors import CohortError, SchemaError

SAMPLES = pd.DataFrame({"sample_id": ["A", "B", "C"], "patient_id": ["P1", "P2", "P3"], "timepoint": "pre"})
ROWS = pd.DataFrame(
    [
        ("A", "TP53", "Missense_Mutation", "17", 100, "C", "T", "p.R273H"),
        ("A", "TP53", "Frame_Shift_Del", "17", 200, "CA", "C", "p.K1fs"),
        ("A", "TTN", "In_Frame_Ins", "2", 300, "-", "AAA", None),
        ("A", "TTN", "Silent", "2", 400, "C", "G", None),
        ("A", "RB1", "Intron", "13", 500, "C", "G", None),
        ("A", "JAK1", "splice_acceptor_variant&intron_variant", "1", 600, "C", "G", None),
        ("A", "MDM2", "Missense_Mutation", "12", 650, "C", "G", "p.A1V"),
        ("B", "B2M", "5'UTR", "15", 700, "C", "G", None),
    ],
    columns=[
        *("sample_id", "gene", "consequence", "chromosome", "position", "reference_allele", "alternate_allele"),
        "protein_change",
    ],
)


def toy(rows=ROWS, *, samples=SAMPLES, **tables):
    owners = SAMPLES.set_index("sample_id")["patient_id"]
    tables = {"variants": rows, **tables}
    tables = {name: table.assign(patient_id=table["sample_id"].map(owners)) for name, table in tables.items()}
    return ims.Cohort(SAMPLES[["patient_id"]], samples, tables=tables)


def test_burden_counts_what_changes_the_protein_per_declared_megabase():
    found = features.tumor_mutational_burden(toy(), callable_mb=2.0)
    row = found.loc["A"]
    assert row[["variants", "indels", "frameshifts"]].tolist() == [5, 2, 1]
    assert row[["tmb_per_mb", "indels_per_mb", "frameshifts_per_mb"]].tolist() == [2.5, 1, 0.5]
    assert found.loc["B", "tmb_per_mb"] == 0  # a row, though none that counts: it was sequenced
    assert "C" not in found.index
    silent = features.tumor_mutational_burden(toy(), callable_mb=2.0, synonymous=True)
    assert silent.loc["A", "variants"] == 6


def test_without_a_size_there_is_a_count_and_no_burden():
    found = features.tumor_mutational_burden(toy())
    assert found.loc["A", "variants"] == 5
    assert found.filter(like="per_mb").isna().all(axis=None)
    assert set(found["status"]) == {"callable size unknown: counts only"}


def test_a_sample_with_a_size_and_no_row_carries_none():
    sized = SAMPLES.assign(callable_mb=[30.0, np.nan, 30.0])
    found = features.tumor_mutational_burden(toy(samples=sized))
    assert found.loc["C", ["variants", "tmb_per_mb", "status"]].tolist() == [0, 0, "ok"]
    assert found.loc["B", "status"] == "callable size unknown: counts only"
    given = features.tumor_mutational_burden(toy(), callable_mb=pd.Series({"A": 10.0}))
    assert given.loc["A", "tmb_per_mb"] == 0.5
    assert np.isnan(given.loc["B", "tmb_per_mb"])
    for wrong in (0, -1.0, float("nan")):
        with pytest.raises(CohortError, match="a size above 0 is needed"):
            features.tumor_mutational_burden(toy(), callable_mb=wrong)


def test_a_variant_of_two_transcripts_is_one_variant():
    again = ROWS.iloc[[0]].assign(consequence="Silent")
    twice = pd.concat([again, ROWS, again], ignore_index=True)
    assert features.tumor_mutational_burden(toy(twice)).loc["A", "variants"] == 5
    other = pd.concat([ROWS, ROWS.iloc[[0]].assign(alternate_allele="A")], ignore_index=True)
    assert features.tumor_mutational_burden(toy(other)).loc["A", "variants"] == 6
    nowhere = pd.concat([ROWS, ROWS.iloc[[0]]], ignore_index=True).assign(position=np.nan)
    assert features.tumor_mutational_burden(toy(nowhere)).loc["A", "variants"] == 6


def test_indels_by_type_by_alleles_by_words():
    for kind in ("INS", "DEL"):
        typed = ROWS.assign(variant_type=[kind, "SNP", *["SNP"] * 6])
        assert features.tumor_mutational_burden(toy(typed)).loc["A", "indels"] == 1
    worded = ROWS.drop(columns=["reference_allele", "alternate_allele"])
    assert features.tumor_mutational_burden(toy(worded)).loc["A", "indels"] == 2


def test_a_word_that_is_not_known_is_never_guessed():
    strange = ROWS.assign(consequence=["Misense_Mutation", *ROWS["consequence"][1:]])
    with pytest.raises(SchemaError, match=r"consequence: 'misense_mutation'\. Did you mean 'missense_mutation'"):
        features.tumor_mutational_burden(toy(strange))
    with pytest.raises(SchemaError, match="1 rows have none"):
        features.tumor_mutational_burden(toy(ROWS.assign(consequence=[None, *ROWS["consequence"][1:]])))
    with pytest.raises(SchemaError, match="8 rows have none"):
        features.tumor_mutational_burden(toy(ROWS.drop(columns="consequence")))


def test_genes_are_called_unaltered_only_where_somebody_looked():
    wide = features.gene_alterations(toy())
    assert wide.loc["A", ["TP53", "RB1", "JAK1", "B2M"]].tolist() == [1, 0, 1, 0]
    assert np.isnan(wide.loc["A", "MDM2"])  # a missense variant is no amplification
    long = features.alterations(toy()).set_index(["sample_id", "gene", "kind"])
    assert long.loc[("A", "TP53", "missense"), "protein_change"] == "p.R273H"
    assert ("A", "TP53", "frameshift") in long.index
    assert long.loc[("A", "RB1", "none"), "status"] == "copy numbers were not looked at"
    assert long.loc[("A", "CDK4", "not_assessed"), "status"] == "needs copy numbers"


def test_copy_numbers_tell_amplified_and_lost_genes():
    calls = pd.DataFrame(
        [
            *(("A", "MDM2", "amplification"), ("A", "CDK4", "neutral"), ("A", "RB1", "deep_deletion")),
            *(("C", "TP53", "gain"), ("C", "MDM2", None)),
        ],
        columns=["sample_id", "gene", "call"],
    )
    wide = features.gene_alterations(toy(copy_numbers=calls))
    assert wide.loc["A", ["MDM2", "CDK4", "RB1"]].tolist() == [1, 0, 1]
    assert np.isnan(wide.loc["B", "MDM2"])
    assert wide.loc["C", "TP53"] == 0
    assert np.isnan(wide.loc["C", "MDM2"])
    long = features.alterations(toy(copy_numbers=calls)).set_index(["sample_id", "gene"]).sort_index()
    assert long.loc[("C", "TP53"), "status"].tolist() == ["variants were not looked at"]
    own = features.gene_alterations(toy(copy_numbers=calls), genes=["TTN", "RB1"])
    assert own.loc["A", "TTN"] == 1  # every kind counts for a gene that is not of the panel
    assert own.columns.tolist() == ["TTN", "RB1", "status"]


def test_alterations_need_a_table_and_a_gene():
    with pytest.raises(CohortError, match="neither the table 'variants' nor 'copy_numbers'"):
        features.alterations(ims.Cohort(SAMPLES[["patient_id"]], SAMPLES))
    with pytest.raises(CohortError, match="name at least one"):
        features.alterations(toy(), genes=[])
    with pytest.raises(CohortError, match="no table 'variants'"):
        features.tumor_mutational_burden(ims.Cohort(SAMPLES[["patient_id"]], SAMPLES))


def test_neoantigens_that_bind():
    rows = pd.DataFrame(
        [("A", "TP53", 20.0, 0.1), ("A", "TP53", 500.0, 3.0), ("A", "RB1", 501.0, 0.2), ("B", "X", np.nan, 9.0)],
        columns=["sample_id", "gene", "affinity_nm", "rank_percent"],
    )
    found = features.neoantigen_burden(toy(neoantigens=rows))
    assert found["neoantigens"].to_dict() == {"A": 2, "B": 1}
    assert found["mutated_genes"].to_dict() == {"A": 1, "B": 1}
    assert features.neoantigen_burden(toy(neoantigens=rows), max_rank_percent=2)["neoantigens"].tolist() == [1, 0]
    counts = pd.DataFrame({"sample_id": ["A", "B"], "count": [834.0, np.nan]})
    summed = features.neoantigen_burden(toy(neoantigens=counts))
    assert summed.loc["A", "neoantigens"] == 834
    assert summed.loc["B", "status"] == "the count is missing"
    with pytest.raises(CohortError, match="no table 'neoantigens'"):
        features.neoantigen_burden(toy())


def test_patients_get_the_reason():
    only = ROWS[ROWS["sample_id"] == "A"]
    measured = toy(only).at("pre").per_patient(features.tumor_mutational_burden(toy(only), callable_mb=30))
    assert measured["status"].tolist() == ["ok", "sample was not measured", "sample was not measured"]
