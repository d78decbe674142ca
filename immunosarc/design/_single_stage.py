"""Single-arm trials without an interim look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from immunosarc.design._trial import CountingTrial
from immunosarc.stats import Look, operating_characteristics, single_stage_search

__all__ = ["SingleStageDesign", "ahern", "fleming", "single_stage_designs"]


@dataclass(frozen=True, repr=False)
class SingleStageDesign(CountingTrial):
    """A single-arm trial that looks once, at its end.

    Attributes
    ----------
    p0, p1 : float
        The rate of no interest and the one worth finding.
    kind : {"ahern", "fleming"}
        How the size was found: exactly, or by the normal approximation.
    n, r : int
        More than r successes among n patients make the treatment worth pursuing.
    alpha, power : float
        What the design attains, exactly: the chance of success at p0 and at p1.
    """

    p0: float
    p1: float
    kind: str
    n: int
    r: int
    alpha: float
    power: float

    @property
    def looks(self) -> tuple[Look, ...]:
        """The one look, at the end."""
        return (Look(self.n, self.r, self.r + 1),)

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        how = "exact binomial probabilities (A'Hern)" if self.kind == "ahern" else "Fleming's normal approximation"
        return (
            f"A single-stage design by {how} tests a rate of {self.p0:.1%} against {self.p1:.1%}. More than "
            f"{self.r} successes among {self.n} patients make the treatment worth pursuing. The exact one-sided "
            f"type-I error is {self.alpha:.4f}, the exact power {self.power:.4f}."
        )


def ahern(*, p0: float, p1: float, alpha: float, power: float) -> SingleStageDesign:
    """Give the smallest single-arm trial without an interim look, by exact probabilities.

    Source: A'Hern 2001, doi 10.1002/sim.721.

    Parameters
    ----------
    p0, p1 : float
        Response rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        One-sided type-I error at p0 at most, and power at p1 at least.

    Returns
    -------
    SingleStageDesign

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range.

    Examples
    --------
    >>> trial = ahern(p0=0.2, p1=0.4, alpha=0.05, power=0.80)
    >>> trial.n, trial.r
    (35, 11)
    """
    found = single_stage_search(p0, p1, alpha, power, count=1)[0]
    return SingleStageDesign(p0, p1, "ahern", found.n, found.r, found.alpha, found.power)


def fleming(*, p0: float, p1: float, alpha: float, power: float) -> SingleStageDesign:
    r"""Give a single-arm trial by the normal approximation, with the error rates it really has.

    :math:`n = (z_{1-\alpha}\sqrt{p_0 q_0} + z_{\text{power}}\sqrt{p_1 q_1})^2 / (p_1 - p_0)^2`, and
    success above :math:`n p_0 + z_{1-\alpha}\sqrt{n p_0 q_0}`. The exact error rates may miss what
    was asked for; :func:`ahern` keeps them. Source: Fleming 1982, doi 10.2307/2530297.

    Parameters
    ----------
    p0, p1 : float
        Response rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        One-sided type-I error at p0, and power at p1, as the approximation sees them.

    Returns
    -------
    SingleStageDesign

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range.

    Examples
    --------
    >>> trial = fleming(p0=0.2, p1=0.4, alpha=0.05, power=0.80)
    >>> trial.n, trial.r, round(trial.alpha, 4)
    (29, 9, 0.0493)
    """
    single_stage_search(p0, p1, alpha, power, count=0)  # the same checks
    z_alpha, z_power = special.ndtri(1.0 - alpha), special.ndtri(power)
    spread0, spread1 = np.sqrt(p0 * (1.0 - p0)), np.sqrt(p1 * (1.0 - p1))
    n = int(np.ceil(((z_alpha * spread0 + z_power * spread1) / (p1 - p0)) ** 2))
    r = int(np.floor(n * p0 + z_alpha * spread0 * np.sqrt(n)))
    looks = (Look(n, r, r + 1),)
    attained = [operating_characteristics(looks, p).success for p in (p0, p1)]
    return SingleStageDesign(p0, p1, "fleming", n, r, attained[0], attained[1])


def single_stage_designs(*, p0: float, p1: float, alpha: float, power: float, count: int = 5) -> pd.DataFrame:
    """List the smallest trials without an interim look, to see what stopping early costs.

    Parameters
    ----------
    p0, p1 : float
        Response rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        One-sided type-I error at p0 at most, and power at p1 at least.
    count : int
        How many designs.

    Returns
    -------
    DataFrame
        ``r`` (succeed above), ``n``, attained ``alpha`` and ``power``; by ascending n.

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range.

    Examples
    --------
    >>> single_stage_designs(p0=0.2, p1=0.4, alpha=0.05, power=0.80, count=2)[["r", "n"]].to_numpy().tolist()
    [[11, 35], [11, 36]]
    """
    return pd.DataFrame([design._asdict() for design in single_stage_search(p0, p1, alpha, power, count=count)])
