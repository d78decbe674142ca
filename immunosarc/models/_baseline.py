"""Where patients began: change adjusted for baseline, and who was biopsied a second time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import Cohort, is_simulated, marked
from immunosarc.models._biopsy_pair import both_biopsies

__all__ = ["compare_biopsied", "compare_change"]


def compare_change(
    cohort: Cohort,
    scores: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    before: str = "pre",
    after: str = "on",
    alpha: float = 0.05,
) -> pd.DataFrame:
    """How much higher responders end than the others, among patients who began alike.

    Analysis of covariance of the later value on the earlier one and objective response, feature by
    feature: raw changes would mistake regression to the mean for an effect. It is conditional on
    having been biopsied twice, and speaks of patients whose response is known.

    Parameters
    ----------
    cohort : Cohort
        At most one sample per patient and timepoint.
    scores : DataFrame of shape (n_samples, n_features)
        Indexed by sample.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    before, after : str
        Timepoints.
    alpha : float
        Intervals have level 1 - alpha.

    Returns
    -------
    DataFrame
        One row per feature: ``feature, before, after, population, n, n_responders, estimate`` (surplus of
        responders, in units of the feature), ``std_error, conf_low, conf_high, p_value, q_value`` (Benjamini-
        Hochberg over the features) and ``status``.

    Raises
    ------
    CohortError
        When the two timepoints are the same, or a patient has two samples at one of them.

    References
    ----------
    Vickers AJ, Altman DG. BMJ 2001;323:1123-1124, doi:10.1136/bmj.323.7321.1123.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt"]]
    >>> compare_change(cohort, scores, ims.endpoints.derive(cohort))["n"].item() > 10
    True
    """
    pair = both_biopsies(cohort, scores, before, after)
    first, second = pair.before, pair.after
    outcomes = schema.OUTCOMES.check(outcomes)
    response = outcomes["objective_response"].reindex(first.index)
    known = response.notna().to_numpy()
    names = list(scores.columns)
    fits = stats.ancova(
        first.loc[known, names].to_numpy(dtype=float),
        second.loc[known, names].to_numpy(dtype=float),
        response[known].to_numpy(dtype=bool),
        level=1 - alpha,
    )
    rows = pd.DataFrame(
        {
            "feature": names,
            "before": before,
            "after": after,
            "population": f"objective response known, measured at {before} and {after}",
            "n": fits.n,
            "n_responders": fits.n_events,
            "estimate": fits.estimate,
            "std_error": fits.std_error,
            "conf_low": fits.conf_low,
            "conf_high": fits.conf_high,
            "p_value": fits.p_value,
            "q_value": stats.benjamini_hochberg(fits.p_value),
            "status": fits.status,
        }
    )
    return marked(rows, simulated=is_simulated(outcomes))


def compare_biopsied(
    cohort: Cohort,
    scores: pd.DataFrame,
    *,
    before: str = "pre",
    after: str = "on",
    alpha: float = 0.05,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Whether patients with a second biopsy differed at baseline from those without.

    Change is known only of patients who were biopsied again; where they began differently, it does not
    speak for the others. Small differences cannot be seen in small groups: no finding here is no
    proof that the groups are alike.

    Parameters
    ----------
    cohort : Cohort
        At most one sample per patient and timepoint.
    scores : DataFrame of shape (n_samples, n_features)
        Indexed by sample.
    before, after : str
        The timepoint that is compared, and the one whose sample makes the groups.
    alpha : float
        Intervals have level 1 - alpha.
    n_permutations : int
        Relabelings for ``p_maxt``.
    seed : int
        Same seed, same p-values.

    Returns
    -------
    DataFrame
        One row per feature: ``feature, before, after, n_with, n_without, auc`` (probability that a patient
        with the later sample began higher), ``conf_low, conf_high, p_value, p_exact, p_maxt`` and
        ``status``.

    Raises
    ------
    CohortError
        As in :func:`compare_change`.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt"]]
    >>> compare_biopsied(cohort, scores, n_permutations=200)["feature"].tolist()
    ['cyt']
    """
    pair = both_biopsies(cohort, scores, before, after)
    first, second = pair.before, pair.after
    again = (second["status"] == "ok").to_numpy(dtype=bool)
    values = first[list(scores.columns)].to_numpy(dtype=float)
    fits = stats.mann_whitney(values, again, level=1 - alpha)
    order = stats.permute_within(np.zeros(len(again), dtype=int), n_permutations, seed)
    null = stats.rank_sum_null(values, again, order)
    rows = pd.DataFrame(
        {
            "feature": list(scores.columns),
            "before": before,
            "after": after,
            "n_with": fits.n_events,
            "n_without": fits.n - fits.n_events,
            "auc": fits.estimate,
            "conf_low": fits.conf_low,
            "conf_high": fits.conf_high,
            "p_value": fits.p_value,
            "p_exact": fits.p_exact,
            "p_maxt": stats.step_down_maxt(stats.rank_sum_statistic(values, again), null),
            "status": fits.status,
        }
    )
    return marked(rows, simulated=cohort.simulated)
