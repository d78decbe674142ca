"""The sections of a page on one plan in several cohorts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots
from immunosarc.report._section import Block, FigureOrder, Grid, Part, Section, Text, cell, count
from immunosarc.study import Replication

__all__ = ["replication_sections"]

_DRAWN = 12
"""Questions that get a figure and a part of their own."""
_LISTED = 40
_KEY = ["family", "feature"]


def replication_sections(found: Replication, about: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the answer, each leading question, the cohorts and the methods.

    Parameters
    ----------
    found : Replication
        From :func:`immunosarc.replicate`.
    about : mapping
        ``cohorts``: name -> provenance; ``arguments``.
    """
    keyed = found.pooled.assign(_alone=found.pooled["status"] != "ok")
    ranked = keyed.sort_values(["_alone", "p_value", *_KEY], kind="stable", na_position="last")
    leading = found.pooled if len(found.pooled) <= _DRAWN else ranked.head(_DRAWN)
    parts = tuple(_question(found, row) for _, row in leading.iterrows())
    chosen = "" if len(parts) == len(found.pooled) else f"The {len(parts)} questions with the smallest pooled p. "
    lead = Text(
        f"{chosen}The first cohort is the original; each other one is compared with it. A Bayes factor above 1 "
        "speaks for the original's effect, below 1 for none; between 1/3 and 3 it says little."
    )
    sections = (
        Section("answer", "The answer", "What the cohorts say together", _answer(found, ranked), emphasis=True),
        Section("questions", "Cohort by cohort", "Cohort by cohort", (lead, *parts) if parts else ()),
        Section("cohorts", "Cohorts", "The cohorts", tuple(_cohorts(found, about))),
        Section("methods", "Methods", "How it was computed", _methods(about)),
    )
    return tuple(section for section in sections if section.blocks)


def _answer(found: Replication, ranked: pd.DataFrame) -> tuple[Block, ...]:
    if ranked.empty:
        return (Text("No question has an effect in any cohort."),)
    names = list(dict.fromkeys(found.effects["cohort"]))
    whole = ranked[ranked["status"] == "ok"]
    apart = int(((whole["conf_low"] > 0) | (whole["conf_high"] < 0)).sum())
    ahead = whole[whole["predict_low"].notna()]
    same_sign = int(((ahead["predict_low"] > 0) | (ahead["predict_high"] < 0)).sum())
    scatter = int((whole["q_p_value"] < 0.1).sum())
    words = (
        f"{len(names)} cohorts ({', '.join(names)}) were asked {plots.counted(len(ranked), 'question')}; "
        f"{len(whole)} can be pooled over two or more. The interval of the average effect excludes no association "
        f"in {apart}; heterogeneity shows (p below .10) in {scatter}. {_ahead_words(ahead, same_sign)} Every "
        "result here is exploratory."
    )
    head = ["Question", "Cohorts", "n (events)", "Ratio per SD [interval]", "p (q)"]
    head += ["A new cohort", "What that says", "Same direction"]
    rows = [_pooled_row(row) for _, row in ranked.head(_LISTED).iterrows()]
    left = len(ranked) - len(rows)
    note = "Ordered by p; q is Benjamini-Hochberg's within the question's family." + (
        f" {left:,} more are in tables/pooled_effects.tsv." if left else ""
    )
    grid = Grid("Pooled effects", head, rows, frozenset({1, 2, 3, 4, 5}), note)
    return (Text(words), grid)


def _ahead_words(ahead: pd.DataFrame, same_sign: int) -> str:
    if ahead.empty:
        return "With fewer than three cohorts nothing can be said of a new one."
    few = int(ahead["prediction"].str.startswith("uninformative").sum())
    words = f"In {same_sign} of {len(ahead)} a new cohort is expected on one side of no effect."
    if few:
        words += f" {'All' if few == len(ahead) else few} of these prediction intervals are uninformative: so few "
        words += "cohorts say little of how much cohorts differ."
    return words


def _pooled_row(row: pd.Series) -> list[str]:
    how = plots.measure(str(row["measure"]))
    pooled = row["status"] == "ok"
    return [
        f"{row['feature']}: {str(row['family']).replace('/', ' / ').replace('_', ' ')}",
        count(row["n_cohorts"]),
        f"{count(row['n'])} ({count(row['n_events'])})",
        plots.interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how) if pooled else plots.DASH,
        f"{plots.p_text(row['p_value'])} ({plots.p_text(row['q_value'])})" if pooled else plots.DASH,
        _range(row["predict_low"], row["predict_high"], how),
        str(row["prediction"]).split(":", maxsplit=1)[0] if pooled else str(row["status"]),
        f"{count(row['n_same_direction'])} of {count(row['n_replications'])}",
    ]


def _range(low: float, high: float, how: plots.Measure) -> str:
    return plots.DASH if pd.isna(low) else f"[{how.text(low)}, {how.text(high)}]"


def _question(found: Replication, pooled: pd.Series) -> Part:
    effects, without = (_of(table, pooled) for table in (found.effects, found.without))
    how = plots.measure(str(pooled["measure"]))
    blocks: list[Block] = [Text(_verdict(effects, pooled, how)), _forest(effects, pooled), _each(effects, how)]
    if len(without) and pooled["status"] == "ok":
        blocks.append(_leave_one_out(without, how))
    return Part(f"{pooled['feature']}: {pooled['family']}", tuple(blocks))


def _of(table: pd.DataFrame, pooled: pd.Series) -> pd.DataFrame:
    return table[(table["family"] == pooled["family"]) & (table["feature"] == pooled["feature"])]


