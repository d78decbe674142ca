"""Numbers as they are printed, at their edges."""

from __future__ import annotations

import numpy as np
import pytest

from immunosarc import plots

NAN = float("nan")


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.00099, "< .001"),
        (0.001, ".001"),
        (0.0096, ".010"),
        (0.05, ".050"),
        (1.0, "1.000"),
        (0.0, "< .001"),
        (NAN, "–"),
    ],
)
def test_p(p, text):
    assert plots.p_text(p) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.5, "0.50"),
        (1.0, "1.00"),
        (12.34, "12.3"),
        (9999, "9,999"),
        (123456.0, "1.2e5"),
        (0.00012, "1.2e-4"),
        (-0.00312, "-0.0031"),
        (-np.inf, "-∞"),
        (NAN, "–"),
    ],
)
def test_number(value, text):
    assert plots.number_text(value) == text


def test_interval_of_a_ratio_is_exponentiated_and_its_ends_may_be_endless():
    how = plots.measure("log_hazard_ratio")
    assert plots.interval_text(np.log(2), -np.inf, np.inf, how=how) == "2.00 [0, ∞]"
    assert plots.interval_text(NAN, NAN, NAN, how=how) == "–"
    assert plots.interval_text(0.0, NAN, NAN, how=how) == "1.00"


def test_measures_know_their_null():
    assert {name: plots.measure(name).null for name in ("auc", "log_odds_ratio", "log_hazard_ratio_per_sd")} == {
        "auc": 0.5,
        "log_odds_ratio": 1.0,
        "log_hazard_ratio_per_sd": 1.0,
    }
    assert plots.measure("mean_difference").shown([0.3]).tolist() == [0.3]


def test_percent_with_a_missing_limit():
    assert plots.percent_text(0.5, 0.25, NAN) == "50.0% [25.0, –]"
