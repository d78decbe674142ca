"""Forest and volcano: ratios are exponentiated, the naive p is never text, noise is drawn to scale."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from immunosarc import plots
from immunosarc.errors import SchemaError

NAN = float("nan")


def _texts(ax):
    return [text.get_text() for text in ax.texts]


def _markers(ax, shapes="oD"):
    return [line for line in ax.get_lines() if line.get_marker() in list(shapes) and len(line.get_xdata())]


def test_auc_stays_on_a_linear_axis_around_one_half(association, ax):
    plots.forest(association([0.73, 0.4]), ax=ax)
    assert ax.get_xscale() == "linear"
    assert [float(line.get_xdata()[0]) for line in _markers(ax)] == [0.73, 0.4]
    assert any(list(line.get_xdata()) == [0.5, 0.5] for line in ax.get_lines())
    assert "0.73 [0.63, 0.83]" in _texts(ax)


def test_log_ratios_are_shown_as_ratios(association, ax):
    plots.forest(association([np.log(2), np.log(0.5)], measure="log_odds_ratio_per_sd"), ax=ax)
    assert ax.get_xscale() == "log"
    assert [float(line.get_xdata()[0]) for line in _markers(ax)] == pytest.approx([2, 0.5])
    assert any(list(line.get_xdata()) == [1, 1] for line in ax.get_lines())
    assert f"2.00 [{2 * np.exp(-0.1):.2f}, {2 * np.exp(0.1):.2f}]" in _texts(ax)
    assert ax.get_xlabel() == "Odds ratio per SD (1 = no association)"


def test_forest_prints_counts_and_the_corrected_p_only(association, ax):
    plots.forest(association([0.7]), ax=ax)
    assert {"27 (9)", ".251"} <= set(_texts(ax))
    assert not any("012" in text for text in _texts(ax))


def test_smallest_corrected_p_first_and_only_the_top(association, ax):
    table = association([0.6, 0.7, 0.8], p_maxt=[0.5, 0.01, 0.2])
    plots.forest(table, ax=ax, top=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["feature_1", "feature_2"]
    assert "2 of 3 features, n = 27" in ax.get_title(loc="left")
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # first row on top


def test_filled_below_five_percent_and_a_diamond_when_planned(association, ax):
    table = association([0.6, 0.7], p_maxt=[0.049, 0.05], stamp=["confirmatory", "exploratory"])
    plots.forest(table, ax=ax)
    first, second = _markers(ax)
    assert (first.get_marker(), second.get_marker()) == ("D", "o")
    assert first.get_markerfacecolor() != "white"
    assert second.get_markerfacecolor() == "white"


def test_a_hopeless_feature_keeps_its_row_and_says_why(association, ax):
    plots.forest(association([NAN, 0.7]), ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["feature_1", "feature_0"]
    assert "not estimable: needs 2 patients per group, has 10 and 1" in _texts(ax)


def test_an_endless_interval_leaves_the_axis_with_an_arrow(association, ax):
    table = association([1.0, 0.5], measure="log_odds_ratio", conf_low=[0.1, -np.inf], conf_high=[np.inf, 1.0])
    plots.forest(table, ax=ax)
    low, high = ax.get_xlim()
    assert [line.get_xydata().tolist() for line in _markers(ax, ">")] == [[[high, 0]]]
    assert [line.get_xydata().tolist() for line in _markers(ax, "<")] == [[[low, 1]]]
    assert high < 100


def test_every_estimate_is_inside_the_axis(association, ax):
    plots.forest(association([9.0, -8.0], measure="log_odds_ratio"), ax=ax)
    low, high = ax.get_xlim()
    assert low < np.exp(-8)
    assert high > np.exp(9)


@pytest.mark.parametrize("figure", [plots.forest, plots.volcano])
def test_one_family_at_a_time(figure, association, ax):
    mixed = pd.concat([association([0.6]), association([0.7], family="other")])
    with pytest.raises(SchemaError, match="draws one family at a time, the table has 2"):
        figure(mixed, ax=ax)


@pytest.mark.parametrize("figure", [plots.forest, plots.volcano])
def test_on_treatment_features_carry_their_condition(figure, association, ax):
    figure(association([0.6], timepoint="on"), ax=ax)
    assert "conditional on having an on-treatment sample" in ax.get_title(loc="left")


@pytest.mark.parametrize("measure", ["auc", "log_odds_ratio"])
def test_noise_ceiling_is_the_height_of_its_statistic(association, ax, measure):
    plots.volcano(association([0.6, 0.7], measure=measure, noise_ceiling=1.959964), ax=ax)
    band = ax.patches[0]
    assert band.get_y() == 0
    assert band.get_height() == pytest.approx(-np.log10(0.05), rel=1e-5)
    assert ax.get_ylim()[1] > band.get_height()
    assert any("passed by chance in 5% of shuffles" in t.get_text() for t in ax.get_legend().get_texts())


def test_a_narrow_ratio_axis_still_shows_three_numbers(association, ax):
    plots.volcano(association([0.1, -0.2], measure="log_hazard_ratio"), ax=ax)
    assert len([t for t in ax.get_xticks() if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]]) >= 3
    assert 1.0 in ax.get_xticks()


def test_height_is_minus_log10_of_the_features_own_p(association, ax):
    plots.volcano(association([0.6, 0.7], p_value=[0.01, 0.1]), ax=ax)
    (points,) = _markers(ax)
    assert points.get_xydata().tolist() == [pytest.approx([0.6, 2]), pytest.approx([0.7, 1])]


def test_volcano_counts_features_patients_and_what_is_not_estimable(association, ax):
    plots.volcano(association([0.6, 0.7, NAN]), ax=ax)
    assert "3 features in the family, n = 27 (9 with the endpoint)" in ax.get_title(loc="left")
    assert any("1 not estimable" in text for text in _texts(ax))


def test_the_few_and_the_planned_are_named_apart_from_each_other(association, ax):
    stamp = ["exploratory"] * 9 + ["confirmatory"]
    p = [0.01, 0.0101, 0.0102, 0.0103, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    plots.volcano(association(np.linspace(0.3, 0.8, 10), stamp=stamp, p_value=p), ax=ax, top=4)
    named = [text for text in ax.texts if text.get_text().startswith("feature_")]
    assert {text.get_text() for text in named} == {f"feature_{i}" for i in (0, 1, 2, 3, 9)}
    FigureCanvasAgg(ax.figure).draw()
    boxes = sorted((Text.get_window_extent(text) for text in named), key=lambda box: box.y0)  # without arrows
    assert all(upper.y0 >= lower.y1 - 1 for lower, upper in itertools.pairwise(boxes))
    assert [text.get_fontweight() for text in named if text.get_text() == "feature_9"] == ["bold"]


def test_many_names_at_the_bottom_stay_above_the_axis(association, ax):
    plots.volcano(association(np.linspace(0.3, 0.8, 12), p_value=[0.0001] + [0.99] * 11), ax=ax, top=12)
    places = [text.xyann[1] for text in ax.texts if text.get_text().startswith("feature_")]
    assert min(places) >= 0
    assert len(set(places)) == 12


def test_no_estimate_at_all(association, ax):
    plots.volcano(association([NAN, NAN]), ax=ax)
    assert "none of 2 features could be estimated" in _texts(ax)


def _band(ax):
    """The gray band of effects too weak to be found: left and right edge."""
    spans = [p for p in ax.patches if p.get_height() == 1 and p.get_x() > -1e9]
    return [(p.get_x(), p.get_x() + p.get_width()) for p in spans]


def test_the_volcano_shades_what_is_too_weak_to_be_found(association, ax):
    plots.volcano(association([0.73, 0.4, 0.55], detectable_80=0.83), ax=ax)
    assert _band(ax) == [pytest.approx((0.17, 0.83))]
    assert any("weaker than detectable with 80% power (0.83)" in t.get_text() for t in ax.get_legend().get_texts())


def test_where_each_feature_has_its_own_limit_the_band_is_the_medians(association, ax):
    limits = np.log([2.0, 3.0, 6.0])
    plots.volcano(association(np.log([2, 0.5, 1.1]), measure="log_hazard_ratio", detectable_80=limits), ax=ax)
    assert _band(ax) == [pytest.approx((1 / 3, 3))]
    assert any("3.00; median feature" in t.get_text() for t in ax.get_legend().get_texts())


def test_where_most_features_have_no_limit_there_is_no_band(association, ax):
    plots.volcano(association([0.73, 0.4, 0.55], detectable_80=[0.8, NAN, NAN]), ax=ax)
    assert _band(ax) == []
