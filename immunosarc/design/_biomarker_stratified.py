"""A randomized trial of everybody, stratified by a marker: it may succeed in all or in those with the marker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import integrate, optimize, special

from immunosarc.design._follow_up import FollowUp, blocks
from immunosarc.design._marker_arms import (
    Rates,
    Truth,
    check_marker_trial,
    draw_contrasts,
    expected_contrast,
    marker_truths,
    named_rates,
    rates_in_words,
)
from immunosarc.design._record import DesignRecord
from immunosarc.errors import ImmunosarcError, UnknownNameError, did_you_mean

__all__ = ["BiomarkerStratified", "biomarker_stratified"]

Strategy = Literal["sequential", "split"]
_STRATEGIES = ("sequential", "split")
_N_MAX = 20_000


@dataclass(frozen=True, repr=False)
class BiomarkerStratified(DesignRecord):
    """A randomized trial of patients with and without a marker that may succeed in all or in those with it.

    Attributes
    ----------
    prevalence, allocation : float
        Share with the marker; share who are treated.
    positive, negative : (float, float)
        Rates of control and treated, with and without the marker: response, or event-free at ``follow.at``.
    follow : FollowUp or None
        With it the endpoint is time to event.
    strategy : {"sequential", "split"}
        First those with the marker and only then the others; or everybody first at a part of alpha, then those
        with the marker.
    n : int
        Patients in both arms, with and without the marker.
    alpha_overall, alpha_positive : float
        One-sided levels of the two tests; for "sequential" the first is that of patients without the marker.
    alpha, power : float
        Chance of any false claim when the treatment never helps, and of any claim at the stated rates.
    """

    prevalence: float
    allocation: float
    positive: Rates
    negative: Rates
    follow: FollowUp | None
    strategy: Strategy
    n: int
    alpha_overall: float
    alpha_positive: float
    alpha: float
    power: float

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        rates = rates_in_words(self.positive, self.negative, self.follow)
        if self.strategy == "sequential":
            rule = (
                f"The treatment is first tested in patients with the marker at {self.alpha_positive:g}; only "
                f"when it succeeds there, in those without at {self.alpha_overall:g}"
            )
        else:
            rule = (
                f"The treatment is tested in all patients at {self.alpha_overall:.4f}; when it fails there, in "
                f"those with the marker at {self.alpha_positive:.4f} (the correlation of the two tests is used)"
            )
        return (
            f"All patients are randomized, {self.allocation:.0%} to the treatment, stratified by a marker that "
            f"{self.prevalence:.0%} have. {rule}. The chance of a false claim when the treatment helps nobody is "
            f"{self.alpha:.4f}, one-sided. {self.n} patients give a power of {self.power:.3f} for a claim when "
            f"{rates} (normal approximation)." + (f" {self.follow.words}." if self.follow else "")
        )

    @property
    def truths(self) -> tuple[Truth, ...]:
        """The stated rates, then no effect without the marker, then no effect at all."""
        return marker_truths(self.positive, self.negative)

    def operating_characteristics(self, truths: Sequence[Truth]) -> pd.DataFrame:
        """Return what the trial claims at true rates, by the normal approximation.

        Parameters
        ----------
        truths : sequence of ((float, float), (float, float))
            Rates of control and treated with the marker, then without; equal ones have no effect.

        Returns
        -------
        DataFrame
            The four rates, chance of ``success`` (any claim), ``claim_all`` (also for those without the marker),
            ``claim_positive`` (for those with the marker alone).
        """
        rows = []
        for truth in truths:
            drifts = _drifts(truth, self.n, self.prevalence, self.allocation, self.follow)
            levels = (self.alpha_overall, self.alpha_positive)
            rows.append(named_rates(truth) | _claims(drifts, self.strategy, levels))
        return pd.DataFrame(rows)

    def simulate(self, truths: Sequence[Truth], *, n_trials: int = 10_000, seed: int = 0) -> pd.DataFrame:
        """Return the same by running the trial patient by patient.

        Parameters
        ----------
        truths : sequence of ((float, float), (float, float))
            As for :meth:`operating_characteristics`.
        n_trials : int
            Trials per truth.
        seed : int
            Of the random numbers.

        Returns
        -------
        DataFrame
            As :meth:`operating_characteristics`.
        """
        rng, rows = np.random.default_rng(seed), []
        low, high = (special.ndtri(1.0 - one) for one in (self.alpha_overall, self.alpha_positive))
        for truth in truths:
            everyone = marked = 0
            for size in blocks(n_trials, self.n):
                yes, no = draw_contrasts(
                    rng,
                    (size, self.n),
                    truth,
                    prevalence=self.prevalence,
                    allocation=self.allocation,
                    follow=self.follow,
                )
                if self.strategy == "sequential":
                    first = yes.z > high
                    whole = first & (no.z > low)
                else:
                    total = yes.information + no.information
                    z = (yes.effect * yes.information + no.effect * no.information) / np.sqrt(total)
                    whole = z > low
                    first = whole | (yes.z > high)
                everyone += int(whole.sum())
                marked += int((first & ~whole).sum())
            claims = {"success": everyone + marked, "claim_all": everyone, "claim_positive": marked}
            rows.append(named_rates(truth) | {name: count / n_trials for name, count in claims.items()})
        return pd.DataFrame(rows)


def biomarker_stratified(
    *,
    prevalence: float,
    positive: Rates,
    negative: Rates,
    alpha: float,
    power: float,
    follow: FollowUp | None = None,
    strategy: Strategy = "sequential",
    share: float = 0.8,
    allocation: float = 0.5,
) -> BiomarkerStratified:
    r"""Give the size of a randomized trial of everybody that may succeed in those with the marker alone.

    An enrichment trial never learns whether the others benefit; this one does, at the price of more patients.
    "sequential" (fixed sequence) tests those with the marker first; "split" (fallback) spends ``share`` of
    alpha on everybody and what is left on those with the marker, exactly, given the correlation
    :math:`\sqrt{I_+/(I_+ + I_-)}` of the two tests. Source of the correlated split: Song and Chi, Statistics in
    Medicine 2007;26:3535.

    Parameters
    ----------
    prevalence : float
        Share with the marker, strictly between 0 and 1.
    positive, negative : (float, float)
        Rates of control and treated, with and without the marker; response, or event-free at ``follow.at``.
    alpha, power : float
        One-sided chance of any false claim, and chance of a claim.
    follow : FollowUp, optional
        For time to event: accrual, follow-up, dropout. The hazards are constant.
    strategy : {"sequential", "split"}
        Which test comes first.
    share : float
        For "split": part of alpha spent on everybody, strictly between 0 and 1.
    allocation : float
        Share of patients who are treated.

    Returns
    -------
    BiomarkerStratified

    Raises
    ------
    UnknownNameError
        When ``strategy`` is unknown.
    ImmunosarcError
        When a number is outside its range, or no trial of at most 20,000 patients fits.

    Examples
    --------
    >>> trial = biomarker_stratified(
    ...     prevalence=0.4, positive=(0.2, 0.5), negative=(0.2, 0.25), alpha=0.05, power=0.80
    ... )
    >>> trial.n
    165
    """
    rates = {"positive": positive, "negative": negative}
    asked = {"alpha": alpha, "power": power, "allocation": allocation}
    check_marker_trial("biomarker_stratified", prevalence, rates, follow=follow, **asked)
    if strategy not in _STRATEGIES:
        raise UnknownNameError(f"no strategy {strategy!r}.{did_you_mean(strategy, _STRATEGIES)}")
    if not 0.0 < share < 1.0:
        raise ImmunosarcError(f"share: need a part of alpha strictly between 0 and 1, have {share!r}")
    truth = (positive, negative)
    levels = (
        (alpha, alpha)
        if strategy == "sequential"
        else (share * alpha, _left(alpha, share * alpha, _drifts(truth, 1, prevalence, allocation, follow)[2]))
    )

    def chance(n: int) -> float:
        return _claims(_drifts(truth, n, prevalence, allocation, follow), strategy, levels)["success"]

    n = _smallest(chance, power, "biomarker_stratified")
    return BiomarkerStratified(
        prevalence, allocation, positive, negative, follow, strategy, n, *levels, alpha, chance(n)
    )


def _drifts(
    truth: Truth, n: int, prevalence: float, allocation: float, follow: FollowUp | None
) -> tuple[float, float, float]:
    """Return the means of z with and without the marker, and the correlation of the first with everybody's z."""
    yes, no = (expected_contrast(one, allocation, follow) for one in truth)
    information = n * prevalence * yes.information, n * (1.0 - prevalence) * no.information
    means = yes.effect * np.sqrt(information[0]), no.effect * np.sqrt(information[1])
    return float(means[0]), float(means[1]), float(np.sqrt(information[0] / sum(information)))


