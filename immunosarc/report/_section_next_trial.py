"""Whom the next trial would select, how many that takes, and what the choice of the rate to beat decides."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots
from immunosarc.report._section import Block, FigureOrder, Grid, Section, Text, count
from immunosarc.report._select import table_of
from immunosarc.study import NextTrial, Study

__all__ = ["build"]

_ROW, _TOP = 0.24, 1.3


def build(study: Study) -> Section:
    """Return the candidate trials, and this trial's counts against every historical rate."""
    blocks = (*_candidates(study), *_controls(study))
    return Section("next_trial", "Next trial", "The next trial: whom, how many, against what", blocks)


def _candidates(study: Study) -> Iterator[Block]:
    table = table_of(study, "next_trial")
    if table.empty:
        return
    asked = getattr(study.plan, "next_trial", None) or NextTrial()
    yield Text(_words(study, table, asked))
    size = (4.2, _TOP + _ROW * len(table))

    def hand(ax: Axes) -> Axes:
        return plots.next_trial(table, ax=ax)

    caption = (
        "Rate to expect in the selected (dot, 95% interval) against the rate to beat (red). The open mark is "
        "the rate as seen in the patients who suggested the rule. A rule whose expected rate equals that of "
        "all patients only costs screening."
    )
    yield FigureOrder("next_trial", caption, size, hand, key="next_trial")
    yield _grid(table)


def _words(study: Study, table: pd.DataFrame, asked: NextTrial) -> str:
    named = str(table["endpoint"].iloc[0])
    endpoint = plots.endpoint_label(named)
    rates = sorted(set(table["p0"]))
    stated = asked.p0 or asked.controls != "none" or named in study.plan.null_rates
    beat = " or ".join(f"{100 * rate:.1f}%" for rate in rates)
    source = "" if stated else " (the rate of all patients here: no historical rate is declared)"
    mix = "histologies as here" if not asked.mix else f"histologies weighed to {_mix(asked)}"
    return (
        f"Sized for {endpoint.lower()}, to beat {beat}{source}, one-sided type-I error {asked.alpha:g}, power "
        f"{asked.power:g}; {100 * asked.dropout:.0f}% of selected patients lost, {mix}. The rate in the "
        "selected comes from the effect left after shrinkage and not from the rate as seen, which is too good. "
        "Power supposes that rate; assurance averages over what it may be, and is the honest chance of "
        "success. A very small trial says little of safety, whatever its error rates."
    )


def _mix(asked: NextTrial) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in asked.mix.items())


def _grid(table: pd.DataFrame) -> Grid:
    rows = [
        [
            str(row["rule"]),
            f"{100 * row['p0']:.1f}%",
            f"{count(row['responders_here'])}/{count(row['n_here'])}",
            plots.percent_text(row["prevalence"], row["prevalence_low"], row["prevalence_high"]),
            plots.percent_text(row["rate"], row["rate_low"], row["rate_high"]),
            str(row["source"]),
            count(row["n"]),
            count(row["r"]),
            plots.DASH if pd.isna(row["screened"]) else f"{count(row['screened'])} ({count(row['screened_90'])})",
            _share(row["alpha"]),
            _share(row["power"]),
            _share(row["assurance"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in table.iterrows()
    ]
    head = ["Who is selected", "To beat", "As seen", "Prevalence", "Expected rate", "From", "Treated"]
    head += ["Success above", "Screened (90% sure)", "Type I", "Power", "Assurance", "Remark"]
    note = "Published effects enter as contrasts widened by what trials differ in; their rates are never used."
    return Grid("Candidate trials", head, rows, frozenset({1, 2, 3, 4, 6, 7, 8, 9, 10, 11}), note)


def _share(value: float) -> str:
    return plots.DASH if pd.isna(value) else f"{value:.3f}"


def _controls(study: Study) -> Iterator[Block]:
    table = table_of(study, "historical_controls")
    for endpoint, rows in table.groupby("endpoint", sort=False):
        yield Text(_verdict(rows))

        def hand(ax: Axes, rows: pd.DataFrame = rows) -> Axes:
            return plots.historical_controls(rows, ax=ax)

        label = plots.endpoint_label(str(endpoint))
        caption = f"{label} of this trial against each rate: filled marks are beaten."
        size = (4.2, _TOP + _ROW * len(rows))
        yield FigureOrder(f"historical_controls_{endpoint}", caption, size, hand, key=str(endpoint))
    if len(table):
        yield _control_grid(table)


def _verdict(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    beaten = int(rows["superior"].sum())
    label = plots.endpoint_label(str(first["endpoint"]))
    seen = f"{first['x']:.0f} of {first['n']:.0f} patients ({100 * first['rate']:.1f}%)"
    if 0 < beaten < len(rows):
        says = f"{beaten} of {len(rows)} rates are beaten: the choice of the control decides the conclusion"
    else:
        says = "every rate is beaten" if beaten else "no rate is beaten"
    return (
        f"{label}: {seen}. Exact one-sided test at {first['alpha']:g}: {says}. Any rate below "
        f"{100 * first['break_even']:.1f}% would be beaten, any above would not."
    )


def _control_grid(table: pd.DataFrame) -> Grid:
    rows = [
        [
            plots.endpoint_label(str(row["endpoint"])),
            str(row["control"]),
            f"{100 * row['p0']:.1f}%",
            f"{count(row['x'])}/{count(row['n'])}",
            plots.p_text(row["p_value"]),
            "yes" if row["superior"] else "no",
            count(row["n_next"]),
            str(row["evidence"]),
            "" if pd.isna(row["citation"]) else str(row["citation"]),
        ]
        for _, row in table.iterrows()
    ]
    head = [
        "Endpoint",
        "Control",
        "Rate",
        "Here",
        "One-sided p",
        "Beaten",
        "Next trial",
        "Known",
        "Source",
    ]
    gain = f"{100 * table['gain'].iloc[0]:.0f}"
    note = (
        f"Next trial: patients of an exact single-stage trial that finds {gain} points more than the control. "
        "V: read in a public copy, C: computed from published numbers. Line of therapy, histologies and the "
        "definition of six months differ between trials; one look is supposed, a two-stage trial's own p is "
        "under Definitions."
    )
    return Grid("Against every historical rate", head, rows, frozenset({2, 3, 4, 6}), note)
