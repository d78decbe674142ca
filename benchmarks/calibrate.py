"""Do the tests of immunosarc.stats keep their promises with 30 patients? Simulated, with Monte-Carlo error.

    python benchmarks/calibrate.py --simulations 2000 --jobs 2

writes docs/calibration.md; a section is a task, so that it reads the same whoever did it.
The tests run the same functions, shorter.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from immunosarc.stats import (
    ancova,
    auc_as_log_odds_ratio,
    cox,
    cumulative_incidence_scores,
    detectable_auc,
    detectable_log_hazard_ratio,
    entry_scores,
    firth_cox,
    firth_logistic,
    hodges_lehmann,
    linear_score_statistic,
    log_rank,
    logistic,
    logrank_score_null,
    logrank_score_statistic,
    mann_whitney,
    permute_within,
    proportional_odds,
    rank_correlation,
    rank_correlation_null,
    rank_sum_null,
    rank_sum_statistic,
    signed_rank,
    step_down_maxt,
)
from immunosarc.workers import Workers, workers

Floats = NDArray[np.float64]
SCHEDULE = np.repeat([1, 2], [16, 14])  # the two schedule stages of the trial
SIZES = (20, 30, 60)
GRADES = np.repeat([0, 1, 2, 3], [10, 10, 7, 3])  # PD, SD, PR, CR
RESPONSE = np.r_[np.arange(16) < 9, np.arange(14) < 1]  # 9 of 16 and 1 of 14 respond


@dataclass(frozen=True)
class Rate:
    """A simulated share and what it was promised to be."""

    what: str
    promised: float
    share: float
    simulations: int
    promise: str = "is"  # "at most" for exact tests, "at least" for exact intervals

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of the share."""
        return float(np.sqrt(self.share * (1 - self.share) / self.simulations))


def rate(what: str, promised: float, hits: Floats | NDArray[np.bool_], promise: str = "is") -> Rate:
    return Rate(what, promised, float(np.mean(hits)), len(hits), promise)


# One column is one simulated trial: all of them go through a single call.


