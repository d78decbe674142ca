"""A randomized trial that tests whether the treatment helps patients with a marker more than the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

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
from immunosarc.errors import ImmunosarcError

__all__ = ["InteractionDesign", "interaction"]


@dataclass(frozen=True, repr=False)
class InteractionDesign(DesignRecord):
    """A randomized trial that tests whether the treatment helps patients with a marker more than the others.

    Attributes
    ----------
    prevalence, allocation : float
        Share with the marker; share who are treated.
    positive, negative : (float, float)
        Rates of control and treated, with and without the marker: response, or event-free at ``follow.at``.
    follow : FollowUp or None
        With it the endpoint is time to event.
    log_ratio : float
        The interaction: log odds ratio (or minus log hazard ratio) with the marker, minus that without.
    n : int
        Patients in both arms, with and without the marker.
    alpha, power : float
        One-sided type-I error that was asked for, and power by the normal approximation.
    """

    prevalence: float
    allocation: float
    positive: Rates
    negative: Rates
    follow: FollowUp | None
    log_ratio: float
    n: int
    alpha: float
    power: float

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        ratio = "odds ratios" if self.follow is None else "hazard ratios"
        rates = rates_in_words(self.positive, self.negative, self.follow)
        return (
            f"All patients are randomized, {self.allocation:.0%} to the treatment, stratified by a marker "
            f"that {self.prevalence:.0%} have, and the interaction of treatment and marker is tested. {self.n} "
            f"patients give a power of {self.power:.3f} at a one-sided type-I error of {self.alpha:g} when "
            f"{rates}, a ratio of {ratio} of {np.exp(abs(self.log_ratio)):.2f} (normal approximation)."
        ) + (f" {self.follow.words}." if self.follow else "")

    @property
    def truths(self) -> tuple[Truth, ...]:
        """The stated rates, then no effect without the marker, then no effect at all."""
        return marker_truths(self.positive, self.negative)

    def operating_characteristics(self, truths: Sequence[Truth]) -> pd.DataFrame:
        """Return the chance that the interaction is found at true rates, by the normal approximation.

        Parameters
        ----------
        truths : sequence of ((float, float), (float, float))
            Rates of control and treated with the marker, then without; equal effects have no interaction.

        Returns
        -------
        DataFrame
            The four rates, and the chance of ``success``.
        """
        return pd.DataFrame(
            [
                named_rates(truth)
                | {
                    "success": _interaction_power(
                        truth, self.n, self.prevalence, self.allocation, self.follow, alpha=self.alpha
                    )
                }
                for truth in truths
            ]
        )

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
        limit = special.ndtri(1.0 - self.alpha)
        for truth in truths:
            won = 0
            for size in blocks(n_trials, self.n):
                yes, no = draw_contrasts(
                    rng,
                    (size, self.n),
                    truth,
                    prevalence=self.prevalence,
                    allocation=self.allocation,
                    follow=self.follow,
                )
                with np.errstate(divide="ignore"):
                    error = np.sqrt(1.0 / yes.information + 1.0 / no.information)
                won += int((yes.effect - no.effect > limit * error).sum())
            rows.append(named_rates(truth) | {"success": won / n_trials})
        return pd.DataFrame(rows)


def interaction(
    *,
    prevalence: float,
    positive: Rates,
    negative: Rates,
    alpha: float,
    power: float,
    follow: FollowUp | None = None,
    allocation: float = 0.5,
) -> InteractionDesign:
    r"""Give the size of a randomized trial that can tell a predictive marker from a prognostic one.

    A marker that goes with response in a single arm may only mark patients who do well anyway. The test compares
    the effect of treatment with and without the marker,
    :math:`n = (z_{1-\alpha} + z_{\text{power}})^2 \sum_{\text{cells}} 1/e_c \,/\, (\theta_+ - \theta_-)^2`, with
    :math:`e_c` the expected events of one patient in the four cells of arm and marker (for response
    :math:`1/e_c` is :math:`1/(f_c\,p_c\,q_c)`). An interaction as large as a treatment effect takes about four
    times the patients of that effect. Source: Peterson and George 1993, doi 10.1016/0197-2456(93)90031-8.

    Parameters
    ----------
    prevalence : float
        Share with the marker, strictly between 0 and 1.
    positive, negative : (float, float)
        Rates of control and treated, with and without the marker; response, or event-free at ``follow.at``.
    alpha, power : float
        One-sided type-I error, and power.
    follow : FollowUp, optional
        For time to event: accrual, follow-up, dropout. The hazards are constant.
    allocation : float
        Share of patients who are treated.

    Returns
    -------
    InteractionDesign

    Raises
    ------
    ImmunosarcError
        When a number is outside its range, or the treatment does not help patients with the marker more.

    Examples
    --------
    >>> interaction(prevalence=0.4, positive=(0.2, 0.5), negative=(0.2, 0.2), alpha=0.05, power=0.80).n
    299
    """
    rates = {"positive": positive, "negative": negative}
    asked = {"alpha": alpha, "power": power, "allocation": allocation}
    check_marker_trial("interaction", prevalence, rates, follow=follow, **asked)
    effect, variance = _interaction((positive, negative), prevalence, allocation, follow)
    if effect <= 0:
        raise ImmunosarcError(
            f"the call of interaction: the effect with the marker must exceed that without, the difference of log "
            f"ratios is {effect:.3f}. Swap positive and negative, or name larger rates."
        )
    n = int(np.ceil((special.ndtri(1.0 - alpha) + special.ndtri(power)) ** 2 * variance / effect**2))
    reached = _interaction_power((positive, negative), n, prevalence, allocation, follow, alpha=alpha)
    return InteractionDesign(prevalence, allocation, positive, negative, follow, effect, n, alpha, reached)


def _interaction(
    truth: Truth, prevalence: float, allocation: float, follow: FollowUp | None
) -> tuple[float, float]:
    """Return the interaction, and its variance times n."""
    yes, no = (expected_contrast(one, allocation, follow) for one in truth)
    variance = 1.0 / (prevalence * yes.information) + 1.0 / ((1.0 - prevalence) * no.information)
    return float(yes.effect - no.effect), float(variance)


def _interaction_power(
    truth: Truth, n: int, prevalence: float, allocation: float, follow: FollowUp | None, *, alpha: float
) -> float:
    effect, variance = _interaction(truth, prevalence, allocation, follow)
    return float(special.ndtr(effect * np.sqrt(n / variance) - special.ndtri(1.0 - alpha)))
