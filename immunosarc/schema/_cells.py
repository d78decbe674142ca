"""The table of cell scores and cell fractions, which are never the same thing."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["CELLS", "CELL_OUTPUTS", "PURITY"]

CELL_OUTPUTS = ("cell_score", "cell_fraction")
"""In arbitrary units, comparable between samples only; a share of cells, comparable between cell types too."""


def _text(meaning: str, *, values: tuple[str, ...] = (), filled: bool = True) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low)


CELLS = Table(
    "cells",
    {
        "sample_id": _text("sample"),
        "cell_type": _text("cell type"),
        "output": _text("what the value is", values=CELL_OUTPUTS),
        "value": _number("score or fraction"),
        "conf_low": _number("lower limit of a fraction over resampled genes"),
        "conf_high": _number("upper limit of a fraction over resampled genes"),
        "method": _text("deconvolution method"),
        "unit": _text("unit that was read"),
        "n_genes": _number("marker or reference genes", low=0),
        "n_found": _number("of them with a value in the sample", low=0),
        "status": _text("'ok', or why there is no value"),
        "note": _text("what else to know", filled=False),
    },
)

PURITY = Table(
    "purity",
    {
        "sample_id": _text("sample"),
        "immune": _number("ESTIMATE immune score"),
        "stromal": _number("ESTIMATE stromal score"),
        "estimate": _number("their sum"),
        "purity": _number("share of tumor by the published curve", low=0),
        "status": _text("'ok', or why there is no purity"),
        "note": _text("for what the curve was fitted"),
    },
)
