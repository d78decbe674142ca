"""The page: rows of text for the template, which escapes every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from immunosarc import __version__, plots, schema
from immunosarc.report._answer import answer
from immunosarc.report._figures import FOREST_ROWS, Drawing
from immunosarc.report._select import families, patient_column, shifted_features, table_of, with_named_strata
from immunosarc.report._svg import inline
from immunosarc.report._tables import MEANINGS
from immunosarc.study import Study

__all__ = ["page"]

_MISSING_GENES = 6
_CENSORED = "+"


@dataclass(frozen=True)
class Grid:
    """A table of text: headings, rows, and which columns hold numbers."""

    head: list[str]
    rows: list[list[str]]
    numeric: frozenset[int]
    note: str = ""

    @property
    def filled(self) -> list[int]:
        """The columns that hold anything; an empty one only takes room."""
        return [
            i
            for i in range(len(self.head))
            if not self.rows or any(row[i] not in ("", plots.DASH) for row in self.rows)
        ]


def page(study: Study, drawings: Mapping[str, Drawing]) -> str:
    """Return the whole page as HTML that loads nothing."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("immunosarc.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    associations = table_of(study, "associations")
    return environment.get_template("template.html").render(
        study=study,
        version=__version__,
        answer=answer(study),
        figures=_figures(drawings),
        provenance=_provenance(study),
        plan=_flat(study.plan.model_dump(mode="json")),
        patients=_patients(study),
        summary=_summary(study),
        overview=_overview(study),
        families=[_family(part, name) for name, part in families(study)],
        n_families=associations["family"].nunique(),
        changes=_changes(study),
        coverage=_coverage(study),
        tables=[(name, len(table), MEANINGS.get(name, "")) for name, table in study.tables.items()],
        conditional=plots.CONDITIONAL,
    )


def _figures(drawings: Mapping[str, Drawing]) -> dict[str, list[tuple[Markup, str]]]:
    """Figures by section, and by family in the association section; our own SVG is trusted, its text is not."""
    found: dict[str, list[tuple[Markup, str]]] = {}
    for drawing in drawings.values():
        place = f"{drawing.section}/{drawing.key}" if drawing.section == "association" else drawing.section
        svg = Markup(inline(drawing.svg))  # noqa: S704 - matplotlib escapes what it writes, and so do we
        found.setdefault(place, []).append((svg, drawing.caption))
    return found


def _provenance(study: Study) -> list[tuple[str, str]]:
    stated = {**study.provenance, "plan_sha256": study.plan.sha256, "stamp": study.stamp}
    return _flat(stated)


def _flat(mapping: Mapping[str, Any], lead: str = "") -> list[tuple[str, str]]:
    """Return nested settings as lines of key and text; what fits on one line stays on one."""
    lines: list[tuple[str, str]] = []
    for key, value in mapping.items():
        name = f"{lead}{key}"
        inner = _numbered(value) if isinstance(value, list | tuple) else value
        if not isinstance(inner, Mapping):
            lines.append((name, "" if value is None else str(value)))
        elif any(isinstance(one, Mapping | list | tuple) for one in inner.values()):
            lines += _flat(inner, f"{name} / ")
        elif inner is value:
            lines.append((name, ", ".join(f"{part} {one}" for part, one in inner.items())))
        else:
            lines.append((name, _enumerated([str(one) for one in value])))
    return [(name, text) for name, text in lines if text]


def _enumerated(texts: list[str]) -> str:
    sentences = all(text.endswith(".") for text in texts)
    return (" " if sentences else ", ").join(texts)


def _numbered(values: Iterable[Any]) -> dict[str, Any]:
    return {str(place): value for place, value in enumerate(values, start=1)}


