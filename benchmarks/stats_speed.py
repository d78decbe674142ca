"""How long 5,000 features take here and elsewhere, in CPU seconds, results compared first.

    python benchmarks/stats_speed.py [--data-root ../shared/data]

Peers fit one feature at a call; they are timed on 100 features and scaled. Both sides have compiled what they
compile before the clock starts. R's coxph.fit is timed where R with its package survival is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from firthmodels import FirthLogisticRegression
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test
from numpy.typing import NDArray
from scipy import optimize, special, stats
from statsmodels.duration.hazard_regression import PHReg

from immunosarc.stats import (
    cox,
    firth_logistic,
    log_rank,
    logrank_score_null,
    mann_whitney,
    median_split,
    permute_within,
    rank_sum_null,
    step_down_maxt,
)

FEATURES = 5000
TIMED = 100  # of them by the peers
PERMUTATIONS = 10_000
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


def firth_peer(x: Floats, y: Flags, backend: str) -> Floats:
    rows = []
    for column in x.T:
        model = _firth_model(column, y, backend, 1e-6)
        low, high = model.conf_int(method="pl", features=0, tol=1e-7)[0]
        rows.append([model.coef_[0], low, high, model.lrt(0).lrt_pvalues_[0]])
    return np.array(rows)


def _firth_model(column: Floats, y: Flags, backend: str, tolerance: float) -> FirthLogisticRegression:
    model = FirthLogisticRegression(backend=backend, gtol=tolerance, xtol=tolerance, max_iter=200)
    return model.fit(column[:, None], y.astype(int))


def check_firth(x: Floats, y: Flags) -> None:
    """Hold ours to 1e-8 against a peer that converges further than it is timed, and against the profile itself."""
    rows = []
    for column in x.T:
        precise = _firth_model(column, y, "numba", 1e-10)
        low, high = precise.conf_int(method="pl", features=0, tol=1e-10, max_iter=200)[0]
        # its test finds no end at such a tolerance
        p = _firth_model(column, y, "numba", 1e-6).lrt(0).lrt_pvalues_[0]
        rows.append([precise.coef_[0], low, high, p])
    ours = firth_ours(x, y)
    np.testing.assert_allclose(ours, np.array(rows), rtol=1e-8, atol=1e-8, err_msg="Firth")
    critical = stats.chi2.ppf(0.95, 1)
    for column, (slope, low, high, p) in zip(x.T, ours, strict=True):
        top = _profile(column, y, slope)
        falls = [2.0 * (top - _profile(column, y, at)) for at in (low, high, 0.0)]
        wanted = [critical, critical, stats.chi2.isf(p, 1)]
        np.testing.assert_allclose(falls, wanted, rtol=1e-8, atol=1e-8, err_msg="Firth profile")


def _profile(column: Floats, y: Flags, slope: float) -> float:
    """Return the penalized log likelihood at this slope, highest over the intercept (a search, no derivatives)."""
    design = np.column_stack([column, np.ones(len(y))])

    def lost(intercept: float) -> float:
        eta = slope * column + intercept
        p = special.expit(eta)
        information = (design.T * (p * (1.0 - p))) @ design
        return float(np.logaddexp(0.0, eta).sum() - eta[y].sum() - np.linalg.slogdet(information)[1] / 2.0)

    return -float(optimize.minimize_scalar(lost, bracket=(-1.0, 0.0), tol=1e-10).fun)


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


def cox_sksurv(x: Floats, t: Floats, e: Flags) -> Floats:
    """Coefficients only: scikit-survival has no standard errors."""
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    target = Surv.from_arrays(e, t)
    fits = [CoxPHSurvivalAnalysis(ties="efron").fit(column[:, None], target) for column in x.T]
    return np.array([fit.coef_ for fit in fits])


def cox_coefficients(x: Floats, t: Floats, e: Flags) -> Floats:
    return cox(x, t, e).estimate[:, None]


def r_coxph_fit(x: Floats, t: Floats, e: Flags) -> tuple[Floats, float]:
    """Coefficients and CPU seconds of R's bare ``coxph.fit``, feature by feature in one R process."""
    with tempfile.TemporaryDirectory() as folder:
        for name, values in (("x", x.T), ("time", t), ("event", e)):
            np.ascontiguousarray(values, dtype=float).tofile(Path(folder) / f"{name}.bin")
        script = Path(__file__).with_name("r_coxph_fit.R")
        done = subprocess.run(
            ["Rscript", str(script), folder, *map(str, x.shape)], capture_output=True, text=True, check=True
        )
        return np.fromfile(Path(folder) / "coefficients.bin"), float(done.stdout)


