"""A million cells on disk: quality, 50 signatures, typing, pseudobulk, composition and states in one walk.

Run: ``python benchmarks/single_cell_speed.py [--cells 100000 1000000] [--jobs 1 2]``. The cells are written in
chunks and not timed. Each measurement is a process of its own; memory is that of its largest process (and of all
of them). Before anything is timed a walk over 4,000 of the cells is held against sums made in another way.
Limit for a million: 3 minutes and 4 GB on two cores.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem, write_elem

from immunosarc import catalog, features
from immunosarc.workers import workers

N_GENES = 3_000
N_SAMPLES = 60
CHUNK = 10_000


def signatures() -> catalog.Signatures:
    """Fifty of the catalog, those of the states among them."""
    every = features.signatures()
    states = {signature for _, signature, _ in features.CELL_STATES.values()}
    usual = [name for name, one in every.items() if 5 <= len(one.genes) <= 100 and name not in states]
    return every.subset(*sorted(states), *usual[: 50 - len(states)])


def genes() -> list[str]:
    """The genes of the signatures and of the markers, mitochondrial ones, and others up to 3,000."""
    known = [gene for one in signatures().values() for gene in one.genes]
    known += [gene for markers in catalog.load_cell_markers().values() for gene in markers]
    known = list(dict.fromkeys([*known, *(f"MT-G{i}" for i in range(13))]))
    return [*known, *(f"G{i}" for i in range(N_GENES - len(known)))]


def write_cells(path: Path, n_cells: int) -> None:
    """Write made-up cells, about 300 stored values each, ten thousand at a time."""
    rng, names = np.random.default_rng(0), np.array(genes())
    rate = np.clip(rng.gamma(0.7, 0.14, N_GENES), 0.002, 0.9).astype(np.float32)
    markers = [np.isin(names, list(one)) for one in catalog.load_cell_markers().values()]
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        matrix = file.create_group("X")
        matrix.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        matrix.attrs["shape"] = np.array([n_cells, N_GENES])
        ends = [np.zeros(1, dtype=np.int64)]
        for name, kind in (("data", "f4"), ("indices", "i4")):
            matrix.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(1_000_000,))
        for start in range(0, n_cells, CHUNK):
            here = min(CHUNK, n_cells - start)
            kind = rng.integers(0, len(markers), here)
            seen = rng.random((here, N_GENES), dtype=np.float32)
            for i, of_type in enumerate(markers):
                seen[np.ix_(kind == i, of_type)] *= 0.02
            row, column = np.nonzero(seen < rate)
            stored = matrix["data"].shape[0]
            for name, values in (("data", rng.geometric(0.5, len(row))), ("indices", column)):
                matrix[name].resize((stored + len(row),))
                matrix[name][stored:] = values
            ends.append(stored + np.cumsum(np.bincount(row, minlength=here)))
        matrix.create_dataset("indptr", data=np.concatenate(ends))
        sample = pd.Categorical.from_codes(
            np.sort(rng.integers(0, N_SAMPLES, n_cells)), [f"S{i}" for i in range(N_SAMPLES)]
        )
        obs = pd.DataFrame({"sample_id": sample}, index=[f"c{i}" for i in range(n_cells)])
        write_elem(file, "obs", obs)
        write_elem(file, "var", pd.DataFrame(index=names))
        write_elem(file, "uns", {"immunosarc": {"level": "cell", "unit": "counts"}})


def tables(path: Path, jobs: int) -> dict[str, Any]:
    """Everything a patient's table is made of."""
    with workers(jobs=jobs) as hands:
        profile = features.profile_cells(path, signatures(), min_genes=50, max_mitochondrial=0.2, hands=hands)
    return {
        "quality": features.cell_quality(profile),
        "composition": features.cell_composition(profile),
        "states": features.cell_states(profile),
        "bulk": features.pseudobulk(profile),
        "of T cells": features.pseudobulk(profile, "T cell"),
    }


def agree(folder: Path) -> None:
    """Hold a walk against plain sums of the whole matrix, and two processes against one."""
    path = folder / "few.h5ad"
    write_cells(path, 4_000)
    found = tables(path, 1)
    with h5py.File(path) as file:
        whole, sample = read_elem(file["X"]).toarray(), read_elem(file["obs"])["sample_id"].astype(str)
    fine = (whole > 0).sum(axis=1) >= 50
    fine &= whole[:, [name.startswith("MT-") for name in genes()]].sum(axis=1) <= 0.2 * whole.sum(axis=1)
    for name in ("S0", "S59"):
        mine = (sample == name).to_numpy() & fine
        assert found["bulk"][name].X.ravel().tolist() == whole[mine].sum(axis=0).tolist()
    assert found["quality"]["n_cells"].sum() == 4_000


def measure(path: Path, jobs: int) -> dict[str, float]:
    """Do the work here, and say what it took."""
    start, cpu = time.perf_counter(), time.process_time()
    tables(path, jobs)
    wall = time.perf_counter() - start
    mine, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = time.process_time() - cpu + others.ru_utime + others.ru_stime
    return {
        "cpu": cpu,
        "wall": wall,
        "peak": max(mine.ru_maxrss, others.ru_maxrss) / 1e6,
        "together": (mine.ru_maxrss + jobs * others.ru_maxrss * (jobs > 1)) / 1e6,
    }


def main() -> None:
    """Write the cells, and measure in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure, asked.jobs[0])))
        return
    with tempfile.TemporaryDirectory() as folder:
        agree(Path(folder))
        print("    cells  processes   CPU s   wall s   CPU s per 100,000   largest GB   together GB")
        for n_cells in asked.cells:
            path = Path(folder) / f"{n_cells}.h5ad"
            write_cells(path, n_cells)
            for jobs in asked.jobs:
                again = [sys.executable, __file__, "--measure", str(path), "--jobs", str(jobs)]
                done = subprocess.run(again, capture_output=True, text=True, check=True)
                took = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"{n_cells:9,}  {jobs:9}  {took['cpu']:6.1f}  {took['wall']:7.1f}   "
                    f"{took['cpu'] * 100_000 / n_cells:17.2f}   {took['peak']:10.2f}   {took['together']:11.2f}",
                    flush=True,
                )
            path.unlink()


if __name__ == "__main__":
    main()
