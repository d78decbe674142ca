"""The table that says how good the cells of each sample are."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["CELL_QUALITY"]


def _number(meaning: str) -> Column:
    return Column("number", meaning, required=True, low=0)


CELL_QUALITY = Table(
    "cell_quality",
    {
        "sample_id": Column("text", "sample", required=True, filled=True),
        "n_cells": _number("cells"),
        "n_low_quality": _number("cells with too few genes or too much mitochondrial RNA"),
        "median_counts": _number("median of a cell's counts"),
        "median_genes": _number("median of the genes seen in a cell"),
        "median_mitochondrial": _number("median share of mitochondrial counts; empty without such genes"),
        "share_unassigned": _number("share of the cells that are no type of the panel"),
    },
)