def _claims(
    drifts: tuple[float, float, float], strategy: Strategy, levels: tuple[float, float]
) -> dict[str, float]:
    """Return the chances of the claims; the two strata are independent."""
    low, high = (special.ndtri(1.0 - one) for one in levels)
    yes, no, correlation = drifts
    if strategy == "sequential":
        first = float(special.ndtr(yes - high))
        whole = first * float(special.ndtr(no - low))
        return {"success": first, "claim_all": whole, "claim_positive": first - whole}
    mean = correlation * yes + np.sqrt(1.0 - correlation**2) * no
    whole = float(special.ndtr(mean - low))
    neither = _both_below(low - mean, high - yes, correlation)
    return {"success": 1.0 - neither, "claim_all": whole, "claim_positive": 1.0 - neither - whole}


def _both_below(a: float, b: float, correlation: float) -> float:
    """Return P(A < a, B < b) of two standard normal variables."""
    rest = np.sqrt(1.0 - correlation**2)

    def density(x: float) -> float:
        return float(np.exp(-x * x / 2.0) / np.sqrt(2.0 * np.pi) * special.ndtr((a - correlation * x) / rest))

    return float(integrate.quad(density, -12.0, b, epsabs=1e-12, epsrel=1e-10, limit=200)[0]) if b > -12.0 else 0.0


def _left(alpha: float, spent: float, correlation: float) -> float:
    """Return the level of the second test that makes the chance of any false claim exactly alpha."""

    def excess(level: float) -> float:
        limits = special.ndtri(1.0 - spent), special.ndtri(1.0 - level)
        return 1.0 - _both_below(float(limits[0]), float(limits[1]), correlation) - alpha

    return float(optimize.brentq(excess, (alpha - spent) * 0.999, alpha, xtol=1e-12))


def _smallest(chance: Callable[[int], float], power: float, function: str) -> int:
    """Return the smallest n whose chance reaches the power; the chance rises with n."""
    if chance(_N_MAX) < power:
        raise ImmunosarcError(
            f"the call of {function}: no trial of at most {_N_MAX:,} patients reaches power {power:g}. Name rates "
            "that lie further apart, or another strategy."
        )
    low, high = 1, _N_MAX
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle) >= power else (middle + 1, high)
    return low
