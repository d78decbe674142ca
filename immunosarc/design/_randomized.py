"""Randomized trials compared by the log-rank test, with an effect at once or a late one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from immunosarc.design._follow_up import FollowUp, blocks, draw_times, error_problems
from immunosarc.design._record import DesignRecord
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.stats import (
    event_probability,
    log_rank_lakatos,
    log_rank_power,
    log_rank_schoenfeld,
    two_arm_statistics,
)

__all__ = ["RandomizedLogRank", "randomized_log_rank"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class RandomizedLogRank(DesignRecord):
    """A randomized trial of two arms, compared by the log-rank test.

    Attributes
    ----------
    p0 : float
        Share of the control arm event-free at ``follow.at``.
    ratio : float
        Hazard ratio worth finding, treated against control, from ``delay`` on.
    delay : float
        Time since entry before which the hazards are equal.
    allocation : float
        Share of patients who are treated.
    follow : FollowUp
        Accrual, follow-up, dropout.
    n, events : int
        Patients, and expected events, in both arms.
    alpha, power : float
        One-sided type-I error that was asked for, and power by the normal approximation.
    """

    p0: float
    ratio: float
    delay: float
    allocation: float
    follow: FollowUp
    n: int
    events: int
    alpha: float
    power: float

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        late = f" from time {self.delay:g} on (none before)" if self.delay else ""
        how = "Lakatos" if self.delay else "Schoenfeld"
        return (
            f"Patients are randomized, {self.allocation:.0%} to the treatment, and compared by the log-rank test. "
            f"With {self.p0:.1%} of the control arm event-free at time {self.follow.at:g} a hazard ratio of "
            f"{self.ratio:g}{late} is found with power {self.power:.3f} at a one-sided type-I error of "
            f"{self.alpha:g} by {self.events} events, expected of {self.n} patients ({how}). {self.follow.words}."
        )

    @property
    def truths(self) -> tuple[float, ...]:
        """True hazard ratios from 0.3 to 1.2."""
        return tuple(i / 20 for i in range(6, 25))

    def operating_characteristics(self, ratios: Sequence[float]) -> pd.DataFrame:
        """Return what the trial does at each true hazard ratio, by the normal approximation.

        Parameters
        ----------
        ratios : sequence of float
            True hazard ratios from the delay on; 1 gives the type-I error.

        Returns
        -------
        DataFrame
            ``ratio``, chance of ``success``, expected ``events``.
        """
        rows = []
        for ratio in ratios:
            success, events = self._expected(ratio)
            rows.append({"ratio": ratio, "success": success, "events": events})
        return pd.DataFrame(rows)

    def _expected(self, ratio: float) -> tuple[float, float]:
        hazard, enrollment, share = self.follow.hazard(self.p0), self.follow.enrollment, self.allocation
        if self.delay:
            found = log_rank_power(
                self.n, _late(ratio, self.delay), hazard, enrollment, alpha=self.alpha, allocation=share
            )
            return found.power, float(found.events)
        events = self.n * (
            share * event_probability(hazard * ratio, enrollment)
            + (1.0 - share) * event_probability(hazard, enrollment)
        )
        drift = -np.sqrt(events * share * (1.0 - share)) * np.log(ratio)
        return float(special.ndtr(drift - special.ndtri(1.0 - self.alpha))), events

    def simulate(self, ratios: Sequence[float], *, n_trials: int = 10_000, seed: int = 0) -> pd.DataFrame:
        """Return the same by running the trial patient by patient.

        Parameters
        ----------
        ratios : sequence of float
            True hazard ratios from the delay on.
        n_trials : int
            Trials per ratio.
        seed : int
            Of the random numbers.

        Returns
        -------
        DataFrame
            As :meth:`operating_characteristics`.
        """
        rng, rows = np.random.default_rng(seed), []
        hazard, limit = self.follow.hazard(self.p0), special.ndtri(self.alpha)
        arm = np.arange(self.n) < round(self.n * self.allocation)
        for ratio in ratios:
            won, seen = 0, 0
            for size in blocks(n_trials, self.n):
                treated = np.broadcast_to(arm, (size, self.n))
                early = np.full((size, self.n), hazard)
                hazards = np.where(treated, hazard * ratio, hazard)
                times, events = draw_times(rng, hazards, self.follow, delay=self.delay, early=early)
                found = two_arm_statistics(times, events, treated)
                won += int((found.z < limit).sum())
                seen += int(events.sum())
            rows.append({"ratio": ratio, "success": won / n_trials, "events": seen / n_trials})
        return pd.DataFrame(rows)


def randomized_log_rank(
    *,
    p0: float,
    ratio: float,
    follow: FollowUp,
    alpha: float,
    power: float,
    allocation: float = 0.5,
    delay: float = 0.0,
) -> RandomizedLogRank:
    """Give events and patients of a randomized trial, also where the treatment works late.

    With ``delay`` 0 by Schoenfeld's formula, otherwise by Lakatos' sums: checkpoint inhibitors often separate the
    curves only after months, and that costs patients. Sources: Schoenfeld 1983, doi 10.2307/2531021; Lakatos
    1988, doi 10.2307/2531910.

    Parameters
    ----------
    p0 : float
        Share of the control arm event-free at ``follow.at``.
    ratio : float
        Hazard ratio worth finding, treated against control, in (0, 1).
    follow : FollowUp
        Time of the rate, accrual, follow-up, dropout.
    alpha, power : float
        One-sided type-I error, and power.
    allocation : float
        Share of patients who are treated.
    delay : float
        Time since entry before which the hazards are equal.

    Returns
    -------
    RandomizedLogRank

    Raises
    ------
    ImmunosarcError
        When a number is outside its range, or the delay is longer than the trial.

    Examples
    --------
    >>> asked = {"p0": 0.434, "ratio": 0.6, "follow": FollowUp(6, 24, 12), "alpha": 0.05, "power": 0.80}
    >>> [randomized_log_rank(delay=late, **asked).n for late in (0, 3)]
    [107, 278]
    """
    problems = [] if 0.0 < p0 < 1.0 else [f"p0: need a share in (0, 1), have {p0!r}"]
    problems += [] if 0.0 < ratio < 1.0 else [f"ratio: need a hazard ratio in (0, 1), have {ratio!r}"]
    problems += [] if 0.0 < allocation < 1.0 else [f"allocation: need a share in (0, 1), have {allocation!r}"]
    if not 0.0 <= delay < follow.accrual + follow.minimum:
        problems.append(
            f"delay: need a time from 0 to below the end of the trial ({follow.accrual + follow.minimum:g}), "
            f"have {delay!r}"
        )
    problems += error_problems(alpha, power) + follow.problems()
    raise_together(ImmunosarcError, "the call of randomized_log_rank", problems)
    hazard, enrollment = follow.hazard(p0), follow.enrollment
    asked = {"alpha": alpha, "power": power, "allocation": allocation}
    if delay:
        found = log_rank_lakatos(_late(ratio, delay), hazard, enrollment, **asked)
    else:
        found = log_rank_schoenfeld(ratio, hazard, enrollment, **asked)
    return RandomizedLogRank(p0, ratio, delay, allocation, follow, found.n, found.events, alpha, found.power)


def _late(ratio: float, delay: float) -> Callable[[Floats], Floats]:
    return lambda t: np.where(t < delay, 1.0, ratio)
