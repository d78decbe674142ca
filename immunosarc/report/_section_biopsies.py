"""Two biopsies of a patient: influx or loss of tumor, cold to hot, shift, and for whom it speaks."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from immunosarc import plots
from immunosarc.report._section import Block, Grid, Part, Section, Text, cell, count
from immunosarc.report._select import FEATURES_SHOWN, table_of
from immunosarc.study import Study

__all__ = ["build"]


def build(study: Study) -> Section:
    """Return a part for each question that the study has rows for."""
    answers = (*_influx(study), *_transitions(study), *_shift(study), *_responders(study))
    parts = (*answers, *_progression(study), *_course(study), *_biopsied(study))
    return Section("biopsies", "Two biopsies", "What two biopsies of a patient say", parts)


def _influx(study: Study) -> Iterator[Block]:
    table = table_of(study, "adjusted_changes")
    if table.empty:
        return
    against = table.loc[table["adjustment"] == "balance", "against"].dropna()
    words = (
        "Where doxorubicin kills tumor cells, every immune score rises with no immune cell coming in. A balance "
        "takes that off: the feature minus the mean of the other immune scores of the same biopsy. It shows which "
        "immune cells gained on the others; if all came in alike it shows nothing. Every row is the change of a "
        "patient who began at the average of everybody measured before and was biopsied twice at one site on the "
        "mean day; what a low start alone would bring is beside it."
    )
    if table["adjustment"].ne("purity").all():
        words += (
            " The tumor purity of these biopsies is not known, so an influx of all immune cells cannot be seen."
        )
    rows = [
        [
            str(row["feature"]),
            "every pair" if row["group"] == "all" else str(row["group"]),
            _ADJUSTMENTS[str(row["adjustment"])],
            count(row["n"]),
            _interval(row, "estimate"),
            plots.signed_text(row["regression_to_mean"]),
            plots.p_text(row["p_maxt"]),
            plots.p_text(row["q_value"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in table.iterrows()
    ]
    head = [
        "Feature",
        "Group",
        "Taken off",
        "Pairs",
        "Change [interval], log2",
        "By the start alone",
        "p maxT",
        "q",
    ]
    note = f"Balance against the {against.iloc[0]}." if len(against) else ""
    note += f" Covariates: {table['adjusted_for'].iloc[0]}."
    grid = Grid("Change beyond loss of tumor", [*head, "Status"], rows, frozenset({3, 4, 5, 6, 7}), note.strip())
    yield Part("Influx of immune cells, or loss of tumor?", (Text(words), grid))


_ADJUSTMENTS = {"none": "nothing", "balance": "the other immune scores", "purity": "tumor purity"}


def _transitions(study: Study) -> Iterator[Block]:
    table = table_of(study, "transitions")
    if table.empty:
        return
    first = table.iloc[0]
    if first["status"] != "ok":
        yield Part("From cold to hot?", (Text(f"No answer: {first['status']}."),))
        return
    words = (
        f"Classes of scheme {first['scheme']} on an axis frozen from this cohort's own samples before treatment "
        f"({first['reference']}): cold and hot are low and high among these patients, not among all sarcomas. "
        "Exact test that classes are as frequent after as before: p "
        f"{plots.p_text(first['p_exact'])}; that as many tumors moved up as down the scale: p "
        f"{plots.p_text(first['p_trend'])}. Both are of one question and not corrected for others. The share is "
        "the posterior mean with its credible interval; expected counts each patient by how sure the classes are."
    )
    rows = [
        [
            str(row["from_class"]),
            str(row["to_class"]),
            f"{count(row['n'])} of {count(row['n_from'])}",
            plots.DASH if pd.isna(row["expected"]) else f"{row['expected']:.1f}",
            plots.percent_text(row["share"], row["conf_low"], row["conf_high"]),
        ]
        for _, row in table.iterrows()
    ]
    head = ["Before", "After", "Patients", "Expected", "Share of the class before [interval]"]
    yield Part(
        "From cold to hot?",
        (Text(words), Grid("Moves between classes", head, rows, frozenset({2, 3, 4})), *_patients(study)),
    )


def _patients(study: Study) -> Iterator[Grid]:
    table = table_of(study, "class_changes")
    known = table[table["status"] == "ok"] if len(table) else table
    if known.empty:
        return
    ranked = known.sort_values("probability", ascending=False, kind="stable", na_position="last")
    rows = [
        [
            str(row["patient_id"]),
            cell(row["class_before"]),
            cell(row["class_after"]),
            _probability(row["probability"]),
        ]
        for _, row in ranked.iterrows()
    ]
    head = ["Patient", "Before", "After", "Probability of cold to hot"]
    yield Grid("Class of each patient", head, rows, frozenset({3}))


def _probability(value: float) -> str:
    if pd.isna(value):
        return plots.DASH
    return "< 0.01" if value < 0.005 else f"{value:.2f}"


def _shift(study: Study) -> Iterator[Block]:
    table = table_of(study, "shift")
    known = table[table["shift"].notna()] if len(table) else table
    if known.empty:
        return
    meaning = str(known["error_from"].iloc[0])
    words = (
        f"Mean change of {count(known['n_components'].max())} components of immunogenicity in standard deviations "
        "of all patients before; above zero is more visible to the immune system. The interval stands for the "
        f"{meaning}"
    )
    words += (
        ": it shows whether they say the same, not what another piece of the tumor would have said."
        if meaning.startswith("agreement")
        else "."
    )
    rows = [
        [str(row["patient_id"]), count(row["n_components"]), _interval(row, "shift")]
        for _, row in known.sort_values("shift", ascending=False, kind="stable").iterrows()
    ]
    grid = Grid("Immunogenicity shift", ["Patient", "Components", "Shift [interval]"], rows, frozenset({1, 2}))
    yield Part("Immunogenicity shift of each patient", (Text(words), grid))


def _responders(study: Study) -> Iterator[Block]:
    table = table_of(study, "change_by_response")
    if table.empty:
        return
    shown = table.sort_values("q_value", kind="stable", na_position="last").head(FEATURES_SHOWN)
    rows = [
        [
            str(row["feature"]),
            str(row["panel"]),
            f"{count(row['n'])} ({count(row['n_responders'])})",
            _interval(row, "estimate"),
            plots.p_text(row["q_value"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in shown.iterrows()
    ]
    words = (
        "Analysis of covariance: how much higher responders end than others who began alike, in units of the "
        "feature. Comparing raw changes instead would mistake regression to the mean for an effect."
    )
    head = ["Feature", "Panel", "Pairs (responders)", "Surplus of responders [interval]", "q", "Status"]
    left = len(table) - len(shown)
    note = f"{left} more in tables/change_by_response.tsv." if left else ""
    grid = Grid("Change by response, given the start", head, rows, frozenset({2, 3, 4}), note)
    yield Part("Did responders change more?", (Text(words), grid))


def _progression(study: Study) -> Iterator[Block]:
    table = table_of(study, "progression_changes")
    if table.empty:
        return
    shown = (
        table[table["group"] == "all"]
        .sort_values("p_maxt", kind="stable", na_position="last")
        .head(FEATURES_SHOWN)
    )
    rows = [
        [
            str(row["feature"]),
            count(row["n"]),
            _interval(row, "hodges_lehmann"),
            plots.p_text(row["p_maxt"]),
            plots.p_text(row["q_value"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in shown.iterrows()
    ]
    head = ["Feature", "Pairs", "Shift to progression [interval]", "p maxT", "q", "Status"]
    note = "By response group in tables/progression_changes.tsv."
    grid = Grid("Change from before treatment to progression", head, rows, frozenset({1, 2, 3, 4}), note)
    yield Part("What resistance looks like: biopsies at progression", (grid,))


def _course(study: Study) -> Iterator[Block]:
    table = table_of(study, "feature_course")
    if table.empty:
        return
    shown = table.sort_values("q_value", kind="stable", na_position="last").head(FEATURES_SHOWN)
    rows = [
        [
            str(row["feature"]),
            f"{row['before']} to {row['after']}",
            f"{count(row['n_patients'])} ({count(row['n_samples'])})",
            _interval(row, "estimate"),
            plots.p_text(row["q_value"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in shown.iterrows()
    ]
    head = ["Feature", "Time", "Patients (samples)", "Difference [interval]", "q", "Status"]
    note = "All features are in tables/feature_course.tsv."
    yield Part(
        "All timepoints together, by a mixed model",
        (Grid("Course of each feature", head, rows, frozenset({2, 3, 4}), note),),
    )


def _biopsied(study: Study) -> Iterator[Block]:
    table = table_of(study, "biopsied")
    if table.empty:
        return
    sizes = f"{count(table['n_with'].max())} patients with and {count(table['n_without'].max())} without"
    lowest = table["p_maxt"].min()
    words = (
        f"All of this speaks of patients who were biopsied twice. Before treatment, {sizes} a later biopsy "
        f"were compared in {len(table)} features; the smallest p maxT is {plots.p_text(lowest)}. "
    )
    if lowest < study.plan.alpha:
        words += "They differ: what the second biopsies show may not hold for the patients without one."
    else:
        words += "With so few without a biopsy, no difference seen is no proof that there is none."
    shown = table.sort_values(["p_maxt", "p_value"], kind="stable", na_position="last").head(8)
    rows = [
        [
            str(row["feature"]),
            f"{count(row['n_with'])} / {count(row['n_without'])}",
            _auc(row),
            plots.p_text(row["p_maxt"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in shown.iterrows()
    ]
    head = ["Feature before treatment", "With / without", "AUC [interval]", "p maxT", "Status"]
    note = f"{len(table) - len(shown)} more in tables/biopsied.tsv." if len(table) > len(shown) else ""
    grid = Grid("Baseline of patients with and without a later biopsy", head, rows, frozenset({1, 2, 3}), note)
    yield Part("For whom does this speak?", (Text(words), grid))


def _interval(row: pd.Series, name: str) -> str:
    if pd.isna(row[name]):
        return plots.DASH
    value, low, high = (plots.signed_text(row[one]) for one in (name, "conf_low", "conf_high"))
    return f"{value} [{low}, {high}]"


def _auc(row: pd.Series) -> str:
    if pd.isna(row["auc"]):
        return plots.DASH
    return f"{row['auc']:.2f} [{row['conf_low']:.2f}, {row['conf_high']:.2f}]"
