"""CPU time of scores of single cells beside scanpy's and pyucell's: 5,000 genes, 50 signatures, sparse.

Run: ``python benchmarks/cells_speed.py [--cells 50000] [--alone]``. Agreement is checked on the
same matrix before a ratio is printed. pyucell counts ranks beyond 1,500 as 1,500 and divides by another range:
each is held against its own definition on the same ranks. ``--alone`` leaves the peers out, for sizes that they
do not reach.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import importlib.util
import time
import tracemalloc

import anndata
import numpy as np
import pandas as pd
from features_speed import both_ucell, by_pyucell
from scipy import sparse

from immunosarc.features import score

AT_ONCE = 5000


def draw(n_cells: int, n_genes: int = 5000, n_drawn: int = 900) -> tuple[anndata.AnnData, dict[str, list[str]]]:
    """Log2 expression in single precision, about 15% of it above zero, and 50 signatures of 10 to 100 genes."""
    rng = np.random.default_rng(0)
    share = np.cumsum(rng.gamma(0.5, 1.0, n_genes) + 1e-3)
    share /= share[-1]
    parts = []
    for start in range(0, n_cells, AT_ONCE):
        here = min(AT_ONCE, n_cells - start)
        drawn = np.searchsorted(share, rng.random((here, n_drawn), dtype=np.float32))
        columns = np.sort(np.minimum(drawn, n_genes - 1).astype(np.int32), axis=1)
        first = np.ones(columns.shape, dtype=bool)
        first[:, 1:] = columns[:, 1:] != columns[:, :-1]
        n = first.sum()
        values = (np.log2(rng.geometric(0.4, n) + rng.random(n)) + 0.5).astype(np.float32)
        ends = np.append(0, np.cumsum(first.sum(axis=1)))
        parts.append(sparse.csr_matrix((values, columns[first], ends), (here, n_genes)))
    genes = [f"G{i}" for i in range(n_genes)]
    obs = pd.DataFrame({"sample_id": "S1"}, index=[f"C{i}" for i in range(n_cells)])
    cells = anndata.AnnData(sparse.vstack(parts, format="csr"), obs=obs, var=pd.DataFrame(index=genes))
    cells.uns["immunosarc"] = {"level": "cell", "unit": "log2_cpm"}
    sizes = rng.integers(10, 101, 50)
    return cells, {f"s{j}": [genes[i] for i in rng.choice(n_genes, k, replace=False)] for j, k in enumerate(sizes)}


def by_scanpy(cells: anndata.AnnData, sets: dict[str, list[str]]) -> tuple[float, np.ndarray]:
    """CPU seconds of scanpy, signature by signature, and its scores."""
    import scanpy as sc

    given = anndata.AnnData(cells.X, obs=pd.DataFrame(index=cells.obs_names), var=cells.var)
    start = time.process_time()
    for name, genes in sets.items():
        sc.tl.score_genes(given, genes, score_name=name)
    return time.process_time() - start, given.obs[list(sets)].to_numpy()


def ours(cells: anndata.AnnData, sets: dict[str, list[str]], method: str) -> tuple[float, float, np.ndarray]:
    """CPU seconds (the better of two below 100,000 cells), gigabytes allocated at the peak, and the scores."""
    taken = []
    for _ in range(2 if cells.n_obs < 100_000 else 1):
        start = time.process_time()
        score(cells, sets, method=method)
        taken.append(time.process_time() - start)
    tracemalloc.start()
    scores = score(cells, sets, method=method)
    peak = tracemalloc.get_traced_memory()[1] / 1e9
    tracemalloc.stop()
    return min(taken), peak, scores.to_numpy()


def main() -> None:
    """Time the methods for cells, and the peers that are installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=50_000)
    parser.add_argument("--alone", action="store_true")
    size = parser.parse_args()
    cells, sets = draw(size.cells)
    above = cells.X.nnz / cells.n_obs
    print(
        f"{size.cells:,} cells x {cells.n_vars:,} genes ({above:.0f} a cell above zero) x {len(sets)} signatures"
    )
    members = np.column_stack([cells.var_names.isin(genes) for genes in sets.values()])
    peers = {
        "scanpy_score_genes": ("scanpy", lambda: by_scanpy(cells, sets), 1e-5),  # scanpy sums in single precision
        "ucell": ("pyucell", lambda: by_pyucell(cells.X, members), 0.0),
        "mean_log2": ("", None, 0.0),
    }
    for method, (peer, call, apart) in peers.items():
        score(cells[:40_000], sets, method=method)  # loads what is compiled
        taken, peak, scores = ours(cells, sets, method)
        print(f"{method:20s} ours {taken:8.2f}   {peak:.2f} GB beyond the matrix, result included", flush=True)
        if call is None or size.alone or not importlib.util.find_spec(peer):
            continue
        theirs, found = call()
        if apart:
            np.testing.assert_allclose(scores, found, rtol=0, atol=apart)
            same = f"differ by at most {np.abs(scores - found).max():.0e}"
        else:
            same = both_ucell(scores, found, cells.X[:50].toarray(), members)
        print(f"{'':20s} {peer} {theirs:8.2f}  ({theirs / taken:.1f} times ours; scores {same})", flush=True)


if __name__ == "__main__":
    main()
