"""Single-arm trials that wait for events: the one-sample log-rank test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from immunosarc.design._follow_up import FollowUp, blocks, check_rates, draw_times
from immunosarc.design._record import DesignRecord
from immunosarc.stats import one_sample_log_rank_power, one_sample_log_rank_size

__all__ = ["OneSampleLogRank", "one_sample_log_rank"]


@dataclass(frozen=True, repr=False)
class OneSampleLogRank(DesignRecord):
    """A single-arm trial whose whole survival curve is compared with a known one.

    Attributes
    ----------
    p0, p1 : float
        Share event-free at ``follow.at``: in history, and worth finding.
    ratio : float
        The hazard ratio that this is.
    follow : FollowUp
        Accrual, follow-up, dropout.
    n : int
        Patients.
    events : float
        Expected events at p1.
    alpha : float
        One-sided type-I error that was asked for; :meth:`simulate` shows the attained one.
    power : float
        At p1, by the normal approximation.
    """

    p0: float
    p1: float
    ratio: float
    follow: FollowUp
    n: int
    events: float
    alpha: float
    power: float

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        return (
            f"A one-sample log-rank test compares survival with an exponential curve of which {self.p0:.1%} are "
            f"event-free at time {self.follow.at:g}; {self.p1:.1%} (hazard ratio {self.ratio:.3f}) is worth "
            f"finding. {self.follow.words}. {self.n} patients with {self.events:.1f} expected events give a power "
            f"of {self.power:.3f} at a one-sided type-I error of {self.alpha:g} (normal approximation). The trial "
            f"succeeds when (O - E)/sqrt(E) is below {special.ndtri(self.alpha):.3f}, with E the cumulative "
            f"hazard of history summed over the follow-up of all patients."
        )

    @property
    def truths(self) -> tuple[float, ...]:
        """True shares event-free from 5% to 95%."""
        return tuple(i / 20 for i in range(1, 20))

    def operating_characteristics(self, rates: Sequence[float]) -> pd.DataFrame:
        """Return what the trial does at each true share event-free, by the normal approximation.

        Parameters
        ----------
        rates : sequence of float
            True shares event-free at ``follow.at``, in (0, 1).

        Returns
        -------
        DataFrame
            ``rate``, chance of ``success``, expected ``events``.
        """
        hazard, enrollment = self.follow.hazard(self.p0), self.follow.enrollment
        found = [
            one_sample_log_rank_power(
                self.n, hazard, self.follow.hazard(rate) / hazard, enrollment, alpha=self.alpha
            )
            for rate in rates
        ]
        return pd.DataFrame(
            {
                "rate": list(rates),
                "success": [one.power for one in found],
                "events": [one.events for one in found],
            }
        )

    def simulate(self, rates: Sequence[float], *, n_trials: int = 10_000, seed: int = 0) -> pd.DataFrame:
        """Return the same by running the trial patient by patient.

        Parameters
        ----------
        rates : sequence of float
            True shares event-free at ``follow.at``, in (0, 1).
        n_trials : int
            Trials per rate.
        seed : int
            Of the random numbers.

        Returns
        -------
        DataFrame
            As :meth:`operating_characteristics`.
        """
        rng, rows = np.random.default_rng(seed), []
        for rate in rates:
            won, events = 0, 0
            for size in blocks(n_trials, self.n):
                hazards = np.full((size, self.n), self.follow.hazard(rate))
                times, seen = draw_times(rng, hazards, self.follow)
                expected = self.follow.hazard(self.p0) * times.sum(axis=1)
                z = (seen.sum(axis=1) - expected) / np.sqrt(expected)
                won += int((z < special.ndtri(self.alpha)).sum())
                events += int(seen.sum())
            rows.append({"rate": rate, "success": won / n_trials, "events": events / n_trials})
        return pd.DataFrame(rows)


def one_sample_log_rank(*, p0: float, p1: float, follow: FollowUp, alpha: float, power: float) -> OneSampleLogRank:
    """Give the size of a single-arm trial whose survival is compared with a known curve.

    It uses each patient's whole follow-up, so it needs fewer patients than a rate at a fixed time; what it
    needs instead is a historical curve that is exponential. Sources: Finkelstein, Muzikansky and Schoenfeld
    2003, doi 10.1093/jnci/djg052; Wu 2015, doi 10.1002/pst.1654.

    Parameters
    ----------
    p0, p1 : float
        Share event-free at ``follow.at`` in history, and the one worth finding; 0 < p0 < p1 < 1.
    follow : FollowUp
        Time of the rate, accrual, follow-up, dropout.
    alpha, power : float
        One-sided type-I error, and power.

    Returns
    -------
    OneSampleLogRank

    Raises
    ------
    ImmunosarcError
        When a number is outside its range.

    Examples
    --------
    >>> trial = one_sample_log_rank(
    ...     p0=0.434, p1=0.634, follow=FollowUp(at=6, accrual=24, minimum=6), alpha=0.10, power=0.80
    ... )
    >>> trial.n, round(trial.ratio, 3)
    (19, 0.546)
    """
    check_rates("one_sample_log_rank", p0, p1, alpha=alpha, power=power, follow=follow)
    hazard = follow.hazard(p0)
    ratio = follow.hazard(p1) / hazard
    found = one_sample_log_rank_size(hazard, ratio, follow.enrollment, alpha=alpha, power=power)
    return OneSampleLogRank(p0, p1, ratio, follow, found.n, found.events, alpha, found.power)
