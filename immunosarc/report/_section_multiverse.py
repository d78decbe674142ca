"""One question along every declared path of analysis, and whether the answer hangs on a choice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots, schema
from immunosarc.report._section import Block, FigureOrder, Grid, Section, Text, count
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build"]

_LINE, _CURVE = 0.2, 2.8
"""Inches per choice under the curve, and of the curve."""
_SHOWN_REASONS = 10


def build(study: Study) -> Section:
    """Return the number of paths and their joint p, the curve, the primary path, and what each choice does."""
    table = table_of(study, "multiverse")
    if table.empty:
        return Section("multiverse", "Every path", "Does the answer hang on how it was asked?", ())
    blocks = (Text(_words(table)), _primary(table), _figure(table), *_choices(study), *_refused(table))
    return Section("multiverse", "Every path", "Does the answer hang on how it was asked?", blocks)


def _words(table: pd.DataFrame) -> str:
    z = table["z"].dropna()
    better = int((z > 0).sum())
    lead = (
        f"{table['signature'].iloc[0]}: {len(table)} {'path was' if len(table) == 1 else 'paths were'} declared, "
        f"{len(z)} {'has' if len(z) == 1 else 'have'} an effect. "
    )
    if z.empty:
        return lead + "There is nothing to compare."
    p_joint = plots.p_text(table["p_joint"].iloc[0])
    return (
        f"{lead}In {better} of them higher is better for the patient, in {len(z) - better} worse; median z "
        f"{z.median():.2f} ({z.min():.2f} to {z.max():.2f}). Joint p {p_joint}: how often "
        "dealing the values out among the patients, the same deal for every path, puts the median z as far from "
        "0. Paths share their patients: no path has a p of its own, and a count of paths is no count of evidence."
    )


def _primary(table: pd.DataFrame) -> Grid:
    rows = [
        [
            *(schema.choice_text(row[name]) for name in schema.PATH_DIMENSIONS),
            f"{count(row['n'])} ({count(row['n_events'])})",
            _effect(row),
            plots.number_text(row["z"], decimals=2),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in table[table["primary"].astype(bool)].iterrows()
    ]
    head = ["Scored by", "Endpoint", "Rules", "Adjusted for", "Population", "Clock starts"]
    head += ["n (events)", "Ratio per SD [interval]", "z", "Status"]
    return Grid("The declared primary path", head, rows, frozenset({6, 7, 8}), "The declared primary path.")


def _effect(row: pd.Series) -> str:
    if pd.isna(row["estimate"]):
        return plots.DASH
    how = plots.measure(str(row["measure"]))
    return plots.interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how)


def _figure(table: pd.DataFrame) -> FigureOrder:
    said = [table[name].map(schema.choice_text).unique() for name in schema.PATH_DIMENSIONS]
    lines = sum(len(one) for one in said if len(one) > 1)
    caption = (
        f"{table['signature'].iloc[0]}: z of each of {len(table)} declared paths, from worst to best; the diamond "
        "is the primary path. The marks under it show what each path chose."
    )
    size = (7.5, _CURVE + _LINE * lines)
    return FigureOrder("multiverse", caption, size, partial(_draw, table), str(table["signature"].iloc[0]))


def _draw(table: pd.DataFrame, ax: Axes) -> object:
    return plots.specification_curve(table, ax=ax)


def _choices(study: Study) -> Iterator[Block]:
    table = table_of(study, "multiverse_choices")
    if table.empty:
        return
    rows = [
        [
            str(row["dimension"]).replace("_", " "),
            str(row["choice"]),
            f"{count(row['n_estimated'])} of {count(row['n_paths'])}",
            plots.number_text(row["z_median"], decimals=2),
            f"{plots.number_text(row['z_low'], decimals=2)} to {plots.number_text(row['z_high'], decimals=2)}",
            f"{count(row['n_better'])} of {count(row['n_estimated'])}",
        ]
        for _, row in table.iterrows()
    ]
    head = ["Dimension", "Choice", "Paths with an effect", "Median z", "Range", "Higher is better"]
    note = "A choice that moves the median z is one that the answer hangs on. All paths: tables/multiverse.tsv."
    yield Grid("What each choice makes of the paths", head, rows, frozenset({2, 3, 4, 5}), note)


def _refused(table: pd.DataFrame) -> Iterator[Block]:
    lost = table.loc[table["z"].isna(), "status"].value_counts(sort=True)
    if lost.empty:
        return
    rows = [[str(number), str(reason)] for reason, number in lost.head(_SHOWN_REASONS).items()]
    yield Grid("Paths without an effect", ["Paths", "Why they have no effect"], rows, frozenset({0}))
