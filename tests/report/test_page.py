"""The page: self-contained, escaped, honest, and its numbers are the tables' numbers."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import schema
from immunosarc.report._figures import draw
from immunosarc.report._page import page
from immunosarc.report._section_answer import answer
from immunosarc.report._section_association import build as association_section
from tests.report.conftest import build

VOID = {"meta", "br", "link", "img", "input", "hr", "col"}
CONDITION = "conditional on having an on-treatment sample"


class Reader(HTMLParser):
    """Collects what a browser would act on, and whether the tags are nested properly."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.pointers: list[str] = []
        self.tags: list[str] = []
        self.images: list[dict[str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        named = {key: value or "" for key, value in attrs}
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "svg":
            self.images.append(named)
        for key, value in named.items():
            assert not key.startswith("on"), f"{tag} acts: {key}"
            if key in {"href", "xlink:href", "src", "data", "action", "srcset"}:
                self.pointers.append(value)
            self.pointers += re.findall(r"url\(([^)]*)\)", value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def close(self):
        super().close()
        assert not self._open


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def drawings(study):
    return draw(study)


@pytest.fixture(scope="module")
def html(study, drawings):
    return page(study, drawings)


@pytest.fixture(scope="module")
def reader(html):
    return read(html)


def _shown(html):
    """The words of the page, outside its figures and its style."""
    bare = re.sub(r"<svg.*?</svg>|<style.*?</style>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", " ".join(read(bare).text))


def test_nothing_comes_from_outside(html, reader):
    assert "script" not in reader.tags
    assert not {"iframe", "object", "embed", "link", "base", "form"} & set(reader.tags)
    assert reader.pointers
    assert all(pointer.startswith(("#", "data:image/png;base64,")) for pointer in reader.pointers)
    assert "@import" not in html
    assert "xmlns" not in html
    assert "default-src 'none'" in html


def test_ids_do_not_collide_and_every_reference_is_there(reader):
    assert len(reader.ids) == len(set(reader.ids))
    inside = {pointer[1:] for pointer in reader.pointers if pointer.startswith("#")}
    assert inside <= set(reader.ids)


def test_every_figure_has_words_for_a_reader_who_cannot_see_it(reader, drawings):
    assert len(reader.images) == len(drawings)
    assert all(image["role"] == "img" and len(image["aria-label"]) > 30 for image in reader.images)
    assert reader.tags.count("figcaption") == len(reader.images)


def test_simulated_is_said_everywhere(html, reader):
    assert '<div class="banner" role="note"><strong>SIMULATED</strong>' in html
    assert all(image["aria-label"].startswith("SIMULATED. ") for image in reader.images)
    titles = re.findall(r"SIMULATED: [A-Z0-9m]", html)
    assert len(titles) >= len(reader.images)


def test_a_real_study_is_not_called_simulated():
    real = build(simulated=False)
    assert "SIMULATED" not in page(real, draw(real))


def test_everything_printed_is_escaped(html):
    assert "Stand-in trial &lt;of&gt; a &amp; b" in html
    assert "&lt;script&gt;alert" in html
    assert "<script" not in html


def test_hostile_names_stay_text(study):
    attack = "<img src=x onerror=alert(1)>\"'$x$"
    table = study["associations"].replace({"feature": {"mcp_t_cells": attack}})
    families = table.assign(family=table["family"] + attack)
    changes = study["changes"].replace({"feature": {"mcp_t_cells": attack}})
    paired = study["paired"].replace({"feature": {"mcp_t_cells": attack}}).assign(group=attack)
    scores = study["scores"].rename(columns={"mcp_t_cells": attack})
    flow = study["attrition"].assign(reason=attack, step=study["attrition"]["step"] + attack)
    tables = {"associations": families, "changes": changes, "paired": paired, "scores": scores, "attrition": flow}
    hostile = dataclasses.replace(study, title=attack, tables=MappingProxyType({**study.tables, **tables}))
    drawings = draw(hostile)
    found = read(page(hostile, drawings))
    assert "img" not in found.tags
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in drawings)
    assert len(found.ids) == len(set(found.ids))


def test_sections_in_order(html):
    places = [
        html.index(f'<section id="{name}"') if name != "answer" else html.index('id="answer"')
        for name in (
            "answer",
            "provenance",
            "flow",
            "patients",
            "endpoints",
            "survival",
            "heatmap",
            "association",
            "change",
            "coverage",
            "methods",
            "glossary",
        )
    ]
    assert places == sorted(places)


def test_the_answer_comes_first_with_the_numbers_of_the_tables(study):
    said = " ".join(answer(study))
    assert said.startswith("33 patients with 51 samples (29 pre, 22 on), 22 pre-on pairs.")
    assert "Objective response: 10 of 30 response-evaluable, 33.3% [17.3, 52.8]." in said
    assert "13 of 28 evaluable at day 183, 46.4% [27.5, 66.1]; against the historical 43.4%" in said
    assert "one-sided p is .444" in said
    assert "Median progression-free survival: 5.8 months [5.5, 9.7] in 33 patients." in said
    assert "30 features were looked at in 3 families (90 tests, 72 of them estimable)" in said
    assert said.endswith("Stamp: exploratory. there is no lock file.")


def test_the_answer_names_what_survives_and_how_often_chance_does(study):
    said = " ".join(answer(study))
    left = study["associations"].query("p_maxt < 0.05")
    assert len(left) == 3
    assert said.count("mcp_t_cells (") == 3
    still = (left["p_maxt"] * 3 < 0.05).any()
    assert f"(p maxT times 3), {'mcp_t_cells stays' if still else 'none of these stays'} below .05" in said
    assert CONDITION in said
    assert (
        "3 different questions (timepoint, endpoint, panel); chance alone answers up to about 0.15 of them" in said
    )


def test_the_answer_is_plain_when_nothing_survives(study):
    none = study["associations"].assign(p_maxt=0.4)
    quiet = dataclasses.replace(study, tables=MappingProxyType({**study.tables, "associations": none}))
    said = " ".join(answer(quiet))
    assert "No association stays below .05" in said
    assert "That does not show that none exists" in said


def test_detectable_effect_of_the_first_family(study):
    row = study["associations"].dropna(subset=["detectable_80"]).iloc[0]
    said = " ".join(answer(study))
    assert (
        f"({row['n']:.0f} patients, {row['n_events']:.0f} with the endpoint, 30 features in the family): AUC"
        in said
    )


def test_how_many_families_were_looked_at(html, study):
    assert study["associations"]["family"].nunique() == 3
    assert "3 families were looked at" in _shown(html)


def _family(html, name):
    parts = re.findall(r'<section class="family">.*?</section>', html, flags=re.DOTALL)
    return next(part for part in parts if f"Family {name}" in part)


def test_on_treatment_families_carry_their_condition(html, study):
    for name in study["associations"]["family"].unique():
        assert (CONDITION in _shown(_family(html, name))) == name.startswith("on/")


def test_a_family_shows_estimate_interval_and_corrected_p_but_no_naive_p(study):
    table = study["associations"].assign(p_value=0.07654)
    marked = dataclasses.replace(study, tables=MappingProxyType({**study.tables, "associations": table}))
    html = page(marked, {})
    assert ".077" not in html
    row = table.iloc[table["p_maxt"].argmin()]
    shown = _shown(_family(html, row["family"]))
    expected = f"{row['estimate']:.2f} [{row['conf_low']:.2f}, {row['conf_high']:.2f}]"
    assert f"{row['feature']} {row['scoring']} {row['n']:.0f} ({row['n_events']:.0f}) {expected}" in shown


def test_ratios_are_exponentiated_for_the_reader(html, study):
    row = study["associations"].query("measure == 'log_hazard_ratio'").dropna(subset=["estimate"])
    first = row.sort_values(["p_maxt", "p_value"], kind="stable").iloc[1]
    assert f"{np.exp(first['estimate']):.2f} [" in _shown(_family(html, "pre/pfs/cox/catalog"))


def test_one_row_per_patient_with_censoring_marked(html, study):
    table = re.search(r'<section id="patients">.*?</section>', html, flags=re.DOTALL).group()
    rows = re.findall(r"<tr><td.*?</tr>", table, flags=re.DOTALL)
    assert len(rows) == len(study.cohort.patients)
    cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", rows[25])]
    assert (cells[0], cells[-1]) == ("SIM26", "pre, on")
    assert "12.4+" in cells  # 378 days, ongoing


def test_coverage_says_what_was_not_scored_and_why(html):
    shown = _shown(re.search(r'<section id="coverage">.*?</section>', html, flags=re.DOTALL).group())
    assert "covers 3 of 10 genes (30%), needs 80%" in shown
    assert "published form needs TPM" in shown
    assert "24 of 30 pairs of signature and method were scored" in shown


def test_size_stays_small(html):
    assert len(html.encode()) < 3_000_000


def test_a_cohort_without_tissue_or_outcome_still_has_a_page(study, tmp_path):
    cohort = ims.Cohort(patients=pd.DataFrame({"patient_id": ["P1", "P2"]}))
    outcomes = ims.endpoints.derive(cohort)
    tables = {
        "patients": cohort.patients,
        "outcomes": outcomes,
        "summary": ims.endpoints.summarize(outcomes),
        "survival": schema.SURVIVAL_CURVE.empty(),
        "associations": schema.ASSOCIATION.empty(),
        "changes": schema.CHANGE.empty(),
        "paired": schema.PAIRED.empty(),
        "attrition": ims.attrition(cohort, outcomes),
    }
    bare = dataclasses.replace(study, cohort=cohort, tables=MappingProxyType(tables), simulated=False)
    shown = _shown(page(bare, draw(bare)))
    for words in ("No survival time was recorded", "No signature was scored", "No patient has a sample before"):
        assert words in shown
    assert "2 patients with no samples." in shown
    assert "0 families were looked at" in shown
    ims.report.write(bare, tmp_path / "out")


def test_figures_are_the_same_files_as_on_the_page(html, drawings):
    for drawing in drawings.values():
        drawn = re.search(r"<path[^>]*>", drawing.svg).group()
        assert drawn in html
        assert drawing.svg.startswith("<?xml")
        assert "<metadata>" not in drawing.svg


def test_a_family_with_a_stated_side_shows_what_it_could_find_on_that_side(study) -> None:
    rows = {
        "what": ["80%", "90%", "half", "by chance", "in 5%"],
        "effect": [0.80, 0.85, 0.65, 0.60, 0.75],
        "threshold": 2.0,
        "power": [0.8, 0.9, 0.3, np.nan, np.nan],
        "type_s": 0.0,
        "type_m": 1.5,
        "measure": "auc",
        "n": 30,
        "n_events": 10,
        "n_features": 4,
        "alpha": 0.05,
        "status": "ok",
    }
    card = pd.concat(
        [
            pd.DataFrame(rows).assign(family=f"pre/x/mann_whitney/{side}", alternative=side)
            for side in ("two-sided", "less")
        ]
    )
    tables = MappingProxyType({**study.tables, "detectability": card})
    section = association_section(dataclasses.replace(study, tables=tables))
    part = next(one for one in section.blocks if getattr(one, "title", "") == "What could have been found")
    plain, stated = part.blocks[1].rows
    assert (plain[2], plain[3:7]) == ("AUC", ["0.80", "0.85", "0.60", "0.75"])
    assert (stated[2], stated[3:7]) == ("AUC (less)", ["0.20", "0.15", "0.40", "0.25"])
    assert "on the stated side where the features have one" in part.blocks[0].text
