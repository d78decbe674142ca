"""From this trial to the next: whom to select, how many that takes, and how likely it is to succeed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import integrate
from scipy import stats as distributions

from immunosarc import schema
from immunosarc.design._screening import Screening, screening
from immunosarc.design._selected_rate import MarkerEffect, rate_in_selected
from immunosarc.design._simon import simon
from immunosarc.design._single_stage import SingleStageDesign, ahern
from immunosarc.design._trial import CountingTrial
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.stats import operating_characteristics

__all__ = ["assurance", "enrichment"]

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
    evidence: Mapping[str, tuple[int, int]] | None = None,
    effects: pd.DataFrame | None = None,
    histology: pd.Series | None = None,
    mix: Mapping[str, float] | None = None,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    dropout: float = 0.1,
    n_max: int = 150,
) -> pd.DataFrame:
    r"""Compare the trials that could come next, one for each rule of selection.

    The rate in the patients whom a rule selects is shrunken towards the rate of all patients, as if
    ``prior_patients`` patients of the average rate had been seen as well: a rule found in these data
    looks better than it is. (All patients have Jeffreys' prior, and so have prevalences.) Where ``effects`` has
    the rule, its rate comes from the marker's shrunken effect instead (:func:`rate_in_selected`). ``mix`` weighs
    patients as if their histologies were as frequent as in the next trial; weighed patients count less (Kish).
    The trial is then sized for the shrunken rate, and its chance of success is given at that rate (power) and
    averaged over what the rate may be (assurance). A list of ``p0`` shows how much hangs on the historical
    control.

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
    evidence : mapping, optional
        Rule to (responders, patients) of earlier patients selected and treated the same way.
    effects : DataFrame, optional
        Index rule; ``log_odds_ratio`` (per standard deviation, shrunken, positive where the selected respond more
        often), ``std_error``, ``source``.
    histology, mix : Series and mapping, optional
        Histology of each patient, and the share of each in the next trial; the shares add up to 1.
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
    weights = _weights(selected.index, histology, mix)
    known = responded.reindex(selected.index).astype("boolean")
    rules = pd.concat([pd.Series(True, index=selected.index, name=_ALL, dtype="boolean"), selected], axis=1)
    counted = _Counted(known, weights, prior_patients)
    beliefs = {name: _belief(rules[name], counted, (evidence or {}).get(name), effects) for name in rules}
    errors = (sensitivity, specificity, dropout)
    rows = [
        _row(name, rate, beliefs[name], (alpha, power, kind, n_max), errors) for rate in rates for name in rules
    ]
    return schema.NEXT_TRIAL.check(pd.DataFrame(rows))


class _Counted(NamedTuple):
    """The endpoint of each patient, what each counts for, and the weight of the shrinkage in patients."""

    known: pd.Series
    weights: pd.Series
    prior_patients: float


class _Belief(NamedTuple):
    """What is known of a rule: patients it selects of all, and the beta distribution of their rate."""

    n: int
    responders: int
    share: tuple[float, float]
    beta: tuple[float, float]
    source: str


def _belief(
    rule: pd.Series, counted: _Counted, published: tuple[int, int] | None, effects: pd.DataFrame | None
) -> _Belief:
    rule = rule.astype("boolean")
    known, weights, weight = counted
    judged = (rule.notna() & known.notna()).to_numpy()
    inside = (rule & known.notna()).fillna(False).to_numpy(dtype=bool)
    responded = known.fillna(False).to_numpy(dtype=bool)
    w = weights.to_numpy(dtype=float)
    everyone = known.notna().to_numpy()
    overall = float(w[everyone & responded].sum() / w[everyone].sum())
    picked = float(w[inside].sum())
    share = (0.5 + picked, 0.5 + float(w[judged].sum()) - picked)
    if effects is not None and rule.name in effects.index:
        told = effects.loc[rule.name]
        effect = MarkerEffect(float(told["log_odds_ratio"]), float(told["std_error"]))
        responders = (overall * float(w[everyone].sum()), float(w[everyone].sum()))
        beta = rate_in_selected(effect, share=share[0] / sum(share), responders=responders).beta
        source = str(told["source"])
    else:
        if rule.name == _ALL:  # nothing to shrink towards: Jeffreys' prior
            weight, overall = 1.0, 0.5
        x, n = published or (0, 0)
        a = weight * overall + float(w[inside & responded].sum()) + x
        b = weight * (1.0 - overall) + float(w[inside & ~responded].sum()) + n - x
        beta = (a, b)
        source = "counts of all patients" if rule.name == _ALL else "counts, shrunken towards all patients"
    return _Belief(int(inside.sum()), int((inside & responded).sum()), share, beta, source)


def _weights(patients: pd.Index, histology: pd.Series | None, mix: Mapping[str, float] | None) -> pd.Series:
    """Return what each patient counts for, so that histologies are as frequent as in the mix; Kish's size."""
    even = pd.Series(1.0, index=patients)
    if mix is None:
        return even
    if histology is None:
        raise ImmunosarcError("mix: the histology of each patient is needed too; pass histology=.")
    kinds = histology.reindex(patients)
    here = kinds.value_counts(normalize=True)
    problems = [f"mix: no patient here has histology {name!r}" for name in mix if name not in here.index]
    if abs(sum(mix.values()) - 1.0) > 1e-9 or min(mix.values()) < 0:
        problems.append(f"mix: need shares that add up to 1, have {dict(mix)}")
    raise_together(ImmunosarcError, "the call of enrichment", problems)
    raw = kinds.map({name: mix.get(name, 0.0) / here[name] for name in here.index}).fillna(0.0).astype(float)
    total: pd.Series = raw * (raw.sum() / (raw**2).sum())
    return total


def _row(
    rule: str,
    p0: float,
    belief: _Belief,
    asked: tuple[float, float, Literal["ahern", "minimax", "optimal"], int],
    errors: tuple[float, float, float],
) -> dict[str, object]:
    alpha, power, kind, n_max = asked
    rate = belief.beta[0] / sum(belief.beta)
    share = distributions.beta(*belief.share)
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
        "source": belief.source,
    }
    trial, status = _trial(p0, rate, alpha, power, kind, n_max)
    if trial is None:
        missing = dict.fromkeys(("n", "r", "screened", "screened_90", "alpha", "power", "assurance"), np.nan)
        return row | missing | {"status": status}
    last = trial.looks[-1]
    plan = _screened(rule, last.n, prevalence, errors)
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


def _screened(rule: str, n: int, prevalence: float, errors: tuple[float, float, float]) -> Screening:
    sensitivity, specificity, dropout = (1.0, 1.0, errors[2]) if rule == _ALL else errors
    return screening(
        treated=n, prevalence=prevalence, sensitivity=sensitivity, specificity=specificity, dropout=dropout
    )


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
