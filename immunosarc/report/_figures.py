"""Every figure of a report, drawn without pyplot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from immunosarc import plots, schema
from immunosarc.report._select import families, heatmap_parts, shifted_features, table_of, with_named_strata
from immunosarc.report._svg import STYLE, render
from immunosarc.study import Study

__all__ = ["FOREST_ROWS", "Drawing", "draw"]

FOREST_ROWS = 20
"""Features shown per family, in the figure and in the table beside it."""

_VOLCANO_FROM = 5
_NOT_A_LETTER = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_NAME = 90


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


@dataclass(frozen=True)
class _Order:
    """A figure to be drawn: its names, its size in inches, and the hand that draws it."""

    name: str
    section: str
    key: str
    caption: str
    size: tuple[float, float]
    hand: Callable[[Axes], object]


def draw(study: Study) -> dict[str, Drawing]:
    """Return every figure of the report by its file name, in the order of the page."""
    found: dict[str, Drawing] = {}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a figure looks the same whatever the user's own settings are
        matplotlib.rcParams.update(STYLE)
        for order in _orders(study):
            name = _free(order.name, found)
            figure = Figure(figsize=order.size)
            order.hand(figure.add_axes((0, 0, 1, 1)))
            lead = "SIMULATED. " if study.simulated else ""
            svg = render(figure, name=name, title=lead + order.caption)
            found[name] = Drawing(svg, order.section, order.key, lead + order.caption)
    return found


def _free(name: str, taken: dict[str, Drawing]) -> str:
    """Return a file name made of plain letters that no other figure has."""
    stem = _NOT_A_LETTER.sub("_", name).strip("_").lower()[:_LONGEST_NAME] or "figure"
    number, free = 1, stem
    while free in taken:
        number += 1
        free = f"{stem}_{number}"
    return free


def _orders(study: Study) -> Iterator[_Order]:
    yield from _flow(study)
    yield from _rates(study)
    yield from _curves(study)
    yield from _heatmap(study)
    yield from _associations(study)
    yield from _changes(study)


def _flow(study: Study) -> Iterator[_Order]:
    flow = table_of(study, "attrition")
    lines = sum(3.4 + 0.9 * row.reasons.count(";") for row in plots.flow_steps(flow).itertuples())
    size = (9.0, max(1.5, 0.19 * lines))
    caption = "Flow of the study: who entered each step, who went on, and why the rest did not."
    yield _Order("attrition", "flow", "flow", caption, size, lambda ax: plots.attrition(flow, ax=ax))


def _rates(study: Study) -> Iterator[_Order]:
    summary = with_named_strata(study, "summary")
    rows = int((summary["unit"] == "proportion").sum())
    caption = "Rates with their confidence intervals; at the right patients with the endpoint of patients known."
    size = (4.6, max(1.2, 0.27 * (rows + 1)))
    yield _Order("rates", "endpoints", "rates", caption, size, lambda ax: plots.rates(summary, ax=ax))


def _curves(study: Study) -> Iterator[_Order]:
    curves = with_named_strata(study, "survival")
    for endpoint in curves["endpoint"].unique():
        mine = curves[curves["endpoint"] == endpoint]
        whole = mine["stratum"] == "all"
        for part, by in ((mine[whole], ""), (mine[~whole], "_by_stratum")):
            if part.empty:
                continue
            label = schema.ENDPOINTS[endpoint].label
            caption = (
                f"{label} by Kaplan-Meier{' in each stratum' if by else ''}, with log-log intervals; ticks are "
                "censored patients; below the axis patients at risk."
            )

            def hand(ax: Axes, part: pd.DataFrame = part, endpoint: str = endpoint) -> Axes:
                return plots.kaplan_meier(part, endpoint=endpoint, ax=ax)

            yield _Order(f"kaplan_meier_{endpoint}{by}", "survival", endpoint, caption, (7.4, 3.6), hand)


def _heatmap(study: Study) -> Iterator[_Order]:
    scores, tracks, absent = heatmap_parts(study)
    if scores.empty or not len(scores.columns):
        return
    rows = scores.select_dtypes("number").shape[1]
    order = "response and histology" if "histology" in study.cohort.patients else "response"
    left_out = f" {absent} signatures without any score are not shown." if absent else ""
    caption = (
        f"{rows} signature scores of {len(scores)} samples, each scaled over the samples shown, for display only; "
        f"samples ordered by timepoint and {order}.{left_out}"
    )
    size = (8.2, max(2.4, 0.125 * rows + 0.8))
    yield _Order("heatmap", "heatmap", "heatmap", caption, size, lambda ax: plots.heatmap(scores, tracks, ax=ax))


def _associations(study: Study) -> Iterator[_Order]:
    for family, part in families(study):
        about = plots.family_title(part)
        rows = min(len(part), FOREST_ROWS)
        caption = f"Forest plot. {about}, family {family}: the features with the smallest family-wise p."

        def forest(ax: Axes, part: pd.DataFrame = part) -> Axes:
            return plots.forest(part, ax=ax, top=FOREST_ROWS)

        def volcano(ax: Axes, part: pd.DataFrame = part) -> Axes:
            return plots.volcano(part, ax=ax)

        yield _Order(f"forest_{family}", "association", family, caption, (4.6, 0.24 * (rows + 0.6)), forest)
        if part["p_value"].notna().sum() >= _VOLCANO_FROM:
            caption = (
                f"Volcano plot. {about}, family {family}: every feature, and how high the best of noise gets."
            )
            yield _Order(f"volcano_{family}", "association", family, caption, (6.4, 3.8), volcano)


def _changes(study: Study) -> Iterator[_Order]:
    paired, changes = table_of(study, "paired"), table_of(study, "changes")
    for feature in shifted_features(study):
        mine = paired[paired["feature"] == feature].dropna(subset=["before", "after"])
        panels = max(1, mine["group"].nunique(dropna=False))
        caption = (
            f"{feature} before and after in each patient, by response group; the thick line joins the medians."
        )

        def hand(ax: Axes, feature: str = feature) -> Axes:
            return plots.paired_change(paired, changes, feature=feature, ax=ax)

        yield _Order(f"paired_{feature}", "change", feature, caption, (2.1 * panels + 0.6, 3.2), hand)
