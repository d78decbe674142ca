"""Resistance, and the response by iRECIST beside RECIST 1.1."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from immunosarc import plots, schema
from immunosarc.report._section import Block, Grid, Part, Section, Text, cell
from immunosarc.study import Study

__all__ = ["build"]

_PHASES = {"chemotherapy": "with chemotherapy", "maintenance": "after it", "off_treatment": "off treatment"}


def build(study: Study) -> Section:
    """Return the classes of resistance, and where iRECIST sees something else."""
    return Section("resistance", "Resistance", "Resistance and immune response criteria", tuple(_blocks(study)))


def _blocks(study: Study) -> Iterator[Block]:
    if "resistance" in study.tables:
        yield Part("Resistance", (_classes(study["resistance"]),))
    if "immune_course" in study.tables and "course" in study.tables:
        yield Part("iRECIST beside RECIST 1.1", (_beside(study),))


def _classes(table: pd.DataFrame) -> Grid:
    rows = []
    for name in schema.RESISTANCE_CLASSES:
        part = table[table["resistance"] == name]
        reasons = part.loc[part["status"] != "ok", "status"].value_counts()
        phases = [str((part["progression_phase"] == phase).sum()) for phase in _PHASES]
        told = "; ".join(f"{why} ({n})" for why, n in reasons.items())
        rows.append([name.replace("_", " "), str(len(part)), *phases, told])
    head = ["Class", "Patients", *(f"Progression {words}" for words in _PHASES.values()), "Remarks (patients)"]
    rule_sets = ", ".join(sorted(table["rule_set"].dropna().unique()))
    note = f"By {rule_sets}. Who could not be classified is missing in both questions of resistance, no failure."
    return Grid("Resistance", head, rows, frozenset({1, 2, 3, 4}), note)


def _beside(study: Study) -> Grid | Text:
    course, immune = study["course"], study["immune_course"]
    both = course.join(immune.drop(columns=["status", "rule_set", "simulated"], errors="ignore"))
    days = both["pfs_days"].ne(both["ipfs_days"]) & both["ipfs_days"].notna()
    moved = both[days | both["pfs_event"].ne(both["ipfs_event"]).fillna(False)]
    told = (
        f"{len(moved)} of {len(both)} patients have another progression-free survival by iRECIST; every number of "
        "this report is by RECIST 1.1."
    )
    if moved.empty:
        return Text(told)
    rows = [
        [
            str(patient),
            cell(row["best_overall_response"]),
            cell(row["immune_best_response"]),
            _time(row, "pfs"),
            _time(row, "ipfs"),
            cell(row["ipfs_reason"]),
        ]
        for patient, row in moved.iterrows()
    ]
    head = ["Patient", "RECIST 1.1", "iRECIST", "PFS, days", "iPFS, days", "What ended iPFS"]
    return Grid("iRECIST beside RECIST 1.1", head, rows, frozenset({3, 4}), f"{told} + = censored.")


def _time(row: pd.Series, name: str) -> str:
    days, event = row[f"{name}_days"], row[f"{name}_event"]
    if pd.isna(days):
        return plots.DASH
    return f"{days:g}{'' if pd.isna(event) or event else '+'}"
