"""What holds for every figure: n, the SIMULATED lead, degenerate tables, hostile names, no side effects."""

from __future__ import annotations

import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from immunosarc import plots
from immunosarc.plots._palette import category_styles, response_style
from immunosarc.schema import RESPONSES

HOSTILE = "_a$b$ <i>&amp; \\frac{x}"


def _scores():
    return pd.DataFrame({"cyt": [1.0, 2.0], "tis": [3.0, 1.0]}, index=pd.Index(["S1", "S2"], name="sample_id"))


@pytest.fixture
def figures(curves, association, pairs, changes, flow, summary):
    tracks = pd.DataFrame({"timepoint": ["pre", "on"]}, index=["S1", "S2"])
    return {
        "kaplan_meier": (plots.kaplan_meier, (curves,), {}),
        "forest": (plots.forest, (association([0.6, 0.7]),), {}),
        "volcano": (plots.volcano, (association([0.6, 0.7]),), {}),
        "paired_change": (plots.paired_change, (pairs, changes), {"feature": "cyt"}),
        "heatmap": (plots.heatmap, (_scores(), tracks), {}),
        "attrition": (plots.attrition, (flow,), {}),
        "rates": (plots.rates, (summary,), {}),
    }


NAMES = ("kaplan_meier", "forest", "volcano", "paired_change", "heatmap", "attrition", "rates")


def _draw(ax):
    FigureCanvasAgg(ax.figure).draw()


@pytest.mark.parametrize("name", NAMES)
def test_carries_n_and_leaves_inputs_and_settings_alone(name, figures, ax):
    draw, tables, options = figures[name]
    before, settings = [table.copy(deep=True) for table in tables], dict(matplotlib.rcParams)
    assert draw(*tables, ax=ax, **options) is ax
    _draw(ax)
    assert "n " in ax.get_title(loc="left")
    assert not ax.get_title(loc="left").startswith("SIMULATED")
    for table, copy in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("rows", ["some", "none"])
@pytest.mark.parametrize("name", NAMES)
def test_simulated_is_said_first(name, rows, figures, ax):
    draw, (table, *others), options = figures[name]
    told = table.assign(simulated="SIMULATED")
    draw(told if rows == "some" else told.iloc[:0], *others, ax=ax, **options)
    assert ax.get_title(loc="left").startswith("SIMULATED: ")


@pytest.mark.parametrize("case", ["empty", "one row", "all missing"])
@pytest.mark.parametrize("name", NAMES)
def test_degenerate_tables_are_drawn(name, case, figures, ax):
    draw, (table, *others), options = figures[name]
    if case == "all missing":
        table = table.assign(**dict.fromkeys(table.select_dtypes("float64"), np.nan))
        if name == "forest":
            table = table.assign(status="no patient with this endpoint")
    else:
        table = table.iloc[: 0 if case == "empty" else 1]
    draw(table, *others, ax=ax, **options)
    _draw(ax)
    assert ax.texts or ax.images or ax.get_lines()


@pytest.mark.parametrize("name", NAMES)
def test_names_are_drawn_as_they_stand(name, figures, ax):
    """Dollars are no formula, a leading underscore hides nothing, markup is text."""
    draw, (table, *others), options = figures[name]
    columns = {"stratum", "feature", "family", "group", "reason", "step"} & set(table.columns)
    table = table.assign(**dict.fromkeys(columns, HOSTILE))
    if name == "paired_change":
        options = {"feature": HOSTILE}
        others = [others[0].assign(feature=HOSTILE, group=HOSTILE, scoring=HOSTILE)]
    if name == "heatmap":
        table = table.rename(columns={"cyt": HOSTILE}, index={"S1": HOSTILE})
        others = [others[0].rename(index={"S1": HOSTILE}).assign(**{HOSTILE: HOSTILE})]
    draw(table, *others, ax=ax, **options)
    _draw(ax)
    texts = [text for text in ax.findobj(matplotlib.text.Text) if "frac" in text.get_text()]
    assert texts or name == "rates"
    assert all(not matplotlib.cbook.is_math_text(text.get_text()) for text in texts)


def test_without_axes_the_current_one_is_used(summary):
    code = (
        "import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot as plt\n"
        "from immunosarc import plots, schema\n"
        "ax = plt.figure().add_subplot()\n"
        "assert plots.rates(schema.SUMMARY.empty()) is ax"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_drawing_needs_no_pyplot_and_the_package_no_matplotlib():
    code = (
        "import sys, immunosarc\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from immunosarc import plots, schema\n"
        "from matplotlib.figure import Figure\n"
        "plots.rates(schema.SUMMARY.empty(), ax=Figure().add_subplot())\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_responses_differ_by_more_than_color():
    styles = [response_style(name) for name in RESPONSES]
    for look in ("color", "marker", "hatch"):
        assert len({getattr(style, look) for style in styles}) == len(RESPONSES)


def test_forty_categories_all_look_different():
    styles = category_styles([f"c{i}" for i in range(40)])
    assert len({(style.color, style.hatch) for style in styles.values()}) == 40
    assert len({(style.color, style.linestyle) for style in styles.values()}) == 40


def _as_seen_without_green_cones(color):
    """Machado 2009, deuteranopia, severity 1, on linear RGB (doi 10.1109/TVCG.2009.113)."""
    rgb = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    return matrix @ linear


def test_response_colors_stay_apart_for_a_color_blind_reader():
    seen = [_as_seen_without_green_cones(response_style(name).color) for name in RESPONSES]
    gaps = [np.abs(a - b).max() for i, a in enumerate(seen) for b in seen[:i]]
    assert min(gaps) > 0.1


def test_figures_work_on_a_subplot_of_any_size(figures):
    axes = Figure(figsize=(9, 9)).subplots(3, 3).ravel()
    for axis, (draw, tables, options) in zip(axes, figures.values(), strict=False):
        assert draw(*tables, ax=axis, **options) is axis
    _draw(axes[0])
