r"""Sums of normal distribution functions in linear time; import it only for large cohorts.

.. math:: F(y) = \frac{1}{n} \sum_i \Phi\Bigl(\frac{y - x_i}{h}\Bigr)

The samples of a gene are put into boxes two bandwidths wide. A box passes on the moments of its samples; a
box of targets collects those of its neighbors as one polynomial (the fast Gauss transform of Greengard and
Strain 1991, doi:10.1137/0912004, with Chebyshev's polynomials for Taylor's: fewer terms for the same error).
Boxes more than ten bandwidths away count fully or not at all. The terms left out are below 2e-15.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import special

from immunosarc.features._scoring import Floats

__all__ = ["smoothed"]

Ints = NDArray[np.int64]

_TERMS = 20
_REACH = 5
_GENES_AT_ONCE = 128


def smoothed(expression: Floats) -> Floats:
    """Return for each value the mean normal distribution function around all values of its gene."""
    links = _links()
    result = np.empty(expression.shape)
    for start in range(0, expression.shape[1], _GENES_AT_ONCE):
        genes = np.ascontiguousarray(expression[:, start : start + _GENES_AT_ONCE].T, dtype=np.float64)
        result[:, start : start + _GENES_AT_ONCE] = _smooth_genes(genes, links).T
    return result


def _links() -> Floats:
    """Return, for each distance between boxes, what moment k of the one adds to coefficient j of the other."""
    nodes = chebyshev.chebpts1(_TERMS)
    expand = chebyshev.chebvander(nodes, _TERMS - 1).T * (2.0 / _TERMS)
    expand[0] /= 2.0
    powers = np.zeros((_TERMS, _TERMS))  # row k: Chebyshev's polynomial of degree k
    for k, unit in enumerate(np.eye(_TERMS)):
        powers[k, : k + 1] = chebyshev.cheb2poly(unit[: k + 1])
    links = []
    for distance in range(-_REACH, _REACH + 1):
        gap = 2.0 * distance + nodes[None, :] - nodes[:, None]  # sources by targets
        whole = (np.sign(distance) + 1) / 2  # subtracted and put back: rounding is small where numbers are
        values = _beside(gap, distance)
        # the brackets matter: expanded first, the large coefficients of the powers meet small numbers
        links.append(powers.T @ (expand @ values @ expand.T) @ powers)
        links[-1][0, 0] += whole
    return np.array(links)


def _beside(gap: Floats, side: int) -> Floats:
    """Return the normal distribution function less 0, one half or 1, whichever is near."""
    if side == 0:
        return np.asarray(special.erf(gap / np.sqrt(2.0)) / 2.0)
    return np.asarray(special.ndtr(gap) if side < 0 else -special.ndtr(-gap))


_compiled = numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _smooth_genes(genes: Floats, links: Floats) -> Floats:
    n_genes, n_samples = genes.shape
    result = np.full((n_genes, n_samples), np.nan)
    known, place, power = np.empty(n_samples), np.empty(n_samples), np.empty(n_samples)
    where, box, order = np.empty((3, n_samples), np.int64)
    for gene in range(n_genes):
        n = 0
        for i in range(n_samples):
            known[n], where[n] = genes[gene, i], i
            n += not np.isnan(genes[gene, i])
        ends = _into_boxes(known[:n], box[:n], order[:n], place[:n])
        moments = _moments(ends, place, power)
        for target in range(len(ends)):
            start, end = (ends[target - 1] if target else 0), ends[target]
            if start == end:
                continue
            series = _collected(target, ends, moments, links)
            inside, total = place[start:end], power[start:end]
            total[:] = series[_TERMS - 1]
            for j in range(_TERMS - 2, -1, -1):
                coefficient = series[j]
                for i in range(len(inside)):
                    total[i] = total[i] * inside[i] + coefficient
            for i in range(len(inside)):
                result[gene, where[order[start + i]]] = total[i] / n
    return result


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _into_boxes(values: Floats, box: Ints, order: Ints, place: Floats) -> Ints:
    """Sort values by box; return where each box ends, and in ``place`` where in it a value lies, -1 to 1."""
    n = len(values)
    low, high, mean, squares = values[0], values[0], 0.0, 0.0
    for i in range(n):
        mean += values[i]
        low = values[i] if values[i] < low else low
        high = values[i] if values[i] > high else high
    mean /= n
    for i in range(n):
        squares += (values[i] - mean) ** 2
    per_box = 2.0 / np.sqrt(squares / (n - 1))  # a quarter standard deviation is the bandwidth
    ends = np.zeros(int((high - low) * per_box) + 1, np.int64)
    for i in range(n):
        box[i] = int((values[i] - low) * per_box)
        ends[box[i]] += 1
    total = 0
    for b in range(len(ends)):
        ends[b], total = total, total + ends[b]
    for i in range(n):
        slot = ends[box[i]]
        ends[box[i]] = slot + 1
        order[slot] = i
        place[slot] = 2.0 * ((values[i] - low) * per_box - box[i]) - 1.0
    return ends


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _moments(ends: Ints, place: Floats, power: Floats) -> Floats:
    moments = np.zeros((len(ends), _TERMS))
    start = 0
    for b, end in enumerate(ends):
        inside, powers = place[start:end], power[start:end]
        powers[:] = 1.0
        for k in range(_TERMS):
            total = 0.0
            for i in range(len(inside)):
                total += powers[i]
                powers[i] *= inside[i]
            moments[b, k] = total
        start = end
    return moments


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _collected(target: int, ends: Ints, moments: Floats, links: Floats) -> Floats:
    """Return the polynomial of one box: what all boxes within reach add to it, and those below in full."""
    series = np.zeros(_TERMS)
    first = max(0, target - _REACH)
    for source in range(first, min(len(ends), target + _REACH + 1)):
        link = links[target - source + _REACH]
        for k in range(_TERMS):
            moment = moments[source, k]
            row = link[k]
            for j in range(_TERMS):
                series[j] += moment * row[j]
    if first:
        series[0] += ends[first - 1]
    return series
