"""Where the reference data lie, and a clear skip where they do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _shared_folder() -> Path | None:
    named = os.environ.get("IMMUNOSARC_SHARED")
    candidates = [Path(named)] if named else [Path(__file__).resolve().parents[2] / "shared"]
    return next((path for path in candidates if (path / "oracles").is_dir()), None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder that holds ``data/``, ``oracles/`` and ``domain/``."""
    folder = _shared_folder()
    if folder is None:
        pytest.skip("reference data absent: set IMMUNOSARC_SHARED to the folder that holds oracles/ and data/")
    return folder


@pytest.fixture(scope="session")
def data_root(shared: Path) -> Path:
    """Folder that the manifests' relative paths start from."""
    return shared / "data"


@pytest.fixture(scope="session")
def oracles(shared: Path) -> Path:
    """Folder of reference numbers computed by other implementations."""
    return shared / "oracles"
