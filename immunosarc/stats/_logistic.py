"""Log odds ratios, with Firth's penalty (finite when a feature separates the responders) and without."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from immunosarc.stats._batched import WORTH_COMPILING
from immunosarc.stats._firth import Design, fit_profile
from immunosarc.stats._fits import Fits, StatusArray, statuses
from immunosarc.stats._inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_binary,
    as_covariates,
    as_features,
    check_level,
    refuse,
)

__all__ = ["firth_logistic", "logistic"]

# numbers held at once for each block of features, some tens of MB
_NUMBERS = 2_000_000
# log odds ratio per standard deviation beyond which limits are sought by nested maximization
_STEEP = 10.0
_NAMES = ("estimate", "std_error", "conf_low", "conf_high", "statistic")


def firth_logistic(
    features: ArrayLike,
    outcome: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    level: float = 0.95,
) -> Fits:
    r"""Estimate how the odds of response change with each feature, finite even when it separates them.

    Each feature has its own logistic model with intercept and the covariates, fitted by the
    likelihood with Jeffreys' prior,

    .. math:: \ell^*(\beta) = \sum_i [y_i \eta_i - \log(1 + e^{\eta_i})] + \tfrac12 \log |X^T W X|

    ``estimate`` is the log odds ratio for one unit of the feature. The interval and the test come
    from the profile of :math:`\ell^*`: the limits are where
    :math:`2(\ell^*_{\max} - \ell^*(\beta))` equals the chi-square quantile, verified to 1e-8, the other
    coefficients maximised anew; ``statistic`` is the signed root of the penalised likelihood ratio
    at zero and ``p_value`` its p-value. ``std_error`` is from the augmented information
    :math:`X^T W (1 + h) X`, as the R package logistf reports it; with few patients it is a little smaller
    than the root of the inverse Fisher information and nothing here is computed from it. Sources:
    Firth 1993, doi 10.1093/biomet/80.1.27; Heinze and Schemper 2002, doi 10.1002/sim.1047.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    outcome : array_like of bool, shape (n_patients,)
        True for response; none missing.
    covariates : array_like of shape (n_patients, k), optional
        In every model; a patient with a missing one is left out of all.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; ``p_exact`` is NaN. ``status`` marks features that separate the
        groups completely: estimate and limits are then finite only through the penalty.

    Raises
    ------
    ImmunosarcError
        When lengths differ, an outcome is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])
    >>> fits = firth_logistic(score, [0, 0, 1, 0, 1, 1])
    >>> [round(float(x[0]), 2) for x in (fits.estimate, fits.conf_low, fits.conf_high)]
    [0.68, -0.21, 2.35]
    """
    return _fitted(
        "firth_logistic",
        (features, outcome, covariates),
        level,
        _Penalty(0.5, "separated: finite only through the penalty"),
    )


def logistic(
    features: ArrayLike,
    outcome: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    level: float = 0.95,
) -> Fits:
    r"""Estimate how the odds of response change with each feature, by plain maximum likelihood.

    The model of :func:`firth_logistic` without its penalty, given for comparison with published odds
    ratios: with few patients the estimate lies too far from zero, and a feature that separates the
    groups has none. ``statistic`` is the signed root of the likelihood ratio at zero. It is read from
    Student's t with as many degrees of freedom as patients less coefficients, because the chi-square p
    lies below 0.05 for 6.5% of noise in 30 patients (7% in 20), and this one for 5%; the interval is where
    :math:`2(\ell_{\max} - \ell(\beta))` equals the square of that t's quantile, verified to 1e-8.
    ``std_error`` is from the inverse information. Source: Cox 1958,
    doi 10.1111/j.2517-6161.1958.tb00292.x.

    Parameters
    ----------
    features : array_like of shape (n_patients, n_features)
        NaN where not measured; the patient is left out for that feature.
    outcome : array_like of bool, shape (n_patients,)
        True for response; none missing.
    covariates : array_like of shape (n_patients, k), optional
        In every model; a patient with a missing one is left out of all.
    level : float
        Confidence level.

    Returns
    -------
    Fits
        One row for each feature; ``p_exact`` is NaN. Separated groups have NaN and the status says so.

    Raises
    ------
    ImmunosarcError
        When lengths differ, an outcome is missing or a value is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> score = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])
    >>> fits = logistic(score, [0, 0, 1, 0, 1, 1])
    >>> float(fits.estimate[0].round(2)), float(fits.p_value[0].round(2))
    (1.21, 0.14)
    """
    return _fitted("logistic", (features, outcome, covariates), level, _Penalty(0.0, _SEPARATED))


_SEPARATED = "separated: no finite estimate (use firth_logistic)"


@dataclass(frozen=True)
class _Penalty:
    """How much of the log determinant counts, and what to say of separated groups."""

    share: float
    separated: str

    @property
    def finite(self) -> bool:
        """Whether separated groups have an estimate."""
        return self.share > 0

    def freedom(self, size: IntArray, n_others: int) -> FloatArray:
        """Degrees of freedom of the t that the signed root is read from; infinite for a normal."""
        left = np.full(size.shape, np.inf) if self.finite else size - 2.0 - n_others
        return np.maximum(left, 1.0)


def _fitted(
    function: str,
    given: tuple[ArrayLike, ArrayLike, ArrayLike | None],
    level: float,
    penalty: _Penalty,
) -> Fits:
    problems: list[str] = []
    values = as_features(given[0], problems)
    happened = as_binary(given[1], len(values), "outcome", problems)
    others = as_covariates(given[2], len(values), problems)
    check_level(level, problems)
    refuse(function, problems)
    complete = ~np.isnan(others).any(axis=1)
    step = max(1, _NUMBERS // max(len(values), 1))
    compiled = others.shape[1] == 0 and values.size >= WORTH_COMPILING
    fit = partial(_compiled_block if compiled else _block, level=level, penalty=penalty)
    blocks = [
        fit(values[complete, start : start + step], happened[complete], others[complete])
        for start in range(0, max(values.shape[1], 1), step)
    ]
    return Fits.join(blocks)


def _block(
    values: FloatArray, happened: BoolArray, others: FloatArray, *, level: float, penalty: _Penalty
) -> Fits:
    seen = ~np.isnan(values)
    counts = seen.sum(axis=0), (seen & happened[:, None]).sum(axis=0)
    design, scale, explained = Design.standardized(values, happened, others, penalty=penalty.share)
    status, hopeless, separated = _status(
        values, happened, counts, explained=explained, n_others=others.shape[1], words=penalty.separated
    )
    hopeless = hopeless | (separated & (not penalty.finite))
    usable = np.flatnonzero(~hopeless)
    columns = {name: np.full(values.shape[1], np.nan) for name in _NAMES}
    freedom = penalty.freedom(counts[0], others.shape[1])
    critical = special.stdtrit(freedom, (1.0 + level) / 2.0) ** 2
    found = fit_profile(design.take(usable), critical=critical[usable])
    for name in _NAMES:
        columns[name][usable] = found[name] / (scale[usable] if name != "statistic" else 1.0)
    lost = ~hopeless & ~np.isfinite(columns["estimate"] + columns["conf_low"] + columns["conf_high"])
    status[lost] = "not converged" if penalty.finite else _SEPARATED
    p = 2.0 * special.stdtr(freedom, -np.abs(columns["statistic"]))
    return Fits.collect(counts, status, hopeless=hopeless | lost, p_value=p, **columns)


def _compiled_block(
    values: FloatArray, happened: BoolArray, others: FloatArray, *, level: float, penalty: _Penalty
) -> Fits:
    """The numbers of :func:`_block` for models without covariates."""
    from immunosarc.stats._logistic_compiled import COLUMNS, fit_each  # numba loads only for large panels

    seen = ~np.isnan(values)
    counts = seen.sum(axis=0), (seen & happened[:, None]).sum(axis=0)
    alone = np.zeros(values.shape[1], dtype=np.bool_)
    status, hopeless, separated = _status(
        values, happened, counts, explained=alone, n_others=0, words=penalty.separated
    )
    freedom = penalty.freedom(counts[0], 0)
    critical = special.stdtrit(freedom, (1.0 + level) / 2.0) ** 2
    found = dict(zip(COLUMNS, fit_each(values, happened, penalty.share, critical), strict=True))
    reach = np.maximum(np.abs(found["conf_low"]), np.abs(found["conf_high"])) * found["unit"]
    fits = Fits.collect(
        counts,
        status,
        hopeless=hopeless,
        p_value=2.0 * special.stdtr(freedom, -np.abs(found["statistic"])),
        **{name: found[name] for name in _NAMES},
    )
    # where the odds turn within a small part of the feature's range, the profile may have more than one summit
    delicate = np.flatnonzero(~hopeless & (separated | (found["arrived"] == 0) | ~(reach < _STEEP)))
    rest = _block(values[:, delicate], happened, others, level=level, penalty=penalty)
    return fits.replaced(delicate, rest)


def _status(
    values: FloatArray,
    happened: BoolArray,
    counts: tuple[IntArray, IntArray],
    *,
    explained: BoolArray,
    n_others: int,
    words: str,
) -> tuple[StatusArray, BoolArray, BoolArray]:
    size, events = counts
    top_yes, bottom_yes = _extremes(values[happened])
    top_no, bottom_no = _extremes(values[~happened])
    one_class = (events == 0) | (events == size)
    constant = np.maximum(top_yes, top_no) <= np.minimum(bottom_yes, bottom_no)
    few = size < n_others + 3
    separated = (bottom_yes >= top_no) | (bottom_no >= top_yes)
    status = statuses(
        values.shape[1],
        (one_class, lambda i: f"needs patients in both groups, has {events[i]} and {size[i] - events[i]}"),
        (constant, "constant feature"),
        (few, lambda i: f"needs {n_others + 3} patients, has {size[i]}"),
        (explained, "determined by the covariates, or these by each other"),
        (separated, words),
    )
    return status, one_class | constant | few | explained, separated


def _extremes(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    top = np.fmax.reduce(values, axis=0, initial=-np.inf)
    bottom = np.fmin.reduce(values, axis=0, initial=np.inf)
    return top, bottom
