"""Sign flips: reproducible, and the identity gives the observed statistic."""

from __future__ import annotations

import numpy as np
import pytest

from immunosarc import stats


def test_sign_flips_repeat_and_a_longer_run_begins_with_the_shorter() -> None:
    assert (stats.sign_flips(5, 10, seed=1)[:4] == stats.sign_flips(5, 4, seed=1)).all()
    assert set(np.unique(stats.sign_flips(5, 100, seed=1))) == {-1, 1}


def test_nobody_flipped_is_the_observed_statistic() -> None:
    changes = np.random.default_rng(4).normal(size=(12, 5))
    changes[0, 0], changes[1, 1], changes[2, 1] = np.nan, 0.0, changes[3, 1]
    same = stats.signed_rank_null(changes, np.ones((1, 12)))
    assert same[0] == pytest.approx(stats.signed_rank(changes).statistic)
