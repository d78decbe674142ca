"""Single cells without any effect: patients are tested at 5%; the shortcut of the simulation is what cells do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import sparse, stats

from immunosarc import catalog, features


def _load():
    path = Path(__file__).parents[2] / "benchmarks" / "calibrate_cells.py"
    spec = importlib.util.spec_from_file_location("immunosarc_calibrate_cells", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


calibrate = _load()


def test_patients_are_tested_at_five_percent_and_cells_are_not():
    found = calibrate.simulated(1000, seed=3)
    assert len(found.honest) == 3
    for name, p in found.honest.items():
        share, error = np.mean(p <= 0.05), np.sqrt(0.05 * 0.95 / len(p))
        assert share <= 0.05 + 2 * error, (name, share)
        assert share >= 0.02, (name, share)  # a test that never rejects is no test
    for name, p in found.naive.items():
        assert np.mean(p <= 0.05) > 0.8, name


def test_the_naive_tests_are_right_where_cells_are_independent(monkeypatch):
    for name in ("BETWEEN", "GENE_BETWEEN"):
        monkeypatch.setattr(calibrate, name, 0.0)
    for name, p in calibrate.simulated(600, seed=4, cells=2_000).naive.items():
        assert abs(np.mean(p <= 0.05) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / len(p)), name


def test_the_shortcut_is_what_cells_one_by_one_give():
    """Cells drawn one by one and walked over, against sums drawn at once: the same distributions."""
    rng = np.random.default_rng(8)
    panel = catalog.load_cell_markers()
    types, n_cells, n_samples = list(panel)[: len(calibrate.SHARES)], 60, 80
    genes = [*dict.fromkeys(g for one in panel.values() for g in one), "TARGET", *(f"G{i}" for i in range(40))]
    kind = rng.choice(
        len(types), (n_samples, n_cells), p=calibrate.SHARES[: len(types)] / calibrate.SHARES[: len(types)].sum()
    )
    counts = rng.poisson(1.0, (n_samples * n_cells, len(genes)))
    for i, name in enumerate(types):
        mine = np.isin(genes, panel[name])
        counts[:, mine] = rng.poisson(np.where(kind.ravel() == i, 40.0, 0.0)[:, None], (len(counts), mine.sum()))
    of_gene = genes.index("TARGET")
    counts[:, of_gene] = rng.poisson(0.4, len(counts))
    obs = pd.DataFrame({"sample_id": np.repeat([f"S{i:02}" for i in range(n_samples)], n_cells)})
    obs.index = [f"c{i}" for i in range(len(counts))]
    cells = anndata.AnnData(sparse.csr_matrix(counts.astype(np.float32)), obs=obs, var=pd.DataFrame(index=genes))
    cells.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    profile = features.profile_cells(cells)
    found = features.cell_composition(profile)[f"clr_{types[0]}"].to_numpy()
    n_of_type = (kind[:, :, None] == np.arange(len(types))).sum(axis=1).astype(float)
    np.testing.assert_allclose(found, calibrate.composition(n_of_type)[:, 0], atol=1e-12)
    drawn = rng.multinomial(n_cells, calibrate.SHARES / calibrate.SHARES.sum(), 2_000).astype(float)
    assert stats.ks_2samp(found, calibrate.composition(drawn)[:, 0]).pvalue > 0.001
    summed = features.pseudobulk(profile, types[0], min_cells=1)
    n = summed.obs["n_cells"].to_numpy(float)
    standard = (summed[:, "TARGET"].X.ravel() - 0.4 * n) / np.sqrt(0.4 * n)
    assert abs(standard.mean()) < 4 / np.sqrt(len(n))
    assert 0.5 < standard.var() < 1.6  # Poisson of n times the rate
