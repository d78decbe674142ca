"""The page: sections for the template, which escapes every text in them."""

from __future__ import annotations

from collections.abc import Mapping

import jinja2
from markupsafe import Markup

from immunosarc import __version__
from immunosarc.report._figures import Drawing
from immunosarc.report._section import FigureOrder, ordered
from immunosarc.report._sections import sections
from immunosarc.report._svg import inline
from immunosarc.report._tables import MEANINGS
from immunosarc.study import Study

__all__ = ["page"]


def page(study: Study, drawings: Mapping[str, Drawing]) -> str:
    """Return the whole page as HTML that loads nothing."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("immunosarc.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = sections(study)
    shown: dict[FigureOrder, tuple[Markup, str]] = {}
    for name, _, order in ordered(parts):
        if name in drawings:
            svg = Markup(inline(drawings[name].svg))  # noqa: S704 - matplotlib escapes what it writes, and so do we
            shown[order] = (svg, drawings[name].caption)
    return environment.get_template("template.html").render(
        study=study,
        version=__version__,
        sections=parts,
        figures=shown,
        tables=[(name, len(table), MEANINGS.get(name, "")) for name, table in study.tables.items()],
    )
