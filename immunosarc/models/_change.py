"""Before and on treatment: how each feature changed, by response group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CohortError

__all__ = ["RESPONSE_GROUPS", "compare_timepoints", "pair_timepoints"]

RESPONSE_GROUPS = {"CR": "CR/PR", "PR": "CR/PR", "SD": "SD", "PD": "PD"}
"""Best overall response to the group that changes are shown for."""


def pair_timepoints(
    cohort: Cohort, scores: pd.DataFrame, outcomes: pd.DataFrame, *, before: str = "pre", after: str = "on"
) -> pd.DataFrame:
    """Return each patient's value of each feature before and after.

    Parameters
    ----------
    cohort : Cohort
        At most one sample per patient and timepoint.
    scores : DataFrame of shape (n_samples, n_features)
        Indexed by sample.
    outcomes : DataFrame
        ``schema.OUTCOMES``; gives the response group.
    before, after : str
        Timepoints.

    Returns
    -------
    DataFrame
        ``schema.PAIRED``: one row per patient and feature, those without a pair included, with
        the reason in ``status``.

    Raises
    ------
    CohortError
        When the two timepoints are the same, or a patient has two samples at one of them.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt"]]
    >>> pairs = pair_timepoints(cohort, scores, ims.endpoints.derive(cohort))
    >>> len(pairs) == len(cohort.patients)
    True
    """
    if before == after:
        raise CohortError(f"before and after are both {before!r}; choose two timepoints.")
    first = cohort.at(before).per_patient(scores)
    second = cohort.at(after).per_patient(scores)
    status = first["status"].where(first["status"] != "ok", second["status"])
    group = outcomes["best_overall_response"].reindex(first.index).map(RESPONSE_GROUPS)
    parts = [
        pd.DataFrame(
            {
                "patient_id": first.index,
                "feature": name,
                "group": group.to_numpy(),
                "before": first[name].to_numpy(dtype=float),
                "after": second[name].to_numpy(dtype=float),
                "change": (second[name] - first[name]).to_numpy(dtype=float),
                "status": status.to_numpy(),
            }
        )
        for name in scores.columns
    ]
    pairs = pd.concat(parts, ignore_index=True) if parts else schema.PAIRED.empty()
    unscored = (pairs["status"] == "ok") & pairs["change"].isna()
    pairs = schema.PAIRED.check(pairs.assign(status=pairs["status"].mask(unscored, "feature is missing")))
    return marked(pairs, simulated=cohort.simulated)


def compare_timepoints(
    cohort: Cohort,
    scores: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    before: str = "pre",
    after: str = "on",
    panel: str = "panel",
    alpha: float = 0.05,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """How much each feature changed from before to on treatment, in all pairs and by response group.

    The shift is the Hodges-Lehmann estimate, the median of the pairwise averages of the changes;
    it differs from the median change where the changes are skewed, and both are given. The test is
    the exact Wilcoxon signed rank. ``p_maxt`` flips the sign of whole patients, so that the
    correlation between features is kept. A change is conditional on having been biopsied twice.

    Parameters
    ----------
    cohort, scores, outcomes, before, after
        As in :func:`pair_timepoints`.
    panel : str
        The name of this set of features; a family is before-after/group/panel.
    alpha : float
        Intervals have level 1 - alpha.
    n_permutations : int
        Sign flips.
    seed : int
        Same seed, same p-values.

    Returns
    -------
    DataFrame
        ``schema.CHANGE``: groups ``all``, ``CR/PR``, ``SD``, ``PD``, one row per feature each.

    Raises
    ------
    CohortError
        As in :func:`pair_timepoints`.

    References
    ----------
    Hodges JL, Lehmann EL. Ann Math Stat 1963;34:598-611, doi:10.1214/aoms/1177704172.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt"]]
    >>> compare_timepoints(cohort, scores, ims.endpoints.derive(cohort))["group"].tolist()
    ['all', 'CR/PR', 'SD', 'PD']
    """
    pairs = pair_timepoints(cohort, scores, outcomes, before=before, after=after)
    group_of = pairs.drop_duplicates("patient_id").set_index("patient_id")["group"]
    wide = pairs.pivot(index="patient_id", columns="feature", values="change")
    wide = wide.reindex(index=group_of.index, columns=scores.columns)
    parts = []
    for group in ("all", *dict.fromkeys(RESPONSE_GROUPS.values())):
        members = (
            np.ones(len(wide), dtype=bool)
            if group == "all"
            else group_of.eq(group).fillna(False).to_numpy(dtype=bool)
        )
        rows = _group_rows(wide[members].to_numpy(dtype=float), alpha, n_permutations, seed)
        parts.append(
            pd.DataFrame(rows).assign(
                feature=list(wide.columns),
                scoring=[scores.attrs.get("scoring", {}).get(name) for name in wide.columns],
                group=group,
                family=f"{before}-{after}/{group}/{panel}",
            )
        )
    result = pd.concat(parts, ignore_index=True).assign(
        before=before, after=after, alpha=alpha, stamp="exploratory"
    )
    return marked(schema.CHANGE.check(result), simulated=cohort.simulated)


def _group_rows(changes: np.ndarray, alpha: float, n_permutations: int, seed: int) -> dict[str, np.ndarray]:
    test = stats.signed_rank(changes)
    shift = stats.hodges_lehmann(changes, level=1 - alpha)
    signs = stats.sign_flips(len(changes), n_permutations, seed)
    return {
        "n": test.n,
        "median_change": _medians(changes),
        "hodges_lehmann": shift.estimate,
        "conf_low": shift.conf_low,
        "conf_high": shift.conf_high,
        "statistic": test.statistic,
        "p_value": test.p_value,
        "p_maxt": stats.step_down_maxt(test.statistic, stats.signed_rank_null(changes, signs)),
        "q_value": stats.benjamini_hochberg(test.p_value),
        "status": np.where(test.status == "ok", shift.status, test.status),
    }


def _medians(changes: np.ndarray) -> np.ndarray:
    """Median of each column; NaN where nothing was measured, without the warning."""
    return np.array([np.median(v[~np.isnan(v)]) if (~np.isnan(v)).any() else np.nan for v in changes.T])
