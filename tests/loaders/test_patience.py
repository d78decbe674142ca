"""The watch over spoilt files sees a reader that does not come back."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from immunosarc.loaders import _hdf5_walk
from tests.loaders.patience import Walker, within


@within(0.2)
def _without_end() -> None:
    while True:
        pass


def test_work_without_end_fails() -> None:
    with pytest.raises(AssertionError, match=r"no answer within 0\.2 s"):
        _without_end()


@pytest.mark.parametrize(
    ("does", "said"), [("while True: pass", "did not come back"), ("import os; os.abort()", "crashed")]
)
def test_the_next_file_is_read_after_a_loss(tmp_path: Path, monkeypatch, does: str, said: str) -> None:
    with h5py.File(tmp_path / "good.h5", "w") as file:
        file["X"] = [1.0, 2.0]
    walk = tmp_path / "walk.py"
    walk.write_text(f"def walk(path):\n    if 'bad' in path:\n        {does}\n")
    monkeypatch.setattr(_hdf5_walk, "__file__", str(walk))
    walker = Walker(seconds=0.3)
    assert walker.fault(tmp_path / "good.h5") is None
    assert said in walker.fault(tmp_path / "bad.h5")
    assert walker.fault(tmp_path / "good.h5") is None
    assert walker.lost == 1
    walker.close()
