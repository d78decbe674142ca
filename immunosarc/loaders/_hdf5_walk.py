"""Read everything in an HDF5 file and keep nothing: run by path, in a process of its own.

The HDF5 library can crash or go round for ever in a damaged file, and neither can be caught from
inside; see :mod:`immunosarc.loaders._hdf5_guard`. Nothing of the package is imported here, so that the
process starts at once.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

__all__ = ["walk"]

_AT_ONCE = 4_000_000


def walk(path: str) -> None:
    """Read every attribute and every value; what h5py can say in words is left to the reader."""
    import h5py

    def visit(_name: str, item: Any) -> None:
        _quietly(lambda: dict(item.attrs))
        if isinstance(item, h5py.Dataset):
            _quietly(lambda: _read(item))

    def everything() -> None:
        with h5py.File(path, "r") as file:
            _quietly(lambda: dict(file.attrs))
            file.visititems(visit)

    _quietly(everything)


def _read(dataset: Any) -> None:
    if not dataset.shape:
        dataset[()]
        return
    width = 1
    for size in dataset.shape[1:]:
        width *= size
    height = max(1, _AT_ONCE // max(width, 1))
    for start in range(0, dataset.shape[0], height):
        dataset[start : start + height]


def _quietly(action: Any) -> None:
    with suppress(Exception):  # the reader meets the same failure and says it with file and place
        action()


if __name__ == "__main__":
    walk(sys.argv[1])
