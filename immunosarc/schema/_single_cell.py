"""The tables of single cells: how good those of each sample are, and what was measured on them."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["CELL_QUALITY", "SINGLE_CELL"]


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

SINGLE_CELL = Table(
    "single_cell",
    {
        "sample_id": Column("text", "sample", required=True, filled=True),
        "feature": Column("text", "what was measured on its cells", required=True, filled=True),
        "value": Column("number", "centered log-ratio of a type, or mean score of a state", required=True),
        "status": Column("text", "'ok', or why there is no value", required=True, filled=True),
        "panel": Column("text", "panel of the plan", required=True, filled=True),
    },
)
