"""Analysis of covariance against statsmodels; that regression to the mean is no effect is in test_calibration."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import ancova


def test_agrees_with_least_squares_feature_by_feature():
    rng = np.random.default_rng(50)
    before, group = rng.normal(5, 2, size=(24, 4)), rng.random(24) < 0.4
    after = 0.6 * before + rng.normal(size=(24, 4)) + 0.8 * group[:, None]
    before[rng.random(24) < 0.2, 1] = np.nan
    after[rng.random(24) < 0.2, 1] = np.nan
    before[:, 3] = 4.0
    fits = ancova(before, after, group, level=0.9)
    for k in range(4):
        has = ~np.isnan(before[:, k] + after[:, k])
        columns = [group[has].astype(float)] + ([before[has, k]] if k < 3 else [])
        peer = sm.OLS(after[has, k], sm.add_constant(np.column_stack(columns))).fit()
        assert fits.estimate[k] == pytest.approx(peer.params[1], rel=1e-9)
        assert fits.std_error[k] == pytest.approx(peer.bse[1], rel=1e-9)
        assert fits.p_value[k] == pytest.approx(peer.pvalues[1], rel=1e-8)
        assert [fits.conf_low[k], fits.conf_high[k]] == pytest.approx(list(peer.conf_int(0.1)[1]), rel=1e-8)
        assert (fits.n[k], fits.n_events[k]) == (has.sum(), group[has].sum())
        assert np.sign(fits.statistic[k]) == np.sign(peer.tvalues[1])


def test_hopeless_features_say_why():
    rng = np.random.default_rng(52)
    before, group = rng.normal(size=(9, 3)), np.arange(9) < 4
    before[:, 1] = group * 2.0
    after = rng.normal(size=(9, 3))
    after[3:, 2] = np.nan
    fits = ancova(before, after, group)
    assert fits.status.tolist() == [
        "ok",
        "the baseline determines the group",
        "needs patients in both groups, has 3 and 0",
    ]
    assert np.isnan(fits.estimate[1:]).all()
    assert ancova(before[2:5, :1], after[2:5, :1], group[2:5]).status[0] in (
        "needs 4 pairs, has 3",
        "needs patients in both groups, has 1 and 0",
    )
    with pytest.raises(ImmunosarcError, match="need the same shape"):
        ancova(before, after[:, :2], group)
