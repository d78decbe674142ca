r"""Sums of normal distribution functions in linear time; import it only for large cohorts.

.. math:: F(y) = \frac{1}{n} \sum_i \Phi\Bigl(\frac{y - x_i}{h}\Bigr)

The samples of a gene are put into boxes one bandwidth wide. A box passes on its moments, a box of
targets collects them as one Taylor series (Greengard and Strain 1991, doi:10.1137/0912004); boxes further than
nine bandwidths away count fully or not at all. The terms left out are below 1e-15.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from scipy import special

from immunosarc.features._scoring import Floats

__all__ = ["smoothed"]

_ORDER = 28
_REACH = 9
_GENES_AT_ONCE = 512


def smoothed(expression: Floats) -> Floats:
    """Return for each value the mean normal distribution function around all values of its gene."""
    links = _links()
    result = np.empty_like(expression)
    for start in range(0, expression.shape[1], _GENES_AT_ONCE):
        genes = np.ascontiguousarray(expression[:, start : start + _GENES_AT_ONCE].T)
        result[:, start : start + _GENES_AT_ONCE] = _smooth_genes(genes, links).T
    return result


def _links() -> Floats:
    """Return, for each distance between boxes, what moment k of the one adds to coefficient j of the other."""
    distance = np.arange(-_REACH, _REACH + 1.0)
    derivatives = [special.ndtr(distance)]
    hermite, previous = np.ones_like(distance), np.zeros_like(distance)
    bell = np.exp(-(distance**2) / 2) / math.sqrt(2 * math.pi)
    for order in range(1, _ORDER):
        derivatives.append((-1) ** (order - 1) * hermite * bell)
        hermite, previous = distance * hermite - (order - 1) * previous, hermite
    links = np.zeros((len(distance), _ORDER, _ORDER))
    for k in range(_ORDER):
        for j in range(_ORDER - k):
            links[:, k, j] = (-1) ** k * derivatives[j + k] / math.factorial(j) / math.factorial(k)
    return links


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _smooth_genes(genes: Floats, links: Floats) -> Floats:
    n_genes, n_samples = genes.shape
    result = np.full((n_genes, n_samples), np.nan)
    box = np.empty(n_samples, np.int64)
    inside = np.empty(n_samples)
    for gene in range(n_genes):
        values = genes[gene]
        n, low, mean = 0, np.inf, 0.0
        for value in values:
            if not np.isnan(value):
                n, low, mean = n + 1, min(low, value), mean + value
        mean /= n
        squares, high = 0.0, 0.0
        for value in values:
            if not np.isnan(value):
                squares += (value - mean) ** 2
                high = max(high, value - low)
        bandwidth = np.sqrt(squares / (n - 1)) / 4.0
        n_boxes = int(high / bandwidth) + 1
        moments, below = np.zeros((n_boxes, _ORDER)), np.zeros(n_boxes + 1)
        for i in range(n_samples):
            if np.isnan(values[i]):
                continue
            place = (values[i] - low) / bandwidth
            box[i] = int(place)
            inside[i] = place - box[i] - 0.5
            below[box[i] + 1] += 1
            power = 1.0
            for k in range(_ORDER):
                moments[box[i], k] += power
                power *= inside[i]
        for b in range(n_boxes):
            below[b + 1] += below[b]
        series = np.zeros((n_boxes, _ORDER))
        for target in range(n_boxes):
            if below[target + 1] == below[target]:
                continue
            collected = series[target]
            for source in range(max(0, target - _REACH), min(n_boxes, target + _REACH + 1)):
                if below[source + 1] == below[source]:
                    continue
                link = links[target - source + _REACH]
                for k in range(_ORDER):
                    moment = moments[source, k]
                    row = link[k]
                    for j in range(_ORDER):
                        collected[j] += moment * row[j]
            collected[0] += below[max(0, target - _REACH)]
        for i in range(n_samples):
            if np.isnan(values[i]):
                continue
            total, collected = 0.0, series[box[i]]
            for j in range(_ORDER - 1, -1, -1):
                total = total * inside[i] + collected[j]
            result[gene, i] = total / n
    return result
