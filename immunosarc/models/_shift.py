"""Did this patient's tumor become more visible to the immune system? One number per patient, with its interval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import special

from immunosarc import schema
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import PlanError, raise_together
from immunosarc.models._biopsy_pair import both_biopsies

__all__ = ["immunogenicity_shift"]


def immunogenicity_shift(
    cohort: Cohort,
    scores: pd.DataFrame,
    *,
    directions: Mapping[str, int] | None = None,
    reliability: Mapping[str, float] | None = None,
    before: str = "pre",
    after: str = "on",
    level: float = 0.95,
) -> pd.DataFrame:
    r"""How far each patient's tumor moved toward being visible to the immune system, and how sure that is.

    The mean change of the components, each in standard deviations :math:`s_j` of everybody before treatment
    and turned so that up is more visible (:math:`\delta_j = \pm 1`):

    .. math:: S_i = \frac1J \sum_j \delta_j \frac{y_{ij} - x_{ij}}{s_j}

    The interval stands for one of two things, and ``error_from`` says which:

    - "repeat biopsies", with ``reliability`` :math:`r_j`, the correlation of two biopsies of one tumor at one
      time: :math:`\frac1J \sum_j \sqrt{2 (1 - r_j)}`, normal. The errors of the components of a biopsy are
      taken to go together, which is the widest they can make it.
    - "agreement of components", without: Student's interval of the mean over the components. It shows whether
      they say the same, not what a second biopsy would say: it is too narrow where one piece of tissue
      misleads them all.

    A rise of every component can be loss of tumor: see :func:`compare_composition`.

    Parameters
    ----------
    cohort : Cohort
        At most one sample per patient and timepoint; at least three before.
    scores : DataFrame of shape (n_samples, n_components)
        Indexed by sample, at least two components. One without any value is left out for everybody.
    directions : mapping, optional
        Component to 1 (up is more visible) or -1; all 1 unless given.
    reliability : mapping, optional
        Component to its reliability, from 0 to 1.
    before, after : str
        Timepoints.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        ``schema.SHIFT``: one row for every patient, with the reason where there is none.

    Raises
    ------
    CohortError
        When the two timepoints are the same, or a patient has two samples at one of them.
    PlanError
        With fewer than two components, or a direction or reliability that is missing or impossible.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["tis18_unweighted", "apm6", "tls_hallmark9"]]
    >>> shift = immunogenicity_shift(cohort, scores, reliability=dict.fromkeys(scores, 0.8))
    >>> len(shift) == len(cohort.patients), shift["error_from"].dropna().unique().tolist()
    (True, ['repeat biopsies'])
    """
    pair = both_biopsies(cohort, scores, before, after)
    spread = pair.before[list(scores.columns)].astype(float).std(ddof=1)
    names = [name for name in scores.columns if spread[name] > 0]
    _refuse(names, directions, reliability, level)
    signs = np.array([1 if directions is None else directions[name] for name in names], dtype=float)
    change = (pair.after[names] - pair.before[names]).to_numpy(dtype=float) / spread[names].to_numpy() * signs
    known = pair.complete & ~np.isnan(change).any(axis=1)
    status = pair.before["status"].where(pair.before["status"] != "ok", pair.after["status"])
    absent = [", ".join(np.array(names)[np.isnan(row)]) for row in change]
    lacking = pd.Series(["no value of " + text for text in absent], index=status.index)
    shift = np.where(known, change.mean(axis=1), np.nan)
    if reliability is None:
        error = np.where(known, change.std(axis=1, ddof=1) / np.sqrt(len(names)), np.nan)
        margin = special.stdtrit(len(names) - 1, (1 + level) / 2) * error
    else:
        noise = np.mean([np.sqrt(2.0 * (1.0 - reliability[name])) for name in names])
        error = np.where(known, noise, np.nan)
        margin = special.ndtri((1 + level) / 2) * error
    meaning = "agreement of components" if reliability is None else "repeat biopsies"
    rows = pd.DataFrame(
        {
            "patient_id": pair.before.index.to_numpy(),
            "before": before,
            "after": after,
            "n_components": (~np.isnan(change)).sum(axis=1),
            "shift": shift,
            "std_error": error,
            "conf_low": shift - margin,
            "conf_high": shift + margin,
            "error_from": pd.Series(meaning, index=status.index).where(known).to_numpy(),
            "status": status.where((status != "ok") | known, lacking).to_numpy(),
        }
    )
    return marked(schema.SHIFT.check(rows), simulated=cohort.simulated)


def _refuse(
    names: list[str],
    directions: Mapping[str, int] | None,
    reliability: Mapping[str, float] | None,
    level: float,
) -> None:
    problems = []
    if len(names) < 2:
        problems.append(f"scores: needs at least 2 components that vary before, has {len(names)}")
    if directions is not None and (wrong := [n for n in names if directions.get(n) not in (1, -1)]):
        problems.append(f"directions: needs 1 or -1 for each component, has none for {wrong}")
    if reliability is not None and (wrong := [n for n in names if not 0 <= reliability.get(n, float("nan")) <= 1]):
        problems.append(f"reliability: needs a number from 0 to 1 for each component, has none for {wrong}")
    if not 0 < level < 1:
        problems.append(f"level: needs a number between 0 and 1, has {level}")
    raise_together(PlanError, "immunogenicity_shift", problems)