def _patients(study: Study) -> Grid:
    """One row per patient: who, what happened, which tissue."""
    patients, outcomes = study.cohort.patients, table_of(study, "outcomes")
    strata = patient_column(study)
    shown = [name for name in (strata, "histology", "age", "sex") if name and name in patients]
    grouped = study.cohort.samples.groupby("patient_id")["timepoint"].agg(list).to_dict()
    early_first = schema.TIMEPOINTS.index
    rows = []
    for patient in patients.index:
        clinical = [_cell(patients.loc[patient, name]) for name in shown]
        outcome = outcomes.loc[patient] if patient in outcomes.index else pd.Series(dtype=object)
        rows.append(
            [
                str(patient),
                *clinical,
                _cell(outcome.get("best_overall_response")),
                _duration(outcome, "pfs"),
                _duration(outcome, "os"),
                ", ".join(sorted(grouped.get(patient, []), key=early_first)) or plots.DASH,
            ]
        )
    head = ["Patient", *(name.replace("_", " ").capitalize() for name in shown)]
    head += ["Best response", "PFS, months", "OS, months", "Samples"]
    numeric = frozenset({len(head) - 3, len(head) - 2})
    return Grid(head, rows, numeric, f"{_CENSORED} = censored: no event when last seen.")


def _cell(value: Any) -> str:
    if value is None or pd.isna(value):
        return plots.DASH
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(outcome: pd.Series, endpoint: str) -> str:
    months, event = outcome.get(f"{endpoint}_time"), outcome.get(f"{endpoint}_event")
    if months is None or pd.isna(months):
        return plots.DASH
    return f"{months:.1f}{'' if pd.isna(event) or event else _CENSORED}"


