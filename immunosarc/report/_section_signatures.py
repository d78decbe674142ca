"""Signatures: their scores in every sample, and which of them could not be scored, and why."""

from __future__ import annotations

import pandas as pd

from immunosarc import plots
from immunosarc.report._section import FigureOrder, Grid, Section, Text, count
from immunosarc.report._select import heatmap_parts, some_genes, table_of
from immunosarc.study import Study

__all__ = ["build", "build_coverage"]


def build(study: Study) -> Section:
    """Return the heatmap of all scores."""
    scores, tracks, absent = heatmap_parts(study)
    nothing = scores.empty or not len(scores.columns)
    block = Text("No signature was scored.") if nothing else _heatmap(study, scores, tracks, absent)
    return Section("heatmap", "Signatures", "Signatures in every sample", (block,))


def _heatmap(study: Study, scores: pd.DataFrame, tracks: pd.DataFrame, absent: int) -> FigureOrder:
    rows = scores.select_dtypes("number").shape[1]
    order = "response and histology" if "histology" in study.cohort.patients else "response"
    left_out = f" {absent} signatures without any score are not shown." if absent else ""
    caption = (
        f"{rows} signature scores of {len(scores)} samples, each scaled over the samples shown, for display only; "
        f"samples ordered by timepoint and {order}.{left_out}"
    )
    size = (8.2, max(2.4, 0.125 * rows + 0.8))
    return FigureOrder("heatmap", caption, size, lambda ax: plots.heatmap(scores, tracks, ax=ax), key="heatmap")


def build_coverage(study: Study) -> Section:
    """Return the signatures that were not scored, or not in their published form, and why."""
    table = table_of(study, "coverage")
    noted = table["note"].notna() if len(table) else []
    told = table[(table["status"] != "ok") | noted] if len(table) else table
    rows = [
        [
            str(row["signature"]),
            str(row["method"]),
            str(row["unit"]),
            f"{count(row['n_found'])} of {count(row['n_genes'])}",
            "scored" if row["status"] == "ok" else str(row["status"]),
            some_genes(row["missing"]),
            "" if pd.isna(row["note"]) else str(row["note"]),
        ]
        for _, row in told.sort_values("status", key=lambda s: s == "ok", kind="stable").iterrows()
    ]
    scored = int((table["status"] == "ok").sum()) if len(table) else 0
    head = ["Signature", "Method", "Unit scored", "Genes found", "Result", "Missing genes", "What else to know"]
    note = f"{scored} of {len(table)} pairs of signature and method were scored; all are in tables/coverage.tsv."
    grid = Grid("Coverage", head, rows, frozenset({3}), note)
    return Section("coverage", "Coverage", "Signatures that were not scored, or not as published", (grid,))
