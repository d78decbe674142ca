"""Run the notebooks and keep their outputs; with ``--check`` run them and write nothing.

A notebook on real patients names ``IMMUNOSARC_SHARED``; without that folder, or one beside the checkout, it is skipped by name.

Usage: python notebooks/execute.py [--check] [NAME.ipynb ...]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def lacks_data(path: Path) -> bool:
    """Return whether a notebook reads real cohorts and their folder is absent."""
    named = os.environ.get("IMMUNOSARC_SHARED")
    folder = Path(named) if named else HERE.parent.parent / "shared"
    return "IMMUNOSARC_SHARED" in path.read_text(encoding="utf-8") and not (folder / "data").is_dir()


def execute(path: Path) -> nbformat.NotebookNode:
    """Return the notebook as it comes out of a fresh kernel, without times and machine names."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": HERE}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook


def main() -> None:
    """Execute the named notebooks, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="run, but write nothing")
    parser.add_argument("notebooks", nargs="*", type=Path)
    arguments = parser.parse_args()
    for path in arguments.notebooks or sorted(HERE.glob("*.ipynb")):
        if lacks_data(path):
            print(f"{path.name}: skipped, its data are absent (IMMUNOSARC_SHARED)")
            continue
        notebook = execute(path)
        if not arguments.check:
            nbformat.write(notebook, path)
        print(f"{path.name}: {len(notebook.cells)} cells")


if __name__ == "__main__":
    main()
