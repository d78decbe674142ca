"""quanTIseq, profiles of one's own and consensus markers: against the optimum found in other ways."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse, stats

from immunosarc import schema
from immunosarc.cohort import make_assay
from immunosarc.errors import CoverageError, DataFileError, ImmunosarcError, SchemaError, UnitError
from immunosarc.features import CellProfiles, deconvolve, read_cell_profiles, score, signature_matrix
from immunosarc.features._fractions import mixture_within_one

TUMOR = [
    "NUPR1",
    "CD36",
    "CSTA",
    "HPGD",
    "CFB",
    "ECM1",
    "FCGBP",
    "PLTP",
    "FXYD6",
    "HOPX",
    "SERPING1",
    "ENPP2",
    "GATM",
    "PDPN",
    "ADAM6",
    "FCRLA",
    "SLC1A3",
]
NOISY = [
    "CD36",
    "CSTA",
    "NRGN",
    "C5AR2",
    "CEP19",
    "CYP4F3",
    "DOCK5",
    "HAL",
    "LRRK2",
    "LY96",
    "NINJ2",
    "PPP1R3B",
    "TECPR2",
    "TLR1",
    "TLR4",
    "TMEM154",
    "CD248",
]


@pytest.fixture(scope="module")
def til10(data_root):
    folder = data_root / "signatures"
    return read_cell_profiles(
        folder / "quantiseq_TIL10_signature.tsv", mrna_scaling=folder / "quantiseq_TIL10_mRNA_scaling.tsv"
    )


def wide(table):
    return table.pivot(index="sample_id", columns="cell_type", values="value")


def constrained_by_slsqp(pure, mixed):
    """The same optimum by a general solver for constrained problems."""
    gram, target, k = pure.T @ pure, pure.T @ mixed, pure.shape[1]
    unit = np.trace(gram)
    found = optimize.minimize(
        lambda w: (w @ gram @ w - 2 * w @ target) / unit,
        np.full(k, 0.5 / k),
        jac=lambda w: 2 * (gram @ w - target) / unit,
        bounds=[(0, None)] * k,
        constraints=[{"type": "ineq", "fun": lambda w: 1 - w.sum(), "jac": lambda w: -np.ones(k)}],
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 1000},
    )
    return found.x


def quantiseq_by_definition(profiles, scaling, tpm):
    """The published steps one after the other, for one sample."""
    genes = [g for g in profiles.index if g not in TUMOR and g not in NOISY and g in tpm.index]
    tpm = tpm * 1e6 / tpm.sum()
    kinds = list(profiles.columns)

    def fit(which):
        w = constrained_by_slsqp(profiles.loc[genes, which].to_numpy(), tpm[genes].to_numpy())
        total = sum(w)
        cells = [a / scaling[k] for a, k in zip(w, which, strict=True)]
        shares = {k: c / sum(cells) * total for k, c in zip(which, cells, strict=True)}
        return shares | {"uncharacterized cells": max(0.0, 1 - sum(shares.values()))}

    first = fit(kinds)
    if first["Tregs"] < 0.02:
        second = fit([k for k in kinds if k != "T.cells.CD4"])
        first["Tregs"] = (second["Tregs"] + first["Tregs"]) / 2
        first["T.cells.CD4"] = max(0.0, first["T.cells.CD4"] - (second["Tregs"] + first["Tregs"]) / 2)
    return {k: v / sum(first.values()) for k, v in first.items()}


def simulated(til10, seed, *, tumor=0.6, tregs=0.05):
    """Mixtures of the profiles, with other genes that fill a million, and noise."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(10), 4) * (1 - tumor)
    shares[:, list(til10.profiles).index("Tregs")] = tregs
    mixed = shares @ til10.profiles.T.to_numpy() * rng.lognormal(0, 0.2, (4, len(til10.profiles)))
    frame = pd.DataFrame(mixed, index=[f"S{i}" for i in range(4)], columns=til10.profiles.index)
    rest = rng.dirichlet(np.ones(300), 4)
    others = pd.DataFrame(rest, index=frame.index, columns=[f"OTHER{i}" for i in range(300)])
    return frame.join(others.mul(1e6 - frame.sum(axis=1), axis=0))


