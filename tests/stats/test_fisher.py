"""Fisher's exact test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import fisher_exact


def patients(a, c, b, d):
    """Of responders a have the feature and c have not, of the others b and d."""
    return np.repeat([1, 0, 1, 0], [a, c, b, d])[:, None], np.repeat([1, 1, 0, 0], [a, c, b, d])


def test_agrees_with_fisher_test_of_r(oracles):
    for row in pd.read_csv(oracles / "fisher.csv").rename(columns={"or": "odds"}).itertuples():
        fits = fisher_exact(*patients(row.a, row.c, row.b, row.d))
        assert fits.p_exact[0] == pytest.approx(row.p, rel=1e-6)
        # R seeks odds ratios above 1 by their inverse, to 1.3e-4 of it and no closer; scipy does (below)
        for name, wanted in (("estimate", row.odds), ("conf_low", row.lo), ("conf_high", row.hi)):
            ratio = np.exp(getattr(fits, name)[0])
            assert min(abs(ratio - wanted), abs(1 / max(ratio, 1e-9) - 1 / max(wanted, 1e-9))) < 1.3e-4


@pytest.mark.parametrize("counts", [(3, 1, 1, 3), (8, 2, 1, 9), (10, 5, 3, 12), (1, 9, 6, 14), (5, 0, 3, 7)])
def test_agrees_with_scipy(counts):
    a, c, b, d = counts
    fits = fisher_exact(*patients(*counts), level=0.9)
    table = [[a, c], [b, d]]
    assert fits.p_exact[0] == pytest.approx(reference.fisher_exact(table).pvalue, rel=1e-10)
    odds = reference.contingency.odds_ratio(table)
    limits = odds.confidence_interval(0.9)
    assert np.exp(fits.estimate[0]) == pytest.approx(odds.statistic, rel=1e-7)
    np.testing.assert_allclose(np.exp([fits.conf_low[0], fits.conf_high[0]]), [limits.low, limits.high], rtol=1e-7)


def test_an_empty_cell_leaves_one_limit_and_the_missing_are_left_out():
    x, y = patients(0, 7, 9, 4)
    fits = fisher_exact(np.r_[x, [[np.nan]]], np.r_[y, 1])
    assert (fits.n[0], fits.n_events[0]) == (20, 7)
    assert fits.estimate[0] == fits.conf_low[0] == -np.inf
    assert np.isfinite(fits.conf_high[0])


def test_hopeless_features_and_wrong_ones():
    fits = fisher_exact(np.array([[1.0, np.nan], [1.0, 0.0], [1.0, 1.0]]), [1, 0, 0])
    assert fits.status.tolist() == ["constant feature", "needs patients in both groups, has 0 and 2"]
    assert np.isnan(fits.p_exact).all()
    with pytest.raises(ImmunosarcError, match=r"need 0, 1 or NaN, have others in columns \[0\]"):
        fisher_exact([[0.5], [1.0]], [1, 0])
