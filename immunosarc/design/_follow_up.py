"""How long the patients of a trial are followed, and times to events drawn for a simulated one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.stats import Enrollment

__all__ = ["FollowUp", "blocks", "check_rates", "draw_times", "error_problems"]

Floats = NDArray[np.float64]
_CELLS = 2_000_000


class FollowUp(NamedTuple):
    """When patients enter, how long they are followed, and at which time a rate is read.

    Attributes
    ----------
    at : float
        The time of the rate, such as 6 for progression-free survival at six months.
    accrual : float
        Patients enter evenly over this time.
    minimum : float
        Follow-up of the last patient who enters.
    lost : float
        Share of patients lost to follow-up by ``at`` if they have no event; dropout is exponential.
    """

    at: float
    accrual: float
    minimum: float
    lost: float = 0.0

    @property
    def enrollment(self) -> Enrollment:
        """The same in hazards."""
        return Enrollment(self.accrual, self.minimum, -float(np.log1p(-self.lost)) / self.at)

    def hazard(self, rate: float) -> float:
        """Return the hazard at which this share is event-free at ``at``."""
        return -float(np.log(rate)) / self.at

    @property
    def words(self) -> str:
        """What the protocol says of it."""
        lost = f", and {self.lost:.0%} are lost by time {self.at:g}" if self.lost else ""
        return f"Patients enter evenly over {self.accrual:g}, the last is followed for {self.minimum:g}{lost}"

    def problems(self) -> list[str]:
        """Return what is wrong with the numbers."""
        found = [] if self.at > 0 else [f"follow.at: need a time above 0, have {self.at!r}"]
        if self.accrual < 0 or self.minimum < 0 or self.accrual + self.minimum <= 0:
            found.append(
                f"follow.accrual and follow.minimum: need times that are not negative, and some time, "
                f"have {self.accrual!r} and {self.minimum!r}"
            )
        if not 0.0 <= self.lost < 1.0:
            found.append(f"follow.lost: need a share from 0 to below 1, have {self.lost!r}")
        return found


def check_rates(
    function: str, p0: float, p1: float, *, alpha: float, power: float, follow: FollowUp | None = None
) -> None:
    """Refuse rates, errors and follow-up that no trial can have, all at once."""
    problems = []
    if not 0.0 < p0 < p1 < 1.0:
        problems.append(f"p0 and p1: need 0 < p0 < p1 < 1, have {p0!r} and {p1!r}")
    problems += error_problems(alpha, power)
    raise_together(ImmunosarcError, f"the call of {function}", [*problems, *(follow.problems() if follow else [])])


def error_problems(alpha: float, power: float) -> list[str]:
    """Return what is wrong with the error rates."""
    named = {"alpha": alpha, "power": power}
    problems = [f"{name}: need a number in (0, 1), have {x!r}" for name, x in named.items() if not 0.0 < x < 1.0]
    if not problems and power <= alpha:
        problems.append(f"power: need more than alpha ({alpha:g}), have {power:g}")
    return problems


def blocks(n_trials: int, n: int) -> list[int]:
    """Return numbers of trials that add up to all and fit into memory."""
    size = max(1, _CELLS // max(n, 1))
    whole, rest = divmod(n_trials, size)
    return [size] * whole + [rest] * (rest > 0)


def draw_times(
    rng: np.random.Generator, hazards: Floats, follow: FollowUp, *, delay: float = 0.0, early: Floats | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return follow-up and whether it ended with the event; before ``delay`` the hazard is ``early``."""
    first = rng.standard_exponential(hazards.shape)
    if delay > 0.0 and early is not None:
        times = np.where(first < early * delay, first / early, delay + (first - early * delay) / hazards)
    else:
        times = first / hazards
    seen = follow.minimum + follow.accrual * rng.random(hazards.shape)
    dropout = follow.enrollment.dropout
    if dropout > 0:
        seen = np.minimum(seen, rng.standard_exponential(hazards.shape) / dropout)
    return np.minimum(times, seen), times <= seen
