"""Two-stage designs that watch response and toxicity together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from immunosarc.stats._inputs import FloatArray, IntArray, check_level, refuse
from immunosarc.stats._simon import above, pmf

__all__ = ["ResponseToxicity", "response_toxicity_search"]


class ResponseToxicity(NamedTuple):
    """A two-stage design with two endpoints.

    Go on when more than ``r1`` of ``n1`` respond and at most ``t1`` have toxicity; succeed when more
    than ``r`` of ``n`` respond and at most ``t`` have toxicity.
    """

    r1: int
    t1: int
    n1: int
    r: int
    t: int
    n: int
    alpha_response: float
    alpha_toxicity: float
    power: float
    expected_n: float


class _Side(NamedTuple):
    """Candidates of one endpoint for one (n1, n): limits, chance to pass both stages and to pass the first."""

    first: IntArray
    last: IntArray
    pass_null: FloatArray
    pass_hoped: FloatArray
    on_null: FloatArray
    on_hoped: FloatArray


def response_toxicity_search(
    response: tuple[float, float],
    toxicity: tuple[float, float],
    *,
    alpha: tuple[float, float],
    power: float,
    n_max: int = 60,
) -> ResponseToxicity | None:
    r"""Give the two-stage design with response and toxicity that exposes the fewest patients.

    Success needs enough responses and few enough toxic events, at both stages. Error rates are
    computed with response and toxicity independent: :math:`\alpha_R` at (unacceptable response,
    acceptable toxicity), :math:`\alpha_T` at (acceptable response, unacceptable toxicity), power at
    (acceptable, acceptable). The larger of the two expected sizes under the two unacceptable truths
    is minimized. Source: Bryant and Day 1995, doi 10.2307/2533272.

    Parameters
    ----------
    response : (float, float)
        Unacceptable and acceptable response rate; the second is higher.
    toxicity : (float, float)
        Unacceptable and acceptable toxicity rate; the second is lower.
    alpha : (float, float)
        Largest chance of success when response, or toxicity, is unacceptable.
    power : float
        Smallest chance of success when both are acceptable.
    n_max : int
        Largest trial to consider.

    Returns
    -------
    ResponseToxicity or None
        None when no design of at most ``n_max`` patients fits.

    Raises
    ------
    ImmunosarcError
        When a rate is outside its range.

    Examples
    --------
    >>> found = response_toxicity_search((0.1, 0.4), (0.5, 0.2), alpha=(0.10, 0.10), power=0.80, n_max=30)
    >>> found.alpha_response <= 0.10 and found.alpha_toxicity <= 0.10 and found.power >= 0.80
    True
    """
    _check(response, toxicity, alpha=alpha, power=power, n_max=n_max)
    # toxicity is the absence of success: few toxic events are many patients without
    tolerated = (1.0 - toxicity[0], 1.0 - toxicity[1])
    best: ResponseToxicity | None = None
    for n in range(2, n_max + 1):
        for n1 in range(1, n):
            limit = np.inf if best is None else best.expected_n
            if n1 >= limit:
                break
            sides = [_side(n1, n, rates, power) for rates in (response, tolerated)]
            found = _cheapest(n1, n, sides[0], sides[1], alpha, power, limit)
            best = found or best
    return best


def _side(n1: int, n: int, rates: tuple[float, float], power: float) -> _Side:
    """Return the limits of one endpoint that leave enough power on their own."""
    x1 = np.arange(n1)
    x1 = x1[above(x1, n1, rates[1]) >= power]
    last = np.arange(n)
    hoped = _passing(x1, last, n1, n, rates[1])
    keep = (hoped >= power) & (last[None, :] >= x1[:, None])
    row, column = np.nonzero(keep)
    null = _passing(x1, last, n1, n, rates[0])
    return _Side(
        x1[row],
        last[column],
        null[keep],
        hoped[keep],
        above(x1, n1, rates[0])[row],
        above(x1, n1, rates[1])[row],
    )


def _passing(first: IntArray, last: IntArray, n1: int, n: int, p: float) -> FloatArray:
    """Return P(X1 > first, X > last) for every pair."""
    x = np.arange(n1 + 1)
    joint = pmf(n1, p)[:, None] * above(last[None, :] - x[:, None], n - n1, p)
    tails = np.vstack([joint[::-1].cumsum(axis=0)[::-1], np.zeros((1, len(last)))])
    passing: FloatArray = tails[first + 1]
    return passing


def _cheapest(
    n1: int,
    n: int,
    response: _Side,
    tolerated: _Side,
    alpha: tuple[float, float],
    power: float,
    limit: float,
) -> ResponseToxicity | None:
    """Return the pair of limits with the smallest expected size, when it is below ``limit``."""
    if not (len(response.first) and len(tolerated.first)):
        return None
    alpha_r = np.outer(response.pass_null, tolerated.pass_hoped)
    alpha_t = np.outer(response.pass_hoped, tolerated.pass_null)
    reached = np.outer(response.pass_hoped, tolerated.pass_hoped)
    going = np.maximum(
        np.outer(response.on_null, tolerated.on_hoped), np.outer(response.on_hoped, tolerated.on_null)
    )
    size = n1 + going * (n - n1)
    size[(alpha_r > alpha[0]) | (alpha_t > alpha[1]) | (reached < power)] = np.inf
    i, j = np.unravel_index(int(size.argmin()), size.shape)
    if not size[i, j] < limit:
        return None
    return ResponseToxicity(
        r1=int(response.first[i]),
        t1=n1 - 1 - int(tolerated.first[j]),
        n1=n1,
        r=int(response.last[i]),
        t=n - 1 - int(tolerated.last[j]),
        n=n,
        alpha_response=float(alpha_r[i, j]),
        alpha_toxicity=float(alpha_t[i, j]),
        power=float(reached[i, j]),
        expected_n=float(size[i, j]),
    )


def _check(
    response: tuple[float, float],
    toxicity: tuple[float, float],
    *,
    alpha: tuple[float, float],
    power: float,
    n_max: int,
) -> None:
    problems: list[str] = []
    for name, value in (("alpha of response", alpha[0]), ("alpha of toxicity", alpha[1]), ("power", power)):
        check_level(value, problems, name)
    if not 0.0 < response[0] < response[1] < 1.0:
        problems.append(f"response: need 0 < unacceptable < acceptable < 1, have {response}")
    if not 0.0 < toxicity[1] < toxicity[0] < 1.0:
        problems.append(
            f"toxicity: need 0 < acceptable < unacceptable < 1, given as (unacceptable, acceptable); "
            f"have {toxicity}"
        )
    if n_max < 2:
        problems.append(f"n_max: need at least 2 patients, have {n_max}")
    refuse("response_toxicity_search", problems)
