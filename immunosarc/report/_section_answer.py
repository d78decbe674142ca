"""What a reader needs first: what this study can say, and what it cannot."""

from __future__ import annotations

import pandas as pd

from immunosarc import plots, schema
from immunosarc.report._section import Section, Text
from immunosarc.report._section_quality import loud
from immunosarc.report._select import families, table_of
from immunosarc.study import Study

__all__ = ["answer", "build"]

_NAMED = 5


def build(study: Study) -> Section:
    """Return the answer, set apart from the rest of the page."""
    sentences = tuple(Text(sentence) for sentence in answer(study))
    title = "What this study can and cannot say"
    return Section("answer", "What it can say", title, sentences, emphasis=True)


def answer(study: Study) -> list[str]:
    """Return the sentences a reader needs first, in order; each stands on rows of the tables."""
    sentences = [
        _patients(study),
        *loud(table_of(study, "qc")),
        _rate(study, "objective_response", "Objective response"),
        _rate(study, "pfs6", "Progression-free at six months"),
        _median(study),
        _looked_at(study),
        *_survivors(study),
        _changes(study),
        _detectable(study),
        f"Stamp: {study.stamp}. {study.stamp_reason.rstrip('.')}.",
    ]
    return [sentence for sentence in sentences if sentence]


def _patients(study: Study) -> str:
    cohort = study.cohort
    counts = cohort.samples["timepoint"].value_counts()
    samples = ", ".join(f"{counts[name]} {name}" for name in ("pre", "on", "post") if name in counts)
    tissue = (
        f"{len(cohort.samples)} samples ({samples}), {len(cohort.pairs)} pre-on pairs" if samples else "no samples"
    )
    return f"{len(cohort.patients)} patients with {tissue}."


def _row(study: Study, measure: str) -> pd.Series | None:
    summary = table_of(study, "summary")
    rows = summary[(summary["measure"] == measure) & (summary["stratum"] == "all")]
    return None if rows.empty else rows.iloc[0]


def _rate(study: Study, measure: str, label: str) -> str:
    row = _row(study, measure)
    if row is None:
        return ""
    if pd.isna(row["estimate"]):
        return f"{label}: {row['status']}."
    text = plots.percent_text(row["estimate"], row["conf_low"], row["conf_high"])
    sentence = f"{label}: {row['n_events']:.0f} of {row['n']:.0f} {row['population']}, {text}"
    if pd.notna(row["null_value"]) and pd.notna(row["p_value"]):
        null, p = f"{100 * row['null_value']:.1f}%", plots.p_text(row["p_value"])
        sentence += f"; against the historical {null} the exact one-sided p is {p}"
    return f"{sentence}."


def _median(study: Study) -> str:
    row = _row(study, "median_pfs")
    if row is None:
        return ""
    label = "Median progression-free survival"
    if pd.isna(row["estimate"]):
        return f"{label}: {row['status']}."
    limits = ["not reached" if pd.isna(row[end]) else f"{row[end]:.1f}" for end in ("conf_low", "conf_high")]
    return f"{label}: {row['estimate']:.1f} months [{', '.join(limits)}] in {row['n']:.0f} patients."


def _looked_at(study: Study) -> str:
    table = table_of(study, "associations")
    if table.empty:
        return "No feature was associated with an endpoint."
    estimable = int(table["p_value"].notna().sum())
    return (
        f"{table['feature'].nunique()} features were looked at in {table['family'].nunique()} families "
        f"({len(table)} tests, {estimable} of them estimable). Each p maxT counts the tests of its own family "
        "only."
    )


