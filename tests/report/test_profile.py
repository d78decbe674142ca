"""The section of the immune profile: its numbers are the tables', and a refusal is said, not left out."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

import pytest
from matplotlib.figure import Figure

import immunosarc as ims
from immunosarc.report import _section_profile
from immunosarc.report._section import FigureOrder, Grid, Text
from immunosarc.study._profile import profile_tables
from tests.report.conftest import build

PLAN = ims.Plan(
    panels=({"name": "p", "signatures": ("mcp_t_cells", "mcp_endothelial", "f_tbrs19"), "method": "mean_log2"},)
)


@pytest.fixture(scope="module")
def profiled():
    """The simulated trial with its profile, as far as the section reads a study."""
    cohort = ims.simulate_cohort(seed=7)
    tables = profile_tables(cohort, PLAN, 0)
    return dataclasses.replace(build(), cohort=cohort, tables=MappingProxyType(tables))


def parts_of(study):
    return {part.title: part for part in _section_profile.build(study).blocks}


def grid(part, label):
    return next(block for block in part.blocks if isinstance(block, Grid) and block.label == label)


def test_classes_are_counted_as_they_stand_in_the_table(profiled):
    part = parts_of(profiled)["Hot or cold, among soft-tissue sarcomas?"]
    rows = {(row[0], row[1]): row for row in grid(part, "Classes by timepoint").rows}
    classes = profiled["classes"].set_index("sample_id")
    when = profiled.cohort.samples["timepoint"]
    for timepoint in ("pre", "on"):
        here = classes[(classes["scheme"] == "hot_cold") & (when.reindex(classes.index) == timepoint)]["label"]
        expected = ", ".join(f"{int((here == name).sum())} {name}" for name in ("hot", "intermediate", "cold"))
        assert rows["Hot or cold", timepoint][3] == expected
        assert rows["Hot or cold", timepoint][2] == str(len(here))
    assert "EXPERIMENTAL, TPM only" in part.blocks[0].text


def test_each_sample_is_shown_once_with_its_percentiles(profiled):
    rows = grid(parts_of(profiled)["Hot or cold, among soft-tissue sarcomas?"], "Place of each sample").rows
    assert sorted(row[0] for row in rows) == sorted(profiled.cohort.samples.index)
    places = profiled["placement"].pivot(index="sample_id", columns="population", values="percentile")
    labels = profiled["classes"].query("scheme == 'hot_cold'").set_index("sample_id")["label"]
    for sample, _, _, tis, cyt, label, *_ in rows:
        assert (tis, cyt) == tuple(f"{100 * places.loc[sample, axis]:.0f}" for axis in ("TIS18", "CYT"))
        assert label == labels[sample]


def test_a_refusal_is_the_answer(profiled):
    refused = profiled["classes"].assign(label=None, status="the assay has counts: it cannot be placed")
    study = dataclasses.replace(profiled, tables=MappingProxyType({"classes": refused}))
    (part,) = _section_profile.build(study).blocks
    assert isinstance(part.blocks[0], Text)
    assert part.blocks[0].text == "No class: the assay has counts: it cannot be placed"


def test_what_one_histology_makes_stands_before_what_all_make(profiled):
    rows = grid(
        parts_of(profiled)["Immune cells, or the sarcoma itself?"], "Scores that genes of the sarcoma enter"
    ).rows
    assert rows[0][:2] == ["mcp_endothelial (mean_log2)", "angiosarcoma"]
    assert rows[0][-1] == "sarcoma cells make all of its 33 genes"
    assert rows[0][4].endswith("and 27 more")
    synovial = next(row for row in rows if row[0].startswith("mcp_t_cells"))
    assert synovial[1:5] == ["synovial sarcoma", "5", "1 of 16", "MAL"]
    assert rows.index(synovial) < next(i for i, row in enumerate(rows) if row[0].startswith("f_tbrs19"))
    lineage = profiled["lineage"].query("signature == 'mcp_t_cells'")
    assert synovial[5:7] == [f"{lineage['score'].median():.3g}", f"{lineage['score_without'].median():.3g}"]


def test_cell_types_are_drawn_sample_by_sample(profiled):
    part = parts_of(profiled)["Cell types"]
    order = next(block for block in part.blocks if isinstance(block, FigureOrder))
    ax = Figure().add_subplot()
    order.hand(ax)
    assert "n = 51 samples" in ax.get_title(loc="left")
    assert [label.get_text() for label in ax.get_yticklabels() if label.get_text() == "T cells"]


def test_change_in_frozen_units_is_the_median_of_the_pairs(profiled):
    part = parts_of(profiled)["What happened between two biopsies, in frozen units"]
    rows = {row[0]: row for row in grid(part, "Change in units of the frozen reference").rows}
    moved = profiled["placed_change"].query("population == 'CYT' and status == 'ok'")["difference"]
    assert rows["CYT"][1] == str(len(moved)) == "20"
    assert rows["CYT"][3] == f"{int((moved > 0).sum())} of 20"
    assert rows["CYT"][2].startswith(f"{moved.median():+.2f}")


def test_a_study_without_a_profile_has_no_section():
    assert _section_profile.build(build()).blocks == ()
