"""A two-stage trial that watches response and toxicity together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from immunosarc.design._record import DesignRecord
from immunosarc.errors import ImmunosarcError
from immunosarc.stats import response_toxicity_search

__all__ = ["ResponseToxicityDesign", "bryant_day"]


@dataclass(frozen=True, repr=False)
class ResponseToxicityDesign(DesignRecord):
    """A two-stage single-arm trial with response and toxicity.

    Attributes
    ----------
    response, toxicity : (float, float)
        Unacceptable and acceptable rate of each.
    n1, r1, t1 : int
        The first stage has n1 patients; the trial stops with r1 or fewer responses or more than t1
        toxic events.
    n, r, t : int
        In the end more than r responses and at most t toxic events make the treatment worth pursuing.
    alpha_response, alpha_toxicity, power : float
        What the design attains with response and toxicity independent.
    expected_n : float
        The larger of the expected sizes under the two unacceptable truths.
    """

    response: tuple[float, float]
    toxicity: tuple[float, float]
    n1: int
    r1: int
    t1: int
    n: int
    r: int
    t: int
    alpha_response: float
    alpha_toxicity: float
    power: float
    expected_n: float

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        return (
            f"A two-stage design for response and toxicity (Bryant and Day 1995) tests response rates of "
            f"{self.response[0]:.1%} against {self.response[1]:.1%} and toxicity rates of {self.toxicity[0]:.1%} "
            f"against {self.toxicity[1]:.1%}. With {self.r1} or fewer responses, or more than {self.t1} patients "
            f"with toxicity, among the first {self.n1}, the trial stops; otherwise {self.n - self.n1} more are "
            f"enrolled. More than {self.r} responses and at most {self.t} patients with toxicity among "
            f"{self.n} make "
            f"the treatment worth pursuing. Probability of success with unacceptable response "
            f"{self.alpha_response:.4f}, with unacceptable toxicity {self.alpha_toxicity:.4f}, with both "
            f"acceptable "
            f"{self.power:.4f}."
        )

    def simulate(
        self, *, response: float, toxicity: float, odds_ratio: float = 1.0, n_trials: int = 10_000, seed: int = 0
    ) -> pd.Series:
        """Run the trial patient by patient, also where response and toxicity go together.

        Parameters
        ----------
        response, toxicity : float
            True rates.
        odds_ratio : float
            Association of toxicity with response within a patient; 1 is none.
        n_trials : int
            Trials to run.
        seed : int
            Of the random numbers.

        Returns
        -------
        Series
            ``success``, ``expected_n``, ``stop_early``.
        """
        rng = np.random.default_rng(seed)
        both = _joint(response, toxicity, odds_ratio)
        cells = [both, response - both, toxicity - both, 1.0 - response - toxicity + both]
        first = rng.multinomial(self.n1, cells, n_trials)
        total = first + rng.multinomial(self.n - self.n1, cells, n_trials)
        on = (first[:, 0] + first[:, 1] > self.r1) & (first[:, 0] + first[:, 2] <= self.t1)
        won = on & (total[:, 0] + total[:, 1] > self.r) & (total[:, 0] + total[:, 2] <= self.t)
        size = np.where(on, self.n, self.n1)
        return pd.Series({"success": won.mean(), "expected_n": size.mean(), "stop_early": 1.0 - on.mean()})


def _joint(a: float, b: float, odds_ratio: float) -> float:
    """Return P(both) of two events with given rates and odds ratio."""
    if odds_ratio == 1.0:
        return a * b
    s = 1.0 + (a + b) * (odds_ratio - 1.0)
    return float((s - np.sqrt(s * s - 4.0 * odds_ratio * (odds_ratio - 1.0) * a * b)) / (2.0 * (odds_ratio - 1.0)))


def bryant_day(
    *,
    response: tuple[float, float],
    toxicity: tuple[float, float],
    alpha: float | tuple[float, float],
    power: float,
    n_max: int = 60,
) -> ResponseToxicityDesign:
    """Give the two-stage trial that also stops when the treatment is too toxic.

    Source: Bryant and Day 1995, doi 10.2307/2533272.

    Parameters
    ----------
    response : (float, float)
        Unacceptable and acceptable response rate; the second is higher.
    toxicity : (float, float)
        Unacceptable and acceptable toxicity rate; the second is lower.
    alpha : float or (float, float)
        Largest chance of success when response, or toxicity, is unacceptable.
    power : float
        Smallest chance of success when both are acceptable.
    n_max : int
        Largest trial to consider.

    Returns
    -------
    ResponseToxicityDesign

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range or no design of at most ``n_max`` patients fits.

    Examples
    --------
    >>> trial = bryant_day(response=(0.1, 0.4), toxicity=(0.5, 0.2), alpha=0.10, power=0.80)
    >>> trial.n1, trial.n
    (5, 18)
    """
    errors = (alpha, alpha) if isinstance(alpha, int | float) else alpha
    found = response_toxicity_search(response, toxicity, alpha=errors, power=power, n_max=n_max)
    if found is None:
        raise ImmunosarcError(
            f"no two-stage design of at most {n_max} patients keeps these error rates for response {response} and "
            f"toxicity {toxicity}. Raise n_max, or look for larger differences."
        )
    return ResponseToxicityDesign(response=response, toxicity=toxicity, **found._asdict())
