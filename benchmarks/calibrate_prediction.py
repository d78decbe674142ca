"""Is noise a coin, and does the interval hold what it claims? Writes docs/calibration_prediction.md.

One cohort of noise scatters by more than 0.1, so at least 400 are needed; run with ``--cohorts 400``. The
intervals take a second or more per cohort: ``--intervals 200``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.special import expit

from immunosarc import stats
from immunosarc.models._cross_validate_bootstrap import bootstrapped, cross_validated
from immunosarc.models._cross_validate_measures import measures
from immunosarc.models._cross_validate_pipeline import Patients, Recipe, fit_tuned

N, N_EVENTS = 30, 10
SETTINGS = (
    ("ridge logistic, 20 features", "ridge_logistic", 20, None),
    ("ridge logistic, best 10 of 500 in each fold", "ridge_logistic", 500, 10),
    ("ridge Cox, 20 features", "ridge_cox", 20, None),
    ("NAIVE: best 10 of 500 of all patients, then folds", "ridge_logistic", 500, None),
)

# words, model, patients, features, log ratio of the first feature
PLANTED = (
    ("ridge logistic, noise, n = 30", "ridge_logistic", 30, 3, 0.0),
    ("ridge logistic, signal, n = 30", "ridge_logistic", 30, 3, 1.5),
    ("ridge logistic, signal, n = 60", "ridge_logistic", 60, 3, 1.5),
    ("ridge Cox, signal, n = 30", "ridge_cox", 30, 3, 1.0),
)
N_BOOTSTRAP, N_NEW = 40, 2_000


def noise(seed: int, p: int, *, timed: bool) -> Patients:
    """Patients whose features say nothing about their outcome."""
    rng = np.random.default_rng([99, seed])
    x = rng.normal(size=(N, p))
    if timed:
        return Patients(x, rng.random(N) < 0.7, rng.exponential(size=N), np.arange(N))
    return Patients(x, rng.permutation(N) < N_EVENTS, None, np.arange(N))


def naively_selected(data: Patients, keep: int) -> Patients:
    """The same patients with the features that separate all of them best: the leak."""
    gap = data.x[data.event].mean(axis=0) - data.x[~data.event].mean(axis=0)
    return Patients(data.x[:, np.argsort(-np.abs(gap))[:keep]], data.event, data.time, data.group)


def areas(cohorts: int) -> Iterator[tuple[str, np.ndarray]]:
    """Words, and the AUC or concordance of each cohort: one round of five folds, three inner ones."""
    for words, model, p, n_select in SETTINGS:
        found = []
        for seed in range(cohorts):
            data = noise(seed, p, timed=model == "ridge_cox")
            data = naively_selected(data, 10) if words.startswith("NAIVE") else data
            recipe = Recipe(model, n_select, 0, 3)
            found.append(cross_validated(recipe, data, 5, np.random.default_rng(seed))[0].discrimination)
        yield words, np.array(found)


def planted(seed: int, n: int, p: int, *, effect: float, timed: bool) -> Patients:
    """Patients of whom the first feature says something."""
    rng = np.random.default_rng([98, seed])
    x = rng.normal(size=(n, p))
    if timed:
        return Patients(x, rng.random(n) < 0.7, rng.exponential(np.exp(-effect * x[:, 0])), np.arange(n))
    return Patients(x, rng.random(n) < expit(effect * x[:, 0] - 0.7), None, np.arange(n))


def interval_of(seed: int, model: str, data: Patients, new: Patients) -> tuple[float, float, float, float]:
    """Estimate and limits of one cohort, and how its own model does in patients that nobody has seen."""
    recipe = Recipe(model, None, 0, 5)
    rounds = [cross_validated(recipe, data, 5, np.random.default_rng([seed, 0, i]))[0] for i in range(3)]
    fitted = fit_tuned(recipe, data, np.random.default_rng([seed, 2]))
    boots = bootstrapped(recipe, data, 5, n_bootstrap=N_BOOTSTRAP, seed=seed)
    row = measures(data, rounds, fitted.linear(data.x)[0], boots, ("", 0.95))[0]
    score = fitted.linear(new.x)[0]
    if new.time is None:
        truth = stats.area_under_curve(score, new.event)
    else:
        truth = stats.concordance(score, new.time, new.event)
    return row["estimate"], row.get("conf_low", np.nan), row.get("conf_high", np.nan), truth


def coverage_lines(cohorts: int) -> Iterator[str]:
    """One line per planted setting: what the pipeline is worth on average, and how often the interval holds it."""
    for words, model, n, p, effect in PLANTED:
        timed = model == "ridge_cox"
        new = planted(10**6, N_NEW, p, effect=effect, timed=timed)
        found = np.array(
            [
                interval_of(seed, model, planted(seed, n, p, effect=effect, timed=timed), new)
                for seed in range(cohorts)
            ]
        )
        told = found[np.isfinite(found[:, 1])]
        estimate, low, high, own = told.T
        mean = own.mean()
        holds, holds_own = ((low <= mean) & (mean <= high)).mean(), ((low <= own) & (own <= high)).mean()
        error = np.sqrt(0.05 * 0.95 / len(told))
        yield (
            f"| {words} | {mean:.3f} | {estimate.mean():.3f} | {holds:.3f} | {holds_own:.3f} | {error:.3f} "
            f"| {(high - low).mean():.2f} | {len(told)} |"
        )


def main() -> None:
    """Run all settings and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=400)
    parser.add_argument("--intervals", type=int, default=200, help="cohorts for the coverage of intervals")
    asked = parser.parse_args()
    cohorts = asked.cohorts
    lines = [
        "# Prediction of pure noise",
        "",
        f"`benchmarks/calibrate_prediction.py`: {cohorts} cohorts of {N} patients ({N_EVENTS} responders,",
        "or about 21 events), features without any relation to the outcome; AUC or concordance averaged over",
        "five folds.",
        "An honest pipeline gives 0.5 on average; one cohort scatters widely.",
        "",
        "| pipeline | mean | Monte-Carlo error | one cohort scatters by |",
        "|---|---|---|---|",
    ]
    for words, found in areas(cohorts):
        scatter = found.std(ddof=1)
        lines.append(f"| {words} | {found.mean():.3f} | {scatter / np.sqrt(cohorts):.3f} | {scatter:.2f} |")
    lines += [
        "",
        "## Intervals",
        "",
        f"Cohorts in which the first of three features says something; {N_BOOTSTRAP} bootstraps of the whole",
        f"pipeline per cohort, the truth from {N_NEW:,} new patients. *Worth* is what the models of all cohorts",
        "reach there on average; an interval of 95% should hold it in 95 of 100 cohorts, and may hold the worth",
        "of the cohort's own model less often, since that varies from cohort to cohort. In small cohorts it is",
        "wider than it need be: a bootstrap sample holds fewer different patients, so its estimate scatters more.",
        "",
        "| setting | worth | mean estimate | holds the worth | holds that of its own model | error at .95 "
        "| mean width | cohorts |",
        "|---|---|---|---|---|---|---|---|",
        *coverage_lines(asked.intervals),
    ]
    Path("docs/calibration_prediction.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
