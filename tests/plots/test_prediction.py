"""Calibration and decision curve: the drawn points are the table's, the counts are written, labels are there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunosarc import plots, schema


@pytest.fixture
def groups() -> pd.DataFrame:
    rows = {"group": [1, 2], "n": [10, 9], "predicted": [0.1, 0.4], "n_events": [2, 5]}
    limits = {"observed": [0.2, 5 / 9], "conf_low": [0.03, 0.21], "conf_high": [0.56, 0.86]}
    return schema.RISK_GROUPS.check(pd.DataFrame(rows | limits))


@pytest.fixture
def decisions() -> pd.DataFrame:
    rows = {"threshold": [0.2, 0.5], "model": [0.15, 0.1], "treat_all": [0.1, -0.4], "treat_none": [0.0, 0.0]}
    return schema.DECISION_CURVE.check(pd.DataFrame(rows))


def test_calibration_draws_each_group_with_its_counts(groups, ax):
    before = groups.copy()
    assert plots.calibration(groups, ax=ax) is ax
    diagonal, points = ax.get_lines()
    assert diagonal.get_xydata().tolist() == [[0, 0], [100, 100]]
    assert points.get_xydata() == pytest.approx(np.array([[10, 20], [40, 500 / 9]]))
    bars = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert bars == [pytest.approx([3, 56]), pytest.approx([21, 86])]
    assert {"2/10", "5/9"} <= {text.get_text() for text in ax.texts}
    assert ax.get_title(loc="left") == "Predicted and observed, n = 19"
    assert ax.get_xlabel().endswith("(%)")
    pd.testing.assert_frame_equal(groups, before)


def test_decision_curve_draws_the_three_ways_to_treat(decisions, ax):
    assert plots.decision_curve(decisions, ax=ax) is ax
    drawn = {line.get_label(): line.get_ydata().tolist() for line in ax.get_lines()}
    assert drawn == {"by the model": [0.15, 0.1], "everybody": [0.1, -0.4], "nobody": [0.0, 0.0]}
    assert ax.get_lines()[0].get_xdata().tolist() == [20, 50]
    assert len({line.get_linestyle() for line in ax.get_lines()}) == 3
    assert ax.get_ylim() == pytest.approx((-0.0375, 0.165))


@pytest.mark.parametrize("draw", [plots.calibration, plots.decision_curve])
def test_simulated_is_said_first_and_nothing_is_said_in_words(draw, ax):
    table = schema.RISK_GROUPS if draw is plots.calibration else schema.DECISION_CURVE
    draw(table.empty().assign(simulated="SIMULATED"), ax=ax)
    assert ax.get_title(loc="left").startswith("SIMULATED: ")
    assert ax.texts[0].get_text() == "no risk was predicted"