def null_rejections(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of p <= 0.05 where nothing is associated."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(30, simulations))
    group = np.arange(30) < 10
    time, event = rng.exponential(size=30), np.arange(30) % 4 > 0
    yield rate("mann_whitney p_value, 10 v 20", 0.05, mann_whitney(noise, group).p_value <= 0.05, "at most")
    yield rate("mann_whitney p_exact, 10 v 20", 0.05, mann_whitney(noise, group).p_exact <= 0.05, "at most")
    within = mann_whitney(noise + 2.0 * SCHEDULE[:, None], RESPONSE, strata=SCHEDULE)
    yield rate("mann_whitney p_value, strata 9/16 and 1/14", 0.05, within.p_value <= 0.05, "at most")
    yield rate("mann_whitney p_exact, strata 9/16 and 1/14", 0.05, within.p_exact <= 0.05, "at most")
    yield rate("firth_logistic p_value, 10 of 30", 0.05, firth_logistic(noise, group).p_value <= 0.05)
    yield rate("cox p_value (Wald), 30 patients, 22 events", 0.05, cox(noise, time, event).p_value <= 0.05)
    yield rate("firth_cox p_value, 30 patients, 22 events", 0.05, firth_cox(noise, time, event).p_value <= 0.05)
    split = log_rank(noise, time, event).p_value
    yield rate("log_rank p_value of halves, 30 patients, 22 events", 0.05, split <= 0.05)
    yield rate("logistic p_value (likelihood ratio), 10 of 30", 0.05, logistic(noise, group).p_value <= 0.05)
    graded = proportional_odds(noise, GRADES).p_value
    yield rate("proportional_odds p_value (likelihood ratio), 10/10/7/3", 0.05, graded <= 0.05)
    ranked = rank_correlation(noise, GRADES).p_value
    yield rate("rank_correlation p_value, 10/10/7/3", 0.05, ranked <= 0.05)
    yield rate("signed_rank p_exact, 30 pairs", 0.05, signed_rank(noise).p_exact <= 0.05, "at most")
    tied = np.round(noise[:15])
    yield rate("signed_rank p_exact, 15 pairs, ties and zeros", 0.05, signed_rank(tied).p_exact <= 0.05, "at most")


def null_rejections_by_size(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of p <= 0.05 of a continuous feature that says nothing, in small and larger trials."""
    rng = np.random.default_rng([seed, 7])
    for n in SIZES:
        noise = rng.normal(size=(n, simulations))
        group, event = np.arange(n) < n // 3, np.arange(n) % 4 > 0
        time, grades = np.arange(1.0, n + 1), np.digitize(np.arange(n), [n // 3, 2 * n // 3, n - n // 10])
        cause = np.where(event, 1 + np.arange(n) % 3 // 2, 0)
        score = linear_score_statistic(noise, cumulative_incidence_scores(time, cause))
        entry = np.where(np.arange(n) % 3 == 0, time / 3, 0.0)  # a third come under observation later
        late = linear_score_statistic(noise, entry_scores(time, event, entry))
        found = {
            "firth_logistic": ("is", firth_logistic(noise, group).p_value),
            "logistic": ("is", logistic(noise, group).p_value),
            "cox": ("is", cox(noise, time, event).p_value),
            "cox, late entry": ("is", cox(noise, time, event, entry=entry).p_value),
            "firth_cox": ("is", firth_cox(noise, time, event).p_value),
            "proportional_odds": ("is", proportional_odds(noise, grades).p_value),
            "rank_correlation": ("is", rank_correlation(noise, grades).p_value),
            "mann_whitney": ("at most", mann_whitney(noise, group).p_value),
            "mann_whitney p_exact": ("at most", mann_whitney(noise, group).p_exact),
            "log_rank of halves": ("at most", log_rank(noise, time, event).p_value),
            "score of a cumulative incidence": ("is", 2 * special.ndtr(-np.abs(score))),
            "score of late entrants": ("is", 2 * special.ndtr(-np.abs(late))),
        }
        for name, (promise, p) in found.items():
            yield rate(f"{name}, n = {n}", 0.05, p <= 0.05, promise)


def familywise_errors_of_signatures(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of panels of noise that is correlated like real signatures, with any maxT p <= 0.05."""
    name, panel = signatures()
    for n in SIZES:
        group, event = np.arange(n) < n // 3, np.arange(n) % 4 > 0
        time, grades = np.arange(1.0, n + 1), np.digitize(np.arange(n), [n // 3, 2 * n // 3, n - n // 10])
        false_leads = np.zeros((3, simulations), dtype=bool)
        for trial in range(simulations):
            noise = np.random.default_rng([seed, n, trial]).normal(size=(n, len(panel))) @ panel
            orders = np.vstack([np.arange(n), permute_within(np.zeros(n), 99, seed=trial)])
            nulls = (
                rank_sum_null(noise, group, orders),
                logrank_score_null(noise, time, event, permutations=orders),
                rank_correlation_null(noise, grades, permutations=orders),
            )
            for row, null in enumerate(nulls):
                false_leads[row, trial] = step_down_maxt(null[0], null[1:]).min() <= 0.05
        for kind, leads in zip(("rank sums", "log-rank scores", "rank correlations"), false_leads, strict=True):
            words = f"maxT of {kind}, any of {panel.shape[1]} signatures correlated as in {name}, n = {n}"
            yield rate(words, 0.05, leads, "at most")


@cache
def signatures() -> tuple[str, Floats]:
    """Standardized scores of riaz2017 before treatment: normal noise times them has their correlation.

    The simulated trial stands in where the data root is absent, and is named.
    """
    import immunosarc as ims

    home = Path(__file__).parents[1]
    root = Path(os.environ.get("IMMUNOSARC_SHARED", home.parent / "shared")) / "data"
    real = (root / "riaz2017").is_dir()
    cohort = (
        ims.load_cohort(home / "data_manifests/riaz2017.toml", data_root=root) if real else ims.simulate_cohort()
    )
    scores = ims.features.score(cohort["rna"], method="mean_log2").dropna(axis=1).to_numpy(float)
    scores = scores[:, scores.std(axis=0) > 0]
    standard = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    return ("riaz2017" if real else "the simulated trial"), standard / np.sqrt(len(standard))


def familywise_errors(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of panels of 25 noise features, some missing, with any step-down maxT p <= 0.05."""
    false_leads = np.zeros((2, simulations), dtype=bool)
    for trial in range(simulations):
        panel, time, event = _noise_panel(seed, trial)
        orders = permute_within(SCHEDULE, 199, seed=trial)
        found = rank_sum_statistic(panel, RESPONSE, strata=SCHEDULE)
        null = rank_sum_null(panel, RESPONSE, orders, strata=SCHEDULE)
        false_leads[0, trial] = np.nanmin(step_down_maxt(found, null)) <= 0.05
        found = logrank_score_statistic(panel, time, event, strata=SCHEDULE)
        null = logrank_score_null(panel, time, event, permutations=orders, strata=SCHEDULE)
        false_leads[1, trial] = np.nanmin(step_down_maxt(found, null)) <= 0.05
    yield rate("maxT of rank sums, any of 25, strata, missing values", 0.05, false_leads[0], "at most")
    yield rate("maxT of log-rank scores, any of 25, strata, missing values", 0.05, false_leads[1], "at most")


def familywise_errors_with_a_covariate(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of panels of 25 features with any maxT p <= 0.05, all driven by a covariate that drives the outcome.

    Naive: the panel's rank sums or log-rank scores without it. Honest: residuals of the covariate's own model.
    Limit: residuals can be dealt out as long as the spread of the features is the same whatever the covariate;
    here it grows with it, e-fold in two standard deviations.
    """
    for n in SIZES:
        found = np.zeros((5, simulations), dtype=bool)
        for trial in range(simulations):
            rng = np.random.default_rng([seed, n, trial])
            age, orders = rng.normal(size=n), permute_within(np.zeros(n), 99, seed=trial)
            noise = rng.normal(size=(n, 25)) + rng.normal(size=(n, 1))
            panel, spreading = 0.7 * age[:, None] + noise, 0.7 * age[:, None] + np.exp(age[:, None] / 2) * noise
            responds = rng.random(n) < special.expit(age - 0.7)
            time, event = rng.exponential(size=n) * np.exp(-0.7 * age), rng.random(n) < 0.8
            pairs = (
                (rank_sum_statistic(panel, responds), rank_sum_null(panel, responds, orders)),
                _adjusted_null(panel, responds, None, age, orders),
                (
                    logrank_score_statistic(panel, time, event),
                    logrank_score_null(panel, time, event, permutations=orders),
                ),
                _adjusted_null(panel, event, time, age, orders),
                _adjusted_null(spreading, responds, None, age, orders),
            )
            for row, pair in enumerate(pairs):
                found[row, trial] = np.nanmin(step_down_maxt(*pair), initial=1.0) <= 0.05
        for row, kind in enumerate(("response", "survival")):
            yield rate(f"NAIVE: maxT of 25 for {kind}, no covariate, n = {n}", 0.05, found[2 * row], "not")
            words = f"maxT of 25 for {kind}, residuals of the covariate's model, n = {n}"
            yield rate(words, 0.05, found[2 * row + 1], "at most")
        words = f"LIMIT: maxT of 25 for response, as before, spread grows with the covariate, n = {n}"
        yield rate(words, 0.05, found[4], "not")


def _adjusted_null(
    panel: Floats, event: NDArray[np.bool_], time: Floats | None, age: Floats, orders: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    from immunosarc.models._analysis_set import AnalysisSet
    from immunosarc.models._null_model import adjusted_null  # what associate permutes

    n = len(age)
    data = AnalysisSet(
        patients=[f"P{i}" for i in range(n)],
        names=[f"f{i}" for i in range(panel.shape[1])],
        features=panel,
        event=event,
        time=time,
        grade=None,
        covariates=age[:, None],
        strata=np.zeros(n, dtype=np.intp),
        entry=None,
        timepoint="pre",
        population="all",
        adjusted_for="age",
        stratified_by="",
    )
    return adjusted_null(data, orders)


def _noise_panel(seed: int, trial: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Correlated noise that differs between strata, as does the outcome; two patterns of missing values."""
    rng = np.random.default_rng([seed, trial])
    panel = rng.normal(size=(30, 25)) + rng.normal(size=(30, 1)) + 2.0 * SCHEDULE[:, None]
    panel[rng.random(30) < 0.3, :8] = np.nan
    panel[rng.random(30) < 0.1, 8:16] = np.nan
    time = rng.exponential(size=30) / SCHEDULE
    return panel, np.ceil(time * 6), rng.random(30) < 0.7


def landmark_errors(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of trials in which a marker that only drifts with the day of the biopsy "predicts" survival.

    Biopsies are taken on days 15 to 120 while the patient is progression-free; the marker rises with
    the day and says nothing of the patient. Naive: time from baseline. Honest: from a landmark day.
    """
    days = (45, 60, 90, 120)
    found = np.zeros((1 + len(days), simulations), dtype=bool)
    entered = np.zeros(simulations, dtype=bool)
    for trial in range(simulations):
        pfs, biopsy, marker = _drifting_marker(np.random.default_rng([seed, trial]))
        for row, day in enumerate((0, *days)):
            kept = (biopsy <= pfs) & ((day == 0) | ((pfs > day) & (biopsy <= day)))
            fits = cox(marker[kept, None], pfs[kept] - day, np.ones(int(kept.sum())))
            found[row, trial] = fits.p_value[0] <= 0.05
        kept = biopsy < pfs
        fits = cox(marker[kept, None], pfs[kept], np.ones(int(kept.sum())), entry=biopsy[kept])
        entered[trial] = fits.p_value[0] <= 0.05
    yield rate("NAIVE: cox from baseline, 40 patients, marker drifts with the biopsy day", 0.05, found[0], "not")
    for day, share in zip(days, found[1:], strict=True):
        yield rate(f"cox from landmark day {day}, the same patients", 0.05, share, "at most")
    yield rate("cox_time_dependent (at risk from the biopsy), the same patients", 0.05, entered)


def _drifting_marker(rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    pfs = np.ceil(rng.exponential(150.0, size=40))
    biopsy = rng.integers(15, 121, size=40).astype(float)
    return pfs, biopsy, (biopsy - 67.0) / 20.0 + rng.normal(size=40)


def regression_to_the_mean(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of trials of 30 pairs in which responders, who began lower by chance, "change" more."""
    rng = np.random.default_rng(seed)
    steady = rng.normal(size=(30, simulations))
    before, after = steady + rng.normal(size=steady.shape), steady + rng.normal(size=steady.shape)
    order = np.argsort(before, axis=0)  # the twelve lowest of each trial come first and respond
    before, after = np.take_along_axis(before, order, axis=0), np.take_along_axis(after, order, axis=0)
    responds = np.arange(30) < 12
    raw = mann_whitney(after - before, responds).p_value
    yield rate("NAIVE: raw change of 12 v 18, responders began lowest", 0.05, raw <= 0.05, "not")
    yield rate("ancova p_value, the same pairs", 0.05, ancova(before, after, responds).p_value <= 0.05)


def composition(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of paired trials in which immune cells "change" though only something else did."""
    from calibrate_change import nothing_immune_happens  # beside this file; not when it is loaded by a test

    for words, found in nothing_immune_happens(simulations, seed):
        yield rate(words, 0.05, found, "not" if words.startswith("NAIVE") else "at most")


def pooled_intervals(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of 95% intervals of a pooled effect that hold it."""
    from calibrate_pooling import pooled_coverage  # beside this file; not when it is loaded by a test

    for words, found in pooled_coverage(simulations, seed):
        yield rate(words, 0.95, found, "not" if words.startswith("NAIVE") else "at least")


def coverages(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of 95% intervals that hold the truth."""
    rng = np.random.default_rng(seed)
    group = np.arange(30) < 10
    noise = rng.normal(size=(30, simulations))
    for auc in (0.5, 0.7, 0.8, 0.9, 0.95, 0.99):
        shift = np.sqrt(2.0) * special.ndtri(auc)
        fits = mann_whitney(noise + shift * group[:, None], group)
        yield rate(f"mann_whitney interval, 10 v 20, AUC {auc}", 0.95, _holds(fits, auc), "about")
        fits = mann_whitney(noise + shift * RESPONSE[:, None] + 3.0 * SCHEDULE[:, None], RESPONSE, strata=SCHEDULE)
        yield rate(f"mann_whitney interval, strata 9/16 and 1/14, AUC {auc}", 0.95, _holds(fits, auc), "about")
    for n in SIZES:
        yield from _coverages_of_slopes(n, simulations, rng)
    for rho in (0.0, 0.5):
        latent = rho * noise + np.sqrt(1 - rho**2) * rng.normal(size=noise.shape)
        held = [
            _holds(rank_correlation(noise[:, [i]], latent[:, i]), _spearman(rho))[0] for i in range(simulations)
        ]
        yield rate(f"rank_correlation interval, 30 patients, normal, rho {rho:g}", 0.95, np.array(held), "about")
    for name, draw in (("normal", noise), ("uniform", rng.random((30, simulations)) - 0.5)):
        yield rate(
            f"hodges_lehmann interval, 30 {name} differences", 0.95, _holds(hodges_lehmann(draw), 0.0), "at least"
        )
    few = hodges_lehmann(noise[:9] + 1.5)
    yield rate("hodges_lehmann interval, 9 normal differences", 0.95, _holds(few, 1.5), "at least")


def _holds(fits: object, truth: float) -> NDArray[np.bool_]:
    return (fits.conf_low <= truth) & (truth <= fits.conf_high)  # type: ignore[attr-defined]


def _coverages_of_slopes(n: int, simulations: int, rng: np.random.Generator) -> Iterator[Rate]:
    """Two normal groups one variance apart have exactly a logistic slope; so every trial is a column."""
    group = np.arange(n) < n // 3
    noise = rng.normal(size=(n, simulations))
    for slope in (0.0, 1.0, 2.0):
        fits = firth_logistic(noise + slope * group[:, None], group)
        yield rate(
            f"firth_logistic interval, n = {n}, log odds ratio {slope:g}", 0.95, _holds(fits, slope), "about"
        )
    event = np.arange(n) % 4 > 0
    for slope in (0.0, 0.7, 1.5):
        x = _in_order_of_time(noise, slope, event, rng)
        for name, model in (("cox", cox), ("firth_cox", firth_cox)):
            held = _holds(model(x, np.arange(1.0, n + 1), event), slope)
            yield rate(f"{name} interval, n = {n}, log hazard ratio {slope:g}", 0.95, held, "about")


def _in_order_of_time(x: Floats, slope: float, event: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Deal each trial's patients out over time: an event falls to one at risk in proportion to the hazard.

    Whose follow-up merely ends is drawn evenly. The largest of Gumbel noise plus log hazard is such a draw.
    """
    arranged, taken = np.empty_like(x), np.zeros(x.shape, dtype=bool)
    columns = np.arange(x.shape[1])
    for moment, happened in enumerate(event):
        urge = rng.gumbel(size=x.shape) + (slope * x if happened else 0.0)
        chosen = np.where(taken, -np.inf, urge).argmax(axis=0)
        arranged[moment], taken[chosen, columns] = x[chosen, columns], True
    return arranged


def _spearman(pearson: float) -> float:
    """Rank correlation of two normal variables."""
    return float(6.0 / np.pi * np.arcsin(pearson / 2.0))


def powers(simulations: int, seed: int) -> Iterator[Rate]:
    """Share of trials that find the effect said to be detectable with 80% power at two-sided 0.05."""
    rng = np.random.default_rng(seed)
    for cases, controls in ((10, 20), (15, 15), (5, 25), (30, 70)):
        group = np.arange(cases + controls) < cases
        auc = detectable_auc(_unit_normal(group.size), group, alpha=0.05).item()
        shift = np.sqrt(2.0) * special.ndtri(auc) * group[:, None]
        found = mann_whitney(rng.normal(size=(group.size, simulations)) + shift, group).p_value <= 0.05
        yield rate(f"detectable auc {auc:.3f}, {cases} v {controls}", 0.8, found, "about")
    for n, intercept in ((30, -0.7), (100, -0.7)):
        yield _logistic_power(n, intercept, simulations, rng)
    for n, censored in ((30, 0.2), (30, 0.6), (100, 0.3)):
        yield _cox_power(n, censored, simulations, rng)


def _unit_normal(n: int) -> Floats:
    """One feature whose sample standard deviation is 1."""
    values = special.ndtri((np.arange(n) + 0.5) / n)
    return (values / values.std(ddof=1))[:, None]


def _logistic_power(n: int, intercept: float, simulations: int, rng: np.random.Generator) -> Rate:
    events = round(n * float(special.expit(intercept)))
    scores, group = _unit_normal(n), np.arange(n) < events
    slope = auc_as_log_odds_ratio(detectable_auc(scores, group, alpha=0.05), scores, group).item()
    found = np.zeros(simulations, dtype=bool)
    for trial in range(simulations):
        x = rng.normal(size=(n, 1))
        happened = rng.random(n) < special.expit(slope * x[:, 0] + intercept * np.sqrt(1 + slope**2 / 2.9))
        found[trial] = firth_logistic(x, happened).p_value[0] <= 0.05
    return rate(f"detectable log odds ratio {slope:.2f} per SD, about {events} of {n}", 0.8, found, "about")


def _cox_power(n: int, censored: float, simulations: int, rng: np.random.Generator) -> Rate:
    events = n - round(n * censored)
    slope = detectable_log_hazard_ratio(_unit_normal(n), np.arange(n) < events, alpha=0.05).item()
    found = np.zeros(simulations, dtype=bool)
    for trial in range(simulations):
        x = rng.normal(size=(n, 1))
        time = rng.exponential(size=n) * np.exp(-slope * x[:, 0])
        cut = np.sort(time)[events - 1]  # follow-up ends with the last of the counted events
        found[trial] = cox(x, np.minimum(time, cut), time <= cut).p_value[0] <= 0.05
    return rate(f"detectable log hazard ratio {slope:.2f} per SD, {events} events of {n}", 0.8, found, "about")


SECTIONS: dict[str, Callable[[int, int], Iterator[Rate]]] = {
    "Type I error (nothing is associated, p <= 0.05)": null_rejections,
    "Type I error by size of the trial": null_rejections_by_size,
    "Family-wise error (any false lead in a panel)": familywise_errors,
    "Family-wise error where a covariate drives features and outcome": familywise_errors_with_a_covariate,
    "Family-wise error with the correlation of real signatures": familywise_errors_of_signatures,
    "Immortal time (a marker that says nothing, p <= 0.05)": landmark_errors,
    "Regression to the mean (nothing happens, p <= 0.05)": regression_to_the_mean,
    "Composition, site and start (no immune cell comes or goes, p <= 0.05)": composition,
    "Coverage of 95% intervals": coverages,
    "Coverage of 95% intervals of an effect pooled over cohorts": pooled_intervals,
    "Power at the effect called detectable (two-sided 0.05, normal feature)": powers,
}


# shares of 0.05 that are held against 0.05 itself: more simulations tell chance from a fault
_MORE = {
    familywise_errors_of_signatures: 4,
    familywise_errors_with_a_covariate: 3,
    landmark_errors: 4,
}


def _section(task: tuple[str, int, int]) -> list[Rate]:
    title, simulations, seed = task
    section = SECTIONS[title]
    return list(section(simulations * _MORE.get(section, 1), seed))


def table(simulations: int, seed: int, hands: Workers | None = None) -> str:
    """Markdown of all sections."""
    rates = (hands or Workers()).map(_section, [(title, simulations, seed) for title in SECTIONS])
    lines = [
        "# Calibration of the statistics",
        "",
        f"Made by `python benchmarks/calibrate.py --simulations {simulations} --seed {seed}`.",
        "The error is the Monte-Carlo standard error of the simulated share.",
        "Family-wise errors of signatures and immortal time: four times as many simulations; with a covariate 3.",
    ]
    for title, found_here in zip(SECTIONS, rates, strict=True):
        lines += ["", f"## {title}", "", "| what | promised | simulated | error |", "|---|---|---|---|"]
        for found in found_here:
            words = "" if found.promise == "is" else f"{found.promise} "
            lines.append(f"| {found.what} | {words}{found.promised:g} | {found.share:.4f} | {found.error:.4f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes on this machine")
    parser.add_argument("--scheduler", help="address of a dask scheduler, instead of --jobs")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "calibration.md")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with workers(jobs=arguments.jobs, scheduler=arguments.scheduler) as hands:
        text = table(arguments.simulations, arguments.seed, hands)
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
