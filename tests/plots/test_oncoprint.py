"""The oncoprint: every alteration drawn, nothing called unaltered that nobody looked at."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from immunosarc import plots
from immunosarc.plots._oncoprint import _KINDS

ROWS = pd.DataFrame(
    [
        ("S1", "P1", "RB1", "none", None),
        ("S1", "P1", "TP53", "missense", "p.R273H"),
        ("S1", "P1", "TP53", "frameshift", "p.K1fs"),
        ("S1", "P1", "MDM2", "not_assessed", None),
        ("S2", "P2", "RB1", "deep_deletion", None),
        ("S2", "P2", "TP53", "truncating", "p.R196*"),
        ("S2", "P2", "MDM2", "not_assessed", None),
        ("S3", "P3", "RB1", "none", None),
        ("S3", "P3", "TP53", "none", None),
        ("S3", "P3", "MDM2", "not_assessed", None),
    ],
    columns=["sample_id", "patient_id", "gene", "kind", "protein_change"],
).assign(status="ok")
TRACKS = pd.DataFrame({"best_overall_response": ["PR", "PD", None]}, index=["S1", "S2", "S3"])


@pytest.fixture
def ax():
    return Figure(figsize=(7, 3)).add_subplot()


def _boxes(ax, kind):
    color = to_hex(_KINDS[kind][0])
    return [one for one in ax.patches if isinstance(one, Rectangle) and to_hex(one.get_facecolor()) == color]


def test_each_alteration_is_one_mark_in_its_row_and_column(ax):
    plots.oncoprint(ROWS, ax=ax)
    genes = [text.get_text() for text in ax.get_yticklabels()]
    samples = [text.get_text() for text in ax.get_xticklabels()]
    assert genes == ["TP53", "RB1", "MDM2"]  # by how often they are altered
    assert samples == ["S2", "S1", "S3"]  # a staircase: both, the first, none
    for kind in ("missense", "frameshift", "truncating", "deep_deletion"):
        (mark,) = _boxes(ax, kind)
        row = ROWS[ROWS["kind"] == kind].iloc[0]
        assert mark.get_x() + mark.get_width() / 2 == pytest.approx(samples.index(row["sample_id"]))
        assert mark.get_y() + mark.get_height() / 2 == pytest.approx(genes.index(row["gene"]))
    assert _boxes(ax, "frameshift")[0].get_height() > _boxes(ax, "missense")[0].get_height()
    assert len({height for _, _, height, _ in _KINDS.values()}) >= 7  # never color alone


def test_what_was_not_looked_at_is_hatched_and_in_no_share(ax):
    plots.oncoprint(ROWS, ax=ax)
    hatched = [one for one in ax.patches if one.get_hatch()]
    assert len(hatched) == 3
    assert {round(one.get_y() + one.get_height() / 2) for one in hatched} == {2}
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["67% (2/3)", "33% (1/3)", "not looked at"]


def test_tracks_keys_and_counts(ax):
    plots.oncoprint(ROWS, TRACKS, ax=ax)
    assert ax.get_title(loc="left") == "3 genes, altered in 2 of n = 3 samples of 3 patients"
    labels = {text.get_text() for legend in ax.artists for text in legend.get_texts()}
    assert {"missense", "deep deletion", "nothing found", "not looked at", "PR", "PD", "missing"} <= labels
    assert "amplification" not in labels
    FigureCanvasAgg(ax.figure).draw()


def test_inputs_settings_and_names_stay(ax):
    before, settings = ROWS.copy(deep=True), dict(matplotlib.rcParams)
    hostile = ROWS.replace({"TP53": "_a$b$ <i>"})
    plots.oncoprint(hostile, ax=ax)
    FigureCanvasAgg(ax.figure).draw()
    assert all(not matplotlib.cbook.is_math_text(text.get_text()) for text in ax.get_yticklabels())
    pd.testing.assert_frame_equal(ROWS, before)
    assert dict(matplotlib.rcParams) == settings


def test_nothing_and_simulated(ax):
    plots.oncoprint(ROWS.iloc[:0].assign(simulated="SIMULATED"), ax=ax)
    assert ax.get_title(loc="left").startswith("SIMULATED: ")
    assert [text.get_text() for text in ax.texts] == ["no sample was looked at"]


def test_many_samples_have_no_names(ax):
    many = pd.concat([ROWS.iloc[:1].assign(sample_id=f"S{i}", patient_id=f"P{i}") for i in range(300)])
    plots.oncoprint(many, ax=ax)
    assert [text.get_text() for text in ax.get_xticklabels()] == []
    assert np.allclose(ax.get_xlim(), (-0.5, 299.5))
