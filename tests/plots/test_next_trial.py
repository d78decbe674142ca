"""The figures of the next trial draw what their tables say, and decide nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from immunosarc import design, plots
from immunosarc.catalog import load_historical_controls

HOSTILE = "_a$b$ \\frac{x}"


@pytest.fixture
def candidates() -> pd.DataFrame:
    rules = pd.DataFrame({HOSTILE: [True] * 10 + [False] * 20}, index=[f"P{i}" for i in range(30)])
    response = pd.Series([True] * 7 + [False] * 3 + [True] * 3 + [False] * 17, index=rules.index)
    return design.enrichment(rules, response, p0=[0.2, 0.336]).assign(endpoint="objective_response")


def test_every_rule_has_its_rate_its_bar_and_its_numbers(candidates: pd.DataFrame) -> None:
    ax = Figure(figsize=(5, 3)).add_subplot()
    before = candidates.copy()
    plots.next_trial(candidates, ax=ax)
    FigureCanvasAgg(ax.figure).draw()
    pd.testing.assert_frame_equal(candidates, before)
    bars = [
        line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2 and np.ptp(line.get_xdata()) == 0
    ]
    assert bars == pytest.approx((100 * candidates["p0"]).tolist())
    dots = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    wanted = [100 * value for row in candidates.itertuples() for value in (row.rate_raw, row.rate)]
    assert dots == pytest.approx(wanted)
    words = [text.get_text() for text in ax.texts]
    for row in candidates.itertuples():
        shown = row.status if np.isnan(row.n) else f"{row.screened:.0f}"
        assert shown in words
    assert [t.get_text() for t in ax.get_yticklabels()][1].startswith(" _a\\$b\\$")


def test_controls_are_filled_where_they_are_beaten() -> None:
    controls = load_historical_controls().query("endpoint == 'pfs6'")
    table = design.control_sensitivity(13, 28, controls, endpoint="pfs6")
    ax = Figure(figsize=(5, 3)).add_subplot()
    plots.historical_controls(table, ax=ax)
    marks = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert [line.get_xdata()[0] for line in marks] == pytest.approx((100 * table["p0"]).tolist())
    filled = [line.get_markerfacecolor() != "white" for line in marks]
    assert filled == table["superior"].tolist() == [True, False, False, False, False]
    words = " ".join(text.get_text() for text in ax.texts)
    assert ".444" in words
    assert "33.1%" in words
    assert "13/28" in ax.get_title(loc="left")
    plots.historical_controls(table.assign(simulated="SIMULATED"), ax=ax)
    assert ax.get_title(loc="left").startswith("SIMULATED: ")


def test_a_tie_in_color_is_told_apart_by_shape() -> None:
    table = design.control_sensitivity(
        5,
        10,
        pd.DataFrame(
            {"label": ["a", "b"], "role": "declared", "rate": [0.1, 0.6], "evidence": "plan", "citation": None}
        ),
        endpoint="pfs6",
    )
    ax = Figure().add_subplot()
    plots.historical_controls(table, ax=ax)
    marks = [line.get_marker() for line in ax.lines if len(line.get_xdata()) == 1]
    assert len(set(marks)) == 2
