"""The immune profile of each tumor: hot or cold among sarcomas, cell types, and what the sarcoma itself makes."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import catalog, plots
from immunosarc.report._section import Block, FigureOrder, Grid, Part, Section, Text, cell, count
from immunosarc.report._select import FEATURES_SHOWN, ordered_tracks, some_genes, table_of
from immunosarc.study import Study

__all__ = ["build"]

_SCHEMES = {
    "hot_cold": ("Hot or cold", ("hot", "intermediate", "cold")),
    "sarcoma_immune_class": ("Sarcoma immune class", ("A", "B", "C", "D", "E", "indeterminate")),
}
_AXES = ("TIS18", "CYT")
_CELLS = "mcp_counter"


def build(study: Study) -> Section:
    """Return a part for each question that the study has rows for."""
    parts = (*_classes(study), *_change(study), *_cells(study), *_fractions(study), *_lineage(study))
    return Section("profile", "Immune profile", "The immune profile of each tumor", parts)


def _classes(study: Study) -> Iterator[Part]:
    table = table_of(study, "classes")
    if table.empty:
        return
    title = "Hot or cold, among soft-tissue sarcomas?"
    placed = table[table["status"] == "ok"]
    if placed.empty:
        reasons = "; ".join(dict.fromkeys(table["status"]))
        words = "Without a place on a frozen reference there is a continuous score and no class."
        yield Part(title, (Text(f"No class: {reasons}"), Text(words, tone="note")))
        return
    words = (
        f"Each sample alone is placed on the frozen reference {placed['reference'].iloc[0]} (394 soft-tissue "
        "sarcomas of public RNA sequencing, from their quartiles; EXPERIMENTAL, TPM only): its class would be the "
        "same whoever else is in the table. Hot: mean percentile of TIS18 and CYT of at least 2/3; cold: at most "
        "1/3; a rule of this project. The sarcoma immune class A to E (secondary) is the nearest published "
        "centroid; its posterior is the share of plausible pipeline offsets under which it stays, below 1/2 it is "
        "indeterminate. Deserts land in B as often as in A, and no hot sarcoma with a known class was at hand to "
        "check against: trust hot and cold more than the letters, and a change more than a place."
    )
    notes = [note for note in dict.fromkeys(table["note"].dropna()) if note]
    told: list[Block] = [Text(words)]
    if notes:
        told.append(Text(f"Said of some or all samples: {'; '.join(notes)}.", tone="note"))
    yield Part(title, (*told, _counts(study, table), _samples(study, table)))


def _about(study: Study) -> pd.DataFrame:
    return study.cohort.samples[["patient_id", "timepoint"]]


def _counts(study: Study, table: pd.DataFrame) -> Grid:
    when = table["sample_id"].map(_about(study)["timepoint"])
    rows = []
    for scheme, (label, names) in _SCHEMES.items():
        for timepoint in dict.fromkeys(when):
            part = table[(table["scheme"] == scheme) & (when == timepoint)]
            found = part["label"].value_counts()
            told = ", ".join(f"{found.get(name, 0)} {name}" for name in names)
            rows.append([label, str(timepoint), count(len(part)), told, count(part["label"].isna().sum())])
    head = ["Scheme", "Timepoint", "Samples", "Classes", "Without a class"]
    return Grid("Classes by timepoint", head, rows, frozenset({2, 4}))


def _samples(study: Study, table: pd.DataFrame) -> Grid:
    places = table_of(study, "placement").pivot(index="sample_id", columns="population", values="percentile")
    by = {scheme: table[table["scheme"] == scheme].set_index("sample_id") for scheme in _SCHEMES}
    about = _about(study).reindex(by["hot_cold"].index)
    rows = []
    for sample in ordered_tracks(study, about).index:
        primary, secondary = by["hot_cold"].loc[sample], by["sarcoma_immune_class"].loc[sample]
        posterior = "" if pd.isna(secondary["posterior"]) else f" ({secondary['posterior']:.2f})"
        rows.append(
            [
                str(sample),
                cell(about.loc[sample, "patient_id"]),
                cell(about.loc[sample, "timepoint"]),
                *(
                    plots.DASH if pd.isna(value) else f"{100 * value:.0f}"
                    for value in places.loc[sample, list(_AXES)]
                ),
                cell(primary["label"]),
                cell(secondary["nearest"]) + posterior,
                "" if primary["status"] == "ok" else str(primary["status"]),
            ]
        )
    head = ["Sample", "Patient", "Timepoint", *(f"{axis} percentile" for axis in _AXES), "Hot or cold"]
    note = "All populations, margins and posteriors are in tables/placement.tsv and tables/classes.tsv."
    head = [*head, "Nearest class (posterior)", "Why there is none"]
    return Grid("Place of each sample", head, rows, frozenset({3, 4}), note)


def _change(study: Study) -> Iterator[Part]:
    table = table_of(study, "placed_change")
    known = table[table["status"] == "ok"] if len(table) else table
    if known.empty:
        return
    words = (
        "The difference of two places of one patient: what a laboratory or pipeline adds to both samples falls "
        "out of it. In standard deviations of the reference; description only, tests stand with the changes."
    )
    rows = []
    for population, part in known.groupby("population", sort=False):
        moved = part["difference"]
        middle = f"{plots.signed_text(moved.median())} [{plots.signed_text(moved.quantile(0.25))}, "
        middle += f"{plots.signed_text(moved.quantile(0.75))}]"
        rows.append([str(population), count(len(part)), middle, f"{(moved > 0).sum()} of {len(part)}"])
    head = ["Axis", "Pairs", "Median change [quartiles], SD", "Rose"]
    note = "Each patient's change is in tables/placed_change.tsv."
    grid = Grid("Change in units of the frozen reference", head, rows, frozenset({1, 2, 3}), note)
    yield Part("What happened between two biopsies, in frozen units", (Text(words), grid))


def _cells(study: Study) -> Iterator[Part]:
    table = table_of(study, "cells")
    used = table[table["method"] == _CELLS] if len(table) else table
    if used.empty or used["value"].isna().all():
        return
    wide = used.pivot(index="sample_id", columns="cell_type", values="value")
    wide = wide[[name for name in dict.fromkeys(used["cell_type"]) if wide[name].notna().any()]]
    about = _about(study).reindex(wide.index)
    tracks = ordered_tracks(study, about)
    scores = pd.concat([about, wide], axis=1).loc[tracks.index]
    words = (
        "Scores say how high the markers of a cell type are: compare them between samples, never between cell "
        "types, and never as shares. Shares (fractions, with intervals) need profiles of pure cell types, which "
        "are not free to ship: the manifest names them (cell_profiles), or score --cell-profiles does. A sarcoma "
        "that makes a marker itself is read as that cell type; see below."
    )
    caption = (
        f"MCP-counter scores of {wide.shape[1]} cell types in {len(wide)} samples, each scaled over the samples "
        "shown, for display only."
    )
    size = (8.2, 0.22 * wide.shape[1] + 1.8)

    def hand(ax: Axes) -> Axes:
        return plots.heatmap(scores, tracks, noun="cell type", ax=ax)

    figure = FigureOrder("cells", caption, size, hand, key="cells")
    lost = used.loc[used["status"] != "ok", ["cell_type", "status"]].drop_duplicates()
    missing = [Text(f"{row['cell_type']}: {row['status']}.", tone="note") for _, row in lost.iterrows()]
    yield Part("Cell types", (Text(words), figure, *missing))


def _fractions(study: Study) -> Iterator[Part]:
    table = table_of(study, "cell_fractions")
    if table.empty:
        return
    title = "Fractions of cell types"
    known = table[table["status"] == "ok"]
    if known.empty:
        yield Part(title, (Text(f"No fractions: {'; '.join(dict.fromkeys(table['status']))}"),))
        return
    words = (
        f"Shares of cells in the tissue by {known['method'].iloc[0]}: comparable between cell types too. Limits "
        "are over resampled genes, in the table: they say how far the genes agree, not how far the method is "
        "right. Described, not tested."
    )
    whens = list(dict.fromkeys(_about(study)["timepoint"].reindex(known["sample_id"].unique())))
    placed = known.assign(timepoint=known["sample_id"].map(_about(study)["timepoint"]))
    rows = []
    for kind, part in placed.groupby("cell_type", sort=False):
        by_time = (part.loc[part["timepoint"] == when, "value"] for when in whens)
        rows.append([str(kind), *(_quartiles(values) for values in by_time)])
    head = ["Cell type", *(f"{when}: median % [quartiles], n" for when in whens)]
    note = "Each sample, with its limits, is in tables/cell_fractions.tsv."
    lost = table.loc[table["status"] != "ok", ["sample_id", "status"]].drop_duplicates()
    missing = [Text(f"{row['sample_id']}: {row['status']}.", tone="note") for _, row in lost.iterrows()]
    grid = Grid(title, head, rows, frozenset(range(1, len(head))), note)
    yield Part(title, (Text(words), grid, *missing))


def _quartiles(values: pd.Series) -> str:
    low, middle, high = (100 * values.quantile(q) for q in (0.25, 0.5, 0.75))
    return f"{middle:.1f} [{low:.1f}, {high:.1f}], {count(len(values))}"


def _lineage(study: Study) -> Iterator[Part]:
    table = table_of(study, "lineage")
    if table.empty:
        return
    words = (
        "Where the sarcoma cell itself makes a gene of a signature (MAL in synovial sarcoma, endothelial genes in "
        "angiosarcoma, fibroblast genes everywhere), the score measures the tumor as well. Every such score is "
        "given twice, with and without these genes; where the two disagree, believe the second."
    )
    own = _as_groups(table)
    shown = own.head(FEATURES_SHOWN)
    labels = catalog.histologies()["label"].to_dict()
    rows = [
        [
            f"{row['signature']} ({row['method']})",
            str(labels.get(row["histology"], row["histology"])) or "not known",
            count(row["samples"]),
            f"{count(row['n_conflict'])} of {count(row['n_genes'])}",
            some_genes(row["genes"]),
            plots.DASH if pd.isna(row["score"]) else f"{row['score']:.3g}",
            plots.DASH if pd.isna(row["score_without"]) else f"{row['score_without']:.3g}",
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in shown.iterrows()
    ]
    head = ["Signature (method)", "Histology", "Samples", "In conflict", "Which genes"]
    head = [*head, "Median score", "Without them", "Status"]
    left = len(own) - len(shown)
    note = (
        f"{left} more pairs of signature and histology, and every sample, in tables/lineage.tsv." if left else ""
    )
    grid = Grid("Scores that genes of the sarcoma enter", head, rows, frozenset({2, 3, 5, 6}), note)
    yield Part("Immune cells, or the sarcoma itself?", (Text(words), grid))


def _as_groups(table: pd.DataFrame) -> pd.DataFrame:
    """One row per signature, method and histology: genes special to a histology before what all sarcomas make."""
    keys = ["signature", "method", "histology"]
    filled = table.assign(histology=table["histology"].fillna(""))
    groups = filled.groupby(keys, sort=False, as_index=False).agg(
        samples=("sample_id", "size"),
        n_conflict=("n_conflict", "first"),
        n_genes=("n_genes", "first"),
        genes=("genes", "first"),
        score=("score", "median"),
        score_without=("score_without", "median"),
        status=("status", "first"),
    )
    counts = groups.pivot_table(
        index=["signature", "method"], columns="histology", values="n_conflict", fill_value=0
    )
    usual = counts.min(axis=1).rename("usual").reset_index()
    groups = groups.merge(usual, on=["signature", "method"], how="left")
    special = (groups["n_conflict"] - groups["usual"]) / groups["n_genes"]
    return groups.assign(special=special).sort_values("special", ascending=False, kind="stable")
