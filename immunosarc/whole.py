"""Files and folders that appear whole or not at all, however a program ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from immunosarc.errors import DataFileError

__all__ = ["write_file", "write_folder"]


def write_file(target: Path, text: str) -> Path:
    """Write a text file.

    Parameters
    ----------
    target : Path
        Replaced when it exists; its folder has to exist.
    text : str

    Returns
    -------
    Path
        ``target``.

    Raises
    ------
    DataFileError
        When it cannot be written.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_file(folder / "note.txt", "done").read_text(), len(list(folder.iterdir()))
    ('done', 1)
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            partial = Path(folder) / target.name
            partial.write_text(text, encoding="utf-8", newline="\n")
            os.replace(partial, target)
    except OSError as failure:
        raise DataFileError(f"{target.name} cannot be written: {failure.strerror}") from None
    return target


def write_folder(target: Path, fill: Callable[[Path], None]) -> Path:
    """Write a folder, in the place of an earlier one.

    Parameters
    ----------
    target : Path
        Replaced when it exists: whether it may be is for the caller to say.
    fill : callable
        Gets an empty folder and puts the files into it.

    Returns
    -------
    Path
        ``target``.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp()) / "made"
    >>> [one.name for one in write_folder(folder, lambda at: (at / "a.txt").write_text("1") and None).iterdir()]
    ['a.txt']
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fill(partial)
        partial.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
