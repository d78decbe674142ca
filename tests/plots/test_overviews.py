"""Heatmap, flow and rates."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from immunosarc import plots

SCORES = pd.DataFrame(
    {
        "patient_id": ["P1", "P2", "P1", "P3"],
        "timepoint": ["pre", "pre", "on", "pre"],
        "cyt": [1.0, 2.0, 3.0, 6.0],
        "flat": 5.0,
        "gap": [1.0, np.nan, 3.0, 2.0],
    },
    index=pd.Index(["S1", "S2", "S3", "S4"], name="sample_id"),
)
TRACKS = pd.DataFrame(
    {"best_overall_response": ["PD", "CR", "PD", None], "histology": ["UPS", "LMS", "UPS", "UPS"]},
    index=["S4", "S3", "S2", "S1"],
)


def _texts(ax):
    return [text.get_text() for text in ax.texts]


def test_each_signature_is_scaled_over_its_own_samples(ax):
    plots.heatmap(SCORES, TRACKS, ax=ax)
    drawn = ax.images[0].get_array()
    assert drawn.shape == (3, 4)
    z = (SCORES["cyt"] - 3) / np.sqrt(3.5)
    np.testing.assert_allclose(drawn[0], z, atol=1e-12)
    np.testing.assert_allclose(drawn[1], 0)
    assert drawn.mask.tolist()[2] == [False, True, False, False]
    np.testing.assert_allclose(drawn[2].compressed(), np.array([-1, 1, 0]) * np.sqrt(1.5))


def test_samples_keep_their_order_and_tracks_follow_the_sample(ax):
    plots.heatmap(SCORES, TRACKS, ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == list(SCORES.index)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["Best overall response", "Histology", "cyt", "flat", "gap"]
    strips = ax.patches[1:]  # the first is the background of missing cells
    histology = [patch.get_facecolor() for patch in strips[4:8]]
    # by sample: UPS (S1), UPS (S2), LMS (S3), UPS (S4)
    assert histology[0] == histology[1] == histology[3] != histology[2]
    response = strips[:4]
    assert response[1].get_facecolor() == response[3].get_facecolor() != response[2].get_facecolor()
    assert response[0].get_hatch() == "////"  # S1 has no response


def test_legends_name_every_category_and_count(ax):
    plots.heatmap(SCORES, TRACKS, ax=ax)
    legends = [child for child in ax.get_children() if type(child).__name__ == "Legend"]
    named = {key.get_title().get_text(): [text.get_text() for text in key.get_texts()] for key in legends}
    assert named == {
        "": ["no score"],
        "Best overall response": ["CR", "PD", "missing"],
        "Histology": ["LMS", "UPS"],
    }
    assert ax.get_title(loc="left") == "3 signatures, n = 4 samples of 3 patients"


def test_rows_are_called_what_they_are(ax):
    plots.heatmap(SCORES, TRACKS, noun="cell type", ax=ax)
    assert ax.get_title(loc="left") == "3 cell types, n = 4 samples of 3 patients"
    bars = [child.get_title(loc="left") for child in ax.child_axes]
    assert bars == ["z-score within cell type"]


def test_legends_are_part_of_the_figure(ax):
    """What the layout does not know is cut off when the figure is saved."""
    plots.heatmap(SCORES, TRACKS.assign(histology="a histology with a very long name indeed"), ax=ax)
    renderer = ax.figure.canvas.get_renderer() if hasattr(ax.figure.canvas, "get_renderer") else None
    if renderer is None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        renderer = FigureCanvasAgg(ax.figure).get_renderer()
    whole = ax.get_tightbbox(renderer)
    legends = [child for child in ax.get_children() if type(child).__name__ == "Legend"]
    assert max(key.get_window_extent(renderer).x1 for key in legends) <= whole.x1


def test_no_signature(ax):
    plots.heatmap(SCORES[["patient_id"]], TRACKS, ax=ax)
    assert _texts(ax) == ["no scores to show"]


def test_flow_counts_reconcile(flow):
    steps = plots.flow_steps(flow).set_index("step")
    assert (steps["entered"] == steps["kept"] + steps["left_out"]).all()
    assert steps[["entered", "kept", "left_out"]].to_numpy().tolist() == [
        [6, 5, 1],
        [5, 5, 0],
        [5, 3, 2],
        [3, 2, 1],
        [5, 5, 0],
    ]
    assert len(flow) == steps["entered"].sum()


def test_a_step_hangs_below_the_one_whose_patients_it_takes(flow):
    steps = plots.flow_steps(flow)
    named = {
        row.step: None if pd.isna(row.parent) else steps.loc[row.parent, "step"] for row in steps.itertuples()
    }
    assert named == {
        "file.tsv: patients": None,
        "patients": None,
        "pfs6": "patients",
        "late step": "pfs6",
        "pfs": "patients",
    }


def test_reasons_that_differ_in_a_number_are_counted_together(flow):
    steps = plots.flow_steps(flow).set_index("step")
    assert steps.loc["pfs6", "reasons"] == "censored on day …, before day 183 (2)"
    assert steps.loc["file.tsv: patients", "reasons"] == "replicate is 1, not 0 (1)"


def test_boxes_say_who_entered_and_who_was_left_out(flow, ax):
    plots.attrition(flow, ax=ax)
    texts = _texts(ax)
    assert ax.get_title(loc="left") == "Flow of the study, n = 5 patients"
    assert texts[:3] == ["file.tsv: patients", "6 rows entered, 5 kept", "1 left out:"]
    assert texts.index("Late step") > texts.index("Progression-free at 6 months known")
    assert "3 patients entered, 2 kept" in texts


def test_boxes_do_not_overlap(flow, ax):
    plots.attrition(flow, ax=ax)
    left = [patch for patch in ax.patches if hasattr(patch, "get_x") and patch.get_x() < 0.4]
    spans = sorted((patch.get_y(), patch.get_y() + patch.get_height()) for patch in left)
    assert len(spans) == 5
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_rates_in_percent_with_their_counts(summary, ax):
    plots.rates(summary, ax=ax)
    texts = _texts(ax)
    assert {"10/30", "33.3% [17.3, 52.8]", "13/28", "46.4% [27.5, 66.1]"} <= set(texts)
    assert "n = 33" in texts  # Kaplan-Meier has no numerator
    assert "15/33" not in texts
    assert not any("no patient" in text for text in texts)  # recorded of nobody, not drawn
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "Objective response"
    assert labels[2] == "Progression-free at 6 months, Kaplan-Meier, stratum 2"
    assert len(labels) == 3  # months are no rate


def test_rate_interval_and_null_stand_where_they_belong(summary, ax):
    plots.rates(summary, ax=ax)
    lines = [line.get_xydata().tolist() for line in ax.get_lines()]
    assert [[17.3, 0], [52.8, 0]] in [np.round(line, 6).tolist() for line in lines]
    assert any(line == [[pytest.approx(43.4), pytest.approx(0.64)], [pytest.approx(43.4), pytest.approx(1.36)]]
               for line in lines)  # fmt: skip
    assert ax.get_xlim() == (0, 100)


def test_reasons_that_differ_in_one_number_keep_the_other(ax):
    flow = pd.DataFrame(
        {
            "step": "pfs6",
            "level": "patient",
            "patient_id": ["A", "B", "C"],
            "sample_id": None,
            "kept": [True, False, False],
            "reason": [None, "censored on day 84, before day 183", "censored on day 126, before day 183"],
        }
    )
    plots.attrition(flow, ax=ax)
    assert any("censored on day …, before day 183 (2)" in text.get_text() for text in ax.texts)
