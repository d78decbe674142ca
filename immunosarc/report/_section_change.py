"""Change on treatment: before and after in each patient, and the shift by response group."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots
from immunosarc.report._section import Block, FigureOrder, Grid, Section, Text, count
from immunosarc.report._select import FEATURES_SHOWN, shifted_features, table_of
from immunosarc.study import Study

__all__ = ["build"]

_CAUTION = (
    "The shift is the Hodges-Lehmann estimate of after minus before. A rise of an immune score alone does not "
    "show an influx of immune cells: loss of tumor cells raises it too."
)


def build(study: Study) -> Section:
    """Return the pairs as figures, and the shifts as a grid."""
    figures = tuple(_pairs(study))
    nothing = Text("No patient has a sample before and after.")
    blocks: tuple[Block, ...] = (Text(_CAUTION), *figures, _shifts(study)) if figures else (nothing,)
    return Section("change", "Change on treatment", "Change on treatment", blocks)


def _pairs(study: Study) -> Iterator[FigureOrder]:
    paired, changes = table_of(study, "paired"), table_of(study, "changes")
    for feature in shifted_features(study):
        mine = paired[paired["feature"] == feature].dropna(subset=["before", "after"])
        panels = max(1, mine["group"].nunique(dropna=False))
        caption = (
            f"{feature} before and after in each patient, by response group; the thick line joins the medians."
        )

        def hand(ax: Axes, feature: str = feature) -> Axes:
            return plots.paired_change(paired, changes, feature=feature, ax=ax)

        yield FigureOrder(f"paired_{feature}", caption, (2.1 * panels + 0.6, 3.2), hand, key=feature)


def _shifts(study: Study) -> Grid:
    table = table_of(study, "changes")
    ranked = table.sort_values("p_maxt", kind="stable", na_position="last")["feature"] if len(table) else []
    names = list(dict.fromkeys([*shifted_features(study), *ranked]))[:FEATURES_SHOWN]
    shown = table[table["feature"].isin(names)] if len(table) else table
    rows = [
        [
            str(row["feature"]),
            str(row["group"]),
            count(row["n"]),
            plots.signed_text(row["median_change"]),
            _shift(row),
            plots.p_text(row["p_maxt"]),
            plots.p_text(row["q_value"]),
            str(row["stamp"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for name in names
        for _, row in shown[shown["feature"] == name].drop_duplicates("group").iterrows()
    ]
    left = table["feature"].nunique() - len(names) if len(table) else 0
    head = ["Feature", "Group", "Pairs", "Median change", "Shift [interval]", "p maxT", "q", "Stamp", "Status"]
    note = f"{left} more features in tables/changes.tsv." if left > 0 else ""
    return Grid("Change on treatment", head, rows, frozenset({2, 3, 4, 5, 6}), note)


def _shift(row: pd.Series) -> str:
    if pd.isna(row["hodges_lehmann"]):
        return plots.DASH
    value, low, high = (plots.signed_text(row[name]) for name in ("hodges_lehmann", "conf_low", "conf_high"))
    return f"{value} [{low}, {high}]"
