"""Did immune cells come in, or did tumor cells go? Change that loss of tumor cannot make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import Cohort, is_simulated, marked
from immunosarc.errors import PlanError, raise_together
from immunosarc.models._biopsy_pair import BiopsyPair, biopsy_covariates, both_biopsies

__all__ = ["EVERY_PAIR", "SURPLUS", "compare_composition"]

EVERY_PAIR, SURPLUS = "all", "CR/PR minus others"


def compare_composition(
    cohort: Cohort,
    scores: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    immune: pd.DataFrame,
    purity: pd.Series | None = None,
    adjust: Sequence[str] | None = None,
    before: str = "pre",
    after: str = "on",
    panel: str = "panel",
    alpha: float = 0.05,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    r"""How much each feature changed beyond what dying tumor cells, another site or a low start explain.

    When doxorubicin kills tumor cells every immune score rises by the same factor though no immune cell came.
    On a log2 scale that factor is a constant, which two adjustments take off, beside "none":

    - ``balance``: the feature minus the mean of the other immune scores of the sample,
      :math:`f - \tfrac1K \sum_k s_k`. Loss of tumor leaves it where it was. It says which immune cells gained
      on the others; an influx of all of them alike leaves it where it was, too.
    - ``purity`` (where the share of tumor cells is known): :math:`f - \log_2(1 - \text{purity})`, the feature
      per cell that is no tumor cell. It sees an influx of all immune cells, and is as good as the purity.

    All go through :func:`immunosarc.stats.adjusted_change`: change regressed on where the patient began, on the
    sites of the two biopsies and on the day of the second. The estimate is the change of a patient who began
    at the average of everybody measured before and was biopsied twice at one site on the mean day;
    ``regression_to_mean`` is what is taken off for the start. The second group is the surplus of responders in
    the same model, an analysis of covariance. It all is conditional on having been biopsied twice.

    Parameters
    ----------
    cohort : Cohort
        At most one sample per patient and timepoint.
    scores : DataFrame of shape (n_samples, n_features)
        Indexed by sample, on a log2 scale; on another scale loss of tumor is not a constant.
    outcomes : DataFrame
        ``schema.OUTCOMES``; gives the response.
    immune : DataFrame of shape (n_samples, n_scores)
        Scores of immune cells on a log2 scale, at least three with a value; a feature of the same name is left
        out of its own balance.
    purity : Series, optional
        Share of tumor cells of each sample, at least 0 and below 1.
    adjust : sequence of str, optional
        Columns of the samples: text is a site, a number the value of the second biopsy. ``site`` and
        ``study_day`` as far as recorded unless given; a patient without the value is left out.
    before, after : str
        Timepoints.
    panel : str
        Name of this set of features, for the families.
    alpha : float
        Intervals have level 1 - alpha.
    n_permutations : int
        For ``p_maxt``; residuals are flipped, or dealt out for the surplus, which is approximate.
    seed : int
        Same seed, same p-values.

    Returns
    -------
    DataFrame
        ``schema.ADJUSTED_CHANGE``: one row for each feature, group and adjustment.

    Raises
    ------
    CohortError
        When the two timepoints are the same, or a patient has two samples at one of them.
    PlanError
        With fewer than three immune scores, a purity outside [0, 1), or a covariate that the samples lack.

    References
    ----------
    Aitchison J. J R Stat Soc B 1982;44:139-177, doi:10.1111/j.2517-6161.1982.tb01195.x.
    Vickers AJ, Altman DG. BMJ 2001;323:1123-1124, doi:10.1136/bmj.323.7321.1123.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> cells = ["mcp_t_cells", "mcp_b_lineage", "mcp_monocytic_lineage", "mcp_nk_cells"]
    >>> immune = ims.features.score(
    ...     cohort["rna"], ims.features.signatures().subset(*cells), method="mean_log2"
    ... )
    >>> found = compare_composition(
    ...     cohort, immune, ims.endpoints.derive(cohort), immune=immune, n_permutations=200
    ... )
    >>> found.groupby("adjustment")["feature"].count().to_dict()
    {'balance': 8, 'none': 8}
    """
    pair = both_biopsies(cohort, scores, before, after)
    covariates = biopsy_covariates(cohort, pair, (before, after), adjust)
    response = schema.OUTCOMES.check(outcomes)["objective_response"].reindex(pair.before.index)
    about = {"before": before, "after": after, "adjusted_for": _named(covariates), "alpha": alpha}
    parts = []
    for adjustment, (taken, against) in _adjustments(scores, immune, purity).items():
        adjusted = _less(pair, cohort, (before, after), taken)
        for group in (EVERY_PAIR, SURPLUS):
            member = None if group == EVERY_PAIR else response
            found = _regressed(adjusted, covariates, member, alpha, n_permutations, seed)
            parts.append(
                _rows(found, list(scores.columns)).assign(
                    group=group,
                    adjustment=adjustment,
                    against=against,
                    family=f"{before}-{after}/{group}/{adjustment}/{panel}",
                )
            )
    result = pd.concat(parts, ignore_index=True).assign(**about, stamp="exploratory")
    return marked(schema.ADJUSTED_CHANGE.check(result), simulated=is_simulated(outcomes))


def _adjustments(
    scores: pd.DataFrame, immune: pd.DataFrame, purity: pd.Series | None
) -> dict[str, tuple[pd.DataFrame, str]]:
    """What to take off each score, samples by features, and its name."""
    known = immune.loc[:, immune.notna().any()]
    problems = []
    if known.shape[1] < 3:
        problems.append(f"immune: needs at least 3 immune scores with a value, has {known.shape[1]}")
    if purity is not None and not (outside := purity[(purity < 0) | (purity >= 1)]).empty:
        problems.append(f"purity: must be at least 0 and below 1, is not at {list(outside.index[:5])}")
    raise_together(PlanError, "compare_composition", problems)
    nothing = pd.DataFrame(0.0, index=scores.index, columns=scores.columns)
    others = pd.DataFrame(
        {
            name: known.drop(columns=name, errors="ignore").mean(axis=1, skipna=False).reindex(scores.index)
            for name in scores.columns
        }
    )
    found = {"none": (nothing, ""), "balance": (others, "mean of " + ", ".join(map(str, known.columns)))}
    if purity is not None:
        rest = np.log2(1.0 - purity.astype(float)).reindex(scores.index)
        found["purity"] = (nothing.add(rest, axis=0), "log2(1 - purity)")
    return found


def _less(pair: BiopsyPair, cohort: Cohort, when: tuple[str, str], taken: pd.DataFrame) -> BiopsyPair:
    """The pair with that taken off its features."""
    sides = []
    for timepoint, table in zip(when, (pair.before, pair.after), strict=True):
        off = cohort.at(timepoint).per_patient(taken)[list(taken.columns)]
        sides.append(table.assign(**{name: table[name] - off[name] for name in taken.columns}))
    return BiopsyPair(*sides)


def _regressed(
    pair: BiopsyPair,
    covariates: pd.DataFrame,
    response: pd.Series | None,
    alpha: float,
    n_permutations: int,
    seed: int,
) -> stats.AdjustedChange:
    names = [name for name in pair.before.columns if name not in schema.PATIENT_FEATURES.columns]
    kept = pair.complete if response is None else pair.complete & response.notna().to_numpy(dtype=bool)
    return stats.adjusted_change(
        pair.before.loc[kept, names].to_numpy(dtype=float),
        pair.after.loc[kept, names].to_numpy(dtype=float),
        everyone=pair.before[names].to_numpy(dtype=float),
        covariates=covariates[kept].to_numpy(dtype=float),
        group=None if response is None else response[kept].to_numpy(dtype=bool),
        level=1 - alpha,
        n_permutations=n_permutations,
        seed=seed,
    )


def _rows(found: stats.AdjustedChange, names: list[str]) -> pd.DataFrame:
    fits = found.fits
    return pd.DataFrame(
        {
            "feature": names,
            "n": fits.n,
            "n_responders": fits.n_events,
            "estimate": fits.estimate,
            "std_error": fits.std_error,
            "conf_low": fits.conf_low,
            "conf_high": fits.conf_high,
            "regression_to_mean": found.regression_to_mean,
            "p_value": fits.p_value,
            "p_maxt": stats.step_down_maxt(fits.statistic, found.null),
            "q_value": stats.benjamini_hochberg(fits.p_value),
            "status": fits.status,
        }
    )


def _named(covariates: pd.DataFrame) -> str:
    return ", ".join(["baseline", *map(str, covariates.columns)])