def beside_r(n: int) -> None:
    """Print Cox beside R on all features, coefficients compared to 1e-7 first."""
    x, _, t, e = trial(n)
    found, theirs = r_coxph_fit(x, t, e)
    np.testing.assert_allclose(cox(x, t, e).estimate, found, rtol=1e-7, atol=1e-7, err_msg="coxph.fit")
    mine = seconds(partial(cox_coefficients, x, t, e), 5)
    print(f"n={n:<4} {'Cox, Efron | R coxph.fit':42s} {mine:8.4f} {theirs:8.2f} {theirs / mine:7.1f}x", flush=True)


def log_rank_ours(x: Floats, t: Floats, e: Flags) -> Floats:
    fits = log_rank(x, t, e)
    return np.column_stack([fits.statistic**2, stats.chi2.sf(fits.statistic**2, 1)])


def log_rank_lifelines(x: Floats, t: Floats, e: Flags) -> Floats:
    rows = []
    for high in median_split(x).T == 1:
        found = logrank_test(t[high], t[~high], e[high], e[~high])
        rows.append([found.test_statistic, found.p_value])
    return np.array(rows)


def comparisons(n: int) -> Iterator[tuple[str, Call, Call, float]]:
    """Name, our call on some features, the peer's, and how closely they must agree."""
    _, y, t, e = trial(n)
    yield "Cox, Efron | statsmodels", partial(cox_ours, t=t, e=e), partial(cox_statsmodels, t=t, e=e), 1e-7
    # lifelines stops early by default; asked for more digits (tests/stats/test_cox.py) it agrees to 1e-6
    yield "Cox, Efron | lifelines", partial(cox_ours, t=t, e=e), partial(cox_lifelines, t=t, e=e), 1e-3
    if importlib.util.find_spec("sksurv") is not None:
        ours, peer = partial(cox_coefficients, t=t, e=e), partial(cox_sksurv, t=t, e=e)
        yield "Cox, Efron | scikit-survival", ours, peer, 1e-7
    for backend in ("numpy", "numba"):
        peer = partial(firth_peer, y=y, backend=backend)
        # as many digits as it is asked for; check_firth compares eight
        yield f"Firth, interval, LRT | firthmodels ({backend})", partial(firth_ours, y=y), peer, 1e-5
    yield (
        "log-rank of halves | lifelines",
        partial(log_rank_ours, t=t, e=e),
        partial(log_rank_lifelines, t=t, e=e),
        1e-9,
    )
    yield "Mann-Whitney with interval | scipy", partial(rank_ours, y=y), partial(rank_peer, y=y), 1e-10


def trial(n: int) -> tuple[Floats, Flags, Floats, Flags]:
    """Noise, response, and follow-up with ties."""
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, FEATURES)), np.arange(n) < n // 3
    return x, y, rng.exponential(size=n).round(2) + 0.01, rng.random(n) < 0.7


def maxt(x: Floats, y: Flags) -> Floats:
    orders = permute_within(np.zeros(len(y)), PERMUTATIONS, seed=1)
    return step_down_maxt(mann_whitney(x, y).statistic, rank_sum_null(x, y, orders))


def maxt_of_survival(x: Floats, t: Floats, e: Flags) -> Floats:
    orders = permute_within(np.zeros(len(t)), PERMUTATIONS, seed=1)
    null = logrank_score_null(x, t, e, permutations=orders)
    return step_down_maxt(cox(x, t, e).statistic, null)