def _survivors(study: Study) -> list[str]:
    table = table_of(study, "associations")
    if table.empty:
        return []
    alpha, left = plots.alpha_text(study.plan.alpha), table[schema.significant(table)]
    if left.empty:
        return [
            f"No association stays below {alpha} after counting the features of its family. That does not show "
            "that none exists: see the smallest effect this study could have found."
        ]
    leads = left.sort_values("p_maxt", kind="stable").drop_duplicates(["feature", "timepoint", "endpoint"])
    named = [_association(row) for _, row in leads.head(_NAMED).iterrows()]
    more = f"; and {len(leads) - _NAMED} more" if len(leads) > _NAMED else ""
    asked = table.assign(panel=table["family"].str.rsplit("/", n=1).str[-1])
    n_questions = len(asked.drop_duplicates(["timepoint", "endpoint", "panel"]))
    answerable = asked[asked["p_maxt"].notna()].drop_duplicates(["timepoint", "endpoint", "panel"])
    stays = leads[leads["p_maxt"] * len(answerable) < study.plan.alpha]
    names = list(dict.fromkeys(stays["feature"].head(_NAMED))) or ["none of these"]
    return [
        f"Below {alpha} after counting the features of the family: {'; '.join(named)}{more}. The tests ask "
        f"{n_questions} different questions (timepoint, endpoint, panel); chance alone answers up to about "
        f"{n_questions * study.plan.alpha:.2g} of them with such a finding. Counting the "
        f"{len(answerable)} that could be answered as well (p maxT times {len(answerable)}), {', '.join(names)} "
        f"{'stay' if len(names) > 1 else 'stays'} below {alpha}."
    ]


def _association(row: pd.Series) -> str:
    how = plots.measure(str(row["measure"]))
    text = plots.interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how)
    condition = f", {said}" if (said := plots.family_condition(row.to_frame().T)) else ""
    endpoint = plots.endpoint_label(str(row["endpoint"])).lower()
    return (
        f"{row['feature']} ({row['timepoint']}{condition}) and {endpoint}, {how.label} {text}, "
        f"p maxT {plots.p_text(row['p_maxt'])}, {row['stamp']}"
    )


def _changes(study: Study) -> str:
    table = table_of(study, "changes")
    if table.empty:
        return ""
    alpha, left = plots.alpha_text(study.plan.alpha), table[schema.significant(table)]
    scope = f"{table['feature'].nunique()} features in {table['family'].nunique()} families of change"
    if left.empty:
        return f"Of {scope} from before to on treatment none stays below {alpha} after counting its family."
    leads = left.sort_values("p_maxt", kind="stable")
    named = "; ".join(_shift(row) for _, row in leads.head(_NAMED).iterrows())
    more = f"; and {len(leads) - _NAMED} more in tables/changes.tsv" if len(leads) > _NAMED else ""
    return f"Of {scope}, these stay below {alpha} after counting their family: {named}{more}."


def _shift(row: pd.Series) -> str:
    limits = ", ".join(
        plots.DASH if pd.isna(row[end]) else f"{row[end]:+.2f}" for end in ("conf_low", "conf_high")
    )
    who = "all patients" if row["group"] == "all" else row["group"]
    return (
        f"{row['feature']} in {who} ({row['n']:.0f} pairs) {row['hodges_lehmann']:+.2f} [{limits}], "
        f"p maxT {plots.p_text(row['p_maxt'])}"
    )


def _detectable(study: Study) -> str:
    """Speak of the first family that has a smallest detectable effect: what was asked first."""
    for _, part in families(study):
        known = part.dropna(subset=["detectable_80", "n"])
        if known.empty:
            continue
        row = known.loc[known["detectable_80"].abs().idxmin()]
        how = plots.measure(str(row["measure"]))
        endpoint = plots.endpoint_label(str(row["endpoint"])).lower()
        return (
            f"Smallest effect on {endpoint} that could be found with 80% power ({row['n']:.0f} patients, "
            f"{row['n_events']:.0f} with the endpoint, {len(part)} features in the family): {how.label} "
            f"{how.text(row['detectable_80'])} or its mirror image. Anything weaker would go unseen more often "
            "than one time in five."
        )
    return ""
