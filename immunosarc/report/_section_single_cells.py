"""Single cells: how many and how good, what they are and in which state, sample by sample."""

from __future__ import annotations

import pandas as pd

from immunosarc.report._section import Grid, Section, count
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build"]

_NAME = ("single_cells", "Single cells", "What the single cells of each sample are")


def build(study: Study) -> Section:
    """Return the quality of the cells and the spread of each feature; nothing without single cells."""
    table = table_of(study, "single_cell")
    if not len(table):
        return Section(*_NAME, ())
    return Section(*_NAME, (_quality(table_of(study, "cell_quality")), _measured(table)))


def _quality(table: pd.DataFrame) -> Grid:
    head = ["Sample", "Cells", "Of low quality", "Counts", "Genes", "Mitochondrial", "Unassigned"]
    rows = [
        [
            str(one.sample_id),
            count(int(one.n_cells)),
            count(int(one.n_low_quality)),
            f"{one.median_counts:,.0f}",
            f"{one.median_genes:,.0f}",
            "" if pd.isna(one.median_mitochondrial) else f"{one.median_mitochondrial:.0%}",
            f"{one.share_unassigned:.0%}",
        ]
        for one in table.itertuples()
    ]
    note = (
        "Counts, genes and mitochondrial share are medians over cells. A cell is unassigned where it resembles no "
        "type enough, or two alike; tumor cells belong there unless the panel has markers for them."
    )
    return Grid("Quality of the cells", head, rows, frozenset(range(1, 7)), note)


def _measured(table: pd.DataFrame) -> Grid:
    rows = [_row(str(name), part) for name, part in table.groupby("feature", sort=False)]
    head = ["Feature", "Samples with a value", "Median", "Smallest", "Largest", "Why not in the others"]
    note = (
        "clr: centered log-ratio of a cell type among the typed cells, 0 where it is as frequent as the "
        "geometric mean of all types. States are mean scores over the cells of a type. A row for each sample and "
        "feature is in tables/single_cell.tsv; tests are on patients, never on cells."
    )
    return Grid("Composition and states", head, rows, frozenset({1, 2, 3, 4}), note)


def _row(name: str, part: pd.DataFrame) -> list[str]:
    values = part["value"].dropna()
    missing = part.loc[part["status"] != "ok", "status"].str.replace(r", has \d+", "", regex=True).value_counts()
    why = "; ".join(f"{reason} ({number})" for reason, number in missing.items())
    spread = [f"{one:.3g}" for one in (values.median(), values.min(), values.max())] if len(values) else [""] * 3
    return [name, f"{count(len(values))} of {count(len(part))}", *spread, why]
