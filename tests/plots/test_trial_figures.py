"""Waterfall, spider, swimmer, butterfly: what is drawn is what the tables say."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from immunosarc import plots, schema
from immunosarc.plots._palette import response_style

HOSTILE = "_a$b$ <i>&amp; \\frac{x}"
PATIENTS = ["P1", "P2", "P3", "P4"]


@pytest.fixture
def outcomes() -> pd.DataFrame:
    frame = dict.fromkeys(schema.OUTCOMES.columns, pd.NA)
    numbers = {n: np.nan for n, c in schema.OUTCOMES.columns.items() if c.kind == "number"}
    words = {n: "ok" for n in schema.OUTCOMES.columns if n.endswith("status") or n == "rule_set"}
    best = {"best_overall_response": ["PR", "PD", "SD", "NE"]}
    table = pd.DataFrame({**frame, **numbers, **words, **best}, index=pd.Index(PATIENTS, name="patient_id"))
    return schema.OUTCOMES.check(table)


@pytest.fixture
def change() -> pd.DataFrame:
    rows = [
        ("P1", -5, 0.0, None, None, False, None),
        ("P1", 44, -45.0, "PR", "no", True, None),
        ("P1", 86, -30.0, "PD", "yes", False, "progression"),
        ("P2", -3, 0.0, None, None, False, None),
        ("P2", 41, 25.0, "PD", "no", True, "progression"),
        ("P3", -1, 0.0, None, None, False, None),
        ("P3", 43, -10.0, "SD", "no", True, "censored at the last adequate scan before another therapy"),
        ("P4", np.nan, np.nan, None, None, False, "censored on day 1: no adequate scan after baseline"),
    ]
    names = ["patient_id", "study_day", "change_percent", "overall_response", "new_lesion", "best", "ended"]
    frame = pd.DataFrame(rows, columns=names).assign(status="ok")
    return schema.TUMOR_CHANGE.check(frame)


@pytest.fixture
def timeline() -> pd.DataFrame:
    rows = [
        ("P1", "follow_up", 1, 300, "PR"),
        ("P1", "dose", 1, np.nan, "doxorubicin"),
        ("P1", "dose", 22, np.nan, "balstilimab"),
        ("P1", "response", 44, 86, "PR"),
        ("P1", "progression", 86, np.nan, None),
        ("P1", "biopsy", -7, np.nan, "pre"),
        ("P1", "immune_event", 30, np.nan, "Colitis"),
        ("P1", "death", 300, np.nan, None),
        ("P1", "data_cut", 400, np.nan, None),
        ("P2", "follow_up", 1, 390, "SD"),
        ("P2", "new_therapy", 90, np.nan, None),
        ("P2", "data_cut", 400, np.nan, None),
        ("P2", "ongoing", 390, np.nan, None),
        ("P3", "follow_up", np.nan, np.nan, None),
    ]
    frame = pd.DataFrame(rows, columns=["patient_id", "kind", "study_day", "end_day", "label"])
    return schema.TIMELINE.check(frame.assign(status="ok"))


@pytest.fixture
def counts() -> pd.DataFrame:
    rows = [
        ("Nausea", "any cause", 1, 3),
        ("Nausea", "any cause", 3, 1),
        ("Nausea", "treatment-related", 1, 2),
        ("Anemia", "any cause", 5, 1),
    ]
    frame = pd.DataFrame(rows, columns=["term", "attribution", "grade", "n_patients"])
    return schema.EVENT_COUNTS.check(frame.assign(n_treated=10))


@pytest.fixture
def figures(change, outcomes, timeline, counts):
    tracks = pd.DataFrame({"stage": ["1", "2", "1", "2"]}, index=PATIENTS)
    return {
        "waterfall": (plots.waterfall, (change, outcomes), {"tracks": tracks}),
        "spider": (plots.spider, (change, outcomes), {}),
        "swimmer": (plots.swimmer, (timeline,), {}),
        "butterfly": (plots.butterfly, (counts,), {}),
    }


NAMES = ("waterfall", "spider", "swimmer", "butterfly")


def _draw(ax):
    FigureCanvasAgg(ax.figure).draw()


@pytest.mark.parametrize("name", NAMES)
def test_carries_n_and_leaves_inputs_and_settings_alone(name, figures, ax):
    draw, tables, options = figures[name]
    before, settings = [table.copy(deep=True) for table in tables], dict(matplotlib.rcParams)
    assert draw(*tables, ax=ax, **options) is ax
    _draw(ax)
    assert "n = " in ax.get_title(loc="left")
    for table, copy in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("case", ["empty", "one row", "all missing", "simulated"])
@pytest.mark.parametrize("name", NAMES)
def test_degenerate_tables_are_drawn(name, case, figures, ax):
    draw, (table, *others), options = figures[name]
    if case == "all missing":
        table = table.assign(**dict.fromkeys(table.select_dtypes("float64"), np.nan))
        table = table.assign(grade=1.0) if "grade" in table else table
    elif case == "simulated":
        table = table.assign(simulated="SIMULATED")
    else:
        table = table.iloc[: 0 if case == "empty" else 1]
    draw(table, *others, ax=ax, **options)
    _draw(ax)
    assert ax.texts or ax.get_lines() or ax.patches
    assert ax.get_title(loc="left").startswith("SIMULATED: ") == (case == "simulated")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_drawn_as_they_stand(name, figures, ax):
    draw, (table, *others), options = figures[name]
    if name in ("waterfall", "spider"):
        others = [others[0].rename(index={"P4": HOSTILE})]
        options = {"tracks": options["tracks"].assign(stage=HOSTILE)} if options else {}
    columns = {"term": HOSTILE, "label": HOSTILE} if name in ("butterfly", "swimmer") else {}
    table = table.assign(**{key: value for key, value in columns.items() if key in table})
    draw(table, *others, ax=ax, **options)
    _draw(ax)
    texts = [text for text in ax.findobj(matplotlib.text.Text) if "frac" in text.get_text()]
    assert texts or name == "spider"
    assert all(not matplotlib.cbook.is_math_text(text.get_text()) for text in texts)


def test_waterfall_draws_the_best_change_largest_first(change, outcomes, ax):
    tracks = pd.DataFrame(
        {"histology": [f"type {i}" for i in range(4)], "stage": ["1", "2", "1", "2"]}, index=PATIENTS
    )
    plots.waterfall(change, outcomes, tracks=tracks, ax=ax)
    bars = ax.patches[:3]
    assert [bar.get_height() for bar in bars] == [25.0, -10.0, -45.0]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == [
        response_style(name).color.lower() for name in ("PD", "SD", "PR")
    ]
    assert ax.get_title(loc="left") == "Best change of target lesions, n = 3 of 4 treated"
    marks = [text for text in ax.texts if text.get_text() == "N"]
    assert [text.xy for text in marks] == [(2, 0)]
    levels = {line.get_ydata()[0] for line in ax.lines if len(set(line.get_ydata())) == 1}
    assert {20, -30} <= levels
    words = [text.get_text() for text in ax.texts]
    assert "without a bar: 1 patient (P4)" in words
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend[:3] == ["PR: 1", "SD: 1", "PD: 1"]
    cells = [patch for patch in ax.patches[3:] if patch.get_width() == 0.82]
    assert len(cells) == 6  # histology and stage, three patients each


def test_waterfall_writes_out_what_has_too_many_categories(outcomes, ax):
    patients = [f"P{i}" for i in range(8)]
    rows = pd.DataFrame({"patient_id": patients, "study_day": 40.0, "change_percent": np.arange(8.0)})
    rows = rows.assign(overall_response="SD", new_lesion="no", best=True, ended=pd.NA, status="ok")
    tracks = pd.DataFrame({"histology": [f"type {i}" for i in range(8)]}, index=patients)
    plots.waterfall(schema.TUMOR_CHANGE.check(rows), outcomes, tracks=tracks, ax=ax)
    written = [text for text in ax.texts if text.get_text().startswith("type")]
    assert [text.get_text() for text in written] == [f"type {i}" for i in range(7, -1, -1)]
    assert {text.get_rotation() for text in written} == {90.0}


def test_spider_draws_true_days_and_the_reason_at_the_end(change, outcomes, ax):
    plots.spider(change, outcomes, ax=ax)
    lines = [line for line in ax.lines if line.get_marker() == "."]
    assert [list(line.get_xdata()) for line in lines] == [[-5, 44, 86], [-3, 41], [-1, 43]]
    assert list(lines[0].get_ydata()) == [0, -45, -30]
    ends = {line.get_xdata()[0]: line.get_marker() for line in ax.lines if line.get_marker() in "vDXPo"}
    assert ends == {86: "v", 41: "v", 43: "D"}
    assert ax.get_title(loc="left") == "Target lesions over time, n = 3 of 4 treated"


def test_spider_leaves_a_gap_where_a_target_was_not_assessed(change, outcomes, ax):
    missing = change.assign(change_percent=change["change_percent"].mask(change["study_day"] == 44))
    plots.spider(missing, outcomes, ax=ax)
    drawn = next(line for line in ax.lines if line.get_marker() == ".")
    assert np.isnan(drawn.get_ydata()[1])


def test_swimmer_lanes_marks_and_the_cut(timeline, ax):
    plots.swimmer(timeline, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["P2", "P1"]  # longest first
    assert ax.get_title(loc="left") == "Course of each patient, n = 2 of 3"
    lanes = [(bar.get_x(), bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in ax.patches]
    assert lanes == [(0, 390, 0), (0, 300, 1), (44, 42, 1)]
    at = {line.get_marker(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in ax.lines}
    assert at["X"] == [(300, 1)]
    assert at["v"] == [(86, 1)]
    assert at["*"] == [(30, 1)]
    assert at["d"] == [(-7, 1)]
    assert at["s"] == [(90, 0)]
    assert at[">"] == [(396, 0)]
    ticks = [one.get_segments() for one in ax.collections if isinstance(one, LineCollection)]
    assert sorted(segment[0][0] for group in ticks for segment in group) == [1, 22]
    cut = [line for line in ax.lines if list(line.get_xdata()) == [400, 400]]
    assert len(cut) == 1
    assert "data cut" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_swimmer_says_whose_cut_where_the_days_differ(timeline, ax):
    later = (timeline["kind"] == "data_cut") & (timeline["patient_id"] == "P2")
    plots.swimmer(timeline.assign(study_day=timeline["study_day"].mask(later, 410)), ax=ax)
    assert "data cut of the patient" in [text.get_text() for text in ax.get_legend().get_texts()]
    segments = [one.get_segments() for one in ax.collections][-1]
    assert sorted(segment[0][0] for segment in segments) == [400, 410]


def test_butterfly_shares_and_counts(counts, ax):
    plots.butterfly(counts, ax=ax)
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in ax.patches]
    # highest grade next to the middle; 10 treated
    assert bars == [(0, -10, 0), (-10, -30, 0), (0, 20, 0), (0, -10, 1)]
    words = [text.get_text() for text in ax.texts]
    assert words[:3] == ["4 / 1", "2 / 0", "1 / 1"]
    assert ax.get_title(loc="left") == "Adverse events, n = 10 treated"


def test_butterfly_says_what_it_leaves_out(counts, ax):
    plots.butterfly(counts, most=1, ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Nausea"]
    assert "not drawn: 1 rarer term" in ax.texts[-1].get_text()


def test_figures_work_on_a_subplot_of_any_size(figures):
    axes = Figure(figsize=(9, 9)).subplots(2, 2).ravel()
    for axis, (draw, tables, options) in zip(axes, figures.values(), strict=True):
        assert draw(*tables, ax=axis, **options) is axis
    _draw(axes[0])
