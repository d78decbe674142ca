"""Adverse events by term and grade, how often, and what was given."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from immunosarc import plots
from immunosarc.report._section import Block, FigureOrder, Grid, Part, Section, cell, count
from immunosarc.report._select import with_named_strata
from immunosarc.study import Study

__all__ = ["build"]


def build(study: Study) -> Section:
    """Return the adverse events and the doses, where they were recorded."""
    return Section("safety", "Safety", "Adverse events and doses", tuple(_blocks(study)))


def _blocks(study: Study) -> Iterator[Block]:
    if "event_counts" in study.tables:
        yield _butterfly(study)
    if "toxicity_rates" in study.tables:
        yield Part("How often, and how soon", (_rates(study),))
    if "dosing" in study.tables:
        yield Part("Doses", (_doses(study["dosing"]),))


def _rates(study: Study) -> Grid:
    table = with_named_strata(study, "toxicity_rates")
    table = table[table["term"] == "any"]
    rows = [
        [
            str(row["category"]).capitalize(),
            str(row["stratum"]),
            count(row["n_events"]),
            count(row["n"]),
            plots.percent_text(row["estimate"], row["conf_low"], row["conf_high"]),
            _per_time(row),
            cell(row["median_onset_days"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in table.iterrows()
    ]
    head = ["Adverse events", "Stratum", "Patients", "of treated", "Share [interval]"]
    head += ["Per 100 patient-months [interval]", "Median onset, days", "Status"]
    note = (
        "Each patient once, at the highest grade of a term. Grade 3 or 4 leaves out grade 5. Hormone replacement, "
        "topical steroids and antiemetic dexamethasone are no immunosuppression."
    )
    return Grid("Adverse events", head, rows, frozenset({2, 3, 4, 5, 6}), note)


def _per_time(row: pd.Series) -> str:
    if pd.isna(row["rate"]):
        return plots.DASH
    return f"{row['rate']:.1f} [{row['rate_low']:.1f}, {row['rate_high']:.1f}]"


def _doses(dosing: pd.DataFrame) -> Grid:
    rows = []
    for drug, part in dosing.groupby("drug", sort=True):
        unit = part["dose_unit"].dropna()
        rows.append(
            [
                str(drug),
                count((part["n_doses"] > 0).sum()),
                _median_range(part["n_doses"], 0),
                _median_range(part["cumulative_dose"], 0),
                unit.iloc[0] if len(unit) else plots.DASH,
                _median_range(part["relative_dose_intensity"], 2),
                count((part["status"] != "ok").sum()),
            ]
        )
    head = ["Drug", "Patients", "Doses, median (range)", "Cumulative dose, median (range)", "Unit"]
    head += ["Relative dose intensity, median (range)", "With a remark"]
    note = "Intensity: dose per day of exposure over the dose planned per interval. Remarks stand in table dosing."
    return Grid("Doses", head, rows, frozenset({1, 2, 3, 5, 6}), note)


def _median_range(values: pd.Series, digits: int) -> str:
    known = values.dropna().astype(float)
    if known.empty:
        return plots.DASH
    middle, low, high = known.median(), known.min(), known.max()
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def _butterfly(study: Study) -> FigureOrder:
    counts = study["event_counts"]
    terms = min(counts["term"].nunique(), 25)
    caption = (
        "Adverse events by term and highest grade of each patient: all of them, and those attributed to a drug of "
        "the study."
    )
    size = (5.0, max(1.4, 0.24 * (terms + 1)))
    return FigureOrder(
        "adverse_events", caption, size, lambda ax: plots.butterfly(counts, ax=ax), key="adverse_events"
    )
