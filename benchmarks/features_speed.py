"""CPU time of the scoring kernels: 20,000 genes x 1,000 samples x 150 signatures.

Run: ``python benchmarks/features_speed.py [--samples 1000]``. Numbers agree first, then the ratio is printed:
ours against one vectorized line of scipy, against the definition, signature by signature, and against
gseapy, pygsva and pyucell where they are installed (``pip install gseapy pygsva pyucell``). gseapy breaks ties by
row and weighs otherwise: its scores correlate with the definition and do not equal it, and the correlation is
printed. pyucell caps and scales otherwise: each is held against its own definition on the same ranks. Those that
are not installed are named, and nothing is quoted for them. Compiled code is loaded before the clock starts.
``--growth`` adds the cost of 100, 1,000 and 10,000 samples and of more signatures.

The last lines are 30 samples of 20,000 genes scored on the whole catalog in a fresh process that may not reuse
compiled code, beyond the imports of pandas, scipy and anndata.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import importlib.util
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from scipy.stats import rankdata, zscore

from immunosarc.features import SCORING


def draw(n_samples: int, n_genes: int, n_signatures: int) -> tuple[np.ndarray, np.ndarray]:
    """Log2 expression with a fifth of zeros, and signatures of 10 to 200 genes."""
    rng = np.random.default_rng(0)
    expression = np.log2(rng.gamma(0.6, 40.0, (n_samples, n_genes)) + 1)
    expression[rng.random(expression.shape) < 0.2] = 0.0
    members = np.zeros((n_genes, n_signatures), dtype=bool)
    for column in range(n_signatures):
        members[rng.choice(n_genes, rng.integers(10, 201), replace=False), column] = True
    return expression, members


def singscore_loop(expression: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The definition, signature by signature, each ranking the samples again."""
    scores = np.empty((len(expression), members.shape[1]))
    for column in range(members.shape[1]):
        inside = members[:, column]
        k, m = inside.sum(), len(inside)
        for sample, values in enumerate(expression):
            scores[sample, column] = (rankdata(values)[inside].mean() - (k + 1) / 2) / (m - k)
    return scores


