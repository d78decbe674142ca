"""A single-arm trial that asks after each patient whether it can still succeed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from immunosarc.design._trial import CountingTrial
from immunosarc.errors import ImmunosarcError
from immunosarc.stats import Look, predictive_looks
from immunosarc.stats import predictive_probability as chance_to_succeed

__all__ = ["MonitoredDesign", "predictive_probability"]


@dataclass(frozen=True, repr=False)
class MonitoredDesign(CountingTrial):
    """A single-arm trial monitored by Bayesian predictive probability.

    Attributes
    ----------
    p0, p1 : float
        The rate of no interest and the one worth finding.
    prior : (float, float)
        Beta prior of the rate.
    n, needed : int
        Patients at the end, and successes among them that make the treatment worth pursuing.
    theta_low : float
        The trial stops when the predictive probability of success falls below it.
    alpha, power : float
        What the design attains, exactly.
    expected_n, pet : float
        Expected patients, and chance of stopping early, at p0.
    looks : tuple of Look
        When it looks, and at which counts it stops.
    """

    p0: float
    p1: float
    prior: tuple[float, float]
    n: int
    needed: int
    theta_low: float
    alpha: float
    power: float
    expected_n: float
    pet: float
    boundaries: tuple[Look, ...]

    @property
    def looks(self) -> tuple[Look, ...]:
        """When the trial looks at its data, and at which counts it stops."""
        return self.boundaries

    @property
    def stopping_rule(self) -> pd.DataFrame:
        """The limits that can stop the trial: at ``n`` patients stop at ``stop`` successes or fewer."""
        table = pd.DataFrame([(look.n, look.stop) for look in self.boundaries if look.stop >= 0])
        table.columns = ["n", "stop"]
        return table.groupby("stop", as_index=False).first()[["n", "stop"]]

    def chance(self, x: int, n: int) -> float:
        """Return the chance that the trial, with x successes among n patients so far, will succeed."""
        return chance_to_succeed(x, n, n_max=self.n, needed=self.needed, prior=self.prior)

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        first = self.boundaries[0].n
        rules = "; ".join(f"{row.stop} of {row.n}" for row in self.stopping_rule.itertuples())
        return (
            f"Response is monitored by Bayesian predictive probability (Lee and Liu 2008) from patient {first} "
            f"on, "
            f"with a beta({self.prior[0]:g}, {self.prior[1]:g}) prior. The trial stops when the chance of ending "
            f"with {self.needed} or more successes among {self.n} patients falls below {self.theta_low:g}, "
            f"that is "
            f"at: {rules} or fewer. At {self.p0:.1%} the one-sided type-I error is {self.alpha:.4f}, the trial "
            f"stops "
            f"early with probability {self.pet:.3f} and needs {self.expected_n:.1f} patients on average; at "
            f"{self.p1:.1%} the power is {self.power:.4f}."
        )


def predictive_probability(
    *,
    p0: float,
    p1: float,
    alpha: float,
    power: float,
    prior: tuple[float, float] | None = None,
    first: int = 10,
    every: int = 1,
    n_max: int = 100,
) -> MonitoredDesign:
    """Give the smallest single-arm trial that stops as soon as success has become unlikely.

    The Bayesian rule decides when to stop; type-I error and power are frequentist and exact.
    Source: Lee and Liu 2008, doi 10.1177/1740774508089279.

    Parameters
    ----------
    p0, p1 : float
        Response rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        One-sided type-I error at p0 at most, and power at p1 at least.
    prior : (float, float), optional
        Beta prior; ``(p0, 1 - p0)``, worth one patient, unless given.
    first, every : int
        Patients at the first look, and between looks.
    n_max : int
        Largest trial to consider.

    Returns
    -------
    MonitoredDesign

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range or no design of at most ``n_max`` patients fits.

    Examples
    --------
    >>> trial = predictive_probability(p0=0.2, p1=0.4, alpha=0.10, power=0.90)
    >>> trial.n, trial.needed, round(trial.alpha, 3)
    (36, 11, 0.086)
    """
    found = predictive_looks(p0, p1, alpha, power, prior=prior, first=first, every=every, n_max=n_max)
    if found is None:
        raise ImmunosarcError(
            f"no monitored design of at most {n_max} patients tells {p0:g} from {p1:g} with type-I error "
            f"{alpha:g} "
            f"and power {power:g}. Raise n_max, or look for a larger difference."
        )
    return MonitoredDesign(
        p0=p0,
        p1=p1,
        prior=prior or (p0, 1.0 - p0),
        n=found.looks[-1].n,
        needed=found.needed,
        theta_low=found.theta_low,
        alpha=found.alpha,
        power=found.power,
        expected_n=found.expected_n,
        pet=found.pet,
        boundaries=found.looks,
    )
