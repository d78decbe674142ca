"""Every benchmark in one run; writes docs/benchmarks.md.

    python benchmarks/run_all.py [--data-root ../shared/data]

Times are CPU seconds of one machine on one day; the ratios are what to read.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLI = [sys.executable, "-c", "import sys; from immunosarc.cli import app; app()"]
SCRIPTS = (
    ("Statistics", "stats_speed.py"),
    ("Scores", "features_speed.py --growth"),
    ("Cells", "cells_speed.py"),
    ("Cells, half a million", "cells_speed.py --cells 500000 --alone"),
    ("Single cells, a million on disk", "single_cell_speed.py"),
    ("Cells of images, a million", "imaging_speed.py"),
    ("Receptors", "repertoire_speed.py"),
    ("Loading", "loaders_speed.py"),
    ("Endpoints", "endpoints_speed.py"),
)
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}


@dataclass(frozen=True)
class Cost:
    """What a finished process took."""

    cpu: float
    wall: float
    peak_gb: float


def cost(command: list[str]) -> Cost:
    """Run a command to its end and return what it took."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ONE_THREAD)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1e6)


def least(command: list[str], repeats: int) -> Cost:
    """Return the repeat with the least CPU time."""
    return min((cost(command) for _ in range(repeats)), key=lambda c: c.cpu)


def program_rows(data_root: Path | None, folder: Path) -> list[str]:
    """The whole program, from the outside, beside the limit it has to keep."""
    jobs = [
        ("import immunosarc", [sys.executable, "-c", "import immunosarc"], 5, "0.1 s CPU"),
        ("python, nothing else", [sys.executable, "-c", "pass"], 5, ""),
        ("immunosarc --help", [*CLI, "--help"], 5, "0.3 s CPU"),
        ("immunosarc demo", [*CLI, "demo", "--out", str(folder / "demo")], 1, "60 s, 1.5 GB"),
    ]
    manifest = HERE.parent / "data_manifests" / "riaz2017.toml"
    if data_root is not None:
        run = [*CLI, "run", str(manifest), "--data-root", str(data_root), "--out", str(folder / "riaz")]
        jobs.append(("immunosarc run riaz2017.toml", run, 1, "60 s"))
    rows = ["| command | CPU s | wall s | peak GB | limit |", "|---|---|---|---|---|"]
    for name, command, repeats, limit in jobs:
        took = least(command, repeats)
        rows.append(f"| `{name}` | {took.cpu:.2f} | {took.wall:.2f} | {took.peak_gb:.2f} | {limit} |")
    return rows


def printed(script: str) -> str:
    """Return what a benchmark script prints."""
    name, *options = script.split()
    command = [sys.executable, str(HERE / name), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=ONE_THREAD).stdout.rstrip()


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=HERE.parents[1] / "shared" / "data")
    chosen = parser.parse_args().data_root
    data_root = chosen if chosen.is_dir() else None
    with tempfile.TemporaryDirectory() as folder:
        rows = program_rows(data_root, Path(folder))
    sections = [
        "# Benchmarks",
        "Made by `python benchmarks/run_all.py` on "
        f"{os.cpu_count()} cores, Python {platform.python_version()}. "
        "Agreement with each peer is checked before anything is timed. Limits are those the project set itself.",
        "## The program",
        "\n".join(rows),
    ]
    if data_root is None:
        sections.append("riaz2017 was not timed: no data root.")
    for title, script in SCRIPTS:
        sections += [f"## {title}", f"`python benchmarks/{script}`", f"```\n{printed(script)}\n```"]
    target = HERE.parent / "docs" / "benchmarks.md"
    target.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{target.name}: done, largest process {peak:.2f} GB")


if __name__ == "__main__":
    main()
