"""Cell scores against R's MCP-counter and flow cytometry; fractions against known mixtures and another solver."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from immunosarc import schema
from immunosarc.cohort import make_assay
from immunosarc.errors import CoverageError, ImmunosarcError, UnknownNameError
from immunosarc.features import DECONVOLUTION, deconvolve


@pytest.fixture(scope="module")
def by_r(oracles):
    """R's expression, with the corrupt symbol "C" mended, and its scores."""
    expression = pd.read_csv(oracles / "mcp_expr.csv", index_col=0).T.rename(columns={"C": "CAVIN2"})
    return expression, pd.read_csv(oracles / "mcp_scores.csv", index_col=0).T


def wide(table):
    return table.pivot(index="sample_id", columns="cell_type", values="value")


def test_mcp_counter_is_r_with_the_endothelial_symbol_mended(by_r):
    expression, expected = by_r
    table = deconvolve(make_assay(expression, unit="log2"))
    assert table["status"].eq("ok").all()
    np.testing.assert_allclose(wide(table).loc[expected.index, expected.columns], expected, rtol=1e-9)
    assert set(table["output"]) == {"cell_score"}
    notes = table.groupby("cell_type")["note"].first()
    assert notes["Neutrophils"] == "found under a previous symbol: VNN3P as VNN3"
    schema.CELLS.check(table)


def test_the_corrupt_symbol_would_lose_a_marker(by_r):
    expression, expected = by_r
    corrupt = deconvolve(make_assay(expression.rename(columns={"CAVIN2": "C"}), unit="log2"))
    lost = corrupt.loc[corrupt["cell_type"] == "Endothelial cells"]
    assert set(lost["n_found"]) == {32}
    assert (wide(corrupt)["Endothelial cells"] - expected["Endothelial cells"]).abs().min() > 1e-6
    older = deconvolve(make_assay(expression.rename(columns={"CAVIN2": "SDPR"}), unit="log2"))
    np.testing.assert_allclose(wide(older).loc[expected.index, "Endothelial cells"], expected["Endothelial cells"])


def test_b_lineage_goes_with_flow_cytometry(data_root):
    folder = data_root / "deconv_truth_racle2017"
    tpm = pd.read_csv(folder / "expression_tpm.tsv.gz", sep="\t", index_col=0)
    tpm = tpm[~tpm.index.duplicated()].T
    truth = pd.read_csv(folder / "facs_truth.tsv", sep="\t")
    b_cells = truth.loc[truth["cell_type"] == "B cell"].set_index("sample")["true_fraction"]
    found = wide(deconvolve(make_assay(tpm, unit="tpm")))["B lineage"]
    assert len(b_cells) == 4
    assert stats.spearmanr(found[b_cells.index], b_cells).statistic == pytest.approx(0.8)


def test_a_sample_without_a_marker_has_no_score_and_says_so(by_r):
    expression, _ = by_r
    holed = expression.copy()
    holed.loc["S03", "CD3D"] = np.nan
    table = deconvolve(make_assay(holed.drop(columns=["CD8B"]), unit="log2")).set_index(["cell_type", "sample_id"])
    assert table.loc[("T cells", "S03"), "status"] == "lacks the value of a marker"
    assert np.isnan(table.loc[("T cells", "S03"), "value"])
    assert table.loc[("T cells", "S04"), "status"] == "ok"
    assert table.loc["CD8 T cells"]["status"].eq("covers 0 of 1 markers, needs 80%").all()


def test_danaher_scores_are_marker_means():
    frame = pd.DataFrame({"CD8A": [3.0], "CD8B": [15.0]}, index=["S1"])
    table = deconvolve(make_assay(frame, unit="tpm"), "danaher").set_index("cell_type")
    assert table.loc["CD8 T cells", "value"] == pytest.approx((math.log2(4) + math.log2(16)) / 2)
    assert len(table) == 11


@pytest.fixture
def pure():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.gamma(0.5, 50.0, (60, 4)), index=[f"G{i}" for i in range(60)], columns=[*"TBME"])


