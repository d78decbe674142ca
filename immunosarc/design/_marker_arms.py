"""Two arms in patients with and without a marker: what each stratum shows, in expectation and when simulated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from immunosarc.design._follow_up import FollowUp, draw_times, error_problems
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.stats import event_probability, two_arm_statistics

__all__ = [
    "Contrast",
    "Rates",
    "Truth",
    "check_marker_trial",
    "draw_contrasts",
    "expected_contrast",
    "marker_truths",
    "named_rates",
    "rates_in_words",
]

Floats = NDArray[np.float64]
Rates = tuple[float, float]
"""Control and treated: response rates, or shares event-free at a fixed time."""
Truth = tuple[Rates, Rates]
"""With the marker, and without."""
_HALF = 0.5


class Contrast(NamedTuple):
    """Effect of treatment in one stratum, positive where it helps, and one over its variance."""

    effect: Floats
    information: Floats

    @property
    def z(self) -> Floats:
        """Effect in standard errors."""
        return self.effect * np.sqrt(self.information)


def check_marker_trial(
    function: str,
    prevalence: float,
    rates: dict[str, Rates],
    *,
    alpha: float,
    power: float,
    allocation: float,
    follow: FollowUp | None,
) -> None:
    """Refuse numbers that no trial can have, all at once."""
    problems = []
    if not 0.0 < prevalence < 1.0:
        problems.append(
            f"prevalence: need a share strictly between 0 and 1, so that there are patients with and without the "
            f"marker, have {prevalence!r}"
        )
    for name, pair in rates.items():
        if len(pair) != 2 or not all(0.0 < one < 1.0 for one in pair):
            problems.append(f"{name}: need the rates of control and treated, both in (0, 1), have {pair!r}")
    problems += error_problems(alpha, power)
    if not 0.0 < allocation < 1.0:
        problems.append(f"allocation: need a share in (0, 1), have {allocation!r}")
    problems += follow.problems() if follow else []
    raise_together(ImmunosarcError, f"the call of {function}", problems)


def expected_contrast(rates: Rates, allocation: float, follow: FollowUp | None) -> Contrast:
    """Return the effect and the information that one patient of the stratum brings.

    Without ``follow`` the log odds ratio of response, with it minus the log hazard ratio; the variance is the
    sum of one over the expected counts (responders and others, or events) of the arms.
    """
    shares = np.array([1.0 - allocation, allocation])
    p = np.array(rates)
    if follow is None:
        log_odds = np.log(p / (1.0 - p))
        effect = log_odds[1] - log_odds[0]
        information = 1.0 / (1.0 / (shares * p * (1.0 - p))).sum()
        return Contrast(np.asarray(effect), np.asarray(information))
    hazards = [follow.hazard(one) for one in rates]
    events = shares * np.array([event_probability(one, follow.enrollment) for one in hazards])
    effect = -np.log(hazards[1] / hazards[0])
    return Contrast(np.asarray(effect), np.asarray(1.0 / (1.0 / events).sum()))


def draw_contrasts(
    rng: np.random.Generator,
    shape: tuple[int, int],
    rates: tuple[Rates, Rates],
    *,
    prevalence: float,
    allocation: float,
    follow: FollowUp | None,
) -> tuple[Contrast, Contrast]:
    """Return what patients with and without the marker show; ``shape`` is trials by patients."""
    marker = rng.random(shape) < prevalence
    treated = rng.random(shape) < allocation
    rate = np.where(
        marker, np.where(treated, rates[0][1], rates[0][0]), np.where(treated, rates[1][1], rates[1][0])
    )
    if follow is None:
        responded = rng.random(shape) < rate
        return _log_odds(responded, treated, marker), _log_odds(responded, treated, ~marker)
    times, events = draw_times(rng, -np.log(rate) / follow.at, follow)
    found = [two_arm_statistics(times, events, treated, among=one) for one in (marker, ~marker)]
    return Contrast(-found[0].log_ratio, found[0].information), Contrast(-found[1].log_ratio, found[1].information)


def _log_odds(responded: NDArray[np.bool_], treated: NDArray[np.bool_], among: NDArray[np.bool_]) -> Contrast:
    """Return log odds ratios with half a patient in each cell (Haldane and Anscombe)."""
    cells = [
        (among & (treated == arm) & (responded == outcome)).sum(axis=1) + _HALF
        for arm, outcome in ((True, True), (True, False), (False, True), (False, False))
    ]
    effect = np.log(cells[0] / cells[1]) - np.log(cells[2] / cells[3])
    return Contrast(effect, 1.0 / sum(1.0 / one for one in cells))


def marker_truths(positive: Rates, negative: Rates) -> tuple[Truth, ...]:
    """Return the stated rates, then no effect without the marker, then no effect at all."""
    nothing = (negative[0], negative[0])
    return (positive, negative), (positive, nothing), ((positive[0],) * 2, nothing)


def named_rates(truth: Truth) -> dict[str, float]:
    """Return the four rates by name."""
    names = ("positive_control", "positive_treated", "negative_control", "negative_treated")
    return dict(zip(names, (*truth[0], *truth[1]), strict=True))


def rates_in_words(positive: Rates, negative: Rates, follow: FollowUp | None) -> str:
    """Return what the rates are of, and the four of them, for the protocol."""
    what = "the response rate" if follow is None else f"the share event-free at time {follow.at:g}"
    pairs = [f"{one[0]:.1%} and {one[1]:.1%}" for one in (positive, negative)]
    return f"{what} is {pairs[0]} with the marker and {pairs[1]} without (control, treated)"
