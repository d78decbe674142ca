"""Shrinkage by its definition and by what it is for: smaller errors, honest intervals."""

from __future__ import annotations

import numpy as np
import pytest

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import shrink


def test_the_posterior_is_that_of_a_normal_prior():
    raw, error = np.array([1.2, -0.7, 0.1, 2.2, np.nan]), np.array([0.4, 0.5, 0.3, 0.9, 0.2])
    shrunken, left, spread = shrink(raw, error)
    w = error[:4] ** -4
    tau2 = (w * (raw[:4] ** 2 - error[:4] ** 2)).sum() / w.sum()
    assert spread**2 == pytest.approx(tau2)
    precision = 1 / tau2 + 1 / error[:4] ** 2
    np.testing.assert_allclose(shrunken[:4], raw[:4] / error[:4] ** 2 / precision)
    np.testing.assert_allclose(left[:4], np.sqrt(1 / precision))
    assert np.isnan([shrunken[4], left[4]]).all()


def test_shrunken_effects_are_nearer_the_truth_and_their_intervals_hold_it():
    rng = np.random.default_rng(70)
    raw_loss, loss, held, spreads = [], [], [], []
    for _ in range(400):
        truth, error = rng.normal(scale=0.5, size=100), rng.uniform(0.3, 0.8, size=100)
        raw = truth + rng.normal(size=100) * error
        shrunken, left, spread = shrink(raw, error)
        raw_loss.append(((raw - truth) ** 2).mean())
        loss.append(((shrunken - truth) ** 2).mean())
        held.append((np.abs(shrunken - truth) <= 1.959964 * left).mean())
        spreads.append(spread**2)
    assert np.mean(loss) < 0.65 * np.mean(raw_loss)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    assert np.mean(spreads) == pytest.approx(0.25, rel=0.05)


def test_a_panel_of_chance_shrinks_to_nothing():
    rng = np.random.default_rng(71)
    error = np.full(2000, 0.5)
    shrunken, _, spread = shrink(rng.normal(size=2000) * 0.45, error)
    assert spread == 0.0
    assert (shrunken == 0).all()
    assert np.isnan(shrink([np.nan], [1.0])[2])
    with pytest.raises(ImmunosarcError, match="two vectors alike"):
        shrink([1.0, 2.0], [1.0])
    with pytest.raises(ImmunosarcError, match="must not be negative"):
        shrink([1.0], [-1.0])
