"""How long a million cells of images take: densities, nearest neighbors, lymphoid structures, and the rest.

Run ``python benchmarks/imaging_speed.py [--cells N]``. Cells are generated untimed, once as 250 images of 50
samples and once as a single slide; one in five is a B or T cell, half of the B and CD4 T cells lie in follicles.
Before anything is timed, distances and clusters of 20,000 cells are compared with scikit-learn's. Times are CPU
seconds of one process.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import DBSCAN
from sklearn.neighbors import NearestNeighbors

import immunosarc as ims
from immunosarc import features
from immunosarc.features._imaging_structures import density_clusters

SHARES = {"tumor": 0.6, "cd8": 0.06, "cd4": 0.07, "b": 0.07, "macrophage": 0.1, "other": 0.1}
LIMIT = 60.0


def cohort_of(n_cells: int, *, n_samples: int, n_fields: int, seed: int = 0) -> ims.Cohort:
    """Return cells at the density of tissue, 5,000 per square millimeter, with follicles of B and T cells."""
    rng = np.random.default_rng(seed)
    field = np.sort(rng.integers(0, n_fields, n_cells))
    side = 1000.0 * np.sqrt(n_cells / n_fields / 5000.0)
    kind = rng.choice(list(SHARES), n_cells, p=list(SHARES.values()))
    places = rng.uniform(0, side, (n_cells, 2))
    lymphoid = np.flatnonzero(np.isin(kind, ["b", "cd4"]) & (rng.random(n_cells) < 0.5))
    n_follicles = max(1, len(lymphoid) // n_fields // 200)
    centers = rng.uniform(0, side, (n_fields, n_follicles, 2))
    chosen = centers[field[lymphoid], rng.integers(0, n_follicles, len(lymphoid))]
    places[lymphoid] = np.clip(chosen + rng.normal(0, 60, (len(lymphoid), 2)), 0, side)
    ids = [f"S{number:03d}" for number in range(n_samples)]
    names = np.array([f"F{number:03d}" for number in range(n_fields)], dtype=object)
    frame = pd.DataFrame(
        {
            "sample_id": pd.Categorical.from_codes(field % n_samples, ids),
            "field_id": pd.Categorical.from_codes(field, names),
            "x_um": places[:, 0],
            "y_um": places[:, 1],
            "phenotype": pd.Categorical(kind),
        }
    )
    owners = [f"P{one}" for one in ids]
    whose = np.arange(n_fields) % n_samples
    fields = {"field_id": names, "sample_id": np.array(ids)[whose], "patient_id": np.array(owners)[whose]}
    return ims.Cohort(
        pd.DataFrame(index=pd.Index(owners, name="patient_id")),
        pd.DataFrame({"sample_id": ids, "patient_id": owners, "timepoint": "pre"}),
        tables={"fields": pd.DataFrame(fields).assign(area_mm2=(side / 1000.0) ** 2)},
        assays={"mif": ims.make_cells(frame)},
    )


def agrees() -> None:
    """Compare distances and clusters with scikit-learn's; raise where they differ."""
    cohort = cohort_of(20_000, n_samples=1, n_fields=1)
    obs = cohort["mif"].obs
    places, kind = obs[["x_um", "y_um"]].to_numpy(), obs["phenotype"].to_numpy()
    theirs = (
        NearestNeighbors(n_neighbors=1).fit(places[kind == "tumor"]).kneighbors(places[kind == "cd8"])[0].mean()
    )
    ours = features.nearest_neighbors(cohort, [("cd8", "tumor")])["value"][0]
    lymphoid = places[np.isin(kind, ["b", "cd4"])]
    clusters, labels = density_clusters(lymphoid, 25.0, 10), DBSCAN(eps=25.0, min_samples=10).fit(lymphoid).labels_
    same = clusters.max() == labels.max() > 0 and ((clusters < 0) == (labels < 0)).all()
    if not (np.isclose(ours, theirs, rtol=1e-12) and same):
        raise SystemExit("the numbers differ from scikit-learn's: nothing was timed")
    print(f"agreement: mean distance {ours:.6f} um, {clusters.max() + 1} clusters, as scikit-learn", flush=True)


def timed(name: str, work: Callable[[], Any]) -> float:
    """Run once and print the CPU seconds."""
    start = time.process_time()
    work()
    spent = time.process_time() - start
    print(f"  {name:<44} {spent:7.2f} s", flush=True)
    return spent


def main() -> None:
    """Time every measure on both layouts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    n_cells = parser.parse_args().cells
    agrees()
    for words, layout in (
        ("250 images of 50 samples", {"n_samples": 50, "n_fields": 250}),
        ("one slide", {"n_samples": 1, "n_fields": 1}),
    ):
        cohort = cohort_of(n_cells, **layout)
        print(f"{n_cells:,} cells, {words}", flush=True)
        pairs = [("cd8", "tumor"), ("tumor", "cd8"), ("macrophage", "tumor")]
        total = timed("densities", lambda c=cohort: features.densities(c))
        total += timed(
            "nearest neighbors, three pairs", lambda c=cohort, p=pairs: features.nearest_neighbors(c, p)
        )
        kinds = {"b": "b", "t": ("cd4", "cd8")}
        total += timed(
            "lymphoid structures", lambda c=cohort, k=kinds: features.structure_burden(c, "b", "t", populations=k)
        )
        print(f"  {'these three':<44} {total:7.2f} s, limit {LIMIT:g} s", flush=True)
        timed("fractions", lambda c=cohort: features.fractions(c))
        timed("mixing, one pair", lambda c=cohort: features.mixing_scores(c, [("cd8", "tumor")]))
        timed("cross-G, one pair, 21 distances", lambda c=cohort: features.cross_g(c, [("cd8", "tumor")]))
        if total > LIMIT:
            raise SystemExit(f"{total:.1f} s are more than {LIMIT:g} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory {peak:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
