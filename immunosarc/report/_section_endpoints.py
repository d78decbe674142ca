"""Endpoints: rates with their intervals, medians, and the survival curves."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots, schema
from immunosarc.report._section import FigureOrder, Grid, Section, Text, count
from immunosarc.report._select import with_named_strata
from immunosarc.study import Study

__all__ = ["build", "build_survival"]


def build(study: Study) -> Section:
    """Return rates and medians."""
    return Section("endpoints", "Endpoints", "Endpoints", (_rates(study), _summary(study)))


def build_survival(study: Study) -> Section:
    """Return the survival curves."""
    curves = tuple(_curves(study)) or (Text("No survival time was recorded."),)
    return Section("survival", "Survival", "Survival", curves)


def _rates(study: Study) -> FigureOrder:
    summary = with_named_strata(study, "summary")
    rows = int((summary["unit"] == "proportion").sum())
    caption = "Rates with their confidence intervals; at the right patients with the endpoint of patients known."
    size = (4.6, max(1.2, 0.27 * (rows + 1)))
    return FigureOrder("rates", caption, size, lambda ax: plots.rates(summary, ax=ax), key="rates")


def _curves(study: Study) -> Iterator[FigureOrder]:
    curves = with_named_strata(study, "survival")
    for endpoint in curves["endpoint"].unique():
        mine = curves[curves["endpoint"] == endpoint]
        whole = mine["stratum"] == "all"
        for part, by in ((mine[whole], ""), (mine[~whole], "_by_stratum")):
            if part.empty:
                continue
            label = schema.ENDPOINTS[endpoint].label
            caption = (
                f"{label} by Kaplan-Meier{' in each stratum' if by else ''}, with log-log intervals; ticks are "
                "censored patients; below the axis patients at risk."
            )

            def hand(ax: Axes, part: pd.DataFrame = part, endpoint: str = endpoint) -> Axes:
                return plots.kaplan_meier(part, endpoint=endpoint, ax=ax)

            yield FigureOrder(f"kaplan_meier_{endpoint}{by}", caption, (7.4, 3.6), hand, key=endpoint)


def _summary(study: Study) -> Grid:
    rows = [
        [
            plots.endpoint_label(str(row["measure"])),
            str(row["stratum"]),
            str(row["population"]),
            _with_it(row),
            count(row["n"]),
            _estimate(row),
            str(row["method"]),
            plots.DASH if pd.isna(row["null_value"]) else f"{100 * row['null_value']:.1f}%",
            plots.p_text(row["p_value"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in with_named_strata(study, "summary").iterrows()
    ]
    head = ["Endpoint", "Stratum", "Population", "With it", "of n", "Estimate [interval]", "Method"]
    head += ["Compared with", "One-sided p", "Status"]
    return Grid("Endpoint summary", head, rows, frozenset({3, 4, 5, 7, 8}))


def _with_it(row: pd.Series) -> str:
    """Patients with the endpoint; of a Kaplan-Meier curve the events, which are those *without* it."""
    events = count(row["n_events"])
    return f"{events} events" if str(row["method"]).startswith("Kaplan-Meier") and row["n"] > 0 else events


def _estimate(row: pd.Series) -> str:
    if row["unit"] == "proportion":
        return plots.percent_text(row["estimate"], row["conf_low"], row["conf_high"])
    if pd.isna(row["estimate"]) and pd.isna(row["conf_low"]):
        return "not reached" if row["n"] > 0 else plots.DASH
    values = ["not reached" if pd.isna(row[x]) else f"{row[x]:.1f}" for x in ("estimate", "conf_low", "conf_high")]
    return f"{values[0]} months [{values[1]}, {values[2]}]"