_PANEL = """
import resource, sys, time
import pandas, scipy.stats, anndata
spent = time.process_time()
import numpy as np
from immunosarc.stats import cox, firth_logistic, mann_whitney, permute_within, rank_sum_null, step_down_maxt
from immunosarc import models
x, y = np.random.default_rng(0).normal(size=(30, 110)), np.arange(30) < 10
mann_whitney(x, y), firth_logistic(x, y), cox(x, np.arange(1.0, 31), np.arange(30) % 4 > 0)
orders = permute_within(np.zeros(30), 10_000, seed=1)
step_down_maxt(mann_whitney(x, y).statistic, rank_sum_null(x, y, orders))
print(time.process_time() - spent)
"""


def fresh_panel() -> float:
    """CPU seconds of 110 features of 30 patients in a new process that may not reuse compiled code."""
    code = "import os, tempfile; os.environ['NUMBA_CACHE_DIR'] = tempfile.mkdtemp()\n" + _PANEL
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


_RIAZ = """
import sys, time
import pandas as pd
import immunosarc as ims
spent = time.process_time()
cohort = ims.load_cohort(sys.argv[1], data_root=sys.argv[2])
outcomes, scores = ims.endpoints.derive(cohort), ims.features.score(cohort["rna"])
loaded = time.process_time() - spent
models = {"binary": "mann_whitney", "time_to_event": "cox", "ordinal": "rank_correlation"}
tables, spent = [], time.process_time()
for timepoint in ("pre", "on"):
    table = cohort.at(timepoint).per_patient(scores)
    for name, endpoint in ims.schema.ENDPOINTS.items():
        if name not in outcomes and f"{name}_event" not in outcomes:
            continue
        landmark = 60 if timepoint == "on" and endpoint.time_defined else None
        ask = {"endpoint": name, "model": models[endpoint.kind], "landmark_day": landmark}
        tables.append(ims.models.associate(table, outcomes, n_permutations=10_000, **ask))
rows = pd.concat(tables)
print(rows["feature"].nunique(), len(tables), int(rows["p_maxt"].notna().sum()), loaded)
print(time.process_time() - spent)
"""


def riaz_panel(data_root: Path) -> str:
    """Print what all signatures at both timepoints against every endpoint that may be asked cost."""
    manifest = Path(__file__).parents[1] / "data_manifests" / "riaz2017.toml"
    command = [sys.executable, "-c", _RIAZ, str(manifest), str(data_root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, spent = done.stdout.splitlines()
    features, families, tested, loaded = first.split()
    return (
        f"riaz2017: {features} signatures, both timepoints, all endpoints (on treatment from day 60), {families} "
        f"families, {tested} tests, maxT of 10,000 permutations: {float(spent):.2f} "
        f"(loading and scoring before: {float(loaded):.2f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    data_root = parser.parse_args().data_root
    print(f"{FEATURES} features, CPU seconds: ours (best of 3), peer ({TIMED} features, scaled), ratio")
    for n in (30, 300, 3000):
        x, y, t, e = trial(n)
        check_firth(x[:, :TIMED], y)
        for name, ours, peer, tolerance in comparisons(n):
            some = x[:, :TIMED]
            np.testing.assert_allclose(ours(some), peer(some), rtol=tolerance, atol=tolerance, err_msg=name)
            ours(x)
            mine, theirs = seconds(partial(ours, x), 3), seconds(partial(peer, some), 2) * FEATURES / TIMED
            print(f"n={n:<4} {name:42s} {mine:8.4f} {theirs:8.2f} {theirs / mine:7.1f}x", flush=True)
        if shutil.which("Rscript"):
            beside_r(n)
        if n <= 300:
            print(f"n={n:<4} {'maxT, 10,000 permutations':42s} {seconds(partial(maxt, x, y), 1):8.4f}", flush=True)
            spent = seconds(partial(maxt_of_survival, x, t, e), 1)
            print(f"n={n:<4} {'maxT of survival, 10,000 permutations':42s} {spent:8.4f}", flush=True)
    panel = "110 features of 30 patients, fresh process, empty compile cache, beyond the imports of"
    print(f"{panel} pandas, scipy.stats and anndata: {fresh_panel():.2f}")
    if data_root.is_dir():
        print(riaz_panel(data_root.resolve()))


if __name__ == "__main__":
    main()
