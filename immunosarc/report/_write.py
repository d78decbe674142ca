"""What is written: the report of a study, or the tables of one step."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from immunosarc import __version__
from immunosarc.report._figures import draw
from immunosarc.report._folder import RESULTS, put_folder
from immunosarc.report._page import page
from immunosarc.report._results import FORMAT, indexed, json_text, results_text
from immunosarc.report._suppress import released_provenance, suppressed_study, suppressed_tables
from immunosarc.report._tables import about_study, table_files
from immunosarc.report._workbook import write_workbook
from immunosarc.study import Study

__all__ = ["fill_step", "write", "write_tables"]

SIMULATED = "SIMULATED: every patient, sample and number here was made by simulation."


def write(study: Study, out: str | os.PathLike[str], *, suppress_below: int | None = None) -> Path:
    """Write everything a study found into one folder, to read, to print and to compute with.

    Parameters
    ----------
    study : Study
        From ``immunosarc.run``.
    out : path
        A folder that does not exist yet or is empty, or the folder of an earlier report, which is
        then replaced. The folder appears whole or not at all.
    suppress_below : int, optional
        For what leaves the hospital: only ``tables``, ``tables.xlsx`` and ``results.json`` are written,
        only tables of groups, and a row loses its numbers where fewer patients than this stand behind
        a count, or where a difference to another row of the table would tell such a count. Each table
        is protected by itself; estimates of the rows that are told are not rounded.

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
    ImmunosarcError
        When ``suppress_below`` is less than 2.

    Examples
    --------
    >>> import tempfile
    >>> import immunosarc as ims
    >>> few = {"name": "few", "signatures": ("cyt", "mcp_b_lineage")}
    >>> plan = ims.Plan(n_permutations=50, timepoints=("pre",), endpoints=("objective_response",), panels=(few,))
    >>> study = ims.run(ims.simulate_cohort(seed=7), plan)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(path.name for path in write(study, f"{folder}/out").iterdir())
    ['cohort', 'figures', 'report.html', 'results.json', 'tables', 'tables.xlsx']
    """
    if suppress_below is not None:
        released = suppressed_study(study, suppress_below)
        return put_folder(out, lambda folder: _fill_tables(released, folder))
    return put_folder(out, lambda folder: _fill(study, folder))


def write_tables(
    tables: Mapping[str, pd.DataFrame],
    out: str | os.PathLike[str],
    *,
    title: str,
    about: Mapping[str, Any],
    simulated: bool = False,
    suppress_below: int | None = None,
) -> Path:
    """Write the tables of one step, as a report would, without a page.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By name; a named index becomes the first column.
    out : path
        A folder that does not exist yet or is empty, or one that an earlier run made, which is
        then replaced. It appears whole or not at all.
    title : str
        What the tables are of.
    about : mapping
        What stands beside every table: provenance, arguments, seed.
    simulated : bool
        Whether the numbers were simulated; everything written then says so.
    suppress_below : int, optional
        As in :func:`write`: only tables of groups, without small counts, and nothing of who was left out.

    Returns
    -------
    Path
        The folder: ``tables/*.tsv`` each with a JSON beside it, ``tables.xlsx``, ``results.json``.
        The same tables give the same bytes.

    Raises
    ------
    DataFileError
        When the folder holds something else, or cannot be written.
    ImmunosarcError
        When ``suppress_below`` is less than 2.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> table = pd.DataFrame({"cyt": [5.2]}, index=pd.Index(["S1"], name="sample_id"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_tables({"scores": table}, f"{folder}/out", title="Scores", about={"seed": 0})
    ...     (written / "tables" / "scores.tsv").read_text().split()
    ['sample_id', 'cyt', 'S1', '5.2']
    """
    facts = {"title": title, "simulated": simulated, "immunosarc": __version__, **about}
    told, lines = tables, [SIMULATED] if simulated else []
    if suppress_below is not None:
        told = suppressed_tables(tables, suppress_below)
        facts |= {"suppressed_below": suppress_below, "tables_left_out": sorted(set(tables) - set(told))}
        if "provenance" in about:
            facts |= {"provenance": released_provenance(about["provenance"], _names_in(tables))}
        lines.append(_left_out_below(suppress_below))
    return put_folder(out, lambda folder: fill_step(told, folder, about=facts, lines=lines))


def fill_step(
    tables: Mapping[str, pd.DataFrame], folder: Path, *, about: Mapping[str, Any], lines: Sequence[str]
) -> None:
    """Fill a folder with the tables of one step; ``about``, with its title, stands beside each of them."""
    table_files(tables, folder / "tables", about=about)
    write_workbook(tables, folder / "tables.xlsx", title=about["title"], lines=list(lines))
    records = {name: indexed(table).to_dict(orient="records") for name, table in tables.items()}
    text = json_text({"format": FORMAT, **about, "tables": records})
    (folder / RESULTS).write_text(text, encoding="utf-8", newline="\n")


def _names_in(tables: Mapping[str, pd.DataFrame]) -> set[str]:
    columns = (indexed(table).get(name, ()) for table in tables.values() for name in ("patient_id", "sample_id"))
    return {str(one) for column in columns for one in column}


def _left_out_below(below: int) -> str:
    return f"Counts below {below} and what would tell them are left out."


def _fill(study: Study, folder: Path) -> None:
    drawings = draw(study)
    (folder / "figures").mkdir()
    for name, drawing in drawings.items():
        (folder / "figures" / f"{name}.svg").write_text(drawing.svg, encoding="utf-8", newline="\n")
    _fill_tables(study, folder)
    (folder / "report.html").write_text(page(study, drawings), encoding="utf-8", newline="\n")
    study.cohort.write(folder / "cohort")


def _fill_tables(study: Study, folder: Path) -> None:
    table_files(study.tables, folder / "tables", about=about_study(study))
    lines = [SIMULATED if study.simulated else "", f"{study.stamp}: {study.stamp_reason}"]
    if "suppressed_below" in study.provenance:
        lines.append(_left_out_below(study.provenance["suppressed_below"]))
    write_workbook(study.tables, folder / "tables.xlsx", title=study.title, lines=lines)
    (folder / RESULTS).write_text(results_text(study), encoding="utf-8", newline="\n")
