"""The card: facts from the registry and the catalog, and the effect of lost genes against a count by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from immunosarc import schema
from immunosarc.catalog import load_signatures
from immunosarc.cohort import make_assay
from immunosarc.errors import ImmunosarcError
from immunosarc.features import SCORING, applicability, coverage, score


@pytest.fixture(scope="module")
def assay():
    genes = sorted({gene for one in load_signatures().values() for gene in one.all_genes})
    values = np.random.default_rng(0).gamma(0.8, 20.0, (8, len(genes)))
    return make_assay(pd.DataFrame(values, columns=genes, index=[f"S{i}" for i in range(8)]), unit="tpm")


@pytest.fixture(scope="module")
def card(assay):
    return applicability(assay, n_draws=3).set_index("signature")


def test_the_card_says_what_the_registry_and_the_catalog_know(assay, card):
    found = load_signatures()
    assert list(card.index) == list(found)
    assert (card["status"] == "ok").sum() == 106
    for name, one in found.items():
        if one.method in SCORING:
            record = SCORING[one.method]
            assert card.loc[name, "depends_on"] == ("sample" if record.single_sample else "cohort")
            assert card.loc[name, "all_genes"] == record.all_genes
    assert card.loc["tls_cabrita9", "sex_linked"] == "EIF1AY"
    assert card.loc["f_tbrs19", "lineage_conflict"].startswith("any: ACTA2, ACTG2, ")
    assert card.loc[["cyt", "mcp_t_cells", "cta_sarcoma_panel"], "scale"].tolist() == [
        "log2(x+1)",
        "log2",
        "TPM from 1",
    ]
    assert card.loc[["cyt", "impres15"], "needs"].tolist() == ["tpm", "tpm"]
    assert card.loc[["mcp_t_cells"], "needs"].isna().all()
    assert card.loc["cyt", "low"] == 0
    assert np.isnan(card.loc["cyt", "high"])
    assert card.loc["cta_sarcoma_panel", "depends_on"] == "sample"
    assert card["platform_fit"].eq("ok").all()
    agree = coverage(assay, method="published").set_index("signature")
    pd.testing.assert_series_equal(card["coverage"], agree["coverage"])
    schema.APPLICABILITY.check(card.reset_index())


def test_correlation_after_the_loss_of_one_of_two_genes():
    """With two genes, one is lost: the score is then the other gene alone, whichever it is."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.gamma(1, 9, (12, 2)), columns=["GZMA", "PRF1"], index=[f"S{i}" for i in range(12)])
    given = make_assay(frame, unit="tpm")
    row = applicability(given, {"two": ["GZMA", "PRF1"]}, method="mean_log2", n_draws=40).loc[0]
    whole = score(given, {"two": ["GZMA", "PRF1"]}, method="mean_log2")["two"]
    alone = sorted(stats.spearmanr(whole, frame[gene]).statistic for gene in frame)
    assert row["loss_correlation_low"] == pytest.approx(alone[0])
    assert alone[0] <= row["loss_correlation"] <= alone[1]


def test_a_redundant_signature_bears_loss_and_a_contradictory_one_does_not():
    rng = np.random.default_rng(2)
    common = rng.normal(5, 1, (30, 1))
    alike = pd.DataFrame(common + rng.normal(0, 0.01, (30, 10)), columns=[f"A{i}" for i in range(10)])
    apart = pd.DataFrame(rng.normal(5, 1, (30, 10)), columns=[f"B{i}" for i in range(10)])
    given = make_assay(pd.concat([alike, apart], axis=1), unit="log2")
    sets = {"alike": list(alike), "apart": list(apart)}
    found = applicability(given, sets, method="mean_log2").set_index("signature")["loss_correlation"]
    assert found["alike"] > 0.99 > found["apart"]


def test_the_same_draws_whatever_else_is_scored(assay, card):
    alone = applicability(assay, load_signatures().subset("mcp_t_cells"), n_draws=3)
    assert alone.loc[0, "loss_correlation"] == card.loc["mcp_t_cells", "loss_correlation"]
    assert np.isnan(card.loc["impres15", "loss_correlation"])
    assert np.isnan(card.loc["mcp_cd8_t_cells", "loss_correlation"])


def test_misfit_is_said_and_bad_arguments_refused(assay):
    counts = make_assay(
        pd.DataFrame(assay.X.round(), columns=assay.var_names, index=assay.obs_names), unit="counts"
    )
    found = applicability(counts, load_signatures().subset("cyt", "mcp_t_cells"), n_draws=0).set_index("signature")
    assert found.loc["cyt", "platform_fit"] == "published form geometric_mean needs TPM, the assay has counts"
    assert found.loc["mcp_t_cells", "platform_fit"] == "ok"
    assert found["loss_correlation"].isna().all()
    for wrong in ({"loss": 1.0}, {"n_draws": -1}):
        with pytest.raises(ImmunosarcError, match="loss is a share"):
            applicability(assay, **wrong)
