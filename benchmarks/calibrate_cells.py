"""Single cells of patients of whom nothing is true: patient-level tests beside tests that count cells.

    python benchmarks/calibrate_cells.py --simulations 2000

writes docs/calibration_cells.md. A hundred thousand cells of a patient are never drawn one by one where their sum
is enough: numbers of cells by type are a multinomial, the sum of the counts of a gene over n cells with a rate of
their patient is Poisson of n times that rate, and the mean of n normal scores is normal. The features are then
made as the package makes them (centered log-ratio with half a cell, mean over the cells of a type, log2 CP10K of
the pseudobulk). ``tests/calibration/test_cells.py`` holds the shortcut against cells drawn one by one, through
``profile_cells``.

The naive tests take every cell for an independent patient: cells of one patient are alike, so they reject.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunosarc.stats import mann_whitney
from immunosarc.workers import Workers, workers

Floats = NDArray[np.float64]
CELLS = 100_000
PATIENTS, RESPONDERS = 30, 10
SHARES = np.array([0.30, 0.06, 0.05, 0.03, 0.20, 0.10, 0.08, 0.18])  # T, NK, B, plasma, myeloid, ... of a tumor
BETWEEN = 0.6  # SD between patients of the log-share of a type, and of a state in units of the spread of cells
GENE_RATE, DEPTH = 0.05, 3_000.0  # mean counts of a gene, and of all genes, in a cell
GENE_BETWEEN = 0.5  # SD between patients of the log rate of a gene
AT_ONCE = 100


@dataclass(frozen=True)
class Trial:
    """What a trial of patients without any effect says, and what it would say if cells were patients."""

    honest: dict[str, Floats]
    naive: dict[str, Floats]


def shares_of(rng: np.random.Generator, patients: int) -> Floats:
    """Shares of the types in each patient: logistic-normal around those of a tumor."""
    logs = np.log(SHARES) + rng.normal(0.0, BETWEEN, (patients, len(SHARES)))
    return np.asarray(special.softmax(logs, axis=1))


def composition(counts: Floats) -> Floats:
    """Centered log-ratio with half a cell, as ``features.cell_composition`` makes it."""
    logs = np.log(counts + 0.5)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def trial(rng: np.random.Generator, cells: int = CELLS) -> tuple[dict[str, Floats], dict[str, float]]:
    """Return the features of each patient, and the p-values of tests that count cells."""
    counts = np.array([rng.multinomial(cells, share) for share in shares_of(rng, PATIENTS)], dtype=float)
    t_cells = np.maximum(counts[:, 0], 1.0)
    center = rng.normal(0.0, BETWEEN, PATIENTS)
    state = center + rng.normal(0.0, 1.0, PATIENTS) / np.sqrt(t_cells)
    rate = GENE_RATE * np.exp(rng.normal(0.0, GENE_BETWEEN, PATIENTS))
    of_gene, of_all = rng.poisson(t_cells * rate), rng.poisson(t_cells * DEPTH)
    bulk = np.log2(1.0 + 1e4 * of_gene / of_all)
    responds = np.arange(PATIENTS) < RESPONDERS
    return (
        {"composition (clr of T cells)": composition(counts)[:, 0], "state (mean over T cells)": state,
         "pseudobulk (log2 CP10K of a gene in T cells)": bulk},
        {"composition": _z_of_shares(counts[:, 0], counts.sum(axis=1), responds),
         "state": _z_of_means(state, t_cells, responds),
         "gene": _z_of_rates(of_gene.astype(float), t_cells, responds)},
    )  # fmt: skip


def _two_sided(z: float) -> float:
    return float(2 * special.ndtr(-abs(z)))


def _z_of_shares(n_type: Floats, n_all: Floats, responds: NDArray[np.bool_]) -> float:
    """Two shares of cells, pooled over the patients of a group as though there were none."""
    k = np.array([n_type[responds].sum(), n_type[~responds].sum()])
    n = np.array([n_all[responds].sum(), n_all[~responds].sum()])
    pooled = k.sum() / n.sum()
    return _two_sided((k[0] / n[0] - k[1] / n[1]) / np.sqrt(pooled * (1 - pooled) * (1 / n).sum()))


def _z_of_means(means: Floats, n: Floats, responds: NDArray[np.bool_]) -> float:
    """Two means over cells; their spread is that of all cells of a group."""
    mean = [np.average(means[g], weights=n[g]) for g in (responds, ~responds)]
    spread = [
        1.0 + np.average((means[g] - m) ** 2, weights=n[g])
        for g, m in zip((responds, ~responds), mean, strict=True)
    ]
    error = np.sqrt(spread[0] / n[responds].sum() + spread[1] / n[~responds].sum())
    return _two_sided((mean[0] - mean[1]) / error)


def _z_of_rates(k: Floats, n: Floats, responds: NDArray[np.bool_]) -> float:
    """Two Poisson rates per cell."""
    rate = np.array([k[g].sum() / n[g].sum() for g in (responds, ~responds)])
    error = np.sqrt(sum(one / n[g].sum() for one, g in zip(rate, (responds, ~responds), strict=True)))
    return _two_sided((rate[0] - rate[1]) / error)


def block(task: tuple[int, int, int, int]) -> Trial:
    """Simulate trials ``start`` to ``stop``; each has a seed of its own."""
    seed, start, stop, cells = task
    found = [trial(np.random.default_rng([seed, i]), cells) for i in range(start, stop)]
    responds = np.arange(PATIENTS) < RESPONDERS
    honest = {
        name: mann_whitney(np.column_stack([one[name] for one, _ in found]), responds).p_value
        for name in found[0][0]
    }
    return Trial(honest, {name: np.array([one[name] for _, one in found]) for name in found[0][1]})


def simulated(simulations: int, seed: int, *, cells: int = CELLS, hands: Workers | None = None) -> Trial:
    """Return the p-values of all trials, patient-level and naive."""
    starts = range(0, simulations, AT_ONCE)
    tasks = [(seed, start, min(start + AT_ONCE, simulations), cells) for start in starts]
    parts = list((hands or Workers()).map(block, tasks))
    return Trial(*(
        {name: np.concatenate([getattr(part, kind)[name] for part in parts]) for name in getattr(parts[0], kind)}
        for kind in ("honest", "naive")
    ))  # fmt: skip


def lines(found: Trial, simulations: int) -> Iterator[str]:
    """Markdown rows: share of p <= 0.05."""
    for naive, ps in ((False, found.honest), (True, found.naive)):
        for name, p in ps.items():
            share = float(np.mean(p <= 0.05))
            words = (
                f"NAIVE, cells as patients: {name}" if naive else f"{name}, {RESPONDERS} v {PATIENTS - RESPONDERS}"
            )
            error = np.sqrt(share * (1 - share) / simulations)
            yield f"| {words} | {'not ' if naive else 'at most '}0.05 | {share:.4f} | {error:.4f} |"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--scheduler", help="address of a dask scheduler, instead of --jobs")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "calibration_cells.md")
    asked = parser.parse_args()
    with workers(jobs=asked.jobs, scheduler=asked.scheduler) as hands:
        found = simulated(asked.simulations, asked.seed, hands=hands)
    page = [
        "# Calibration of features of single cells",
        "",
        f"Made by `python benchmarks/calibrate_cells.py --simulations {asked.simulations} --seed {asked.seed}`.",
        f"{PATIENTS} patients of {CELLS:,} cells each, nothing goes with response; share of trials with p <= 0.05",
        "and its Monte-Carlo standard error. Patient-level tests are those that the package makes (Mann-Whitney).",
        "The naive ones count cells, which is what the package refuses to do.",
        "",
        "| what | promised | simulated | error |",
        "|---|---|---|---|",
        *lines(found, asked.simulations),
    ]
    asked.out.write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
