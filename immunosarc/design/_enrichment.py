"""From this trial to the next: whom to select, how many that takes, and how likely it is to succeed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import integrate
from scipy import stats as distributions

from immunosarc import schema
from immunosarc.design._screening import screening
from immunosarc.design._simon import simon
from immunosarc.design._single_stage import SingleStageDesign, ahern
from immunosarc.design._trial import CountingTrial
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.stats import operating_characteristics

__all__ = ["assurance", "enrichment", "simulate_enrichment"]

_ALL = "all patients"
_LEVEL = (0.025, 0.975)


def assurance(trial: CountingTrial, belief: tuple[float, float]) -> float:
    r"""Give the chance that a trial succeeds when nobody knows the true rate.

    The power, averaged over a beta distribution of the rate:
    :math:`\int P(\text{success} \mid p)\, f(p)\, dp`. Power supposes the rate that was hoped for;
    assurance does not. Source: O'Hagan, Stevens and Campbell 2005, doi 10.1002/pst.175.

    Parameters
    ----------
    trial : CountingTrial
        A design that counts successes: :func:`simon`, :func:`ahern`, :func:`predictive_probability`.
    belief : (float, float)
        Parameters of the beta distribution, both above 0.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ImmunosarcError
        When a parameter is not above 0.

    Examples
    --------
    >>> trial = ahern(p0=0.434, p1=0.634, alpha=0.10, power=0.80)
    >>> round(assurance(trial, (16.0, 14.0)), 3)
    0.461
    """
    if min(belief) <= 0:
        raise ImmunosarcError(f"belief: need two numbers above 0, have {belief}.")
    if isinstance(trial, SingleStageDesign):
        return float(distributions.betabinom(trial.n, *belief).sf(trial.r))
    density = distributions.beta(*belief)
    low, high = density.ppf(1e-10), density.ppf(1.0 - 1e-10)

    def weighed(p: float) -> float:
        return operating_characteristics(trial.looks, p).success * float(density.pdf(p))

    return float(integrate.quad(weighed, low, high, limit=200, epsabs=1e-8)[0])


def enrichment(
    selected: pd.DataFrame,
    responded: pd.Series,
    *,
    p0: float | Sequence[float],
    alpha: float = 0.10,
    power: float = 0.80,
    kind: Literal["ahern", "minimax", "optimal"] = "minimax",
    prior_patients: float = 6.0,
    evidence: dict[str, tuple[int, int]] | None = None,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    dropout: float = 0.1,
    n_max: int = 150,
) -> pd.DataFrame:
    r"""Compare the trials that could come next, one for each rule of selection.

    The rate in the patients whom a rule selects is shrunken towards the rate of all patients, as if
    ``prior_patients`` patients of the average rate had been seen as well: a rule found in these data
    looks better than it is. (All patients have Jeffreys' prior, and so have prevalences.) ``evidence`` adds
    the patients of published trials. The trial is then sized
    for the shrunken rate, and its chance of success is given at that rate (power) and averaged over
    what the rate may be (assurance). A list of ``p0`` shows how much hangs on the historical control.

    Parameters
    ----------
    selected : DataFrame of bool, shape (n_patients, n_rules)
        Whom each rule selects; index ``patient_id``; missing where the rule cannot say. The row
        "all patients" is always added.
    responded : Series of bool
        The endpoint, indexed by patient; missing where unknown.
    p0 : float or sequence of float
        Historical rates to beat.
    alpha, power : float
        One-sided type-I error at p0, and power at the shrunken rate.
    kind : {"ahern", "minimax", "optimal"}
        One stage, or Simon's two.
    prior_patients : float
        Weight of the shrinkage, in patients; above 0.
    evidence : dict, optional
        Rule to (responders, patients) of published trials that selected the same way.
    sensitivity, specificity, dropout : float
        As in :func:`screening`. The rates are those of patients whom the assay selects.
    n_max : int
        Largest trial to consider.

    Returns
    -------
    DataFrame
        ``schema.NEXT_TRIAL``, one row per rule and p0. A rule whose shrunken rate does not exceed p0 keeps
        its row and says so in ``status``.

    Raises
    ------
    ImmunosarcError
        When the tables share no patients, or numbers are outside their range.

    Examples
    --------
    >>> rules = pd.DataFrame({"hot": [True] * 10 + [False] * 20}, index=[f"P{i}" for i in range(30)])
    >>> response = pd.Series([True] * 7 + [False] * 3 + [True] * 3 + [False] * 17, index=rules.index)
    >>> found = enrichment(rules, response, p0=[0.2, 0.336])
    >>> found[["rule", "p0", "n"]].to_numpy().tolist()
    [['all patients', 0.2, 45.0], ['hot', 0.2, 9.0], ['all patients', 0.336, nan], ['hot', 0.336, 23.0]]
    """
    rates = [float(p0)] if isinstance(p0, int | float) else [float(one) for one in p0]
    _check(selected, responded, rates, prior_patients)
    known = responded.reindex(selected.index).astype("boolean")
    rules = pd.concat([pd.Series(True, index=selected.index, name=_ALL, dtype="boolean"), selected], axis=1)
    beliefs = {name: _belief(rules[name], known, prior_patients, (evidence or {}).get(name)) for name in rules}
    errors = (sensitivity, specificity, dropout)
    rows = [
        _row(name, rate, beliefs[name], (alpha, power, kind, n_max), errors) for rate in rates for name in rules
    ]
    return schema.NEXT_TRIAL.check(pd.DataFrame(rows))


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


class _Belief(NamedTuple):
    """What is known of a rule: patients it selects of all, and the beta distribution of their rate."""

    n: int
    responders: int
    judged: int
    beta: tuple[float, float]
    published: tuple[int, int]


def _belief(rule: pd.Series, known: pd.Series, weight: float, published: tuple[int, int] | None) -> _Belief:
    rule = rule.astype("boolean")
    inside = known[(rule & known.notna()).fillna(False).astype(bool)].astype(bool)
    overall = float(known.dropna().astype(bool).mean())
    if rule.name == _ALL:  # nothing to shrink towards: Jeffreys' prior
        weight, overall = 1.0, 0.5
    x, n = published or (0, 0)
    a = weight * overall + inside.sum() + x
    b = weight * (1.0 - overall) + (~inside).sum() + n - x
    return _Belief(len(inside), int(inside.sum()), int((rule.notna() & known.notna()).sum()), (a, b), (x, n))


def _row(
    rule: str,
    p0: float,
    belief: _Belief,
    asked: tuple[float, float, Literal["ahern", "minimax", "optimal"], int],
    errors: tuple[float, float, float],
) -> dict[str, object]:
    alpha, power, kind, n_max = asked
    rate = belief.beta[0] / sum(belief.beta)
    share = distributions.beta(0.5 + belief.n, 0.5 + belief.judged - belief.n)
    prevalence = 1.0 if rule == _ALL else float(share.mean())
    limits = (1.0, 1.0) if rule == _ALL else tuple(float(share.ppf(q)) for q in _LEVEL)
    spread = [float(distributions.beta(*belief.beta).ppf(q)) for q in _LEVEL]
    row: dict[str, object] = {
        "rule": rule,
        "p0": p0,
        "n_here": belief.n,
        "responders_here": belief.responders,
        "prevalence": prevalence,
        "prevalence_low": limits[0],
        "prevalence_high": limits[1],
        "rate_raw": belief.responders / belief.n if belief.n else np.nan,
        "rate": rate,
        "rate_low": spread[0],
        "rate_high": spread[1],
    }
    trial, status = _trial(p0, rate, alpha, power, kind, n_max)
    if trial is None:
        missing = dict.fromkeys(("n", "r", "screened", "screened_90", "alpha", "power", "assurance"), np.nan)
        return row | missing | {"status": status}
    last = trial.looks[-1]
    plan = screening(
        treated=last.n,
        prevalence=prevalence,
        sensitivity=1.0 if rule == _ALL else errors[0],
        specificity=1.0 if rule == _ALL else errors[1],
        dropout=errors[2],
    )
    return row | {
        "n": last.n,
        "r": last.stop,
        "screened": plan.screened,
        "screened_90": plan.screened_90,
        "alpha": operating_characteristics(trial.looks, p0).success,
        "power": operating_characteristics(trial.looks, rate).success,
        "assurance": assurance(trial, belief.beta),
        "status": "ok",
    }


def _trial(
    p0: float, p1: float, alpha: float, power: float, kind: Literal["ahern", "minimax", "optimal"], n_max: int
) -> tuple[CountingTrial | None, str]:
    """Return the trial for these rates, or why there is none."""
    if p1 <= p0:
        return None, f"the shrunken rate {p1:.3f} does not exceed {p0:g}"
    if kind == "ahern":
        one = ahern(p0=p0, p1=p1, alpha=alpha, power=power)
        return (one, "ok") if one.n <= n_max else (None, f"no trial of at most {n_max} patients")
    try:
        return simon(p0=p0, p1=p1, alpha=alpha, power=power, kind=kind, n_max=n_max), "ok"
    except ImmunosarcError:
        return None, f"no trial of at most {n_max} patients"


def _check(selected: pd.DataFrame, responded: pd.Series, rates: list[float], weight: float) -> None:
    problems = [f"p0: need a rate between 0 and 1, have {rate!r}" for rate in rates if not 0.0 < rate < 1.0]
    if not isinstance(selected, pd.DataFrame) or not isinstance(responded, pd.Series):
        problems.append("selected and responded: need a DataFrame and a Series, both indexed by patient")
    elif not responded.dropna().index.isin(selected.index).any():
        problems.append("responded: none of its patients is in selected; index both by patient_id")
    elif _ALL in selected:
        problems.append(f"selected: the rule {_ALL!r} is added anyway; give yours another name")
    if weight <= 0:
        problems.append(f"prior_patients: need a number above 0, have {weight!r}")
    raise_together(ImmunosarcError, "the call of enrichment", problems)
