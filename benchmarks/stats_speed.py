"""How long one panel of 110 signatures takes here and elsewhere, in CPU seconds, results compared first.

python benchmarks/stats_speed.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from firthmodels import FirthLogisticRegression
from lifelines import CoxPHFitter
from numpy.typing import NDArray
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg

from immunosarc.stats import cox, firth_logistic, mann_whitney, permute_within, rank_sum_null, step_down_maxt

FEATURES = 110
PERMUTATIONS = 500  # few enough for the peer, which needs a call for each
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Call = Callable[[], Floats]


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Least CPU time of some runs."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return min(spent)


def firth_peer(x: Floats, y: Flags) -> Floats:
    rows = []
    for column in x.T:
        model = FirthLogisticRegression(backend="numpy", gtol=1e-6, xtol=1e-6).fit(column[:, None], y.astype(int))
        low, high = model.conf_int(method="pl", features=0, tol=1e-7)[0]
        rows.append([model.coef_[0], low, high, model.lrt(0).lrt_pvalues_[0]])
    return np.array(rows)


def firth_ours(x: Floats, y: Flags) -> Floats:
    fits = firth_logistic(x, y)
    return np.column_stack([fits.estimate, fits.conf_low, fits.conf_high, fits.p_value])


def cox_ours(x: Floats, t: Floats, e: Flags) -> Floats:
    fits = cox(x, t, e)
    return np.column_stack([fits.estimate, fits.std_error, fits.p_value])


def cox_statsmodels(x: Floats, t: Floats, e: Flags) -> Floats:
    fits = [PHReg(t, column[:, None], status=e.astype(int), ties="efron").fit() for column in x.T]
    return np.array([[fit.params[0], fit.bse[0], fit.pvalues[0]] for fit in fits])


def cox_lifelines(x: Floats, t: Floats, e: Flags) -> Floats:
    rows = []
    for column in x.T:
        frame = pd.DataFrame({"x": column, "t": t, "e": e})
        summary = CoxPHFitter().fit(frame, "t", "e").summary
        rows.append(summary.loc["x", ["coef", "se(coef)", "p"]].to_numpy(float))
    return np.array(rows)


def rank_peer(x: Floats, y: Flags) -> Floats:
    found = stats.mannwhitneyu(x[y], x[~y], axis=0, method="asymptotic")
    return np.column_stack([found.statistic / (y.sum() * (~y).sum()), found.pvalue])


def rank_ours(x: Floats, y: Flags) -> Floats:
    fits = mann_whitney(x, y)
    return np.column_stack([fits.estimate, fits.p_value])


def maxt_peer(x: Floats, y: Flags, orders: NDArray[np.int64]) -> Floats:
    """The same permutations, one scipy call for each."""
    n1, n0 = int(y.sum()), int((~y).sum())
    cases = [y[order] for order in orders]
    wins = np.array([stats.mannwhitneyu(x[c], x[~c], axis=0, method="asymptotic").statistic for c in cases])
    null = (wins - n1 * n0 / 2) / np.sqrt(n1 * n0 * (n1 + n0 + 1) / 12)
    return step_down_maxt(mann_whitney(x, y).statistic, null)


def maxt_ours(x: Floats, y: Flags, orders: NDArray[np.int64]) -> Floats:
    return step_down_maxt(mann_whitney(x, y).statistic, rank_sum_null(x, y, orders))


def comparisons(n: int) -> Iterator[tuple[str, Call, Call, float]]:
    """Name, our call, the peer's call, and how closely they must agree."""
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, FEATURES)), np.arange(n) < n // 3
    t, e = rng.exponential(size=n).round(2) + 0.01, rng.random(n) < 0.7
    orders = permute_within(np.zeros(n), PERMUTATIONS, seed=1)
    yield "Firth, profile interval, LRT | firthmodels", partial(firth_ours, x, y), partial(firth_peer, x, y), 1e-5
    yield "Cox, Efron | statsmodels", partial(cox_ours, x, t, e), partial(cox_statsmodels, x, t, e), 1e-5
    # lifelines stops early by default; asked for more digits (tests/stats/test_cox.py) it agrees to 1e-6
    yield "Cox, Efron | lifelines", partial(cox_ours, x, t, e), partial(cox_lifelines, x, t, e), 1e-3
    yield "Mann-Whitney (ours with interval) | scipy", partial(rank_ours, x, y), partial(rank_peer, x, y), 1e-10
    name = f"maxT, {PERMUTATIONS} permutations | scipy, a call for each"
    yield name, partial(maxt_ours, x, y, orders), partial(maxt_peer, x, y, orders), 1e-12


def main() -> None:
    print(f"{FEATURES} features, CPU seconds: ours (best of 3), peer (once), ratio")
    for n in (30, 300):
        for name, ours, peer, tolerance in comparisons(n):
            np.testing.assert_allclose(ours(), peer(), rtol=tolerance, atol=tolerance, err_msg=name)
            mine, theirs = seconds(ours, 3), seconds(peer, 1)
            print(f"n={n:<4} {name:52s} {mine:8.4f} {theirs:8.3f} {theirs / mine:7.1f}x")
        x = np.random.default_rng(n).normal(size=(n, FEATURES))
        orders = permute_within(np.zeros(n), 10_000, seed=1)
        mine = seconds(partial(maxt_ours, x, np.arange(n) < n // 3, orders), 3)
        print(f"n={n:<4} {'maxT, 10,000 permutations':52s} {mine:8.4f}")


if __name__ == "__main__":
    main()
