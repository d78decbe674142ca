"""A million clonotypes: every number of a repertoire, checked against plain definitions before it is timed.

Run ``python benchmarks/repertoire_speed.py``. Times are seconds of CPU; the limit for all together is 15.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import immunosarc as ims
from immunosarc import features, stats

LIMIT = 15.0


def simulated(samples: int, clones: int, *, seed: int = 0) -> ims.Cohort:
    """Half of the samples before, half on treatment; sizes by a power law, a fifth of the rows unproductive."""
    rng = np.random.default_rng(seed)
    pairs, parts = samples // 2, []
    for i in range(samples):
        # both samples of a patient draw from one pool of sequences
        name = rng.choice(2 * clones, clones, replace=False) + 10**9 * (i % pairs)
        parts.append(
            pd.DataFrame(
                {
                    "patient_id": f"P{i % pairs}",
                    "sample_id": f"S{i}",
                    "cdr3_nt": _sequences(name),
                    "v_call": np.array([f"TRBV{k}-1" for k in range(30)])[name % 30],
                    "j_call": np.array([f"TRBJ2-{k}" for k in range(7)])[name % 7],
                    "productive": rng.random(clones) > 0.2,
                    "count": np.minimum((rng.pareto(1.1, clones) + 1).astype(int), 100_000),
                    "locus": "TRB",
                }
            )
        )
    owners = pd.DataFrame(
        {
            "sample_id": [f"S{i}" for i in range(samples)],
            "patient_id": [f"P{i % pairs}" for i in range(samples)],
            "timepoint": ["pre" if i < pairs else "on" for i in range(samples)],
        }
    )
    patients = pd.DataFrame({"patient_id": [f"P{i}" for i in range(pairs)]})
    return ims.Cohort(patients, owners, tables={"clonotypes": pd.concat(parts, ignore_index=True)})


def _sequences(numbers: np.ndarray) -> np.ndarray:
    """One sequence of 30 bases for each number."""
    digits = (numbers[:, None] >> np.arange(0, 60, 2)) & 3
    return np.array(list("ACGT"))[digits].view("<U30").ravel()


def agree(cohort: ims.Cohort, depth: int) -> None:
    """Compare one sample with the definitions."""
    table = cohort.tables["clonotypes"].query("sample_id == 'S0' and productive")
    sizes = table.groupby(["cdr3_nt", "v_call", "j_call"])["count"].sum().to_numpy().astype(int)
    found = features.repertoire(cohort.select(samples=["S0"]), depth=int(sizes.sum())).loc["S0"]
    share = sizes / sizes.sum()
    assert found["richness"] == len(sizes)
    assert np.isclose(found["shannon"], -(share * np.log(share)).sum(), rtol=1e-9)
    assert np.isclose(found["top_clone_share"], share.max())
    drawn = [len(np.flatnonzero(stats.subsample(sizes, depth, seed=seed))) for seed in range(60)]
    off = stats.rarefied_richness(sizes, depth) - np.mean(drawn)
    assert abs(off) < 4 * np.std(drawn) / np.sqrt(60), off


def main() -> None:
    """Time each step on 1,000,000 rows, and growth over ten times as many."""
    loading(60, 16_667)
    for samples, clones in ((60, 1_667), (60, 16_667), (2, 500_000)):
        cohort = simulated(samples, clones)
        rows = len(cohort.tables["clonotypes"])
        depth = int(features.repertoire_depths(cohort)["receptors"].min())
        agree(cohort, min(depth, 5_000))
        steps = {
            "diversity, 20 draws": lambda c=cohort, d=depth: features.repertoire(c, depth=d),
            "overlap of all pairs": lambda c=cohort, d=depth: features.repertoire_overlap(c, depth=d, draws=5),
            "clones that changed": lambda c=cohort: features.clonal_expansion(c),
        }
        total = 0.0
        print(f"{rows:,} rows, {samples} samples, depth {depth:,}")
        for name, call in steps.items():
            start = time.process_time()
            call()
            spent = time.process_time() - start
            total += spent
            print(f"  {name:24} {spent:6.2f} s")
        print(f"  {'all':24} {total:6.2f} s (limit {LIMIT:.0f} s at 1,000,000 rows)")


def loading(samples: int, clones: int) -> None:
    """Time the reader on one AIRR file of as many rows."""
    cohort = simulated(samples, clones)
    table = cohort.tables["clonotypes"]
    names = {"cdr3_nt": "junction", "count": "duplicate_count"}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        table.drop(columns="patient_id").rename(columns=names).to_csv(root / "airr.tsv", sep="\t", index=False)
        cohort.samples.reset_index().to_csv(root / "samples.tsv", sep="\t", index=False)
        blocks = ["patients", "samples"], ["columns = { patient_id = 'patient_id' }", ""]
        lines = [
            "name = 'speed'",
            *(f"[{name}]\nfile = 'samples.tsv'\n{more}" for name, more in zip(*blocks, strict=True)),
        ]
        lines.append("[tables.clonotypes]\nfile = 'airr.tsv'\nformat = 'airr'")
        (root / "speed.toml").write_text("\n".join(lines))
        start = time.process_time()
        loaded = ims.load_cohort(root / "speed.toml")
        spent = time.process_time() - start
    assert (loaded.tables["clonotypes"]["count"] == table["count"]).all()
    print(f"loading {len(table):,} rows: {spent:.2f} s")


if __name__ == "__main__":
    main()