def test_known_mixtures_come_back(pure):
    shares = np.random.default_rng(1).dirichlet(np.ones(4), 5)
    shares[0] = [0.7, 0.3, 0.0, 0.0]
    mixed = pd.DataFrame(shares @ pure.T.to_numpy() * 3.0, columns=pure.index, index=[f"S{i}" for i in range(5)])
    table = deconvolve(make_assay(mixed, unit="tpm"), "nnls", reference=pure, n_bootstrap=50)
    np.testing.assert_allclose(wide(table)[[*"TBME"]], shares, atol=1e-9)
    assert set(table["output"]) == {"cell_fraction"}
    assert (table["conf_high"] - table["conf_low"]).max() < 1e-6  # no noise, no doubt


def test_noisy_mixtures_are_the_constrained_optimum_with_an_interval(pure):
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.ones(4), 3)
    clean = shares @ pure.T.to_numpy()
    mixed = np.maximum(clean + rng.normal(0, 12, clean.shape), 0)
    frame = pd.DataFrame(mixed, columns=pure.index, index=["S1", "S2", "S3"])
    table = deconvolve(make_assay(frame, unit="tpm"), "nnls", reference=pure)
    for name, row in frame.iterrows():
        other = optimize.lsq_linear(pure.to_numpy(), row.to_numpy(), bounds=(0, np.inf), tol=1e-14).x
        np.testing.assert_allclose(wide(table).loc[name, [*"TBME"]], other / other.sum(), atol=1e-6)
    assert (table["conf_low"] <= table["value"] + 0.02).all()
    assert (table["value"] <= table["conf_high"] + 0.02).all()
    assert (table["conf_high"] - table["conf_low"]).between(0.01, 0.4).all()
    again = deconvolve(make_assay(frame.iloc[[1]], unit="tpm"), "nnls", reference=pure)
    alone = table.loc[table["sample_id"] == "S2"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, alone)


def test_fractions_without_a_basis(pure):
    frame = pd.DataFrame(0.0, index=["S1", "S2"], columns=pure.index)
    frame.loc["S2"] = pure["T"]
    frame.loc["S2", "G0":"G9"] = np.nan
    table = deconvolve(make_assay(frame, unit="tpm"), "nnls", reference=pure, n_bootstrap=0)
    first, second = (table.loc[table["sample_id"] == name] for name in ("S1", "S2"))
    assert first["status"].eq("every gene is zero or missing").all()
    np.testing.assert_allclose(second["value"], [1, 0, 0, 0], atol=1e-9)
    assert second["conf_low"].isna().all()
    assert set(second["n_found"]) == {50}
    few = deconvolve(
        make_assay(frame.iloc[[1]].assign(X=1.0), unit="tpm"), "nnls", reference=pure, min_coverage=0.8
    )
    assert few["status"].eq("ok").all()
    with pytest.raises(CoverageError, match="nnls: no cell type has 90% of its genes"):
        deconvolve(make_assay(frame.iloc[[1]], unit="tpm"), "nnls", reference=pure, min_coverage=0.9)


def test_bad_references_and_names(pure):
    assay = make_assay(pd.DataFrame([pure["T"]], index=["S1"]), unit="tpm")
    with pytest.raises(ImmunosarcError, match="'nnls' needs reference="):
        deconvolve(assay, "nnls")
    with pytest.raises(ImmunosarcError, match="at least two cell types"):
        deconvolve(assay, "nnls", reference=pure[["T"]])
    with pytest.raises(ImmunosarcError, match=r"repeated genes: \['G0'\]"):
        deconvolve(assay, "nnls", reference=pd.concat([pure, pure.iloc[:1]]))
    with pytest.raises(UnknownNameError, match="Did you mean 'mcp_counter'"):
        deconvolve(assay, "mcpcounter")
    with pytest.raises(ImmunosarcError, match="'quantiseq' needs reference="):
        deconvolve(assay, "quantiseq")
    with pytest.raises(CoverageError, match=r"mcp_counter: no cell type has 80% of its genes; .* G0, G1"):
        deconvolve(assay)
    assert set(DECONVOLUTION) == {"mcp_counter", "danaher", "consensus", "nnls", "quantiseq"}
