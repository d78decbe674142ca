"""Type S and type M against simulated findings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import discovery_errors


@pytest.mark.parametrize(("signal", "alpha"), [(0.3, 0.05), (1.0, 0.05), (2.8, 0.05), (1.5, 0.001)])
def test_errors_are_those_of_simulated_findings(signal, alpha):
    z = np.random.default_rng(3).normal(signal, size=4_000_000)
    found = np.abs(z) > norm.isf(alpha / 2)
    power, type_s, type_m = discovery_errors(signal, alpha)
    few = found.sum()
    assert power == pytest.approx(found.mean(), abs=4 * np.sqrt(power / 4e6))
    assert type_s == pytest.approx((z[found] < 0).mean(), abs=4 * np.sqrt(type_s / few) + 1e-6)
    assert type_m == pytest.approx(np.abs(z[found]).mean() / signal, rel=4 / np.sqrt(few))


@pytest.mark.parametrize(("signal", "alpha"), [(0.3, 0.05), (2.5, 0.05), (1.5, 0.001)])
def test_one_sided_errors_are_those_of_simulated_findings(signal, alpha):
    z = np.random.default_rng(4).normal(signal, size=4_000_000)
    found = z > norm.isf(alpha)
    power, type_s, type_m = discovery_errors(signal, alpha, one_sided=True)
    assert power == pytest.approx(found.mean(), abs=4 * np.sqrt(power / 4e6))
    assert type_s == 0.0
    assert type_m == pytest.approx(z[found].mean() / signal, rel=4 / np.sqrt(found.sum()))


def test_no_effect_is_found_with_either_sign():
    power, type_s, type_m = discovery_errors(0.0, 0.05)
    assert (float(power), float(type_s), float(type_m)) == (pytest.approx(0.05), pytest.approx(0.5), np.inf)
    with pytest.raises(ImmunosarcError, match="signal: must not be negative"):
        discovery_errors(-1.0, 0.05)
