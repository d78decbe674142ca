"""How long the endpoint engine takes from lesion rows to every endpoint, and the search for two-stage designs.

Run as `python benchmarks/endpoints_speed.py`. CPU time and peak memory, each size in a process of its own; before
anything is timed, a small trial is held to its definition by hand.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

from immunosarc import Cohort
from immunosarc.endpoints import derive, derive_irecist
from immunosarc.stats import admissible_weights, single_stage_search, two_stage_search

SIZES = (1_000, 10_000, 100_000)
VISITS, LESIONS = 10, 3
SECONDS, GIGABYTES = 8.0, 2.5


def trial(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Patients with ten visits of three targets, shrinking or growing at random; a third die."""
    rng = np.random.default_rng(0)
    growth = np.exp(np.cumsum(rng.normal(0, 0.12, (n, VISITS, 1)), axis=1))
    sizes = np.rint(rng.uniform(10, 60, (n, 1, LESIONS)) * growth)
    names = np.array([f"P{i:06d}" for i in range(n)])
    day = np.arange(VISITS) * 42.0 + 1
    lesions = pd.DataFrame(
        {
            "patient_id": np.repeat(names, VISITS * LESIONS),
            "study_day": np.tile(np.repeat(day, LESIONS), n),
            "lesion_id": np.tile([f"T{i}" for i in range(LESIONS)], n * VISITS),
            "role": "target",
            "diameter_mm": sizes.ravel(),
        }
    )
    death = np.where(rng.random(n) < 0.33, day[-1] + rng.integers(1, 300, n), np.nan)
    alive = np.where(np.isnan(death), day[-1] + 30, np.nan)
    patients = pd.DataFrame(
        {"death_day": death, "last_alive_day": alive}, index=pd.Index(names, name="patient_id", dtype=object)
    )
    return patients, lesions


def check() -> None:
    """Hold one patient to what anybody can read off: -40%, then 25% over the nadir."""
    days = [1.0, 43, 85, 127]
    lesions = pd.DataFrame(
        {
            "patient_id": "P",
            "study_day": days,
            "lesion_id": "T",
            "role": "target",
            "diameter_mm": [50.0, 30, 28, 35],
        }
    )
    patients = pd.DataFrame({"death_day": [200.0]}, index=pd.Index(["P"], name="patient_id"))
    row = derive(Cohort(patients=patients, tables={"lesions": lesions})).iloc[0]
    found = (row["best_overall_response"], row["pfs_days"], row["dor_days"], row["ttr_days"], row["os_days"])
    if found != ("PR", 127, 85, 43, 200):
        raise SystemExit(f"the endpoints of a simple patient are wrong: {found}")


def timed(work: object) -> float:
    start = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - start


def one_size(n: int) -> None:
    """Print CPU seconds of the endpoints and of iRECIST, and the peak memory of this process."""
    patients, lesions = trial(n)
    start = time.process_time()
    cohort = Cohort(patients=patients, tables={"lesions": lesions})
    built = time.process_time() - start
    outcomes = derive(cohort)
    took = time.process_time() - start - built
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    if len(outcomes) != n or not outcomes["pfs_status"].eq("ok").all():
        raise SystemExit("a patient has neither a value nor a reason")
    immune = timed(lambda: derive_irecist(cohort.tables["lesions"]))
    print(f"{n} {built:.2f} {took:.2f} {peak:.2f} {immune:.2f}")


def growth() -> None:
    print(
        f"From {VISITS} visits x {LESIONS} lesions to RECIST, best response, PFS, DOR, TTR and OS with every check"
    )
    print("and reason (`endpoints.derive`), beside building and checking the cohort;")
    print(f"limit for 100,000 patients {SECONDS:g} s and {GIGABYTES:g} GB\n")
    columns = f"{'patients':>9} {'rows':>10} {'cohort s':>9} {'derive s':>9} {'both us/row':>12}"
    print(f"{columns} {'peak GB':>8} {'iRECIST s':>10}")
    for n in SIZES:
        command = [sys.executable, __file__, str(n)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout.split()
        rows = n * VISITS * LESIONS
        built, took, peak, immune = (float(number) for number in answer[1:])
        each = (built + took) / rows * 1e6
        print(f"{n:>9,} {rows:>10,} {built:>9.2f} {took:>9.2f} {each:>12.2f} {peak:>8.2f} {immune:>10.2f}")


def designs() -> None:
    print("\nDesigns for 0.434 against 0.634: optimal, minimax, admissible, one stage (CPU seconds)\n")
    for label, errors, n_max, limit in (
        ("n <= 100", (0.10, 0.80), 100, 0.5),
        ("n <= 400", (0.05, 0.90), 400, 10.0),
    ):

        def search(errors: tuple[float, float] = errors, n_max: int = n_max) -> None:
            found = two_stage_search(0.434, 0.634, *errors, n_max=n_max)
            admissible_weights(found)
            single_stage_search(0.434, 0.634, *errors)

        print(f"{label:>9} {timed(search):>7.3f} (limit {limit:g})")


def main() -> None:
    check()
    growth()
    designs()


if __name__ == "__main__":
    one_size(int(sys.argv[1])) if len(sys.argv) > 1 else main()
