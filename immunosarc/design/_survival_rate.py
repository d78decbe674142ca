"""Single-arm trials of the share event-free at a fixed time, such as progression-free survival at six months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special
from scipy import stats as distributions

from immunosarc.design._follow_up import FollowUp, blocks, check_rates, draw_times
from immunosarc.design._record import DesignRecord
from immunosarc.errors import ImmunosarcError, UnknownNameError, did_you_mean
from immunosarc.stats import single_stage_search, survival_rate_error, survival_rate_statistic

__all__ = ["SurvivalRateDesign", "survival_rate"]

Method = Literal["binomial", "greenwood", "exponential"]
Censored = Literal["failure", "excluded"]
Floats = NDArray[np.float64]
_METHODS, _CENSORED = ("binomial", "greenwood", "exponential"), ("failure", "excluded")
_N_MAX, _POINTS = 2000, 400


@dataclass(frozen=True, repr=False)
class SurvivalRateDesign(DesignRecord):
    """A single-arm trial of the share event-free at a fixed time.

    Attributes
    ----------
    p0, p1 : float
        Share event-free at ``follow.at``: in history, and worth finding.
    method : {"binomial", "greenwood", "exponential"}
        Exact count of patients event-free, Kaplan-Meier with Greenwood's variance, or the exponential fit.
    censored : {"failure", "excluded"}
        For the count: what a patient lost before the fixed time is.
    follow : FollowUp
        Accrual, follow-up, dropout.
    n : int
        Patients who count; for ``"excluded"`` those neither lost nor censored before the fixed time.
    enrolled : int
        Patients to enroll, on average, to have n.
    r : int or None
        For the count: more than r event-free make it a success.
    alpha, power : float
        For the count attained, exactly (alpha with nobody lost, and losses only lower it); otherwise alpha is
        what was asked for and power is by the normal approximation: :meth:`simulate` shows both.
    """

    p0: float
    p1: float
    method: Method
    censored: Censored
    follow: FollowUp
    n: int
    enrolled: int
    r: int | None
    alpha: float
    power: float

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        opening = (
            f"The share of patients event-free at time {self.follow.at:g} is tested, {self.p0:.1%} against "
            f"{self.p1:.1%}. {self.follow.words}. "
        )
        if self.r is not None:
            lost = (
                "count as failures"
                if self.censored == "failure"
                else f"are left out and replaced ({self.enrolled} enrolled on average)"
            )
            return opening + (
                f"More than {self.r} event-free among {self.n} patients make the treatment worth pursuing; "
                f"patients lost "
                f"before {lost}. Exact one-sided type-I error {self.alpha:.4f}, exact power {self.power:.4f}."
            )
        how = "Kaplan-Meier's with Greenwood's" if self.method == "greenwood" else "the exponential fit's with its"
        return opening + (
            f"The estimate is {how} variance, on the scale log(-log S); the trial succeeds when it lies more than "
            f"{special.ndtri(1 - self.alpha):.3f} standard errors above {self.p0:.1%}. {self.n} patients give a "
            f"power of {self.power:.3f} at a one-sided type-I error of {self.alpha:g} (normal approximation, "
            f"exponential times)."
        )

    @property
    def truths(self) -> tuple[float, ...]:
        """True shares event-free from 5% to 95%."""
        return tuple(i / 20 for i in range(1, 20))

    def operating_characteristics(self, rates: Sequence[float]) -> pd.DataFrame:
        """Return the chance of success at each true share event-free: exact for the count.

        Parameters
        ----------
        rates : sequence of float
            True shares event-free at ``follow.at``, in (0, 1).

        Returns
        -------
        DataFrame
            ``rate``, chance of ``success``.
        """
        if self.r is not None:
            seen = [_seen(rate, self.follow, self.censored) for rate in rates]
            success = [float(distributions.binom.sf(self.r, self.n, one)) for one in seen]
        else:
            curve = _Curve.of(self.p0, self.follow, self.method)
            success = [curve.power(self.n, rate, self.alpha) for rate in rates]
        return pd.DataFrame({"rate": list(rates), "success": success})

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
        rng = np.random.default_rng(seed)
        found = [sum(self._won(rng, size, rate) for size in blocks(n_trials, self.n)) / n_trials for rate in rates]
        return pd.DataFrame({"rate": list(rates), "success": found})

    def _won(self, rng: np.random.Generator, n_trials: int, rate: float) -> int:
        # where lost patients are replaced, enough are drawn that all but a negligible share of trials fill up
        drawn = self.n if self.censored == "failure" or self.r is None else int(1.5 * self.enrolled + 20)
        times, events = draw_times(rng, np.full((n_trials, drawn), self.follow.hazard(rate)), self.follow)
        if self.r is None:
            variance = _variance(self.method)
            z = survival_rate_statistic(times, events, at=self.follow.at, p0=self.p0, variance=variance).z
            return int((z > special.ndtri(1.0 - self.alpha)).sum())
        free = times >= self.follow.at
        if self.censored == "failure":
            return int((free.sum(axis=1) > self.r).sum())
        counts = free | events
        first = np.cumsum(counts, axis=1) <= self.n
        return int(((free & first).sum(axis=1) > self.r).sum())


def survival_rate(
    *,
    p0: float,
    p1: float,
    follow: FollowUp,
    alpha: float,
    power: float,
    method: Method = "binomial",
    censored: Censored = "failure",
) -> SurvivalRateDesign:
    r"""Give the size of a single-arm trial of the share event-free at a fixed time.

    ``"binomial"`` counts patients and is exact, but each must be followed for that long. ``"greenwood"``
    uses patients censored earlier too; ``"exponential"`` uses all follow-up and needs a constant hazard. Both test
    on the scale :math:`\theta = \log(-\log S)`: success above the rate c with
    :math:`\theta_0 - \theta_c = z_{1-\alpha}\,\sigma_c/\sqrt n`, hence the power
    :math:`\Phi(\sqrt n\,(\theta_c - \theta_1)/\sigma_1)`. Lost patients who count as
    failures cost power; leaving them out biases the rate downwards, because whoever stays event-free has more
    time to get lost: the power says so.

    Parameters
    ----------
    p0, p1 : float
        Share event-free at ``follow.at`` in history, and the one worth finding; 0 < p0 < p1 < 1.
    follow : FollowUp
        Time of the rate, accrual, follow-up, dropout.
    alpha, power : float
        One-sided type-I error, and power.
    method : {"binomial", "greenwood", "exponential"}
        How the share is estimated and tested.
    censored : {"failure", "excluded"}
        For the count: what patients lost before the fixed time are. At p0 nobody is supposed lost, so that
        the type-I error holds without any loss too.

    Returns
    -------
    SurvivalRateDesign

    Raises
    ------
    UnknownNameError
        When ``method`` or ``censored`` is unknown.
    ImmunosarcError
        When a number is outside its range, follow-up is too short, too many patients are
        lost, or no trial of at most 2,000 patients fits.

    Examples
    --------
    >>> follow = FollowUp(at=6, accrual=24, minimum=6)
    >>> asked = {"p0": 0.434, "p1": 0.634, "follow": follow, "alpha": 0.10, "power": 0.80}
    >>> [survival_rate(method=how, **asked).n for how in ("binomial", "greenwood", "exponential")]
    [32, 31, 17]
    """
    check_rates("survival_rate", p0, p1, alpha=alpha, power=power, follow=follow)
    for name, known in ((method, _METHODS), (censored, _CENSORED)):
        if name not in known:
            raise UnknownNameError(f"no choice {name!r}.{did_you_mean(name, known)}")
    if method == "binomial":
        return _counted(p0, p1, follow, (alpha, power), censored)
    if follow.accrual + follow.minimum <= follow.at:
        raise ImmunosarcError(
            f"the call of survival_rate: accrual and follow-up end at {follow.accrual + follow.minimum:g}, so "
            f"nobody is followed for {follow.at:g}. Raise follow.minimum."
        )
    curve = _Curve.of(p0, follow, method)
    if curve.power(_N_MAX, p1, alpha) < power:
        raise ImmunosarcError(
            f"the call of survival_rate: no trial of at most {_N_MAX:,} patients tells {p0:g} from {p1:g}. Look "
            "for a larger difference."
        )
    n = next(size for size in range(2, _N_MAX + 1) if curve.power(size, p1, alpha) >= power)
    reached = curve.power(n, p1, alpha)
    return SurvivalRateDesign(p0, p1, method, censored, follow, n, n, None, alpha, reached)


def _variance(method: Method) -> Literal["greenwood", "exponential"]:
    return "greenwood" if method == "greenwood" else "exponential"


class _Curve(NamedTuple):
    """Log cumulative hazard of a range of rates above p0, and one patient's standard error of it there."""

    follow: FollowUp
    variance: Literal["greenwood", "exponential"]
    known: float
    logs: Floats
    errors: Floats

    @classmethod
    def of(cls, p0: float, follow: FollowUp, method: Method) -> _Curve:
        """Return the curve of one test."""
        variance = _variance(method)
        hazards = [follow.hazard(rate) for rate in np.linspace(p0, 0.999, _POINTS)]
        errors = [survival_rate_error(one, follow.at, follow.enrollment, variance=variance) for one in hazards]
        return cls(follow, variance, float(np.log(hazards[0])), np.log(hazards), np.array(errors))

    def power(self, n: int, rate: float, alpha: float) -> float:
        """Return the chance that the estimate passes the limit at which it lies z of its own errors above p0."""
        z = special.ndtri(1.0 - alpha)
        gap = self.known - self.logs - z * self.errors / np.sqrt(n)
        passed = np.flatnonzero(gap > 0)
        if not len(passed):
            return 0.0
        i = int(passed[0])
        share = -gap[i - 1] / (gap[i] - gap[i - 1])
        limit = self.logs[i - 1] + share * (self.logs[i] - self.logs[i - 1])
        hazard = self.follow.hazard(rate)
        error = survival_rate_error(hazard, self.follow.at, self.follow.enrollment, variance=self.variance)
        return float(special.ndtr((limit - np.log(hazard)) * np.sqrt(n) / error))