def singscore_scipy(expression: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Rank once with scipy, then a dense product."""
    size = members.sum(axis=0)
    ranks = rankdata(expression, axis=1)
    return (ranks @ members.astype(float) / size - (size + 1) / 2) / (expression.shape[1] - size)


def mean_z_loop(expression: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The definition, signature by signature, each standardizing its genes again."""
    columns = [zscore(expression[:, inside], axis=0, ddof=1).mean(axis=1) for inside in members.T]
    return np.column_stack(columns)


def mean_z_dense(expression: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Standardize every gene, then a dense product."""
    return zscore(expression, axis=0, ddof=1) @ members.astype(float) / members.sum(axis=0)


def ssgsea_walk(expression: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The definition as a walk over all genes; ties in row order, as positions need an order."""
    scores = np.empty((len(expression), members.shape[1]))
    for sample, values in enumerate(expression):
        weights = np.floor(rankdata(values)) ** 0.25
        order = np.argsort(-values, kind="stable")
        for column, inside in enumerate(members.T):
            steps = np.where(inside, weights / weights[inside].sum(), -1.0 / (~inside).sum())
            scores[sample, column] = np.cumsum(steps[order]).sum()
    return scores


def gsva_walk(expression: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The definition: every pair of samples, then a walk over all genes."""
    scaled = expression / (expression.std(axis=0, ddof=1) / 4)
    density = np.array([special.ndtr(row - scaled).mean(axis=0) for row in scaled])
    scores, m = np.empty((len(expression), members.shape[1])), expression.shape[1]
    for sample, values in enumerate(density):
        order = np.argsort(-values, kind="stable")
        weights = np.empty(m)
        weights[order] = np.abs(np.arange(m, 0, -1) - m / 2)
        for column, inside in enumerate(members.T):
            steps = np.where(inside, weights / weights[inside].sum(), -1.0 / (~inside).sum())
            walk = np.cumsum(steps[order])
            scores[sample, column] = max(walk.max(), 0) + min(walk.min(), 0)
    return scores


def ucell_loop(expression: np.ndarray, members: np.ndarray, *, as_pyucell: bool = False) -> np.ndarray:
    """The definition, sample by sample; or pyucell's, with another value beyond rank 1,500 and another range."""
    scores, k = np.empty((len(expression), members.shape[1])), members.sum(axis=0)
    least = k * (k + 1) / 2
    for sample, values in enumerate(expression):
        ranks = rankdata(-values)
        capped = np.where(ranks > 1500, 1500 if as_pyucell else 1501, ranks)
        sums = np.array([capped[inside].sum() for inside in members.T])
        scores[sample] = 1 - (sums - least) / (k * 1500 - (least if as_pyucell else 0))
    return scores


def both_ucell(ours: np.ndarray, theirs: np.ndarray, expression: np.ndarray, members: np.ndarray) -> str:
    """Both are their definition on the same ranks, ties included; or an error. What to print of it."""
    n = len(expression)
    np.testing.assert_allclose(ours[:n], ucell_loop(expression, members), rtol=0, atol=1e-12)
    definition = ucell_loop(expression, members, as_pyucell=True)
    np.testing.assert_allclose(theirs[:n], definition, rtol=0, atol=2e-6)  # single precision
    return f"each as defined on {n} rows, correlate {np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]:.4f}"


def by_gseapy(name: str, expression: np.ndarray, members: np.ndarray) -> tuple[float, np.ndarray]:
    """CPU seconds of gseapy on one thread, and its scores."""
    import gseapy

    genes, samples = [f"G{i}" for i in range(members.shape[0])], [f"S{i}" for i in range(len(expression))]
    table = pd.DataFrame(expression.T, index=genes, columns=samples)
    sets = {f"s{j}": [genes[i] for i in np.flatnonzero(inside)] for j, inside in enumerate(members.T)}
    how = {"gene_sets": sets, "outdir": None, "min_size": 1, "max_size": 5000, "threads": 1, "verbose": False}
    start = time.process_time()
    if name == "ssgsea":
        result = gseapy.ssgsea(data=table, sample_norm_method="rank", no_plot=True, **how).res2d
    else:
        result = gseapy.gsva(data=table, **how).res2d
    taken = time.process_time() - start
    scores = result.pivot(index="Name", columns="Term", values="ES").loc[samples, list(sets)]
    return taken, scores.to_numpy(dtype=float)


def by_pygsva(expression: np.ndarray, members: np.ndarray) -> tuple[float, np.ndarray]:
    """CPU seconds of pygsva's combined z-score on one thread, and its scores."""
    import pygsva

    genes = [f"G{i}" for i in range(members.shape[0])]
    table = pd.DataFrame(expression.T, index=genes)
    sets = {f"s{j}": [genes[i] for i in np.flatnonzero(inside)] for j, inside in enumerate(members.T)}
    start = time.process_time()
    scores = pygsva.zscore(table, sets, n_jobs=1, verbose=False)
    return time.process_time() - start, scores.loc[list(sets)].to_numpy().T


def by_pyucell(expression: Any, members: np.ndarray) -> tuple[float, np.ndarray]:
    """CPU seconds of pyucell in one process, and its scores."""
    import anndata
    import pyucell

    genes = [f"G{i}" for i in range(members.shape[0])]
    sets = {f"s{j}": [genes[i] for i in np.flatnonzero(inside)] for j, inside in enumerate(members.T)}
    cells = anndata.AnnData(expression, var=pd.DataFrame(index=genes))
    start = time.process_time()
    pyucell.compute_ucell_scores(cells, sets, n_jobs=1)
    return time.process_time() - start, cells.obs[[f"{name}_UCell" for name in sets]].to_numpy()


_FRESH = """
import time
import anndata, numpy as np, pandas as pd, scipy.sparse, scipy.stats

rng = np.random.default_rng(0)
values = rng.gamma(0.6, 40.0, (30, 20_000))
start = time.process_time()
import immunosarc as ims

sets = ims.features.signatures()
genes = list(dict.fromkeys(gene for one in sets.values() for gene in one.all_genes))
names = [*genes, *(f"G{i}" for i in range(20_000 - len(genes)))]
rna = ims.make_assay(pd.DataFrame(values, index=[f"S{i}" for i in range(30)], columns=names), unit="tpm")
scores = ims.features.score(rna, method="METHOD")
assert scores.notna().any().sum() >= 106 and len(scores) == 30
print(time.process_time() - start)
"""


def fresh_catalog(method: str) -> float:
    """CPU seconds of 30 samples and the whole catalog in a new process with an empty compile cache."""
    code = "import os, tempfile; os.environ['NUMBA_CACHE_DIR'] = tempfile.mkdtemp()\n" + _FRESH
    code = code.replace("METHOD", method)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


PEERS = {
    "ssgsea": ("gseapy", lambda x, m: by_gseapy("ssgsea", x, m)),
    "gsva": ("gseapy", lambda x, m: by_gseapy("gsva", x, m)),
    "zscore": ("pygsva", by_pygsva),
    "mean_z": ("pygsva", lambda x, m: (lambda taken, z: (taken, z / np.sqrt(m.sum(axis=0))))(*by_pygsva(x, m))),
    "ucell": ("pyucell", by_pyucell),
}
EQUAL = {"zscore": 1e-9, "mean_z": 1e-9}


def beside_peer(name: str, expression: np.ndarray, members: np.ndarray) -> None:
    """Ours, the peer's time in the same run, and how far the scores are the same."""
    peer, call = PEERS[name]
    ours, scores = seconds(SCORING[name].func, expression, members, repeats=5)
    extra = extra_memory(name, expression, members)
    print(f"{name:10s} ours {ours:8.3f}   memory beyond input and result: {extra:.0%} of the input")
    if not importlib.util.find_spec(peer):
        print(f"{'':10s} {peer}: not installed; not timed")
        return
    theirs, found = call(expression, members)
    if name == "ucell":
        same = both_ucell(scores, found, expression[:50], members)
    elif name in EQUAL:
        np.testing.assert_allclose(scores, found, rtol=0, atol=EQUAL[name])
        same = f"differ by at most {np.abs(scores - found).max():.0e}"
    else:
        same = f"correlate {np.corrcoef(found.ravel(), scores.ravel())[0, 1]:.4f}"
    print(f"{'':10s} {peer} {theirs:8.3f}  ({theirs / ours:.1f} times ours; scores {same})", flush=True)


def extra_memory(name: str, expression: np.ndarray, members: np.ndarray) -> float:
    """Peak of what is allocated beyond the result, as a share of the input."""
    tracemalloc.start()
    result = SCORING[name].func(expression, members)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - result.nbytes) / expression.nbytes


def growth(n_genes: int) -> None:
    """Cost of more samples with 150 signatures, and of more signatures with 1,000 samples."""
    print("CPU seconds by samples (150 signatures), then by signatures (1,000 samples)")
    print(f"{'':10s}" + "".join(f"{n:>10,}" for n in (100, 1000, 10_000, 15, 150, 600)))
    sizes = [(100, 150), (1000, 150), (10_000, 150), (1000, 15), (1000, 150), (1000, 600)]
    taken: dict[str, list[float]] = {name: [] for name in ("ssgsea", "singscore", "zscore", "ucell", "gsva")}
    for samples, signatures in sizes:
        expression, members = draw(samples, n_genes, signatures)
        for name, column in taken.items():
            repeats = 1 if samples > 1000 else 3
            column.append(seconds(SCORING[name].func, expression, members, repeats=repeats)[0])
    for name, column in taken.items():
        print(f"{name:10s}" + "".join(f"{value:10.3f}" for value in column))


def beside_definitions(size: argparse.Namespace, expression: np.ndarray, members: np.ndarray) -> None:
    """Agreement with the definition on a small part, then the times beside the peers."""
    part, some = slice(min(40, size.samples)), slice(min(2000, size.genes))
    tiny = expression[part, some], members[some, :5] | (np.arange(members[some].shape[0]) < 3)[:, None]
    ties = {"ties": "row_order"}
    for name, definition, options in (
        ("ssgsea", ssgsea_walk, ties),
        ("gsva", gsva_walk, ties),
        ("ucell", ucell_loop, {}),
    ):
        kernel = SCORING[name].func
        assert kernel is not None
        np.testing.assert_allclose(kernel(*tiny, **options), definition(*tiny), rtol=1e-9, atol=1e-9)
        kernel(expression[: 4_000_000 // size.genes + 1], members)  # loads what is compiled
    for name in PEERS:
        beside_peer(name, expression, members)
    if size.samples > 100:
        print("100 samples")
        for name in ("ssgsea", "gsva"):
            beside_peer(name, expression[:100], members)


def seconds(function: Callable[..., Any], *arguments: Any, repeats: int = 3) -> tuple[float, Any]:
    """Median CPU seconds, and the result."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        result = function(*arguments)
        taken.append(time.process_time() - start)
    return float(np.median(taken)), result


def main() -> None:
    """Time each kernel against the definition and the plain vectorized form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--signatures", type=int, default=150)
    parser.add_argument("--growth", action="store_true")
    size = parser.parse_args()
    expression, members = draw(size.samples, size.genes, size.signatures)
    few = min(10, size.samples), min(10, size.signatures)
    print(
        f"{size.genes:,} genes x {size.samples:,} samples x {size.signatures} signatures, CPU seconds, one thread"
    )
    for name, loop, plain in (
        ("singscore", singscore_loop, singscore_scipy),
        ("mean_z", mean_z_loop, mean_z_dense),
    ):
        kernel = SCORING[name].func
        assert kernel is not None
        ours, scores = seconds(kernel, expression, members)
        others, expected = seconds(plain, expression, members, repeats=1)
        np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-9)
        print(f"{name:10s} ours {ours:8.3f}")
        print(f"{'':10s} scipy, vectorized {others:8.3f}  ({others / ours:.1f} times ours)")
        samples = slice(None) if name == "mean_z" else slice(few[0])
        looped, expected = seconds(loop, expression[samples], members[:, : few[1]], repeats=1)
        np.testing.assert_allclose(scores[samples, : few[1]], expected, rtol=1e-9, atol=1e-9)
        scale = size.signatures / few[1] * (1 if name == "mean_z" else size.samples / few[0])
        print(f"{'':10s} loop over the definition {looped * scale:8.3f}  ({looped * scale / ours:.1f} times ours;")
        print(f"{'':10s} scaled from {few[1]} signatures{'' if name == 'mean_z' else f' and {few[0]} samples'})")
    beside_definitions(size, expression, members)
    if size.growth:
        growth(size.genes)
    for method in ("published", "ssgsea", "singscore"):
        spent = fresh_catalog(method)
        print(f"30 samples, whole catalog by {method}, fresh process, empty compile cache: {spent:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory {peak:.2f} GB with the comparisons, input {expression.nbytes / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