@pytest.mark.parametrize(("seed", "tregs"), [(0, 0.1), (1, 0.0), (2, 0.01)])
def test_quantiseq_is_its_published_steps(til10, seed, tregs):
    frame = simulated(til10, seed, tregs=tregs)
    table = deconvolve(make_assay(frame, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=0)
    schema.CELLS.check(table)
    assert set(table["n_genes"]) == {170 - len(set(TUMOR) | set(NOISY))}
    assert set(table["output"]) == {"cell_fraction"}
    for sample, tpm in frame.iterrows():
        expected = quantiseq_by_definition(til10.profiles, til10.mrna_scaling, tpm)
        np.testing.assert_allclose(wide(table).loc[sample, list(expected)], list(expected.values()), atol=2e-6)
    np.testing.assert_allclose(table.groupby("sample_id")["value"].sum(), 1)


def test_tumor_genes_and_the_level_of_other_genes_matter_as_they_should(til10):
    frame = simulated(til10, 3)
    usual = deconvolve(make_assay(frame, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=0)
    frame2 = frame.copy()
    frame2["OTHER0"] += frame2["SERPING1"] - 0.5 * frame2["SERPING1"]  # what the tumor makes of it goes elsewhere
    frame2["SERPING1"] *= 0.5
    moved = deconvolve(make_assay(frame2, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=0)
    np.testing.assert_allclose(moved["value"], usual["value"], atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_optimum_obeys_the_conditions_of_optimality(seed):
    """Karush-Kuhn-Tucker: the gradient is level on the support, not lower elsewhere, and the sum holds."""
    rng = np.random.default_rng(seed)
    pure = rng.gamma(0.5, 50.0, (40, 6))
    mixed = pure @ rng.dirichlet(np.ones(6)) * (0.5 if seed % 2 else 1.7) + rng.gamma(1.0, 5.0, 40)
    w = mixture_within_one(pure, mixed)
    gradient = pure.T @ (pure @ w - mixed) / np.linalg.norm(pure, 2) ** 2
    price = -gradient[w > 1e-12].mean()
    assert w.min() >= 0
    assert w.sum() <= 1 + 1e-12
    np.testing.assert_allclose(gradient[w > 1e-12], -price, atol=1e-10)
    assert (gradient >= -price - 1e-10).all()
    assert price >= -1e-10
    assert price * (1 - w.sum()) == pytest.approx(0, abs=1e-10)


def test_without_the_sum_constraint_or_the_scaling_it_is_another_answer(til10):
    """The two shortcuts of a public port move fractions by more than .03."""
    frame = simulated(til10, 5, tumor=-0.3, tregs=0.1)  # more of the profiles than fills a sample
    found = wide(deconvolve(make_assay(frame, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=0))
    equal = CellProfiles(til10.profiles, til10.mrna_scaling * 0 + 1.0)
    unscaled = wide(deconvolve(make_assay(frame, unit="tpm"), "quantiseq", reference=equal, n_bootstrap=0))
    assert (found - unscaled).abs().to_numpy().max() > 0.03
    genes = [g for g in til10.profiles.index if g not in TUMOR and g not in NOISY]
    tpm = frame.iloc[0] * 1e6 / frame.iloc[0].sum()
    free = optimize.nnls(til10.profiles.loc[genes].to_numpy(), tpm[genes].to_numpy())[0]
    assert free.sum() > 1.1


def test_noise_gives_an_interval_and_a_sample_alone_has_the_same_row(til10):
    frame = simulated(til10, 6)
    table = deconvolve(make_assay(frame, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=60, seed=3)
    assert (table["conf_low"] <= table["value"] + 0.05).all()
    assert (table["conf_high"] >= table["value"] - 0.05).all()
    assert (table["conf_high"] - table["conf_low"]).groupby(table["sample_id"]).max().min() > 0.02
    alone = deconvolve(
        make_assay(frame.iloc[[2]], unit="tpm"), "quantiseq", reference=til10, n_bootstrap=60, seed=3
    )
    row = table.loc[table["sample_id"] == "S2"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, row, check_exact=True)


def test_current_symbols_are_found(til10):
    frame = simulated(til10, 7)
    newer = frame.rename(columns={"FAM46C": "TENT5C"})
    one, other = (
        deconvolve(make_assay(f, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=0) for f in (frame, newer)
    )
    pd.testing.assert_series_equal(one["value"], other["value"])
    assert other["note"].str.contains("FAM46C as TENT5C").all()


def test_older_symbols_of_the_assay_are_found(til10):
    frame = simulated(til10, 7)
    old = {"GRK3": "ADRBK2", "SQOR": "SQRDL", "TSPOAP1": "BZRAP1", "TOGARAM2": "FAM179A", "GUCY1A3": "GUCY1A1"}
    assert set(old) <= set(frame.columns)
    one, other = (
        deconvolve(make_assay(f, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=0)
        for f in (frame, frame.rename(columns=old))
    )
    pd.testing.assert_series_equal(one["value"], other["value"])
    assert one["n_found"].equals(other["n_found"])
    for now, then in old.items():
        assert other["note"].str.contains(f"{now} as {then}").all()


def test_melanoma_nodes_against_flow_cytometry(data_root, til10):
    folder = data_root / "deconv_truth_racle2017"
    tpm = pd.read_csv(folder / "expression_tpm.tsv.gz", sep="\t", index_col=0)
    tpm = tpm[~tpm.index.duplicated()].T
    truth = pd.read_csv(folder / "facs_truth.tsv", sep="\t")
    found = wide(deconvolve(make_assay(tpm, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=0))
    b_cells = truth.loc[truth["cell_type"] == "B cell"].set_index("sample")["true_fraction"]
    assert stats.spearmanr(found.loc[b_cells.index, "B.cells"], b_cells).statistic == pytest.approx(0.8)
    same_names = tpm.rename(columns={"GUCY1A1": "GUCY1A3"})  # one gene, renamed since TIL10
    for sample in tpm.index:
        expected = quantiseq_by_definition(til10.profiles, til10.mrna_scaling, same_names.loc[sample])
        np.testing.assert_allclose(found.loc[sample, list(expected)], list(expected.values()), atol=2e-6)


def test_microarrays_are_quantile_normalized_and_say_so(til10):
    frame = simulated(til10, 8)
    logs = np.log2(frame + 32)
    arrays = make_assay(logs, unit="log2", platform="microarray")
    table = deconvolve(arrays, "quantiseq", reference=til10, n_bootstrap=0)
    assert set(table["n_genes"]) == {170 - len(TUMOR)}
    assert table["note"].str.contains("quantile-normalized: depends on the cohort").all()
    ordered = np.sort(np.exp2(logs.to_numpy()), axis=1).mean(axis=0)
    ranks = logs.rank(axis=1, method="first").to_numpy().astype(int) - 1
    alike = pd.DataFrame(ordered[ranks], logs.index, logs.columns)
    genes = [g for g in til10.profiles.index if g not in TUMOR]
    tpm = alike.iloc[0] * 1e6 / alike.iloc[0].sum()
    expected = constrained_by_slsqp(til10.profiles.loc[genes].to_numpy(), tpm[genes].to_numpy())
    cells = expected / til10.mrna_scaling[list(til10.profiles)]
    shares = cells / cells.sum() * expected.sum()
    assert wide(table).loc["S0", "uncharacterized cells"] == pytest.approx(1 - shares.sum(), abs=1e-6)


def test_what_quantiseq_cannot_use_is_refused(til10):
    frame = simulated(til10, 9)
    with pytest.raises(UnitError, match=r"quantiseq needs TPM .* the assay has counts"):
        deconvolve(make_assay(frame.round(), unit="counts"), "quantiseq", reference=til10)
    with pytest.raises(ImmunosarcError, match="needs the mRNA content of the cell types"):
        deconvolve(make_assay(frame, unit="tpm"), "quantiseq", reference=til10.profiles)
    with pytest.raises(ImmunosarcError, match="'mcp_counter' reads no reference"):
        deconvolve(make_assay(frame, unit="tpm"), reference=til10)
    with pytest.raises(CoverageError, match="quantiseq: no cell type has 80%"):
        deconvolve(make_assay(frame.iloc[:, :60], unit="tpm"), "quantiseq", reference=til10)
    silent = frame.copy()
    silent.loc["S1", til10.profiles.index] = 0.0
    table = deconvolve(make_assay(silent, unit="tpm"), "quantiseq", reference=til10, n_bootstrap=0)
    assert set(table.loc[table["sample_id"] == "S1", "status"]) == {"nothing of the reference is in the sample"}


def test_profiles_are_read_and_every_fault_is_named(tmp_path):
    pure = tmp_path / "pure.tsv"
    pure.write_text("ID\tB\tT\nCD19\t90\t1\nCD19\t2\t-80\n", encoding="utf-8")
    scaling = tmp_path / "scaling.tsv"
    scaling.write_text("B\t60\n", encoding="utf-8")
    with pytest.raises(
        ImmunosarcError, match=r"3 problem\(s\)(?s:.*)'CD19'(?s:.*)no missing(?s:.*)no mRNA content for T"
    ):
        read_cell_profiles(pure, mrna_scaling=scaling)
    pure.write_text("ID\tB\tT\nCD19\thigh\t1\nCD3D\t2\t80\n", encoding="utf-8")
    with pytest.raises(DataFileError, match="not numbers in column"):
        read_cell_profiles(pure)
    with pytest.raises(DataFileError, match="does not exist"):
        read_cell_profiles(tmp_path / "none.tsv")
    pure.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ImmunosarcError):
        read_cell_profiles(pure)


@pytest.fixture
def cells():
    """600 cells of three types, 80 genes; type T holds twice the mRNA."""
    rng = np.random.default_rng(4)
    profile = rng.gamma(0.4, 1.0, (3, 80))
    profile /= profile.sum(axis=1, keepdims=True)
    kinds = np.repeat(["B", "S", "T"], 200)
    depth = np.where(kinds == "T", 4000, 2000)
    counts = np.array([rng.multinomial(d, profile["BST".index(k)]) for d, k in zip(depth, kinds, strict=True)])
    names = [f"c{i}" for i in range(600)]
    return anndata.AnnData(
        sparse.csr_matrix(counts.astype(float)),
        pd.DataFrame({"cell_type": kinds}, index=names),
        pd.DataFrame(index=[f"G{i}" for i in range(80)]),
    )


def test_a_signature_matrix_recovers_the_shares_of_cells(cells, tmp_path):
    found = signature_matrix(cells, n_markers=15)
    by_hand = cells[cells.obs["cell_type"] == "T"].X.toarray().sum(axis=0)
    by_hand = pd.Series(by_hand / by_hand.sum() * 1e6, index=cells.var_names)
    np.testing.assert_allclose(found.profiles["T"], by_hand[found.profiles.index])
    assert found.mrna_scaling.to_dict() == {"B": 2000.0, "S": 2000.0, "T": 4000.0}
    ordered = np.sort(found.profiles.to_numpy(), axis=1)
    assert ((ordered[:, -1] + 1) >= 2 * (ordered[:, -2] + 1)).all()
    # a sample of 100 B, 50 S, 50 T cells: shares of cells, not of counts
    chosen = [*range(100), *range(200, 250), *range(400, 450)]
    bulk = np.asarray(cells.X[chosen].sum(axis=0)).ravel()
    frame = pd.DataFrame([bulk / bulk.sum() * 1e6], index=["S1"], columns=cells.var_names)
    table = deconvolve(make_assay(frame, unit="cpm"), "nnls", reference=found, n_bootstrap=0)
    np.testing.assert_allclose(wide(table).loc["S1", ["B", "S", "T"]], [0.5, 0.25, 0.25], atol=0.02)
    assert table["note"].str.contains("shares of cells").all()
    path = tmp_path / "cells.h5ad"
    cells.write_h5ad(path)
    pd.testing.assert_frame_equal(signature_matrix(path, n_markers=15).profiles, found.profiles, check_names=False)


def test_cells_that_give_no_matrix(cells, tmp_path):
    with pytest.raises(SchemaError, match="have no obs\\['kind'\\]; found cell_type"):
        signature_matrix(cells, cell_type="kind")
    with pytest.raises(SchemaError, match=r"holds 1 cell type\(s\)"):
        signature_matrix(cells[:100])
    logs = cells.copy()
    logs.X = logs.X * 0.5
    with pytest.raises(UnitError, match="must hold counts"):
        signature_matrix(logs)
    twins = cells.copy()
    twins.obs["cell_type"] = np.where(np.arange(600) % 2, "even", "odd")
    with pytest.raises(ImmunosarcError, match=r"'even' has no gene at 2 times the next type(?s:.*)'odd'"):
        signature_matrix(twins)
    with pytest.raises(DataFileError, match="does not exist"):
        signature_matrix(tmp_path / "none.h5ad")
    (tmp_path / "text.h5ad").write_text("no", encoding="utf-8")
    with pytest.raises(DataFileError, match=r"is no \.h5ad file"):
        signature_matrix(tmp_path / "text.h5ad")


def test_consensus_markers_are_ssgsea_of_ones_own_sets(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.gamma(0.8, 20.0, (5, 60)), columns=[f"G{i}" for i in range(60)])
    frame.index = [f"S{i}" for i in range(5)]
    gmt = tmp_path / "types.gmt"
    gmt.write_text("B\tb\tG1\tG2\tG3\nT\tt\tG4\tG5\tX1\tX2\n", encoding="utf-8")
    table = deconvolve(make_assay(frame, unit="tpm"), "consensus", reference=gmt)
    expected = score(make_assay(frame, unit="tpm"), {"B": ["G1", "G2", "G3"]}, method="ssgsea")["B"]
    np.testing.assert_allclose(wide(table)["B"], expected, rtol=1e-12)
    assert set(table["output"]) == {"cell_score"}
    assert set(table.loc[table["cell_type"] == "T", "status"]) == {"covers 2 of 4 markers, needs 80%"}
    with pytest.raises(ImmunosarcError, match="'consensus' needs reference="):
        deconvolve(make_assay(frame, unit="tpm"), "consensus")
