"""Whether the HDF5 library comes back from a file, found out where it can do no harm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["hdf5_fault"]

_PATIENCE = 30.0
_BYTES_PER_SECOND = 20_000_000
_WALK = Path(__file__).with_name("_hdf5_walk.py")


def hdf5_fault(path: Path, *, patience: float = _PATIENCE) -> str | None:
    """Say what the library does in a damaged file instead of an error; None when it comes back.

    Parameters
    ----------
    path : Path
        The file.
    patience : float
        Seconds to wait, and as many more as a file of its size may take.
    """
    limit = patience + path.stat().st_size / _BYTES_PER_SECOND
    try:
        done = subprocess.run(  # noqa: S603 - our own file, the path is an argument and no shell reads it
            [sys.executable, "-I", str(_WALK), str(path)], timeout=limit, capture_output=True, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the HDF5 library did not come back from it within {limit:.0f} seconds"
    if done.returncode < 0:
        return f"the HDF5 library crashed in it (signal {-done.returncode})"
    return None
