"""Which features go with the outcome: an overview of the families, then each family."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from immunosarc import plots, schema
from immunosarc.report._section import FigureOrder, Grid, Part, Section, Text, cell, count
from immunosarc.report._select import FEATURES_SHOWN, families, table_of
from immunosarc.study import Study

__all__ = ["build"]

_VOLCANO_FROM = 5


def build(study: Study) -> Section:
    """Return the overview and a part for each family."""
    looked = table_of(study, "associations")["family"].nunique()
    lead = Text(
        f"{looked} {'family was' if looked == 1 else 'families were'} looked at. A family is one timepoint, one "
        "endpoint, one model and one panel of features; p maxT and q count the features within it, not the other "
        "families. A p-value of one feature alone is never shown by itself."
    )
    shrunken = table_of(study, "shrinkage")
    parts = [_family(part, name, _of_family(shrunken, name)) for name, part in families(study)]
    title = "Which features go with the outcome"
    return Section("association", "Associations", title, (lead, _overview(study), *_card(study), *parts))


def _overview(study: Study) -> Grid:
    """One row per family: how many tests, and the smallest p after counting them."""
    rows = []
    for name, part in families(study):
        below = int(schema.significant(part).sum())
        rows.append(
            [
                name,
                plots.family_title(part) + (f"; {plots.CONDITIONAL}" if plots.family_condition(part) else ""),
                f"{len(part)}",
                f"{part['p_value'].notna().sum()}",
                count(part["n"].max()),
                count(part["n_events"].max()),
                plots.p_text(part["p_maxt"].min()),
                f"{below}",
            ]
        )
    head = ["Family", "Question", "Features", "Estimable", "n", "Events", "Smallest p maxT"]
    head += [f"Below {plots.alpha_text(study.plan.alpha)}"]
    return Grid("Families of associations", head, rows, frozenset(range(2, 8)))


def _card(study: Study) -> Iterator[Part]:
    """One row per family: what it could have found."""
    table = table_of(study, "detectability")
    if table.empty:
        return
    alpha = plots.alpha_text(study.plan.alpha)
    plain = (table["alternative"] == "two-sided").all()
    sides = "both sides" if plain else "on the stated side where the features have one, as the effect says"
    words = (
        "From patients, events, strata and the panel's own correlation, never from an effect seen. Detectable "
        f"is the effect of a typical feature that passes the family's threshold (alpha {alpha}, {sides}) with "
        "80% and 90% power. By chance the best of the panel reaches the next two, in every second trial and in a "
        "share alpha of trials. If the truth is half of what 80% power detects, a discovery has the wrong sign "
        "with probability type S and is exaggerated type M times."
    )
    rows = [_card_row(str(name), part) for name, part in table.groupby("family", sort=False)]
    head = ["Family", "n (events)", "Effect", "Detectable, 80%", "90%", "Best by chance, 1 trial in 2"]
    head += [f"in {study.plan.alpha:.0%}", "Power at half", "Type S", "Type M"]
    note = "Thresholds and the errors at 80% and 90% power are in tables/detectability.tsv."
    grid = Grid("What each family could have found", head, rows, frozenset(range(3, 10)), note)
    yield Part("What could have been found", (Text(words), grid))


def _card_row(name: str, part: pd.DataFrame) -> list[str]:
    first = part.iloc[0]
    effect = plots.measure(str(first["measure"])).label
    if first["alternative"] != "two-sided":
        effect += f" ({first['alternative']})"
    who = [name, f"{count(first['n'])} ({count(first['n_events'])})", effect]
    if len(part) == 1:  # nothing could be permuted
        return [*who, *[plots.DASH] * 7]
    how = plots.measure(str(first["measure"]))
    effects = [part["effect"].iloc[row] for row in (0, 1, 3, 4)]
    if first["alternative"] == "less":  # the table holds sizes; here is the side that was stated
        effects = [2 * (0.0 if how.ratio else how.null) - x for x in effects]
    half = part.iloc[2]
    errors = [
        plots.DASH if pd.isna(half[column]) else f"{half[column]:{form}}"
        for column, form in (("power", ".0%"), ("type_s", ".1%"), ("type_m", ".1f"))
    ]
    return [*who, *(plots.DASH if pd.isna(x) else how.text(x) for x in effects), *errors]


def _of_family(shrunken: pd.DataFrame, family: str) -> pd.Series:
    """Return the shrunken effect of each feature of a family; none where effects have no common scale."""
    if shrunken.empty:
        return pd.Series(dtype=float)
    return shrunken[shrunken["family"] == family].set_index("feature")["shrunken"]


def _family(part: pd.DataFrame, name: str, shrunken: pd.Series) -> Part:
    panel = f", panel {name.rsplit('/', 1)[-1]}" if "/" in name else ""
    title = plots.family_title(part)
    return Part(
        title + panel,
        (*_figures(part, name, title), _rows(part, name, title + panel, shrunken)),
        under=f"Family {name}",
        condition=plots.family_condition(part),
    )


def _figures(part: pd.DataFrame, family: str, about: str) -> Iterator[FigureOrder]:
    def forest(ax: Axes) -> Axes:
        return plots.forest(part, ax=ax, top=FEATURES_SHOWN)

    def volcano(ax: Axes) -> Axes:
        return plots.volcano(part, ax=ax)

    shown = min(len(part), FEATURES_SHOWN)
    caption = f"Forest plot. {about}, family {family}: the features with the smallest family-wise p."
    yield FigureOrder(f"forest_{family}", caption, (4.6, 0.24 * (shown + 0.6)), forest, key=family)
    if part["p_value"].notna().sum() >= _VOLCANO_FROM:
        caption = f"Volcano plot. {about}, family {family}: every feature, and how high the best of noise gets."
        yield FigureOrder(f"volcano_{family}", caption, (6.4, 3.8), volcano, key=family)


def _rows(part: pd.DataFrame, name: str, title: str, shrunken: pd.Series) -> Grid:
    shown = part.assign(_hopeless=part["estimate"].isna())
    shown = shown.sort_values(["_hopeless", "p_maxt", "p_value"], kind="stable", na_position="last")
    rows = [_association(row, shrunken) for _, row in shown.head(FEATURES_SHOWN).iterrows()]
    left = len(part) - len(rows)
    note = f"{left} more in tables/associations.tsv, family {name}." if left else ""
    label = plots.measure(str(part["measure"].iloc[0])).label
    head = ["Feature", "Scored as", "n (events)", f"{label} [interval]", "Shrunken", "p maxT", "q", "Detectable"]
    head += ["Stamp", "Status"]
    return Grid(title, head, rows, frozenset({2, 3, 4, 5, 6, 7}), note)


def _association(row: pd.Series, shrunken: pd.Series) -> list[str]:
    how = plots.measure(str(row["measure"]))
    return [
        str(row["feature"]),
        cell(row["scoring"]),
        f"{count(row['n'])} ({count(row['n_events'])})",
        plots.interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how),
        how.text(shrunken[row["feature"]]) if pd.notna(shrunken.get(row["feature"])) else plots.DASH,
        plots.p_text(row["p_maxt"]),
        plots.p_text(row["q_value"]),
        plots.DASH if pd.isna(row["detectable_80"]) else how.text(row["detectable_80"]),
        str(row["stamp"]),
        "" if row["status"] == "ok" else str(row["status"]),
    ]
