"""Receptors, mutations and analytes of blood: what there is of each sample, before any test."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from immunosarc import plots
from immunosarc.report._section import Block, FigureOrder, Grid, Part, Section, Text, cell, count
from immunosarc.report._select import ordered_tracks, table_of
from immunosarc.study import Study

__all__ = ["build"]

_SAMPLES_SHOWN = 60
_GENES_SHOWN = 30
_FEW = 3
_HUNDRED = 100


def build(study: Study) -> Section:
    """Return a part for mutations, altered genes, receptors and analytes, as far as the study has them."""
    parts = (*_told(study), *_burden(study), *_genes(study), *_receptors(study), *_analytes(study))
    return Section("molecular", "Mutations, receptors, blood", "Mutations, receptors and blood", parts)


def _told(study: Study) -> Iterator[Block]:
    table = table_of(study, "molecular")
    for row in table[table["status"] != "ok"].itertuples() if len(table) else ():
        yield Text(f"The table {row.table} ({row.rows:,} rows) is not described here: {row.status}", tone="note")


def _burden(study: Study) -> Iterator[Part]:
    table = table_of(study, "mutational_burden")
    neoantigens = table_of(study, "neoantigen_burden")
    if table.empty:
        return
    words = (
        "Variants that change the protein, and the same per megabase in which one could have been called. Another "
        "panel or other rules are another scale. A sample without any variant counts as 0 only where its callable "
        "size is declared."
    )
    columns = {
        "variants": "Variants",
        "tmb_per_mb": "Variants per Mb",
        "indels_per_mb": "Indels per Mb",
        "frameshifts_per_mb": "Frameshifts per Mb",
    }
    rows = [
        [label, *_spread(part[name], str(timepoint))]
        for timepoint, part in table.groupby("timepoint", sort=False)
        for name, label in columns.items()
    ]
    for timepoint, part in neoantigens.groupby("timepoint", sort=False) if len(neoantigens) else ():
        rows.append(["Neoantigens (predicted)", *_spread(part["neoantigens"], str(timepoint))])
    head = ["What", "Timepoint", "Samples", "Median", "Quartiles", "Range"]
    notes = [
        f"{many} samples: {why}."
        for why, many in table.loc[table["status"] != "ok", "status"].value_counts().items()
    ]
    note = " ".join([*notes, "Each sample is in tables/mutational_burden.tsv."])
    yield Part("Mutation burden", (Text(words), Grid("Mutation burden", head, rows, frozenset({2, 3}), note)))


def _spread(values: pd.Series, timepoint: str) -> list[str]:
    known = values.dropna()
    if known.empty:
        return [timepoint, "0", plots.DASH, plots.DASH, plots.DASH]
    least, low, middle, high, most = (_short(known.quantile(q)) for q in (0, 0.25, 0.5, 0.75, 1))
    return [timepoint, count(len(known)), middle, f"{low} to {high}", f"{least} to {most}"]


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= _HUNDRED else f"{value:.3g}"


def _genes(study: Study) -> Iterator[Part]:
    table = table_of(study, "alterations")
    if table.empty:
        return
    whole = table.groupby("gene", sort=False)["sample_id"].nunique()
    missed = table[table["kind"] == "not_assessed"].groupby("gene", sort=False)["sample_id"].nunique()
    unseen = [gene for gene, many in missed.items() if many == whole[gene]]
    words = (
        "Genes that sarcomas and resistance to checkpoint inhibitors are asked about. What was not looked at is "
        "hatched and never counts as unaltered: a list of variants holds no amplifications."
    )
    if unseen:
        words += f" Nowhere looked at here: {', '.join(unseen)}."
    genes = list(dict.fromkeys(table["gene"]))[:_GENES_SHOWN]
    shown = table[table["gene"].isin(genes)]
    about = study.cohort.samples.reindex(list(dict.fromkeys(shown["sample_id"])))[["patient_id", "timepoint"]]
    tracks = ordered_tracks(study, about.rename_axis("sample_id"))
    tracks = tracks.loc[:, [name for name in tracks if len(tracks[name].unique()) > 1]]
    ordered = shown.set_index("sample_id").loc[tracks.index].reset_index()
    caption = (
        f"Alterations of {len(genes)} genes in {len(tracks)} samples. Shares are of the samples in which the gene "
        "was looked at; taller marks break more of the protein. The order of samples follows the genes."
    )
    size = (8.2, 0.26 * len(genes) + 0.24 * tracks.shape[1] + 1.6)
    figure = FigureOrder(
        "oncoprint", caption, size, lambda ax: plots.oncoprint(ordered, tracks, ax=ax), key="alterations"
    )
    yield Part("Altered genes", (Text(words), figure, _changes(shown)))


def _changes(table: pd.DataFrame) -> Grid:
    """Return each altered gene with its tumors, kinds and, where few, its changes of the protein."""
    altered = table[~table["kind"].isin(["none", "not_assessed"])]
    rows = []
    for gene, part in altered.groupby("gene", sort=False):
        kinds = part.drop_duplicates(["sample_id", "kind"])["kind"].value_counts()
        changes = list(dict.fromkeys(part["protein_change"].dropna()))
        shown = ", ".join(changes[:_FEW]) + (f" and {len(changes) - _FEW} more" if len(changes) > _FEW else "")
        told = ", ".join(f"{many} {kind.replace('_', ' ')}" for kind, many in kinds.items())
        rows.append([str(gene), count(part["sample_id"].nunique()), told, shown])
    note = "Every sample and gene is in tables/alterations.tsv."
    head = ["Gene", "Samples", "Kinds", "Changes of the protein"]
    rows.sort(key=lambda row: -int(row[1].replace(",", "")))
    return Grid("Altered genes", head, rows, frozenset({1}), note)


def _receptors(study: Study) -> Iterator[Part]:
    table = table_of(study, "repertoire_depths")
    if table.empty:
        return
    words = (
        "How many productive receptors were read of each sample. A deeper sample shows more clones of the same "
        "tissue, so samples are compared only after all are reduced to one depth; samples below it have no "
        "numbers."
    )
    shown = table.sort_values("receptors", kind="stable").head(_SAMPLES_SHOWN)
    rows = [
        [
            str(sample),
            cell(row["patient_id"]),
            cell(row["timepoint"]),
            cell(row.get("locus", pd.NA)),
            count(row["rows"]),
            count(row["receptors"]),
            count(row["clones"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for sample, row in shown.iterrows()
    ]
    left = len(table) - len(shown)
    note = f"The poorest {len(shown)}; {left} more in tables/repertoire_depths.tsv." if left else ""
    head = ["Sample", "Patient", "Timepoint", "Locus", "Rows", "Productive receptors", "Clones", "Why none"]
    grid = Grid("Depth of the repertoires", head, rows, frozenset({4, 5, 6}), note)
    yield Part("Receptors of T and B cells", (Text(words), grid))


def _analytes(study: Study) -> Iterator[Part]:
    table = table_of(study, "soluble")
    if table.empty:
        return
    words = (
        "Means of the logs by maximum likelihood: a reading below the limit of detection enters as a chance to "
        "lie there, and no number stands in its place. Geometric means with intervals, in the unit of the analyte."
    )
    rows = [
        [
            str(row["analyte"]),
            str(row["timepoint"]),
            count(row["n"]),
            count(row["n_below"]),
            _power(row["mean_log2"]),
            f"{_power(row['conf_low'])} to {_power(row['conf_high'])}" if row["status"] == "ok" else plots.DASH,
            cell(row["unit"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in table.iterrows()
    ]
    head = ["Analyte", "Timepoint", "Samples", "Below the limit", "Geometric mean", "Interval", "Unit", "Why none"]
    grid = Grid("Analytes", head, rows, frozenset({2, 3, 4}), "")
    yield Part("Analytes of blood", (Text(words), grid))


def _power(log2: float) -> str:
    return plots.DASH if pd.isna(log2) else f"{2**log2:.3g}"
