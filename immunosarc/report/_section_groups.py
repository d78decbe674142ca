"""The feature, or who has it? What strata are worth, and what histology explains."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from immunosarc import plots
from immunosarc.report._section import Block, Grid, Part, Section, Text, count
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build"]

_SHOWN = 12


def build(study: Study) -> Section:
    """Return what strata are worth, the features that histology explains, and the leads without each histology."""
    parts = (*_sizes(study), *_explained(study), *_left_out(study), *_incidence(study))
    return Section("groups", "Histology and strata", "The feature, or who has it?", parts)


def _sizes(study: Study) -> Iterator[Block]:
    table = table_of(study, "strata_sizes")
    if table.empty:
        return
    words = (
        "Only patients of one stratum who differ in outcome can be compared. The effective n is the size of an "
        "even trial, half with the endpoint, that would say as much; for survival it is the number of events."
    )
    rows = [
        [
            plots.endpoint_label(str(row["endpoint"])),
            str(row["timepoint"]),
            "all"
            if row["stratum"] == "all"
            else f"{str(row['stratified_by']).replace('_', ' ')} {row['stratum']}",
            count(row["n"]),
            count(row["n_events"]),
            f"{row['n_effective']:.1f}",
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in table.iterrows()
    ]
    head = ["Endpoint", "Samples", "Stratum", "n", "Events", "Effective n", "Status"]
    grid = Grid("What each stratum is worth", head, rows, frozenset({3, 4, 5}))
    yield Part("How much each stratum says", (Text(words), grid))


def _explained(study: Study) -> Iterator[Block]:
    table = table_of(study, "explained_by_histology")
    if table.empty:
        return
    flagged = table["flagged"].astype(bool)
    words = (
        f"{int(flagged.sum())} of {len(table)} features (each timepoint on its own) differ between histologies "
        f"(p at most {plots.alpha_text(study.plan.alpha)}, of each feature alone), and less than half of what "
        "association they have is left within histologies: these data cannot tell such a feature from histology. "
        "The flag is no finding: most flagged features go with nothing at all, and small histologies show little."
    )
    shown = table.assign(_flag=~flagged).sort_values(["_flag", "p_value"], kind="stable").head(_SHOWN)
    rows = [
        [
            str(row["feature"]),
            str(row["timepoint"]),
            plots.endpoint_label(str(row["endpoint"])),
            f"{100 * row['eta_squared']:.0f}%" if pd.notna(row["eta_squared"]) else plots.DASH,
            plots.p_text(row["p_groups"]),
            _effect(row, "estimate"),
            f"{_effect(row, 'estimate_within')} ({count(row['n_within'])})",
            "only histology?" if row["flagged"] else "",
        ]
        for _, row in shown.iterrows()
    ]
    label = plots.measure(str(table["measure"].iloc[0])).label
    head = ["Feature", "Samples", "Endpoint", "Variance between histologies", "p of that"]
    head += [f"{label}, everybody", "Within histologies (n)", "Flag"]
    note = "All features are in tables/explained_by_histology.tsv."
    grid = Grid("Features and histology", head, rows, frozenset({3, 4, 5, 6}), note)
    yield Part("Is the marker only histology?", (Text(words), grid))


def _left_out(study: Study) -> Iterator[Block]:
    table = table_of(study, "without_histology")
    if table.empty:
        return
    rows = []
    for (timepoint, feature), part in table.groupby(["timepoint", "feature"], sort=False):
        whole = part[part["left_out"] == "nobody"].iloc[0]
        others = part[(part["left_out"] != "nobody") & part["estimate"].notna()]
        if others.empty or pd.isna(whole["estimate"]):
            continue
        how = plots.measure(str(whole["measure"]))
        neutral = 0.5 if str(whole["measure"]) == "auc" else 0.0
        weakest = others.loc[
            ((others["estimate"] - neutral) * (1 if whole["estimate"] >= neutral else -1)).idxmin()
        ]
        rows.append(
            [
                str(feature),
                str(timepoint),
                plots.interval_text(whole["estimate"], whole["conf_low"], whole["conf_high"], how=how),
                plots.interval_text(weakest["estimate"], weakest["conf_low"], weakest["conf_high"], how=how),
                str(weakest["left_out"]),
                f"{count(weakest['n'])} ({count(weakest['n_events'])})",
            ]
        )
    words = (
        "The features with the smallest p maxT of each panel, analyzed again without each histology in turn. "
        "Shown is the histology without which least is left: a finding that one histology carries falls with it."
    )
    head = ["Feature", "Samples", "Everybody [interval]", "At the least [interval]", "without", "n (events)"]
    note = "Every histology left out is in tables/without_histology.tsv."
    grid = Grid("Without each histology", head, rows, frozenset({2, 3, 5}), note)
    yield Part("Does one histology carry it?", (Text(words), grid))


def _incidence(study: Study) -> Iterator[Block]:
    table = table_of(study, "progression_incidence")
    if table.empty or not table["n"].max():
        return
    words = (
        "Who dies without progression can progress no more. The two incidences and the share with neither "
        "add up to one (Aalen-Johansen)."
    )
    rows = [
        [
            "all"
            if row["stratum"] == "all"
            else f"{str(study.plan.strata or '').replace('_', ' ')} {row['stratum']}",
            str(row["event"]),
            count(row["day"]),
            f"{count(row['n_events'])} of {count(row['n'])}",
            plots.percent_text(row["incidence"], row["conf_low"], row["conf_high"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in table.iterrows()
    ]
    head = ["Patients", "Event", "By day", "Ever", "Incidence [interval]", "Status"]
    grid = Grid("Progression and death as competing risks", head, rows, frozenset({2, 3, 4}))
    yield Part("Progression, or death before it", (Text(words), grid))


def _effect(row: pd.Series, name: str) -> str:
    if pd.isna(row[name]):
        return plots.DASH
    return plots.measure(str(row["measure"])).text(row[name])
