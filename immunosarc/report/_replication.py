"""What several cohorts say to one plan, as a folder: a page, figures, tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immunosarc import __version__
from immunosarc.report._figures import draw_sections
from immunosarc.report._folder import put_folder
from immunosarc.report._page import Head, page_of
from immunosarc.report._replication_sections import replication_sections
from immunosarc.report._write import SIMULATED, fill_step
from immunosarc.study import Replication

__all__ = ["write_replication"]


def write_replication(
    found: Replication, out: str | os.PathLike[str], *, title: str = "", about: Mapping[str, Any] | None = None
) -> Path:
    """Write what several cohorts say to one plan into one folder, to read and to compute with.

    Parameters
    ----------
    found : Replication
        From :func:`immunosarc.replicate`.
    out : path
        A folder that does not exist yet or is empty, or one that an earlier run made, which is then replaced. It
        appears whole or not at all.
    title : str
        Of the page; the names of the cohorts unless given.
    about : mapping, optional
        What stands beside every table: plan, arguments, seed; under ``cohorts`` the provenance of each.

    Returns
    -------
    Path
        The folder: ``report.html`` with a forest plot of each question, ``figures/*.svg``, ``tables/*.tsv`` each
        with a JSON beside it, ``tables.xlsx``, ``results.json``. The same tables give the same bytes.

    Raises
    ------
    DataFileError
        When the folder holds something else, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import immunosarc as ims
    >>> from immunosarc import schema
    >>> tables = (schema.COHORT_EFFECTS, schema.POOLED_EFFECTS, schema.WITHOUT_COHORT)
    >>> nothing = ims.study.Replication(*(table.empty() for table in tables))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(path.name for path in write_replication(nothing, f"{folder}/out").iterdir())
    ['figures', 'report.html', 'results.json', 'tables', 'tables.xlsx']
    """
    names = list(dict.fromkeys(found.effects["cohort"]))
    simulated = "simulated" in found.effects
    tables = {"cohort_effects": found.effects, "pooled_effects": found.pooled, "without_cohort": found.without}
    said = title or f"Replication in {', '.join(names) or 'no cohort'}"
    head = Head(f"SIMULATED: {said}" if simulated else said, ", ".join(names), "exploratory", simulated)
    facts = {"title": head.title, "simulated": simulated, "immunosarc": __version__, **(about or {})}
    parts = replication_sections(found, facts)
    drawings = draw_sections(parts, simulated=simulated)

    def fill(folder: Path) -> None:
        fill_step(tables, folder, about=facts, lines=[SIMULATED] if simulated else [])
        (folder / "figures").mkdir()
        for name, drawing in drawings.items():
            (folder / "figures" / f"{name}.svg").write_text(drawing.svg, encoding="utf-8", newline="\n")
        html = page_of(head, parts, drawings=drawings, tables=tables)
        (folder / "report.html").write_text(html, encoding="utf-8", newline="\n")

    return put_folder(out, fill)
