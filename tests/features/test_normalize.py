"""Normalizations by request: R's numbers, what scanpy does, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunosarc.cohort import make_assay
from immunosarc.errors import ImmunosarcError, SchemaError, UnitError, UnknownNameError
from immunosarc.features import build_reference, normalize, place, score


@pytest.mark.parametrize("oracle", ["preprocessCore", "limma_ties"])
def test_quantile_normalization_is_that_of_r(oracles, oracle):
    given = pd.read_csv(oracles / "qn_in.csv", index_col=0).T
    expected = pd.read_csv(oracles / f"qn_{oracle}.csv", index_col=0).T
    found = normalize(make_assay(given, unit="tpm"), "quantile")
    np.testing.assert_allclose(found.X, expected.loc[found.obs_names, found.var_names], atol=1e-9)
    assert found.uns["immunosarc"]["normalized"] == "quantile"


@pytest.fixture
def batches():
    """Twelve samples in two batches, of which the second reads 1.5 higher and wider."""
    rng = np.random.default_rng(0)
    names = [f"S{i}" for i in range(12)]
    batch = pd.Series(["one"] * 6 + ["two"] * 6, index=names)
    values = rng.normal(8, 1, (12, 40))
    values[6:] = (values[6:] - 8) * 2 + 9.5
    values[:, 7] = 3.0  # a constant gene stays
    return make_assay(pd.DataFrame(values, names, [f"G{i}" for i in range(40)]), unit="log2_tpm"), batch


def test_combat_takes_out_what_sets_batches_apart(batches):
    assay, batch = batches
    before = assay.X.copy()
    found = normalize(assay, "combat", batch=batch, timepoint=pd.Series("pre", index=batch.index))
    assert found.uns["immunosarc"]["unit"] == "log2"
    assert score(found, {"all": list(found.var_names)}, method="mean_log2").notna().all(axis=None)
    first, second = found.X[:6], found.X[6:]
    assert abs(second.mean() - first.mean()) < 0.05 * abs(before[6:].mean() - before[:6].mean())
    moved = np.arange(40) != 7
    assert np.median(second[:, moved].std(axis=0) / first[:, moved].std(axis=0)) == pytest.approx(1, abs=0.25)
    np.testing.assert_array_equal(found.X[:, 7], 3.0)
    np.testing.assert_array_equal(assay.X, before)
    # within a batch the order of samples stays: a shift and a scale for each gene
    for gene in range(40):
        if gene != 7:
            assert np.array_equal(np.argsort(first[:, gene]), np.argsort(before[:6, gene]))


def test_combat_across_timepoints_is_refused(batches):
    assay, batch = batches
    when = pd.Series(["pre", "on"] * 6, index=batch.index)
    with pytest.raises(ImmunosarcError, match=r"across timepoints \(pre, on\) would move the change"):
        normalize(assay, "combat", batch=batch, timepoint=when)
    with pytest.raises(ImmunosarcError, match="ComBat needs timepoint="):
        normalize(assay, "combat", batch=batch)
    with pytest.raises(ImmunosarcError, match="ComBat needs batch="):
        normalize(assay, "combat", timepoint=when.replace("on", "pre"))


def test_what_cannot_be_normalized_is_refused(batches):
    assay, batch = batches
    pre = pd.Series("pre", index=batch.index)
    with pytest.raises(ImmunosarcError, match=r"at least two samples each .*found \{'one': 11, 'two': 1\}"):
        normalize(assay, "combat", batch=batch.where(batch.index == "S11", "one"), timepoint=pre)
    with pytest.raises(SchemaError, match="batch: one value for each sample is needed; none, or several, for S0"):
        normalize(assay, "combat", batch=batch.drop("S0"), timepoint=pre)
    counts = make_assay(pd.DataFrame({"A": [1.0, 2.0]}, index=["S1", "S2"]), unit="counts")
    with pytest.raises(UnitError, match="not counts"):
        normalize(counts, "quantile")
    linear = make_assay(pd.DataFrame(np.exp2(assay.X), assay.obs_names, assay.var_names), unit="tpm")
    with pytest.raises(UnitError, match="ComBat needs a log2 scale, the assay has tpm"):
        normalize(linear, "combat", batch=batch, timepoint=pre)
    holed = assay.copy()
    holed.X[0, 0] = np.nan
    with pytest.raises(UnitError, match="1 are missing"):
        normalize(holed, "quantile")
    with pytest.raises(ImmunosarcError, match="reads no batch"):
        normalize(assay, "quantile", batch=batch)
    with pytest.raises(UnknownNameError, match="Did you mean 'combat'"):
        normalize(assay, "combatt")


@pytest.mark.parametrize("method", ["quantile", "combat"])
def test_what_was_normalized_has_no_place_on_a_frozen_reference(batches, method):
    assay, batch = batches
    more = {"batch": batch, "timepoint": pd.Series("pre", index=batch.index)} if method == "combat" else {}
    with pytest.raises(UnitError, match=f"{method}-normalized"):
        place(normalize(assay, method, **more), guard="declared")
    with pytest.raises(UnitError, match=f"{method}-normalized"):
        build_reference(normalize(assay, method, **more), {"A": ["G0"]}, min_samples=5)
