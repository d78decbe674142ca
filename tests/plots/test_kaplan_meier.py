"""Kaplan-Meier figures: the numbers under the axis are counted again from the patients."""

from __future__ import annotations

import numpy as np
import pytest

from immunosarc import plots, schema
from immunosarc.errors import UnknownNameError
from tests.plots.conftest import TIMES


def _texts(ax):
    return [text.get_text() for text in ax.texts]


def _row_under(ax, name):
    """The numbers in the row of a stratum, by their place along the axis."""
    texts = ax.texts
    label = next(text for text in texts if text.get_text() == name)
    same = [text for text in texts if text.xyann[1] == label.xyann[1] and text is not label]
    return {text.xy[0]: int(text.get_text()) for text in same}


def test_numbers_at_risk_are_the_patients_still_there(curves, ax):
    plots.kaplan_meier(curves, ax=ax)
    for name, (times, _) in TIMES.items():
        shown = _row_under(ax, name)
        assert set(shown) == set(ax.get_xticks())
        assert shown == {tick: sum(t >= tick for t in times) for tick in ax.get_xticks()}


def test_legend_counts_patients_and_events(curves, ax):
    plots.kaplan_meier(curves, ax=ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["stage 1: n = 6, 3 events", "stage 2: n = 5, 4 events"]
    assert ax.get_title(loc="left") == "Progression-free survival, n = 11"


def test_one_event_is_one_event(curves, ax):
    plots.kaplan_meier(curves, endpoint="os", ax=ax)
    assert ax.get_legend().get_texts()[0].get_text() == "all patients: n = 2, 1 event"


def test_curves_step_down_after_the_event(curves, ax):
    plots.kaplan_meier(curves, ax=ax)
    line = ax.get_lines()[0]
    assert line.get_drawstyle() == "steps-post"
    part = curves[(curves["stratum"] == "stage 1") & (curves["endpoint"] == "pfs")]
    np.testing.assert_array_equal(line.get_xydata(), part[["time", "survival"]].to_numpy())


def test_a_tick_where_a_patient_was_censored(curves, ax):
    plots.kaplan_meier(curves, ax=ax)
    ticks = [line for line in ax.get_lines() if line.get_marker() == "|"]
    censored = [[t for t, e in zip(*TIMES[name], strict=True) if not e] for name in TIMES]
    assert [line.get_xdata().tolist() for line in ticks] == censored


def test_strata_differ_without_color(curves, ax):
    plots.kaplan_meier(curves, ax=ax)
    lines = [line for line in ax.get_lines() if line.get_drawstyle() == "steps-post"]
    assert len({line.get_color() for line in lines}) == len({line.get_linestyle() for line in lines}) == 2


def test_a_curve_that_starts_at_its_first_event_starts_at_one(curves, ax):
    late = curves[curves["time"] > 0]
    plots.kaplan_meier(late, ax=ax)
    assert ax.get_lines()[0].get_xydata()[0].tolist() == [0.0, 1.0]


def test_no_patient(ax):
    plots.kaplan_meier(schema.SURVIVAL_CURVE.empty(), ax=ax)
    assert _texts(ax) == ["no patient with progression-free survival"]
    assert "n = 0" in ax.get_title(loc="left")


def test_unknown_endpoint(curves, ax):
    with pytest.raises(UnknownNameError, match=r"no curve of endpoint 'pf'\. Did you mean 'pfs'"):
        plots.kaplan_meier(curves, endpoint="pf", ax=ax)
