"""The folder of a report: written whole beside its place, then moved in."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immunosarc.errors import DataFileError
from immunosarc.report._figures import draw
from immunosarc.report._page import page
from immunosarc.report._results import FORMAT, results_text
from immunosarc.report._tables import write_tables
from immunosarc.report._workbook import write_workbook
from immunosarc.study import Study

__all__ = ["write"]

_RESULTS = "results.json"
_OURS = frozenset({"report.html", "tables", "tables.xlsx", "figures", "cohort", _RESULTS})
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def write(study: Study, out: str | os.PathLike[str]) -> Path:
    """Write everything a study found into one folder, to read, to print and to compute with.

    Parameters
    ----------
    study : Study
        From ``immunosarc.run``.
    out : path
        A folder that does not exist yet or is empty, or the folder of an earlier report, which is
        then replaced. The folder appears whole or not at all.

    Returns
    -------
    Path
        The folder: ``report.html`` (opens from disk, loads nothing), ``tables/*.tsv`` each with a
        JSON beside it, ``tables.xlsx``, ``figures/*.svg``, ``results.json``, ``cohort/``. The same
        study gives the same bytes of page, tables and figures.

    Raises
    ------
    DataFileError
        When the folder holds something else, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import immunosarc as ims
    >>> plan = ims.Plan(n_permutations=50, timepoints=("pre",), binary_models=("mann_whitney",))
    >>> study = ims.run(ims.simulate_cohort(seed=7), plan)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(path.name for path in write(study, f"{folder}/out").iterdir())
    ['cohort', 'figures', 'report.html', 'results.json', 'tables', 'tables.xlsx']
    """
    target = Path(out).resolve()
    _check_place(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as failure:
        raise DataFileError(f"cannot write below {target.parent}: {failure}. Choose another path.") from failure
    try:
        _fill(study, partial)
        partial.chmod(0o755)
        _move_in(partial, target)
    except OSError as failure:
        raise DataFileError(f"cannot write the report to {target}: {failure}") from failure
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _fill(study: Study, folder: Path) -> None:
    drawings = draw(study)
    (folder / "figures").mkdir()
    for name, drawing in drawings.items():
        (folder / "figures" / f"{name}.svg").write_text(drawing.svg, encoding="utf-8", newline="\n")
    write_tables(study, folder / "tables")
    write_workbook(study, folder / "tables.xlsx")
    (folder / _RESULTS).write_text(results_text(study), encoding="utf-8", newline="\n")
    (folder / "report.html").write_text(page(study, drawings), encoding="utf-8", newline="\n")
    study.cohort.write(folder / "cohort")


def _check_place(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise DataFileError(f"{target} is a file; give a folder for the report.")
    found = {entry.name for entry in target.iterdir()} - _LITTER
    if found and not _is_report(target / _RESULTS):
        raise DataFileError(
            f"{target} exists and is no report of this program (no {_RESULTS} of ours; it holds "
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
