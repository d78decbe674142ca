"""More than two biopsies of a patient: how each feature went, by a mixed model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from immunosarc import stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CohortError

__all__ = ["compare_course"]


def compare_course(
    cohort: Cohort,
    scores: pd.DataFrame,
    *,
    timepoints: Sequence[str] = ("pre", "on", "post"),
    alpha: float = 0.05,
) -> pd.DataFrame:
    r"""How far each feature had moved at each later timepoint, from every biopsy that there is.

    A linear mixed model with a mean for each timepoint and a level of his own for each patient,

    .. math:: y_{it} = \mu_t + u_i + \varepsilon_{it}, \quad u_i \sim N(0, \tau^2), \;
              \varepsilon_{it} \sim N(0, \sigma^2)

    by restricted maximum likelihood. A patient with a single biopsy helps to place its timepoint, and no
    patient is dropped for a missing biopsy, which is fair only where biopsies are missing for reasons that the
    values seen explain. Intervals and p-values are Student's with as many degrees of freedom as
    biopsies less patients less later timepoints, because the normal ones are too bold with few patients.

    Parameters
    ----------
    cohort : Cohort
        At most one sample per patient and timepoint.
    scores : DataFrame of shape (n_samples, n_features)
        Indexed by sample.
    timepoints : sequence of str
        At least three, the one that the others are compared with first. Those without any sample are left out.
    alpha : float
        Intervals have level 1 - alpha.

    Returns
    -------
    DataFrame
        One row for each feature and later timepoint: ``feature, before, after, n_patients, n_samples, estimate,
        std_error, conf_low, conf_high, p_value, q_value`` (Benjamini-Hochberg over the features of a
        timepoint) and ``status``.

    Raises
    ------
    CohortError
        When fewer than three of the timepoints have samples, or a patient has two samples at one of them.

    References
    ----------
    Laird NM, Ware JH. Biometrics 1982;38:963-974, doi:10.2307/2529876.

    Examples
    --------
    >>> import immunosarc as ims
    >>> ids = [f"P{i}" for i in range(6)]
    >>> samples = pd.DataFrame(
    ...     {"patient_id": ids * 3, "timepoint": ["pre"] * 6 + ["on"] * 6 + ["post"] * 6},
    ...     index=pd.Index([f"S{i}" for i in range(18)], name="sample_id"),
    ... )
    >>> cohort = ims.Cohort(pd.DataFrame({"patient_id": ids}), samples)
    >>> values = np.arange(18.0) % 6 + np.repeat([0.0, 1.0, 3.0], 6) + np.tile([0.1, -0.1, 0.0], 6)
    >>> compare_course(cohort, pd.DataFrame({"x": values}, index=samples.index))["estimate"].round(2).tolist()
    [1.0, 3.0]
    """
    present = [name for name in timepoints if (cohort.samples["timepoint"] == name).any()]
    if len(present) < 3:
        raise CohortError(
            f"a mixed model is for more than two timepoints with samples, the cohort has {present}; use "
            "compare_timepoints for two."
        )
    tables = [cohort.at(name).per_patient(scores) for name in present]
    rows: list[dict[str, Any]] = []
    for feature in scores.columns:
        values = np.column_stack([table[feature].to_numpy(dtype=float) for table in tables])
        rows += _rows(str(feature), present, values, alpha)
    result = pd.DataFrame(rows)
    q = result.groupby("after")["p_value"].transform(lambda p: stats.benjamini_hochberg(p.to_numpy(dtype=float)))
    result.insert(result.columns.get_loc("p_value") + 1, "q_value", q)
    return marked(result, simulated=cohort.simulated)


def _rows(feature: str, timepoints: list[str], values: np.ndarray, alpha: float) -> list[dict[str, Any]]:
    """One feature: patients by timepoints, NaN where there is no biopsy."""
    later = len(timepoints) - 1
    seen = ~np.isnan(values)
    patients, biopsies = int(seen.any(axis=1).sum()), int(seen.sum())
    freedom = biopsies - patients - later
    facts = {"feature": feature, "before": timepoints[0], "n_patients": patients, "n_samples": biopsies}
    status, estimate, error = _fitted(values, seen, freedom)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * special.stdtr(max(freedom, 1), -np.abs(estimate / error))
    margin = special.stdtrit(max(freedom, 1), 1 - alpha / 2) * error
    return [
        {
            **{key: facts[key] for key in ("feature", "before")},
            "after": name,
            **{key: facts[key] for key in ("n_patients", "n_samples")},
            "estimate": estimate[j],
            "std_error": error[j],
            "conf_low": estimate[j] - margin[j],
            "conf_high": estimate[j] + margin[j],
            "p_value": p[j],
            "status": status,
        }
        for j, name in enumerate(timepoints[1:])
    ]


def _fitted(values: np.ndarray, seen: np.ndarray, freedom: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Status, differences from the first timepoint and their errors."""
    import statsmodels.api as sm  # slow to import, and needed here only

    later = values.shape[1] - 1
    nothing = np.full(later, np.nan)
    if not seen.any(axis=0).all():
        return "a timepoint has no value", nothing, nothing
    if freedom < 1:
        return "too few patients with several biopsies", nothing, nothing
    patient, timepoint = np.nonzero(seen)
    y = values[seen]
    if np.ptp(y) == 0:
        return "the feature is constant", nothing, nothing
    design = np.column_stack([np.ones(len(y)), *(timepoint == j for j in range(1, later + 1))]).astype(float)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        try:
            fit = sm.MixedLM(y / y.std(), design, groups=patient).fit(reml=True)
        except (ValueError, np.linalg.LinAlgError):
            return "the model could not be fitted", nothing, nothing
    status = "ok" if fit.converged else "the model did not converge"
    if any("boundary" in str(one.message) for one in raised):
        status = "patients do not differ beyond their biopsies: variance between patients is 0"
    return status, fit.fe_params[1:] * y.std(), fit.bse_fe[1:] * y.std()
