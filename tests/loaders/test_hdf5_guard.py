"""A file in which the HDF5 library hangs or crashes costs seconds, not the whole work."""

from __future__ import annotations

import time

import h5py
import numpy as np

from immunosarc.loaders import _hdf5_guard
from immunosarc.loaders._hdf5_guard import hdf5_fault


def _good(tmp_path):
    path = tmp_path / "good.h5"
    with h5py.File(path, "w") as file:
        file["X"] = np.arange(12.0).reshape(3, 4)
        file["scalar"] = 4
        file["X"].attrs["unit"] = "counts"
    return path


def test_a_good_file_and_a_file_that_is_none_are_left_to_the_reader(tmp_path):
    assert hdf5_fault(_good(tmp_path)) is None
    (tmp_path / "text.h5").write_text("no file of this kind")
    assert hdf5_fault(tmp_path / "text.h5") is None


def test_a_file_without_end_is_given_up(tmp_path, monkeypatch):
    walk = tmp_path / "walk.py"
    walk.write_text("while True:\n    pass\n")
    monkeypatch.setattr(_hdf5_guard, "_WALK", walk)
    start = time.monotonic()
    assert "did not come back" in hdf5_fault(_good(tmp_path), patience=1.0)
    assert time.monotonic() - start < 20


def test_a_crash_is_told(tmp_path, monkeypatch):
    walk = tmp_path / "walk.py"
    walk.write_text("import os\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setattr(_hdf5_guard, "_WALK", walk)
    assert "crashed in it (signal 9)" in hdf5_fault(_good(tmp_path))
