"""The flow of the study: who entered each step and who went on."""

from __future__ import annotations

from immunosarc import plots
from immunosarc.report._section import FigureOrder, Section, Text
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build"]

_PROMISE = (
    "Nothing is dropped silently: every patient and every sample has a row at every step, with the reason where "
    "it stops."
)


def build(study: Study) -> Section:
    """Return the flow as a figure."""
    flow = table_of(study, "attrition")
    lines = sum(3.4 + 0.9 * row.reasons.count(";") for row in plots.flow_steps(flow).itertuples())
    figure = FigureOrder(
        "attrition",
        "Flow of the study: who entered each step, who went on, and why the rest did not.",
        (9.0, max(1.5, 0.19 * lines)),
        lambda ax: plots.attrition(flow, ax=ax),
        key="flow",
    )
    return Section("flow", "Flow", "Flow of the study", (Text(_PROMISE), figure))
