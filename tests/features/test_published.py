"""Every signature by its own method: which are scored, which not, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunosarc.catalog import load_signatures
from immunosarc.cohort import make_assay
from immunosarc.errors import CoverageError
from immunosarc.features import SCORING, coverage, score


@pytest.fixture(scope="module")
def frame():
    """Linear expression of every gene of the catalog, and of as many others."""
    genes = sorted({gene for one in load_signatures().values() for gene in one.all_genes})
    genes += [f"OTHER{i}" for i in range(len(genes))]
    values = np.random.default_rng(0).gamma(0.8, 20.0, (6, len(genes)))
    return pd.DataFrame(values, columns=genes, index=[f"S{i}" for i in range(6)])


def test_106_of_109_are_scored_and_the_rest_say_why(frame):
    assay = make_assay(frame, unit="tpm")
    why = coverage(assay, method="published").set_index("signature")
    assert len(why) == 109
    assert (why["status"] == "ok").sum() == 106
    assert why.loc[why["status"] != "ok", "status"].to_dict() == {
        "sarcoma_immune_class": "a class scheme, not a score",
        "cinsarc67": "needs user input: training centroids",
        "ipres26": "needs user input: a GMT of its 26 sets",
    }
    table = score(assay, method="published")
    assert table.shape == (6, 108 + 16)  # a panel of 16 genes is called gene by gene
    assert table.columns[table.isna().any()].tolist() == ["sarcoma_immune_class", "cinsarc67", "ipres26"]


def test_each_is_the_score_of_its_own_method(frame):
    assay = make_assay(frame, unit="tpm")
    table = score(assay, method="published")
    for name, one in load_signatures().items():
        if one.method in SCORING and name not in ("cinsarc67", "ipres26"):
            alone = score(assay, load_signatures().subset(name), method=one.method)
            np.testing.assert_allclose(table[name], alone[name], rtol=1e-12, atol=1e-12)
            assert table.attrs["scoring"][name] == f"{one.method}(log2_tpm)"
    cyt = np.sqrt((frame["GZMA"] + 0.01) * (frame["PRF1"] + 0.01))
    np.testing.assert_allclose(table["cyt"], cyt, rtol=1e-9)


def test_gene_calls_have_a_column_each(frame):
    tpm = frame.assign(MAGEA4=[0.0, 0.99, 1.0, 1.01, np.nan, 50.0]).drop(columns=["PRAME"])
    one = load_signatures().subset("cta_sarcoma_panel")
    table = score(make_assay(tpm, unit="tpm"), one, method="published")
    assert table["cta_sarcoma_panel:MAGEA4"].fillna(-1).tolist() == [0, 0, 1, 1, -1, 1]
    assert table["cta_sarcoma_panel:PRAME"].isna().all()
    assert table.attrs["scoring"]["cta_sarcoma_panel:MAGEA4"] == "per_gene_call(TPM >= 1)"
    logged = score(make_assay(np.log2(tpm + 1), unit="log2_tpm"), one, method="published")
    pd.testing.assert_frame_equal(logged, table)
    counts = make_assay(tpm.fillna(0).round(), unit="counts")
    assert (
        coverage(counts, one, method="published").loc[0, "status"]
        == "per_gene_call needs TPM, the assay has counts"
    )


def test_counts_are_scored_and_the_note_says_what_is_missing(frame):
    why = coverage(make_assay(frame.round(), unit="counts"), method="published").set_index("signature")
    assert why.loc["cyt", "note"] == "published form geometric_mean needs TPM, the assay has counts"
    assert why.loc["impres15", "note"] == "published form pair_count needs TPM, the assay has counts"
    assert pd.isna(why.loc["mcp_t_cells", "note"])
    assert (why["status"] == "ok").sum() == 105  # without the gene calls


def test_sets_of_ones_own_have_no_published_form(frame):
    assay = make_assay(frame, unit="tpm")
    with pytest.raises(CoverageError, match="states no published method"):
        score(assay, {"mine": ["GZMA"]}, method="published")
    assert coverage(assay, {"mine": ["GZMA"]}, method="published").loc[0, "status"] == "states no published method"
    with pytest.raises(CoverageError, match=r"none of \d+ signatures has 80% of its genes"):
        score(make_assay(frame.rename(columns="X{}".format), unit="tpm"), method="published")
