"""Log-rank scores of patients who come under observation late."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from immunosarc.stats._inputs import FloatArray, as_entry, as_follow_up, as_predictor, as_strata, refuse

__all__ = ["entry_scores"]


def entry_scores(
    time: ArrayLike,
    event: ArrayLike,
    entry: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    predictor: ArrayLike | None = None,
) -> FloatArray:
    r"""Score each patient by how early the event came after entry, given who was at risk at the time.

    .. math:: a_i = \delta_i - e^{\eta_i} \sum_{e_i < t_j \le T_i} \frac{d_j}{\sum_{k \in R_j} e^{\eta_k}}

    the martingale residual of a model that knows nothing but the predictor :math:`\eta` (none: 0 for all),
    :math:`R_j` being the patients of the stratum who had entered before :math:`t_j` and were still
    followed. With neither predictor nor late entry these are the log-rank scores. To deal them out at
    random is approximate where entries differ much, because late entrants have had less time to collect a
    hazard.

    Parameters
    ----------
    time, event : array_like of shape (n_patients,)
        Follow-up and whether it ended with the event; none missing.
    entry : array_like of shape (n_patients,)
        When the patient came under observation, before ``time``.
    strata : array_like of shape (n_patients,), optional
        Risk sets are formed within strata.
    predictor : array_like of shape (n_patients,), optional
        Log of the hazard, up to a constant, that is foretold by what is adjusted for.

    Returns
    -------
    ndarray of shape (n_patients,)
        At most 1; they sum to 0 within strata.

    Raises
    ------
    ImmunosarcError
        When lengths differ, something is missing, or an entry is not before its time.

    Examples
    --------
    >>> entry_scores([2, 3, 4], [1, 1, 1], [0, 2, 0]).round(2).tolist()
    [0.5, 0.5, -1.0]
    """
    problems: list[str] = []
    times, events = as_follow_up(time, event, None, problems)
    entries = as_entry(entry, times, problems)
    codes = as_strata(strata, times.size, problems)
    foretold = as_predictor(predictor, times.size, problems)
    refuse("entry_scores", problems)
    risk = np.exp(foretold - foretold.max(initial=-np.inf))
    scores = events.astype(np.float64)
    for code in np.unique(codes):
        mine = codes == code
        for moment in np.unique(times[mine & events]):
            waiting = mine & (entries < moment) & (moment <= times)
            dying = mine & events & (times == moment)
            scores[waiting] -= np.count_nonzero(dying) * risk[waiting] / risk[waiting].sum()
    return scores
