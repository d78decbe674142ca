"""The hypotheses that this study leaves behind, ranked."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from immunosarc import plots
from immunosarc.report._section import Grid, Section, Settings, Text, count
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build"]

_SHOWN = 15
_SAID = (("Stands for", "biology"), ("Published", "literature"))


def build(study: Study) -> Section:
    """Return the first hypotheses of the ledger: what is left of each, and what would settle it."""
    table = table_of(study, "ledger")
    if table.empty:
        return Section("ledger", "Hypotheses", "What to test next", ())
    words = (
        f"{len(table):,} claims were made; {int(table['below_alpha'].sum()):,} are below their family's alpha. "
        "Pre-stated questions come first, then p maxT decides. Patients to confirm are counted for the shrunken "
        "effect (power 80%, two-sided .05): the raw one of a search is too large. Published findings concern "
        "markers of the same kind; they may disagree. tables/ledger.tsv has every claim, literature and biology."
    )
    first = table.head(_SHOWN)
    rows = [
        [
            count(row["rank"]),
            str(row["feature"]),
            str(row["family"]),
            _effect(row, "raw"),
            _effect(row, "shrunken"),
            plots.p_text(row["p_maxt"]),
            str(row["replication"]),
            count(row["n_to_confirm"]),
            str(row["design"]),
            str(row["stamp"]),
        ]
        for _, row in first.iterrows()
    ]
    head = ["Rank", "Feature", "Family", "Raw", "Shrunken", "p maxT", "Replication", "To confirm", "Next", "Stamp"]
    note = "Effects: ratios per standard deviation; AUC and shifts as they are."
    grid = Grid("The first hypotheses", head, rows, frozenset({0, 3, 4, 5, 7}), note)
    return Section(
        "ledger", "Hypotheses", "What to test next", (Text(words), grid, *_replicated(table), *_background(first))
    )


def _replicated(table: pd.DataFrame) -> Iterator[Grid]:
    """The claims that other cohorts were asked, whatever their rank."""
    asked = table[~table["replication"].str.startswith("not asked")]
    if asked.empty:
        return
    rows = [
        [
            count(row["rank"]),
            str(row["feature"]),
            str(row["family"]),
            _effect(row, "raw"),
            plots.p_text(row["p_maxt"]),
            str(row["replication"]),
        ]
        for _, row in asked.head(_SHOWN).iterrows()
    ]
    head = ["Rank", "Feature", "Family", "Raw", "p maxT", "What other cohorts say"]
    left = f" {len(asked) - _SHOWN:,} more are in tables/ledger.tsv." if len(asked) > _SHOWN else ""
    note = f"Claims that other cohorts were asked; their effects are log ratios per standard deviation.{left}"
    yield Grid("Claims that other cohorts were asked", head, rows, frozenset({0, 3, 4}), note)


def _background(first: pd.DataFrame) -> Iterator[Settings]:
    """What each feature stands for, and what was published on its kind; folded away."""
    lines = [
        (str(row["feature"]), " ".join(f"{lead}: {row[name]}." for lead, name in _SAID if pd.notna(row[name])))
        for _, row in first.drop_duplicates("feature").iterrows()
    ]
    if known := [line for line in lines if line[1]]:
        yield Settings(known, "What these features stand for, and published findings on markers of their kind")


def _effect(row: pd.Series, column: str) -> str:
    """A log ratio as a ratio; everything else as it is."""
    if pd.isna(row[column]):
        return plots.DASH
    if row["claim"] == "change":
        return f"{row[column]:.2f}"
    return plots.measure(str(row["measure"])).text(float(row[column]))
