"""How much better or worse each patient did than foretold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._inputs import FloatArray, as_grades, as_predictor, as_strata, refuse

__all__ = ["graded_scores"]

# thresholds of a logistic model beyond this are infinite
_WIDEST = 800.0


def graded_scores(
    outcome: ArrayLike, *, predictor: ArrayLike | None = None, strata: ArrayLike | None = None
) -> FloatArray:
    r"""Score each patient by how much better the outcome was than what is adjusted for would foretell.

    Of a proportional-odds model with linear predictor :math:`\eta`, the slope of each patient's log likelihood,

    .. math:: a_i = F(\theta_{y_i} - \eta_i) + F(\theta_{y_i - 1} - \eta_i) - 1

    with F logistic and the thresholds of each stratum such that as many patients reach a grade as are expected to.
    With two grades that is y less its foretold probability, the residual of a logistic model. A stratum with one
    grade scores 0: it tells nothing. Source: McCullagh 1980, doi 10.1111/j.2517-6161.1980.tb01109.x.

    Parameters
    ----------
    outcome : array_like of shape (n_patients,)
        Numbers of which only the order counts, higher = better (False and True will do); none missing.
    predictor : array_like of shape (n_patients,), optional
        Log odds, up to a constant, that are foretold by what is adjusted for; none: 0 for all.
    strata : array_like of shape (n_patients,), optional
        Each stratum has its own thresholds.

    Returns
    -------
    ndarray of shape (n_patients,)
        Between -1 and 1; with two grades they sum to 0 within strata.

    Raises
    ------
    ImmunosarcError
        When lengths differ, or something is missing or infinite.

    Examples
    --------
    >>> graded_scores([0, 0, 1, 1], predictor=[0.0, 1.0, 0.0, 1.0]).round(2).tolist()
    [-0.38, -0.62, 0.62, 0.38]
    """
    problems: list[str] = []
    grades = as_grades(outcome, np.size(np.asarray(outcome)), problems)
    foretold = as_predictor(predictor, grades.size, problems)
    codes = as_strata(strata, grades.size, problems)
    refuse("graded_scores", problems)
    scores = np.zeros(grades.size)
    for code in np.unique(codes):
        mine = codes == code
        place = np.unique(grades[mine], return_inverse=True)[1]
        below = np.column_stack([np.zeros(mine.sum()), *_shares(place, foretold[mine]).T, np.ones(mine.sum())])
        rows = np.arange(len(place))
        scores[mine] = below[rows, place + 1] + below[rows, place] - 1.0
    return scores


def _shares(place: np.ndarray, foretold: FloatArray) -> FloatArray:
    """Probability of each patient to stay at or below each grade but the highest."""
    reached = [np.mean(place <= grade) for grade in range(place.max(initial=0))]
    low, high = np.full((2, len(reached)), -_WIDEST)
    high = -low
    for _ in range(80):
        middle = (low + high) / 2.0
        too_many = special.expit(middle - foretold[:, None]).mean(axis=0) > reached
        low, high = np.where(too_many, low, middle), np.where(too_many, middle, high)
    return np.asarray(special.expit(middle - foretold[:, None]) if len(reached) else np.empty((len(place), 0)))
