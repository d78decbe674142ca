"""Before-after figures: medians, counts and shifts come from the tables."""

from __future__ import annotations

import pytest

from immunosarc import plots, schema
from immunosarc.errors import UnknownNameError


def _texts(ax):
    return [text.get_text() for text in ax.texts]


def test_groups_stand_in_clinical_order_with_their_pairs(pairs, ax):
    plots.paired_change(pairs, feature="cyt", ax=ax)
    assert _texts(ax) == ["CR/PR\nn = 3 pairs", "PD\nn = 2 pairs", "response not known\nn = 1 pair"]
    assert ax.get_title(loc="left") == "cyt: change per patient, n = 6 pairs; 1 patient without both"


def test_a_line_per_patient_and_the_medians(pairs, ax):
    plots.paired_change(pairs, feature="cyt", ax=ax)
    medians = [line for line in ax.get_lines() if str(line.get_label()).startswith("_median")]
    assert [line.get_ydata().tolist() for line in medians] == [[2.0, 4.0], [1.5, 2.25], [3.0, 3.5]]
    assert [line.get_xdata().tolist() for line in medians] == [[0, 1], [2, 3], [4, 5]]
    patients = [line for line in ax.get_lines() if line not in medians and len(line.get_xdata()) == 2]
    drawn = sorted(line.get_ydata().tolist() for line in patients if line.get_marker() != "None")
    assert drawn == sorted([*pairs.dropna()[["before", "after"]].to_numpy().tolist(), [3.0, 3.5]])


def test_shift_with_interval_and_corrected_p(pairs, changes, ax):
    plots.paired_change(pairs, changes, feature="cyt", ax=ax)
    texts = "\n".join(_texts(ax))
    assert "shift +3.00 [+1.00, +5.00]\np maxT .039" in texts
    assert "needs 3 pairs, has 2" in texts
    assert ".011" not in texts
    assert ax.get_xlabel() == "all groups: n = 6, shift +1.25, p maxT < .001"
    assert ax.get_ylabel() == "cyt (mean_log2(log2_tpm))"


def test_unknown_feature(pairs, ax):
    with pytest.raises(UnknownNameError, match=r"no pairs of feature 'cit'\. Did you mean 'cyt'"):
        plots.paired_change(pairs, feature="cit", ax=ax)


@pytest.mark.parametrize("table", ["empty", "missing"])
def test_nobody_with_both(table, pairs, ax):
    frame = schema.PAIRED.empty() if table == "empty" else pairs.assign(after=float("nan"))
    plots.paired_change(frame, feature="cyt", ax=ax)
    assert _texts(ax) == ["no patient has cyt before and after"]
    assert "n = 0 pairs" in ax.get_title(loc="left")
