"""Every figure of a report, drawn without pyplot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure

from immunosarc.report._section import Section, ordered
from immunosarc.report._sections import sections
from immunosarc.report._svg import STYLE, render
from immunosarc.study import Study

__all__ = ["Drawing", "draw", "draw_sections"]


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Attributes
    ----------
    svg : str
        A stand-alone SVG file.
    section, key : str
        Where in the report, and what of: a family, a feature, an endpoint.
    caption : str
        The sentence under it, also read aloud.
    """

    svg: str
    section: str
    key: str
    caption: str


def draw(study: Study) -> dict[str, Drawing]:
    """Return every figure of the report by its file name, in the order of the page."""
    return draw_sections(sections(study), simulated=study.simulated)


def draw_sections(parts: Iterable[Section], *, simulated: bool) -> dict[str, Drawing]:
    """Return every figure of the sections by its file name, in the order of the page."""
    found: dict[str, Drawing] = {}
    lead = "SIMULATED. " if simulated else ""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a figure looks the same whatever the user's own settings are
        matplotlib.rcParams.update(STYLE)
        for name, section, order in ordered(parts):
            figure = Figure(figsize=order.size)
            order.hand(figure.add_axes((0, 0, 1, 1)))
            caption = lead + order.caption
            found[name] = Drawing(render(figure, name=name, title=caption), section.key, order.key, caption)
    return found