def _summary(study: Study) -> Grid:
    rows = [
        [
            plots.endpoint_label(str(row["measure"])),
            str(row["stratum"]),
            str(row["population"]),
            _count(row["n_events"]),
            _count(row["n"]),
            _summary_estimate(row),
            str(row["method"]),
            plots.DASH if pd.isna(row["null_value"]) else f"{100 * row['null_value']:.1f}%",
            plots.p_text(row["p_value"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for _, row in with_named_strata(study, "summary").iterrows()
    ]
    head = ["Endpoint", "Stratum", "Population", "With it", "of n", "Estimate [interval]", "Method"]
    return Grid([*head, "Compared with", "One-sided p", "Status"], rows, frozenset({3, 4, 5, 7, 8}))


def _summary_estimate(row: pd.Series) -> str:
    if row["unit"] == "proportion":
        return plots.percent_text(row["estimate"], row["conf_low"], row["conf_high"])
    if pd.isna(row["estimate"]) and pd.isna(row["conf_low"]):
        return "not reached" if row["n"] > 0 else plots.DASH
    values = ["not reached" if pd.isna(row[x]) else f"{row[x]:.1f}" for x in ("estimate", "conf_low", "conf_high")]
    return f"{values[0]} months [{values[1]}, {values[2]}]"


def _count(value: float) -> str:
    return plots.DASH if pd.isna(value) else f"{value:,.0f}"


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
                _count(part["n"].max()),
                _count(part["n_events"].max()),
                plots.p_text(part["p_maxt"].min()),
                f"{below}",
            ]
        )
    head = [
        "Family",
        "Question",
        "Features",
        "Estimable",
        "n",
        "Events",
        "Smallest p maxT",
        f"Below {plots.alpha_text(study.plan.alpha)}",
    ]
    return Grid(head, rows, frozenset(range(2, 8)))


@dataclass(frozen=True)
class Family:
    """One family of associations on the page."""

    name: str
    title: str
    condition: str
    grid: Grid


def _family(part: pd.DataFrame, name: str) -> Family:
    shown = part.assign(_hopeless=part["estimate"].isna())
    shown = shown.sort_values(["_hopeless", "p_maxt", "p_value"], kind="stable", na_position="last")
    rows = [_association(row) for _, row in shown.head(FOREST_ROWS).iterrows()]
    left = len(part) - len(rows)
    note = f"{left} more in tables/associations.tsv, family {name}." if left else ""
    label = plots.measure(str(part["measure"].iloc[0])).label
    head = [
        "Feature",
        "Scored as",
        "n (events)",
        f"{label} [interval]",
        "p maxT",
        "q",
        "Detectable",
        "Stamp",
        "Status",
    ]
    grid = Grid(head, rows, frozenset({2, 3, 4, 5, 6}), note)
    panel = f", panel {name.rsplit('/', 1)[-1]}" if "/" in name else ""
    return Family(name, plots.family_title(part) + panel, plots.family_condition(part), grid)


def _association(row: pd.Series) -> list[str]:
    how = plots.measure(str(row["measure"]))
    return [
        str(row["feature"]),
        _cell(row["scoring"]),
        f"{_count(row['n'])} ({_count(row['n_events'])})",
        plots.interval_text(row["estimate"], row["conf_low"], row["conf_high"], how=how),
        plots.p_text(row["p_maxt"]),
        plots.p_text(row["q_value"]),
        plots.DASH if pd.isna(row["detectable_80"]) else how.text(row["detectable_80"]),
        str(row["stamp"]),
        "" if row["status"] == "ok" else str(row["status"]),
    ]


def _changes(study: Study) -> Grid:
    table = table_of(study, "changes")
    ranked = table.sort_values("p_maxt", kind="stable", na_position="last")["feature"] if len(table) else []
    names = list(dict.fromkeys([*shifted_features(study), *ranked]))[:FOREST_ROWS]
    shown = table[table["feature"].isin(names)] if len(table) else table
    rows = [
        [
            str(row["feature"]),
            str(row["group"]),
            _count(row["n"]),
            plots.signed_text(row["median_change"]),
            _shift(row),
            plots.p_text(row["p_maxt"]),
            plots.p_text(row["q_value"]),
            str(row["stamp"]),
            "" if row["status"] == "ok" else str(row["status"]),
        ]
        for name in names
        for _, row in shown[shown["feature"] == name].drop_duplicates("group").iterrows()
    ]
    left = table["feature"].nunique() - len(names) if len(table) else 0
    head = ["Feature", "Group", "Pairs", "Median change", "Shift [interval]", "p maxT", "q", "Stamp", "Status"]
    note = f"{left} more features in tables/changes.tsv." if left > 0 else ""
    return Grid(head, rows, frozenset({2, 3, 4, 5, 6}), note)


def _shift(row: pd.Series) -> str:
    if pd.isna(row["hodges_lehmann"]):
        return plots.DASH
    value, low, high = (plots.signed_text(row[name]) for name in ("hodges_lehmann", "conf_low", "conf_high"))
    return f"{value} [{low}, {high}]"


def _coverage(study: Study) -> Grid:
    """The signatures that were not scored, or not in their published form, and why."""
    table = table_of(study, "coverage")
    noted = table["note"].notna() if len(table) else []
    told = table[(table["status"] != "ok") | noted] if len(table) else table
    rows = [
        [
            str(row["signature"]),
            str(row["method"]),
            str(row["unit"]),
            f"{_count(row['n_found'])} of {_count(row['n_genes'])}",
            "scored" if row["status"] == "ok" else str(row["status"]),
            _some_genes(row["missing"]),
            "" if pd.isna(row["note"]) else str(row["note"]),
        ]
        for _, row in told.sort_values("status", key=lambda s: s == "ok", kind="stable").iterrows()
    ]
    scored = int((table["status"] == "ok").sum()) if len(table) else 0
    head = ["Signature", "Method", "Unit scored", "Genes found", "Result", "Missing genes", "What else to know"]
    note = f"{scored} of {len(table)} pairs of signature and method were scored; all are in tables/coverage.tsv."
    return Grid(head, rows, frozenset({3}), note)


def _some_genes(missing: Any) -> str:
    if missing is None or pd.isna(missing):
        return ""
    genes = [gene.strip() for gene in str(missing).split(",")]
    more = f" and {len(genes) - _MISSING_GENES} more" if len(genes) > _MISSING_GENES else ""
    return ", ".join(genes[:_MISSING_GENES]) + more
