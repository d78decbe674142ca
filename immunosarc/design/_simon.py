"""Simon's two-stage design for a single-arm trial, with the sentence for the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from immunosarc.design._trial import CountingTrial
from immunosarc.errors import ImmunosarcError, UnknownNameError, did_you_mean
from immunosarc.stats import Look, TwoStage, admissible_weights, two_stage_search

__all__ = ["SimonDesign", "simon", "simon_designs"]

Kind = Literal["optimal", "minimax", "admissible"]
_KINDS = ("optimal", "minimax", "admissible")


@dataclass(frozen=True, repr=False)
class SimonDesign(CountingTrial):
    """A two-stage single-arm trial: when it stops, when it succeeds, how large it is.

    Attributes
    ----------
    p0, p1 : float
        The response rate of no interest and the one worth finding.
    kind : {"optimal", "minimax", "admissible"}
        What was minimized.
    n1, r1 : int
        The first stage has n1 patients; the trial stops when at most r1 of them respond.
    n, r : int
        Both stages have n patients; the treatment is worth pursuing when more than r respond.
    alpha, power : float
        What the design attains: the chance of success at p0 and at p1.
    expected_n : float
        Expected number of patients at p0.
    pet : float
        Chance of stopping after the first stage at p0.
    """

    p0: float
    p1: float
    kind: Kind
    n1: int
    r1: int
    n: int
    r: int
    alpha: float
    power: float
    expected_n: float
    pet: float

    @property
    def looks(self) -> tuple[Look, ...]:
        """The two looks."""
        return (Look(self.n1, self.r1, self.n1 + 1), Look(self.n, self.r, self.r + 1))

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        return (
            f"Simon's {self.kind} two-stage design tests a rate of {self.p0:.1%} against {self.p1:.1%}. "
            f"Of {self.n1} patients in the first stage, {self.r1} or fewer successes stop the trial; otherwise "
            f"{self.n - self.n1} more are enrolled. More than {self.r} successes among all {self.n} patients make "
            f"the treatment worth pursuing. One-sided type-I error {self.alpha:.4f}, power {self.power:.4f}; at "
            f"{self.p0:.1%} the trial stops early with probability {self.pet:.3f} and needs "
            f"{self.expected_n:.1f} patients on average."
        )


def simon(
    *,
    p0: float,
    p1: float,
    alpha: float,
    power: float,
    kind: Kind = "optimal",
    weight: float = 0.5,
    n_max: int = 100,
) -> SimonDesign:
    r"""Give the two-stage trial that stops early when too few patients respond.

    ``"minimax"`` is the smallest trial, ``"optimal"`` the one that exposes the fewest patients on
    average if the treatment does not work, ``"admissible"`` minimizes
    :math:`w\,n + (1 - w)\,E_0`, a weighing of both. Exact binomial probabilities throughout.
    Sources: Simon 1989, doi 10.1016/0197-2456(89)90015-9; Jung et al. 2004, doi 10.1002/sim.1766.

    Parameters
    ----------
    p0, p1 : float
        Response rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        One-sided type-I error at p0 at most, and power at p1 at least.
    kind : {"optimal", "minimax", "admissible"}
        What to minimize.
    weight : float
        The weight w of the maximum size, 0 to 1; used by ``"admissible"`` alone.
    n_max : int
        Largest trial to consider.

    Returns
    -------
    SimonDesign
        Frozen; ``.n1 .r1 .n .r``, the attained error rates, the expected size, ``.protocol``.

    Raises
    ------
    UnknownNameError
        When ``kind`` is not one of the three.
    ImmunosarcError
        When a rate is outside its range or no design of at most ``n_max`` patients fits.

    Examples
    --------
    >>> trial = simon(p0=0.434, p1=0.634, alpha=0.10, power=0.80, kind="minimax")
    >>> trial.r1, trial.n1, trial.r, trial.n
    (6, 15, 15, 28)
    """
    if kind not in _KINDS:
        raise UnknownNameError(f"no two-stage design of kind {kind!r}.{did_you_mean(kind, _KINDS)}")
    if not 0.0 <= weight <= 1.0:
        raise ImmunosarcError(f"weight: need a number from 0 (optimal) to 1 (minimax), have {weight!r}")
    designs = _designs(p0, p1, alpha=alpha, power=power, n_max=n_max)
    best = {
        "minimax": designs[0],
        "optimal": designs[-1],
        "admissible": min(designs, key=lambda d: weight * d.n + (1.0 - weight) * d.expected_n),
    }[kind]
    return SimonDesign(p0=p0, p1=p1, kind=kind, **best._asdict())


def simon_designs(*, p0: float, p1: float, alpha: float, power: float, n_max: int = 100) -> pd.DataFrame:
    """List the two-stage trials to choose from, between the smallest and the one with fewest patients on average.

    Parameters
    ----------
    p0, p1 : float
        Response rate of no interest, and the one worth finding; 0 < p0 < p1 < 1.
    alpha, power : float
        One-sided type-I error at p0 at most, and power at p1 at least.
    n_max : int
        Largest trial to consider.

    Returns
    -------
    DataFrame
        One row per admissible design, the minimax one first, the optimal one last: ``r1``, ``n1``,
        ``r``, ``n``, attained ``alpha`` and ``power``, ``expected_n`` and ``pet`` at p0, and the
        weights ``weight_low`` to ``weight_high`` of the maximum size for which it is best.

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range or no design of at most ``n_max`` patients fits.

    Examples
    --------
    >>> simon_designs(p0=0.2, p1=0.4, alpha=0.05, power=0.80)[["r1", "n1", "r", "n"]].to_numpy().tolist()
    [[4, 18, 10, 33], [3, 14, 11, 38], [3, 13, 12, 43]]
    """
    designs = _designs(p0, p1, alpha=alpha, power=power, n_max=n_max)
    return pd.DataFrame(
        [
            design._asdict() | {"weight_low": low, "weight_high": high}
            for design, low, high in admissible_weights(designs)
        ]
    )


def _designs(p0: float, p1: float, *, alpha: float, power: float, n_max: int) -> list[TwoStage]:
    designs = two_stage_search(p0, p1, alpha, power, n_max=n_max)
    if not designs:
        raise ImmunosarcError(
            f"no two-stage design of at most {n_max} patients tells {p0:g} from {p1:g} with "
            f"type-I error {alpha:g} and power {power:g}. Raise n_max, or look for a larger difference."
        )
    return designs
