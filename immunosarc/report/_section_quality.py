"""Sample quality: what speaks against the data, said before any test."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots
from immunosarc.report._section import Block, FigureOrder, Grid, Part, Section, Text, cell
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build", "loud"]

_PROMISE = (
    "Looked at before any test. Nothing is left out and nothing is corrected for what stands here: a concern is a "
    "reason to ask the laboratory, and to run again without the sample if it stays."
)
_NAMES = {
    "whole_numbers": "Whole numbers",
    "sample_sums": "Sums of the samples",
    "upper_quartile": "Upper quartile",
    "logarithm": "Range",
    "centered_genes": "Centered genes",
    "gene_length": "Gene length",
    "batch": "Batches",
    "batch_timepoint": "Batch and timepoint",
    "batch_response": "Batch and response",
    "batch_pairs": "Pairs across batches",
    "library_size": "Reads",
    "detected_genes": "Genes seen",
    "sex_by_expression": "Sex by expression",
    "partner_rank": "Same patient before and on treatment",
    "median_correlation": "Resemblance to the others",
}


def build(study: Study) -> Section:
    """Return the concerns, the checks of unit and batch, the counts by check, and a figure for each assay."""
    table = table_of(study, "qc")
    if table.empty:
        return Section("quality", "Sample quality", "Sample quality", ())
    concerns = table[table["concern"].astype(bool)]
    alarms = tuple(Text(sentence) for sentence in loud(table))
    blocks: list[Block] = [Text(_PROMISE)]
    if alarms:
        blocks.append(
            Part("Read this first", alarms, condition="The data cannot answer some questions as they are.")
        )
    blocks.append(_overview(table))
    blocks += _figures(table)
    of_samples = concerns[concerns["level"] == "sample"]
    blocks.append(_asked(of_samples) if len(of_samples) else Text("No sample raised a concern."))
    return Section("quality", "Sample quality", "Sample quality", tuple(blocks))


def loud(table: pd.DataFrame) -> list[str]:
    """Return the concerns that touch every result: the unit of an assay and the batches."""
    if table.empty:
        return []
    found = table[table["concern"].astype(bool) & (table["level"] != "sample")]
    return [f"{_about(row)}: {row['status']}." for _, row in found.iterrows()]


def _about(row: pd.Series) -> str:
    about = [str(row[name]) for name in ("assay", "timepoint") if pd.notna(row[name])]
    label = _NAMES.get(str(row["check"]), str(row["check"]))
    return f"{label} ({', '.join(about)})" if about else label


def _overview(table: pd.DataFrame) -> Grid:
    whole = table[table["level"] != "sample"]
    rows = [
        [_about(row), cell(row["found"]), cell(row["expected"]), str(row["status"])] for _, row in whole.iterrows()
    ]
    of_samples = table[table["level"] == "sample"]
    for (assay, check), part in of_samples.groupby(["assay", "check"], sort=False):
        away = int(part["status"].str.startswith("not assessed").sum())
        asked = int(part["concern"].astype(bool).sum())
        found = f"{len(part) - away} of {len(part)} samples assessed"
        label = f"{_NAMES.get(str(check), str(check))} ({assay})"
        rows.append([label, found, cell(part["expected"].iloc[0]), f"{asked} of concern" if asked else "ok"])
    return Grid("Checks", ["Check", "Found", "Expected", "Result"], rows)


def _figures(table: pd.DataFrame) -> list[Block]:
    orders: list[Block] = []
    for assay, part in table[table["level"] == "sample"].groupby("assay", sort=False):
        caption = (
            f"Assay {assay}: genes seen in each sample against its reads (or against its resemblance to the other "
            "samples, where there are no reads); samples with any concern are ringed."
        )

        def hand(ax: Axes, part: pd.DataFrame = part) -> object:
            return plots.sample_quality(part, ax=ax)

        orders.append(FigureOrder(f"quality_{assay}", caption, (5.6, 3.6), hand, key=str(assay)))
    return orders


def _asked(concerns: pd.DataFrame) -> Grid:
    rows = [
        [
            str(row["sample_id"]),
            str(row["patient_id"]),
            cell(row["timepoint"]),
            _NAMES.get(str(row["check"]), str(row["check"])),
            cell(row["found"]) if pd.notna(row["found"]) else _short(row["value"]),
            str(row["status"]),
        ]
        for _, row in concerns.iterrows()
    ]
    head = ["Sample", "Patient", "Timepoint", "Check", "Found", "Concern"]
    note = "Every check of every sample is in tables/qc.tsv."
    return Grid("Samples of concern", head, rows, frozenset({4}), note)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.3g}"