def _seen(rate: float, follow: FollowUp, censored: Censored) -> float:
    """Return the share who are seen event-free at the fixed time, of all or of those who count."""
    stayed = rate * (1.0 - follow.lost)
    if censored == "failure":
        return stayed
    hazard, dropout = follow.hazard(rate), follow.enrollment.dropout
    failed = hazard / (hazard + dropout) * (1.0 - stayed)
    return stayed / (stayed + failed)


def _counted(
    p0: float, p1: float, follow: FollowUp, errors: tuple[float, float], censored: Censored
) -> SurvivalRateDesign:
    if follow.minimum < follow.at:
        raise ImmunosarcError(
            f"the call of survival_rate: the last patient is followed for {follow.minimum:g}, a count needs "
            f"{follow.at:g}. Raise follow.minimum, or take method='greenwood'."
        )
    alpha, power = errors
    hoped = _seen(p1, follow, censored)
    if hoped <= p0:
        raise ImmunosarcError(
            f"the call of survival_rate: {follow.lost:.0%} lost leave {hoped:.3f} of the rate {p1:g}, not above "
            f"{p0:g}; no trial can succeed. Keep more patients, or take method='greenwood'."
        )
    found = single_stage_search(p0, hoped, alpha, power, count=1)[0]
    counts = 1.0 if censored == "failure" else _counting(p1, follow)
    enrolled = int(np.ceil(found.n / counts - 1e-9))
    reached = (found.alpha, found.power)
    return SurvivalRateDesign(p0, p1, "binomial", censored, follow, found.n, enrolled, found.r, *reached)


def _counting(rate: float, follow: FollowUp) -> float:
    """Return the share of patients who count where lost ones are left out."""
    stayed = rate * (1.0 - follow.lost)
    hazard, dropout = follow.hazard(rate), follow.enrollment.dropout
    return stayed + hazard / (hazard + dropout) * (1.0 - stayed)
