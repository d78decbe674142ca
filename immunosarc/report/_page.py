"""The page: sections for the template, which escapes every text in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import jinja2
import pandas as pd
from markupsafe import Markup

from immunosarc import __version__
from immunosarc.report._figures import Drawing
from immunosarc.report._section import FigureOrder, Section, ordered
from immunosarc.report._sections import sections
from immunosarc.report._svg import inline
from immunosarc.report._tables import MEANINGS
from immunosarc.study import Study

__all__ = ["Head", "page", "page_of"]

_BESIDE = "All of them once more in tables.xlsx; figures/*.svg; results.json"


class Head(NamedTuple):
    """What stands above the sections of a page."""

    title: str
    name: str
    stamp: str
    simulated: bool


def page(study: Study, drawings: Mapping[str, Drawing]) -> str:
    """Return the whole page of a study as HTML that loads nothing."""
    head = Head(study.title, study.name, study.stamp, study.simulated)
    return page_of(head, sections(study), drawings=drawings, tables=study.tables, beside=_BESIDE + "; cohort/.")


def page_of(
    head: Head,
    parts: Iterable[Section],
    *,
    drawings: Mapping[str, Drawing],
    tables: Mapping[str, pd.DataFrame],
    beside: str = _BESIDE + ".",
) -> str:
    """Return a page of sections as HTML that loads nothing.

    Parameters
    ----------
    head : Head
    parts : iterable of Section
    drawings : mapping of str to Drawing
        The figures of the sections, from ``draw_sections``.
    tables : mapping of str to DataFrame
        Written beside the page; listed under it.
    beside : str
        What else lies there.
    """
    parts = tuple(parts)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("immunosarc.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown: dict[FigureOrder, tuple[Markup, str]] = {}
    for name, _, order in ordered(parts):
        if name in drawings:
            svg = Markup(inline(drawings[name].svg))  # noqa: S704 - matplotlib escapes what it writes, and so do we
            shown[order] = (svg, drawings[name].caption)
    return environment.get_template("template.html").render(
        study=head,
        version=__version__,
        sections=parts,
        figures=shown,
        tables=[(name, len(table), MEANINGS.get(name, "")) for name, table in tables.items()],
        beside=beside,
    )
