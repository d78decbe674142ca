"""CPU time and peak memory of loading large files, beside the limits the project set itself.

Run: ``python benchmarks/loaders_speed.py [--folder DIR]``. Each file is made first, then a process of its own
loads it, so that its peak memory is its own. A sum of the numbers that were written is compared with the
sum of those that were loaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import gzip
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

GENES, STEP = 20_000, 500


def counts(n_samples: int) -> np.ndarray:
    """Counts as float32, half of them zero, as in a real assay."""
    rng = np.random.default_rng(0)
    values = np.empty((n_samples, GENES), dtype=np.float32)
    for start in range(0, n_samples, STEP):
        part = rng.poisson(rng.gamma(0.3, 200.0, GENES), (min(STEP, n_samples - start), GENES))
        values[start : start + STEP] = part
    return values


def names(prefix: str, number: int) -> list[str]:
    """Names that are no other gene's old name."""
    return [f"{prefix}{i:05d}" for i in range(number)]


def write_tsv(path: Path, values: np.ndarray) -> None:
    """Genes by samples, packed as a pipeline packs it."""
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(("gene\t" + "\t".join(names("S", len(values))) + "\n").encode())
        for gene, column in zip(names("G", GENES), values.T.astype(int), strict=True):
            file.write((gene + "\t" + "\t".join(map(str, column.tolist())) + "\n").encode())


def write_parquet(path: Path, values: np.ndarray) -> None:
    """One column for each sample."""
    import pyarrow
    import pyarrow.parquet

    columns = {"gene": pyarrow.array(names("G", GENES))}
    columns |= {name: pyarrow.array(row) for name, row in zip(names("S", len(values)), values, strict=True)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def write_h5ad(path: Path, values: np.ndarray) -> None:
    """Dense, as AnnData writes it."""
    import anndata
    import pandas as pd

    obs, var = pd.DataFrame(index=names("S", len(values))), pd.DataFrame(index=names("G", GENES))
    anndata.AnnData(values, obs=obs, var=var).write_h5ad(path)


def manifest(folder: Path, file: str, n_samples: int) -> Path:
    """One patient for each sample."""
    ids = names("S", n_samples)
    (folder / "clinical.tsv").write_text("sample\tpatient\n" + "".join(f"{one}\tP{one}\n" for one in ids))
    with (folder / file).open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    by = "samples_by_genes" if file.endswith("h5ad") else "genes_by_samples"
    text = f"""
name = "large"
[patients]
file = "clinical.tsv"
columns = {{ patient_id = "patient" }}
[samples]
file = "clinical.tsv"
columns = {{ sample_id = "sample", patient_id = "patient" }}
constants = {{ timepoint = "pre" }}
[assays.rna]
file = "{file}"
sha256 = "{digest}"
unit = "counts"
orientation = "{by}"
gene_id = "symbol"
"""
    (folder / "large.toml").write_text(text)
    return folder / "large.toml"


LOAD = """
import sys, resource, time, immunosarc as ims
cohort = ims.load_cohort(sys.argv[1])
who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)  # an h5ad is first read in a process of its own
used = [resource.getrusage(one) for one in who]
cpu = sum(one.ru_utime + one.ru_stime for one in used)
print(cpu, max(one.ru_maxrss for one in used) / 1e6, cohort["rna"].X.sum(), *cohort["rna"].shape)
"""


def loaded(path: Path) -> tuple[float, float, float, tuple[int, int]]:
    """Load a manifest in a process of its own; CPU seconds, peak GB, sum and shape."""
    said = subprocess.run(
        [sys.executable, "-c", LOAD, str(path)], capture_output=True, text=True, check=True
    ).stdout
    cpu, peak, total, *shape = said.split()
    return float(cpu), float(peak), float(total), (int(shape[0]), int(shape[1]))


def many_files(folder: Path, number: int) -> tuple[float, float]:
    """CPU seconds and peak GB of checking a manifest with this many files."""
    block = (
        "[assays.a{0}]\nfile = 'a{0}.tsv'\nunit = 'counts'\norientation = 'genes_by_samples'\ngene_id = 'symbol'\n"
    )
    header = "gene\t" + "\t".join(names("S", 30)) + "\n"
    body = "".join(f"{gene}\t" + "\t".join(["7"] * 30) + "\n" for gene in names("G", 1000))
    for i in range(number - 1):
        (folder / f"a{i}.tsv").write_text(header + body)
    text = manifest(folder, "a0.tsv", 30).read_text().split("[assays.rna]")[0]
    (folder / "many.toml").write_text(text + "".join(block.format(i) for i in range(number - 1)))
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
    code = "import sys, immunosarc as ims; sys.exit(len(ims.loaders.check_manifest(sys.argv[1]).problems))"
    subprocess.run([sys.executable, "-c", code, str(folder / "many.toml")], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + time.process_time() - start, 0.0


def main() -> None:
    """Print one line for each file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the files are made (7 GB); a temporary one by default"
    )
    jobs: list[tuple[str, int, Callable[[Path, np.ndarray], None], str]] = [
        ("counts.tsv.gz", 1_000, write_tsv, "12 s, 1 GB"),
        ("counts.parquet", 10_000, write_parquet, "30 s, 4 GB"),
        ("counts.h5ad", 10_000, write_h5ad, "30 s, 4 GB"),
    ]
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name:
        folder = Path(name)
        for file, n_samples, write, limit in jobs:
            values = counts(n_samples)
            write(folder / file, values)
            total = values.sum(dtype=np.float64)
            del values
            cpu, peak, found, shape = loaded(manifest(folder, file, n_samples))
            if shape != (n_samples, GENES) or not np.isclose(found, total, rtol=1e-12):
                raise SystemExit(f"{file}: {shape} numbers with sum {found}, written were {total}")
            size = (folder / file).stat().st_size / 1e6
            what = f"{GENES:,} genes x {n_samples:>6,} samples, {file:<15} {size:>6.0f} MB"
            print(f"{what} {cpu:>6.1f} s CPU {peak:>5.2f} GB (limit {limit})")
            (folder / file).unlink()
        cpu, _ = many_files(folder, 50)
        print(f"check of a manifest with 50 files {cpu:>37.1f} s CPU          (limit 5 s)")


if __name__ == "__main__":
    main()
