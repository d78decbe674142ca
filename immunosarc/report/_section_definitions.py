"""Who counts for which number, and what the numbers depend on: threshold, estimator, follow-up, first look."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from immunosarc import plots
from immunosarc.report._section import Block, Grid, Part, Section, cell, count
from immunosarc.report._select import with_named_strata
from immunosarc.study import Study

__all__ = ["build"]


def build(study: Study) -> Section:
    """Return populations, the sensitivity of progression-free survival, follow-up and two-stage inference."""
    title = "Who counts, and what the numbers depend on"
    return Section("definitions", "Definitions", title, tuple(_blocks(study)))


def _blocks(study: Study) -> Iterator[Block]:
    if "populations" in study.tables:
        yield _part(_populations(study))
    if "two_stage" in study.tables:
        yield _part(_two_stage(study))
    if "pfs_sensitivity" in study.tables and study["pfs_sensitivity"]["n"].sum() > 0:
        yield _part(_sensitivity(study))
    if "follow_up" in study.tables and study["follow_up"]["n"].sum() > 0:
        yield _part(_follow_up(study))


def _part(grid: Grid) -> Part:
    return Part(grid.label, (grid,))


def _populations(study: Study) -> Grid:
    rows = [
        [
            str(row["population"]),
            str(row["stratum"]),
            str(row["definition"]),
            count(row["n"]),
            count(row["n_left_out"]),
            cell(row["reasons"]),
        ]
        for _, row in with_named_strata(study, "populations").iterrows()
    ]
    head = ["Population", "Stratum", "Who belongs to it", "Patients", "Left out", "Why (patients)"]
    return Grid("Populations", head, rows, frozenset({3, 4}))


def _two_stage(study: Study) -> Grid:
    rows = [
        [
            plots.endpoint_label(str(row["measure"]).removesuffix("_two_stage")),
            str(row["method"]),
            count(row["n_events"]),
            count(row["n"]),
            plots.percent_text(row["estimate"], row["conf_low"], row["conf_high"]),
            f"{100 * row['null_value']:.1f}%",
            plots.p_text(row["p_value"]),
            _remark(row),
        ]
        for _, row in study["two_stage"].iterrows()
    ]
    head = [
        "Endpoint",
        "Method",
        "With it",
        "of n",
        "Estimate [interval]",
        "Compared with",
        "One-sided p",
        "Status",
    ]
    design = getattr(study.plan, "two_stage", None)
    note = "A trial that may stop after its first stage gives a plain rate that is too low on average."
    if design is not None:
        note += (
            f" The design: stop with at most {design.r1} of {design.n1}; success with more than {design.r} of "
            f"{design.n}."
        )
    return Grid("After the two-stage design", head, rows, frozenset({2, 3, 4, 5, 6}), note)


def _sensitivity(study: Study) -> Grid:
    rows = [
        [
            f"{row['threshold']} ({row['t_days']:g} days)",
            str(row["stratum"]),
            str(row["method"]),
            count(row["n_free"]),
            count(row["n_failed"]),
            count(row["n_unknown"]),
            plots.percent_text(row["estimate"], row["conf_low"], row["conf_high"]),
            _remark(row),
        ]
        for _, row in with_named_strata(study, "pfs_sensitivity").iterrows()
    ]
    head = ["Threshold", "Stratum", "Method", "Free of progression", "Progressed or died", "Censored before"]
    note = "Scan days decide whom a shift of the threshold moves; estimators differ when anyone is censored."
    head += ["Estimate [interval]", "Status"]
    return Grid("Progression-free at six months, by every definition", head, rows, frozenset({3, 4, 5, 6}), note)


def _follow_up(study: Study) -> Grid:
    rows = [
        [
            _measure(str(row["measure"])),
            str(row["stratum"]),
            str(row["method"]),
            count(row["n"]),
            _months(row),
            _remark(row),
        ]
        for _, row in with_named_strata(study, "follow_up").iterrows()
    ]
    head = ["Measure", "Stratum", "Method", "Patients", "Months [interval]", "Status"]
    return Grid("Follow-up and restricted mean survival", head, rows, frozenset({3, 4}))


def _measure(name: str) -> str:
    words = {"median_follow_up_": "Median follow-up, ", "restricted_mean_": "Restricted mean, "}
    start = next((one for one in words if name.startswith(one)), "")
    endpoint = plots.endpoint_label(name.removeprefix(start))
    return words[start] + endpoint[:1].lower() + endpoint[1:] if start else name


def _months(row: pd.Series) -> str:
    if pd.isna(row["estimate"]) and pd.isna(row["conf_low"]):
        return plots.DASH
    values = [plots.DASH if pd.isna(row[x]) else f"{row[x]:.1f}" for x in ("estimate", "conf_low", "conf_high")]
    return f"{values[0]} [{values[1]}, {values[2]}]"


def _remark(row: pd.Series) -> str:
    return "" if row["status"] == "ok" else str(row["status"])
