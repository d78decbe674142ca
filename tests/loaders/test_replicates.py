"""Several libraries of one biopsy become one sample by a declared rule, with a record."""

from __future__ import annotations

import numpy as np
import pytest

CLINICAL = """\
library\tbiopsy\tpatient\ttime\tdepth
L1\tB1\tP1\tpre\t10
L2\tB1\tP1\tpre\t20
L3\tB2\tP2\tpre\t30
"""
COUNTS = "gene\tL2\tL3\tL1\nGZMA\t5\t7\t10\nPRF1\t0\t2\t\n"
MANIFEST = """\
name = "toy"
[patients]
file = "in/clinical.tsv"
columns = { patient_id = "patient" }
[samples]
file = "in/clinical.tsv"
columns = { sample_id = "library", patient_id = "patient", timepoint = "time" }
replicates = { of = "biopsy", rule = "RULE" }
[assays.rna]
file = "in/counts.tsv"
unit = "counts"
orientation = "genes_by_samples"
gene_id = "symbol"
"""


@pytest.fixture
def libraries(toy):
    return toy.write("clinical.tsv", CLINICAL).write("counts.tsv", COUNTS).write("toy.toml", MANIFEST)


@pytest.mark.parametrize(
    ("rule", "order", "expected"),
    [
        ("first", ["B1", "B2"], [[10, np.nan], [7, 2]]),  # L1 is first in the samples file, L2 in the matrix
        ("mean", ["B1", "B2"], [[7.5, np.nan], [7, 2]]),
        ("sum", ["B1", "B2"], [[15, np.nan], [7, 2]]),
    ],
)
def test_rules(libraries, rule: str, order: list[str], expected: list[list[float]]) -> None:
    if rule == "mean":
        libraries.change("toy.toml", '"counts"', '"tpm"')
    cohort = libraries.change("toy.toml", "RULE", rule).load()
    assert list(cohort.samples.index) == ["B1", "B2"]
    assert list(cohort["rna"].obs_names) == order
    np.testing.assert_array_equal(cohort["rna"].X, expected)


@pytest.mark.parametrize(("rule", "word"), [("first", "left for L1"), ("sum", "summed with L1")])
def test_every_library_is_accounted_for(libraries, rule: str, word: str) -> None:
    steps = libraries.change("toy.toml", "RULE", rule).load().provenance["loading"]
    assert [step["kept"] + len(step["left_out"]) for step in steps] == [3, 3, 3]
    assert [len(step["left_out"]) for step in steps] == [0, 1, 1]
    assert steps[1]["left_out"][0][:2] == ["P1", "L2"]
    assert steps[2]["left_out"] == [["P1", "L2", f"library of B1, {word}"]]


def test_an_assay_may_have_its_own_rule(libraries) -> None:
    libraries.change("toy.toml", "RULE", "mean")
    libraries.change(
        "toy.toml", 'gene_id = "symbol"', 'gene_id = "symbol"\nreplicates = { of = "biopsy", rule = "sum" }'
    )
    assert libraries.load()["rna"].to_df().loc["B1", "GZMA"] == 15


def test_a_rule_may_stand_at_the_assay_alone(libraries) -> None:
    libraries.change("toy.toml", 'replicates = { of = "biopsy", rule = "RULE" }\n', "")
    libraries.change(
        "toy.toml", 'gene_id = "symbol"', 'gene_id = "symbol"\nreplicates = { of = "biopsy", rule = "sum" }'
    )
    assert libraries.load()["rna"].to_df().loc["B1", "GZMA"] == 15


def test_first_at_the_samples_does_not_bind_an_assay_that_sums(libraries) -> None:
    libraries.change("toy.toml", "RULE", "first")
    libraries.change(
        "toy.toml", 'gene_id = "symbol"', 'gene_id = "symbol"\nreplicates = { of = "biopsy", rule = "sum" }'
    )
    assert libraries.load()["rna"].to_df().loc["B1", "GZMA"] == 15


def test_an_assays_rule_cannot_use_other_biopsies(libraries) -> None:
    libraries.change("toy.toml", "RULE", "mean")
    libraries.change(
        "toy.toml", 'gene_id = "symbol"', 'gene_id = "symbol"\nreplicates = { of = "time", rule = "sum" }'
    )
    assert "replicates: of = biopsy and time contradict each other; name one column" in libraries.message()


def test_sums_are_for_counts(libraries) -> None:
    libraries.change("toy.toml", "RULE", "sum").change("toy.toml", '"counts"', '"tpm"')
    assert "rule 'sum' does not fit the unit 'tpm' of [assays.rna]; use 'mean' or 'first'" in libraries.message()


def test_a_mean_of_counts_is_no_count(libraries) -> None:
    libraries.change("toy.toml", "RULE", "mean")
    assert (
        "rule 'mean' does not fit the unit 'counts' of [assays.rna]; use 'sum' or 'first'" in libraries.message()
    )


def test_combined_libraries_must_agree_in_their_columns(libraries) -> None:
    libraries.change("toy.toml", "RULE", "mean").change("toy.toml", '"counts"', '"tpm"')
    libraries.change("toy.toml", 'timepoint = "time"', 'timepoint = "time", depth = "depth"')
    message = libraries.message()
    assert "in/clinical.tsv lines 2 and 3, column 'depth': sample 'B1' has '10' and '20'" in message


def test_the_first_library_gives_its_columns(libraries) -> None:
    libraries.change("toy.toml", "RULE", "first")
    libraries.change("toy.toml", 'timepoint = "time"', 'timepoint = "time", depth = "depth"')
    assert libraries.load().samples["depth"].tolist() == [10.0, 30.0]


def test_misspelt_and_empty_grouping(libraries) -> None:
    libraries.change("toy.toml", "RULE", "sum").change("toy.toml", 'of = "biopsy"', 'of = "biopsi"')
    assert "there is no column 'biopsi' ([samples] replicates). Did you mean 'biopsy'?" in libraries.message()
    libraries.change("toy.toml", 'of = "biopsi"', 'of = "biopsy"').change("clinical.tsv", "L2\tB1", "L2\t")
    assert "in/clinical.tsv line 3, column 'biopsy': no value" in libraries.message()
