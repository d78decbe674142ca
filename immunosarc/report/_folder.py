"""A folder of results: filled beside its place, then moved in; whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from immunosarc.errors import DataFileError
from immunosarc.report._results import FORMAT

__all__ = ["RESULTS", "put_folder"]

RESULTS = "results.json"
"""The file by which a folder of ours is known again."""

_OURS = frozenset({"report.html", "tables", "tables.xlsx", "figures", "cohort", RESULTS})
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def put_folder(out: str | os.PathLike[str], fill: Callable[[Path], None]) -> Path:
    """Fill a folder and put it in the place ``out``, where an earlier one of ours is replaced.

    Raises
    ------
    DataFileError
        When the folder holds something else, or cannot be written.
    """
    target = Path(out).resolve()
    _check_place(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as failure:
        raise DataFileError(f"cannot write below {target.parent}: {failure}. Choose another path.") from failure
    try:
        fill(partial)
        partial.chmod(0o755)
        _move_in(partial, target)
    except OSError as failure:
        raise DataFileError(f"cannot write the report to {target}: {failure}") from failure
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _check_place(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise DataFileError(f"{target} is a file; give a folder for the report.")
    found = {entry.name for entry in target.iterdir()} - _LITTER
    if found and not _is_report(target / RESULTS):
        raise DataFileError(
            f"{target} exists and is no report of this program (no {RESULTS} of ours; it holds "
            f"{', '.join(sorted(found)[:5])}). Choose another path, or empty it first."
        )
    strangers = sorted(found - _OURS)
    if strangers:
        raise DataFileError(
            f"{target} holds an earlier report, and beside it {', '.join(strangers[:5])}, which replacing it "
            "would delete. Move that away, or choose another path."
        )


def _is_report(path: Path) -> bool:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, Mapping) and content.get("format") == FORMAT


def _move_in(partial: Path, target: Path) -> None:
    """Put the new folder in the place of the old one; the old one comes back when that fails."""
    if not target.exists():
        os.replace(partial, target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    old = aside / "report"
    os.replace(target, old)
    try:
        os.replace(partial, target)
    except OSError:
        os.replace(old, target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
