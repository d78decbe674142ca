"""An enrichment trial run many times, from the first patient screened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from immunosarc.design._trial import CountingTrial
from immunosarc.errors import ImmunosarcError, raise_together

__all__ = ["simulate_enrichment"]


def simulate_enrichment(
    trial: CountingTrial,
    *,
    prevalence: float,
    response: tuple[float, float],
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    dropout: float = 0.0,
    mix: Sequence[tuple[float, float, float]] = ((1.0, 1.0, 1.0),),
    n_trials: int = 10_000,
    seed: int = 0,
) -> pd.Series:
    """Run an enrichment trial many times, from the first patient screened.

    Every patient has a histology, a marker or not, an assay result, may drop out, and responds or not.

    Parameters
    ----------
    trial : CountingTrial
        What the selected patients are enrolled in.
    prevalence : float
        Share with the marker, averaged over histologies.
    response : (float, float)
        Response rate with and without the marker, averaged over histologies.
    sensitivity, specificity, dropout : float
        As in :func:`screening`.
    mix : sequence of (share, prevalence factor, response odds factor)
        Histologies: share of screened patients, and how much more often they have the marker and how
        much higher their odds of response are. Shares add up to 1; factors of prevalence average to 1.
    n_trials : int
        Trials to run.
    seed : int
        Of the random numbers.

    Returns
    -------
    Series
        ``success``, ``treated`` and ``screened`` (means over the trials), ``screened_90`` (90th percentile).

    Raises
    ------
    ImmunosarcError
        When shares do not add up or a rate leaves 0 to 1.

    Examples
    --------
    >>> from immunosarc.design import ahern
    >>> trial = ahern(p0=0.2, p1=0.4, alpha=0.05, power=0.80)
    >>> found = simulate_enrichment(trial, prevalence=0.3, response=(0.4, 0.1), n_trials=2000)
    >>> bool(0.75 < found["success"] < 0.87)
    True
    """
    shares, chosen, rate = _mixed(prevalence, response, (sensitivity, specificity), mix)
    rng = np.random.default_rng(seed)
    reached = float((shares * chosen).sum()) * (1.0 - dropout)
    alive = np.ones(n_trials, dtype=np.bool_)
    won, responders = np.zeros(n_trials, dtype=np.bool_), np.zeros(n_trials, dtype=np.int64)
    treated, screened = np.zeros(n_trials, dtype=np.int64), np.zeros(n_trials, dtype=np.int64)
    weights = shares * chosen / (shares * chosen).sum()
    for look in trial.looks:
        new = look.n - int(treated[alive].max(initial=0))
        kinds = rng.choice(len(weights), size=(n_trials, new), p=weights)
        fresh = (rng.random((n_trials, new)) < rate[kinds]).sum(axis=1)
        seen = new + rng.negative_binomial(new, reached, n_trials)
        responders[alive] += fresh[alive]
        screened[alive] += seen[alive]
        treated[alive] = look.n
        won |= alive & (responders >= look.go)
        alive &= (responders > look.stop) & (responders < look.go)
    return pd.Series(
        {
            "success": won.mean(),
            "treated": treated.mean(),
            "screened": screened.mean(),
            "screened_90": float(np.percentile(screened, 90)),
        }
    )


def _mixed(
    prevalence: float,
    response: tuple[float, float],
    assay: tuple[float, float],
    mix: Sequence[tuple[float, float, float]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each histology its share, the chance to be selected, and the rate of the selected."""
    shares, more, odds = (np.array(column, dtype=np.float64) for column in zip(*mix, strict=True))
    carriers = prevalence * more
    problems = []
    if abs(shares.sum() - 1.0) > 1e-9:
        problems.append(f"mix: the shares add up to {shares.sum():g}, need 1")
    if abs((shares * more).sum() - 1.0) > 1e-9:
        problems.append(f"mix: the prevalence factors average to {(shares * more).sum():g}, need 1")
    if not 0 < prevalence <= 1 or carriers.max() > 1:
        problems.append(f"prevalence: need shares in (0, 1], have {carriers.max():g} in one histology")
    if not all(0 <= one <= 1 for one in response):
        problems.append(f"response: need rates from 0 to 1, have {response}")
    raise_together(ImmunosarcError, "the call of simulate_enrichment", problems)
    with_marker, without = (odds * p / (1.0 - p + odds * p) for p in response)
    true, false = carriers * assay[0], (1.0 - carriers) * (1.0 - assay[1])
    chosen = true + false
    rate = (true * with_marker + false * without) / np.where(chosen > 0, chosen, 1.0)
    return shares, chosen, rate