def _verdict(effects: pd.DataFrame, pooled: pd.Series, how: plots.Measure) -> str:
    """Direction, average, heterogeneity and prediction, in sentences that follow from the numbers by rule."""
    if pooled["status"] != "ok":
        return f"{str(pooled['status'])[:1].upper()}{str(pooled['status'])[1:]}."
    asked, same = int(pooled["n_replications"]), int(pooled["n_same_direction"])
    original = str(effects["cohort"].iloc[0])
    first = (
        f"{same} of {plots.counted(asked, 'replicating cohort')} {'points' if same == 1 else 'point'} where "
        f"{original} does."
        if asked
        else f"{original} has no effect to be replicated."
    )
    crosses = pooled["conf_low"] <= 0 <= pooled["conf_high"]
    average = plots.interval_text(pooled["estimate"], pooled["conf_low"], pooled["conf_high"], how=how)
    second = f"{how.label} over all: {average}; the interval {'includes' if crosses else 'excludes'} 1."
    third = f"Heterogeneity: tau {pooled['tau']:.2f}, p {plots.p_text(pooled['q_p_value'])}."
    if pd.isna(pooled["predict_low"]):
        return f"{first} {second} {third} Prediction interval: {pooled['prediction']}."
    ahead = _range(pooled["predict_low"], pooled["predict_high"], how)
    return f"{first} {second} {third} A new cohort: {ahead} ({pooled['prediction']})."


def _forest(effects: pd.DataFrame, pooled: pd.Series) -> FigureOrder:
    name = f"cohorts_{pooled['family']}_{pooled['feature']}"
    caption = (
        f"{pooled['feature']} ({pooled['family']}) in {len(effects)} cohorts: effect of each with its interval, "
        f"the average, and the prediction interval of a new cohort ({pooled['prediction']})."
    )
    size = (4.6, 0.9 + 0.3 * (len(effects) + 3))
    hand = partial(_draw, effects, pooled.to_frame().T.infer_objects())
    return FigureOrder(name, caption, size, hand, str(pooled["feature"]))


def _draw(effects: pd.DataFrame, pooled: pd.DataFrame, ax: Axes) -> object:
    return plots.cohort_forest(effects, pooled, ax=ax)


def _each(effects: pd.DataFrame, how: plots.Measure) -> Grid:
    rows = [
        [
            str(row["cohort"]),
            cell(row["scoring"]),
            f"{count(row['n'])} ({count(row['n_events'])})",
            plots.interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how),
            f"{100 * row['weight']:.0f}%",
            plots.p_text(row["p_maxt"]),
            plots.DASH if pd.isna(row["same_direction"]) else "yes" if row["same_direction"] else "no",
            plots.p_text(row["p_direction"]),
            plots.number_text(row["bayes_factor"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in effects.iterrows()
    ]
    head = ["Cohort", "Scored by", "n (events)", f"{how.label} [interval]", "Weight", "p maxT, alone"]
    head += ["Same direction", "p in that direction", "Bayes factor", "Status"]
    return Grid("Each cohort", head, rows, frozenset({2, 3, 4, 5, 7, 8}))


def _leave_one_out(without: pd.DataFrame, how: plots.Measure) -> Grid:
    rows = [
        [
            str(row["left_out"]),
            count(row["n_cohorts"]),
            f"{count(row['n'])} ({count(row['n_events'])})",
            plots.interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how),
            plots.p_text(row["p_value"]),
        ]
        for _, row in without.iterrows()
    ]
    head = ["Without", "Cohorts left", "n (events)", f"{how.label} [interval]", "p"]
    return Grid("Without each cohort", head, rows, frozenset({1, 2, 3, 4}), "The average without each cohort.")


def _cohorts(found: Replication, about: Mapping[str, Any]) -> Iterator[Block]:
    known = about.get("cohorts", {})
    rows = []
    for place, name in enumerate(dict.fromkeys(found.effects["cohort"])):
        said = known.get(name, {})
        rows.append(
            [
                str(name),
                "original" if place == 0 else "replication",
                str(said.get("title", "")),
                str(said.get("citation", "")),
                str(said.get("license", "")),
            ]
        )
    if rows:
        yield Grid("Cohorts", ["Cohort", "Part", "Title", "Citation", "License"], rows)


def _methods(about: Mapping[str, Any]) -> tuple[Block, ...]:
    plain = about.get("arguments", {}).get("interval") == "hartung_knapp"
    interval = (
        "Hartung and Knapp's interval (doi:10.1002/sim.791), which is too narrow when cohorts agree by chance"
        if plain
        else "Hartung and Knapp's interval (doi:10.1002/sim.791) with a variance ratio of at least 1 "
        "(doi:10.1186/s12874-015-0091-1), so that cohorts that agree by chance are not surer than their own "
        "errors; with few cohorts it errs on the wide side"
    )
    texts = (
        "The same plan was put to every cohort; effects are log ratios per standard deviation of the feature "
        "within its own cohort, shown as ratios. No patient stands in two cohorts: equal ids and equal "
        "measurements were looked for.",
        f"The average is that of a random-effects model (restricted maximum likelihood) with {interval}. The "
        "prediction interval allows for the uncertainty of the spread (doi:10.1177/0962280218773520); with fewer "
        "than five cohorts it is called uninformative. Cochran's Q tests heterogeneity.",
        "A replicating cohort points in the same direction when its effect has the sign of the original's; its p "
        "is one-sided. The replication Bayes factor compares the original's effect, with its uncertainty, to none "
        "(doi:10.1037/a0036731).",
    )
    return tuple(Text(text) for text in texts)
