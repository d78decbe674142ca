"""One quantity by several assays: whether they agree, on whom they do not, and what their errors hide."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots
from immunosarc.report._section import Block, FigureOrder, Grid, Section, Text, count
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build"]

_PROMISE = (
    "Before any of these measures is believed they are held against each other. A patient is discordant when the "
    "ranks by two measures are further apart than the plan declares: look at the tissue before either value is "
    "used. An association is also given freed of measurement error, as if the measure were perfect; errors of the "
    "measures are taken as independent, and the interval carries how uncertain the reliability itself is."
)


def build(study: Study) -> Section:
    """Return the agreement of each pair, the discordant patients, and the associations freed of error."""
    pairs = table_of(study, "concordance")
    if pairs.empty:
        return Section("concordance", "Concordance", "Do the assays agree?", ())
    ranks = table_of(study, "concordance_ranks")
    blocks: list[Block] = [Text(_PROMISE), _agreement(pairs), *_figures(pairs, ranks), _discordant(ranks)]
    blocks.append(_freed(table_of(study, "reliability")))
    return Section("concordance", "Concordance", "Do the assays agree?", tuple(blocks))


def _interval(row: pd.Series, value: str, low: str, high: str) -> str:
    if pd.isna(row[value]):
        return plots.DASH
    return f"{row[value]:.2f} [{row[low]:.2f}, {row[high]:.2f}]".replace("-", "\N{MINUS SIGN}")


def _agreement(pairs: pd.DataFrame) -> Grid:
    rows = [
        [
            str(row["quantity"]),
            f"{row['measure']} and {row['other']}",
            count(row["n"]),
            _interval(row, "estimate", "conf_low", "conf_high"),
            f"{count(row['n_discordant'])} (by chance {count(row['n_discordant_by_chance'])})"
            if row["status"] == "ok"
            else str(row["status"]),
        ]
        for _, row in pairs.iterrows()
    ]
    head = ["Quantity", "Measures", "n", "Spearman's correlation", "Discordant patients"]
    return Grid("Agreement", head, rows, frozenset({2}))


def _figures(pairs: pd.DataFrame, ranks: pd.DataFrame) -> list[Block]:
    orders: list[Block] = []
    for _, row in pairs[pairs["status"] == "ok"].iterrows():
        mine = _of_pair(ranks, row)
        about = f"{row['measure']} and {row['other']}"
        caption = f"{row['quantity']} by {about}: ranks of the patients who have both; on the line they agree."

        def hand(ax: Axes, mine: pd.DataFrame = mine) -> object:
            return plots.concordance(mine, ax=ax)

        orders.append(FigureOrder(f"concordance_{row['quantity']}_{about}", caption, (5.4, 3.9), hand, key=about))
    return orders


def _of_pair(ranks: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    same = pd.Series(True, index=ranks.index)
    for key in ("quantity", "measure", "other"):
        same &= ranks[key] == row[key]
    return ranks[same].reset_index(drop=True)


def _discordant(ranks: pd.DataFrame) -> Block:
    far = ranks[ranks["discordant"].astype(bool)] if len(ranks) else ranks
    if far.empty:
        return Text("No patient is discordant.")
    rows = [
        [
            str(row["patient_id"]),
            str(row["quantity"]),
            f"{row['measure']}: {row['rank']:.2f}",
            f"{row['other']}: {row['other_rank']:.2f}",
        ]
        for _, row in far.iterrows()
    ]
    return Grid("Discordant patients", ["Patient", "Quantity", "Rank by one", "Rank by the other"], rows)


def _freed(reliability: pd.DataFrame) -> Grid:
    rows = [
        [
            str(row["quantity"]),
            str(row["measure"]),
            count(row["n"]),
            _interval(row, "reliability", "reliability_low", "reliability_high"),
            plots.signed_text(row["correlation"]) if pd.notna(row["correlation"]) else plots.DASH,
            _interval(row, "corrected", "corrected_low", "corrected_high")
            if row["status"] == "ok"
            else str(row["status"]),
        ]
        for _, row in reliability.iterrows()
    ]
    endpoints = ", ".join(
        dict.fromkeys(plots.endpoint_label(str(one)) for one in reliability["endpoint"].dropna())
    )
    head = ["Quantity", "Measure", "n", "Reliability", "Correlation as measured", "Freed of measurement error"]
    alike = (
        "With two measures the reliability is the same for both: nothing tells which of them is the better one."
    )
    pairs_only = reliability.groupby("quantity")["measure"].nunique().eq(2).any()
    return Grid(f"Correlation with {endpoints}", head, rows, frozenset({2}), alike if pairs_only else "")
